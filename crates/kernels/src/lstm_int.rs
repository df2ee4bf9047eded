//! Long short-term memory on integers, as TFLM defines it (`micro/kernels/lstm_eval.h`): 8- or 16-bit
//! activations, 8-bit weights without zero points, a 16-bit cell.
//!
//! Inputs: x `[T, N, I]`, w `[4 * H, I]`, r `[4 * H, H]`, bias `[4 * H]` (i32 with i8 activations, i64
//! with i16), h `[N, H]`, c `[N, H]`; gates in the order input, output, forget, cell. Outputs: y
//! `[T, N, H]`, h, c. Both products of a gate are rescaled to 12 fraction bits, rounded and limited to
//! 16 bits each before they are added.

use embarca_num::DType;
use embarca_num::fixed::{
    Requant, Requant16x8, Steps, logistic_16, saturate_i8, saturate_i16, tanh_16,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::conv2d::i8::dot;
use crate::walk::{Element, check_size};
use crate::{Call, Fault, Kernel, Needs, Signature, Ty};

/// Activations of 8 bits.
pub const I8: Kernel = Kernel::new("lstm_i8", check::<i8>, call::<i8>);

/// Activations of 16 bits.
pub const I16: Kernel = Kernel::new("lstm_i16", check::<i16>, call::<i16>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[I8, I16];

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Zero point of x.
    pub x_zero: i32,
    /// Zero point of h and y.
    pub h_zero: i32,
    /// From products with the input to each gate.
    pub w_factors: [Requant; 4],
    /// From products with the state to each gate.
    pub r_factors: [Requant; 4],
    /// From forget gate times cell to cell.
    pub forget: Requant,
    /// From input gate times new value to cell.
    pub input: Requant,
    /// From output gate times tanh of the cell to h.
    pub output: Requant,
    /// Bound of the stored cell; 0 when there is none.
    pub cell_clip: i32,
    /// [`Steps`] of the cell's tanh: multiplier.
    pub cell_multiplier: i32,
    /// [`Steps`] of the cell's tanh: shift.
    pub cell_shift: u32,
}

impl Params {
    fn check(&self, zeros: core::ops::RangeInclusive<i32>) -> Result<(), Fault> {
        let factors = self.w_factors.iter().chain(&self.r_factors);
        let valid = factors.chain([&self.forget, &self.input, &self.output]).all(|f| f.is_valid());
        let zeros = zeros.contains(&self.x_zero) && zeros.contains(&self.h_zero);
        let clip = (0..=0x7fff).contains(&self.cell_clip);
        if valid && zeros && clip && self.cell_shift < 32 { Ok(()) } else { Err(Fault::Record) }
    }
}

/// What activations of 8 and 16 bits do differently.
pub trait Activation: Element {
    /// Of sums.
    type Bias: Element;
    /// The element type.
    const DTYPE: DType;
    /// The element type of the bias.
    const BIAS: DType;
    /// Zero points that there can be.
    const ZEROS: core::ops::RangeInclusive<i32>;

    /// `bias + sum of (x - zero) * w`, rescaled.
    fn product(x: &[Self], zero: i32, w: &[i8], bias: Option<Self::Bias>, factor: Requant) -> i32;

    /// Limited to the type.
    fn store(value: i32) -> Self;
}

impl Activation for i8 {
    type Bias = i32;
    const DTYPE: DType = DType::I8;
    const BIAS: DType = DType::I32;
    const ZEROS: core::ops::RangeInclusive<i32> = -128..=127;

    fn product(x: &[i8], zero: i32, w: &[i8], bias: Option<i32>, factor: Requant) -> i32 {
        factor.apply(dot(x, zero as i16, w, 0).wrapping_add(bias.unwrap_or(0)))
    }

    fn store(value: i32) -> i8 {
        saturate_i8(value)
    }
}

impl Activation for i16 {
    type Bias = i64;
    const DTYPE: DType = DType::I16;
    const BIAS: DType = DType::I64;
    const ZEROS: core::ops::RangeInclusive<i32> = 0..=0;

    fn product(x: &[i16], _: i32, w: &[i8], bias: Option<i64>, factor: Requant) -> i32 {
        let terms = x.iter().zip(w).map(|(&x, &w)| i64::from(i32::from(x) * i32::from(w)));
        let sum = terms.sum::<i64>().wrapping_add(bias.unwrap_or(0));
        Requant16x8::new(factor).unwrap_or_default().apply(sum)
    }

    fn store(value: i32) -> i16 {
        saturate_i16(value)
    }
}

fn check<T: Activation>(sig: &Signature) -> Result<Needs, Fault> {
    let params: Params = sig.params()?;
    params.check(T::ZEROS)?;
    if sig.inputs.len() != 6 || sig.outputs.len() != 3 {
        return Err(Fault::Arity);
    }
    let (x, r) = (sig.input(0)?, sig.input(2)?);
    let (&[steps, batch, width], &[wide, hidden]) = (x.dims, r.dims) else {
        return Err(Fault::Shape);
    };
    if Some(wide) != hidden.checked_mul(4) {
        return Err(Fault::Shape);
    }
    let fits = |ty: Ty, dtype: DType, dims: &[u32]| {
        check_size(ty)?;
        match ty.dtype == dtype {
            true if ty.dims == dims => Ok(()),
            true => Err(Fault::Shape),
            false => Err(Fault::Type),
        }
    };
    let state = [batch, hidden];
    fits(x, T::DTYPE, x.dims)?;
    fits(sig.input(1)?, DType::I8, &[wide, width])?;
    fits(r, DType::I8, r.dims)?;
    fits(sig.input(3)?, T::BIAS, &[wide])?;
    fits(sig.input(4)?, T::DTYPE, &state)?;
    fits(sig.input(5)?, DType::I16, &state)?;
    fits(sig.output(0)?, T::DTYPE, &[steps, batch, hidden])?;
    fits(sig.output(1)?, T::DTYPE, &state)?;
    fits(sig.output(2)?, DType::I16, &state)?;
    let scratch = (hidden as usize).checked_mul(8).ok_or(Fault::TooLarge)?;
    Ok(Needs { units: 1, scratch })
}

fn call<T: Activation>(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let (x, w, r, bias) = (call.input(0)?, call.input(1)?, call.input(2)?, call.input(3)?);
    let (h0, c0) = (call.input(4)?, call.input(5)?);
    let scratch = <[i16]>::mut_from_bytes(&mut *call.scratch).unwrap_or_default();
    let [y, h, c] = &mut *call.outputs else { return Err(Fault::Arity) };
    let (h, c) = (h.elements::<T>(), c.elements::<i16>());
    h.copy_from_slice(h0.elements());
    c.copy_from_slice(c0.elements());
    let &[_, batch, width] = x.ty.dims else { return Err(Fault::Shape) };
    let &[_, hidden] = r.ty.dims else { return Err(Fault::Shape) };
    let layer = Layer { w: w.elements(), r: r.elements(), bias: bias.elements::<T::Bias>() };
    let sizes = [batch as usize, width as usize, hidden as usize];
    run(&params, sizes, x.elements(), &layer, y.elements(), h, c, scratch);
    Ok(())
}

/// The constants.
#[derive(Clone, Copy, Debug)]
struct Layer<'a, B> {
    w: &'a [i8],
    r: &'a [i8],
    bias: &'a [B],
}

#[allow(clippy::too_many_arguments)]
fn run<T: Activation>(
    params: &Params,
    [batch, width, hidden]: [usize; 3],
    x: &[T],
    layer: &Layer<T::Bias>,
    y: &mut [T],
    h: &mut [T],
    c: &mut [i16],
    gates: &mut [i16],
) {
    if batch * hidden == 0 {
        return;
    }
    let steps = Steps { multiplier: params.cell_multiplier, shift: params.cell_shift };
    for (t, y) in y.chunks_exact_mut(batch * hidden).enumerate() {
        for (n, y) in y.chunks_exact_mut(hidden).enumerate() {
            let x = &x[(t * batch + n) * width..][..width];
            let h = &mut h[n * hidden..][..hidden];
            for (row, gate) in gates.iter_mut().enumerate().take(4 * hidden) {
                let part = row / hidden;
                let w = &layer.w[row * width..][..width];
                let r = &layer.r[row * hidden..][..hidden];
                let bias = layer.bias.get(row).copied();
                let from_x = T::product(x, params.x_zero, w, bias, params.w_factors[part]);
                let from_h = T::product(h, params.h_zero, r, None, params.r_factors[part]);
                let sum = i32::from(saturate_i16(from_x)) + i32::from(saturate_i16(from_h));
                let sum = saturate_i16(sum);
                *gate = if part < 3 {
                    logistic_16(sum, Steps::Q12)
                } else {
                    tanh_16(sum, Steps::Q12)
                };
            }
            let c = &mut c[n * hidden..][..hidden];
            for (k, (c, h)) in c.iter_mut().zip(&mut *h).enumerate() {
                let gate = |part: usize| i32::from(gates[part * hidden + k]);
                let kept = saturate_i16(params.forget.apply(gate(2) * i32::from(*c)));
                let new = saturate_i16(params.input.apply(gate(0) * gate(3)));
                *c = saturate_i16(i32::from(kept) + i32::from(new));
                if 0 < params.cell_clip {
                    let clip = params.cell_clip as i16;
                    *c = (*c).min(clip).max(-clip);
                }
                let squashed = i32::from(tanh_16(*c, steps));
                let product = params.output.apply(squashed * gate(1));
                *h = T::store(product.saturating_add(params.h_zero));
            }
            y.copy_from_slice(h);
        }
    }
}
