//! Every twin equals its definition on random shapes and contents.

use std::vec::Vec;
use std::{format, println};

use embarca_num::DType;
use zerocopy::{Immutable, IntoBytes};

use super::*;
use crate::spatial::Window;
use crate::tail::{ClampF32, TailI8};
use crate::testing::{Tensor, check, try_run};
use crate::{opcode, portable};

/// A linear congruential generator; the high bits are good enough.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    /// `low..=high`
    fn range(&mut self, low: i32, high: i32) -> i32 {
        low + (self.next() % (high - low + 1) as u32) as i32
    }

    fn size(&mut self, low: u32, high: u32) -> u32 {
        self.range(low as i32, high as i32) as u32
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.next().is_multiple_of(n)
    }

    fn f32(&mut self, dims: &[u32]) -> Tensor {
        let len = dims.iter().product::<u32>();
        let values: Vec<f32> = (0..len).map(|_| self.range(-9999, 9999) as f32 / 4096.0).collect();
        Tensor::f32(dims, &values)
    }

    fn i8(&mut self, dims: &[u32]) -> Tensor {
        let len = dims.iter().product::<u32>();
        let values: Vec<i8> = (0..len).map(|_| self.next() as i8).collect();
        Tensor::i8(dims, &values)
    }

    fn i32(&mut self, len: u32, most: i32) -> Tensor {
        let values: Vec<i32> = (0..len).map(|_| self.range(-most, most)).collect();
        Tensor::i32(&[len], &values)
    }

    /// Scales that are positive.
    fn scales(&mut self, len: u32) -> Tensor {
        let values: Vec<f32> = (0..len).map(|_| self.range(1, 9999) as f32 / 65_536.0).collect();
        Tensor::f32(&[len], &values)
    }

    /// Factors of which results mostly lie within i8, some with a left shift.
    fn factors(&mut self, len: u32) -> Tensor {
        let left = self.one_in(8);
        let pair = |_| {
            let shift = if left && self.one_in(3) { self.range(0, 3) } else { -self.range(0, 12) };
            [self.range(1 << 30, i32::MAX - 1), shift]
        };
        let values: Vec<i32> = (0..len).flat_map(pair).collect();
        Tensor::i32(&[len, 2], &values)
    }

    fn clamp(&mut self) -> ClampF32 {
        if self.one_in(2) { ClampF32::NONE } else { ClampF32 { act_min: -0.5, act_max: 6.0 } }
    }

    fn tail(&mut self) -> TailI8 {
        let act_min = self.range(-128, 0);
        TailI8 {
            in_zero: self.range(-128, 127),
            w_zero: if self.one_in(2) { 0 } else { self.range(-128, 127) },
            out_zero: self.range(-128, 127),
            act_min: if self.one_in(2) { -128 } else { act_min },
            act_max: if self.one_in(2) { 127 } else { self.range(act_min, 127) },
        }
    }

    fn window(&mut self) -> Window {
        let plain = self.one_in(3);
        let mut pair = |low: i32, high: i32| [self.range(low, high), self.range(low, high)];
        let (stride, dilation, pad) = (pair(1, 3), pair(1, 3), pair(-1, 3));
        if plain {
            return Window::DENSE;
        }
        Window { stride: stride.map(|n| n as u32), dilation: dilation.map(|n| n as u32), pad }
    }

    /// Height and width of an output: any is legal, this one mostly meets the input.
    fn output(&mut self, window: &Window, input: [u32; 2], kernel: [u32; 2]) -> [u32; 2] {
        let size = |axis: usize| {
            let reach = (kernel[axis] - 1) * window.dilation[axis];
            let room = input[axis] as i32 + 2 * window.pad[axis] - reach as i32 - 1;
            (room / window.stride[axis] as i32 + 1).clamp(1, 11) as u32
        };
        let extra = u32::from(self.one_in(4));
        [size(0) + extra, size(1) + extra]
    }
}

/// Runs definition and twin, the twin in all its splits. A twin may refuse shapes; its definition
/// then computes them.
fn compare(
    name: &str,
    params: &(impl IntoBytes + Immutable),
    inputs: &[Option<&Tensor>],
    output: (DType, &[u32]),
) {
    let definition = portable(opcode(name).unwrap()).unwrap();
    let expected = try_run(definition, params, inputs, &[output]);
    if check(twin(name).unwrap(), params, inputs, &[output]).is_err() {
        let empty = inputs.iter().flatten().any(|tensor| tensor.dims.contains(&0));
        assert!(empty && expected.is_ok(), "{name} refuses what it should compute");
        return;
    }
    let results = try_run(twin(name).unwrap(), params, inputs, &[output]);
    let dims = |tensor: &Option<&Tensor>| tensor.map(|tensor| tensor.dims.clone());
    let shapes: Vec<_> = inputs.iter().map(dims).collect();
    let case = format!("{name} {shapes:?} {:?} {:?}", output.1, params.as_bytes());
    assert_eq!(results, expected, "{case}");
}

const CASES: u32 = 120;

#[test]
fn convolutions() {
    let mut random = Random(1);
    for case in 0..CASES {
        let groups = if random.one_in(2) { 1 } else { random.size(2, 4) };
        let each = if case % 8 == 0 { random.size(30, 70) } else { random.size(1, 12) };
        let outputs = if case % 9 == 0 { random.size(60, 70) } else { random.size(1, 40) };
        let outputs = outputs.div_ceil(groups);
        let kernel = if random.one_in(3) { [1, 1] } else { [random.size(1, 4), random.size(1, 3)] };
        let [n, h, w] = [random.size(1, 2), random.size(1, 9), random.size(1, 9)];
        let window = random.window();
        let [oh, ow] = random.output(&window, [h, w], kernel);
        let y: &[u32] = &[n, oh, ow, groups * outputs];
        let dims: &[u32] = &[n, h, w, groups * each];
        let w_dims = &[groups * outputs, kernel[0], kernel[1], each];

        let (x, w, bias) = (random.f32(dims), random.f32(w_dims), random.f32(&y[3..]));
        let bias = random.one_in(2).then_some(&bias);
        let params = conv2d::ParamsF32 { window, groups, clamp: random.clamp() };
        compare("conv2d_f32", &params, &[Some(&x), Some(&w), bias], (DType::F32, y));

        let (x, w, bias) = (random.i8(dims), random.i8(w_dims), random.i32(y[3], 99_999));
        let (bias, factors) = (random.one_in(2).then_some(&bias), random.factors(y[3]));
        let params = conv2d::ParamsI8 { window, groups, tail: random.tail() };
        let inputs = [Some(&x), Some(&w), bias, Some(&factors)];
        compare("conv2d_i8", &params, &inputs, (DType::I8, y));
        let scales = random.scales(y[3]);
        let inputs = [Some(&x), Some(&w), bias, Some(&scales)];
        compare("conv2d_onnx", &params, &inputs, (DType::I8, y));

        let (x, bias, clamp) = (random.f32(dims), random.f32(&y[3..]), random.clamp());
        let bias = random.one_in(2).then_some(&bias);
        let params = conv2d::ParamsHybrid { window, groups, per_channel: case % 2, clamp };
        let inputs = [Some(&x), Some(&w), bias, Some(&scales)];
        compare("conv2d_hybrid", &params, &inputs, (DType::F32, y));
    }
}

#[test]
fn depthwise_convolutions() {
    let mut random = Random(2);
    for case in 0..CASES {
        let multiplier = if random.one_in(3) { random.size(2, 3) } else { 1 };
        let channels = match case % 4 {
            0 => 8 * random.size(1, 10),
            1 => random.size(60, 70),
            _ => random.size(1, 40),
        };
        let kernel = match case % 6 {
            0..3 => [3, 3],
            5 => [random.size(8, 9), random.size(8, 9)],
            _ => [random.size(1, 4), random.size(1, 4)],
        };
        let [n, h, w] = [random.size(1, 2), random.size(1, 9), random.size(1, 11)];
        let window = random.window();
        let [oh, ow] = random.output(&window, [h, w], kernel);
        let y: &[u32] = &[n, oh, ow, channels * multiplier];
        let (dims, w_dims) = (&[n, h, w, channels], &[1, kernel[0], kernel[1], y[3]]);

        let (x, w, bias) = (random.f32(dims), random.f32(w_dims), random.f32(&y[3..]));
        let bias = random.one_in(2).then_some(&bias);
        let params = depthwise_conv2d::ParamsF32 { window, clamp: random.clamp() };
        compare("depthwise_conv2d_f32", &params, &[Some(&x), Some(&w), bias], (DType::F32, y));

        let (x, w, bias) = (random.i8(dims), random.i8(w_dims), random.i32(y[3], 9999));
        let (bias, factors) = (random.one_in(2).then_some(&bias), random.factors(y[3]));
        let params = depthwise_conv2d::ParamsI8 { window, tail: random.tail() };
        let inputs = [Some(&x), Some(&w), bias, Some(&factors)];
        compare("depthwise_conv2d_i8", &params, &inputs, (DType::I8, y));
        let scales = random.scales(y[3]);
        let inputs = [Some(&x), Some(&w), bias, Some(&scales)];
        compare("depthwise_conv2d_onnx", &params, &inputs, (DType::I8, y));

        let (x, bias) = (random.f32(dims), random.f32(&y[3..]));
        let bias = random.one_in(2).then_some(&bias);
        let params = depthwise_conv2d::ParamsF32 { window, clamp: random.clamp() };
        let inputs = [Some(&x), Some(&w), bias, Some(&scales)];
        compare("depthwise_conv2d_hybrid", &params, &inputs, (DType::F32, y));
    }
}

#[test]
fn dense_layers() {
    let mut random = Random(3);
    for case in 0..CASES {
        let rows = if case % 2 == 0 { 1 } else { random.size(1, 9) };
        let (inputs, outputs) = (random.size(1, 70), random.size(1, 40));
        let (x_dims, w_dims) = (&[rows, inputs], &[outputs, inputs]);
        let y: &[u32] = &[rows, outputs];

        let (x, w, bias) = (random.f32(x_dims), random.f32(w_dims), random.f32(&y[1..]));
        let bias = random.one_in(2).then_some(&bias);
        let params = random.clamp();
        compare("dense_f32", &params, &[Some(&x), Some(&w), bias], (DType::F32, y));

        let (x, w, bias) = (random.i8(x_dims), random.i8(w_dims), random.i32(y[1], 99_999));
        let (bias, factors) = (random.one_in(2).then_some(&bias), random.factors(y[1]));
        let params = random.tail();
        let inputs = [Some(&x), Some(&w), bias, Some(&factors)];
        compare("dense_i8", &params, &inputs, (DType::I8, y));
        let scales = random.scales(y[1]);
        let inputs = [Some(&x), Some(&w), bias, Some(&scales)];
        compare("dense_onnx", &params, &inputs, (DType::I8, y));

        let (x, bias, clamp) = (random.f32(x_dims), random.f32(&y[1..]), random.clamp());
        let bias = random.one_in(2).then_some(&bias);
        let params = dense::ParamsHybrid { asymmetric: case % 2, clamp };
        let inputs = [Some(&x), Some(&w), bias, Some(&scales)];
        compare("dense_hybrid", &params, &inputs, (DType::F32, y));
    }
}

#[test]
fn windows_without_taps_yield_the_bias() {
    let mut random = Random(4);
    for (kernel, each) in [([1, 1], 0), ([0, 2], 3), ([2, 0], 3)] {
        let (x, w) = (&[1, 4, 5, each], &[20, kernel[0], kernel[1], each]);
        let y: &[u32] = &[1, 4, 5, 20];
        let window = Window::DENSE;
        let (bias, scales) = (random.f32(&[20]), random.scales(20));
        let (ints, factors) = (random.i32(20, 99), random.factors(20));
        let params = conv2d::ParamsF32 { window, groups: 1, clamp: ClampF32::NONE };
        let inputs = [Some(&random.f32(x)), Some(&random.f32(w)), Some(&bias)];
        compare("conv2d_f32", &params, &inputs, (DType::F32, y));
        let result =
            try_run(conv2d::KERNELS.first().unwrap(), &params, &inputs, &[(DType::F32, y)]);
        assert_eq!(result.unwrap()[0].to_f32()[..20], bias.to_f32());

        let (x, w) = (random.i8(x), random.i8(w));
        let params = conv2d::ParamsI8 { window, groups: 1, tail: random.tail() };
        let inputs = [Some(&x), Some(&w), Some(&ints), Some(&factors)];
        compare("conv2d_i8", &params, &inputs, (DType::I8, y));
        let inputs = [Some(&x), Some(&w), Some(&ints), Some(&scales)];
        compare("conv2d_onnx", &params, &inputs, (DType::I8, y));

        let (x, w) = (random.f32(&[1, 4, 5, 20]), random.i8(&[1, kernel[0], kernel[1], 20]));
        let params = depthwise_conv2d::ParamsF32 { window, clamp: ClampF32::NONE };
        let inputs = [Some(&x), Some(&w), Some(&bias), Some(&scales)];
        compare("depthwise_conv2d_hybrid", &params, &inputs, (DType::F32, y));
        let (x, w) = (random.f32(&[3, 0]), random.i8(&[20, 0]));
        let params = dense::ParamsHybrid { asymmetric: 1, clamp: ClampF32::NONE };
        let inputs = [Some(&x), Some(&w), Some(&bias), Some(&scales)];
        compare("dense_hybrid", &params, &inputs, (DType::F32, &[3, 20]));
    }
}

#[test]
fn names_are_sorted_and_known() {
    for pair in FAST.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
    }
    for (name, twin) in FAST {
        assert!(opcode(name).is_some() && opcode(twin.name).is_none(), "{name}");
        println!("{name}: {}", twin.name);
    }
}
