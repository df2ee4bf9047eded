//! Arrangements of weights for the Helium steps, made when a plan is built.

/// Bytes of the parameters of four channels: biases and multipliers, four words each, and shifts,
/// four bytes.
pub const BLOCK_PARAMS: usize = 36;

/// Bytes of the parameters of 16 channels of [`columns`], likewise.
pub const COLUMN_PARAMS: usize = 144;

/// Bytes between the inputs of a line: eight lanes of 16-bit offsets reach them.
pub const MOST_STEP: u32 = 9362;

/// Bytes of [`matrix`].
pub const fn matrix_len(len: usize, channels: usize) -> usize {
    len.next_multiple_of(16) * channels.next_multiple_of(4)
}

/// Where element `k` of a channel stands, for windows of `len` elements, a multiple of 16.
///
/// Channels come in fours. Groups of 16 elements of channels 0 and 2 take turns from the first group
/// to the last, then those of channels 1 and 3 from the last to the first: a loop reads the window
/// forth and back.
pub const fn matrix_place(channel: usize, k: usize, len: usize) -> usize {
    let (block, lane) = (channel / 4, channel % 4);
    let (group, groups) = (k / 16, len / 16);
    let turn = if lane % 2 == 0 { group } else { groups + (groups - 1 - group % groups) };
    block * 4 * len + (turn * 2 + lane / 2) * 16 + k % 16
}

/// Weights `[channels][len]` for [`Matrix`](super::Matrix); zeros fill windows and channels up.
pub fn matrix(weights: &[i8], len: usize, out: &mut [i8]) {
    let padded = len.next_multiple_of(16);
    out.fill(0);
    for (index, &w) in weights.iter().enumerate() {
        let (channel, k) = (index / len.max(1), index % len.max(1));
        if let Some(out) = out.get_mut(matrix_place(channel, k, padded)) {
            *out = w;
        }
    }
}

/// The lane of a channel of [`Columns`](super::Columns): widening twice takes every other lane.
pub const fn column_lane(channel: usize) -> usize {
    [0, 2, 1, 3][channel % 4] * 4 + channel / 4 % 4
}

/// Weights `[taps][channels]` for [`Columns`](super::Columns): 16 channels together, filled up with
/// zeros.
pub fn columns(weights: &[i8], taps: usize, channels: usize, out: &mut [i8]) {
    out.fill(0);
    for (index, &w) in weights.iter().enumerate() {
        let (tap, channel) = (index / channels.max(1), index % channels.max(1));
        if let Some(out) = out.get_mut((channel / 16 * taps + tap) * 16 + channel % 16) {
            *out = w;
        }
    }
}

/// Writes the parameters of `lanes` channels: `[bias, multiplier, shift]` of lane `i` is `of(i)`.
pub fn params(lanes: usize, of: impl Fn(usize) -> [i32; 3], out: &mut [u8]) {
    for lane in 0..lanes {
        let [bias, multiplier, shift] = of(lane);
        for (at, value) in [(lane, bias), (lanes + lane, multiplier)] {
            if let Some(out) = out.get_mut(at * 4..).and_then(|rest| rest.first_chunk_mut()) {
                *out = value.to_le_bytes();
            }
        }
        if let Some(out) = out.get_mut(lanes * 8 + lane) {
            *out = shift as u8;
        }
    }
}
