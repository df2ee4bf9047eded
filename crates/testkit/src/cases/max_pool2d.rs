//! Cases of `max_pool2d`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op =
        MaxPool2d { size: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0; 4], ceil: false };
    let padded = MaxPool2d { size: [3, 3], strides: [2, 1], pads: [1, 1, 1, 0], ..op.clone() };
    let wide = MaxPool2d { size: [1, 3], dilations: [1, 2], ..op.clone() };
    let whole = MaxPool2d { size: [0, 0], strides: [1, 1], ..op.clone() };
    suite(
        EXACT,
        reference,
        [
            case("halves", op.clone(), [f32s(&[3, 6, 4, 3]).open(0)]),
            case("padded", padded.clone(), [f32s(&[2, 5, 6, 2])]),
            case("rounded up", MaxPool2d { ceil: true, ..op.clone() }, [f32s(&[1, 5, 7, 1])]),
            case(
                "rounded up with padding",
                MaxPool2d { ceil: true, ..padded.clone() },
                [f32s(&[1, 6, 6, 5])],
            ),
            case("dilated", wide, [f32s(&[1, 4, 9, 17])]),
            case("whole", whole, [f32s(&[2, 3, 5, 4])]),
            case("no images", op.clone(), [f32s(&[0, 4, 4, 3])]),
            case("bytes", padded.clone(), [ints(DType::U8, &[2, 5, 6, 3], 0, 255)]),
            case("signed bytes", op.clone(), [ints(DType::I8, &[1, 4, 6, 3], -128, 127)]),
            case("16 bits", padded.clone(), [i16s(&[1, 5, 6, 20], 0.01)]).yields(0.01, 0),
            case("quantized", padded, [i8s(&[1, 5, 6, 20], 0.1, -3)]).yields(0.1, -3),
        ],
    )
}

fn reference(op: &MaxPool2d, x: &[Array]) -> Array {
    let x = &x[0];
    let [images, height, width, channels] = x.dims[..] else { panic!("rank 4") };
    let size = if op.size == [0, 0] { [height, width] } else { op.size };
    let sweep = Sweep { size, strides: op.strides, dilations: op.dilations, pads: op.pads };
    let dims =
        [images, sweep.outputs(0, height, op.ceil), sweep.outputs(1, width, op.ceil), channels];
    x.like(&dims, |at| {
        let taps = sweep.inside([at[1], at[2]], [height, width]).into_iter();
        taps.map(|(_, [y, z])| x.at(&[at[0], y, z, at[3]])).fold(f64::NEG_INFINITY, f64::max)
    })
}
