//! The inner loops of kernels that multiply packed weights: sums over runs of inputs for several
//! rows of inputs at a time, so that each weight that is loaded is used for all of them.

use crate::packing::{PANEL, STEP};

/// Sums of up to `P` runs of inputs with the first `L` lanes of a panel of weights:
/// `sums[p][j] += x[p][i] * w[i][j]`, in the order of `i`.
#[inline(always)]
pub fn add_panel<const P: usize, const L: usize>(
    sums: &mut [[f32; L]; P],
    x: [&[f32]; P],
    w: &[f32],
) {
    const { assert!(L <= PANEL) };
    let mut local = *sums;
    let x = x.map(|x| &x[..w.len() / PANEL]);
    for (i, w) in w.as_chunks::<PANEL>().0.iter().enumerate() {
        for p in 0..P {
            let x = x[p][i];
            for j in 0..L {
                local[p][j] += x * w[j];
            }
        }
    }
    *sums = local;
}

/// Sums of products of `P` rows of inputs with a row of weights, all of one length, a multiple of
/// [`STEP`].
#[inline(always)]
pub fn dots<const P: usize>(x: [&[i16]; P], w: &[i16]) -> [i32; P] {
    let w = w.as_chunks::<STEP>().0;
    let x = x.map(|x| &x.as_chunks::<STEP>().0[..w.len()]);
    let mut sums = [0i32; P];
    for (i, w) in w.iter().enumerate() {
        for p in 0..P {
            sums[p] = sums[p].wrapping_add(dot(&x[p][i], w));
        }
    }
    sums
}

/// The sum of [`STEP`] products. That the length is known makes it instructions that multiply and
/// add pairs, where there are some.
#[inline(always)]
fn dot(x: &[i16; STEP], w: &[i16; STEP]) -> i32 {
    let mut sum = 0i32;
    for i in 0..STEP {
        sum = sum.wrapping_add(i32::from(x[i]) * i32::from(w[i]));
    }
    sum
}
