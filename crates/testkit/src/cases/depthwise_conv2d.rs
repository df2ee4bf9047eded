//! Cases of `depthwise_conv2d`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = DepthwiseConv2d {
        strides: [1, 1],
        dilations: [1, 1],
        pads: [1; 4],
        rescale: Rescale::Tflite,
    };
    let strided = DepthwiseConv2d { strides: [2, 3], pads: [0, 1, 2, 0], ..op.clone() };
    let dilated = DepthwiseConv2d { dilations: [2, 2], ..op.clone() };
    let w = |dims: &[usize]| f32s(dims).constant();
    let b = |len| f32s(&[len]).constant();
    let q = || [i8s(&[1, 6, 5, 18], 0.02, -5), weights(&[1, 3, 3, 18], 3), bias(18, 0.02)];
    let x = i16s(&[1, 6, 5, 18], 0.0001);
    let w16 = [x, weights(&[1, 3, 3, 18], 3), bias_of(DType::I64, 18, 0.0001)];
    suite(
        rounded(1),
        reference,
        [
            case("padded", op.clone(), [f32s(&[3, 5, 4, 6]).open(0), w(&[1, 3, 3, 6]), b(6)]),
            case("strided", strided.clone(), [f32s(&[2, 7, 8, 3]), w(&[1, 3, 3, 3])]),
            case("two for each", op.clone(), [f32s(&[1, 4, 4, 3]), w(&[1, 3, 2, 6]), b(6)]),
            case("dilated", dilated, [f32s(&[1, 6, 7, 17]), w(&[1, 3, 3, 17])]),
            case("fed weights", op.clone(), [f32s(&[1, 4, 4, 2]), f32s(&[1, 2, 2, 2]), f32s(&[2])]),
            case("no images", op.clone(), [f32s(&[0, 4, 4, 3]), w(&[1, 3, 3, 3])]),
            case("quantized", op.clone(), q()).yields(0.03, 10),
            case("16 bits", strided.clone(), w16).yields(0.0003, 0).within(WIDE),
            case("quantized strides", strided.clone(), q()).yields(0.03, 10),
            case("quantized, ONNX", DepthwiseConv2d { rescale: Rescale::Onnx, ..strided }, q())
                .yields(0.03, 10),
            case(
                "whole numbers",
                op.clone(),
                [
                    ints(DType::I32, &[1, 5, 4, 3], -300, 300),
                    ints(DType::I32, &[1, 3, 3, 6], -9, 9),
                ],
            ),
            case("i8 weights", op, [f32s(&[1, 6, 5, 4]), weights(&[1, 3, 3, 4], 3)]).within(HYBRID),
        ],
    )
}

fn reference(op: &DepthwiseConv2d, x: &[Array]) -> Array {
    let (x, w, bias) = (&x[0], &x[1], x.get(2));
    let [images, height, width, channels] = x.dims[..] else { panic!("rank 4") };
    let [_, down, across, outputs] = w.dims[..] else { panic!("rank 4") };
    let sweep =
        Sweep { size: [down, across], strides: op.strides, dilations: op.dilations, pads: op.pads };
    let dims = [images, sweep.outputs(0, height, false), sweep.outputs(1, width, false), outputs];
    let y = x.like(&dims, |at| {
        let channel = at[3] / (outputs / channels);
        let taps = sweep.inside([at[1], at[2]], [height, width]).into_iter();
        let products = taps.map(|([ky, kx], [iy, ix])| {
            x.at(&[at[0], iy, ix, channel]) * w.at(&[0, ky, kx, at[3]])
        });
        bias.map_or(0.0, |bias| bias.at(&[at[3]])) + products.sum::<f64>()
    });
    y.summing(down * across + 1)
}
