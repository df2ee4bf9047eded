//! What stands in a branch that cannot run: it fails whenever it is reached.

use crate::{Call, Fault, Kernel, Needs, Signature};

/// No inputs, outputs of any types, no record. Always fails with [`Fault::Refused`].
pub const ANY: Kernel = Kernel::new("refuse", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[ANY];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    if !sig.inputs.is_empty() {
        return Err(Fault::Arity);
    }
    for output in sig.outputs {
        output.len()?;
    }
    Ok(Needs::WHOLE)
}

fn call(_: &mut Call) -> Result<(), Fault> {
    Err(Fault::Refused)
}
