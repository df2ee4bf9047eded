//! Four positions times two output channels.

use core::arch::naked_asm;

use embarca_kernels::device::Tile;

use super::{enlarge, rectify, rescale};

/// Steps of two elements in the loop, and the bytes of code of one.
const STEPS: u32 = 8;
const STEP_BYTES: u32 = 52;

/// What the loop gets.
#[repr(C)]
struct Args {
    inputs: *const u32,
    weights: *const u8,
    params: *const u8,
    y: *const u8,
    stride: u32,
    channels: u32,
    end: *const u32,
    /// Bytes of code that the first round skips.
    skip: u32,
    /// As in [`Tile::rectified`].
    rectified: u32,
}

/// Computes a tile whose views are long enough.
pub(super) fn run(t: &Tile<'_>) {
    let steps = (t.inputs.len() / 16) as u32;
    let first = match steps % STEPS {
        0 => STEPS,
        first => first,
    };
    let range = t.inputs.as_ptr_range();
    let args = Args {
        inputs: range.start.cast(),
        weights: t.weights.as_ptr(),
        params: t.params.as_ptr(),
        y: t.y.as_ptr().cast(),
        stride: t.stride,
        channels: t.channels,
        end: range.end.cast(),
        skip: STEP_BYTES * (STEPS - first),
        rectified: u32::from(t.rectified),
    };
    // SAFETY: the caller has compared the views; constants and scratch are aligned to 4.
    unsafe { tile(&args) };
}

/// Two elements: one word holds them for two channels, four words for four positions.
macro_rules! step {
    () => {
        concat!(
            "ldr r0, [r12], #4\n",
            "ldrd r2, r3, [lr], #8\n",
            "sxtb16 r1, r0, ror #8\n",
            "sxtb16 r0, r0\n",
            "smlad r4, r2, r0, r4\n",
            "smlad r5, r2, r1, r5\n",
            "smlad r6, r3, r0, r6\n",
            "smlad r7, r3, r1, r7\n",
            "ldrd r2, r3, [lr], #8\n",
            "smlad r8, r2, r0, r8\n",
            "smlad r9, r2, r1, r9\n",
            "smlad r10, r3, r0, r10\n",
            "smlad r11, r3, r1, r11\n"
        )
    };
}

/// Sums in r4 to r11, channel after channel within a position; weights at r12, inputs at lr.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
unsafe extern "C" fn tile(args: &Args) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #36",
        "ldm r0, {{r1-r9}}",
        // [sp]: 0 inputs, 4 weights, 8 params, 12 y, 16 stride, 20 channels, 24 end of inputs,
        // 28 first step, 32 tail
        "adr lr, 3f",
        "add r8, lr",
        "orr r8, #1",
        "adr lr, 4f",
        "adr r12, 14f",
        "cmp r9, #0",
        "ite eq",
        "moveq r9, lr",
        "movne r9, r12",
        "orr r9, #1",
        "mov r12, r2",
        "stm sp, {{r1-r9}}",
        "1:", // a pair of channels
        "ldr r0, [sp, #8]",
        "ldr lr, [sp]",
        "ldm r0!, {{r4, r5}}",
        "mov r6, r4",
        "mov r7, r5",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r4",
        "mov r11, r5",
        "str r0, [sp, #8]",
        "ldr pc, [sp, #28]",
        ".p2align 2",
        "3:",
        step!(),
        step!(),
        step!(),
        step!(),
        step!(),
        step!(),
        step!(),
        step!(),
        "ldr r0, [sp, #24]",
        "cmp lr, r0",
        "bne 3b",
        "ldr r0, [sp, #8]",
        "ldr pc, [sp, #32]",
        ".p2align 2",
        "14:", // every shift goes right, and what is below the zero point is cut off
        "ldm r0!, {{r1, r2, r3}}",
        rectify!("r4"),
        rectify!("r6"),
        rectify!("r8"),
        rectify!("r10"),
        "ldm r0!, {{r1, r2, r3}}",
        rectify!("r5"),
        rectify!("r7"),
        rectify!("r9"),
        rectify!("r11"),
        "7:",
        "str r0, [sp, #8]",
        "add r0, sp, #12",
        "ldm r0, {{r1, r2, r3}}", // y, stride, channels
        "subs r3, #2",
        "blt 8f",
        "bfi r4, r5, #8, #8",
        "bfi r6, r7, #8, #8",
        "bfi r8, r9, #8, #8",
        "bfi r10, r11, #8, #8",
        "strh r6, [r1, r2]",
        "strh r8, [r1, r2, lsl #1]",
        "add r2, r2, r2, lsl #1",
        "strh r10, [r1, r2]",
        "strh r4, [r1], #2",
        "str r3, [sp, #20]",
        "str r1, [sp, #12]",
        "bne 1b",
        "9:",
        "add sp, #36",
        "pop {{r4-r11, pc}}",
        "8:", // one channel is left
        "strb r4, [r1]",
        "strb r6, [r1, r2]",
        "strb r8, [r1, r2, lsl #1]",
        "add r1, r2",
        "strb r10, [r1, r2, lsl #1]",
        "b 9b",
        ".p2align 2",
        "4:", // any shift
        "ldm r0!, {{r1, r2, r3}}",
        "cmp r3, #0",
        "ble 5f",
        rescale!("r4"),
        rescale!("r6"),
        rescale!("r8"),
        rescale!("r10"),
        "15:",
        "ldm r0!, {{r1, r2, r3}}",
        "cmp r3, #0",
        "ble 6f",
        rescale!("r5"),
        rescale!("r7"),
        rescale!("r9"),
        rescale!("r11"),
        "b 7b",
        "5:",
        "rsb r3, r3, #0",
        enlarge!("r4"),
        enlarge!("r6"),
        enlarge!("r8"),
        enlarge!("r10"),
        "b 15b",
        "6:",
        "rsb r3, r3, #0",
        enlarge!("r5"),
        enlarge!("r7"),
        enlarge!("r9"),
        enlarge!("r11"),
        "b 7b",
    )
}

/// Four runs of bytes as pairs of 16 bits, word by word in turn; `groups` groups of four, at least 1.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen(from: &[*const i8; 4], to: *const u8, groups: u32) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r0, {{r9, r10, r11, r12}}",
        "mov lr, r1",
        "1:",
        "ldr r0, [r9], #4",
        "ldr r1, [r10], #4",
        "ldr r3, [r11], #4",
        "ldr r4, [r12], #4",
        "sxtb16 r5, r0, ror #8",
        "sxtb16 r6, r1, ror #8",
        "sxtb16 r7, r3, ror #8",
        "sxtb16 r8, r4, ror #8",
        "sxtb16 r0, r0",
        "sxtb16 r1, r1",
        "sxtb16 r3, r3",
        "sxtb16 r4, r4",
        "subs r2, #1",
        "stm lr!, {{r0, r1, r3, r4}}",
        "stm lr!, {{r5, r6, r7, r8}}",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}

/// As [`widen`], for one position.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen_one(from: *const i8, to: *const u8, groups: u32) {
    naked_asm!(
        "1:",
        "ldr r3, [r0], #4",
        "sxtb16 r12, r3",
        "sxtb16 r3, r3, ror #8",
        "str r12, [r1], #16",
        "str r3, [r1], #16",
        "subs r2, #1",
        "bne 1b",
        "bx lr",
    )
}

/// A pair of 16 bits into both words of `groups` groups of one position.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn fill_one(pair: u32, to: *const u8, groups: u32) {
    naked_asm!("1:", "str r0, [r1], #16", "str r0, [r1], #16", "subs r2, #1", "bne 1b", "bx lr",)
}
