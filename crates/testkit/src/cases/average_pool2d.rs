//! Cases of `average_pool2d`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = AveragePool2d {
        size: [2, 2],
        strides: [2, 2],
        dilations: [1, 1],
        pads: [0; 4],
        ceil: false,
        count_pad: false,
        half_up: false,
    };
    let padded = AveragePool2d { size: [3, 3], strides: [2, 1], pads: [1, 1, 1, 0], ..op.clone() };
    let counted = AveragePool2d { count_pad: true, ..padded.clone() };
    let whole = AveragePool2d { size: [0, 0], strides: [1, 1], ..op.clone() };
    let half_up = AveragePool2d { half_up: true, ..padded.clone() };
    let x = || f32s(&[2, 6, 6, 5]);
    let q = || i8s(&[1, 5, 6, 20], 0.1, -3);
    suite(
        rounded(2),
        reference,
        [
            case("halves", op.clone(), [f32s(&[3, 6, 4, 3]).open(0)]),
            case("padding does not count", padded.clone(), [x()]),
            case("padding counts", counted.clone(), [x()]),
            case("rounded up", AveragePool2d { ceil: true, ..padded.clone() }, [x()]),
            case("rounded up, padding counts", AveragePool2d { ceil: true, ..counted }, [x()]),
            case(
                "dilated",
                AveragePool2d { dilations: [2, 3], ..op.clone() },
                [f32s(&[1, 7, 9, 2])],
            ),
            case("whole", whole, [f32s(&[2, 3, 5, 4])]),
            case("no images", op, [f32s(&[0, 4, 4, 3])]),
            case("16 bits", padded.clone(), [i16s(&[1, 5, 6, 20], 0.01)]).yields(0.01, 0),
            case("quantized", padded, [q()]).yields(0.1, -3),
            case("halves up", half_up, [q()]).yields(0.1, -3),
        ],
    )
}

fn reference(op: &AveragePool2d, x: &[Array]) -> Array {
    let x = &x[0];
    let [images, height, width, channels] = x.dims[..] else { panic!("rank 4") };
    let size = if op.size == [0, 0] { [height, width] } else { op.size };
    let sweep = Sweep { size, strides: op.strides, dilations: op.dilations, pads: op.pads };
    let dims =
        [images, sweep.outputs(0, height, op.ceil), sweep.outputs(1, width, op.ceil), channels];
    // Positions of the padded input that a window meets.
    let met = |axis: usize, at: usize, len: usize| {
        let padded = -i64::from(op.pads[axis])..len as i64 + i64::from(op.pads[axis + 2]);
        sweep.taps(axis, at).iter().filter(|(_, place)| padded.contains(place)).count()
    };
    let mean = x.like(&dims, |at| {
        let taps = sweep.inside([at[1], at[2]], [height, width]);
        let sum: f64 = taps.iter().map(|(_, [y, z])| x.at(&[at[0], *y, *z, at[3]])).sum();
        let padded = met(0, at[1], height) * met(1, at[2], width);
        sum / if op.count_pad { padded } else { taps.len() } as f64
    });
    mean.summing(size[0] * size[1])
}
