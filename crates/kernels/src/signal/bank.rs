//! From energies to the logarithms of a filter bank's channels.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::check_types;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// Channels (u64 `[C]`) of overlapping triangles over energies (u32 `[K]`). Inputs: energies, rising
/// and falling weights (i16 `[W]`), then for each of C + 1 triangles (i16) its first energy, its first
/// weight and its width; no record.
pub const FILTER_BANK: Kernel = Kernel::new("signal_filter_bank", check_bank, call_bank);
/// Square roots (u32 `[C]`) of channels (u64 `[C]`), shifted down by input 1 (i32 `[]`); no record.
pub const ROOT: Kernel = Kernel::new("signal_root", check_root, call_root);
/// Less a running estimate of the noise. Inputs and outputs: channels, estimate (u32 `[C]`); record
/// [`ParamsSubtraction`].
pub const SUBTRACTION: Kernel =
    Kernel::new("signal_subtraction", check_subtraction, call_subtraction);
/// Automatic gain by the noise. Inputs: channels, estimate (u32 `[C]`), table (i16 `[125]`); record
/// [`ParamsPcan`].
pub const PCAN: Kernel = Kernel::new("signal_pcan", check_pcan, call_pcan);
/// Natural logarithms (i16 `[C]`) of channels (u32 `[C]`); record [`ParamsLog`].
pub const LOG: Kernel = Kernel::new("signal_log", check_log, call_log);

/// The record. Smoothing factors have `bits` bits behind the point.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsSubtraction {
    /// The share of the signal in the estimate of even channels.
    pub smoothing: u32,
    /// The share of the estimate itself.
    pub one_minus_smoothing: u32,
    /// The same for odd channels.
    pub alternate_smoothing: u32,
    /// The same for odd channels.
    pub alternate_one_minus_smoothing: u32,
    /// Bits by which the estimate is finer than the signal, at most 31.
    pub smoothing_bits: u32,
    /// The share of the signal that always stays.
    pub min_signal_remaining: u32,
    /// At most 63.
    pub bits: u32,
    /// 1 when the estimate is limited to the signal.
    pub clamping: u32,
}

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsPcan {
    /// Bits that the product with the gain is shifted down by, at most 63.
    pub snr_shift: u32,
}

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamsLog {
    /// Multiplies the logarithm.
    pub scale: u32,
    /// Bits that the channels are shifted up by first, at most 31.
    pub correction_bits: u32,
}

fn check_bank(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    let mut types = [DType::I16; 6];
    types[0] = DType::U32;
    check_types(sig, &types, &[DType::U64])?;
    let (&[_], &[channels]) = (sig.input(0)?.dims, sig.output(0)?.dims) else {
        return Err(Fault::Shape);
    };
    let triangles = channels.checked_add(1).ok_or(Fault::TooLarge)?;
    if sig.input(1)?.dims.len() != 1 || sig.input(1)?.dims != sig.input(2)?.dims {
        return Err(Fault::Shape);
    }
    for index in 3..6 {
        if sig.input(index)?.dims != [triangles] {
            return Err(Fault::Shape);
        }
    }
    Ok(Needs::WHOLE)
}

fn call_bank(call: &mut Call) -> Result<(), Fault> {
    let x = call.input(0)?.elements::<u32>();
    let mut tables = [&[][..]; 5];
    for (index, table) in tables.iter_mut().enumerate() {
        *table = call.input(1 + index)?.elements::<i16>();
    }
    let [rising, falling, starts, firsts, widths] = tables;
    let y = call.output(0)?.elements::<u64>();
    let mut carried = 0u64;
    for (i, ((&start, &first), &width)) in starts.iter().zip(firsts).zip(widths).enumerate() {
        let place = |at: i16| usize::try_from(at).map_err(|_| Fault::Index);
        let width = usize::try_from(width).unwrap_or(0);
        let (start, first) = (place(start)?, place(first)?);
        let x = x.get(start..start + width).ok_or(Fault::Index)?;
        let up = rising.get(first..first + width).ok_or(Fault::Index)?;
        let down = falling.get(first..first + width).ok_or(Fault::Index)?;
        let weighed = |sum: u64, (&w, &x): (&i16, &u32)| {
            sum.wrapping_add((i64::from(w) as u64).wrapping_mul(x.into()))
        };
        let sum = up.iter().zip(x).fold(carried, weighed);
        carried = down.iter().zip(x).fold(0, weighed);
        // The first triangle only rises into the first channel.
        if let Some(y) = i.checked_sub(1).and_then(|i| y.get_mut(i)) {
            *y = sum;
        }
    }
    Ok(())
}

fn check_root(sig: &Signature) -> Result<Needs, Fault> {
    sig.params::<()>()?;
    check_types(sig, &[DType::U64, DType::I32], &[DType::U32])?;
    if sig.input(0)?.dims != sig.output(0)?.dims || sig.input(1)?.len()? != 1 {
        return Err(Fault::Shape);
    }
    Ok(Needs::WHOLE)
}

fn call_root(call: &mut Call) -> Result<(), Fault> {
    let x = call.input(0)?.elements::<u64>();
    let bits = call.input(1)?.elements::<i32>().first().copied().unwrap_or(0);
    for (y, &x) in call.output(0)?.elements::<u32>().iter_mut().zip(x) {
        *y = root(x).wrapping_shr(bits as u32);
    }
    Ok(())
}

/// The nearest square root, except that the largest of its width is not rounded up.
fn root(x: u64) -> u32 {
    let low = x.isqrt();
    let full = if x >> 32 == 0 { 0xffff } else { 0xffff_ffff };
    let up = low < x - low * low && low != full;
    (low + u64::from(up)) as u32
}

fn check_subtraction(sig: &Signature) -> Result<Needs, Fault> {
    let p: ParamsSubtraction = sig.params()?;
    if 31 < p.smoothing_bits || 63 < p.bits || 1 < p.clamping {
        return Err(Fault::Record);
    }
    check_types(sig, &[DType::U32; 2], &[DType::U32; 2])?;
    same_vectors(sig, 2)
}

/// All outputs and the first `inputs` inputs are vectors of one length.
fn same_vectors(sig: &Signature, inputs: usize) -> Result<Needs, Fault> {
    let dims = sig.output(0)?.dims;
    let same = sig.outputs.iter().all(|y| y.dims == dims)
        && sig.inputs.iter().take(inputs).flatten().all(|x| x.dims == dims);
    if same && dims.len() == 1 { Ok(Needs::WHOLE) } else { Err(Fault::Shape) }
}

fn call_subtraction(call: &mut Call) -> Result<(), Fault> {
    let p: ParamsSubtraction = call.params()?;
    let (x, before) = (call.input(0)?.elements::<u32>(), call.input(1)?.elements::<u32>());
    let [y, noise] = &mut *call.outputs else { return Err(Fault::Arity) };
    let results = y.elements::<u32>().iter_mut().zip(noise.elements::<u32>());
    for (i, ((y, noise), (&x, &before))) in results.zip(x.iter().zip(before)).enumerate() {
        let (share, rest) = match i % 2 {
            0 => (p.smoothing, p.one_minus_smoothing),
            _ => (p.alternate_smoothing, p.alternate_one_minus_smoothing),
        };
        let signal = x << p.smoothing_bits;
        let (new, old) = (u64::from(signal) * u64::from(share), u64::from(before) * u64::from(rest));
        *noise = (new.wrapping_add(old) >> p.bits) as u32;
        let estimate = (*noise).min(signal);
        if p.clamping == 1 {
            *noise = estimate;
        }
        let floor = ((u64::from(x) * u64::from(p.min_signal_remaining)) >> p.bits) as u32;
        *y = ((signal - estimate) >> p.smoothing_bits).max(floor);
    }
    Ok(())
}

fn check_pcan(sig: &Signature) -> Result<Needs, Fault> {
    if 63 < sig.params::<ParamsPcan>()?.snr_shift {
        return Err(Fault::Record);
    }
    check_types(sig, &[DType::U32, DType::U32, DType::I16], &[DType::U32])?;
    if sig.input(2)?.dims != [GAINS as u32] {
        return Err(Fault::Shape);
    }
    same_vectors(sig, 2)
}

/// Entries of the table of gains.
const GAINS: usize = 125;

fn call_pcan(call: &mut Call) -> Result<(), Fault> {
    let shift = call.params::<ParamsPcan>()?.snr_shift;
    let (x, noise) = (call.input(0)?.elements::<u32>(), call.input(1)?.elements::<u32>());
    let table = call.input(2)?.elements::<i16>().first_chunk().ok_or(Fault::Shape)?;
    let y = call.output(0)?.elements::<u32>();
    for (y, (&x, &noise)) in y.iter_mut().zip(x.iter().zip(noise)) {
        let ratio = u64::from(x).wrapping_mul(i64::from(gain(table, noise)) as u32 as u64);
        *y = shrink((ratio >> shift) as u32);
    }
    Ok(())
}

/// A quadratic between two powers of two (`WideDynamicFunction`).
fn gain(table: &[i16; GAINS], x: u32) -> i16 {
    if x <= 2 {
        return table[x as usize];
    }
    let bits = 32 - x.leading_zeros();
    let fraction = if bits < 11 { x << (11 - bits) } else { x >> (bits - 11) };
    let fraction = (fraction & 0x3ff) as i32;
    let [base, slope, bend] = [0, 1, 2].map(|i| i32::from(table[4 * bits as usize - 6 + i]));
    let y = ((bend * fraction) >> 5).wrapping_add(slope << 5).wrapping_mul(fraction);
    ((y.wrapping_add(1 << 14) >> 15) + base) as i16
}

/// A square below 2, a line above it: 12 bits behind the point come in, 6 go out.
fn shrink(x: u32) -> u32 {
    if x < 2 << 12 { (x * x) >> 20 } else { (x >> 6) - (1 << 6) }
}

fn check_log(sig: &Signature) -> Result<Needs, Fault> {
    if 31 < sig.params::<ParamsLog>()?.correction_bits {
        return Err(Fault::Record);
    }
    check_types(sig, &[DType::U32], &[DType::I16])?;
    same_vectors(sig, 1)
}

fn call_log(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<ParamsLog>()?;
    let x = call.input(0)?.elements::<u32>();
    for (y, &x) in call.output(0)?.elements::<i16>().iter_mut().zip(x) {
        let x = x << p.correction_bits;
        *y = if 1 < x { log(x, p.scale).min(32767) as i16 } else { 0 };
    }
    Ok(())
}

/// `65536 * (log2(1 + i / 128) - i / 128)`, to the last unit of TFLM's table.
const LOG2: [u16; 130] = [
    0, 224, 442, 654, 861, 1063, 1259, 1450, 1636, 1817, 1992, 2163, 2329, 2490, 2646, 2797, 2944,
    3087, 3224, 3358, 3487, 3611, 3732, 3848, 3960, 4068, 4172, 4272, 4368, 4460, 4549, 4633, 4714,
    4791, 4864, 4934, 5001, 5063, 5123, 5178, 5231, 5280, 5326, 5368, 5408, 5444, 5477, 5507, 5533,
    5557, 5578, 5595, 5610, 5622, 5631, 5637, 5640, 5641, 5638, 5633, 5626, 5615, 5602, 5586, 5568,
    5547, 5524, 5498, 5470, 5439, 5406, 5370, 5332, 5291, 5249, 5203, 5156, 5106, 5054, 5000, 4944,
    4885, 4825, 4762, 4697, 4630, 4561, 4490, 4416, 4341, 4264, 4184, 4103, 4020, 3935, 3848, 3759,
    3668, 3575, 3481, 3384, 3286, 3186, 3084, 2981, 2875, 2768, 2659, 2549, 2437, 2323, 2207, 2090,
    1971, 1851, 1729, 1605, 1480, 1353, 1224, 1094, 963, 830, 695, 559, 421, 282, 142, 0, 0,
];

/// `scale * ln x`, by straight lines between 128 points of log2.
fn log(x: u32, scale: u32) -> u32 {
    /// `65536 * ln 2`
    const LN_2: u64 = 45_426;
    let whole = 31 - x.leading_zeros();
    let rest = x - (1 << whole);
    let fraction = if whole < 16 { rest << (16 - whole) } else { rest >> (whole - 16) };
    let segment = (fraction >> 9) as usize;
    let (a, b) = (i32::from(LOG2[segment]), i32::from(LOG2[segment + 1]));
    let along = (fraction & 0x1ff) as i32;
    let fraction = fraction.wrapping_add_signed(a + (((b - a) * along) >> 16));
    let log2 = (whole << 16).wrapping_add(fraction);
    let ln = ((LN_2 * u64::from(log2) + 32_768) >> 16) as u32;
    scale.wrapping_mul(ln).wrapping_add(32_768) >> 16
}
