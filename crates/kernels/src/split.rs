//! One tensor into several along an axis: the inverse of `concat`.

use crate::concat::{check_parts, row_bytes};
use crate::{Call, Fault, Kernel, Needs, Signature};

pub use crate::concat::Params;

/// Any type of fixed size; any number of outputs; record [`Params`].
pub const ANY: Kernel = Kernel::new("split", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let axis = sig.params::<Params>()?.axis as usize;
    let x = sig.input(0)?;
    if sig.inputs.len() != 1 || sig.outputs.is_empty() {
        return Err(Fault::Arity);
    }
    crate::walk::check_size(x)?;
    check_parts(axis, x, sig.outputs.iter().copied().map(Ok))?;
    Ok(Needs::WHOLE)
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let axis = call.params::<Params>()?.axis as usize;
    let x = call.input(0)?;
    let whole = row_bytes(x.ty, axis);
    let mut at = 0;
    for y in call.outputs.iter_mut() {
        let row = row_bytes(y.ty, axis);
        if row == 0 {
            continue;
        }
        for (x, y) in x.data.chunks_exact(whole).zip(y.data.chunks_exact_mut(row)) {
            y.copy_from_slice(&x[at..at + row]);
        }
        at += row;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, check, run};

    #[test]
    fn parts_come_out_in_order() {
        let x = Tensor::i32(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let to = [(DType::I32, &[2, 1][..]), (DType::I32, &[2, 0][..]), (DType::I32, &[2, 2][..])];
        let y = run(&ANY, &Params { axis: 1 }, from_ref(&x), &to);
        assert_eq!(y[0].to_i32(), [1, 4]);
        assert_eq!(y[2].to_i32(), [2, 3, 5, 6]);
        let result = check(&ANY, &Params { axis: 1 }, &[Some(&x)], &to[..2]);
        assert_eq!(result, Err(Fault::Shape));
    }
}
