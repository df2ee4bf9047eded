//! Repetition along axes of one element, as in NumPy's `broadcast_to`.

use crate::walk::{self, Walk, check_broadcast, moved_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any type of 1, 2, 4 or 8 bytes; no record.
pub const ANY: Kernel = Kernel::new("expand", check, call);

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
    // The output may have any dimension where the input has 1.
    let missing = y.dims.len().checked_sub(x.dims.len()).ok_or(Fault::Shape)?;
    let fits = x.dims.iter().zip(&y.dims[missing..]).all(|(&x, &y)| x == y || x == 1);
    if !fits {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_broadcast(&[x, y], y)?))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let x = call.input(0)?;
    let units = call.units.clone();
    let y = call.output(0)?;
    walk::copy_bytes(&Walk::broadcast(y.ty.dims, [x.ty.dims]), units, &x, y)
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, check, run};

    #[test]
    fn ones_repeat() {
        let x = Tensor::i32(&[2, 1], &[1, 2]);
        let y = run(&ANY, &(), from_ref(&x), &[(DType::I32, &[2, 2, 3])]);
        assert_eq!(y[0].to_i32(), [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2]);
        let result = check(&ANY, &(), &[Some(&x)], &[(DType::I32, &[3, 3])]);
        assert_eq!(result, Err(Fault::Shape));
    }
}
