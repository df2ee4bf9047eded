//! The sum of two tensors, four elements at a time.

use core::arch::naked_asm;

use embarca_kernels::device::helium::Sum;

/// What the loop gets.
#[repr(C)]
struct Args {
    zero: i32,
    low: i32,
    high: i32,
    len: u32,
    a: *const u8,
    b: *const u8,
    y: *const u8,
    inputs: [[i32; 4]; 2],
    factor: [i32; 2],
}

/// Computes `s` when its views are long enough.
pub(super) fn run(s: &Sum<'_>) {
    let len = s.y.len();
    if len == 0 || s.a.len() < len || s.b.len() < len {
        return;
    }
    let args = Args {
        zero: s.zero.into(),
        low: s.act[0].into(),
        high: s.act[1].into(),
        len: len as u32,
        a: s.a.as_ptr().cast(),
        b: s.b.as_ptr().cast(),
        y: s.y.as_ptr().cast(),
        inputs: s.inputs,
        factor: s.factor,
    };
    // SAFETY: the views hold what is read and written, as compared above.
    unsafe { sum(&args) };
}

/// Four elements raised: added, shifted up, rescaled with ties away from zero.
macro_rules! raise {
    ($q:literal, $add:literal, $left:literal, $multiplier:literal, $shift:literal) => {
        concat!(
            "vadd.i32 ",
            $q,
            ", ",
            $q,
            ", ",
            $add,
            "\n",
            "vshl.s32 ",
            $q,
            ", ",
            $left,
            "\n",
            rescale!($q, $multiplier, $shift),
        )
    };
}

macro_rules! rescale {
    ($q:literal, $multiplier:literal, $shift:literal) => {
        concat!(
            "vqrdmulh.s32 ",
            $q,
            ", ",
            $q,
            ", ",
            $multiplier,
            "\n",
            "vshr.s32 q2, ",
            $q,
            ", #31\n",
            "vadd.i32 ",
            $q,
            ", ",
            $q,
            ", q2\n",
            "vrshl.s32 ",
            $q,
            ", ",
            $shift,
            "\n",
        )
    };
}

/// # Safety
/// The pointers hold what the loop reads and writes.
#[unsafe(naked)]
unsafe extern "C" fn sum(args: &Args) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d11}}",
        "ldm r0!, {{r1, r2, r3, r4}}", // zero, low, high, len
        "vdup.32 q3, r1",
        "vdup.32 q4, r2",
        "vdup.32 q5, r3",
        "dlstp.32 lr, r4",
        // a, b, y, then for each input addend, left shift, multiplier, shift; multiplier, shift.
        "ldrd r11, r12, [r0, #44]",
        "ldm r0, {{r0-r10}}",
        "1:",
        "vldrb.s32 q0, [r0], #4",
        "vldrb.s32 q1, [r1], #4",
        raise!("q0", "r3", "r4", "r5", "r6"),
        raise!("q1", "r7", "r8", "r9", "r10"),
        "vadd.i32 q0, q0, q1",
        rescale!("q0", "r11", "r12"),
        "vqadd.s32 q0, q0, q3",
        "vmax.s32 q0, q0, q4",
        "vmin.s32 q0, q0, q5",
        "vstrb.32 q0, [r2], #4",
        "letp lr, 1b",
        "vpop {{d8-d11}}",
        "pop {{r4-r11, pc}}",
    )
}
