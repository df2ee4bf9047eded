//! Elements of one tensor where a condition holds, of another where not; all three broadcast.

use embarca_num::DType;

use crate::walk::{Element, Walk, check_broadcast, moved_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// bool, then two of any type of 1, 2, 4 or 8 bytes; no record. Any byte other than zero is true.
pub const ANY: Kernel = Kernel::new("select", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let (when, a, b, y) = (sig.input(0)?, sig.input(1)?, sig.input(2)?, sig.output(0)?);
    if sig.inputs.len() != 3 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    moved_size(y.dtype)?;
    if when.dtype != DType::Bool || a.dtype != y.dtype || b.dtype != y.dtype {
        return Err(Fault::Type);
    }
    Ok(Needs::split(check_broadcast(&[when, a, b], y)?))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    match moved_size(call.output(0)?.ty.dtype)? {
        1 => call_sized::<u8>(call),
        2 => call_sized::<u16>(call),
        4 => call_sized::<u32>(call),
        _ => call_sized::<u64>(call),
    }
}

fn call_sized<T: Element>(call: &mut Call) -> Result<(), Fault> {
    let (when, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let units = call.units.clone();
    let y = call.output(0)?;
    let walk = Walk::broadcast(y.ty.dims, [when.ty.dims, a.ty.dims, b.ty.dims]);
    let (when, a, b, y) = (when.data, a.elements::<T>(), b.elements::<T>(), y.elements::<T>());
    let (_, [sw, sa, sb]) = walk.inner();
    walk.rows(units, |to, [iw, ia, ib]| {
        let y = &mut y[to];
        if [sw, sa, sb] == [1, 1, 1] {
            let len = y.len();
            let inputs = when[iw..iw + len].iter().zip(&a[ia..ia + len]).zip(&b[ib..ib + len]);
            for (y, ((&when, &a), &b)) in y.iter_mut().zip(inputs) {
                *y = if when != 0 { a } else { b };
            }
            return;
        }
        let at = |start: usize, stride: isize, i: usize| start + i * stride.unsigned_abs();
        for (i, y) in y.iter_mut().enumerate() {
            let (a, b) = (a[at(ia, sa, i)], b[at(ib, sb, i)]);
            *y = if when[at(iw, sw, i)] != 0 { a } else { b };
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn all_three_broadcast() {
        let when = Tensor::new(DType::Bool, &[2, 1], &[1u8, 0]);
        let a = Tensor::i32(&[3], &[1, 2, 3]);
        let b = Tensor::i32(&[], &[9]);
        let y = run(&ANY, &(), &[when, a, b], &[(DType::I32, &[2, 3])]);
        assert_eq!(y[0].to_i32(), [1, 2, 3, 9, 9, 9]);
        let when = Tensor::new(DType::Bool, &[3], &[1u8, 0, 7]);
        let (a, b) = (Tensor::i8(&[3], &[1, 2, 3]), Tensor::i8(&[3], &[4, 5, 6]));
        let y = run(&ANY, &(), &[when, a, b], &[(DType::I8, &[3])]);
        assert_eq!(y[0].to_i8(), [1, 5, 3]);
    }
}
