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

/// Lines of outputs of a depthwise 3x3 convolution, for four channels.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    /// Lines of 16-bit inputs, channel after channel, from the first line that is read on. Aligned
    /// to 4.
    pub planes: Bytes<'a>,
    /// Bytes between channels.
    pub plane: u32,
    /// Bytes between lines.
    pub pitch: u32,
    /// As [`Parts::spread`] makes it.
    pub table: Bytes<'a>,
    /// From the first result of the first channel on.
    pub y: Bytes<'a>,
    /// Bytes between results of a line.
    pub step: u32,
    /// Bytes between lines of results.
    pub line: u32,
    /// Results of a line.
    pub outputs: u32,
    /// Lines of results.
    pub lines: u32,
    /// Inputs between results: 1 or 2.
    pub stride: u32,
    /// As in [`Block::rectified`].
    pub rectified: bool,
}

/// Lines of inputs of four channels on their way into planes.
#[derive(Clone, Copy, Debug)]
pub struct Split<'a> {
    /// From the first line of the first channel on.
    pub to: Bytes<'a>,
    /// Bytes between channels there.
    pub plane: u32,
    /// Bytes between lines there.
    pub pitch: u32,
    /// From the first input of the first channel on.
    pub from: Bytes<'a>,
    /// Bytes between inputs.
    pub step: u32,
    /// Bytes between lines of inputs.
    pub line: u32,
    /// Inputs of a line.
    pub count: u32,
    /// Lines.
    pub lines: u32,
    /// Whether the first input goes into the high half of the first word.
    pub odd: bool,
}

/// A vector times a matrix.
#[derive(Clone, Copy, Debug)]
pub struct Vector<'a> {
    /// From the first input on, in whole groups of four.
    pub x: Bytes<'a>,
    /// [`pack::quads`](super::pack::quads).
    pub weights: &'a [u8],
    /// For four outputs: the bias of output 0, 256 times that of output 1 plus that of output 0, the
    /// same of 2 and 3. Unless there is a common factor, multiplier, addend and shift of each follow.
    pub params: &'a [u8],
    /// From the first output on.
    pub y: Bytes<'a>,
    /// Inputs, at least 1.
    pub inputs: u32,
    /// Outputs, at least 1.
    pub outputs: u32,
    /// Multiplier, addend and shift of all outputs.
    pub factor: Option<&'a [i32; 3]>,
    /// As in [`Block::rectified`]; only with a common factor.
    pub rectified: bool,
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
    /// Of four channels, 40 bytes each: the 3x3 weights, [`pack::fours`](super::pack::fours), as pairs
    /// (0, 1) and (1, 2) of each row (or column, when `upright`), bias, multiplier, addend, shift.
    fn spread(weights: &[u8], params: &[u8], table: Bytes<'_>, upright: bool);
    /// Fills lines of planes.
    fn split(split: &Split<'_>);
    /// Computes lines.
    fn planes(planes: &Planes<'_>);
    /// Computes a vector times a matrix.
    fn dense(vector: &Vector<'_>);
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

    fn spread(weights: &[u8], params: &[u8], table: Bytes<'_>, upright: bool) {
        for channel in 0..4 {
            let to = table.get(channel * 40..).unwrap_or_default();
            for (index, tap) in [0, 1, 1, 2].into_iter().cycle().take(12).enumerate() {
                let row = index / 4;
                let place = if upright { tap * 3 + row } else { row * 3 + tap };
                let w = weights.get(place * 4 + channel).map_or(0, |&w| w as i8);
                set_half(to, index, w);
            }
            let params = params.get(channel * 16..).unwrap_or_default();
            let to = to.get(24..).unwrap_or_default();
            to.iter().zip(params).take(16).for_each(|(to, &from)| to.set(from));
        }
    }

    fn split(split: &Split<'_>) {
        for line in 0..split.lines as usize {
            for channel in 0..4 {
                let to = channel * split.plane as usize + line * split.pitch as usize;
                let Some(to) = split.to.get(to..) else { return };
                for i in 0..split.count as usize {
                    let from = line * split.line as usize + i * split.step as usize + channel;
                    set_half(to, i + usize::from(split.odd), byte(split.from, from));
                }
            }
        }
    }

    fn planes(planes: &Planes<'_>) {
        let stride = planes.stride as usize;
        for channel in 0..4 {
            let table = planes.table.get(channel * 40..).unwrap_or_default();
            let param = |index: usize| {
                let (low, high) = (half(table, 12 + index * 2), half(table, 13 + index * 2));
                high << 16 | low & 0xffff
            };
            for line in 0..planes.lines as usize {
                for output in 0..planes.outputs as usize {
                    let mut sum = param(0);
                    for row in 0..3 {
                        let slot = (line * stride + row) * planes.pitch as usize;
                        let slot = (channel * planes.plane as usize + slot) / 2;
                        // With stride 1 the first input of the first output is the second of its line.
                        let at = slot + output * stride + stride % 2;
                        for (tap, place) in [0, 1, 3].into_iter().enumerate() {
                            let w = half(table, row * 4 + place);
                            sum = sum.wrapping_add(w * half(planes.planes, at + tap));
                        }
                    }
                    let y = rescale(sum, [param(1), param(2), param(3)]);
                    let at = line * planes.line as usize + output * planes.step as usize + channel;
                    set(planes.y, at, y);
                }
            }
        }
    }

    fn dense(vector: &Vector<'_>) {
        let groups = vector.inputs.div_ceil(4) as usize;
        let words = if vector.factor.is_some() { 4 } else { 16 };
        for channel in 0..vector.outputs as usize {
            let (quad, side) = (channel / 4, channel % 4);
            let param = |index: usize| word(vector.params, quad * words + index);
            // The second of two outputs shares its 16 bits with the first.
            let first = param(side / 2 * 2);
            let mut sum = match side % 2 {
                0 => first,
                _ => param(side).wrapping_sub(first) >> 8,
            };
            for k in 0..vector.inputs as usize {
                let at = (quad * groups + k / 4) * 16 + k % 2 * 8 + side / 2 * 4 + k % 4 / 2 * 2;
                let both = match vector.weights.get(at..) {
                    Some([low, high, ..]) => i16::from_le_bytes([*low, *high]),
                    _ => 0,
                };
                let low = i32::from(both as i8);
                let w = if side % 2 == 0 { low } else { (i32::from(both) - low) >> 8 };
                sum = sum.wrapping_add(w * i32::from(byte(vector.x, k)));
            }
            let own = || [0, 1, 2].map(|index| param(4 + side * 3 + index));
            let factor = vector.factor.copied().unwrap_or_else(own);
            set(vector.y, channel, rescale(sum, factor));
        }
    }
}
