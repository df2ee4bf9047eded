//! Runs a kernel as a runtime does: checked, and split in every way that its units allow.

use std::vec;
use std::vec::Vec;

use embarca_num::DType;
use zerocopy::{Immutable, IntoBytes};

use crate::{Call, Dst, Fault, Kernel, Needs, Signature, Src, Ty};

/// A tensor that owns 8-byte aligned storage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub dtype: DType,
    pub dims: Vec<u32>,
    words: Vec<u64>,
    len: usize,
}

impl Tensor {
    /// A tensor with the bytes of `elements`.
    pub fn new<T: IntoBytes + Immutable>(dtype: DType, dims: &[u32], elements: &[T]) -> Self {
        let bytes = elements.as_bytes();
        let len = dims.iter().product::<u32>() as usize * dtype.size();
        assert_eq!(bytes.len(), len, "{dtype} {dims:?}");
        let mut words = vec![0u64; len.div_ceil(8)];
        words.as_mut_bytes()[..len].copy_from_slice(bytes);
        Self { dtype, dims: dims.to_vec(), words, len }
    }

    fn filled(dtype: DType, dims: &[u32], byte: u8) -> Self {
        let len = dims.iter().product::<u32>() as usize * dtype.size();
        Self::new(dtype, dims, &vec![byte; len])
    }

    pub fn f32(dims: &[u32], elements: &[f32]) -> Self {
        Self::new(DType::F32, dims, elements)
    }

    pub fn i8(dims: &[u32], elements: &[i8]) -> Self {
        Self::new(DType::I8, dims, elements)
    }

    pub fn i32(dims: &[u32], elements: &[i32]) -> Self {
        Self::new(DType::I32, dims, elements)
    }

    pub fn i64(dims: &[u32], elements: &[i64]) -> Self {
        Self::new(DType::I64, dims, elements)
    }

    pub fn ty(&self) -> Ty<'_> {
        Ty { dtype: self.dtype, dims: &self.dims }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.words.as_bytes()[..self.len]
    }

    pub fn to_f32(&self) -> Vec<f32> {
        self.src().elements().to_vec()
    }

    pub fn to_i8(&self) -> Vec<i8> {
        self.src().elements().to_vec()
    }

    pub fn to_i32(&self) -> Vec<i32> {
        self.src().elements().to_vec()
    }

    pub fn to_i64(&self) -> Vec<i64> {
        self.src().elements().to_vec()
    }

    fn src(&self) -> Src<'_> {
        Src { ty: self.ty(), data: self.bytes() }
    }
}

/// What the kernel's check says of these inputs and outputs.
pub(crate) fn check(
    kernel: &Kernel,
    params: &(impl IntoBytes + Immutable),
    inputs: &[Option<&Tensor>],
    outputs: &[(DType, &[u32])],
) -> Result<Needs, Fault> {
    let inputs: Vec<_> = inputs.iter().map(|x| x.map(Tensor::ty)).collect();
    let outputs: Vec<_> = outputs.iter().map(|&(dtype, dims)| Ty { dtype, dims }).collect();
    let record = params.as_bytes();
    (kernel.check)(&Signature { record, inputs: &inputs, outputs: &outputs })
}

/// [`try_run`] of inputs that are all present and a run that succeeds.
pub(crate) fn run(
    kernel: &Kernel,
    params: &(impl IntoBytes + Immutable),
    inputs: &[Tensor],
    outputs: &[(DType, &[u32])],
) -> Vec<Tensor> {
    let inputs: Vec<_> = inputs.iter().map(Some).collect();
    try_run(kernel, params, &inputs, outputs).unwrap()
}

/// The outputs of a kernel that accepts these shapes, which do not depend on how it is split.
pub(crate) fn try_run(
    kernel: &Kernel,
    params: &(impl IntoBytes + Immutable),
    inputs: &[Option<&Tensor>],
    outputs: &[(DType, &[u32])],
) -> Result<Vec<Tensor>, Fault> {
    let needs = check(kernel, params, inputs, outputs)?;
    let mut sources: Vec<_> = inputs.iter().map(|x| x.map(Tensor::src)).collect();
    let record = params.as_bytes();
    let mut packed = Vec::new();
    if let Some(pack) = kernel.pack {
        let types: Vec<_> = inputs.iter().map(|x| x.map(Tensor::ty)).collect();
        let results: Vec<_> = outputs.iter().map(|&(dtype, dims)| Ty { dtype, dims }).collect();
        let sig = Signature { record, inputs: &types, outputs: &results };
        let len = (pack.len)(&sig)?;
        packed.resize(len.div_ceil(8), u64::MAX);
        let source = sources[pack.input].as_mut().unwrap();
        (pack.pack)(&sig, source.data, &mut packed.as_mut_bytes()[..len])?;
        source.data = &packed.as_bytes()[..len];
    }
    let mut scratch = vec![0u64; needs.scratch.div_ceil(8)];
    let run = |pieces: usize, scratch: &mut [u64]| {
        let blank = |&(dtype, dims): &(DType, &[u32])| Tensor::filled(dtype, dims, 0xa5);
        let mut results: Vec<_> = outputs.iter().map(blank).collect();
        for piece in 0..pieces {
            let units = needs.units * piece / pieces..needs.units * (piece + 1) / pieces;
            let mut call_outputs = Vec::new();
            for (index, result) in results.iter_mut().enumerate() {
                let whole = 0..result.len;
                let each = result.len.checked_div(needs.units).unwrap_or(0);
                let part = each * units.start..each * units.end;
                let range = if index == 0 && pieces != 1 { part } else { whole };
                let ty = Ty { dtype: result.dtype, dims: &result.dims };
                call_outputs.push(Dst { ty, data: &mut result.words.as_mut_bytes()[range] });
            }
            let mut call = Call {
                record,
                inputs: &sources,
                outputs: &mut call_outputs,
                scratch: scratch.as_mut_bytes(),
                units,
            };
            (kernel.run)(&mut call)?;
        }
        Ok(results)
    };
    let whole = run(1, &mut scratch)?;
    for pieces in [2, 3, 7] {
        if pieces <= needs.units {
            assert_eq!(run(pieces, &mut scratch)?, whole, "{} in {pieces} pieces", kernel.name);
        }
    }
    Ok(whole)
}
