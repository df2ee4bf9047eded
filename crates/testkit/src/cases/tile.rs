//! Cases of `tile`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |times: &[i64]| Tile { times: times.iter().map(|&times| Dim::Known(times)).collect() };
    suite(
        EXACT,
        reference,
        [
            case("both axes", op(&[2, 3]), [f32s(&[2, 3])]),
            case("an open batch", op(&[1, 2]), [f32s(&[3, 2]).open(0)]),
            case("three axes", op(&[1, 2, 2]), [ints(DType::I32, &[2, 3, 2], -9, 9)]),
            case("a number", op(&[]), [f32s(&[])]),
            case("never", op(&[2, 0]), [f32s(&[2, 3])]),
            case("quantized", op(&[3, 1]), [i8s(&[1, 4], 0.1, 4)]),
        ],
    )
}

fn reference(op: &Tile, x: &[Array]) -> Array {
    let x = &x[0];
    let each = x.dims.iter().zip(&op.times);
    let dims: Vec<usize> =
        each.map(|(dim, times)| dim * times.known().expect("a number") as usize).collect();
    x.like(&dims, |at| x.at(&at.iter().zip(&x.dims).map(|(i, dim)| i % dim).collect::<Vec<_>>()))
}
