//! One vector times four output channels.

use core::arch::naked_asm;

use embarca_kernels::device::helium::Vector;
use embarca_kernels::device::helium::pack::BLOCK_PARAMS;

/// What the loop gets.
#[repr(C)]
struct Args {
    x: *const u8,
    outputs: u32,
    zero: i32,
    exact: u32,
    low: i32,
    high: i32,
    y: *const u8,
    params: *const u8,
    inputs: u32,
    weights: *const u8,
}

/// Computes `y` when the views are long enough.
#[inline(always)]
pub(super) fn run(v: &Vector<'_>) {
    let (inputs, outputs) = (v.x.len(), v.y.len());
    let Some(len) = inputs.checked_mul(outputs) else { return };
    if len == 0 || v.weights.len() < len || v.params.len() < outputs.div_ceil(4) * BLOCK_PARAMS {
        return;
    }
    let mut args = Args {
        x: v.x.as_ptr().cast(),
        outputs: outputs as u32,
        zero: v.scale.zero.into(),
        exact: v.scale.exact.into(),
        low: v.scale.act[0].into(),
        high: v.scale.act[1].into(),
        inputs: inputs as u32,
        weights: v.weights.as_ptr(),
        y: v.y.as_ptr().cast(),
        params: v.params.as_ptr(),
    };
    // SAFETY: the views hold what is read and written, as compared above.
    unsafe { vector(&mut args) };
}

/// Four sums rescaled to the right, with ties away from zero, and stored.
macro_rules! finish {
    () => {
        concat!(
            "vldrw.u32 q1, [r7], #16\n",
            "vqrdmulh.s32 q0, q0, q1\n",
            "vldrb.s32 q1, [r7], #4\n",
            "vand q5, q0, q1\n",
            "vshr.s32 q5, q5, #31\n",
            "vadd.i32 q0, q0, q5\n",
            "vrshl.s32 q0, q0, q1\n",
            "vqadd.s32 q0, q0, r3\n",
            "vmax.s32 q0, q0, q2\n",
            "vmin.s32 q0, q0, q3\n",
            "vstrb.32 q0, [r5], #4\n",
        )
    };
}

/// # Safety
/// The pointers hold what the loop reads and writes.
#[unsafe(naked)]
unsafe extern "C" fn vector(args: &mut Args) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r0, r4-r11, lr}}",
        "ldrd r1, r2, [r0, #16]",
        "vdup.32 q2, r1",
        "vdup.32 q3, r2",
        "add r1, r0, #24",
        "ldm r1, {{r5, r7, r8, r10}}",
        "cmp r8, #16",
        "beq 10f",
        "cmp r8, #1",
        "beq 10f",
        "1:", // four outputs; r0 the arguments
        "ldrd r9, r2, [r0]",
        "mov r1, r10",
        "add r3, r1, r8",
        "add r11, r3, r8",
        "add r12, r11, r8",
        "add r10, r12, r8",
        "cmp r2, #4",
        "blt 8f",
        "2:",
        "ldm r7!, {{r0, r2, r4, r6}}",
        "dlstp.8 lr, r8",
        "3:",
        "vldrb.u8 q0, [r9], #16",
        "vldrb.u8 q1, [r1], #16",
        "vmladava.s8 r0, q0, q1",
        "vldrb.u8 q1, [r3], #16",
        "vmladava.s8 r2, q0, q1",
        "vldrb.u8 q1, [r11], #16",
        "vmladava.s8 r4, q0, q1",
        "vldrb.u8 q1, [r12], #16",
        "vmladava.s8 r6, q0, q1",
        "letp lr, 3b",
        "vmov q0[2], q0[0], r0, r4",
        "vmov q0[3], q0[1], r2, r6",
        "ldr r0, [sp]",
        "ldm r0, {{r1, r2, r3, r4}}", // x, outputs, zero, exact
        "cbnz r4, 5f",
        "vldrw.u32 q1, [r7], #16",
        "vqrdmulh.s32 q0, q0, q1",
        "vldrb.s32 q1, [r7], #4",
        "4:",
        "vrshl.s32 q0, q0, q1",
        "vqadd.s32 q0, q0, r3",
        "vmax.s32 q0, q0, q2",
        "vmin.s32 q0, q0, q3",
        "subs r1, r2, #4",
        "str r1, [r0, #4]",
        "blt 7f",
        "vstrb.32 q0, [r5], #4",
        "bne 1b",
        "pop {{r0, r4-r11, pc}}",
        "7:", // the last outputs
        "vctp.32 r2",
        "vpst",
        "vstrbt.32 q0, [r5]",
        "pop {{r0, r4-r11, pc}}",
        "8:", // the weights of the first of the last outputs for those that are none
        "mov r12, r1",
        "cmp r2, #2",
        "it lt",
        "movlt r3, r1",
        "cmp r2, #3",
        "it lt",
        "movlt r11, r1",
        "b 2b",
        "5:", // any shift, ties away from zero
        "vpush {{d8-d11}}",
        "vldrb.s32 q1, [r7, #16]",
        "vmov.i32 q5, #0",
        "vmax.s32 q4, q1, q5",
        "vmin.s32 q1, q1, q5",
        "vshl.s32 q0, q0, q4",
        "vldrw.u32 q4, [r7], #20",
        "vqrdmulh.s32 q0, q0, q4",
        "vand q4, q0, q1",
        "vshr.s32 q4, q4, #31",
        "vadd.i32 q0, q0, q4",
        "vpop {{d8-d11}}",
        "b 4b",
        "10:", // 16 inputs or one: whole groups of outputs, shifts to the right
        "ldm r0, {{r1, r2, r3, r4}}", // x, outputs, zero, exact
        "lsr r9, r2, #2",
        "lsls r2, r2, #30",
        "bne 1b",
        "cmp r4, #1",
        "bgt 1b",
        "vpush {{d8-d11}}",
        "dls lr, r9",
        "cmp r8, #1",
        "beq 12f",
        "vldrb.u8 q4, [r1]",
        "11:",
        "vldrb.u8 q0, [r10, #16]",
        "vldrb.u8 q1, [r10, #32]",
        "vmladav.s8 r2, q0, q4",
        "vldrb.u8 q0, [r10, #48]",
        "vmladav.s8 r4, q1, q4",
        "vldrb.u8 q1, [r10], #64",
        "vmladav.s8 r6, q0, q4",
        "vmladav.s8 r0, q1, q4",
        "vldrw.u32 q1, [r7], #16",
        "vmov q0[2], q0[0], r0, r4",
        "vmov q0[3], q0[1], r2, r6",
        "vadd.i32 q0, q0, q1",
        finish!(),
        "le lr, 11b",
        "vpop {{d8-d11}}",
        "pop {{r0, r4-r11, pc}}",
        "12:",
        "ldrsb r2, [r1]",
        "mov r1, r10",
        "13:",
        "vldrb.s32 q1, [r1], #4",
        "vldrw.u32 q0, [r7], #16",
        "vmla.s32 q0, q1, r2",
        finish!(),
        "le lr, 13b",
        "vpop {{d8-d11}}",
        "pop {{r0, r4-r11, pc}}",
    )
}
