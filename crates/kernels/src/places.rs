//! Where a condition holds: the places of the true elements, one after the other.

use embarca_num::DType;

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// bool `[n]`. Outputs: places `[n]` (i64), zero behind those that there are; how many there are `[]`
/// (i64). No record.
pub const BOOL: Kernel = Kernel::new("places_bool", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[BOOL];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let x = sig.input(0)?;
    let [places, count] = *sig.outputs else { return Err(Fault::Arity) };
    if sig.inputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if [x.dtype, places.dtype, count.dtype] != [DType::Bool, DType::I64, DType::I64] {
        return Err(Fault::Type);
    }
    if x.dims.len() != 1 || x.dims != places.dims || !count.dims.is_empty() {
        return Err(Fault::Shape);
    }
    check_size(places)?;
    Ok(Needs::WHOLE)
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let x = call.input(0)?.elements::<u8>();
    let [places, count] = &mut *call.outputs else { return Err(Fault::Arity) };
    let places = places.elements::<i64>();
    let mut found = 0;
    for (place, _) in x.iter().enumerate().filter(|(_, holds)| **holds != 0) {
        places[found] = place as i64;
        found += 1;
    }
    places[found..].fill(0);
    count.elements::<i64>().fill(found as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use core::slice::from_ref;

    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn true_elements_in_order() {
        let x = Tensor::new(DType::Bool, &[5], &[0u8, 1, 0, 1, 1]);
        let y = run(&BOOL, &(), from_ref(&x), &[(DType::I64, &[5]), (DType::I64, &[])]);
        assert_eq!(y[0].to_i64(), [1, 3, 4, 0, 0]);
        assert_eq!(y[1].to_i64(), [3]);
    }
}
