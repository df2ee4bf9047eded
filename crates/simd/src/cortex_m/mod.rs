//! Cortex-M with the DSP extension (M4, M7, M33): pairs of 16-bit products.
//!
//! The loops are written out because they need every register: compiled code spills. Each one is a
//! function of its own in the C convention, called by a wrapper that compares the views with what
//! the loop reads and writes.
#![allow(unsafe_code)]

mod block;
mod dense;
mod planes;

use embarca_kernels::device::{Block, Bytes, Parts, Planes, Split, Vector, Widen};

/// The loops of [`Parts`] in DSP instructions.
#[derive(Clone, Copy, Debug)]
pub struct Dsp;

impl Parts for Dsp {
    fn widen(widen: &Widen<'_>) {
        block::widen(widen);
    }

    fn widen_one(from: Bytes<'_>, to: Bytes<'_>, groups: u32) {
        block::widen_one(from, to, groups);
    }

    fn copy(from: Bytes<'_>, to: Bytes<'_>, len: u32) {
        block::copy(from, to, len);
    }

    fn block(block: &Block<'_>) {
        block::run(block);
    }

    fn spread(weights: &[u8], params: &[u8], table: Bytes<'_>, upright: bool) {
        planes::spread(weights, params, table, upright);
    }

    fn split(split: &Split<'_>) {
        planes::split(split);
    }

    fn planes(planes: &Planes<'_>) {
        planes::run(planes);
    }

    fn dense(vector: &Vector<'_>) {
        dense::run(vector);
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
