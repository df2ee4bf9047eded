//! Steps between the convolutions, for any core.

use embarca_kernels::binary::{Kind, ParamsMulI8, ParamsSumI8};
use embarca_kernels::device::small::{Add, Mul, Pool, PoolKind, Softmax, Table};
use embarca_kernels::{pool, reduce, softmax};
use embarca_num::fixed::Requant;
use zerocopy::FromBytes;

use super::{Chosen, Form, Site};
use crate::CompileError;
use crate::device::constants::Constants;

/// Bounds in the width of the records.
fn act(min: i32, max: i32) -> [i8; 2] {
    [min as i8, max as i8]
}

/// One half of a shift to the right and, above it, a zero point.
fn addend(right: i32, zero: i32) -> i32 {
    (1 << right >> 1) + (zero << right)
}

impl Site<'_> {
    /// The bytes of both inputs and the output, where all have one shape and none is constant.
    fn alike(&self) -> Option<u32> {
        let (a, b, [y]) = (self.input(0)?, self.input(1)?, self.step.outputs.as_slice()) else {
            return None;
        };
        let same = self.dims(a) == self.dims(*y) && self.dims(b) == self.dims(*y);
        let stored = self.constant(0).is_none() && self.constant(1).is_none();
        (same && stored).then(|| self.dims(*y).iter().product())
    }

    pub(super) fn add(&self) -> Chosen {
        let params = ParamsSumI8::read_from_bytes(self.record).ok()?;
        let len = self.alike()?;
        if params.kind != Kind::Add as u32 {
            return None;
        }
        let half = |factor: Requant| factor.multiplier() == 1 << 30 && factor.shift() == 0;
        let second = !half(params.in_scale[0]);
        let (whole, other) = if second { (1, 0) } else { (0, 1) };
        let (factor, out) = (params.in_scale[other], params.out_scale);
        // A half twice over, where the other one is exact too.
        let (left, right) = if half(factor) { (21, 1) } else { (20, -factor.shift()) };
        let out_right = -out.shift();
        let short = half(params.in_scale[whole])
            && (1..=29).contains(&right)
            && (1..=22).contains(&out_right);
        short.then(|| {
            let step = Add {
                a: 0,
                b: 0,
                y: 0,
                len,
                second: second.into(),
                zero: params.in_zero[other] << left,
                left,
                factor: [factor.multiplier(), right],
                half: addend(right, 0),
                offset: params.in_zero[whole] << 19,
                out: [out.multiplier(), out_right],
                addend: addend(out_right, params.out_zero),
                act: act(params.act_min, params.act_max),
                reserved: 0,
            };
            (Form::Add(step), 0, true)
        })
    }

    pub(super) fn mul(&self) -> Chosen {
        let params = ParamsMulI8::read_from_bytes(self.record).ok()?;
        let len = self.alike()?;
        // A product has 17 bits.
        let shift = params.factor.shift();
        if !(-22..=12).contains(&shift) {
            return None;
        }
        let twice = (params.factor.multiplier().cast_unsigned() << 1).cast_signed();
        let step = Mul {
            a: 0,
            b: 0,
            y: 0,
            len,
            zeros: params.in_zero,
            factor: [twice, addend((-shift).max(0), params.out_zero), -shift],
            act: act(params.act_min, params.act_max),
            reserved: 0,
        };
        Some((Form::Mul(step), 0, true))
    }

    /// Maximum or average; `max` tells which.
    pub(super) fn pool(&self, max: bool) -> Chosen {
        let params = pool::ParamsI8::read_from_bytes(self.record).ok()?;
        let window = &params.pool.window;
        let (x, [y]) = (self.input(0)?, self.step.outputs.as_slice()) else { return None };
        let (&[1, h, w, c], &[_, oh, ow, _]) = (self.dims(x), self.dims(*y)) else { return None };
        let whole = |size: u32, input: u32| if size == 0 { input } else { size };
        let size = [whole(params.pool.size[0], h), whole(params.pool.size[1], w)];
        let kind = match (max, params.half_up) {
            (true, _) => PoolKind::Max,
            (_, 1) => PoolKind::AverageUp,
            _ => PoolKind::Average,
        };
        if window.dilation != [1, 1] || params.pool.count_pad != 0 {
            return None;
        }
        let step = Pool {
            kind: kind as u8,
            stride: small(window.stride)?,
            pad: small(window.pad.map(|pad| u32::try_from(pad).unwrap_or(u32::MAX)))?,
            act: act(params.act_min, params.act_max),
            ..no_pool([h, w, c], [oh, ow], size)?
        };
        step.is_sound().then_some((Form::Pool(step), 0, false))
    }

    /// The mean over axes that follow each other in front of those that stay.
    pub(super) fn mean(&self) -> Chosen {
        let params = reduce::ParamsI8::read_from_bytes(self.record).ok()?;
        let dims = self.dims(self.input(0)?);
        if params.kind != reduce::Kind::Mean as u32 {
            return None;
        }
        let reduced = |axis: usize| dims[axis] == 1 || params.axes >> axis & 1 == 1;
        let count = (0..dims.len()).take_while(|&axis| reduced(axis)).count();
        // What is reduced behind the axes that stay counts for one element each.
        let others =
            (count..dims.len()).all(|axis| dims[axis] == 1 || params.axes >> axis & 1 == 0);
        let rows: u32 = dims[..count].iter().product();
        let channels: u32 = dims[count..].iter().product();
        if !others || rows == 0 || channels == 0 {
            return None;
        }
        let step = Pool {
            kind: PoolKind::Mean as u8,
            offset: params.in_zero.checked_mul(rows.try_into().ok()?)?,
            factor: params.factor.divided_by(rows),
            out_zero: params.out_zero,
            ..no_pool([1, rows, channels], [1, 1], [1, rows])?
        };
        step.is_sound().then_some((Form::Pool(step), 0, false))
    }

    pub(super) fn softmax(&self) -> Chosen {
        let params = softmax::ParamsI8::read_from_bytes(self.record).ok()?;
        let dims = self.dims(self.input(0)?);
        let width = *dims.last().filter(|width| **width != 0)?;
        let rows = dims.iter().product::<u32>() / width;
        let step = Softmax { x: 0, y: 0, scratch: 0, rows, width, params };
        Some((Form::Softmax(step), width.checked_mul(4)?, true))
    }

    pub(super) fn table(&self, constants: &mut Constants) -> Result<Chosen, CompileError> {
        let (Some(x), Some(table)) = (self.input(0), self.constant(1)) else { return Ok(None) };
        let len = self.dims(x).iter().product();
        let step = Table { x: 0, y: 0, len, table: constants.add(table)? };
        Ok(Some((Form::Table(step), 0, true)))
    }
}

fn small([a, b]: [u32; 2]) -> Option<[u16; 2]> {
    Some([u16::try_from(a).ok()?, u16::try_from(b).ok()?])
}

/// Windows side by side without any arithmetic.
fn no_pool([h, w, c]: [u32; 3], output: [u32; 2], size: [u32; 2]) -> Option<Pool> {
    let ([h, w], [c, _]) = (small([h, w])?, small([c, 0])?);
    Some(Pool {
        x: 0,
        y: 0,
        input: [h, w, c],
        output: small(output)?,
        size: small(size)?,
        kind: 0,
        reserved: 0,
        stride: [1, 1],
        pad: [0, 0],
        act: [i8::MIN, i8::MAX],
        spare: 0,
        offset: 0,
        factor: Requant::default(),
        out_zero: 0,
    })
}
