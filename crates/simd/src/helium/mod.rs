//! Cortex-M with Helium (M52, M55, M85): sixteen 8-bit products at once.
//!
//! The loops are written out because the compiler has no names for these instructions. Each one is
//! a function of its own in the C convention, called by a wrapper that compares the views with what
//! the loop reads and writes. Bytes are read from any address; words of parameters and weights lie
//! at multiples of four.
#![allow(unsafe_code)]

mod columns;
mod line;
mod matrix;
mod sum;
mod vector;

use embarca_kernels::device::helium::{Columns, Helium, Line, Matrix, Sum, Vector};

/// The loops of [`Helium`] in its instructions.
#[derive(Clone, Copy, Debug)]
pub struct Mve;

impl Helium for Mve {
    fn line(line: &Line<'_>) {
        line::run(line);
    }

    fn matrix(matrix: &Matrix<'_>) {
        matrix::run(matrix);
    }

    fn columns(columns: &Columns<'_>) {
        columns::run(columns);
    }

    #[inline(always)]
    fn vector(vector: &Vector<'_>) {
        vector::run(vector);
    }

    fn sum(sum: &Sum<'_>) {
        sum::run(sum);
    }
}

/// Bytes from the first of `count` runs of `len` bytes to the end of the last, `step` bytes apart.
fn reach(count: u32, step: u32, len: u32) -> Option<usize> {
    let last = count.checked_sub(1)?.checked_mul(step)?;
    Some(last.checked_add(len)? as usize)
}
