//! What kernels that multiply 16-bit activations by 8-bit weights have in common: TFLite's 16x8
//! scheme. Nothing has a zero point.

use embarca_num::DType;
use embarca_num::fixed::{Requant, Requant16x8};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Fault, Signature, Src};

/// Width of the sums and fused activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TailI16 {
    /// 1 when sums have 32 bits (and the bias is i32), 0 when they have 64 (and it is i64).
    pub narrow: u32,
    /// Lower bound of the stored result, at least -32768.
    pub act_min: i32,
    /// Upper bound of the stored result, at most 32767.
    pub act_max: i32,
}

impl TailI16 {
    /// A `Record` fault when a field is outside its range.
    pub fn check(&self) -> Result<(), Fault> {
        check_bounds(self.act_min, self.act_max)?;
        if 1 < self.narrow { Err(Fault::Record) } else { Ok(()) }
    }

    /// From a sum to what is stored. Sums of 32 bits wrap.
    #[inline]
    pub fn apply(&self, sum: i64, factor: Requant) -> i16 {
        let y = if self.narrow == 1 {
            factor.apply(sum as i32)
        } else {
            Requant16x8::new(factor).unwrap_or_default().apply(sum)
        };
        y.max(self.act_min).min(self.act_max) as i16
    }

    /// The element type of the bias.
    pub fn bias_type(&self) -> DType {
        if self.narrow == 1 { DType::I32 } else { DType::I64 }
    }
}

/// A `Record` fault unless the bounds are a range of i16.
pub fn check_bounds(min: i32, max: i32) -> Result<(), Fault> {
    if -32768 <= min && min <= max && max <= 32767 { Ok(()) } else { Err(Fault::Record) }
}

/// The starting sums.
#[derive(Clone, Copy, Debug)]
pub enum Bias<'a> {
    /// None: zeros.
    Zero,
    /// Of 32 bits.
    Narrow(&'a [i32]),
    /// Of 64 bits.
    Wide(&'a [i64]),
}

impl<'a> Bias<'a> {
    /// From a kernel's optional input.
    pub fn new(tail: &TailI16, bias: Option<Src<'a>>) -> Self {
        match bias {
            None => Self::Zero,
            Some(bias) if tail.narrow == 1 => Self::Narrow(bias.elements()),
            Some(bias) => Self::Wide(bias.elements()),
        }
    }

    /// For output `index`.
    pub fn get(&self, index: usize) -> i64 {
        match self {
            Self::Zero => 0,
            Self::Narrow(bias) => bias.get(index).copied().unwrap_or_default().into(),
            Self::Wide(bias) => bias.get(index).copied().unwrap_or_default(),
        }
    }
}

/// The constants of the output channels.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// Weights.
    pub w: &'a [i8],
    /// Starting sums.
    pub bias: Bias<'a>,
    /// Rescaling of the sums.
    pub factors: &'a [Requant],
}

/// The sum of products: as many terms at a time as 32 bits hold.
#[inline(always)]
pub fn dot(x: &[i16], w: &[i8]) -> i64 {
    let parts = x.chunks(256).zip(w.chunks(256));
    let part = |(x, w): (&[i16], &[i8])| -> i64 {
        let terms = x.iter().zip(w).map(|(&x, &w)| i32::from(x) * i32::from(w));
        terms.sum::<i32>().into()
    };
    parts.map(part).sum()
}

/// Checks types, bias (input 2) and factors (input 3) of a kernel with x and w.
pub fn check(sig: &Signature, tail: &TailI16, channels: u32) -> Result<(), Fault> {
    tail.check()?;
    crate::tail::check_types(sig, [DType::I16, DType::I8, DType::I16], 4)?;
    crate::tail::check_bias(sig, 2, tail.bias_type(), channels)?;
    crate::tail::check_factors(sig, 3, channels)
}
