//! Cells of the arena as plain bytes, for kernels on whole tensors. A named border of `unsafe`.
//!
//! A device program is checked when it is loaded: the outputs and the scratch of a general step lie
//! apart from each other and from its inputs. Its records lie in memory that is borrowed for as
//! long as the program exists, so that still holds when the step runs, and nothing else touches
//! the arena meanwhile: cells are not shared between threads, and kernels call nobody.
#![allow(unsafe_code)]

use core::cell::Cell;

use super::Bytes;

/// Bytes that nothing writes while a kernel runs.
pub(super) fn shared<'a>(bytes: Bytes<'a>) -> &'a [u8] {
    // SAFETY: `Cell<u8>` has the layout of `u8`; no output and no scratch overlaps an input.
    unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// Bytes that only one view of a running kernel shows.
#[allow(clippy::mut_from_ref)]
pub(super) fn exclusive<'a>(bytes: Bytes<'a>) -> &'a mut [u8] {
    let start: *const Cell<u8> = bytes.as_ptr();
    // SAFETY: `Cell<u8>` has the layout of `u8` and allows writing; no other view of the step
    // overlaps this one.
    unsafe { core::slice::from_raw_parts_mut(start.cast_mut().cast(), bytes.len()) }
}
