//! The whole tensor again and again along each axis.

use crate::walk::{self, Walk, check_size, moved_size, strides};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any type of 1, 2, 4 or 8 bytes; no record: the dimensions tell how often.
pub const ANY: Kernel = Kernel::new("tile", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    moved_size(x.dtype)?;
    if x.dtype != y.dtype {
        return Err(Fault::Type);
    }
    check_size(x)?;
    let len = check_size(y)?;
    let whole = |(&x, &y): (&u32, &u32)| if x == 0 { y == 0 } else { y % x == 0 };
    if x.dims.len() != y.dims.len() || !x.dims.iter().zip(y.dims).all(whole) {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(len))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    let from = strides(x.ty.dims);
    let loops = x.ty.dims.iter().zip(y.ty.dims).enumerate().flat_map(|(i, (&x, &y))| {
        let times = y.checked_div(x).unwrap_or(0);
        [(times as usize, [0]), (x as usize, [from[i]])]
    });
    walk::copy_bytes(&Walk::new(loops, [0]), units, &x, y)
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn the_tensor_repeats() {
        let x = Tensor::i8(&[2, 2], &[1, 2, 3, 4]);
        let y = run(&ANY, &(), from_ref(&x), &[(DType::I8, &[2, 4])]);
        assert_eq!(y[0].to_i8(), [1, 2, 1, 2, 3, 4, 3, 4]);
        let y = run(&ANY, &(), &[x], &[(DType::I8, &[4, 2])]);
        assert_eq!(y[0].to_i8(), [1, 2, 3, 4, 1, 2, 3, 4]);
    }
}
