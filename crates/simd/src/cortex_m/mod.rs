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

/// `a` rescaled to the right: multiplier in `r1`, addend in `r2`, shift in `r3`. The accumulator
/// stays below 2^30, so the doubled one does not overflow; SMMULR rounds like the reference, and
/// the sign bit turns the shift's rounding away from zero.
macro_rules! rescale {
    ($a:literal) => {
        concat!(
            "lsl ", $a, ", ", $a, ", #1\n",
            "smmulr ", $a, ", ", $a, ", r1\n",
            "add ", $a, ", ", $a, ", ", $a, ", asr #31\n",
            "add ", $a, ", ", $a, ", r2\n",
            "asr ", $a, ", ", $a, ", r3\n",
            "ssat ", $a, ", #8, ", $a, "\n",
        )
    };
}

/// The same without a shift to the right; `r3` holds one more than the shift to the left.
macro_rules! enlarge {
    ($a:literal) => {
        concat!(
            "lsl ", $a, ", ", $a, ", r3\n",
            "smmulr ", $a, ", ", $a, ", r1\n",
            "add ", $a, ", ", $a, ", r2\n",
            "ssat ", $a, ", #8, ", $a, "\n",
        )
    };
}

use {enlarge, rescale};
