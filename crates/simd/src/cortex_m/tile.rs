//! Four positions times two output channels.

use core::arch::naked_asm;

use embarca_kernels::device::Tile;

use super::{enlarge, rescale};

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
    };
    // SAFETY: the caller has compared the views; constants and scratch are aligned to 4.
    unsafe { tile(&args) };
}

/// Two elements: one word holds them for two channels, four words for four positions.
macro_rules! step {
    () => { concat!(
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
        "smlad r11, r3, r1, r11\n") };
}

/// Sums in r4 to r11, channel after channel within a position; weights at r12, inputs at lr.
#[unsafe(naked)]
unsafe extern "C" fn tile(args: &Args) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #36",
        "ldm r0!, {{r1-r8}}",
        // [sp]: inputs, weights, params, y, stride, channels, end of inputs, first step
        "adr lr, 3f",
        "add r8, lr",
        "orr r8, #1",
        "mov r12, r2",
        "stm sp, {{r1-r8}}",
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
        step!(), step!(), step!(), step!(), step!(), step!(), step!(), step!(),
        "ldr r0, [sp, #24]",
        "cmp lr, r0",
        "bne 3b",
        "ldr r0, [sp, #8]",
        "ldm r0!, {{r1, r2, r3}}",
        "cmp r3, #0",
        "ble 4f",
        rescale!("r4"), rescale!("r6"), rescale!("r8"), rescale!("r10"),
        "5:",
        "ldm r0!, {{r1, r2, r3}}",
        "cmp r3, #0",
        "str r0, [sp, #8]",
        "ble 6f",
        rescale!("r5"), rescale!("r7"), rescale!("r9"), rescale!("r11"),
        "7:",
        "ldr r0, [sp, #20]",
        "ldrd r1, r2, [sp, #12]",
        "subs r0, #2",
        "add r3, r1, #2",
        "blt 8f",
        "bfi r4, r5, #8, #8",
        "bfi r6, r7, #8, #8",
        "bfi r8, r9, #8, #8",
        "bfi r10, r11, #8, #8",
        "strh r4, [r1]",
        "strh r6, [r1, r2]",
        "strh r8, [r1, r2, lsl #1]",
        "add r1, r2",
        "strh r10, [r1, r2, lsl #1]",
        "str r3, [sp, #12]",
        "str r0, [sp, #20]",
        "bne 1b",
        "9:",
        "add sp, #36",
        "pop {{r4-r11, pc}}",
        "4:",
        "rsb r3, r3, #1",
        enlarge!("r4"), enlarge!("r6"), enlarge!("r8"), enlarge!("r10"),
        "b 5b",
        "6:",
        "rsb r3, r3, #1",
        enlarge!("r5"), enlarge!("r7"), enlarge!("r9"), enlarge!("r11"),
        "b 7b",
        "8:", // one channel is left
        "strb r4, [r1]",
        "strb r6, [r1, r2]",
        "strb r8, [r1, r2, lsl #1]",
        "add r1, r2",
        "strb r10, [r1, r2, lsl #1]",
        "b 9b",
    )
}

/// Four runs of bytes as pairs of 16 bits, word by word in turn; `groups` groups of four, at least 1.
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

