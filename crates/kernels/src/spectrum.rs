//! Spectra of real samples along the last axis, computed in f64. Split into rows.

use embarca_num::DType;
use embarca_num::float::{double, fourier};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32 `[.., L]`, zeros behind them, to f32 `[.., length / 2 + 1]`. Inputs: samples and `e^(-2 pi i k /
/// length)`, f64 `[length, 2]`; record [`Params`].
pub const F32: Kernel = Kernel::new("spectrum_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The longest transform.
pub const MAX_LENGTH: u32 = 1 << 14;

/// The largest odd factor of a length: that part is summed, which takes its square.
pub const MAX_ODD: u32 = 1 << 10;

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The length of the transform, at most [`MAX_LENGTH`], its largest odd factor at most [`MAX_ODD`].
    pub length: u32,
    /// 1 for magnitudes, 2 for their squares.
    pub power: u32,
}

/// Whether a transform of this length is computed.
pub fn fits(length: u32) -> bool {
    let odd = length.checked_shr(length.trailing_zeros()).unwrap_or(0);
    0 < odd && odd <= MAX_ODD && length <= MAX_LENGTH
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { length, power } = sig.params()?;
    if !fits(length) || !matches!(power, 1 | 2) {
        return Err(Fault::Record);
    }
    if sig.inputs.len() != 2 || sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    let (x, turns, y) = (sig.input(0)?, sig.input(1)?, sig.output(0)?);
    if x.dtype != DType::F32 || turns.dtype != DType::F64 || y.dtype != DType::F32 {
        return Err(Fault::Type);
    }
    let (Some((samples, rows)), Some((bins, y_rows))) =
        (x.dims.split_last(), y.dims.split_last())
    else {
        return Err(Fault::Shape);
    };
    let fits = *samples <= length && *bins == length / 2 + 1 && turns.dims == [length, 2];
    if !fits || rows != y_rows {
        return Err(Fault::Shape);
    }
    x.len()?;
    y.len()?;
    Ok(Needs { units: crate::element_count(rows)?, scratch: 16 * length as usize })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { length, power } = call.params()?;
    let (x, turns) = (call.input(0)?, call.input(1)?);
    let samples = x.ty.dims.last().map_or(0, |&dim| dim as usize);
    let (x, turns) = (x.elements::<f32>(), turns.elements::<fourier::Complex>());
    let bytes = call.scratch.get_mut(..16 * length as usize).ok_or(Fault::Record)?;
    let numbers = <[fourier::Complex]>::mut_from_bytes(bytes).map_err(|_| Fault::Record)?;
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?.elements::<f32>();
    let bins = length as usize / 2 + 1;
    for (unit, y) in units.zip(y.chunks_exact_mut(bins)) {
        let row = x.get(unit * samples..(unit + 1) * samples).unwrap_or_default();
        fourier::transform(numbers, row, turns, 0, 1);
        for (y, [re, im]) in y.iter_mut().zip(&*numbers) {
            let square = re * re + im * im;
            *y = if power == 2 { square as f32 } else { double::sqrt(square) as f32 };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn four_samples() {
        let x = Tensor::f32(&[2, 3], &[1.0, 2.0, 3.0, 0.0, -1.0, 0.0]);
        let turns = Tensor::new(
            DType::F64,
            &[4, 2],
            &[1.0f64, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 1.0],
        );
        let inputs = [x, turns];
        let squares = Params { length: 4, power: 2 };
        let y = run(&F32, &squares, &inputs, &[(DType::F32, &[2, 3])]);
        assert_eq!(y[0].to_f32(), [36.0, 8.0, 4.0, 1.0, 1.0, 1.0]);
        let magnitudes = Params { length: 4, power: 1 };
        let y = run(&F32, &magnitudes, &inputs, &[(DType::F32, &[2, 3])]);
        assert_eq!(y[0].to_f32(), [6.0, 8f32.sqrt(), 2.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn lengths() {
        for (length, fit) in
            [(0, false), (1, true), (400, true), (1 << 14, true), (1 << 15, false), (2047, false)]
        {
            assert_eq!(fits(length), fit, "{length}");
        }
    }
}
