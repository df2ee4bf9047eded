//! Windows of 16 channels with weights of their own.
//!
//! Products fit 16 bits; those of two taps are added there and then widened.

use core::arch::naked_asm;

use embarca_kernels::device::helium::Columns;
use embarca_kernels::device::helium::pack::COLUMN_PARAMS;

use super::reach;

/// What the loops get.
#[repr(C)]
struct Args {
    x: *const u8,
    x_step: u32,
    weights: *const u8,
    exact: u32,
    params: *const u8,
    shifts: *const u8,
    zero: i32,
    y: *const u8,
    y_step: u32,
    pairs: u32,
    windows: u32,
    odd: u32,
    channels: u32,
}

/// Computes `c` when its views are long enough.
pub(super) fn run(c: &Columns<'_>) {
    let fits = || {
        let len = c.taps.checked_mul(16)?;
        let x = reach(c.windows, c.x_step, len)? <= c.x.len();
        let y = reach(c.windows, c.y_step, c.channels)? <= c.y.len();
        let weights = len as usize <= c.weights.len();
        Some(x && y && weights && COLUMN_PARAMS <= c.params.len() && 0 < c.taps)
    };
    if fits() != Some(true) {
        return;
    }
    let args = Args {
        x: c.x.as_ptr().cast(),
        x_step: c.x_step,
        weights: c.weights.as_ptr(),
        exact: c.scale.exact.into(),
        params: c.params.as_ptr(),
        shifts: c.params.as_ptr().wrapping_add(128),
        zero: c.scale.zero.into(),
        y: c.y.as_ptr().cast(),
        y_step: c.y_step,
        pairs: c.taps / 2,
        windows: c.windows,
        odd: c.taps % 2,
        channels: c.channels,
    };
    // SAFETY: the views hold what is read and written, as compared above; the input is aligned to
    // 4, since cells have 16 bytes a tap and the scratch starts at a multiple of 16.
    unsafe { if c.taps == 9 { nine(&args) } else { any(&args) } };
}

/// The products of one tap in q6, q7.
macro_rules! one {
    ($x:literal, $w:literal) => {
        concat!(
            "vldrw.u32 q4, [",
            $x,
            "\n",
            "vldrw.u32 q5, [",
            $w,
            "\n",
            "vmullb.s8 q6, q4, q5\n",
            "vmullt.s8 q7, q4, q5\n",
        )
    };
}

/// Those of another added.
macro_rules! another {
    ($x:literal, $w:literal, $next:literal) => {
        concat!(
            "vldrw.u32 q4, [",
            $x,
            "\n",
            "vldrw.u32 q5, [",
            $w,
            "\n",
            "vmullb.s8 q5, q4, q5\n",
            "vadd.i16 q6, q6, q5\n",
            "vldrw.u32 q5, [",
            $next,
            "\n",
            "vmullt.s8 q4, q4, q5\n",
            "vadd.i16 q7, q7, q4\n",
        )
    };
}

/// The sums of q6 and q7 added to q0 to q3.
macro_rules! widen {
    () => {
        concat!(
            "vmovlb.s16 q4, q6\n",
            "vmovlt.s16 q5, q6\n",
            "vadd.i32 q0, q0, q4\n",
            "vadd.i32 q1, q1, q5\n",
            "vmovlb.s16 q4, q7\n",
            "vmovlt.s16 q5, q7\n",
            "vadd.i32 q2, q2, q4\n",
            "vadd.i32 q3, q3, q5\n",
        )
    };
}

/// The biases.
macro_rules! start {
    () => {
        concat!(
            "vldrw.u32 q0, [r4]\n",
            "vldrw.u32 q1, [r4, #16]\n",
            "vldrw.u32 q2, [r4, #32]\n",
            "vldrw.u32 q3, [r4, #48]\n",
        )
    };
}

/// Sums of four channels rescaled.
macro_rules! scale {
    ($q:literal, $multiplier:literal, $shift:literal) => {
        concat!(
            "vldrw.u32 q4, [r4, #",
            $multiplier,
            "]\n",
            "vldrb.s32 q5, [r5, #",
            $shift,
            "]\n",
            "vqrdmulh.s32 ",
            $q,
            ", ",
            $q,
            ", q4\n",
            "vrshl.s32 ",
            $q,
            ", ",
            $q,
            ", q5\n",
        )
    };
}

/// The same with any shift and ties away from zero; q7 is zero.
macro_rules! scale_any {
    ($q:literal, $multiplier:literal, $shift:literal) => {
        concat!(
            "vldrw.u32 q4, [r4, #",
            $multiplier,
            "]\n",
            "vldrb.s32 q5, [r5, #",
            $shift,
            "]\n",
            "vmax.s32 q6, q5, q7\n",
            "vmin.s32 q5, q5, q7\n",
            "vshl.s32 ",
            $q,
            ", ",
            $q,
            ", q6\n",
            "vqrdmulh.s32 ",
            $q,
            ", ",
            $q,
            ", q4\n",
            "vand q4, ",
            $q,
            ", q5\n",
            "vshr.s32 q4, q4, #31\n",
            "vadd.i32 ",
            $q,
            ", ",
            $q,
            ", q4\n",
            "vrshl.s32 ",
            $q,
            ", ",
            $q,
            ", q5\n",
        )
    };
}

/// Sums of 16 channels to what is stored at r7.
macro_rules! finish {
    () => {
        concat!(
            "cbnz r3, 30f\n",
            scale!("q0", "64", "0"),
            scale!("q1", "80", "4"),
            scale!("q2", "96", "8"),
            scale!("q3", "112", "12"),
            "31:\n",
            "vqmovnb.s32 q0, q0\n",
            "vqmovnt.s32 q0, q1\n",
            "vqmovnb.s32 q2, q2\n",
            "vqmovnt.s32 q2, q3\n",
            "vqadd.s16 q0, q0, r6\n",
            "vqadd.s16 q2, q2, r6\n",
            "vqmovnb.s16 q0, q0\n",
            "vqmovnt.s16 q0, q2\n",
            "vpst\n",
            "vstrbt.8 q0, [r7]\n",
            "add r7, r8\n",
        )
    };
}

/// The part of [`finish`] that stands behind the loop.
macro_rules! finish_any {
    () => {
        concat!(
            "30:\n",
            "vmov.i32 q7, #0\n",
            scale_any!("q0", "64", "0"),
            scale_any!("q1", "80", "4"),
            scale_any!("q2", "96", "8"),
            scale_any!("q3", "112", "12"),
            "b 31b\n",
        )
    };
}

/// # Safety
/// The pointers hold what the loop reads and writes.
#[unsafe(naked)]
unsafe extern "C" fn nine(args: &Args) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // x, its step, weights, exactness, params, shifts, zero point, y, its step, pairs, windows
        "ldr r12, [r0, #48]",
        "ldm r0, {{r0-r10}}",
        "vctp.8 r12",
        "dls lr, r10",
        "1:",
        start!(),
        one!("r0]", "r2]"),
        another!("r0, #16]", "r2, #16]", "r2, #16]"),
        widen!(),
        one!("r0, #32]", "r2, #32]"),
        another!("r0, #48]", "r2, #48]", "r2, #48]"),
        widen!(),
        one!("r0, #64]", "r2, #64]"),
        another!("r0, #80]", "r2, #80]", "r2, #80]"),
        widen!(),
        one!("r0, #96]", "r2, #96]"),
        another!("r0, #112]", "r2, #112]", "r2, #112]"),
        widen!(),
        one!("r0, #128]", "r2, #128]"),
        widen!(),
        "add r0, r1",
        finish!(),
        "le lr, 1b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        finish_any!(),
    )
}

/// # Safety
/// The pointers hold what the loop reads and writes.
#[unsafe(naked)]
unsafe extern "C" fn any(args: &Args) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "ldrd r11, r12, [r0, #44]",
        "vctp.8 r12",
        "ldm r0, {{r0-r10}}",
        "1:",
        "mov r12, r0",
        "push {{r2}}",
        start!(),
        "wls lr, r9, 3f",
        "2:",
        one!("r12], #16", "r2], #16"),
        another!("r12], #16", "r2]", "r2], #16"),
        widen!(),
        "le lr, 2b",
        "3:",
        "cmp r11, #0",
        "beq 4f",
        one!("r12]", "r2]"),
        widen!(),
        "4:",
        "pop {{r2}}",
        "add r0, r1",
        finish!(),
        "subs r10, #1",
        "bne 1b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        finish_any!(),
    )
}
