//! Lines of a depthwise 3x3 convolution.

use core::arch::naked_asm;

use embarca_kernels::device::{Bytes, Lines, Split};

use super::{enlarge, rectify, rescale};

/// What the loop over a line gets.
#[repr(C)]
struct Line {
    ring: *const u8,
    weights: *const u8,
    params: *const u8,
    y: *const u8,
    step: u32,
    pitch: u32,
    outputs: u32,
    channels: u32,
    rectified: u32,
}

/// Computes one line of outputs for four channels.
pub(super) fn run(l: &Lines<'_>) {
    // Words that the last four outputs read: 4 at 2 words a group, or 5 at 4.
    let groups = l.outputs.div_ceil(4);
    let words = if l.stride == 1 { groups * 2 + 2 } else { groups * 4 + 1 };
    let last = (l.outputs.max(1) - 1) as usize * l.step as usize + 4;
    if l.outputs == 0
        || l.pitch < words * 4
        || l.ring.len() < 12 * l.pitch as usize
        || l.weights.len() < 3 * 48 + 24
        || l.params.len() < 64
        || l.y.len() < last
    {
        return;
    }
    let args = Line {
        ring: l.ring.as_ptr().cast(),
        weights: l.weights.as_ptr().cast(),
        params: l.params.as_ptr(),
        y: l.y.as_ptr().cast(),
        step: l.step,
        pitch: l.pitch,
        outputs: l.outputs,
        channels: 4,
        rectified: u32::from(l.rectified),
    };
    // SAFETY: the views hold what is read and written, as compared above; ring, weights and
    // parameters are aligned to 4.
    unsafe { if l.stride == 1 { stride1(&args) } else { stride2(&args) } };
}

/// Puts the weights of four channels into pairs.
pub(super) fn spread(weights: &[u8], table: Bytes<'_>, upright: bool) {
    if weights.len() < 36 || table.len() < 192 {
        return;
    }
    let (tap, row) = if upright { (12, 4) } else { (4, 12) };
    // SAFETY: the loop reads 36 bytes and writes 192, both aligned to 4.
    unsafe { pairs(weights.as_ptr(), table.as_ptr().cast(), tap, row) };
}

/// What the split of a line gets.
#[repr(C)]
struct SplitArgs {
    to: *const u8,
    pitch: u32,
    from: *const u8,
    step: u32,
    count: u32,
    odd: u32,
}

/// Widens one line of inputs of four channels into their lines of the ring.
pub(super) fn split(s: &Split<'_>) {
    let line = (s.count as usize + usize::from(s.odd)) * 2;
    if s.count == 0
        || s.to.len() < 3 * s.pitch as usize + line
        || s.from.len() < (s.count - 1) as usize * s.step as usize + 4
    {
        return;
    }
    let args = SplitArgs {
        to: s.to.as_ptr().cast(),
        pitch: s.pitch,
        from: s.from.as_ptr().cast(),
        step: s.step,
        count: s.count,
        odd: u32::from(s.odd),
    };
    // SAFETY: the views hold what is read and written, as compared above.
    unsafe { split4(&args) };
}

/// A loop over four channels and, within, four outputs of their line at a time. Sums in r4 to r7,
/// kernel row by kernel row; the place in the ring in r12, the weights at lr.
macro_rules! depthwise {
    ($name:ident, $advance:literal, $mac:expr) => {
        /// # Safety
        /// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(args: &Line) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "sub sp, #52",
                "ldm r0, {{r1-r9}}",
                // [sp]: 0 ring, 4 weights, 8 params, 12 y, 16 step, 20 pitch, 24 outputs, 28 channels,
                // 32 rectified, 36 outputs left, 40 place in the line, 44 y in the line
                "stm sp, {{r1-r9}}",
                "1:", // a channel
                "ldr r1, [sp]",
                "ldr r2, [sp, #12]",
                "ldr r3, [sp, #24]",
                "2:", // four outputs: r1 place, r2 y, r3 left
                "strd r3, r1, [sp, #36]",
                "str r2, [sp, #44]",
                "mov r12, r1",
                "ldr lr, [sp, #4]",
                "ldr r0, [sp, #8]",
                "ldr r4, [r0]",
                "mov r5, r4",
                "mov r6, r4",
                "mov r7, r4",
                "ldr r8, [sp, #20]",
                $mac,
                $mac,
                $mac,
                "ldr r0, [sp, #8]",
                "ldm r0, {{r0, r1, r2, r3}}",
                "ldr r8, [sp, #32]",
                "ldr lr, [sp, #44]",
                "ldr r12, [sp, #16]",
                "cmp r8, #0",
                "beq 7f",
                rectify!("r4"),
                rectify!("r5"),
                rectify!("r6"),
                rectify!("r7"),
                "3:",
                "ldr r3, [sp, #36]",
                "strb r4, [lr]",
                "cmp r3, #4",
                "blt 6f",
                "strb r5, [lr, r12]",
                "strb r6, [lr, r12, lsl #1]",
                "add r2, lr, r12",
                "strb r7, [r2, r12, lsl #1]",
                "beq 5f",
                "ldr r1, [sp, #40]",
                "sub r3, #4",
                "add r2, lr, r12, lsl #2",
                $advance,
                "b 2b",
                "6:",
                "cmp r3, #2",
                "blt 5f",
                "strb r5, [lr, r12]",
                "beq 5f",
                "strb r6, [lr, r12, lsl #1]",
                "5:",
                "ldr r0, [sp, #28]",
                "ldr r1, [sp]",
                "ldr r2, [sp, #12]",
                "subs r0, #1",
                "ldr r8, [sp, #20]",
                "add r8, r8, r8, lsl #1",
                "add r1, r8",
                "add r2, #1",
                "str r1, [sp]",
                "str r2, [sp, #12]",
                "ldrd r3, r4, [sp, #4]",
                "str r0, [sp, #28]",
                "add r3, #48",
                "add r4, #16",
                "strd r3, r4, [sp, #4]",
                "bne 1b",
                "add sp, #52",
                "pop {{r4-r11, pc}}",
                "7:",
                "cmp r3, #0",
                "ble 4f",
                rescale!("r4"),
                rescale!("r5"),
                rescale!("r6"),
                rescale!("r7"),
                "b 3b",
                "4:",
                "rsb r3, r3, #0",
                enlarge!("r4"),
                enlarge!("r5"),
                enlarge!("r6"),
                enlarge!("r7"),
                "b 3b",
            )
        }
    };
}

depthwise!(
    stride1,
    "add r1, #8",
    concat!(
        "ldrd r9, r10, [lr], #8\n",
        "ldm r12, {{r0-r3}}\n",
        "add r12, r8\n",
        "smlatb r4, r0, r9, r4\n",
        "smlad r4, r1, r10, r4\n",
        "smlad r5, r1, r9, r5\n",
        "smlabt r5, r2, r10, r5\n",
        "smlatb r6, r1, r9, r6\n",
        "smlad r6, r2, r10, r6\n",
        "smlad r7, r2, r9, r7\n",
        "smlabt r7, r3, r10, r7\n"
    )
);
depthwise!(
    stride2,
    "add r1, #16",
    concat!(
        "ldrd r9, r10, [lr], #8\n",
        "ldm r12, {{r0-r3, r11}}\n",
        "add r12, r8\n",
        "smlad r4, r0, r9, r4\n",
        "smlabt r4, r1, r10, r4\n",
        "smlad r5, r1, r9, r5\n",
        "smlabt r5, r2, r10, r5\n",
        "smlad r6, r2, r9, r6\n",
        "smlabt r6, r3, r10, r6\n",
        "smlad r7, r3, r9, r7\n",
        "smlabt r7, r11, r10, r7\n"
    )
);

/// Two inputs of four channels at a time.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
unsafe extern "C" fn split4(args: &SplitArgs) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r0, {{r4, r5, r6, r7, r8, r9}}",
        // Lines of the channels: r4, r10, r11, r12.
        "add r10, r4, r5",
        "add r11, r10, r5",
        "add r12, r11, r5",
        "cmp r9, #0",
        "beq 1f",
        "ldr r0, [r6]",
        "add r6, r7",
        "sub r8, #1",
        "sxtb r1, r0",
        "sxtb r2, r0, ror #8",
        "strh r1, [r4, #2]",
        "strh r2, [r10, #2]",
        "sxtb r1, r0, ror #16",
        "asr r2, r0, #24",
        "strh r1, [r11, #2]",
        "strh r2, [r12, #2]",
        "add r4, #4",
        "add r10, #4",
        "add r11, #4",
        "add r12, #4",
        "1:",
        "subs r8, #2",
        "blt 3f",
        "2:",
        "ldr r0, [r6]",
        "ldr r1, [r6, r7]",
        "add r6, r6, r7, lsl #1",
        "sxtb16 r2, r0",
        "sxtb16 r3, r1",
        "sxtb16 r0, r0, ror #8",
        "sxtb16 r1, r1, ror #8",
        "pkhbt r5, r2, r3, lsl #16",
        "pkhtb r2, r3, r2, asr #16",
        "pkhbt r3, r0, r1, lsl #16",
        "pkhtb r0, r1, r0, asr #16",
        "subs r8, #2",
        "str r5, [r4], #4",
        "str r3, [r10], #4",
        "str r2, [r11], #4",
        "str r0, [r12], #4",
        "bge 2b",
        "3:",
        "cmn r8, #2",
        "beq 4f",
        "ldr r0, [r6]",
        "sxtb r1, r0",
        "sxtb r2, r0, ror #8",
        "strh r1, [r4]",
        "strh r2, [r10]",
        "sxtb r1, r0, ror #16",
        "asr r2, r0, #24",
        "strh r1, [r11]",
        "strh r2, [r12]",
        "4:",
        "pop {{r4-r11, pc}}",
    )
}

/// The pairs of three rows, each stored twice, 24 bytes apart; 48 bytes a channel.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
unsafe extern "C" fn pairs(weights: *const u8, table: *const u8, tap: u32, row: u32) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "mov r12, #3",
        "1:",
        "ldr r4, [r0]",
        "ldr r5, [r0, r2]",
        "ldr r6, [r0, r2, lsl #1]",
        "add r0, r3",
        "sxtb16 r7, r4, ror #8",
        "sxtb16 r8, r5, ror #8",
        "sxtb16 r9, r6, ror #8",
        "sxtb16 r4, r4",
        "sxtb16 r5, r5",
        "sxtb16 r6, r6",
        "pkhbt r10, r4, r5, lsl #16",
        "pkhbt r11, r5, r6, lsl #16",
        "strd r10, r11, [r1]",
        "strd r10, r11, [r1, #24]",
        "pkhbt r10, r7, r8, lsl #16",
        "pkhbt r11, r8, r9, lsl #16",
        "strd r10, r11, [r1, #48]",
        "strd r10, r11, [r1, #72]",
        "pkhtb r10, r5, r4, asr #16",
        "pkhtb r11, r6, r5, asr #16",
        "strd r10, r11, [r1, #96]",
        "strd r10, r11, [r1, #120]",
        "pkhtb r10, r8, r7, asr #16",
        "pkhtb r11, r9, r8, asr #16",
        "strd r10, r11, [r1, #144]",
        "strd r10, r11, [r1, #168]",
        "add r1, #8",
        "subs r12, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}
