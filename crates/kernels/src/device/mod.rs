//! Steps of a device program: kernels that a microcontroller runs straight from flash.
//!
//! A device program knows no tensors: a step's record holds sizes and offsets into the arena and
//! the constants, all worked out when the plan was built. One function serves both the check at
//! load and the run: it takes its views of the memory, each of which is compared with the bounds,
//! and returns there when the step is only checked.
//!
//! Memory is shared cells, because steps may write over what they have read. The views are slices:
//! no access here can leave them. Inner loops that a core has a better way for are [`Parts`].

mod borrow;
mod conv;
mod dense;
mod depthwise;
mod frame;
mod general;
pub mod helium;
pub mod pack;
mod parts;
pub mod plain;
pub mod small;
#[cfg(test)]
mod tests;

pub use conv::{Conv, RECTIFIED, REVERSE, conv};
pub use dense::{Dense, UNIFORM, dense};
pub use depthwise::{Depthwise, depthwise};
pub use frame::{Byte, Bytes, Frame, bytes_of};
pub use general::{
    ABSENT, ARENA, CONSTANTS, GeneralHead, MOST_TENSORS, TensorHead, general, general_of,
};
pub use parts::{Block, Parts, Planes, Portable, Split, Vector, Widen, clamp, rescale};

use crate::Fault;

/// Sets bytes to one value.
fn fill(to: Bytes<'_>, value: i8) {
    to.iter().for_each(|byte| byte.set(value as u8));
}

/// One step: checks its record and views, and computes unless the frame is dry.
pub type Step = fn(&Frame<'_>) -> Result<(), Fault>;

/// The numbers of the steps. A device program stores them, so they never change.
pub mod opcode {
    /// Any kernel on whole tensors: [`super::general()`].
    pub const GENERAL: u16 = 1;
    /// 8-bit convolution, four positions and two channels at a time: [`super::conv()`].
    pub const CONV: u16 = 2;
    /// 8-bit depthwise 3x3 convolution, four channels at a time: [`super::depthwise()`].
    pub const DEPTHWISE: u16 = 3;
    /// 8-bit matrix times vector: [`super::dense()`].
    pub const DENSE: u16 = 4;
    /// 8-bit convolution, 16 products at a time: [`super::helium::conv`].
    pub const HELIUM_CONV: u16 = 32;
    /// 8-bit depthwise convolution, 16 channels at a time: [`super::helium::depthwise`].
    pub const HELIUM_DEPTHWISE: u16 = 33;
    /// 8-bit matrix times vector, 16 products at a time: [`super::helium::dense`].
    pub const HELIUM_DENSE: u16 = 34;
    /// Sum of two 8-bit tensors, four elements at a time: [`super::helium::add`].
    pub const HELIUM_ADD: u16 = 35;
    /// 8-bit convolution or matrix product, plain multiplications: [`super::plain::plain_conv`].
    pub const PLAIN_CONV: u16 = 45;
    /// 8-bit depthwise convolution of any kernel: [`super::plain::taps`].
    pub const TAPS: u16 = 46;
    /// Sum of two 8-bit tensors: [`super::small::add`].
    pub const ADD: u16 = 40;
    /// Product of two 8-bit tensors: [`super::small::mul`].
    pub const MUL: u16 = 41;
    /// Maximum, average or mean of windows: [`super::small::pool`].
    pub const POOL: u16 = 42;
    /// 8-bit softmax: [`super::small::softmax`].
    pub const SOFTMAX: u16 = 43;
    /// A function of one byte: [`super::small::table`].
    pub const TABLE: u16 = 44;
}
