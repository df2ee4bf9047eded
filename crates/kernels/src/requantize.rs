//! From one quantization to another, as TFLM's reference kernel does; this includes the change
//! between u8 and i8.

use embarca_num::fixed::Requant;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::binary::Lane;
use crate::clip::map;
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// i8 to i8; record [`Params`].
pub const I8_I8: Kernel = Kernel::new("requantize_i8_i8", check::<i8, i8>, call::<i8, i8>);
/// i8 to u8; record [`Params`].
pub const I8_U8: Kernel = Kernel::new("requantize_i8_u8", check::<i8, u8>, call::<i8, u8>);
/// i8 to i16; record [`Params`].
pub const I8_I16: Kernel = Kernel::new("requantize_i8_i16", check::<i8, i16>, call::<i8, i16>);
/// i8 to i32; record [`Params`].
pub const I8_I32: Kernel = Kernel::new("requantize_i8_i32", check::<i8, i32>, call::<i8, i32>);
/// u8 to i8; record [`Params`].
pub const U8_I8: Kernel = Kernel::new("requantize_u8_i8", check::<u8, i8>, call::<u8, i8>);
/// u8 to u8; record [`Params`].
pub const U8_U8: Kernel = Kernel::new("requantize_u8_u8", check::<u8, u8>, call::<u8, u8>);
/// i16 to i8; record [`Params`].
pub const I16_I8: Kernel = Kernel::new("requantize_i16_i8", check::<i16, i8>, call::<i16, i8>);
/// i16 to i16; record [`Params`].
pub const I16_I16: Kernel = Kernel::new("requantize_i16_i16", check::<i16, i16>, call::<i16, i16>);
/// i16 to i32; record [`Params`].
pub const I16_I32: Kernel = Kernel::new("requantize_i16_i32", check::<i16, i32>, call::<i16, i32>);
/// i32 to i8; record [`Params`].
pub const I32_I8: Kernel = Kernel::new("requantize_i32_i8", check::<i32, i8>, call::<i32, i8>);
/// i32 to i16; record [`Params`].
pub const I32_I16: Kernel = Kernel::new("requantize_i32_i16", check::<i32, i16>, call::<i32, i16>);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] =
    &[I8_I8, I8_U8, I8_I16, I8_I32, U8_I8, U8_U8, I16_I8, I16_I16, I16_I32, I32_I8, I32_I16];

/// The record of every kernel here.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Zero point of the input.
    pub in_zero: i32,
    /// Zero point of the output.
    pub out_zero: i32,
    /// Input scale over output scale, divided in f64.
    pub factor: Requant,
}

fn check<X: Lane, Y: Lane>(sig: &Signature) -> Result<Needs, Fault> {
    if !sig.params::<Params>()?.factor.is_valid() {
        return Err(Fault::Record);
    }
    let (x, y) = (sig.input(0)?, sig.output(0)?);
    if sig.outputs.len() != 1 {
        return Err(Fault::Arity);
    }
    if x.dtype != X::DTYPE || y.dtype != Y::DTYPE {
        return Err(Fault::Type);
    }
    if x.dims != y.dims {
        return Err(Fault::Shape);
    }
    Ok(Needs::split(check_size(x)?))
}

fn call<X: Lane, Y: Lane>(call: &mut Call) -> Result<(), Fault> {
    let p = call.params::<Params>()?;
    map(call, |x: X| requantize::<X, Y>(&p, x))
}

/// `y = saturate(factor * (x - in_zero) + out_zero)`
pub fn requantize<X: Lane, Y: Lane>(p: &Params, x: X) -> Y {
    let shifted = (x.wide() as i32).wrapping_sub(p.in_zero);
    Y::saturate(i64::from(p.factor.apply(shifted).wrapping_add(p.out_zero)))
}
