//! 8 bits to 8 bits by a table of 256 bytes: every quantized unary operator.
//!
//! Input 1 is the table, its entry 0 belonging to the byte 0: for a signed input, values from 0 to
//! 127 come first, then those from -128 to -1.

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any two 8-bit types; no record.
pub const B8: Kernel = Kernel::new("table_b8", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[B8];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let (x, table, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if x.dtype.size() != 1 || y.dtype.size() != 1 || table.dtype != y.dtype {
        return Err(Fault::Type);
    }
    if x.dims != y.dims || table.dims != [256] {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(x)?))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let units = call.units.clone();
    let table = call.input(1)?.data.first_chunk().ok_or(Fault::Shape)?;
    let x = call.input(0)?.data.get(units).unwrap_or_default();
    run_b8(table, x, call.output(0)?.data);
    Ok(())
}

/// `y = table[x]`
pub fn run_b8(table: &[u8; 256], x: &[u8], y: &mut [u8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = table[usize::from(x)];
    }
}

/// The table of a function from i8 to i8, in the order in which the kernel reads it.
pub fn table_i8(f: impl Fn(i8) -> i8) -> [u8; 256] {
    core::array::from_fn(|byte| f(byte as u8 as i8) as u8)
}

#[cfg(test)]
mod tests {
    use embarca_num::DType;

    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn every_byte_finds_its_entry() {
        let x: [i8; 256] = core::array::from_fn(|i| (i as i32 - 128) as i8);
        let table = table_i8(|x| x.saturating_neg());
        let inputs = [Tensor::i8(&[256], &x), Tensor::new(DType::I8, &[256], &table)];
        let y = run(&B8, &(), &inputs, &[(DType::I8, &[256])]);
        assert!(y[0].to_i8().iter().zip(x).all(|(y, x)| *y == x.saturating_neg()));
    }
}
