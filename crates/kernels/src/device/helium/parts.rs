//! Inner loops of the Helium steps.

use embarca_num::fixed::{doubling_high_mul, round_shift};

use crate::device::Bytes;

/// How sums become results.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Zero point of the result.
    pub zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
    /// 0: all shifts go right and the lower bound cuts off what lies below the zero point, so that
    /// it does not matter how ties below it are rounded. 1: all shifts go right. 2: any shift.
    pub exact: u8,
}

impl Scale {
    /// `sum` rescaled. A positive shift goes left before the multiplication, a negative one right
    /// behind it with ties away from zero.
    #[inline(always)]
    pub fn apply(&self, sum: i32, multiplier: i32, shift: i8) -> i8 {
        rescale(sum, multiplier, shift)
            .saturating_add(i32::from(self.zero))
            .clamp(i32::from(self.act[0]), i32::from(self.act[1]).max(i32::from(self.act[0])))
            as i8
    }
}

/// `sum` times `multiplier * 2^(shift - 31)`, rounded twice.
#[inline(always)]
pub fn rescale(sum: i32, multiplier: i32, shift: i8) -> i32 {
    let left = sum.wrapping_shl(u32::from(shift.max(0) as u8) & 31);
    round_shift(doubling_high_mul(left, multiplier), u32::from(shift.min(0).unsigned_abs()) & 31)
}

/// A line of the input on its way into cells.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// From the line's place in the first cell on.
    pub to: Bytes<'a>,
    /// Bytes between cells.
    pub cell: u32,
    /// Cells before, in and behind the input.
    pub cells: [u32; 3],
    /// From the first input on.
    pub from: Bytes<'a>,
    /// Bytes between inputs, at most [`MOST_STEP`](super::pack::MOST_STEP).
    pub step: u32,
    /// Bytes of an input.
    pub channels: u32,
    /// What stands outside the input.
    pub zero: i8,
}

/// Windows times all output channels.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// From the first window on.
    pub x: Bytes<'a>,
    /// Bytes between windows.
    pub x_step: u32,
    /// Windows, at least 1.
    pub windows: u32,
    /// Groups of 16 bytes in a window, at least 1; weights of what lies behind it are zero.
    pub vectors: u32,
    /// [`pack::matrix`](super::pack::matrix).
    pub weights: &'a [u8],
    /// [`pack::params`](super::pack::params).
    pub params: &'a [u8],
    /// From the first result on.
    pub y: Bytes<'a>,
    /// Bytes between results of two windows.
    pub y_step: u32,
    /// Output channels, at least 1.
    pub channels: u32,
    /// How sums become results.
    pub scale: Scale,
}

/// A line of windows for up to 16 channels, each with weights of its own.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// From the first window on: 16 bytes for each tap.
    pub x: Bytes<'a>,
    /// Bytes between windows.
    pub x_step: u32,
    /// Windows, at least 1.
    pub windows: u32,
    /// Taps, at least 1.
    pub taps: u32,
    /// Weights of 16 channels for each tap, [`pack::columns`](super::pack::columns).
    pub weights: &'a [u8],
    /// [`pack::params`](super::pack::params).
    pub params: &'a [u8],
    /// From the first result on.
    pub y: Bytes<'a>,
    /// Bytes between results.
    pub y_step: u32,
    /// Channels, 1 to 16.
    pub channels: u32,
    /// How sums become results; its bounds are the caller's.
    pub scale: Scale,
}

/// A vector times a matrix.
#[derive(Clone, Copy, Debug)]
pub struct Vector<'a> {
    /// Inputs, at least one.
    pub x: Bytes<'a>,
    /// For each output as many weights as inputs.
    pub weights: &'a [u8],
    /// [`pack::params`](super::pack::params).
    pub params: &'a [u8],
    /// Outputs, at least one.
    pub y: Bytes<'a>,
    /// How sums become results.
    pub scale: Scale,
}

/// The sum of two tensors of one size, which the result may overwrite.
#[derive(Clone, Copy, Debug)]
pub struct Sum<'a> {
    /// The first input.
    pub a: Bytes<'a>,
    /// The second.
    pub b: Bytes<'a>,
    /// The result.
    pub y: Bytes<'a>,
    /// For both inputs what is added to an element (less the zero point), the bits by which that is
    /// shifted up, at most 21, multiplier and negative shift.
    pub inputs: [[i32; 4]; 2],
    /// Multiplier and negative shift of the sum.
    pub factor: [i32; 2],
    /// Zero point of the result.
    pub zero: i8,
    /// Bounds of the result.
    pub act: [i8; 2],
}

/// The inner loops.
pub trait Helium {
    /// Spreads a line into cells.
    fn line(line: &Line<'_>);
    /// Multiplies windows by a matrix.
    fn matrix(matrix: &Matrix<'_>);
    /// Multiplies windows channel by channel.
    fn columns(columns: &Columns<'_>);
    /// Multiplies a vector by a matrix.
    fn vector(vector: &Vector<'_>);
    /// Adds two tensors.
    fn sum(sum: &Sum<'_>);
}
