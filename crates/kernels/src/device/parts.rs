//! Inner loops of the device steps, with the arithmetic of 16-bit pairs.
//!
//! The portable form defines what they compute. Weights are stored for a core that multiplies two
//! pairs of 16-bit numbers at once: four bytes hold elements `k` and `k + 2` of two output channels
//! as `[c0 k, c1 k, c0 k+2, c1 k+2]`, the next four `k + 1` and `k + 3`.

use embarca_num::fixed::{doubling_high_mul, saturate_i8};

use super::Bytes;

/// A block of positions times all output channels.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// 16-bit inputs of four positions after the other: for each group of 4 elements two words
    /// (elements 0 and 2, 1 and 3) of each of the four positions in turn. Aligned to 4.
    pub inputs: Bytes<'a>,
    /// Scratch for the weights of two channels: 32 bytes, then 16 for each group. Aligned to 4.
    pub unpacked: Bytes<'a>,
    /// Weights of two channels after the other, [`pack::pairs`](super::pack::pairs).
    pub weights: &'a [u8],
    /// For two channels: two biases, then multiplier, addend and shift of each.
    pub params: &'a [u8],
    /// From the first result of the first position on; positions follow each other.
    pub y: Bytes<'a>,
    /// Output channels.
    pub channels: u32,
    /// Positions, at least 1.
    pub positions: u32,
    /// Groups of four elements of a window, at least 1.
    pub groups: u32,
    /// Whether every shift goes right and results below the zero point are cut off afterwards, so
    /// that it does not matter how ties below it are rounded.
    pub rectified: bool,
}

/// Inputs on their way into those of a [`Block`].
#[derive(Clone, Copy, Debug)]
pub struct Widen<'a> {
    /// From the first byte of the first position on.
    pub from: Bytes<'a>,
    /// Bytes between positions.
    pub step: u32,
    /// From the first word of the first four positions on.
    pub to: Bytes<'a>,
    /// Groups of four bytes of a position, at least 1.
    pub groups: u32,
    /// How often four positions, at least once.
    pub tiles: u32,
    /// Bytes between four positions and the next four.
    pub tile: u32,
}

/// One line of outputs of a depthwise 3x3 convolution, for four channels.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    /// For each channel three slots of `pitch` bytes, each a line of 16-bit inputs.
    pub ring: Bytes<'a>,
    /// For each channel the pairs (0, 1) and (1, 2) of each kernel row in the order of the slots.
    pub weights: Bytes<'a>,
    /// For each channel bias, multiplier, addend, shift.
    pub params: &'a [u8],
    /// From the first result of the first channel on.
    pub y: Bytes<'a>,
    /// Bytes between results of a line.
    pub step: u32,
    /// Bytes of a slot.
    pub pitch: u32,
    /// Results of a line.
    pub outputs: u32,
    /// Inputs between results: 1 or 2.
    pub stride: u32,
    /// As in [`Block::rectified`].
    pub rectified: bool,
}

/// A line of inputs of four channels on its way into a ring.
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    /// From the line of the first channel on; the others follow at `pitch`.
    pub to: Bytes<'a>,
    /// Bytes between the lines of two channels.
    pub pitch: u32,
    /// From the first input of the first channel on.
    pub from: Bytes<'a>,
    /// Bytes between inputs.
    pub step: u32,
    /// Inputs.
    pub count: u32,
    /// Whether the first input goes into the high half of the first word.
    pub odd: bool,
}

/// The inner loops.
pub trait Parts {
    /// Widens runs of bytes of positions at equal distances.
    fn widen(widen: &Widen<'_>);
    /// Widens `groups` groups of 4 bytes of one position; `to` begins at its first word.
    fn widen_one(from: Bytes<'_>, to: Bytes<'_>, groups: u32);
    /// Copies `len` bytes between places that do not overlap.
    fn copy(from: Bytes<'_>, to: Bytes<'_>, len: u32);
    /// Computes a block.
    fn block(block: &Block<'_>);
    /// The 3x3 weights of four channels, [`pack::fours`](super::pack::fours), as pairs (0, 1) and
    /// (1, 2) of each row (or column, when `upright`), the three rows twice over.
    fn spread(weights: &[u8], table: Bytes<'_>, upright: bool);
    /// Fills one line of the ring for four channels.
    fn split(split: &Split<'_>);
    /// Computes a line.
    fn lines(lines: &Lines<'_>);
    /// `y = x w`: `k` inputs, four output channels at a time, [`pack::quads`](super::pack::quads);
    /// for four channels four biases, then multiplier, addend and shift of each.
    fn dense(x: Bytes<'_>, weights: &[u8], params: &[u8], y: Bytes<'_>);
}

/// `acc` rescaled, with the zero point inside the addend, saturated to 8 bits.
///
/// The multiplier is stored twice as large, modulo 2^32: a core can then multiply and add the sum
/// itself in one instruction. A positive shift goes right with ties away from zero, others go left
/// before the multiplication.
#[inline(always)]
pub fn rescale(acc: i32, [twice, addend, shift]: [i32; 3]) -> i8 {
    let multiplier = (twice.cast_unsigned() >> 1).cast_signed();
    if 0 < shift {
        let x = doubling_high_mul(acc, multiplier);
        let away = x.wrapping_add(x >> 31).wrapping_add(addend);
        saturate_i8(away >> (shift & 31))
    } else {
        let x = acc.wrapping_shl(shift.wrapping_neg() as u32 & 31);
        saturate_i8(doubling_high_mul(x, multiplier).wrapping_add(addend))
    }
}

/// Brings bytes into `low..=high`.
pub fn clamp(y: Bytes<'_>, [low, high]: [i8; 2]) {
    if (low, high) == (i8::MIN, i8::MAX) {
        return;
    }
    for y in y {
        let value = (y.get() as i8).min(high).max(low);
        y.set(value as u8);
    }
}

/// The loops without any instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

fn word(bytes: &[u8], index: usize) -> i32 {
    let word = bytes.get(index * 4..).and_then(|rest| rest.first_chunk());
    word.map_or(0, |word| i32::from_le_bytes(*word))
}

fn byte(bytes: Bytes<'_>, index: usize) -> i8 {
    bytes.get(index).map_or(0, |byte| byte.get() as i8)
}

fn half(bytes: Bytes<'_>, index: usize) -> i32 {
    match bytes.get(index * 2..) {
        Some([low, high, ..]) => i32::from(i16::from_le_bytes([low.get(), high.get()])),
        _ => 0,
    }
}

fn set_half(bytes: Bytes<'_>, index: usize, value: i8) {
    if let Some([low, high, ..]) = bytes.get(index * 2..) {
        low.set(value as u8);
        high.set((value >> 7) as u8);
    }
}

fn set(bytes: Bytes<'_>, index: usize, value: i8) {
    if let Some(byte) = bytes.get(index) {
        byte.set(value as u8);
    }
}

/// Where element `k` of a position of four stands, in halves.
fn lane(k: usize, position: usize) -> usize {
    ((k / 4 * 2 + k % 2) * 4 + position) * 2 + k % 4 / 2
}

impl Parts for Portable {
    fn widen(widen: &Widen<'_>) {
        for position in 0..4 * widen.tiles as usize {
            let from = widen.from.get(position * widen.step as usize..).unwrap_or_default();
            let to = position / 4 * widen.tile as usize + position % 4 * 4;
            Self::widen_one(from, widen.to.get(to..).unwrap_or_default(), widen.groups);
        }
    }

    fn widen_one(from: Bytes<'_>, to: Bytes<'_>, groups: u32) {
        for k in 0..4 * groups as usize {
            set_half(to, lane(k, 0), byte(from, k));
        }
    }

    fn copy(from: Bytes<'_>, to: Bytes<'_>, len: u32) {
        for (to, from) in to.iter().zip(from).take(len as usize) {
            to.set(from.get());
        }
    }

    fn block(block: &Block<'_>) {
        let (len, channels) = (block.groups as usize * 4, block.channels as usize);
        for channel in 0..channels {
            let (pair, side) = (channel / 2, channel % 2);
            let params = |index| word(block.params, pair * 8 + index);
            let factor = [0, 1, 2].map(|index| params(2 + side * 3 + index));
            for position in 0..block.positions as usize {
                let inputs = position / 4 * len * 4;
                let mut sum = params(side);
                for k in 0..len {
                    let at = pair * len * 2 + k / 4 * 8 + k % 2 * 4 + k % 4 / 2 * 2 + side;
                    let w = block.weights.get(at).map_or(0, |&w| i32::from(w as i8));
                    let x = half(block.inputs, inputs + lane(k, position % 4));
                    sum = sum.wrapping_add(w * x);
                }
                set(block.y, position * channels + channel, rescale(sum, factor));
            }
        }
    }

    fn spread(weights: &[u8], table: Bytes<'_>, upright: bool) {
        let mut words = table.chunks_exact(4);
        for channel in 0..4 {
            for row in [0, 1, 2, 0, 1, 2] {
                let tap = |i: usize| {
                    let place = if upright { i * 3 + row } else { row * 3 + i };
                    weights
                        .get(place * 4 + channel)
                        .map_or(0, |&w| i16::from(w as i8))
                        .to_le_bytes()
                };
                for pair in [[tap(0), tap(1)], [tap(1), tap(2)]] {
                    let Some(word) = words.next() else { return };
                    for (to, from) in word.iter().zip(pair.as_flattened()) {
                        to.set(*from);
                    }
                }
            }
        }
    }

    fn split(split: &Split<'_>) {
        for channel in 0..4 {
            let Some(to) = split.to.get(channel * split.pitch as usize..) else { return };
            for i in 0..split.count as usize {
                let x = byte(split.from, i * split.step as usize + channel);
                set_half(to, i + usize::from(split.odd), x);
            }
        }
    }

    fn lines(lines: &Lines<'_>) {
        let (pitch, stride) = (lines.pitch as usize / 2, lines.stride as usize);
        for channel in 0..4 {
            let param = |index| word(lines.params, channel * 4 + index);
            for output in 0..lines.outputs as usize {
                let mut sum = param(0);
                for row in 0..3 {
                    // With stride 1 the first input of the first output is the second of its slot.
                    let at = (channel * 3 + row) * pitch + output * stride + stride % 2;
                    let weights = channel * 24 + row * 4;
                    for (tap, place) in [0, 1, 3].into_iter().enumerate() {
                        let w = half(lines.weights, weights + place);
                        sum = sum.wrapping_add(w * half(lines.ring, at + tap));
                    }
                }
                let y = rescale(sum, [param(1), param(2), param(3)]);
                set(lines.y, output * lines.step as usize + channel, y);
            }
        }
    }

    fn dense(x: Bytes<'_>, weights: &[u8], params: &[u8], y: Bytes<'_>) {
        let groups = x.len().div_ceil(4);
        for channel in 0..y.len() {
            let (quad, side) = (channel / 4, channel % 4);
            let mut sum = word(params, quad * 16 + side);
            for k in 0..x.len() {
                let at = (quad * groups + k / 4) * 16
                    + k % 2 * 8
                    + side / 2 * 4
                    + k % 4 / 2 * 2
                    + side % 2;
                let w = weights.get(at).map_or(0, |&w| i32::from(w as i8));
                sum = sum.wrapping_add(w * i32::from(byte(x, k)));
            }
            let factor = [0, 1, 2].map(|index| word(params, quad * 16 + 4 + side * 3 + index));
            set(y, channel, rescale(sum, factor));
        }
    }
}
