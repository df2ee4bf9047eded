//! Cases of `expand`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let to = |dims: &[i64]| Expand { dims: dims.iter().map(|&dim| Dim::Known(dim)).collect() };
    suite(
        EXACT,
        reference,
        [
            case("rows", to(&[4, 3]), [f32s(&[3])]),
            case("inner axes", to(&[2, 3, 5, 2]), [f32s(&[2, 1, 5, 1])]),
            case("a number", to(&[2, 2]), [ints(DType::I64, &[], -9, 9)]),
            case("as it is", to(&[2, 3]), [f32s(&[2, 3])]),
            case("to nothing", to(&[0, 3]), [f32s(&[1, 3])]),
            case("quantized", to(&[2, 3, 4]), [i8s(&[3, 1], 0.1, 4)]),
        ],
    )
}

fn reference(op: &Expand, x: &[Array]) -> Array {
    let dims: Vec<usize> =
        op.dims.iter().map(|dim| dim.known().expect("a number") as usize).collect();
    x[0].like(&dims, |at| x[0].spread(at))
}
