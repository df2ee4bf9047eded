//! Cases of `reshape`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let to = |dims: &[i64]| Reshape { dims: dims.iter().map(|&dim| Dim::Known(dim)).collect() };
    let rows = Reshape { dims: vec![n(), Dim::Known(12)] };
    let one = Reshape { dims: vec![n().mul(&Dim::Known(12))] };
    suite(
        EXACT,
        reference,
        [
            case("split and merged", to(&[2, 6, 2]), [f32s(&[4, 3, 2])]),
            case("flat rows", rows, [f32s(&[3, 2, 3, 2]).open(0)]),
            case("flat", one, [f32s(&[3, 2, 3, 2]).open(0)]),
            case("to a number", to(&[]), [f32s(&[1, 1])]),
            case("rank 8", to(&[1, 2, 1, 1, 3, 1, 1, 1]), [ints(DType::I64, &[6], -9, 9)]),
            case("no elements", to(&[3, 0]), [f32s(&[0, 2])]),
            case("quantized", to(&[4, 3]), [i8s(&[2, 6], 0.1, 4)]),
        ],
    )
}

fn reference(op: &Reshape, x: &[Array]) -> Array {
    // An open dimension is 3.
    let dims = op.dims.iter().map(|dim| dim.eval(&|_| Some(3)).expect("a number") as usize);
    Array { dims: dims.collect(), ..same(x) }
}
