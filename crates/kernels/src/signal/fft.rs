//! Fourier transform of real 16-bit samples, as KISS FFT computes it with 16-bit numbers
//! (`kiss_fft.c`, `tools/kiss_fftr.c`, `FIXED_POINT` 16): half as many complex numbers by radix 4, a
//! radix 2 last where there are any left, every stage scaled down by its radix, then the two halves
//! are taken apart. The result is the transform over its length.

use embarca_num::DType;
use embarca_num::fixed::round_up_shift_15 as rounded;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::check_types;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Samples `[.., L]`, zeros behind them, to `[.., length + 2]`: real and imaginary parts of length / 2 +
/// 1 numbers. Inputs: samples, `e^(-2 pi i k / M)` `[M, 2]` and `e^(-pi i ((k + 1) / M + 1 / 2))`
/// `[M / 2, 2]` with 15 bits behind the point, M being half the length; record [`ParamsRfft`].
pub const RFFT: Kernel = Kernel::new("signal_rfft_i16", check, call);

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsRfft {
    /// A power of two, from 8 to 16384.
    pub length: u32,
}

/// A complex number.
type Pair = [i16; 2];

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let length = sig.params::<ParamsRfft>()?.length;
    if !length.is_power_of_two() || !(8..=1 << 14).contains(&length) {
        return Err(Fault::Record);
    }
    check_types(sig, &[DType::I16; 3], &[DType::I16])?;
    let (Some((samples, rows)), Some((numbers, y_rows))) =
        (sig.input(0)?.dims.split_last(), sig.output(0)?.dims.split_last())
    else {
        return Err(Fault::Shape);
    };
    let half = length / 2;
    let tables = sig.input(1)?.dims == [half, 2] && sig.input(2)?.dims == [half / 2, 2];
    if !tables || rows != y_rows || length < *samples || *numbers != length + 2 {
        return Err(Fault::Shape);
    }
    let units = crate::element_count(rows)?;
    Ok(Needs { units, scratch: 4 * length as usize })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let half = call.params::<ParamsRfft>()?.length as usize / 2;
    let (x, twiddles, turns) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let samples = x.ty.dims.last().map_or(0, |&dim| dim as usize);
    let (x, twiddles, turns) =
        (x.elements::<i16>(), twiddles.elements::<Pair>(), turns.elements::<Pair>());
    let bytes = call.scratch.get_mut(..8 * half).ok_or(Fault::Record)?;
    let scratch = <[Pair]>::mut_from_bytes(bytes).map_err(|_| Fault::Record)?;
    let (packed, numbers) = scratch.split_at_mut(half);
    let units = call.units.clone();
    let y = call.outputs.first_mut().ok_or(Fault::Arity)?.elements::<i16>();
    for (unit, y) in units.zip(y.chunks_exact_mut(2 * half + 2)) {
        let row = x.get(unit * samples..(unit + 1) * samples).unwrap_or_default();
        packed.as_flattened_mut().fill(0);
        packed.as_flattened_mut()[..row.len()].copy_from_slice(row);
        transform(numbers, packed, twiddles, 0, 1);
        take_apart(numbers, turns, y);
    }
    Ok(())
}

/// `a * b` with `b` of 15 bits behind the point.
fn mul([ar, ai]: Pair, [br, bi]: Pair) -> Pair {
    let product = |a: i16, b: i16| i32::from(a) * i32::from(b);
    [
        rounded(product(ar, br).wrapping_sub(product(ai, bi))),
        rounded(product(ar, bi).wrapping_add(product(ai, br))),
    ]
}

/// Over `by`, as a product with the rounded inverse.
fn over(a: Pair, by: i32) -> Pair {
    a.map(|part| rounded(i32::from(part) * (32767 / by)))
}

fn add(a: Pair, b: Pair) -> Pair {
    [a[0].wrapping_add(b[0]), a[1].wrapping_add(b[1])]
}

fn sub(a: Pair, b: Pair) -> Pair {
    [a[0].wrapping_sub(b[0]), a[1].wrapping_sub(b[1])]
}

/// The transform of every `stride`-th number of `x` from `first` on. The depth is at most 7: each step
/// is a quarter (at last a half) of the one before.
fn transform(y: &mut [Pair], x: &[Pair], twiddles: &[Pair], first: usize, stride: usize) {
    let radix = if y.len().is_multiple_of(4) { 4 } else { 2 };
    let part = y.len() / radix;
    for (k, y) in y.chunks_exact_mut(part.max(1)).enumerate() {
        let first = first + k * stride;
        match y {
            [only] => *only = x[first],
            _ => transform(y, x, twiddles, first, stride * radix),
        }
    }
    for k in 0..part {
        let turned = |y: &[Pair], i: usize| {
            let number = over(y[k + i * part], radix as i32);
            if i == 0 { number } else { mul(number, twiddles[i * k * stride]) }
        };
        let (a, b) = (turned(y, 0), turned(y, 1));
        if radix == 2 {
            (y[k], y[k + part]) = (add(a, b), sub(a, b));
            continue;
        }
        let (c, d) = (turned(y, 2), turned(y, 3));
        let (even, odd) = (add(a, c), sub(a, c));
        let (sum, difference) = (add(b, d), sub(b, d));
        let quarter = [difference[1], difference[0].wrapping_neg()];
        y[k] = add(even, sum);
        y[k + 2 * part] = sub(even, sum);
        y[k + part] = add(odd, quarter);
        y[k + 3 * part] = sub(odd, quarter);
    }
}

/// The transform of the samples from that of pairs of them taken as complex numbers.
fn take_apart(numbers: &[Pair], turns: &[Pair], y: &mut [i16]) {
    let half = numbers.len();
    let [re, im] = over(numbers[0], 2);
    (y[0], y[1]) = (re.wrapping_add(im), 0);
    (y[2 * half], y[2 * half + 1]) = (re.wrapping_sub(im), 0);
    for k in 1..=half / 2 {
        let [re, im] = numbers[half - k];
        let (ahead, back) = (over(numbers[k], 2), over([re, im.wrapping_neg()], 2));
        let (sum, [tr, ti]) = (add(ahead, back), mul(sub(ahead, back), turns[k - 1]));
        let halved = |a: i16, b: i32| ((i32::from(a) + b) >> 1) as i16;
        let [sr, si] = sum;
        (y[2 * k], y[2 * k + 1]) = (halved(sr, tr.into()), halved(si, ti.into()));
        let mirror = 2 * (half - k);
        (y[mirror], y[mirror + 1]) =
            (halved(sr, -i32::from(tr)), halved(ti, -i32::from(si)));
    }
}
