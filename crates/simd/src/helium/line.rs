//! A line of inputs into cells.

use core::arch::naked_asm;

use embarca_kernels::device::helium::Line;
use embarca_kernels::device::helium::pack::MOST_STEP;

use super::reach;

/// What the loops get.
#[repr(C)]
struct Args {
    to: *const u8,
    cell: u32,
    from: *const u8,
    step: u32,
    /// Cells before, in and behind the input.
    cells: [u32; 3],
    channels: u32,
    zero: i32,
}

/// Spreads `line` when its views are long enough.
pub(super) fn run(line: &Line<'_>) {
    let [before, inside, behind] = line.cells;
    let fits = || {
        let all = before.checked_add(inside)?.checked_add(behind)?;
        let to = reach(all, line.cell, line.channels)? <= line.to.len();
        let from = inside == 0 || reach(inside, line.step, line.channels)? <= line.from.len();
        Some(to && from)
    };
    if fits() != Some(true) {
        return;
    }
    let few = line.channels < 6 && line.step <= MOST_STEP && line.cell <= MOST_STEP;
    let mut at = 0;
    while at < line.channels {
        let args = Args {
            to: line.to.as_ptr().wrapping_add(at as usize).cast(),
            cell: line.cell,
            from: line.from.as_ptr().wrapping_add(at as usize).cast(),
            step: line.step,
            cells: line.cells,
            channels: (line.channels - at).min(16),
            zero: line.zero.into(),
        };
        if few {
            // SAFETY: the views hold what is read and written, as compared above.
            unsafe { one(&args) };
            at += 1;
        } else {
            // SAFETY: as above.
            unsafe { sixteen(&args) };
            at += 16;
        }
    }
}

/// Up to 16 channels.
///
/// # Safety
/// The pointers hold what the loop reads and writes.
#[unsafe(naked)]
unsafe extern "C" fn sixteen(args: &Args) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r9, lr}}",
        "ldm r0, {{r0-r8}}",
        "vctp.8 r7",
        "vdup.8 q0, r8",
        "wls lr, r4, 2f",
        "1:",
        "vpst",
        "vstrbt.8 q0, [r0]",
        "add r0, r1",
        "le lr, 1b",
        "2:",
        "wls lr, r5, 4f",
        "3:",
        "vpstt",
        "vldrbt.u8 q1, [r2]",
        "vstrbt.8 q1, [r0]",
        "add r2, r3",
        "add r0, r1",
        "le lr, 3b",
        "4:",
        "wls lr, r6, 6f",
        "5:",
        "vpst",
        "vstrbt.8 q0, [r0]",
        "add r0, r1",
        "le lr, 5b",
        "6:",
        "pop {{r4-r9, pc}}",
    )
}

/// One channel, eight cells at a time.
///
/// # Safety
/// The pointers hold what the loop reads and writes; eight steps and eight cells fit 16 bits.
#[unsafe(naked)]
unsafe extern "C" fn one(args: &Args) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r9, lr}}",
        "ldm r0, {{r0-r8}}",
        "wls lr, r4, 2f",
        "1:",
        "strb r8, [r0]",
        "add r0, r1",
        "le lr, 1b",
        "2:",
        "cbz r5, 4f",
        "movs r4, #0",
        "mla r7, r5, r1, r0",
        "vidup.u16 q0, r4, #1",
        "vmul.i16 q1, q0, r3",
        "vmul.i16 q2, q0, r1",
        "lsl r3, r3, #3",
        "lsl r4, r1, #3",
        "dlstp.16 lr, r5",
        "3:",
        "vldrb.u16 q3, [r2, q1]",
        "vstrb.16 q3, [r0, q2]",
        "add r2, r3",
        "add r0, r4",
        "letp lr, 3b",
        "mov r0, r7",
        "4:",
        "wls lr, r6, 6f",
        "5:",
        "strb r8, [r0]",
        "add r0, r1",
        "le lr, 5b",
        "6:",
        "pop {{r4-r9, pc}}",
    )
}
