//! A block of positions times all output channels: four positions and two channels at a time.

use core::arch::naked_asm;

use embarca_kernels::device::{Block, Bytes, Widen};

use super::{enlarge, rectify, rescale};

/// Steps of two elements in the loop, and the bytes of code of one.
const STEPS: u32 = 8;
const STEP_BYTES: u32 = 44;

/// What the loop gets.
#[repr(C)]
struct Args {
    inputs: *const u8,
    unpacked: *const u8,
    weights: *const u8,
    factors: *const u8,
    y: *const u8,
    stride: u32,
    positions: u32,
    groups: u32,
    channels: u32,
    /// As in [`Block::rectified`].
    rectified: u32,
    /// Bytes of code that the first round skips.
    skip: u32,
}

/// Computes a block.
pub(super) fn run(b: &Block<'_>) {
    let (groups, pairs) = (b.groups as usize, b.channels.div_ceil(2) as usize);
    if groups == 0
        || b.positions == 0
        || b.inputs.len() < b.positions.div_ceil(4) as usize * groups * 32
        || b.unpacked.len() < groups * 16 + 32
        || b.weights.len() < pairs * groups * 8
        || b.params.len() < pairs * 32
        || b.y.len() < b.positions as usize * b.channels as usize
        || pairs == 0
    {
        return;
    }
    let first = match b.groups * 2 % STEPS {
        0 => STEPS,
        first => first,
    };
    let args = Args {
        inputs: b.inputs.as_ptr().cast(),
        unpacked: b.unpacked.as_ptr().cast(),
        weights: b.weights.as_ptr(),
        factors: b.params.as_ptr().wrapping_add(8),
        y: b.y.as_ptr().cast(),
        stride: b.channels,
        positions: b.positions,
        groups: b.groups,
        channels: b.channels,
        rectified: u32::from(b.rectified),
        skip: STEP_BYTES * (STEPS - first),
    };
    // SAFETY: the views are as long as compared above; constants and scratch are aligned to 4.
    unsafe { block(&args) };
}

/// Two elements of a window: one word holds them for a channel or for a position.
macro_rules! step {
    () => {
        concat!(
            "ldrd r0, r1, [r12], #8\n",
            "ldrd r2, r3, [lr], #8\n",
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
/// The pointers hold what the loop reads and writes, aligned to 4 but for the results.
#[unsafe(naked)]
unsafe extern "C" fn block(args: &Args) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #64",
        "ldm r0, {{r1-r11}}",
        // [sp]: 0 inputs, 4 unpacked, 8 weights, 12 factors, 16 y, 20 stride, 24 positions,
        // 28 groups, 32 channels left, 36 tail, 40 first step, 44 stores, 48 y of the tile,
        // 52 positions left, 56 end of unpacked
        "stm sp, {{r1-r9}}",
        "adr r0, 4f",
        "adr r12, 14f",
        "cmp r10, #0",
        "it ne",
        "movne r0, r12",
        "orr r0, #1",
        "str r0, [sp, #36]",
        "adr r0, 3f",
        "add r0, r11",
        "orr r0, #1",
        "str r0, [sp, #40]",
        "add r0, r2, #32",
        "add r0, r0, r8, lsl #4",
        "str r0, [sp, #56]",
        "1:", // a pair of channels
        "ldr r0, [sp, #12]",
        "ldr r1, [sp, #4]",
        "ldrd r4, r5, [r0, #-8]",
        "mov r6, r4",
        "mov r7, r5",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r4",
        "mov r11, r5",
        "stm r1!, {{r4-r11}}",
        "ldr r0, [sp, #8]",
        "ldr r2, [sp, #28]",
        "2:",
        "ldrd r3, r4, [r0], #8",
        "sxtb16 r5, r3",
        "sxtb16 r6, r3, ror #8",
        "sxtb16 r7, r4",
        "sxtb16 r8, r4, ror #8",
        "subs r2, #1",
        "stm r1!, {{r5-r8}}",
        "bne 2b",
        "str r0, [sp, #8]",
        "adr r0, 7f",
        "adr r2, 8f",
        "ldr r3, [sp, #32]",
        "cmp r3, #1",
        "it eq",
        "moveq r0, r2",
        "orr r0, #1",
        "str r0, [sp, #44]",
        "ldr r0, [sp, #16]",
        "ldr r1, [sp, #24]",
        "strd r0, r1, [sp, #48]",
        "ldr lr, [sp]",
        "9:", // four positions
        "ldr r12, [sp, #4]",
        "ldm r12!, {{r4-r11}}",
        "ldr pc, [sp, #40]",
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
        "ldr r0, [sp, #56]",
        "cmp r12, r0",
        "bne 3b",
        "ldr r0, [sp, #12]",
        "ldr pc, [sp, #36]",
        ".p2align 2",
        "14:", // every shift goes right, and what is below the zero point is cut off
        "ldm r0!, {{r1, r2, r3}}",
        rectify!("r4"),
        rectify!("r6"),
        rectify!("r8"),
        rectify!("r10"),
        "ldm r0, {{r1, r2, r3}}",
        rectify!("r5"),
        rectify!("r7"),
        rectify!("r9"),
        rectify!("r11"),
        "ldr pc, [sp, #44]",
        ".p2align 2",
        "7:", // two channels
        "ldrd r0, r3, [sp, #48]",
        "ldr r2, [sp, #20]",
        "bfi r4, r5, #8, #8",
        "bfi r6, r7, #8, #8",
        "bfi r8, r9, #8, #8",
        "subs r3, #4",
        "blt 10f",
        "bfi r10, r11, #8, #8",
        "strh r4, [r0]",
        "strh r6, [r0, r2]",
        "strh r8, [r0, r2, lsl #1]",
        "add r1, r0, r2, lsl #1",
        "strh r10, [r1, r2]",
        "add r0, r1, r2, lsl #1",
        "strd r0, r3, [sp, #48]",
        "bne 9b",
        "11:",
        "ldr r0, [sp, #12]",
        "ldr r1, [sp, #16]",
        "ldr r2, [sp, #32]",
        "add r0, #32",
        "add r1, #2",
        "subs r2, #2",
        "str r0, [sp, #12]",
        "str r1, [sp, #16]",
        "str r2, [sp, #32]",
        "bgt 1b",
        "add sp, #64",
        "pop {{r4-r11, pc}}",
        "10:", // fewer than four positions are left
        "strh r4, [r0]",
        "cmn r3, #2",
        "blt 11b",
        "strh r6, [r0, r2]",
        "beq 11b",
        "strh r8, [r0, r2, lsl #1]",
        "b 11b",
        ".p2align 2",
        "8:", // one channel
        "ldrd r0, r3, [sp, #48]",
        "ldr r2, [sp, #20]",
        "strb r4, [r0]",
        "cmp r3, #2",
        "blt 11b",
        "strb r6, [r0, r2]",
        "beq 11b",
        "strb r8, [r0, r2, lsl #1]",
        "subs r3, #4",
        "blt 11b",
        "add r1, r0, r2, lsl #1",
        "strb r10, [r1, r2]",
        "add r0, r1, r2, lsl #1",
        "strd r0, r3, [sp, #48]",
        "bne 9b",
        "b 11b",
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
        "ldm r0, {{r1, r2, r3}}",
        "cmp r3, #0",
        "ble 6f",
        rescale!("r5"),
        rescale!("r7"),
        rescale!("r9"),
        rescale!("r11"),
        "ldr pc, [sp, #44]",
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
        "ldr pc, [sp, #44]",
    )
}

/// What [`widen_tiles`] gets.
#[repr(C)]
struct WidenArgs {
    from: *const u8,
    step: u32,
    to: *const u8,
    groups: u32,
    tiles: u32,
    tile: u32,
}

/// Widens runs of bytes of positions at equal distances.
pub(super) fn widen(w: &Widen<'_>) {
    if w.groups == 0 || w.tiles == 0 {
        return;
    }
    let (groups, tiles) = (w.groups as usize, w.tiles as usize);
    let from = (tiles * 4 - 1) * w.step as usize + groups * 4;
    let to = (tiles - 1) * w.tile as usize + groups * 32;
    if w.from.len() < from || w.to.len() < to {
        return;
    }
    let args = WidenArgs {
        from: w.from.as_ptr().cast(),
        step: w.step,
        to: w.to.as_ptr().cast(),
        groups: w.groups,
        tiles: w.tiles,
        tile: w.tile,
    };
    // SAFETY: the views are as long as compared above; the scratch is aligned to 4.
    unsafe { widen_tiles(&args) };
}

/// Four runs of bytes as pairs of 16 bits, word by word in turn, and again behind them.
///
/// # Safety
/// The pointers hold what the loop reads and writes; `to` is aligned to 4.
#[unsafe(naked)]
unsafe extern "C" fn widen_tiles(args: &WidenArgs) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "sub sp, #24",
        "ldm r0, {{r1-r6}}",
        // [sp]: 0 from, 4 step, 8 to, 12 groups, 16 tiles, 20 tile
        "stm sp, {{r1-r6}}",
        "1:",
        "ldrd r9, r1, [sp]",
        "ldrd lr, r8, [sp, #8]",
        "add r10, r9, r1",
        "add r11, r10, r1",
        "add r12, r11, r1",
        "add r0, r12, r1",
        "str r0, [sp]",
        "2:",
        "ldr r0, [r9], #4",
        "ldr r1, [r10], #4",
        "ldr r2, [r11], #4",
        "ldr r3, [r12], #4",
        "sxtb16 r4, r0, ror #8",
        "sxtb16 r5, r1, ror #8",
        "sxtb16 r6, r2, ror #8",
        "sxtb16 r7, r3, ror #8",
        "sxtb16 r0, r0",
        "sxtb16 r1, r1",
        "sxtb16 r2, r2",
        "sxtb16 r3, r3",
        "subs r8, #1",
        "stm lr!, {{r0-r3}}",
        "stm lr!, {{r4-r7}}",
        "bne 2b",
        "ldr r0, [sp, #8]",
        "ldrd r1, r2, [sp, #16]",
        "add r0, r2",
        "str r0, [sp, #8]",
        "subs r1, #1",
        "str r1, [sp, #16]",
        "bne 1b",
        "add sp, #24",
        "pop {{r4-r11, pc}}",
    )
}

/// Widens one position.
pub(super) fn widen_one(from: Bytes<'_>, to: Bytes<'_>, groups: u32) {
    let len = groups as usize * 4;
    if len == 0 || from.len() < len || to.len() < len * 8 - 12 {
        return;
    }
    // SAFETY: the loop reads `len` bytes and writes every fourth word of eight times that.
    unsafe { widen_lane(from.as_ptr().cast(), to.as_ptr().cast(), groups) };
}

/// One run of bytes as pairs of 16 bits, every fourth word.
///
/// # Safety
/// The pointers hold what the loop reads and writes; `to` is aligned to 4.
#[unsafe(naked)]
unsafe extern "C" fn widen_lane(from: *const i8, to: *const u8, groups: u32) {
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

/// Copies bytes.
pub(super) fn copy(from: Bytes<'_>, to: Bytes<'_>, len: u32) {
    if from.len() < len as usize || to.len() < len as usize {
        return;
    }
    // SAFETY: both views hold `len` bytes.
    unsafe { copy_bytes(from.as_ptr().cast(), to.as_ptr().cast(), len) };
}

/// Words, then bytes.
///
/// # Safety
/// Both pointers hold `len` bytes.
#[unsafe(naked)]
unsafe extern "C" fn copy_bytes(from: *const u8, to: *const u8, len: u32) {
    naked_asm!(
        "subs r2, #8",
        "blt 2f",
        "1:",
        "ldr r3, [r0], #4",
        "ldr r12, [r0], #4",
        "subs r2, #8",
        "str r3, [r1], #4",
        "str r12, [r1], #4",
        "bge 1b",
        "2:",
        "adds r2, #8",
        "beq 4f",
        "3:",
        "ldrb r3, [r0], #1",
        "subs r2, #1",
        "strb r3, [r1], #1",
        "bne 3b",
        "4:",
        "bx lr",
    )
}
