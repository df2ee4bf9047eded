//! The same bytes under other dimensions: reshape, squeeze, expand_dims, identity.

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Any type of fixed size to itself; no record.
pub const ANY: Kernel = Kernel::new("copy", check, call);
/// Any type to one of the same size, bit for bit; no record.
pub const BITS: Kernel = Kernel::new("copy_bits", check_bits, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY, BITS];

fn check_bits(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype.size() != y.dtype.size() || x.dtype.size() == 0 {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(x)?))
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != y.dtype || x.dtype.size() == 0 {
        return Err(Fault::Type);
    }
    let len = check_size(x)?;
    if check_size(y)? != len {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(len))
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let units = call.units.clone();
    let x = call.input(0)?;
    let y = call.output(0)?;
    let size = x.ty.dtype.size();
    let part = x.data.get(units.start * size..units.end * size).ok_or(Fault::Shape)?;
    y.data.copy_from_slice(part);
    Ok(())
}
