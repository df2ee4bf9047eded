//! Cases of `placement`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let pixels = |dims: &[usize]| ints(DType::U8, dims, 0, 255);
    let op = |fit: &str, short, frame| Placement { fit: fit.to_owned(), short, frame };
    suite(
        rounded(2),
        reference,
        [
            case("stretched", op("stretch", 0, [0; 2]), [
                pixels(&[1, 6, 8, 3]),
                pixels(&[1, 3, 16, 3]),
            ]),
            case("in the middle", op("letterbox", 0, [16, 16]), [
                pixels(&[1, 6, 8, 3]),
                pixels(&[1, 16, 16, 3]),
            ]),
            case("in the corner", op("corner", 0, [4, 4]), [
                pixels(&[1, 16, 8, 1]),
                pixels(&[1, 4, 4, 1]),
            ]),
            case("cut", op("crop", 8, [6, 6]), [pixels(&[1, 16, 24, 3]), pixels(&[1, 6, 6, 3])]),
        ],
    )
}

fn reference(op: &Placement, x: &[Array]) -> Array {
    let side = |i: usize, axis: usize| x[i].dims[axis] as f64;
    let (from, frame) = ([1, 2].map(|axis| side(0, axis)), [1, 2].map(|axis| side(1, axis)));
    let ratio = |i: usize| frame[i] / from[i];
    let to = match op.fit.as_str() {
        "stretch" => frame,
        "crop" => from.map(|side| (side * op.short as f64 / from[0].min(from[1])).floor()),
        _ => from.map(|side| (side * ratio(0).min(ratio(1))).round()),
    };
    let offset = |i: usize| match op.fit.as_str() {
        "letterbox" | "crop" => ((frame[i] - to[i]) / 2.0).floor(),
        _ => 0.0,
    };
    Array::from_fn(DType::F32, &[3, 4], |at| {
        let axis = 1 - at[1] % 2;
        [to[axis] / from[axis], offset(axis), from[axis]][at[0]]
    })
}
