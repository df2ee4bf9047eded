//! Cases of `conv2d`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = Conv2d {
        strides: [1, 1],
        dilations: [1, 1],
        pads: [0; 4],
        groups: 1,
        rescale: Rescale::Tflite,
    };
    let padded = Conv2d { strides: [2, 1], pads: [1, 0, 1, 2], ..op.clone() };
    let dilated = Conv2d { dilations: [2, 3], pads: [2, 3, 2, 3], ..op.clone() };
    let grouped = Conv2d { groups: 2, pads: [1; 4], ..op.clone() };
    let grouped_ints = grouped.clone();
    let w = |dims: &[usize]| f32s(dims).constant();
    let b = |len| f32s(&[len]).constant();
    let q = |groups: usize| [i8s(&[1, 6, 5, 4], 0.02, -5), weights(&[6, 3, 3, 4 / groups], 0)];
    let w16 = |dtype| {
        let x = i16s(&[1, 6, 5, 4], 0.0001);
        [x, weights(&[6, 3, 3, 4], 0), bias_of(dtype, 6, 0.0001)]
    };
    suite(
        rounded(1),
        reference,
        [
            case("pointwise", op.clone(), [f32s(&[3, 4, 5, 7]).open(0), w(&[9, 1, 1, 7]), b(9)]),
            case("padded", padded.clone(), [f32s(&[2, 6, 5, 3]), w(&[4, 3, 3, 3])]),
            case(
                "fed weights",
                padded.clone(),
                [f32s(&[1, 6, 5, 3]), f32s(&[4, 3, 2, 3]), f32s(&[4])],
            ),
            case("dilated", dilated, [f32s(&[1, 7, 8, 2]), w(&[17, 3, 3, 2]), b(17)]),
            case("grouped", grouped.clone(), [f32s(&[1, 5, 5, 6]), w(&[4, 3, 3, 3]), b(4)]),
            case(
                "cropped",
                Conv2d { pads: [-1, -1, 0, 0], ..op.clone() },
                [f32s(&[1, 6, 6, 1]), w(&[2, 2, 2, 1])],
            ),
            case("no images", op, [f32s(&[0, 4, 4, 3]), w(&[2, 3, 3, 3])]),
            case("quantized", padded.clone(), [&q(1)[..], &[bias(6, 0.02)]].concat())
                .yields(0.05, 10),
            case("16 bits", padded.clone(), w16(DType::I64)).yields(0.0005, 0).within(WIDE),
            case("16 bits, narrow sums", padded.clone(), w16(DType::I32))
                .yields(0.0005, 0)
                .within(WIDE),
            case("quantized groups", grouped.clone(), q(2)).yields(0.05, -10),
            case(
                "quantized, ONNX",
                Conv2d { rescale: Rescale::Onnx, ..grouped },
                [&q(2)[..], &[bias(6, 0.02)]].concat(),
            )
            .yields(0.05, -10),
            case(
                "whole numbers",
                grouped_ints,
                [
                    ints(DType::I32, &[1, 6, 5, 4], -300, 300),
                    ints(DType::I32, &[6, 3, 3, 2], -300, 300),
                ],
            ),
            case("i8 weights", padded, [f32s(&[1, 6, 5, 4]), weights(&[6, 3, 3, 4], 0)])
                .within(HYBRID),
        ],
    )
}

fn reference(op: &Conv2d, x: &[Array]) -> Array {
    let (x, w, bias) = (&x[0], &x[1], x.get(2));
    let [images, height, width, _] = x.dims[..] else { panic!("rank 4") };
    let [outputs, down, across, each] = w.dims[..] else { panic!("rank 4") };
    let sweep =
        Sweep { size: [down, across], strides: op.strides, dilations: op.dilations, pads: op.pads };
    let dims = [images, sweep.outputs(0, height, false), sweep.outputs(1, width, false), outputs];
    let y = x.like(&dims, |at| {
        let group = at[3] / (outputs / op.groups);
        let mut sum = bias.map_or(0.0, |bias| bias.at(&[at[3]]));
        for ([ky, kx], [iy, ix]) in sweep.inside([at[1], at[2]], [height, width]) {
            for c in 0..each {
                sum += x.at(&[at[0], iy, ix, group * each + c]) * w.at(&[at[3], ky, kx, c]);
            }
        }
        sum
    });
    y.summing(down * across * each + 1)
}
