//! A function by a table of 513 points, 128 numbers apart, with straight lines between them: TFLite's
//! 16-bit `LUTLookup` (`kernels/internal/common.h`). Input 1 is the table (i16 `[513]`).

use embarca_num::DType;

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// i16 to i16; no record.
pub const TABLE: Kernel = Kernel::new("table_i16", check, call);

/// Points of a table.
pub const TABLE_LEN: usize = 513;

fn check(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let (x, table, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if sig.inputs.len() != 2 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    check_table(table)?;
    if x.dtype != DType::I16 || y.dtype != DType::I16 {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(x)?))
}

/// Refuses what is no table.
pub(super) fn check_table(table: crate::Ty) -> Result<(), Fault> {
    if table.dtype != DType::I16 {
        return Err(Fault::Type);
    }
    if table.dims == [TABLE_LEN as u32] { Ok(()) } else { Err(Fault::Shape) }
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let table = call.input(1)?.elements::<i16>();
    let table = table.first_chunk().ok_or(Fault::Shape)?;
    crate::clip::map(call, |x: i16| look_up(table, x))
}

/// The table's value at `x`.
pub(super) fn look_up(table: &[i16; TABLE_LEN], x: i16) -> i16 {
    let at = (256 + (i32::from(x) >> 7)) as usize;
    let offset = i32::from(x & 127);
    let (base, next) = (i32::from(table[at]), i32::from(table[at + 1]));
    // The slope wraps in 16 bits.
    let slope = i32::from((next - base) as i16);
    (base + ((slope * offset + 64) >> 7)) as i16
}
