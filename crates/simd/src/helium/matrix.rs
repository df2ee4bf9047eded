//! Three windows times four output channels.

use core::arch::naked_asm;

use embarca_kernels::device::helium::Matrix;
use embarca_kernels::device::helium::pack::BLOCK_PARAMS;

use super::reach;

/// What the loop gets and where it keeps its places.
#[repr(C)]
struct Args {
    /// Results of the three windows.
    results: [*const u8; 3],
    exact: u32,
    zero: i32,
    /// Blocks of channels that are left.
    left: u32,
    x: *const u8,
    x_step: u32,
    windows: u32,
    /// Groups of a window after the first.
    groups: u32,
    weights: *const u8,
    params: *const u8,
    y: *const u8,
    y_step: u32,
    blocks: u32,
    /// Channels of the last block.
    tail: u32,
    low: [i32; 4],
    high: [i32; 4],
}

/// Computes `m` when its views are long enough.
pub(super) fn run(m: &Matrix<'_>) {
    let blocks = m.channels.div_ceil(4);
    let fits = || {
        let x = reach(m.windows, m.x_step, m.vectors.checked_mul(16)?)? <= m.x.len();
        let y = reach(m.windows, m.y_step, m.channels)? <= m.y.len();
        let weights = blocks.checked_mul(64)?.checked_mul(m.vectors)? as usize <= m.weights.len();
        let params = blocks as usize * BLOCK_PARAMS <= m.params.len();
        Some(x && y && weights && params && 0 < m.vectors && 0 < blocks)
    };
    if fits() != Some(true) {
        return;
    }
    let mut args = Args {
        results: [m.y.as_ptr().cast(); 3],
        exact: m.scale.exact.into(),
        zero: m.scale.zero.into(),
        left: blocks,
        x: m.x.as_ptr().cast(),
        x_step: m.x_step,
        windows: m.windows,
        groups: m.vectors - 1,
        weights: m.weights.as_ptr(),
        params: m.params.as_ptr(),
        y: m.y.as_ptr().cast(),
        y_step: m.y_step,
        blocks,
        tail: m.channels - (blocks - 1) * 4,
        low: [m.scale.act[0].into(); 4],
        high: [m.scale.act[1].into(); 4],
    };
    if 3 <= m.windows {
        // SAFETY: the views hold what is read and written, as compared above.
        unsafe { matrix(&mut args) };
        return;
    }
    // The same window three times.
    for _ in 0..m.windows {
        let (x, y) = (args.x, args.y);
        (args.windows, args.x_step, args.y_step) = (3, 0, 0);
        // SAFETY: as above.
        unsafe { matrix(&mut args) };
        args.x = x.wrapping_add(m.x_step as usize);
        args.y = y.wrapping_add(m.y_step as usize);
    }
}

/// A group of 16 elements of two channels and three windows: sums in r0 to r10, windows at r1, r3,
/// r5, weights at r12.
macro_rules! group {
    ($mac:literal, $next:literal) => {
        concat!(
            "vldrw.u32 q1, [r12, #16]\n",
            "vldrw.u32 q0, [r12], #32\n",
            "vldrb.u8 q2, [r1",
            $next,
            "\n",
            $mac,
            " r0, q2, q0\n",
            "vldrb.u8 q3, [r3",
            $next,
            "\n",
            $mac,
            " r2, q2, q1\n",
            $mac,
            " r4, q3, q0\n",
            "vldrb.u8 q2, [r5",
            $next,
            "\n",
            $mac,
            " r6, q3, q1\n",
            $mac,
            " r8, q2, q0\n",
            $mac,
            " r10, q2, q1\n",
        )
    };
}

/// # Safety
/// The pointers hold what the loop reads and writes; there are at least three windows.
#[unsafe(naked)]
unsafe extern "C" fn matrix(args: &mut Args) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d13}}",
        "mov r11, r0",
        "1:", // three windows
        "ldrd r1, r2, [r11, #24]",
        "ldrd r0, r4, [r11, #48]",
        "add r3, r1, r2",
        "add r5, r3, r2",
        "add r2, r0, r4",
        "add r4, r2",
        "ldr r6, [r11, #56]",
        "ldr r9, [r11, #36]",
        "ldrd r12, r7, [r11, #40]",
        "stm r11, {{r0, r2, r4}}",
        "str r6, [r11, #20]",
        "2:", // four channels
        group!("vmladav.s8", "], #16"),
        "wls lr, r9, 21f",
        "20:",
        group!("vmladava.s8", "], #16"),
        "le lr, 20b",
        "21:",
        "vmov q4[2], q4[0], r0, r2",
        "vmov q5[2], q5[0], r4, r6",
        "vmov q6[2], q6[0], r8, r10",
        group!("vmladav.s8", ", #-16]!"),
        "wls lr, r9, 23f",
        "22:",
        group!("vmladava.s8", ", #-16]!"),
        "le lr, 22b",
        "23:",
        "vmov q4[3], q4[1], r0, r2",
        "vmov q5[3], q5[1], r4, r6",
        "vmov q6[3], q6[1], r8, r10",
        "vldrw.u32 q0, [r7], #16",
        "vldrw.u32 q1, [r7], #16",
        "vldrb.s32 q2, [r7], #4",
        // Results, exactness, zero point, blocks left.
        "ldm r11, {{r0, r2, r4, r6, r8, r10}}",
        "vadd.i32 q4, q4, q0",
        "vadd.i32 q5, q5, q0",
        "vadd.i32 q6, q6, q0",
        "cbnz r6, 6f",
        "vqrdmulh.s32 q4, q4, q1",
        "vqrdmulh.s32 q5, q5, q1",
        "vqrdmulh.s32 q6, q6, q1",
        "3:",
        "vrshl.s32 q4, q4, q2",
        "vrshl.s32 q5, q5, q2",
        "vrshl.s32 q6, q6, q2",
        "vldrw.u32 q0, [r11, #64]",
        "vldrw.u32 q1, [r11, #80]",
        "vqadd.s32 q4, q4, r8",
        "vqadd.s32 q5, q5, r8",
        "vqadd.s32 q6, q6, r8",
        "vmax.s32 q4, q4, q0",
        "vmax.s32 q5, q5, q0",
        "vmax.s32 q6, q6, q0",
        "vmin.s32 q4, q4, q1",
        "vmin.s32 q5, q5, q1",
        "vmin.s32 q6, q6, q1",
        "subs r10, #1",
        "beq 5f",
        "vstrb.32 q4, [r0], #4",
        "vstrb.32 q5, [r2], #4",
        "vstrb.32 q6, [r4], #4",
        "stm r11, {{r0, r2, r4, r6, r8, r10}}",
        "b 2b",
        "6:",
        "cmp r6, #2",
        "bne 7f",
        "vmov.i32 q0, #0",
        "vmax.s32 q3, q2, q0",
        "vmin.s32 q2, q2, q0",
        "vshl.s32 q4, q4, q3",
        "vshl.s32 q5, q5, q3",
        "vshl.s32 q6, q6, q3",
        "7:", // ties away from zero
        "vqrdmulh.s32 q4, q4, q1",
        "vqrdmulh.s32 q5, q5, q1",
        "vqrdmulh.s32 q6, q6, q1",
        "vand q0, q4, q2",
        "vand q1, q5, q2",
        "vand q3, q6, q2",
        "vshr.s32 q0, q0, #31",
        "vshr.s32 q1, q1, #31",
        "vshr.s32 q3, q3, #31",
        "vadd.i32 q4, q4, q0",
        "vadd.i32 q5, q5, q1",
        "vadd.i32 q6, q6, q3",
        "b 3b",
        "5:", // the last channels
        "ldr r6, [r11, #60]",
        "vctp.32 r6",
        "vpsttt",
        "vstrbt.32 q4, [r0]",
        "vstrbt.32 q5, [r2]",
        "vstrbt.32 q6, [r4]",
        "ldr r0, [r11, #32]",
        "subs r2, r0, #3",
        "ble 9f",
        // The last windows again rather than fewer than three.
        "cmp r2, #3",
        "it gt",
        "movgt r2, #3",
        "sub r0, r2",
        "str r0, [r11, #32]",
        "ldrd r1, r3, [r11, #24]",
        "ldrd r4, r5, [r11, #48]",
        "mla r1, r2, r3, r1",
        "mla r4, r2, r5, r4",
        "str r1, [r11, #24]",
        "str r4, [r11, #48]",
        "b 1b",
        "9:",
        "vpop {{d8-d13}}",
        "pop {{r4-r11, pc}}",
    )
}
