//! RV32 with multiplication: 15 registers that need no saving.

use core::arch::naked_asm;

use embarca_kernels::device::plain::Param;

use super::{One, Taps, Two};

macro_rules! element {
    ($at:literal) => {
        concat!(
            "lb t2, ",
            $at,
            "(a1)\n",
            "lb t4, ",
            $at,
            "(a3)\n",
            "lb t3, ",
            $at,
            "(a2)\n",
            "lb t5, ",
            $at,
            "(a4)\n",
            "mul t6, t2, t4\n",
            "mul t2, t2, t5\n",
            "mul t4, t3, t4\n",
            "mul t3, t3, t5\n",
            "add a6, a6, t6\n",
            "add a7, a7, t2\n",
            "add t0, t0, t4\n",
            "add t1, t1, t3\n",
        )
    };
}

/// # Safety
/// The pointers hold `len` bytes each, at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn two(args: &mut Two) {
    naked_asm!(
        ".option push",
        ".option arch, +m",
        // Vectors a1, a2; weights a3, a4; count a5; sums a6, a7, t0, t1.
        "lw a1, 0(a0)",
        "lw a2, 4(a0)",
        "lw a3, 8(a0)",
        "lw a4, 12(a0)",
        "lw a5, 16(a0)",
        "lw a6, 20(a0)",
        "lw a7, 24(a0)",
        "lw t0, 28(a0)",
        "lw t1, 32(a0)",
        "addi a5, a5, -4",
        "bltz a5, 2f",
        "1:",
        element!("0"),
        element!("1"),
        element!("2"),
        element!("3"),
        "addi a5, a5, -4",
        "addi a1, a1, 4",
        "addi a2, a2, 4",
        "addi a3, a3, 4",
        "addi a4, a4, 4",
        "bgez a5, 1b",
        "2:",
        "addi a5, a5, 4",
        "beqz a5, 4f",
        "3:",
        element!("0"),
        "addi a5, a5, -1",
        "addi a1, a1, 1",
        "addi a2, a2, 1",
        "addi a3, a3, 1",
        "addi a4, a4, 1",
        "bnez a5, 3b",
        "4:",
        "sw a6, 20(a0)",
        "sw a7, 24(a0)",
        "sw t0, 28(a0)",
        "sw t1, 32(a0)",
        "ret",
        ".option pop",
    )
}

macro_rules! single {
    ($at:literal) => {
        concat!(
            "lb t2, ",
            $at,
            "(a1)\n",
            "lb t3, ",
            $at,
            "(a2)\n",
            "lb t4, ",
            $at,
            "(a3)\n",
            "mul t3, t2, t3\n",
            "mul t4, t2, t4\n",
            "add a6, a6, t3\n",
            "add a7, a7, t4\n",
        )
    };
}

/// # Safety
/// The pointers hold `len` bytes each, at least one.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn one(args: &mut One) {
    naked_asm!(
        ".option push",
        ".option arch, +m",
        // Vector a1; weights a2, a3; count a5; sums a6, a7.
        "lw a1, 0(a0)",
        "lw a2, 4(a0)",
        "lw a3, 8(a0)",
        "lw a5, 12(a0)",
        "lw a6, 16(a0)",
        "lw a7, 20(a0)",
        "addi a5, a5, -4",
        "bltz a5, 2f",
        "1:",
        single!("0"),
        single!("1"),
        single!("2"),
        single!("3"),
        "addi a5, a5, -4",
        "addi a1, a1, 4",
        "addi a2, a2, 4",
        "addi a3, a3, 4",
        "bgez a5, 1b",
        "2:",
        "addi a5, a5, 4",
        "beqz a5, 4f",
        "3:",
        single!("0"),
        "addi a5, a5, -1",
        "addi a1, a1, 1",
        "addi a2, a2, 1",
        "addi a3, a3, 1",
        "bnez a5, 3b",
        "4:",
        "sw a6, 16(a0)",
        "sw a7, 20(a0)",
        "ret",
        ".option pop",
    )
}

macro_rules! channel {
    ($at:literal, $sum:literal) => {
        concat!(
            "lb t3, ",
            $at,
            "(a1)\n",
            "lb t4, ",
            $at,
            "(a2)\n",
            "mul t3, t3, t4\n",
            "add ",
            $sum,
            ", ",
            $sum,
            ", t3\n",
        )
    };
}

/// # Safety
/// The pointers hold the taps and their weights; there is a row and a column.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn taps(args: &mut Taps) {
    naked_asm!(
        ".option push",
        ".option arch, +m",
        // Taps a1, weights a2, rows a3, span a4, step a5, skip a6, sums a7, t0, t1, t2.
        "lw a1, 0(a0)",
        "lw a2, 4(a0)",
        "lw a3, 8(a0)",
        "lw a4, 12(a0)",
        "lw a5, 16(a0)",
        "lw a6, 20(a0)",
        "lw a7, 24(a0)",
        "lw t0, 28(a0)",
        "lw t1, 32(a0)",
        "lw t2, 36(a0)",
        "1:",
        "add t5, a1, a4",
        "2:",
        channel!("0", "a7"),
        channel!("1", "t0"),
        channel!("2", "t1"),
        channel!("3", "t2"),
        "add a1, a1, a5",
        "addi a2, a2, 4",
        "bne a1, t5, 2b",
        "add a1, a1, a6",
        "addi a3, a3, -1",
        "bnez a3, 1b",
        "sw a7, 24(a0)",
        "sw t0, 28(a0)",
        "sw t1, 32(a0)",
        "sw t2, 36(a0)",
        "ret",
        ".option pop",
    )
}

/// Twice the sum in `a4` times the multiplier in `a5`, rounded, over 2^32: in `t0`.
macro_rules! product {
    () => {
        concat!(
            "slli a4, a4, 1\n",
            "mulh t0, a4, a5\n",
            "mul t1, a4, a5\n",
            "srli t1, t1, 31\n",
            "add t0, t0, t1\n",
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
        ".option push",
        ".option arch, +m",
        "li t3, 127",
        "li t4, -128",
        "1:",
        "lw a4, 0(a0)",
        "lw a5, 4(a1)",
        "lw a6, 8(a1)",
        "lw a7, 12(a1)",
        "addi a0, a0, 4",
        "addi a1, a1, 16",
        "srli a5, a5, 1",
        "blez a7, 5f",
        product!(),
        "srai t1, t0, 31",
        "add t0, t0, t1",
        "add t0, t0, a6",
        "sra t0, t0, a7",
        "2:",
        "ble t0, t3, 3f",
        "mv t0, t3",
        "3:",
        "bge t0, t4, 4f",
        "mv t0, t4",
        "4:",
        "sb t0, 0(a2)",
        "addi a2, a2, 1",
        "addi a3, a3, -1",
        "bnez a3, 1b",
        "ret",
        "5:",
        "neg a7, a7",
        "sll a4, a4, a7",
        product!(),
        "add t0, t0, a6",
        "j 2b",
        ".option pop",
    )
}

/// # Safety
/// The pointers hold `len` bytes each.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn copy(to: *mut u8, from: *const u8, len: u32) {
    naked_asm!(
        ".option push",
        ".option arch, +m",
        "or a3, a0, a1",
        "andi a3, a3, 3",
        "bnez a3, 2f",
        "1:",
        "addi a2, a2, -4",
        "bltz a2, 3f",
        "lw a3, 0(a1)",
        "addi a1, a1, 4",
        "sw a3, 0(a0)",
        "addi a0, a0, 4",
        "j 1b",
        "3:",
        "addi a2, a2, 4",
        "2:",
        "beqz a2, 5f",
        "4:",
        "lb a3, 0(a1)",
        "addi a1, a1, 1",
        "sb a3, 0(a0)",
        "addi a0, a0, 1",
        "addi a2, a2, -1",
        "bnez a2, 4b",
        "5:",
        "ret",
        ".option pop",
    )
}
