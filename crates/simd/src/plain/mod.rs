//! The loops of [`Sums`] for cores that multiply one pair of numbers at a time.
//!
//! They are written out because compiled code keeps its sums in memory. Each one is a function of
//! its own in the C convention, called by a wrapper that compares the views with what the loop reads.
#![allow(unsafe_code)]

#[cfg(target_arch = "riscv32")]
mod riscv32;
#[cfg(all(target_arch = "arm", not(target_has_atomic = "32")))]
mod thumb1;
#[cfg(all(target_arch = "arm", target_has_atomic = "32"))]
mod thumb2;

use embarca_kernels::device::Bytes;
use embarca_kernels::device::plain::{Param, Shape, Sums};

#[cfg(target_arch = "riscv32")]
use riscv32 as core_loops;
#[cfg(all(target_arch = "arm", not(target_has_atomic = "32")))]
use thumb1 as core_loops;
#[cfg(all(target_arch = "arm", target_has_atomic = "32"))]
use thumb2 as core_loops;

/// The loops of [`Sums`] in plain instructions of the core.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// What `one` takes.
#[repr(C)]
struct One {
    x: *const u8,
    w: [*const u8; 2],
    len: u32,
    sums: [i32; 2],
}

/// What `two` takes.
#[repr(C)]
struct Two {
    x: [*const u8; 2],
    w: [*const u8; 2],
    len: u32,
    sums: [[i32; 2]; 2],
}

/// What `taps` takes.
#[repr(C)]
struct Taps {
    x: *const u8,
    w: *const u8,
    rows: u32,
    /// Bytes from the first tap of a row to behind the last.
    span: u32,
    step: u32,
    /// Bytes from behind the last tap of a row to the next row.
    skip: u32,
    sums: [i32; 4],
}

impl Sums for Plain {
    fn two(x: [Bytes<'_>; 2], w: [&[u8]; 2], sums: &mut [[i32; 2]; 2]) {
        let len = x[0].len();
        if len == 0 || x[1].len() < len || w.iter().any(|w| w.len() < len) {
            return;
        }
        let x = x.map(|x| x.as_ptr().cast());
        let mut args = Two { x, w: w.map(<[u8]>::as_ptr), len: len as u32, sums: *sums };
        // SAFETY: the loop reads `len` bytes behind each of four pointers.
        unsafe { core_loops::two(&mut args) };
        *sums = args.sums;
    }

    fn one(x: Bytes<'_>, w: [&[u8]; 2], sums: &mut [i32; 2]) {
        let len = x.len();
        if len == 0 || w.iter().any(|w| w.len() < len) {
            return;
        }
        let x = x.as_ptr().cast();
        let mut args = One { x, w: w.map(<[u8]>::as_ptr), len: len as u32, sums: *sums };
        // SAFETY: the loop reads `len` bytes behind each of three pointers.
        unsafe { core_loops::one(&mut args) };
        *sums = args.sums;
    }

    fn taps(x: Bytes<'_>, w: &[u8], shape: &Shape, sums: &mut [i32; 4]) {
        let Shape { rows, columns, step, line } = *shape;
        let across = columns.wrapping_sub(1).checked_mul(step);
        let down = rows.wrapping_sub(1).checked_mul(line);
        let (Some(across), Some(down)) = (across, down) else { return };
        let taps = rows.saturating_mul(columns).saturating_mul(4);
        let last = down.saturating_add(across).saturating_add(4);
        let span = across.wrapping_add(step);
        if rows == 0
            || columns == 0
            || step == 0
            || x.len() < last as usize
            || w.len() < taps as usize
        {
            return;
        }
        let (x, w) = (x.as_ptr().cast(), w.as_ptr());
        let skip = line.wrapping_sub(span);
        let mut args = Taps { x, w, rows, span, step, skip, sums: *sums };
        // SAFETY: the loop reads four bytes at each tap, the last of which ends at `last`, and four
        // weights for each.
        unsafe { core_loops::taps(&mut args) };
        *sums = args.sums;
    }

    fn finish(sums: &[i32], params: &[Param], y: Bytes<'_>) {
        let count = sums.len().min(params.len()).min(y.len());
        if count != 0 {
            let y = y.as_ptr().cast_mut().cast();
            // SAFETY: there are `count` sums, parameters and bytes, and cells may be written.
            unsafe { core_loops::finish(sums.as_ptr(), params.as_ptr(), y, count as u32) };
        }
    }

    fn copy(from: Bytes<'_>, to: Bytes<'_>) {
        if from.len() <= to.len() {
            let len = from.len() as u32;
            let (from, to) = (from.as_ptr().cast(), to.as_ptr().cast_mut().cast());
            // SAFETY: `to` is at least as long as `from`, and cells may be written.
            unsafe { core_loops::copy(to, from, len) };
        }
    }
}
