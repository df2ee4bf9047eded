//! `start, start + delta, start + 2 * delta, ...`

use embarca_num::DType;

use crate::{Call, Fault, Kernel, Needs, Signature, Ty};

/// Inputs: start, limit (not read: the output's length tells) and delta, one element each; no
/// record.
pub const F32: Kernel = Kernel::new("range_f32", |sig| check(sig, DType::F32), call_f32);
/// As [`F32`], of i32.
pub const I32: Kernel = Kernel::new("range_i32", |sig| check(sig, DType::I32), call_i32);
/// As [`F32`], of i64.
pub const I64: Kernel = Kernel::new("range_i64", |sig| check(sig, DType::I64), call_i64);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32, I32, I64];

fn check(sig: &Signature, dtype: DType) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let y = sig.output(0)?;
    let inputs = [sig.input(0)?, sig.input(1)?, sig.input(2)?];
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let one = |ty: &Ty| ty.dims.iter().all(|&dim| dim == 1);
    if y.dtype != dtype || inputs.iter().any(|ty| ty.dtype != dtype) {
        return Err(Fault::Type);
    }
    if y.dims.len() != 1 || !inputs.iter().all(one) {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(y.len()?))
}

fn call_f32(call: &mut Call) -> Result<(), Fault> {
    let first = |src: crate::Src| src.elements::<f32>().first().copied().unwrap_or(0.0);
    let (start, delta) = (first(call.input(0)?), first(call.input(2)?));
    let units = call.units.clone();
    for (i, y) in units.zip(call.output(0)?.elements::<f32>()) {
        *y = start + i as f32 * delta;
    }
    Ok(())
}

fn call_i32(call: &mut Call) -> Result<(), Fault> {
    let first = |src: crate::Src| src.elements::<i32>().first().copied().unwrap_or(0);
    let (start, delta) = (first(call.input(0)?), first(call.input(2)?));
    let units = call.units.clone();
    for (i, y) in units.zip(call.output(0)?.elements::<i32>()) {
        *y = start.wrapping_add((i as i32).wrapping_mul(delta));
    }
    Ok(())
}

fn call_i64(call: &mut Call) -> Result<(), Fault> {
    let first = |src: crate::Src| src.elements::<i64>().first().copied().unwrap_or(0);
    let (start, delta) = (first(call.input(0)?), first(call.input(2)?));
    let units = call.units.clone();
    for (i, y) in units.zip(call.output(0)?.elements::<i64>()) {
        *y = start.wrapping_add((i as i64).wrapping_mul(delta));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn steps_up_and_down() {
        let one = |v: i64| Tensor::i64(&[], &[v]);
        let y = run(&I64, &(), &[one(5), one(-4), one(-3)], &[(DType::I64, &[3])]);
        assert_eq!(y[0].to_i64(), [5, 2, -1]);
        let one = |v: f32| Tensor::f32(&[1], &[v]);
        let y = run(&F32, &(), &[one(0.5), one(2.0), one(0.5)], &[(DType::F32, &[3])]);
        assert_eq!(y[0].to_f32(), [0.5, 1.0, 1.5]);
    }
}
