//! One vector times four output channels.

use core::arch::naked_asm;

use embarca_kernels::device::Bytes;

use super::{enlarge, rescale};

/// What the loop gets.
#[repr(C)]
struct Args {
    x: *const u8,
    end: *const u8,
    weights: *const u8,
    params: *const u8,
    y: *const u8,
    outputs: u32,
    /// Whether the number of groups is odd.
    odd: u32,
}

/// Computes `y` when the views are long enough. The last group may lie partly behind `x`; its
/// weights there are zero, and the step has proved that the arena goes on.
pub(super) fn run(x: Bytes<'_>, weights: &[u8], params: &[u8], y: Bytes<'_>) {
    let (groups, quads) = (x.len().div_ceil(4), y.len().div_ceil(4));
    if groups * quads == 0 || weights.len() < groups * quads * 16 || params.len() < quads * 64 {
        return;
    }
    let args = Args {
        x: x.as_ptr().cast(),
        end: x.as_ptr().wrapping_add(groups * 4).cast(),
        weights: weights.as_ptr(),
        params: params.as_ptr(),
        y: y.as_ptr().cast(),
        outputs: y.len() as u32,
        odd: (groups % 2) as u32,
    };
    // SAFETY: the views hold what is read and written, as compared above; constants are aligned to
    // 4.
    unsafe { dense(&args) };
}

/// Four elements of four channels: sums in r4 to r7, the vector at r3, the weights at r12.
macro_rules! step {
    () => {
        concat!(
            "ldr r1, [r3], #4\n",
            "ldm r12!, {{r8, r9, r10, r11}}\n",
            "sxtb16 r0, r1\n",
            "sxtb16 r1, r1, ror #8\n",
            "sxtb16 r2, r8\n",
            "smlad r4, r2, r0, r4\n",
            "sxtb16 r8, r8, ror #8\n",
            "smlad r5, r8, r0, r5\n",
            "sxtb16 r2, r9\n",
            "smlad r6, r2, r0, r6\n",
            "sxtb16 r9, r9, ror #8\n",
            "smlad r7, r9, r0, r7\n",
            "sxtb16 r2, r10\n",
            "smlad r4, r2, r1, r4\n",
            "sxtb16 r10, r10, ror #8\n",
            "smlad r5, r10, r1, r5\n",
            "sxtb16 r2, r11\n",
            "smlad r6, r2, r1, r6\n",
            "sxtb16 r11, r11, ror #8\n",
            "smlad r7, r11, r1, r7\n",
        )
    };
}

/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
unsafe extern "C" fn dense(args: &Args) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #28",
        "ldm r0, {{r1-r7}}",
        // [sp]: x, end, weights, params, y, outputs, odd
        "stm sp, {{r1-r7}}",
        "mov r12, r3",
        "mov lr, r2",
        "1:", // four channels
        "ldr r8, [sp, #12]",
        "ldr r0, [sp, #24]",
        "ldr r3, [sp]",
        "ldm r8!, {{r4-r7}}",
        "str r8, [sp, #12]",
        "cmp r0, #0",
        "bne 3f",
        "2:",
        step!(),
        "3:",
        step!(),
        "cmp r3, lr",
        "bne 2b",
        "ldrd r8, r9, [sp, #12]",
        "ldr r10, [sp, #20]",
        "ldm r8!, {{r1, r2, r3}}",
        "cmp r3, #0",
        "ble 4f",
        rescale!("r4"),
        "14:",
        "strb r4, [r9], #1",
        "ldm r8!, {{r1, r2, r3}}",
        "cmp r10, #2",
        "blt 9f",
        "cmp r3, #0",
        "ble 5f",
        rescale!("r5"),
        "15:",
        "strb r5, [r9], #1",
        "ldm r8!, {{r1, r2, r3}}",
        "cmp r10, #3",
        "blt 9f",
        "cmp r3, #0",
        "ble 6f",
        rescale!("r6"),
        "16:",
        "strb r6, [r9], #1",
        "ldm r8!, {{r1, r2, r3}}",
        "subs r10, #4",
        "blt 9f",
        "cmp r3, #0",
        "ble 7f",
        rescale!("r7"),
        "17:",
        "strb r7, [r9], #1",
        "cmp r10, #0",
        "strd r8, r9, [sp, #12]",
        "str r10, [sp, #20]",
        "bne 1b",
        "9:",
        "add sp, #28",
        "pop {{r4-r11, pc}}",
        "4:",
        "rsb r3, r3, #0",
        enlarge!("r4"),
        "b 14b",
        "5:",
        "rsb r3, r3, #0",
        enlarge!("r5"),
        "b 15b",
        "6:",
        "rsb r3, r3, #0",
        enlarge!("r6"),
        "b 16b",
        "7:",
        "rsb r3, r3, #0",
        enlarge!("r7"),
        "b 17b",
    )
}
