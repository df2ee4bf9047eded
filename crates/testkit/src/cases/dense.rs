//! Cases of `dense`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = Dense::PLAIN;
    let (w, b) = (|dims: &[usize]| f32s(dims).constant(), |len| f32s(&[len]).constant());
    suite(
        rounded(1),
        reference,
        [
            case("rows", op.clone(), [f32s(&[3, 7]).open(0), w(&[5, 7]), b(5)]),
            case("one row", op.clone(), [f32s(&[33]), w(&[17, 33])]),
            case("rank 4", op.clone(), [f32s(&[2, 1, 3, 4]), w(&[6, 4]), b(6)]),
            case("fed weights", op.clone(), [f32s(&[2, 3]), f32s(&[4, 3]), f32s(&[4])]),
            case("no rows", op.clone(), [f32s(&[0, 3]), w(&[4, 3])]),
            case("no columns", op.clone(), [f32s(&[2, 0]), w(&[4, 0]), b(4)]),
            case(
                "quantized",
                op.clone(),
                [i8s(&[3, 20], 0.02, 4).open(0), weights(&[9, 20], 0), bias(9, 0.02)],
            )
            .yields(0.04, -7),
            case(
                "16 bits",
                op.clone(),
                [i16s(&[3, 20], 0.0001), weights(&[9, 20], 0), bias_of(DType::I64, 9, 0.0001)],
            )
            .yields(0.0003, 0)
            .within(WIDE),
            case(
                "quantized, ONNX",
                Dense { rescale: Rescale::Onnx, ..op.clone() },
                [i8s(&[3, 20], 0.02, 4).open(0), weights(&[9, 20], 0), bias(9, 0.02)],
            )
            .yields(0.04, -7),
            case("i8 weights", op, [f32s(&[2, 20]), weights(&[9, 20], 0)]).within(HYBRID),
            case(
                "i8 weights, zero point",
                Dense { asymmetric: true, ..Dense::PLAIN },
                [reals(&[2, 20], 0.0, 2.0), weights(&[9, 20], 0)],
            )
            .within(HYBRID),
        ],
    )
}

fn reference(_: &Dense, x: &[Array]) -> Array {
    let (x, w, bias) = (&x[0], &x[1], x.get(2));
    let [outputs, width] = w.dims[..] else { panic!("rank 2") };
    let rows = &x.dims[..x.dims.len() - 1];
    let y = x.like(&[rows, &[outputs]].concat(), |at| {
        let (o, row) = (at[rows.len()], &at[..rows.len()]);
        let products = (0..width).map(|i| x.at(&[row, &[i]].concat()) * w.at(&[o, i]));
        bias.map_or(0.0, |bias| bias.at(&[o])) + products.sum::<f64>()
    });
    y.summing(width + 1)
}
