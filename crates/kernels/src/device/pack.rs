//! Arrangements of weights for the device steps, made when a plan is built.

/// Bytes of [`pairs`] for `rows` kernel rows of `row` bytes and `channels` outputs.
pub const fn pairs_len(rows: usize, row: usize, channels: usize) -> usize {
    rows * row.next_multiple_of(4) * channels.next_multiple_of(2)
}

/// Weights `[channels][rows][row]` for [`super::conv()`]: channels in pairs, each kernel row padded
/// with zeros to a multiple of four; `[c0 k, c1 k, c0 k+2, c1 k+2]`, then `k + 1` and `k + 3`.
pub fn pairs(weights: &[i8], rows: usize, row: usize, channels: usize, out: &mut [i8]) {
    let padded = row.next_multiple_of(4);
    out.fill(0);
    for (index, &w) in weights.iter().enumerate() {
        let (channel, ky, i) = (index / (rows * row), index / row % rows, index % row);
        let k = ky * padded + i;
        let (pair, side) = (channel / 2, channel % 2);
        let at = pair * rows * padded * 2 + k / 4 * 8 + k % 2 * 4 + k % 4 / 2 * 2 + side;
        if let (Some(out), true) = (out.get_mut(at), channel < channels) {
            *out = w;
        }
    }
}

/// Bytes of [`quads`].
pub const fn quads_len(inputs: usize, outputs: usize) -> usize {
    inputs.next_multiple_of(4) * outputs.next_multiple_of(4)
}

/// Weights `[outputs][inputs]` for [`super::dense()`]: outputs in fours; for each group of four
/// inputs elements 0 and 2 of outputs 0 and 1, then of 2 and 3, then elements 1 and 3 likewise. Two
/// outputs share 16 bits: 256 times the second plus the first.
///
/// Whether they fit: -128 beside a negative first does not.
pub fn quads(weights: &[i8], inputs: usize, out: &mut [i8]) -> bool {
    let groups = inputs.div_ceil(4);
    let outputs = weights.len() / inputs.max(1);
    let weight = |output: usize, k: usize| {
        let inside = output < outputs && k < inputs;
        if inside { weights.get(output * inputs + k).copied().unwrap_or(0) } else { 0 }
    };
    let mut fits = true;
    for (index, pair) in out.chunks_exact_mut(2).enumerate() {
        let (quad, group) = (index / 8 / groups.max(1), index / 8 % groups.max(1));
        let (odd, second, half) = (index % 8 / 4, index % 4 / 2, index % 2);
        let (output, k) = (quad * 4 + second * 2, group * 4 + odd + half * 2);
        let both = i32::from(weight(output + 1, k)) * 256 + i32::from(weight(output, k));
        fits &= i16::try_from(both).is_ok();
        pair.iter_mut().zip((both as i16).to_le_bytes()).for_each(|(to, b)| *to = b as i8);
    }
    fits
}

/// Weights `[3][3][channels]` for [`super::depthwise()`]: the nine taps of four channels together.
pub fn fours(weights: &[i8], channels: usize, out: &mut [i8]) {
    for (index, &w) in weights.iter().enumerate() {
        let (tap, channel) = (index / channels.max(1), index % channels.max(1));
        if let Some(out) = out.get_mut(channel / 4 * 36 + tap * 4 + channel % 4) {
            *out = w;
        }
    }
}
