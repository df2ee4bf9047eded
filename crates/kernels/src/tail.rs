//! What multiplying kernels do with a sum: add, rescale, clamp, store.

use core::hint::select_unpredictable;

use embarca_num::{DType, fixed::Requant};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Fault, Signature};

/// A fused activation on f32.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ClampF32 {
    /// Negative infinity when there is no lower bound.
    pub act_min: f32,
    /// Infinity when there is no upper bound.
    pub act_max: f32,
}

impl ClampF32 {
    /// No activation.
    pub const NONE: Self = Self { act_min: f32::NEG_INFINITY, act_max: f32::INFINITY };

    /// `x` within the bounds; NaN stays NaN.
    #[inline(always)]
    pub fn apply(self, x: f32) -> f32 {
        embarca_num::float::clamp(x, self.act_min, self.act_max)
    }
}

/// Zero points and fused activation of a kernel that multiplies i8 by i8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TailI8 {
    /// Zero point of the input, -128 to 127.
    pub in_zero: i32,
    /// Zero point of the weights, -128 to 127; 0 but for models that were unsigned.
    pub w_zero: i32,
    /// Zero point of the output, -128 to 127.
    pub out_zero: i32,
    /// Lower bound of the quantized result, at least -128.
    pub act_min: i32,
    /// Upper bound of the quantized result, at most 127.
    pub act_max: i32,
}

impl TailI8 {
    /// A `Record` fault when a field is outside its range.
    pub fn check(&self) -> Result<(), Fault> {
        let bounds = [self.in_zero, self.w_zero, self.out_zero, self.act_min, self.act_max];
        let small = bounds.iter().all(|bound| (-128..=127).contains(bound));
        if small && self.act_min <= self.act_max { Ok(()) } else { Err(Fault::Record) }
    }

    /// From a sum to what is stored.
    #[inline(always)]
    pub fn apply(&self, sum: i32, factor: Requant) -> i8 {
        // Bounds before the zero point: nothing overflows. Results are too mixed to predict.
        let (low, high) = (self.act_min - self.out_zero, self.act_max - self.out_zero);
        let y = factor.apply(sum);
        let y = select_unpredictable(y < low, low, y);
        let y = select_unpredictable(high < y, high, y);
        (y + self.out_zero) as i8
    }
}

/// The factor of channel `index`; an absent one yields 0.
#[inline(always)]
pub fn factor(factors: &[Requant], index: usize) -> Requant {
    factors.get(index).copied().unwrap_or_default()
}

/// Checks the optional bias at input `index`: `dtype`, `[channels]`.
pub fn check_bias(sig: &Signature, index: usize, dtype: DType, channels: u32) -> Result<(), Fault> {
    match sig.optional(index) {
        Some(bias) if bias.dtype != dtype => Err(Fault::Type),
        Some(bias) if bias.dims != [channels] => Err(Fault::Shape),
        _ => Ok(()),
    }
}

/// Checks the factors at input `index`: i32 pairs `[channels, 2]`.
pub fn check_factors(sig: &Signature, index: usize, channels: u32) -> Result<(), Fault> {
    let factors = sig.input(index)?;
    if factors.dtype != DType::I32 {
        return Err(Fault::Type);
    }
    if factors.dims != [channels, 2] {
        return Err(Fault::Shape);
    }
    Ok(())
}

/// Checks the element types of inputs 0 and 1 and output 0 and the number of inputs and outputs.
pub fn check_types(sig: &Signature, [x, w, y]: [DType; 3], max_inputs: usize) -> Result<(), Fault> {
    if max_inputs < sig.inputs.len() || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if sig.input(0)?.dtype != x || sig.input(1)?.dtype != w || sig.output(0)?.dtype != y {
        return Err(Fault::Type);
    }
    Ok(())
}
