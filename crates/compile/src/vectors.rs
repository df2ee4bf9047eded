//! Test vectors: a seed, and what the portable kernels make of it.

use embarca_ir::{Const, Def, Model};
use embarca_num::DType;
use embarca_num::generate::{SPLITMIX64, SplitMix64};
use embarca_plan::crc32;

use crate::plan_writer::{ExpectedSource, VectorInputSource, VectorSource};

/// Outputs larger than this many bytes together are not stored; integer outputs need no room.
const MAX_STORED: usize = 16 << 10;

/// The seed of the first vector.
const SEED: u64 = 1;

/// Models with more multiply-accumulates get no vector: the portable kernels would take seconds.
const MAX_MACS: u64 = 100_000_000;

/// Neither do models whose values need more bytes, all of them together.
const MAX_BYTES: usize = 256 << 20;

/// A vector for a model whose every node has a portable kernel, evaluated at preferred sizes.
/// `None` where the graph cannot be evaluated on drawn numbers (an index may fall outside), or
/// where its outputs are too large to be stored.
pub fn vector(model: &Model) -> Option<VectorSource> {
    if embarca_ir::stats::stats(model).macs.is_none_or(|macs| MAX_MACS < macs) {
        return None;
    }
    let graph = model.main();
    let preferred = |id: embarca_ir::SymbolId| {
        model.symbols.get(id.index()).map(|symbol| i64::from(symbol.preferred))
    };
    let mut room = MAX_BYTES;
    for value in graph.values.iter().filter(|value| !matches!(value.def, Def::Const(_))) {
        let each = value.ty.dims.iter().map(|dim| usize::try_from(dim.eval(&preferred)?).ok());
        let len = { each }.try_fold(value.ty.dtype.size(), |len, dim| len.checked_mul(dim?))?;
        room = room.checked_sub(len)?;
    }
    let mut generator = SplitMix64(SEED);
    let mut inputs = Vec::with_capacity(graph.inputs.len());
    for &input in &graph.inputs {
        let ty = graph.ty(input);
        let dims: Vec<usize> = ty
            .dims
            .iter()
            .map(|dim| usize::try_from(dim.eval(&preferred)?).ok())
            .collect::<Option<_>>()?;
        let len = dims.iter().try_fold(ty.dtype.size(), |len, &dim| len.checked_mul(dim))?;
        let mut bytes = vec![0; len];
        if !generator.fill(ty.dtype, &mut bytes) {
            return None;
        }
        inputs.push(Const::new(ty.dtype, dims, bytes)?);
    }
    let outputs = embarca_opt::eval(model, &inputs).ok()?;
    let bytes: Vec<u8> = outputs.iter().flat_map(|output| output.data.iter().copied()).collect();
    let expected = if outputs.iter().all(|output| !output.dtype.is_float()) {
        ExpectedSource::Crc(crc32(&bytes))
    } else if outputs.iter().all(|output| output.dtype == DType::F32) && bytes.len() <= MAX_STORED {
        let values = outputs.iter().filter_map(Const::as_f32).flatten();
        let largest = values.map(f32::abs).filter(|value| value.is_finite()).fold(0.0, f32::max);
        // Other orders of summation stay within this share of the largest output.
        ExpectedSource::Near { bytes, absolute: largest * 1e-4, relative: 1e-4 }
    } else {
        return None;
    };
    let input = VectorInputSource::Generated { generator: SPLITMIX64.to_owned(), seed: SEED };
    Some(VectorSource { name: String::new(), program: None, runs: 1, input, expected })
}
