//! Between f32 and quantized integers: `real = scale * (stored - zero)`.
//!
//! Per tensor, the scale and zero point are in the record. With inputs 1 (f32 scales) and 2 (i32
//! zero points, optional) they come from there: one for all, or one per index of `axis`.

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::binary::Lane;
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 to i8; record [`Params`].
pub const I8: Kernel = Kernel::new("quantize_i8", |s| check_up(s, DType::I8), quantize::<i8>);
/// f32 to u8; record [`Params`].
pub const U8: Kernel = Kernel::new("quantize_u8", |s| check_up(s, DType::U8), quantize::<u8>);
/// f32 to i16; record [`Params`].
pub const I16: Kernel = Kernel::new("quantize_i16", |s| check_up(s, DType::I16), quantize::<i16>);
/// f32 to i32; record [`Params`].
pub const I32: Kernel = Kernel::new("quantize_i32", |s| check_up(s, DType::I32), quantize::<i32>);
/// i8 to f32; record [`Params`].
pub const FROM_I8: Kernel =
    Kernel::new("dequantize_i8", |s| check_down(s, DType::I8), dequantize::<i8>);
/// u8 to f32; record [`Params`].
pub const FROM_U8: Kernel =
    Kernel::new("dequantize_u8", |s| check_down(s, DType::U8), dequantize::<u8>);
/// i16 to f32; record [`Params`].
pub const FROM_I16: Kernel =
    Kernel::new("dequantize_i16", |s| check_down(s, DType::I16), dequantize::<i16>);
/// i32 to f32; record [`Params`].
pub const FROM_I32: Kernel =
    Kernel::new("dequantize_i32", |s| check_down(s, DType::I32), dequantize::<i32>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[I8, U8, I16, I32, FROM_I8, FROM_U8, FROM_I16, FROM_I32];

/// TFLite's rounding: halves away from zero.
pub const HALF_AWAY: u32 = 0;
/// ONNX's rounding: halves to the even integer.
pub const HALF_EVEN: u32 = 1;

/// The record of every kernel here.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// When there is no input 1.
    pub scale: f32,
    /// When there is no input 2.
    pub zero: i32,
    /// The axis that several scales run along.
    pub axis: u32,
    /// [`HALF_AWAY`] or [`HALF_EVEN`]; not used by `dequantize`.
    pub rounding: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params = sig.params::<Params>()?;
    if HALF_EVEN < params.rounding {
        return Err(Fault::Record);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 || 3 < sig.inputs.len() {
        return Err(Fault::Arity);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    let mut count = 1;
    if let Some(scales) = sig.optional(1) {
        count = scales.len()?;
        if scales.dtype != DType::F32 {
            return Err(Fault::Type);
        }
        let axis = x.dims.get(params.axis as usize).map(|&dim| dim as usize);
        if count != 1 && axis != Some(count) {
            return Err(Fault::Shape);
        }
    }
    if let Some(zeros) = sig.optional(2) {
        if zeros.dtype != DType::I32 {
            return Err(Fault::Type);
        }
        if zeros.len()? != count {
            return Err(Fault::Shape);
        }
    }
    Ok(Needs::split(check_size(x)?))
}

fn check_up(sig: &Signature, to: DType) -> Result<Needs, Fault> {
    if sig.input(0)?.dtype != DType::F32 || sig.output(0)?.dtype != to {
        return Err(Fault::Type);
    }
    check(sig)
}

fn check_down(sig: &Signature, from: DType) -> Result<Needs, Fault> {
    if sig.input(0)?.dtype != from || sig.output(0)?.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    check(sig)
}

fn quantize<T: Lane>(call: &mut Call) -> Result<(), Fault> {
    let rounding = call.params::<Params>()?.rounding;
    each_scale(call, |scale, zero, x: &[f32], y: &mut [T]| {
        if rounding == HALF_EVEN {
            run_quantize(scale, zero, float::round_half_even, x, y);
        } else {
            run_quantize(scale, zero, float::round_half_away, x, y);
        }
    })
}

fn dequantize<T: Lane>(call: &mut Call) -> Result<(), Fault> {
    each_scale(call, |scale, zero, x: &[T], y: &mut [f32]| run_dequantize(scale, zero, x, y))
}

/// `y = saturate(round(x / scale) + zero)`; NaN becomes the zero point.
pub fn run_quantize<T: Lane>(
    scale: f32,
    zero: i32,
    round: impl Fn(f32) -> f32,
    x: &[f32],
    y: &mut [T],
) {
    if T::BITS < 32 {
        // Zero points of these types are small: values beyond a million saturate in any case.
        let (low, high) =
            (T::saturate(i64::MIN).wide() as i32, T::saturate(i64::MAX).wide() as i32);
        for (y, &x) in y.iter_mut().zip(x) {
            let value = float::clamp(round(x / scale), -1e6, 1e6) as i32;
            *y = T::narrow(value.saturating_add(zero).max(low).min(high).into());
        }
        return;
    }
    for (y, &x) in y.iter_mut().zip(x) {
        // From f32 to i64 and down: both saturate.
        let value = round(x / scale) as i64;
        *y = T::saturate(value.saturating_add(i64::from(zero)));
    }
}

/// `y = scale * (x - zero)`, rounded once.
pub fn run_dequantize<T: Lane>(scale: f32, zero: i32, x: &[T], y: &mut [f32]) {
    if T::BITS < 32 {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = scale * (x.wide() as i32).wrapping_sub(zero) as f32;
        }
    } else {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (f64::from(scale) * (x.wide() - i64::from(zero)) as f64) as f32;
        }
    }
}

/// Runs `f` on stretches of the call's share that have one scale and zero point.
fn each_scale<X: crate::walk::Element, Y: crate::walk::Element>(
    call: &mut Call,
    mut f: impl FnMut(f32, i32, &[X], &mut [Y]),
) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let units = call.units.clone();
    let x = call.input(0)?;
    let scales = call.optional(1).map_or(&[][..], |scales| scales.elements::<f32>());
    let zeros = call.optional(2).map_or(&[][..], |zeros| zeros.elements::<i32>());
    let source = x.elements::<X>().get(units.clone()).unwrap_or_default();
    let y = call.output(0)?.elements::<Y>();
    if scales.len() <= 1 {
        let scale = scales.first().copied().unwrap_or(params.scale);
        let zero = zeros.first().copied().unwrap_or(params.zero);
        f(scale, zero, source, y);
        return Ok(());
    }
    let inner = x.ty.dims.iter().skip(params.axis as usize + 1).map(|&dim| dim as usize).product();
    let inner = core::cmp::max(1usize, inner);
    let mut done = 0;
    while done < y.len() {
        let at = units.start + done;
        let len = (inner - at % inner).min(y.len() - done);
        let index = at / inner % scales.len();
        let zero = zeros.get(index).copied().unwrap_or(params.zero);
        f(scales[index], zero, &source[done..done + len], &mut y[done..done + len]);
        done += len;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;

    use super::*;
    use crate::testing::{Tensor, run};

    const PARAMS: Params = Params { scale: 0.5, zero: 3, axis: 0, rounding: HALF_AWAY };

    #[test]
    fn ties_saturation_and_nan() {
        let x = Tensor::f32(&[8], &[0.25, -0.25, 0.75, -0.75, 1e9, -1e30, f32::NAN, 60.0]);
        let to = [(DType::I8, &[8][..])];
        let y = run(&I8, &PARAMS, from_ref(&x), &to);
        assert_eq!(y[0].to_i8(), [4, 2, 5, 1, 127, -128, 3, 123]);
        let even = Params { rounding: HALF_EVEN, ..PARAMS };
        let y = run(&I8, &even, from_ref(&x), &to);
        assert_eq!(y[0].to_i8(), [3, 3, 5, 1, 127, -128, 3, 123]);
        let y = run(&U8, &PARAMS, &[x], &[(DType::U8, &[8])]);
        assert_eq!(y[0].bytes(), [4, 2, 5, 1, 255, 0, 3, 123]);
    }

    #[test]
    fn each_channel_has_its_scale() {
        let params = Params { axis: 1, ..PARAMS };
        let x = Tensor::i8(&[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
        let scales = Tensor::f32(&[2], &[1.0, 10.0]);
        let zeros = Tensor::i32(&[2], &[0, 1]);
        let to = [(DType::F32, &[2, 2, 2][..])];
        let y = run(&FROM_I8, &params, &[x, scales.clone(), zeros.clone()], &to);
        assert_eq!(y[0].to_f32(), [1.0, 2.0, 20.0, 30.0, 5.0, 6.0, 60.0, 70.0]);
        let back = [(DType::I32, &[2, 2, 2][..])];
        let back = run(&I32, &params, &[y[0].clone(), scales, zeros], &back);
        assert_eq!(back[0].to_i32(), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
