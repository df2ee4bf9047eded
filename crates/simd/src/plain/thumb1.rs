//! Thumb-1: eight registers for most instructions; the others take part in additions.

use core::arch::naked_asm;

use embarca_kernels::device::plain::Param;
use embarca_num::fixed::{doubling_high_mul_by_halves, saturate_i8};

use super::{One, Taps, Two};

/// # Safety
/// The pointers hold `len` bytes each, at least one.
pub(super) unsafe fn two(args: &mut Two) {
    for (x, sums) in args.x.into_iter().zip(&mut args.sums) {
        let mut half = One { x, w: args.w, len: args.len, sums: *sums };
        // SAFETY: as for the whole.
        unsafe { one(&mut half) };
        *sums = half.sums;
    }
}

macro_rules! element {
    () => {
        concat!(
            "ldrsb r7, [r1, r4]\n",
            "ldrsb r0, [r2, r4]\n",
            "muls r0, r7, r0\n",
            "adds r5, r5, r0\n",
            "ldrsb r0, [r3, r4]\n",
            "muls r0, r7, r0\n",
            "adds r6, r6, r0\n",
            "adds r4, r4, #1\n",
        )
    };
}

/// # Safety
/// The pointers hold `len` bytes each, at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn one(args: &mut One) {
    naked_asm!(
        "push {{r0, r4-r7, lr}}",
        // Ends of the vector r1 and the weights r2, r3; minus the count r4; sums r5, r6.
        "ldm r0!, {{r1-r6}}",
        "adds r1, r1, r4",
        "adds r2, r2, r4",
        "adds r3, r3, r4",
        "rsbs r4, r4, #0",
        "1:",
        "movs r0, #3",
        "tst r4, r0",
        "beq 2f",
        element!(),
        "b 1b",
        "2:",
        "cmp r4, #0",
        "beq 4f",
        "3:",
        element!(),
        element!(),
        element!(),
        element!(),
        "bne 3b",
        "4:",
        "pop {{r0}}",
        "adds r0, #16",
        "stm r0!, {{r5, r6}}",
        "pop {{r4-r7, pc}}",
    )
}

macro_rules! channel {
    ($index:literal, $sum:literal) => {
        concat!(
            "ldrsb r3, [r1, ",
            $index,
            "]\n",
            "ldrsb r0, [r2, ",
            $index,
            "]\n",
            "muls r0, r3, r0\n",
            "add ",
            $sum,
            ", r0\n",
        )
    };
}

/// # Safety
/// The pointers hold the taps and their weights; there is a row and a column.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn taps(args: &mut Taps) {
    naked_asm!(
        "push {{r0, r4-r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "push {{r4-r7}}",
        // Taps r1, weights r2, 0 to 3 in r4 to r7, sums r8 to r11, step r12, end of the row lr.
        "ldr r1, [r0]",
        "ldr r2, [r0, #4]",
        "ldr r3, [r0, #24]",
        "mov r8, r3",
        "ldr r3, [r0, #28]",
        "mov r9, r3",
        "ldr r3, [r0, #32]",
        "mov r10, r3",
        "ldr r3, [r0, #36]",
        "mov r11, r3",
        "ldr r3, [r0, #16]",
        "mov r12, r3",
        "movs r4, #0",
        "movs r5, #1",
        "movs r6, #2",
        "movs r7, #3",
        "1:",
        "ldr r0, [sp, #16]",
        "ldr r3, [r0, #12]",
        "adds r3, r3, r1",
        "mov lr, r3",
        "2:",
        channel!("r4", "r8"),
        channel!("r5", "r9"),
        channel!("r6", "r10"),
        channel!("r7", "r11"),
        "add r1, r12",
        "adds r2, #4",
        "cmp r1, lr",
        "bne 2b",
        "ldr r0, [sp, #16]",
        "ldr r3, [r0, #20]",
        "adds r1, r1, r3",
        "ldr r3, [r0, #8]",
        "subs r3, #1",
        "str r3, [r0, #8]",
        "bne 1b",
        "mov r4, r8",
        "mov r5, r9",
        "mov r6, r10",
        "mov r7, r11",
        "adds r0, #24",
        "stm r0!, {{r4-r7}}",
        "pop {{r4-r7}}",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "add sp, #4",
        "pop {{r4-r7, pc}}",
    )
}

/// # Safety
/// There are `count` sums, parameters and results.
pub(super) unsafe fn finish(sums: *const i32, params: *const Param, y: *mut u8, count: u32) {
    for index in 0..count as usize {
        // SAFETY: `index` is below `count`.
        let (sum, param) = unsafe { (sums.add(index).read(), &*params.add(index)) };
        let [twice, addend, shift] = param.factor;
        let multiplier = (twice.cast_unsigned() >> 1).cast_signed();
        let left = shift.wrapping_neg().max(0) as u32 & 31;
        let x = doubling_high_mul_by_halves(sum.wrapping_shl(left), multiplier);
        let right = shift.max(0) as u32 & 31;
        let away = if 0 < shift { x >> 31 } else { 0 };
        let value = saturate_i8(x.wrapping_add(away).wrapping_add(addend) >> right);
        // SAFETY: as above.
        unsafe { y.add(index).write(value as u8) };
    }
}

/// # Safety
/// The pointers hold `len` bytes each.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy(to: *mut u8, from: *const u8, len: u32) {
    naked_asm!(
        "movs r3, r0",
        "orrs r3, r1",
        "lsls r3, r3, #30",
        "bne 2f",
        "subs r2, #4",
        "blt 3f",
        "1:",
        "ldm r1!, {{r3}}",
        "stm r0!, {{r3}}",
        "subs r2, #4",
        "bge 1b",
        "3:",
        "adds r2, #4",
        "2:",
        "cmp r2, #0",
        "beq 5f",
        "4:",
        "ldrb r3, [r1]",
        "strb r3, [r0]",
        "adds r1, #1",
        "adds r0, #1",
        "subs r2, #1",
        "bne 4b",
        "5:",
        "bx lr",
    )
}
