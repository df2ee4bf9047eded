//! Known inputs with what must come out: a program's proof that it still computes the same.

use crate::error::{At, OpenError, Problem, Table};
use crate::records::{NONE, VectorRecord, VectorsRecord};
use crate::tables::{Cutter, Strings};

/// A vector has at most this many runs, so that to check a plan takes a bounded time.
pub const MAX_RUNS: u32 = 4096;

/// A vectors section that was checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vectors<'a> {
    strings: Strings<'a>,
    vectors: &'a [VectorRecord],
    data: &'a [u8],
}

/// Where a vector's inputs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorInput<'a> {
    /// A named generator with a seed.
    Generated {
        /// Its name.
        generator: &'a str,
        /// Its seed.
        seed: u64,
    },
    /// The bytes of all inputs of all runs, in order.
    Stored(&'a [u8]),
}

/// What the outputs of a vector's last run must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected<'a> {
    /// The CRC-32 of all outputs in order.
    Crc(u32),
    /// Stored f32 outputs in order: `|got - stored| <= absolute + relative * |stored|`.
    Near {
        /// The bytes of all outputs.
        bytes: &'a [u8],
        /// Absolute tolerance.
        absolute: f32,
        /// Relative tolerance.
        relative: f32,
    },
}

/// One vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vector<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// The program it is for, in file order; `None` for all.
    pub program: Option<u32>,
    /// Runs from the initial state; the last one's outputs count.
    pub runs: u32,
    /// Where the inputs come from.
    pub input: VectorInput<'a>,
    /// What the outputs must be.
    pub expected: Expected<'a>,
}

impl<'a> Vectors<'a> {
    pub(crate) fn cut(at: At, bytes: &'a [u8]) -> Result<Self, OpenError> {
        let (header, mut cutter) = Cutter::new::<VectorsRecord>(at, bytes)?;
        let vectors = Self {
            strings: Strings::cut(&mut cutter, header.string_ends, header.strings)?,
            vectors: cutter.take(Table::Vectors, header.vectors)?,
            data: cutter.take(Table::Data, header.data)?,
        };
        cutter.finish()?;
        Ok(vectors)
    }

    pub(crate) fn check(&self, at: At, programs: u32) -> Result<(), OpenError> {
        self.strings.check(at)?;
        for (index, vector) in self.vectors.iter().enumerate() {
            self.check_vector(vector, programs)
                .map_err(|problem| at.err(Table::Vectors, index, problem))?;
        }
        Ok(())
    }

    fn check_vector(&self, vector: &VectorRecord, programs: u32) -> Result<(), Problem> {
        self.strings.check_optional(vector.name)?;
        self.strings.check_optional(vector.generator)?;
        if vector.program != NONE && vector.program >= programs {
            return Err(Problem::Range(vector.program));
        }
        if !(1..=MAX_RUNS).contains(&vector.runs) {
            return Err(Problem::Value(vector.runs));
        }
        if vector.check > 1 {
            return Err(Problem::Value(vector.check));
        }
        for (start, len) in
            [(vector.input, vector.input_len), (vector.expected, vector.expected_len)]
        {
            if !start.is_multiple_of(4) || self.bytes(start, len).is_none() {
                return Err(Problem::Range(start));
            }
        }
        if vector.generator != NONE && vector.input_len != 0 {
            return Err(Problem::Value(vector.input_len));
        }
        for tolerance in [vector.absolute, vector.relative] {
            if !(tolerance.is_finite() && tolerance >= 0.0) {
                return Err(Problem::Value(tolerance.to_bits()));
            }
        }
        Ok(())
    }

    fn bytes(&self, start: u32, len: u32) -> Option<&'a [u8]> {
        let start = start as usize;
        self.data.get(start..start.checked_add(len as usize)?)
    }

    /// All vectors.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Vector<'a>> + use<'a> {
        let vectors = *self;
        self.vectors.iter().map(move |record| vectors.view(record))
    }

    fn view(&self, record: &VectorRecord) -> Vector<'a> {
        let stored = |start, len| self.bytes(start, len).unwrap_or(&[]);
        let [low, high] = record.seed;
        Vector {
            name: self.strings.get(record.name),
            program: (record.program != NONE).then_some(record.program),
            runs: record.runs,
            input: match self.strings.get(record.generator) {
                Some(generator) => VectorInput::Generated {
                    generator,
                    seed: u64::from(low) | u64::from(high) << 32,
                },
                None => VectorInput::Stored(stored(record.input, record.input_len)),
            },
            expected: match record.check {
                0 => Expected::Crc(record.crc),
                _ => Expected::Near {
                    bytes: stored(record.expected, record.expected_len),
                    absolute: record.absolute,
                    relative: record.relative,
                },
            },
        }
    }
}
