//! Planes of a depthwise 3x3 convolution.

use core::arch::naked_asm;

use embarca_kernels::device::{Bytes, Planes, Split};

use super::{enlarge, rectify, rescale};

/// What the loop over planes gets.
#[repr(C)]
struct PlaneArgs {
    planes: *const u8,
    plane: u32,
    pitch: u32,
    y: *const u8,
    step: u32,
    line: u32,
    outputs: u32,
    lines: u32,
    table: *const u8,
    rectified: u32,
}

/// Computes lines of outputs of four channels.
pub(super) fn run(p: &Planes<'_>) {
    // Words that the last four outputs of a line read: 4 at 2 words a group, or 5 at 4.
    let groups = p.outputs.div_ceil(4);
    let words = if p.stride == 1 { groups * 2 + 2 } else { groups * 4 + 1 };
    if p.outputs == 0 || p.lines == 0 || p.pitch < words * 4 {
        return;
    }
    let (outputs, lines) = (p.outputs as usize - 1, p.lines as usize - 1);
    let slots = (p.lines - 1) * p.stride + 3;
    let last = outputs * p.step as usize + lines * p.line as usize + 4;
    if p.plane < slots * p.pitch
        || p.planes.len() < 4 * p.plane as usize
        || p.table.len() < 160
        || p.y.len() < last
    {
        return;
    }
    let args = PlaneArgs {
        planes: p.planes.as_ptr().cast(),
        plane: p.plane,
        pitch: p.pitch,
        y: p.y.as_ptr().cast(),
        step: p.step,
        line: p.line,
        outputs: p.outputs,
        lines: p.lines,
        table: p.table.as_ptr().cast(),
        rectified: u32::from(p.rectified),
    };
    // SAFETY: the views hold what is read and written, as compared above; planes and table are
    // aligned to 4.
    unsafe { if p.stride == 1 { stride1(&args) } else { stride2(&args) } };
}

/// Puts the weights and parameters of four channels into the table.
pub(super) fn spread(weights: &[u8], params: &[u8], table: Bytes<'_>, upright: bool) {
    if weights.len() < 36 || params.len() < 64 || table.len() < 160 {
        return;
    }
    let to = table.as_ptr().cast();
    let (tap, row) = if upright { (12, 4) } else { (4, 12) };
    // SAFETY: the loops read 36 and 64 bytes and write 160, all aligned to 4.
    unsafe {
        pairs(weights.as_ptr(), to, tap, row);
        factors(params.as_ptr(), to);
    }
}

/// What the split of lines gets.
#[repr(C)]
struct SplitArgs {
    to: *const u8,
    plane: u32,
    from: *const u8,
    step: u32,
    count: u32,
    odd: u32,
    pitch: u32,
    line: u32,
    lines: u32,
}

/// Widens lines of inputs of four channels into their planes.
pub(super) fn split(s: &Split<'_>) {
    if s.count == 0 || s.lines == 0 {
        return;
    }
    let lines = s.lines as usize - 1;
    let row = (s.count as usize + usize::from(s.odd)) * 2;
    let last = (s.count as usize - 1) * s.step as usize + lines * s.line as usize + 4;
    if s.to.len() < 3 * s.plane as usize + lines * s.pitch as usize + row || s.from.len() < last {
        return;
    }
    let mut args = SplitArgs {
        to: s.to.as_ptr().cast(),
        plane: s.plane,
        from: s.from.as_ptr().cast(),
        step: s.step,
        count: s.count,
        odd: u32::from(s.odd),
        pitch: s.pitch,
        line: s.line,
        lines: s.lines,
    };
    // SAFETY: the views hold what is read and written, as compared above.
    unsafe { split4(&mut args) };
}

/// A loop over four channels, their lines of outputs and, within, four outputs at a time. Sums in
/// r4 to r7; the place in the plane in r12, the channel's weights and parameters at lr.
macro_rules! depthwise {
    ($name:ident, $down:literal, $advance:literal, $mac:ident) => {
        /// # Safety
        /// The pointers hold what the loop reads and writes, aligned to 4 but for the results.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(args: &PlaneArgs) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "sub sp, #72",
                "ldm r0, {{r1-r10}}",
                // [sp]: 0 planes, 4 plane, 8 pitch, 12 y, 16 step, 20 line, 24 outputs, 28 lines,
                // 32 table, 36 channels, 40 outputs left, 44 y, 48 step, 52 line of inputs,
                // 56 line of y, 60 lines left, 64 tail
                "stm sp, {{r1-r9}}",
                "str r5, [sp, #48]",
                "mov lr, r9",
                "mov r8, r3",
                "mov r0, #4",
                "str r0, [sp, #36]",
                "adr r0, 7f",
                "adr r1, 14f",
                "cmp r10, #0",
                "it ne",
                "movne r0, r1",
                "orr r0, #1",
                "str r0, [sp, #64]",
                "lsl r11, r8, #1",
                "sub r11, #8",
                "1:", // a channel
                "ldr r0, [sp]",
                "ldr r1, [sp, #12]",
                "ldr r2, [sp, #28]",
                "strd r0, r1, [sp, #52]",
                "str r2, [sp, #60]",
                "2:", // a line
                "ldrd r12, r1, [sp, #52]",
                "ldr r0, [sp, #24]",
                "strd r0, r1, [sp, #40]",
                "3:", // four outputs
                "ldr r4, [lr, #24]",
                "mov r5, r4",
                "mov r6, r4",
                "mov r7, r4",
                $mac!("0"),
                "add r12, r8",
                $mac!("8"),
                "add r12, r8",
                $mac!("16"),
                $advance,
                "add r0, lr, #28",
                "ldm r0, {{r1, r2, r3}}",
                "ldr pc, [sp, #64]",
                ".p2align 2",
                "14:", // every shift goes right, and what is below the zero point is cut off
                rectify!("r4"),
                rectify!("r5"),
                rectify!("r6"),
                rectify!("r7"),
                "4:",
                "ldrd r10, r0, [sp, #40]",
                "ldr r9, [sp, #48]",
                "subs r10, #4",
                "blt 6f",
                "strb r4, [r0]",
                "strb r5, [r0, r9]",
                "add r0, r0, r9, lsl #1",
                "strb r6, [r0]",
                "strb r7, [r0, r9]",
                "add r0, r0, r9, lsl #1",
                "strd r10, r0, [sp, #40]",
                "bgt 3b",
                "5:",
                "ldr r3, [sp, #60]",
                "ldrd r0, r1, [sp, #52]",
                "ldr r2, [sp, #20]",
                $down,
                "add r1, r2",
                "subs r3, #1",
                "strd r0, r1, [sp, #52]",
                "str r3, [sp, #60]",
                "bne 2b",
                "ldrd r0, r1, [sp]",
                "ldr r2, [sp, #12]",
                "ldr r3, [sp, #36]",
                "add r0, r1",
                "add r2, #1",
                "add lr, #40",
                "subs r3, #1",
                "str r0, [sp]",
                "str r2, [sp, #12]",
                "str r3, [sp, #36]",
                "bne 1b",
                "add sp, #72",
                "pop {{r4-r11, pc}}",
                "6:", // fewer than four outputs are left
                "strb r4, [r0]",
                "cmn r10, #2",
                "blt 5b",
                "strb r5, [r0, r9]",
                "beq 5b",
                "strb r6, [r0, r9, lsl #1]",
                "b 5b",
                ".p2align 2",
                "7:", // any shift
                "cmp r3, #0",
                "ble 8f",
                rescale!("r4"),
                rescale!("r5"),
                rescale!("r6"),
                rescale!("r7"),
                "b 4b",
                "8:",
                "rsb r3, r3, #0",
                enlarge!("r4"),
                enlarge!("r5"),
                enlarge!("r6"),
                enlarge!("r7"),
                "b 4b",
            )
        }
    };
}

/// A kernel row with outputs at every input; its weights at `$at` of the table.
macro_rules! every {
    ($at:literal) => {
        concat!(
            "ldrd r9, r10, [lr, #",
            $at,
            "]\n",
            "ldm r12, {{r0-r3}}\n",
            "smlatb r4, r0, r9, r4\n",
            "smlad r4, r1, r10, r4\n",
            "smlad r5, r1, r9, r5\n",
            "smlabt r5, r2, r10, r5\n",
            "smlatb r6, r1, r9, r6\n",
            "smlad r6, r2, r10, r6\n",
            "smlad r7, r2, r9, r7\n",
            "smlabt r7, r3, r10, r7\n"
        )
    };
}

/// A kernel row with outputs at every second input.
macro_rules! second {
    ($at:literal) => {
        concat!(
            "ldrd r9, r10, [lr, #",
            $at,
            "]\n",
            "ldm r12, {{r0-r3, r11}}\n",
            "smlad r4, r0, r9, r4\n",
            "smlabt r4, r1, r10, r4\n",
            "smlad r5, r1, r9, r5\n",
            "smlabt r5, r2, r10, r5\n",
            "smlad r6, r2, r9, r6\n",
            "smlabt r6, r3, r10, r6\n",
            "smlad r7, r3, r9, r7\n",
            "smlabt r7, r11, r10, r7\n"
        )
    };
}

depthwise!(stride1, "add r0, r8", "sub r12, r11", every);
depthwise!(stride2, "add r0, r0, r8, lsl #1", "sub r12, r12, r8, lsl #1\nadd r12, #16", second);

/// Two inputs of four channels at a time, line by line.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4 but for bytes of tensors.
#[unsafe(naked)]
unsafe extern "C" fn split4(args: &mut SplitArgs) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "mov lr, r0",
        "ldr r0, [lr, #32]",
        "9:", // a line
        "push {{r0}}",
        "ldm lr, {{r4, r5, r6, r7, r8, r9}}",
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
        "ldm lr, {{r0, r1, r2}}",
        "ldrd r3, r4, [lr, #24]",
        "add r0, r3",
        "add r2, r4",
        "str r0, [lr]",
        "str r2, [lr, #8]",
        "pop {{r0}}",
        "subs r0, #1",
        "bne 9b",
        "pop {{r4-r11, pc}}",
    )
}

/// The pairs (0, 1) and (1, 2) of three rows of four channels, 40 bytes a channel.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4.
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
        "pkhbt r10, r7, r8, lsl #16",
        "pkhbt r11, r8, r9, lsl #16",
        "strd r10, r11, [r1, #40]",
        "pkhtb r10, r5, r4, asr #16",
        "pkhtb r11, r6, r5, asr #16",
        "strd r10, r11, [r1, #80]",
        "pkhtb r10, r8, r7, asr #16",
        "pkhtb r11, r9, r8, asr #16",
        "strd r10, r11, [r1, #120]",
        "add r1, #8",
        "subs r12, #1",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}

/// Bias, multiplier, addend and shift of four channels behind their weights.
///
/// # Safety
/// The pointers hold what the loop reads and writes, aligned to 4.
#[unsafe(naked)]
unsafe extern "C" fn factors(params: *const u8, table: *const u8) {
    naked_asm!(
        "push {{r4-r6, lr}}",
        "mov r12, #4",
        "add r1, #24",
        "1:",
        "ldm r0!, {{r3, r4, r5, r6}}",
        "subs r12, #1",
        "stm r1, {{r3, r4, r5, r6}}",
        "add r1, #40",
        "bne 1b",
        "pop {{r4-r6, pc}}",
    )
}
