//! Arrangements of weights for faster kernels. Numbers and layouts are stored in plans and never
//! change.

use crate::Fault;

/// f32 weights of a group's outputs in panels of [`PANEL`]:
/// `[groups][ceil(outputs / PANEL)][taps][PANEL]`, the last panel filled with zeros. A tap is one
/// input of one kernel position, in the order of the canonical form.
pub const PANELS_F32: u16 = 1;

/// i8 weights less their zero point as i16, `[outputs][taps rounded up to STEP]`, filled with zeros.
pub const ROWS_I16: u16 = 2;

/// i8 weights of a depthwise convolution less their zero point as f32,
/// `[ceil(channels / LANES)][taps][LANES]`, filled with zeros.
pub const LANES_F32: u16 = 3;

/// Outputs of a panel.
pub const PANEL: usize = 16;

/// Channels of a group of [`LANES_F32`].
pub const LANES: usize = 8;

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

/// The inverse of [`panels_f32`].
pub fn unpack_panels_f32(outputs: usize, taps: usize, packed: &[f32], w: &mut [f32]) {
    let group_len = outputs.div_ceil(PANEL) * PANEL * taps;
    let groups = w.chunks_exact_mut((outputs * taps).max(1));
    for (w, packed) in groups.zip(packed.chunks_exact(group_len.max(1))) {
        for (o, row) in w.chunks_exact_mut(taps.max(1)).enumerate() {
            let panel = &packed[o / PANEL * PANEL * taps..][..PANEL * taps];
            for (w, lanes) in row.iter_mut().zip(panel.chunks_exact(PANEL)) {
                *w = lanes[o % PANEL];
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

/// The inverse of [`rows_i16`].
pub fn unpack_rows_i16(taps: usize, w_zero: i16, packed: &[i16], w: &mut [i8]) {
    let row_len = taps.div_ceil(STEP) * STEP;
    let rows = packed.chunks_exact(row_len.max(1));
    for (row, w) in rows.zip(w.chunks_exact_mut(taps.max(1))) {
        for (w, &from) in w.iter_mut().zip(row) {
            *w = from.wrapping_add(w_zero) as i8;
        }
    }
}

/// How many f32 [`LANES_F32`] has.
pub fn lanes_f32_len(taps: usize, channels: usize) -> Result<usize, Fault> {
    let len = channels.div_ceil(LANES).checked_mul(LANES).and_then(|n| n.checked_mul(taps));
    let len = len.ok_or(Fault::TooLarge)?;
    if len < 1 << 29 { Ok(len) } else { Err(Fault::TooLarge) }
}

/// Arranges `[taps][channels]` as [`LANES_F32`].
pub fn lanes_f32(channels: usize, w_zero: i16, w: &[i8], packed: &mut [f32]) {
    packed.fill(0.0);
    let taps = w.len() / channels.max(1);
    for (tap, w) in w.chunks_exact(channels.max(1)).enumerate() {
        for (group, w) in w.chunks(LANES).enumerate() {
            let lanes = &mut packed[(group * taps + tap) * LANES..][..LANES];
            for (to, &w) in lanes.iter_mut().zip(w) {
                *to = f32::from(i16::from(w).wrapping_sub(w_zero));
            }
        }
    }
}

/// The inverse of [`lanes_f32`].
pub fn unpack_lanes_f32(channels: usize, w_zero: i16, packed: &[f32], w: &mut [i8]) {
    let taps = w.len() / channels.max(1);
    for (tap, w) in w.chunks_exact_mut(channels.max(1)).enumerate() {
        for (group, w) in w.chunks_mut(LANES).enumerate() {
            let lanes = &packed[(group * taps + tap) * LANES..][..LANES];
            for (w, &from) in w.iter_mut().zip(lanes) {
                *w = (from as i16).wrapping_add(w_zero) as i8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn panels_have_their_stated_layout_and_an_inverse() {
        for (groups, outputs, taps) in [(1, 1, 1), (1, 16, 3), (2, 5, 4), (3, 17, 2), (1, 40, 9)] {
            let w: Vec<f32> = (1..=groups * outputs * taps).map(|i| i as f32).collect();
            let len = panels_f32_len(groups, outputs, taps).unwrap();
            let mut packed = vec![f32::NAN; len];
            panels_f32(outputs, taps, &w, &mut packed);
            let panels = outputs.div_ceil(PANEL);
            for (i, value) in packed.iter().enumerate() {
                let (lane, tap) = (i % PANEL, i / PANEL % taps);
                let (panel, group) = (i / PANEL / taps % panels, i / PANEL / taps / panels);
                let o = panel * PANEL + lane;
                let expected =
                    if o < outputs { w[(group * outputs + o) * taps + tap] } else { 0.0 };
                assert_eq!(*value, expected);
            }
            let mut back = vec![0.0; w.len()];
            unpack_panels_f32(outputs, taps, &packed, &mut back);
            assert_eq!(back, w);
        }
    }

    #[test]
    fn rows_have_their_stated_layout_and_an_inverse() {
        for (outputs, taps, w_zero) in [(1, 1, 0), (3, 31, -128), (2, 32, 127), (5, 33, 7)] {
            let w: Vec<i8> = (0..outputs * taps).map(|i| (i * 37) as i8).collect();
            let mut packed = vec![99; rows_i16_len(outputs, taps).unwrap()];
            rows_i16(taps, w_zero, &w, &mut packed);
            let row_len = taps.div_ceil(STEP) * STEP;
            for (i, &value) in packed.iter().enumerate() {
                let (o, tap) = (i / row_len, i % row_len);
                let expected = if tap < taps { i16::from(w[o * taps + tap]) - w_zero } else { 0 };
                assert_eq!(value, expected);
            }
            let mut back = vec![0; w.len()];
            unpack_rows_i16(taps, w_zero, &packed, &mut back);
            assert_eq!(back, w);
        }
    }

    #[test]
    fn lanes_have_their_stated_layout_and_an_inverse() {
        for (taps, channels, w_zero) in [(1, 1, 0), (9, 8, -128), (4, 17, 127), (6, 3, 5)] {
            let w: Vec<i8> = (0..taps * channels).map(|i| (i * 37) as i8).collect();
            let mut packed = vec![f32::NAN; lanes_f32_len(taps, channels).unwrap()];
            lanes_f32(channels, w_zero, &w, &mut packed);
            for (i, &value) in packed.iter().enumerate() {
                let (lane, tap, group) = (i % LANES, i / LANES % taps, i / LANES / taps);
                let channel = group * LANES + lane;
                let expected = if channel < channels {
                    f32::from(w[tap * channels + channel]) - f32::from(w_zero)
                } else {
                    0.0
                };
                assert_eq!(value, expected);
            }
            let mut back = vec![0; w.len()];
            unpack_lanes_f32(channels, w_zero, &packed, &mut back);
            assert_eq!(back, w);
        }
    }
}
