//! One vector times four output channels.
//!
//! A word of weights holds two elements of two outputs as 16-bit lanes, 256 times the second output
//! plus the first. Multiplied as it is, it yields both sums at once; its low bytes alone yield the
//! first. What is left of the difference is the second, exact while it fits 24 bits: so long vectors
//! are taken in parts, and the second sums of the parts are added up.

use core::arch::naked_asm;

use embarca_kernels::device::Vector;

use super::{enlarge, rectify, rescale};

/// What the loop gets.
#[repr(C)]
struct Args {
    x: *const u8,
    params: *const u8,
    /// Where the loop over two groups is entered: bytes of code to skip.
    skip: u32,
    y: *const u8,
    outputs: u32,
    factor: *const i32,
    rectified: u32,
    weights: *const u8,
    /// Behind the first part.
    part: *const u8,
    /// Behind the vector.
    end: *const u8,
}

/// Groups of a part: 256 products of up to 2^14 stay under 2^22, and so does a bias.
const PART: usize = 64;

const NO_FACTOR: [i32; 3] = [0; 3];

/// Bytes of code of a group.
const GROUP: u32 = 64;

/// Computes the outputs. The last group may lie partly behind the inputs; its weights are zero.
#[inline]
pub(super) fn run(v: &Vector<'_>) {
    let (groups, quads) = (v.inputs.div_ceil(4) as usize, v.outputs.div_ceil(4) as usize);
    let params = if v.factor.is_some() { 16 } else { 64 };
    if groups * quads == 0
        || v.x.len() < groups * 4
        || v.weights.len() < groups * quads * 16
        || v.params.len() < quads * params
        || v.y.len() < v.outputs as usize
    {
        return;
    }
    let odd = groups % 2;
    let part = if groups <= PART { groups } else { PART - odd };
    let args = Args {
        x: v.x.as_ptr().cast(),
        params: v.params.as_ptr(),
        skip: if odd == 0 { 0 } else { GROUP },
        y: v.y.as_ptr().cast(),
        outputs: v.outputs,
        factor: v.factor.unwrap_or(&NO_FACTOR).as_ptr(),
        rectified: match (v.factor, v.rectified) {
            (None, _) => 0,
            (_, true) => 2,
            _ => 1,
        },
        weights: v.weights.as_ptr(),
        part: v.x.as_ptr().wrapping_add(part * 4).cast(),
        end: v.x.as_ptr().wrapping_add(groups * 4).cast(),
    };
    // SAFETY: the views hold what is read and written, as compared above; constants are aligned to
    // 4.
    unsafe { dense(&args) };
}

/// Four elements of four outputs: sums in r4 to r7, the vector at r3, the weights at r12.
macro_rules! step {
    () => {
        concat!(
            "ldr r1, [r3], #4\n",
            "ldm r12!, {{r8, r9, r10, r11}}\n",
            "sxtb16 r0, r1\n",
            "sxtb16 r1, r1, ror #8\n",
            "sxtb16 r2, r8\n",
            "smlad r5, r8, r0, r5\n",
            "smlad r4, r2, r0, r4\n",
            "sxtb16 r2, r9\n",
            "smlad r7, r9, r0, r7\n",
            "smlad r6, r2, r0, r6\n",
            "sxtb16 r2, r10\n",
            "smlad r5, r10, r1, r5\n",
            "smlad r4, r2, r1, r4\n",
            "sxtb16 r2, r11\n",
            "smlad r7, r11, r1, r7\n",
            "smlad r6, r2, r1, r6\n",
        )
    };
}

/// One output with a factor of its own, next at r8.
macro_rules! own {
    ($a:literal, $down:literal, $back:literal) => {
        concat!(
            "ldm r8!, {{r1, r2, r3}}\n",
            "cmp r3, #0\n",
            "ble ",
            $down,
            "f\n",
            rescale!($a),
            $back,
            ":\n"
        )
    };
}

/// The same to the left.
macro_rules! left {
    ($a:literal, $down:literal, $back:literal) => {
        concat!($down, ":\n", "rsb r3, r3, #0\n", enlarge!($a), "b ", $back, "b\n")
    };
}

/// # Safety
/// The pointers hold what the loop reads and writes; constants are aligned to 4.
#[unsafe(naked)]
unsafe extern "C" fn dense(args: &Args) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #52",
        "ldm r0, {{r1-r6, r7, r9, r10, r11}}",
        // [sp]: 0 x, 4 params, 8 entry, 12 y, 16 outputs left, 20 factor, 24 behind a part, 28 tail,
        // 32 behind the first part, 36 behind the vector, 40 and 44 second sums of the parts so far
        "adr r8, 2f",
        "add r3, r8",
        "orr r3, #1",
        "adr r8, 7f",
        "cmp r7, #1",
        "it eq",
        "addeq r8, #(8f - 7f)",
        "it gt",
        "addgt r8, #(9f - 7f)",
        "orr r8, #1",
        "mov r12, r9",
        "mov r7, r8",
        "cmp r10, r11",
        "beq 10f",
        "adr r7, 11f",
        "orr r7, #1",
        "mov r0, #0",
        "str r0, [sp, #40]",
        "str r0, [sp, #44]",
        "10:",
        "mov lr, r10",
        "stm sp, {{r1-r6, r7, r8, r10, r11}}",
        "1:",
        "ldr r8, [sp, #4]",
        "ldr r3, [sp]",
        "ldm r8!, {{r4, r5, r6, r7}}",
        "str r8, [sp, #4]",
        "ldr pc, [sp, #8]",
        ".p2align 2",
        "2:",
        step!(),
        step!(),
        "cmp r3, lr",
        "bne 2b",
        "ldrd r0, r8, [sp, #20]",
        "sub r5, r4",
        "sub r7, r6",
        "ldm r0, {{r1, r2, r3}}",
        "asr r5, #8",
        "asr r7, #8",
        "bx r8",
        ".p2align 2",
        "11:", // behind a part: the second sums go on from nothing
        "ldrd r9, r10, [sp, #40]",
        "ldr r11, [sp, #36]",
        "add r5, r9",
        "add r7, r10",
        "cmp lr, r11",
        "beq 12f",
        "strd r5, r7, [sp, #40]",
        "mov r3, lr",
        "add lr, #256",
        "cmp lr, r11",
        "it hi",
        "movhi lr, r11",
        "mov r5, r4",
        "mov r7, r6",
        "b 2b",
        "12:",
        "mov r9, #0",
        "strd r9, r9, [sp, #40]",
        "ldrd r8, lr, [sp, #28]",
        "bx r8",
        ".p2align 2",
        "7:", // each output has its factor
        "ldr r8, [sp, #4]",
        own!("r4", "20", "24"),
        own!("r5", "21", "25"),
        own!("r6", "22", "26"),
        own!("r7", "23", "27"),
        "str r8, [sp, #4]",
        "b 3f",
        ".p2align 2",
        "8:", // one factor with any shift
        "cmp r3, #0",
        "ble 4f",
        rescale!("r4"),
        rescale!("r5"),
        rescale!("r6"),
        rescale!("r7"),
        "b 3f",
        "4:",
        "rsb r3, r3, #0",
        enlarge!("r4"),
        enlarge!("r5"),
        enlarge!("r6"),
        enlarge!("r7"),
        "b 3f",
        ".p2align 2",
        "9:", // one factor to the right, and what is below the zero point is cut off
        rectify!("r4"),
        rectify!("r5"),
        rectify!("r6"),
        rectify!("r7"),
        "3:",
        "ldrd r9, r10, [sp, #12]",
        "subs r10, #4",
        "blt 5f",
        "bfi r4, r5, #8, #8",
        "bfi r6, r7, #8, #8",
        "pkhbt r4, r4, r6, lsl #16",
        "str r4, [r9], #4",
        "strd r9, r10, [sp, #12]",
        "bne 1b",
        "6:",
        "add sp, #52",
        "pop {{r4-r11, pc}}",
        "5:",
        "strb r4, [r9]",
        "cmn r10, #2",
        "blt 6b",
        "strb r5, [r9, #1]",
        "beq 6b",
        "strb r6, [r9, #2]",
        "b 6b",
        left!("r4", "20", "24"),
        left!("r5", "21", "25"),
        left!("r6", "22", "26"),
        left!("r7", "23", "27"),
    )
}
