//! Dequantizes two i8 tensors that broadcast, computes in f32 and quantizes with halves to even, in
//! one step: what ONNX's DequantizeLinear, operator, QuantizeLinear yield one after the other, bit
//! for bit.

use core::ops::Range;

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::binary::{Kind, apply, check_types};
use crate::walk::Walk;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// i8, i8 to i8; record [`Params`].
pub const I8: Kernel = Kernel::new("quantized_binary_i8", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[I8];

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// [`Kind::Add`], [`Kind::Sub`], [`Kind::Mul`] or [`Kind::Div`].
    pub kind: u32,
    /// Scales of the inputs and of the output.
    pub scales: [f32; 3],
    /// Their zero points.
    pub zeros: [i32; 3],
    /// Lower bound of the stored result, -128 when there is none.
    pub act_min: i32,
    /// Upper bound of the stored result, 127 when there is none.
    pub act_max: i32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let p = sig.params::<Params>()?;
    let known = matches!(Kind::from_code(p.kind)?, Kind::Add | Kind::Sub | Kind::Mul | Kind::Div);
    let bounds = [p.zeros[0], p.zeros[1], p.zeros[2], p.act_min, p.act_max];
    let small = bounds.iter().all(|bound| (-128..=127).contains(bound));
    if !known || !small || p.act_max < p.act_min {
        return Err(Fault::Record);
    }
    check_types(sig, DType::I8, DType::I8)
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params = call.params::<Params>()?;
    let (a, b, units) = (call.input(0)?, call.input(1)?, call.units.clone());
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [a.ty.dims, b.ty.dims]);
    run(&params, &walk, units, a.elements(), b.elements(), y.elements())
}

/// The elements `range` of the output.
///
/// # Errors
/// A `Record` fault when the kind is another.
pub fn run(
    p: &Params,
    walk: &Walk<2>,
    range: Range<usize>,
    a: &[i8],
    b: &[i8],
    y: &mut [i8],
) -> Result<(), Fault> {
    let [a_scale, b_scale, y_scale] = p.scales;
    let [a_zero, b_zero, y_zero] = p.zeros;
    let real = |x: i8, scale: f32, zero: i32| scale * (i32::from(x) - zero) as f32;
    let a_real = |x: i8| real(x, a_scale, a_zero);
    let b_real = |x: i8| real(x, b_scale, b_zero);
    let store = |value: f32| {
        let rounded = float::round_half_even(value / y_scale) as i64;
        let stored = rounded.saturating_add(i64::from(y_zero));
        stored.clamp(p.act_min.into(), p.act_max.into()) as i8
    };
    match Kind::from_code(p.kind)? {
        Kind::Add => apply(walk, range, a, b, y, |a, b| store(a_real(a) + b_real(b))),
        Kind::Sub => apply(walk, range, a, b, y, |a, b| store(a_real(a) - b_real(b))),
        Kind::Mul => apply(walk, range, a, b, y, |a, b| store(a_real(a) * b_real(b))),
        Kind::Div => apply(walk, range, a, b, y, |a, b| store(a_real(a) / b_real(b))),
        _ => return Err(Fault::Record),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn as_one_after_the_other() {
        let params = Params {
            kind: Kind::Add as u32,
            scales: [0.5, 0.25, 0.5],
            zeros: [1, -2, 3],
            act_min: -128,
            act_max: 100,
        };
        let a = Tensor::i8(&[2, 3], &[1, 2, 3, 127, -128, 0]);
        let b = Tensor::i8(&[3], &[-2, -1, 127]);
        let to = [(DType::I8, &[2, 3][..])];
        let y = run(&I8, &params, &[a.clone(), b.clone()], &to);
        // (0 + 0, 0.5 + 0.25, 1 + 32.25), (63 + 0, -64.5 + 0.25, -0.5 + 32.25), over 0.5, plus 3:
        // 1.5 and -128.5 are halfway.
        assert_eq!(y[0].to_i8(), [3, 5, 69, 100, -125, 67]);
        let quotient = Params { kind: Kind::Div as u32, ..params };
        let y = run(&I8, &quotient, &[a, b], &to);
        assert_eq!(y[0].to_i8(), [3, 7, 3, 100, -128, 3]);
    }
}
