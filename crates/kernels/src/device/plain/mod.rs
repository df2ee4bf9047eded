//! 8-bit convolutions for cores that multiply one pair of numbers at a time, and for shapes that
//! have no loop of their own elsewhere.

mod conv;
mod gather;
mod taps;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use conv::{PlainConv, plain_conv};
pub use taps::{Taps, fours, taps};

use super::{Bytes, Frame, Portable, rescale};
use crate::Fault;

/// What turns the sum of an output channel into its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Param {
    /// Where the sum starts.
    pub bias: i32,
    /// Multiplier, addend and shift as [`rescale`] takes them.
    pub factor: [i32; 3],
}

impl Param {
    /// Those of `count` channels.
    fn list<'a>(frame: &Frame<'a>, at: u32, count: u32) -> Result<&'a [Self], Fault> {
        let len = count.checked_mul(size_of::<Self>() as u32).ok_or(Fault::TooLarge)?;
        <[Self]>::ref_from_bytes(frame.constants(at, len)?).map_err(|_| Fault::Record)
    }
}

/// The taps of a window that lies within the input.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows, at least 1.
    pub rows: u32,
    /// Columns, at least 1.
    pub columns: u32,
    /// Bytes from column to column.
    pub step: u32,
    /// Bytes from row to row.
    pub line: u32,
}

/// The inner loops, which a core may have a better way for. The portable form defines them.
pub trait Sums {
    /// Adds to `sums[i][j]` the products of vector `i` and row of weights `j`, all of one length.
    fn two(x: [Bytes<'_>; 2], w: [&[u8]; 2], sums: &mut [[i32; 2]; 2]);
    /// Adds to `sums[j]` the products of one vector and row of weights `j`.
    fn one(x: Bytes<'_>, w: [&[u8]; 2], sums: &mut [i32; 2]);
    /// Adds the products of the taps of four channels, whose first tap is the start of `x`; `w` has
    /// four weights a tap.
    fn taps(x: Bytes<'_>, w: &[u8], shape: &Shape, sums: &mut [i32; 4]);
    /// [`rescale`]s sums, whose doubles fit 32 bits.
    fn finish(sums: &[i32], params: &[Param], y: Bytes<'_>);
    /// Copies bytes to others of the same number, which lie apart.
    fn copy(from: Bytes<'_>, to: Bytes<'_>);
}

impl Sums for Portable {
    fn two(x: [Bytes<'_>; 2], w: [&[u8]; 2], sums: &mut [[i32; 2]; 2]) {
        for (x, sums) in x.into_iter().zip(sums) {
            Self::one(x, w, sums);
        }
    }

    fn one(x: Bytes<'_>, w: [&[u8]; 2], sums: &mut [i32; 2]) {
        for ((x, &w0), &w1) in x.iter().zip(w[0]).zip(w[1]) {
            let x = i32::from(x.get() as i8);
            sums[0] = sums[0].wrapping_add(x * i32::from(w0 as i8));
            sums[1] = sums[1].wrapping_add(x * i32::from(w1 as i8));
        }
    }

    fn taps(x: Bytes<'_>, w: &[u8], shape: &Shape, sums: &mut [i32; 4]) {
        taps::portable(x, w, shape, sums);
    }

    fn finish(sums: &[i32], params: &[Param], y: Bytes<'_>) {
        for ((y, param), &sum) in y.iter().zip(params).zip(sums) {
            y.set(rescale(sum, param.factor) as u8);
        }
    }

    fn copy(from: Bytes<'_>, to: Bytes<'_>) {
        for (to, from) in to.iter().zip(from) {
            to.set(from.get());
        }
    }
}
