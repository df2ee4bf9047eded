//! Cortex-M with the DSP extension (M4, M7, M33): pairs of 16-bit products.
//!
//! The loops are written out because they need every register: compiled code spills. Each one is a
//! function of its own in the C convention, called by a wrapper that compares the views with what
//! the loop reads and writes.
#![allow(unsafe_code)]

mod dense;
mod lines;
mod tile;

use embarca_kernels::device::{Bytes, Lines, Parts, Split, Tile};

/// The loops of [`Parts`] in DSP instructions.
#[derive(Clone, Copy, Debug)]
pub struct Dsp;

impl Parts for Dsp {
    fn widen(from: [Bytes<'_>; 4], to: Bytes<'_>, groups: u32) {
        let len = groups as usize * 4;
        if groups == 0 || from.iter().any(|from| from.len() < len) || to.len() < len * 8 {
            return;
        }
        // SAFETY: the loop reads `len` bytes of each source and writes eight times that; the
        // scratch is aligned to 4.
        unsafe { tile::widen(&from.map(|from| from.as_ptr().cast()), to.as_ptr().cast(), groups) };
    }

    fn widen_one(from: Bytes<'_>, to: Bytes<'_>, position: usize, groups: u32) {
        let len = groups as usize * 4;
        if len == 0 || from.len() < len || to.len() < len * 8 || 3 < position {
            return;
        }
        let to = to.as_ptr().wrapping_add(position * 4);
        // SAFETY: the loop reads `len` bytes and writes every fourth word of eight times that.
        unsafe { tile::widen_one(from.as_ptr().cast(), to.cast(), groups) };
    }

    fn fill_one(value: i8, to: Bytes<'_>, position: usize, groups: u32) {
        if groups == 0 || to.len() < groups as usize * 32 || 3 < position {
            return;
        }
        let pair = u32::from(i16::from(value).cast_unsigned()) * 0x1_0001;
        let to = to.as_ptr().wrapping_add(position * 4);
        // SAFETY: the loop writes every fourth word of 32 bytes a group.
        unsafe { tile::fill_one(pair, to.cast(), groups) };
    }

    fn tile(tile: &Tile<'_>) {
        let (len, pairs) = (tile.inputs.len() / 8, tile.channels.div_ceil(2) as usize);
        let last = 3 * tile.stride as usize + tile.channels as usize;
        if len == 0
            || tile.weights.len() < pairs * len * 2
            || tile.params.len() < pairs * 32
            || tile.y.len() < last
        {
            return;
        }
        tile::run(tile);
    }

    fn spread(weights: &[u8], table: Bytes<'_>, upright: bool) {
        lines::spread(weights, table, upright);
    }

    fn split(split: &Split<'_>) {
        lines::split(split);
    }

    fn lines(lines: &Lines<'_>) {
        lines::run(lines);
    }

    fn dense(x: Bytes<'_>, weights: &[u8], params: &[u8], y: Bytes<'_>) {
        dense::run(x, weights, params, y);
    }
}

/// `a` rescaled to the right: twice the multiplier in `r1`, less 2^32, so that adding `a` itself
/// makes it whole; addend in `r2`, shift in `r3`. The sign bit turns the rounding of ties away from
/// zero.
macro_rules! rescale {
    ($a:literal) => {
        concat!(
            "smmlar ",
            $a,
            ", ",
            $a,
            ", r1, ",
            $a,
            "\n",
            "add ",
            $a,
            ", ",
            $a,
            ", ",
            $a,
            ", asr #31\n",
            "add ",
            $a,
            ", ",
            $a,
            ", r2\n",
            "asr ",
            $a,
            ", ",
            $a,
            ", r3\n",
            "ssat ",
            $a,
            ", #8, ",
            $a,
            "\n",
        )
    };
}

/// The same where results below the zero point are cut off.
macro_rules! rectify {
    ($a:literal) => {
        concat!(
            "smmlar ", $a, ", ", $a, ", r1, ", $a, "\n", "add ", $a, ", ", $a, ", r2\n", "asr ",
            $a, ", ", $a, ", r3\n", "ssat ", $a, ", #8, ", $a, "\n",
        )
    };
}

/// The same without a shift to the right; `r3` holds the negative shift to the left.
macro_rules! enlarge {
    ($a:literal) => {
        concat!(
            "lsl ", $a, ", ", $a, ", r3\n", "smmlar ", $a, ", ", $a, ", r1, ", $a, "\n", "add ",
            $a, ", ", $a, ", r2\n", "ssat ", $a, ", #8, ", $a, "\n",
        )
    };
}

use {enlarge, rectify, rescale};
