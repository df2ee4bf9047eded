//! Every step equals its kernel, on random sizes and parameters.

use std::vec;
use std::vec::Vec;

use embarca_num::DType;
use embarca_num::fixed::Requant;
use zerocopy::{Immutable, IntoBytes};

use super::plain::{PlainConv, Taps, fours, plain_conv, taps};
use super::small::{Add, Mul, Pool, PoolKind, Softmax, add, mul, pool, softmax};
use super::{Frame, Portable, Step, bytes_of};
use crate::binary::{Kind, ParamsMulI8, ParamsSumI8};
use crate::spatial::Window;
use crate::tail::TailI8;
use crate::testing::{Tensor, run};
use crate::{binary, conv2d, depthwise_conv2d, reduce};

struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as u32) % end
    }

    fn from(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1) as u32) as i32
    }

    /// Bytes, many of them extremes.
    fn bytes(&mut self, len: usize) -> Vec<i8> {
        let mut byte = || match self.below(6) {
            0 => i8::MIN,
            1 => i8::MAX,
            _ => self.below(256) as u8 as i8,
        };
        (0..len).map(|_| byte()).collect()
    }

    fn requant(&mut self, low: i32, high: i32) -> Requant {
        let multiplier = self.from(1 << 30, i32::MAX);
        Requant::new(multiplier, self.from(low, high)).unwrap()
    }
}

/// Runs a step on inputs at the start of the arena, the output behind them, then the scratch; what
/// lies behind stays as it is.
fn step<R: IntoBytes + Immutable>(
    step: Step,
    record: &R,
    constants: &[u8],
    inputs: &[i8],
    output: usize,
    scratch: usize,
) -> Vec<i8> {
    let mut arena = vec![0u8; inputs.len() + output + scratch + 8];
    arena[..inputs.len()].copy_from_slice(inputs.as_bytes());
    let guard = inputs.len() + output + scratch;
    arena[guard..].fill(0xa5);
    let mut words = vec![0u32; constants.len().div_ceil(4)];
    words.as_mut_bytes()[..constants.len()].copy_from_slice(constants);
    let record: Vec<u32> = record
        .as_bytes()
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    for dry in [true, false] {
        let constants = words.as_bytes();
        step(&Frame { arena: bytes_of(&mut arena), constants, record: &record, dry }).unwrap();
    }
    assert!(arena[guard..].iter().all(|&byte| byte == 0xa5));
    let y = &arena[inputs.len()..inputs.len() + output];
    y.iter().map(|&byte| byte as i8).collect()
}

/// Multiplier, addend and shift as `rescale` takes them.
fn factor(requant: Requant, zero: i32) -> [i32; 3] {
    let right = (-requant.shift()).max(0);
    let twice = (requant.multiplier().cast_unsigned() << 1).cast_signed();
    [twice, (1 << right >> 1) + (zero << right), -requant.shift()]
}

#[test]
fn convolutions_equal_their_kernels() {
    let mut random = Random(1);
    for case in 0..400 {
        let depthwise = case % 2 == 1;
        let [h, w] = [0; 2].map(|_| 1 + random.below(7) as u16);
        let c = 1 + random.below(11) as u16;
        let kernel = [0; 2].map(|_| 1 + random.below(5) as u8);
        let stride = [0; 2].map(|_| 1 + random.below(3) as u8);
        let dilation = [0; 2].map(|_| 1 + random.below(2) as u8);
        let pad = [0, 1].map(|axis| random.below(kernel[axis].into()) as u8);
        let out = [0, 1].map(|axis| {
            let size = [h, w][axis] + u16::from(2 * pad[axis]);
            let reach = u16::from((kernel[axis] - 1) * dilation[axis]);
            size.checked_sub(reach + 1).map(|rest| rest / u16::from(stride[axis]) + 1)
        });
        let [Some(oh), Some(ow)] = out else { continue };
        let oc = if depthwise { c } else { 1 + random.below(6) as u16 };
        let taps_of = usize::from(kernel[0]) * usize::from(kernel[1]);
        let k = if depthwise { taps_of } else { taps_of * usize::from(c) };
        let channels = usize::from(oc);
        let x = random.bytes(usize::from(h * w * c));
        let weights = random.bytes(k * channels);
        let tail = TailI8 {
            in_zero: random.from(-128, 127),
            w_zero: 0,
            out_zero: random.from(-128, 127),
            act_min: random.from(-128, -100),
            act_max: random.from(0, 127),
        };
        let biases: Vec<i32> = (0..channels).map(|_| random.from(-9000, 9000)).collect();
        let factors: Vec<Requant> = (0..channels).map(|_| random.requant(-12, 1)).collect();
        let window = Window {
            stride: stride.map(u32::from),
            dilation: dilation.map(u32::from),
            pad: pad.map(i32::from),
        };
        let [kh, kw] = kernel.map(u32::from);
        let (c4, oc4) = (u32::from(c), u32::from(oc));
        let w_dims = if depthwise { [1, kh, kw, oc4] } else { [oc4, kh, kw, c4] };
        let tensors = [
            Tensor::i8(&[1, h.into(), w.into(), c4], &x),
            Tensor::i8(&w_dims, &weights),
            Tensor::i32(&[oc4], &biases),
            Tensor::new(DType::I32, &[oc4, 2], &factors),
        ];
        let to = [(DType::I8, &[1, oh.into(), ow.into(), oc4][..])];
        let want = if depthwise {
            let params = depthwise_conv2d::ParamsI8 { window, tail };
            run(&depthwise_conv2d::I8, &params, &tensors, &to)
        } else {
            let params = conv2d::ParamsI8 { window, groups: 1, tail };
            run(&conv2d::I8, &params, &tensors, &to)
        };

        let of = |index: usize| if depthwise { index % channels } else { index / k };
        let mut packed = weights.clone();
        if depthwise {
            fours(&weights, channels, &mut packed);
        }
        let mut constants: Vec<u8> = packed.as_bytes().to_vec();
        constants.resize(constants.len().next_multiple_of(4), 0);
        let params = constants.len() as u32;
        for channel in 0..channels {
            let own = weights.iter().enumerate().filter(|(index, _)| of(*index) == channel);
            let sum: i32 = own.map(|(_, &w)| i32::from(w)).sum();
            let folded = biases[channel] - tail.in_zero * sum;
            let list = [folded].into_iter().chain(factor(factors[channel], tail.out_zero));
            constants.extend(list.flat_map(i32::to_le_bytes));
        }
        let act = [tail.act_min as i8, tail.act_max as i8];
        let (y, all) = (x.len() as u32, usize::from(oh * ow * oc));
        let behind = (x.len() + all) as u32;
        let (input, zero) = ([h, w, c], tail.in_zero as i8);
        let got = if depthwise {
            let record = Taps {
                x: 0,
                y,
                scratch: behind,
                weights: 0,
                params,
                input,
                zero,
                reserved: 0,
                output: [oh, ow],
                kernel,
                stride,
                dilation,
                pad,
                act,
                spare: [0; 2],
            };
            let scratch = record.scratch() as usize;
            step(taps::<Portable>, &record, &constants, &x, all, scratch)
        } else {
            let record = PlainConv {
                x: 0,
                y,
                scratch: behind,
                weights: 0,
                params,
                input,
                output: [oh, ow, oc],
                kernel,
                stride,
                dilation,
                pad,
                zero,
                act,
                reserved: 0,
            };
            let scratch = record.scratch() as usize;
            step(plain_conv::<Portable>, &record, &constants, &x, all, scratch)
        };
        assert_eq!(got, want[0].to_i8(), "case {case}: {input:?} {kernel:?} {stride:?} {pad:?}");
    }
}

#[test]
fn sums_and_products_equal_their_kernels() {
    let mut random = Random(2);
    for case in 0..300 {
        let len = 1 + random.below(300);
        let a = random.bytes(len as usize);
        let b = random.bytes(len as usize);
        let in_zero = [random.from(-128, 127), random.from(-128, 127)];
        let out_zero = random.from(-128, 127);
        let (act_min, act_max) = (random.from(-128, -90), random.from(20, 127));
        let act = [act_min as i8, act_max as i8];
        let both = [a.clone(), b.clone()].concat();
        let tensors = [Tensor::i8(&[len], &a), Tensor::i8(&[len], &b)];
        let to = [(DType::I8, &[len][..])];
        let y = 2 * len;

        let half = Requant::new(1 << 30, 0).unwrap();
        let other = if case % 5 == 0 { half } else { random.requant(-8, -1) };
        let out_scale = random.requant(-21, -15);
        let second = case % 2 == 1;
        let in_scale = if second { [other, half] } else { [half, other] };
        let kind = Kind::Add as u32;
        let params = ParamsSumI8 { kind, in_zero, in_scale, out_scale, out_zero, act_min, act_max };
        let want = run(&binary::SUM_I8, &params, &tensors, &to);
        let (left, right) = if other == half { (21, 1) } else { (20, -other.shift()) };
        let out_right = -out_scale.shift();
        let [whole, rest] = if second { [1, 0] } else { [0, 1] };
        let record = Add {
            a: 0,
            b: len,
            y,
            len,
            second: second.into(),
            zero: in_zero[rest] << left,
            left,
            factor: [other.multiplier(), right],
            half: 1 << right >> 1,
            offset: in_zero[whole] << 19,
            out: [out_scale.multiplier(), out_right],
            addend: (1 << out_right >> 1) + (out_zero << out_right),
            act,
            reserved: 0,
        };
        assert_eq!(step(add, &record, &[], &both, len as usize, 0), want[0].to_i8(), "sum {case}");

        let scale = random.requant(-14, 3);
        let params = ParamsMulI8 { in_zero, factor: scale, out_zero, act_min, act_max };
        let want = run(&binary::MUL_I8, &params, &tensors, &to);
        let factor = factor(scale, out_zero);
        let record = Mul { a: 0, b: len, y, len, zeros: in_zero, factor, act, reserved: 0 };
        assert_eq!(step(mul, &record, &[], &both, len as usize, 0), want[0].to_i8(), "{case}");
    }
}

#[test]
fn pools_and_means_equal_their_kernels() {
    let mut random = Random(3);
    for case in 0..400 {
        let input = [1 + random.below(9), 1 + random.below(9), 1 + random.below(20)];
        let size = [1 + random.below(4), 1 + random.below(4)];
        let stride = [1 + random.below(3), 1 + random.below(3)];
        let pad = [random.below(size[0]), random.below(size[1])];
        let out = [0, 1].map(|axis| (input[axis] + pad[axis] - 1) / stride[axis] + 1);
        let [h, w, c] = input;
        let x = random.bytes((h * w * c) as usize);
        let tensors = [Tensor::i8(&[1, h, w, c], &x)];
        let kind = random.below(3) as u8;
        let base = Pool {
            x: 0,
            y: x.len() as u32,
            input: input.map(|size| size as u16),
            output: out.map(|size| size as u16),
            size: size.map(|size| size as u16),
            kind,
            reserved: 0,
            stride: stride.map(|size| size as u16),
            pad: pad.map(|size| size as u16),
            act: [-120, 110],
            spare: 0,
            offset: 0,
            factor: Requant::default(),
            out_zero: 0,
        };
        let params = crate::pool::ParamsI8 {
            pool: crate::pool::Params {
                window: Window { stride, dilation: [1, 1], pad: pad.map(|pad| pad as i32) },
                size,
                pad_end: [0, 0],
                count_pad: 0,
            },
            act_min: -120,
            act_max: 110,
            half_up: u32::from(kind == PoolKind::AverageUp as u8),
        };
        let max = kind == PoolKind::Max as u8;
        let kernel = if max { crate::pool::MAX_I8 } else { crate::pool::AVERAGE_I8 };
        let dims = [1, out[0], out[1], c];
        let want = run(&kernel, &params, &tensors, &[(DType::I8, &dims)]);
        let all = (out[0] * out[1] * c) as usize;
        assert_eq!(step(pool, &base, &[], &x, all, 0), want[0].to_i8(), "case {case}");

        let [in_zero, out_zero] = [random.from(-128, 127), random.from(-128, 127)];
        let factor = random.requant(-4, 2);
        let mean = reduce::ParamsI8 {
            kind: reduce::Kind::Mean as u32,
            axes: 0b110,
            in_zero,
            out_zero,
            factor,
        };
        let want = run(&reduce::MEAN_I8, &mean, &tensors, &[(DType::I8, &[1, c])]);
        let rows = h * w;
        let record = Pool {
            kind: PoolKind::Mean as u8,
            input: [1, rows as u16, c as u16],
            output: [1, 1],
            size: [1, rows as u16],
            stride: [1, 1],
            pad: [0, 0],
            act: [-128, 127],
            offset: in_zero * rows as i32,
            factor: factor.divided_by(rows),
            out_zero,
            ..base
        };
        assert_eq!(step(pool, &record, &[], &x, c as usize, 0), want[0].to_i8(), "mean {case}");
    }
}

#[test]
fn softmax_equals_its_kernel() {
    let mut random = Random(4);
    for case in 0..100 {
        let (rows, width) = (1 + random.below(3), 1 + random.below(40));
        let x = random.bytes((rows * width) as usize);
        let params = crate::softmax::ParamsI8 {
            multiplier: random.from(1 << 30, i32::MAX),
            left_shift: random.below(6) + 20,
            diff_min: random.from(-300, -10),
        };
        let tensors = [Tensor::i8(&[rows, width], &x)];
        let want = run(&crate::softmax::I8, &params, &tensors, &[(DType::I8, &[rows, width])]);
        let y = x.len() as u32;
        let record = Softmax { x: 0, y, scratch: 2 * y, rows, width, params };
        let got = step(softmax, &record, &[], &x, x.len(), 4 * width as usize);
        assert_eq!(got, want[0].to_i8(), "case {case}");
    }
}
