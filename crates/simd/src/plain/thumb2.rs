//! Thumb-2: multiply and add in one instruction, 13 registers.

use core::arch::naked_asm;

use embarca_kernels::device::plain::Param;

use super::{One, Taps, Two};

macro_rules! element {
    () => {
        concat!(
            "ldrsb r0, [r1], #1\n",
            "ldrsb r11, [r3], #1\n",
            "ldrsb r10, [r2], #1\n",
            "ldrsb r12, [r4], #1\n",
            "mla r6, r0, r11, r6\n",
            "mla r7, r0, r12, r7\n",
            "mla r8, r10, r11, r8\n",
            "mla r9, r10, r12, r9\n",
        )
    };
}

/// # Safety
/// The pointers hold `len` bytes each, at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn two(args: &mut Two) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        // Vectors r1, r2; weights r3, r4; count r5; sums r6 to r9.
        "ldm r0, {{r1-r9}}",
        "subs r5, #4",
        "blt 2f",
        "1:",
        element!(),
        element!(),
        element!(),
        element!(),
        "subs r5, #4",
        "bge 1b",
        "2:",
        "adds r5, #4",
        "beq 4f",
        "3:",
        element!(),
        "subs r5, #1",
        "bne 3b",
        "4:",
        "pop {{r0}}",
        "adds r0, #20",
        "stm r0, {{r6-r9}}",
        "pop {{r4-r11, pc}}",
    )
}

macro_rules! single {
    () => {
        concat!(
            "ldrsb r7, [r1], #1\n",
            "ldrsb r8, [r2], #1\n",
            "ldrsb r12, [r3], #1\n",
            "mla r5, r7, r8, r5\n",
            "mla r6, r7, r12, r6\n",
        )
    };
}

/// # Safety
/// The pointers hold `len` bytes each, at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn one(args: &mut One) {
    naked_asm!(
        "push {{r4-r8, lr}}",
        // Vector r1; weights r2, r3; count r4; sums r5, r6.
        "ldm r0, {{r1-r6}}",
        "subs r4, #4",
        "blt 2f",
        "1:",
        single!(),
        single!(),
        single!(),
        single!(),
        "subs r4, #4",
        "bge 1b",
        "2:",
        "adds r4, #4",
        "beq 4f",
        "3:",
        single!(),
        "subs r4, #1",
        "bne 3b",
        "4:",
        "adds r0, #16",
        "stm r0, {{r5, r6}}",
        "pop {{r4-r8, pc}}",
    )
}

/// # Safety
/// The pointers hold the taps and their weights; there is a row and a column.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn taps(args: &mut Taps) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        // Taps r1, weights r2, rows r3, span r4, step r5, skip r6, sums r7 to r10.
        "ldm r0, {{r1-r10}}",
        "1:",
        "add r0, r1, r4",
        "2:",
        "ldrsb r11, [r1]",
        "ldrsb r12, [r2], #1",
        "ldrsb lr, [r1, #1]",
        "mla r7, r11, r12, r7",
        "ldrsb r12, [r2], #1",
        "ldrsb r11, [r1, #2]",
        "mla r8, lr, r12, r8",
        "ldrsb r12, [r2], #1",
        "ldrsb lr, [r1, #3]",
        "mla r9, r11, r12, r9",
        "ldrsb r12, [r2], #1",
        "add r1, r5",
        "mla r10, lr, r12, r10",
        "cmp r1, r0",
        "bne 2b",
        "add r1, r6",
        "subs r3, #1",
        "bne 1b",
        "pop {{r0}}",
        "adds r0, #24",
        "stm r0, {{r7-r10}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Twice the sum in `r4` times the multiplier in `r5`, rounded, over 2^32: in `lr`.
macro_rules! product {
    () => {
        concat!(
            "lsls r4, r4, #1\n",
            "smull r12, lr, r4, r5\n",
            "lsls r12, r12, #1\n",
            "adc lr, lr, #0\n",
        )
    };
}

/// # Safety
/// There are `count` sums, parameters and results, at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn finish(
    sums: *const i32,
    params: *const Param,
    y: *mut u8,
    count: u32,
) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "1:",
        "ldr r4, [r0], #4",
        "adds r1, #4",
        "ldm r1!, {{r5, r6, r7}}",
        "lsrs r5, r5, #1",
        "cmp r7, #0",
        "ble 3f",
        product!(),
        "add lr, lr, lr, asr #31",
        "add lr, r6",
        "asr lr, lr, r7",
        "2:",
        "ssat lr, #8, lr",
        "strb lr, [r2], #1",
        "subs r3, #1",
        "bne 1b",
        "pop {{r4-r7, pc}}",
        "3:",
        "rsbs r7, r7, #0",
        "lsls r4, r7",
        product!(),
        "add lr, r6",
        "b 2b",
    )
}

/// # Safety
/// The pointers hold `len` bytes each.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy(to: *mut u8, from: *const u8, len: u32) {
    naked_asm!(
        "subs r2, #4",
        "blt 2f",
        "1:",
        "ldr r3, [r1], #4",
        "str r3, [r0], #4",
        "subs r2, #4",
        "bge 1b",
        "2:",
        "adds r2, #4",
        "beq 4f",
        "3:",
        "ldrb r3, [r1], #1",
        "strb r3, [r0], #1",
        "subs r2, #1",
        "bne 3b",
        "4:",
        "bx lr",
    )
}
