//! Runs the test vectors that a plan carries.

use embarca_num::DType;
use embarca_num::generate::{SPLITMIX64, SplitMix64};
use embarca_plan::{Expected, VectorInput, crc32_extend};

use crate::error::{LoadError, RunError};
use crate::plan::Plan;
use crate::session::Limits;

/// What became of a test vector.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The outputs are the expected ones; the largest difference of float outputs.
    Match(f32),
    /// The outputs are others; what is known of the difference.
    Differs(String),
    /// It could not be run.
    Skipped(String),
}

impl Plan {
    /// Runs every test vector of the plan that is meant for the program in use.
    ///
    /// # Errors
    /// When a session cannot be made.
    pub fn run_vectors(&self) -> Result<Vec<Verdict>, LoadError> {
        self.run_vectors_limited(Limits::default())
    }

    /// As [`Plan::run_vectors`]; a vector that does not end within `limits`, which count for all of
    /// them together, is skipped.
    ///
    /// # Errors
    /// When a session cannot be made.
    pub fn run_vectors_limited(&self, limits: Limits<'_>) -> Result<Vec<Verdict>, LoadError> {
        let view = self.shared.view()?;
        let Some(vectors) = view.vectors() else { return Ok(Vec::new()) };
        let mut verdicts = Vec::new();
        let mut session = self.session()?;
        for vector in vectors.iter() {
            if vector.program.is_some_and(|program| program as usize != self.shared.program) {
                continue;
            }
            session.reset();
            let ran = (|| -> Result<(), String> {
                let inputs = self.inputs().len();
                let mut stored = match vector.input {
                    VectorInput::Stored(bytes) => bytes,
                    VectorInput::Generated { .. } => &[],
                };
                let mut generator = match vector.input {
                    VectorInput::Generated { generator, seed } if generator == SPLITMIX64 => {
                        Some(SplitMix64(seed))
                    }
                    VectorInput::Generated { generator, .. } => {
                        return Err(format!("generator '{generator}' is not known"));
                    }
                    VectorInput::Stored(_) => None,
                };
                for _ in 0..vector.runs {
                    for index in 0..inputs {
                        let dtype = session.input_type(index).map_or(DType::U8, |ty| ty.dtype);
                        let place = session.input_bytes(index).unwrap_or(&mut []);
                        match &mut generator {
                            Some(generator) => {
                                if !generator.fill(dtype, place) {
                                    return Err(format!("inputs of {dtype} are not generated"));
                                }
                            }
                            None => {
                                let (bytes, rest) = stored
                                    .split_at_checked(place.len())
                                    .ok_or("the stored inputs are too short")?;
                                place.copy_from_slice(bytes);
                                stored = rest;
                            }
                        }
                    }
                    session.run_limited(limits).map_err(|error: RunError| error.to_string())?;
                }
                Ok(())
            })();
            if let Err(reason) = ran {
                verdicts.push(Verdict::Skipped(reason));
                continue;
            }
            let outputs = (0..).map_while(|index| session.output_bytes(index));
            verdicts.push(compare(outputs, vector.expected));
        }
        Ok(verdicts)
    }
}

fn compare<'a>(outputs: impl Iterator<Item = &'a [u8]>, expected: Expected<'_>) -> Verdict {
    match expected {
        Expected::Crc(expected) => {
            let crc = outputs.fold(0, crc32_extend);
            if crc == expected {
                Verdict::Match(0.0)
            } else {
                Verdict::Differs(format!("the outputs' checksum is {crc:08x}, not {expected:08x}"))
            }
        }
        Expected::Near { bytes, absolute, relative } => {
            let ours: Vec<u8> = outputs.flatten().copied().collect();
            if ours.len() != bytes.len() {
                return Verdict::Differs("the outputs have another size".to_owned());
            }
            let floats = |bytes: &[u8]| -> Vec<f32> {
                bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
            };
            let mut worst = 0.0f32;
            for (index, (a, b)) in floats(&ours).into_iter().zip(floats(bytes)).enumerate() {
                let same = a == b || (a.is_nan() && b.is_nan());
                let near = (a - b).abs() <= absolute + relative * b.abs();
                if !same && !near {
                    return Verdict::Differs(format!("element {index} is {a}, not {b}"));
                }
                worst = worst.max(if same { 0.0 } else { (a - b).abs() });
            }
            Verdict::Match(worst)
        }
    }
}
