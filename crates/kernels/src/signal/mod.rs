//! Audio front ends on integers: the signal operators of TensorFlow Lite Micro (`signal/src`), bit for
//! bit.

mod bank;
mod fft;
mod spectrum;

pub use bank::{
    FILTER_BANK, LOG, PCAN, ParamsLog, ParamsPcan, ParamsSubtraction, ROOT, SUBTRACTION,
};
pub use fft::{ParamsRfft, RFFT};
pub use spectrum::{AUTO_SCALE, ENERGY, ParamsEnergy, ParamsWindow, WINDOW};

use embarca_num::DType;

use crate::{Fault, Kernel, Signature};

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] =
    &[WINDOW, AUTO_SCALE, RFFT, ENERGY, FILTER_BANK, ROOT, SUBTRACTION, PCAN, LOG];

/// Checks the element types of all inputs and outputs, and how many there are.
fn check_types(sig: &Signature, inputs: &[DType], outputs: &[DType]) -> Result<(), Fault> {
    if sig.inputs.len() != inputs.len() || sig.outputs.len() != outputs.len() {
        return Err(Fault::Arity);
    }
    for (index, dtype) in inputs.iter().enumerate() {
        let ty = sig.input(index)?;
        ty.len()?;
        if ty.dtype != *dtype {
            return Err(Fault::Type);
        }
    }
    for (index, dtype) in outputs.iter().enumerate() {
        let ty = sig.output(index)?;
        ty.len()?;
        if ty.dtype != *dtype {
            return Err(Fault::Type);
        }
    }
    Ok(())
}
