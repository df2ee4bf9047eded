//! Arrangements of weights for faster kernels. Numbers and layouts are stored in plans and never
//! change.

use crate::Fault;

/// f32 weights of a group's outputs in panels of [`PANEL`]:
/// `[groups][ceil(outputs / PANEL)][taps][PANEL]`, the last panel filled with zeros. A tap is one
/// input of one kernel position, in the order of the canonical form.
pub const PANELS_F32: u16 = 1;

/// i8 weights less their zero point as i16, `[outputs][taps rounded up to STEP]`, filled with zeros.
pub const ROWS_I16: u16 = 2;

/// i8 weights less their zero point as i16, in the order of the canonical form.
pub const WIDE_I16: u16 = 3;

/// Outputs of a panel.
pub const PANEL: usize = 16;

/// Rows of [`ROWS_I16`] are a multiple of this long.
pub const STEP: usize = 32;

/// How many f32 [`PANELS_F32`] has.
pub fn panels_f32_len(groups: usize, outputs: usize, taps: usize) -> Result<usize, Fault> {
    let rows = outputs.div_ceil(PANEL).checked_mul(PANEL).and_then(|n| n.checked_mul(groups));
    let len = rows.and_then(|rows| rows.checked_mul(taps)).ok_or(Fault::TooLarge)?;
    if len < 1 << 29 { Ok(len) } else { Err(Fault::TooLarge) }
}

/// Arranges `[groups * outputs][taps]` as [`PANELS_F32`].
pub fn panels_f32(outputs: usize, taps: usize, w: &[f32], packed: &mut [f32]) {
    packed.fill(0.0);
    let group_len = outputs.div_ceil(PANEL) * PANEL * taps;
    let groups = w.chunks_exact((outputs * taps).max(1));
    for (w, packed) in groups.zip(packed.chunks_exact_mut(group_len.max(1))) {
        for (o, row) in w.chunks_exact(taps.max(1)).enumerate() {
            let panel = &mut packed[o / PANEL * PANEL * taps..][..PANEL * taps];
            for (lanes, w) in panel.chunks_exact_mut(PANEL).zip(row) {
                lanes[o % PANEL] = *w;
            }
        }
    }
}

/// How many i16 [`ROWS_I16`] has.
pub fn rows_i16_len(outputs: usize, taps: usize) -> Result<usize, Fault> {
    let len = taps.div_ceil(STEP).checked_mul(STEP).and_then(|row| row.checked_mul(outputs));
    let len = len.ok_or(Fault::TooLarge)?;
    if len < 1 << 30 { Ok(len) } else { Err(Fault::TooLarge) }
}

/// Arranges `[outputs][taps]` as [`ROWS_I16`].
pub fn rows_i16(taps: usize, w_zero: i16, w: &[i8], packed: &mut [i16]) {
    packed.fill(0);
    let row_len = taps.div_ceil(STEP) * STEP;
    let rows = packed.chunks_exact_mut(row_len.max(1));
    for (row, w) in rows.zip(w.chunks_exact(taps.max(1))) {
        for (to, &w) in row.iter_mut().zip(w) {
            *to = i16::from(w).wrapping_sub(w_zero);
        }
    }
}
