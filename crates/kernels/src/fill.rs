//! A tensor of one value.

use crate::walk::{check_size, moved_size};
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Input 0 is the one element to repeat, of any type of 1, 2, 4 or 8 bytes; no record. Further
/// inputs (the dimensions as data) are not read.
pub const ANY: Kernel = Kernel::new("fill", check, call);

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
    if x.len()? != 1 {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(y)?))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let value = call.input(0)?.data;
    let y = call.output(0)?;
    if let [byte] = value {
        y.data.fill(*byte);
        return Ok(());
    }
    for y in y.data.chunks_exact_mut(value.len().max(1)) {
        y.copy_from_slice(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn one_value_everywhere() {
        let y = run(&ANY, &(), &[Tensor::i64(&[1], &[7])], &[(DType::I64, &[2, 3])]);
        assert_eq!(y[0].to_i64(), [7; 6]);
    }
}
