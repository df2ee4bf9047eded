//! Kernels against what TFLM and LiteRT compute: `golden/nn.bin`, written by `golden/make.py`.
//!
//! The file is a sequence of cases, all numbers little-endian u32 unless stated: length and name of
//! the kernel; length and bytes of the record; tolerance (f32, relative to the largest result); the
//! number of inputs; the inputs and the output. A tensor is the number of its type (0 when it is
//! left out, and nothing follows), its rank, its dimensions, its elements.

use embarca_kernels::{Call, Dst, Fault, Kernel, OPERATORS, Signature, Src, Ty, fast};
use embarca_num::DType;
use zerocopy::{FromBytes, IntoBytes};

struct Tensor {
    dtype: DType,
    dims: Vec<u32>,
    /// 8-byte aligned storage and the bytes of it that count.
    words: Vec<u64>,
    len: usize,
}

impl Tensor {
    fn new(dtype: DType, dims: Vec<u32>, bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        words.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Self { dtype, dims, words, len: bytes.len() }
    }

    fn ty(&self) -> Ty<'_> {
        Ty { dtype: self.dtype, dims: &self.dims }
    }

    fn bytes(&self) -> &[u8] {
        &self.words.as_bytes()[..self.len]
    }
}

struct Case {
    kernel: String,
    record: Vec<u8>,
    tolerance: f32,
    inputs: Vec<Option<Tensor>>,
    output: Tensor,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }

    fn number(&mut self) -> u32 {
        u32::read_from_bytes(self.bytes(4)).unwrap()
    }

    fn tensor(&mut self) -> Option<Tensor> {
        let dtype = DType::from_code(u8::try_from(self.number()).unwrap())?;
        let rank = self.number();
        let dims: Vec<u32> = (0..rank).map(|_| self.number()).collect();
        let len = dims.iter().product::<u32>() as usize * dtype.size();
        Some(Tensor::new(dtype, dims, self.bytes(len)))
    }

    fn case(&mut self) -> Case {
        let len = self.number() as usize;
        let kernel = String::from_utf8(self.bytes(len).to_vec()).unwrap();
        let len = self.number() as usize;
        let record = self.bytes(len).to_vec();
        let tolerance = f32::from_bits(self.number());
        let count = self.number();
        let inputs = (0..count).map(|_| self.tensor()).collect();
        Case { kernel, record, tolerance, inputs, output: self.tensor().unwrap() }
    }
}

fn cases() -> Vec<Case> {
    let mut reader = Reader(include_bytes!("golden/nn.bin"));
    let mut cases = Vec::new();
    while !reader.0.is_empty() {
        cases.push(reader.case());
    }
    cases
}

/// The output in `pieces` shares of the units; `None` when there are fewer units.
fn run(kernel: &Kernel, case: &Case, pieces: usize) -> Result<Option<Vec<u8>>, Fault> {
    let inputs: Vec<_> = case.inputs.iter().map(|x| x.as_ref().map(Tensor::ty)).collect();
    let outputs = [case.output.ty()];
    let signature = Signature { record: &case.record, inputs: &inputs, outputs: &outputs };
    let needs = (kernel.check)(&signature)?;
    if needs.units < pieces {
        return Ok(None);
    }
    let mut packed = Vec::new();
    let mut packed_len = 0;
    if let Some(pack) = kernel.pack {
        packed_len = (pack.len)(&signature)?;
        packed = vec![0u64; packed_len.div_ceil(8)];
        let canonical = case.inputs[pack.input].as_ref().unwrap().bytes();
        (pack.pack)(&signature, canonical, &mut packed.as_mut_bytes()[..packed_len])?;
    }
    let mut sources = Vec::new();
    for (i, x) in case.inputs.iter().enumerate() {
        sources.push(x.as_ref().map(|x| match kernel.pack {
            Some(pack) if pack.input == i => {
                Src { ty: x.ty(), data: &packed.as_bytes()[..packed_len] }
            }
            _ => Src { ty: x.ty(), data: x.bytes() },
        }));
    }
    let mut scratch = vec![0x5555_5555_5555_5555u64; needs.scratch.div_ceil(8)];
    let mut y = vec![0xa5a5_a5a5_a5a5_a5a5u64; case.output.words.len()];
    let each = case.output.len / needs.units.max(1);
    for piece in 0..pieces {
        let units = needs.units * piece / pieces..needs.units * (piece + 1) / pieces;
        // Each piece has its own aligned buffer, as an output at an odd place in an arena has not.
        let bytes = each * units.start..each * units.end;
        let mut part = vec![0u64; bytes.len().div_ceil(8)];
        let data = &mut part.as_mut_bytes()[..bytes.len()];
        let mut outputs = [Dst { ty: case.output.ty(), data }];
        (kernel.run)(&mut Call {
            record: &case.record,
            inputs: &sources,
            outputs: &mut outputs,
            scratch: scratch.as_mut_bytes(),
            units,
        })?;
        y.as_mut_bytes()[bytes.clone()].copy_from_slice(&part.as_bytes()[..bytes.len()]);
    }
    Ok(Some(y.as_bytes()[..case.output.len].to_vec()))
}

/// Largest difference and largest expected magnitude.
fn difference(output: &Tensor, y: &[u8]) -> (f32, f32) {
    let numbers = |bytes: &[u8]| -> Vec<f32> {
        match output.dtype {
            DType::F32 => {
                bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            DType::I8 => bytes.iter().map(|byte| f32::from(byte.cast_signed())).collect(),
            _ => bytes.iter().map(|byte| f32::from(*byte)).collect(),
        }
    };
    let (expected, actual) = (numbers(output.bytes()), numbers(y));
    let magnitude = expected.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    let mut worst = 0.0f32;
    for (expected, actual) in expected.iter().zip(&actual) {
        let error = (expected - actual).abs();
        assert!(!error.is_nan(), "not a number");
        worst = worst.max(error);
    }
    (worst, magnitude)
}

fn find(name: &str) -> &'static Kernel {
    let mut kernels = OPERATORS.iter().flat_map(|(_, _, kernels)| kernels.iter());
    kernels.find(|kernel| kernel.name == name).unwrap()
}

#[test]
fn definitions_equal_the_references() {
    let mut kernels: Vec<String> = Vec::new();
    for (i, case) in cases().iter().enumerate() {
        let y = run(find(&case.kernel), case, 1).unwrap().unwrap();
        let (worst, magnitude) = difference(&case.output, &y);
        let allowed = case.tolerance * magnitude;
        assert!(worst <= allowed, "case {i}, {}: {worst} > {allowed}", case.kernel);
        if !kernels.contains(&case.kernel) {
            kernels.push(case.kernel.clone());
        }
    }
    assert_eq!(kernels.len(), 27, "{kernels:?}");
}

#[test]
fn results_do_not_depend_on_the_split() {
    for (i, case) in cases().iter().enumerate() {
        let kernel = find(&case.kernel);
        let whole = run(kernel, case, 1).unwrap();
        for pieces in [2, 3, 7] {
            if let Some(y) = run(kernel, case, pieces).unwrap() {
                assert!(whole.as_ref() == Some(&y), "case {i}, {}, {pieces}", case.kernel);
            }
        }
    }
}

#[test]
fn twins_equal_their_definitions() {
    // Twins without golden vectors are compared on random shapes, beside their code.
    let mut seen: Vec<&str> = Vec::new();
    for (i, case) in cases().iter().enumerate() {
        let Some(twin) = fast::twin(&case.kernel) else { continue };
        let whole = run(find(&case.kernel), case, 1).unwrap().unwrap();
        for pieces in [1, 2, 3, 7] {
            let Some(y) = run(twin, case, pieces).unwrap() else { continue };
            assert!(whole == y, "case {i}, {} in {pieces} pieces", twin.name);
        }
        if !seen.contains(&twin.name) {
            seen.push(twin.name);
        }
    }
    assert!(8 <= seen.len(), "twins lost their golden vectors: {seen:?}");
}

/// Records and shapes that no writer produces are refused before they are run.
#[test]
fn hostile_calls_are_refused_or_harmless() {
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut refused = 0;
    for case in &mut cases() {
        for _ in 0..20 {
            let record = case.record.clone();
            let dims = case.output.dims.clone();
            match random() % 4 {
                0 if !case.record.is_empty() => {
                    let at = random() as usize % case.record.len();
                    case.record[at] ^= 1 << (random() % 8);
                }
                1 => case.record.truncate(case.record.len() / 2),
                2 => {
                    let at = random() as usize % case.output.dims.len();
                    case.output.dims[at] = random() % 9;
                }
                _ => {
                    let at = random() as usize % case.output.dims.len();
                    case.output.dims[at] = u32::MAX - random() % 9;
                }
            }
            let size = case.output.dims.iter().try_fold(1u32, |size, dim| size.checked_mul(*dim));
            let size = size.filter(|&size| size < 1 << 20);
            let kept = case.output.len;
            for kernel in [Some(find(&case.kernel)), fast::twin(&case.kernel)].into_iter().flatten()
            {
                let inputs: Vec<_> =
                    case.inputs.iter().map(|x| x.as_ref().map(Tensor::ty)).collect();
                let outputs = [case.output.ty()];
                let signature =
                    Signature { record: &case.record, inputs: &inputs, outputs: &outputs };
                match ((kernel.check)(&signature), size) {
                    (Err(_), _) => refused += 1,
                    (Ok(_), None) => {}
                    (Ok(_), Some(size)) => {
                        case.output.len = size as usize * case.output.dtype.size();
                        case.output.words.resize(case.output.len.div_ceil(8), 0);
                        run(kernel, case, 1).unwrap();
                    }
                }
            }
            (case.record, case.output.dims, case.output.len) = (record, dims, kept);
            case.output.words.resize(kept.div_ceil(8), 0);
        }
    }
    assert!(1000 < refused, "{refused}");
}
