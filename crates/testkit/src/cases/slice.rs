//! Cases of `slice`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |starts: &[i64], steps: &[i64], dims: &[i64]| Slice {
        starts: starts.to_vec(),
        steps: steps.to_vec(),
        dims: dims.iter().map(|&dim| Dim::Known(dim)).collect(),
    };
    let open = Slice { dims: vec![n(), Dim::Known(2)], ..op(&[0, 1], &[1, 2], &[]) };
    suite(
        EXACT,
        reference,
        [
            case("a part", op(&[1, 0], &[1, 1], &[2, 3]), [f32s(&[4, 3])]),
            case("every second", op(&[0, 1], &[2, 2], &[2, 3]), [f32s(&[4, 7])]),
            case("backwards", op(&[-1, 5], &[-1, -2], &[4, 3]), [f32s(&[4, 7])]),
            case(
                "from the end",
                op(&[-3, 0], &[2, 1], &[2, 7]),
                [ints(DType::I64, &[4, 7], -9, 9)],
            ),
            case("of an open batch", open, [f32s(&[3, 5]).open(0)]),
            case("nothing", op(&[0, 0], &[1, 1], &[0, 7]), [f32s(&[4, 7])]),
            case("quantized", op(&[0, 2], &[1, -1], &[4, 3]), [i8s(&[4, 3], 0.1, 4)]),
            case("a number", op(&[], &[], &[]), [f32s(&[])]),
        ],
    )
}

fn reference(op: &Slice, x: &[Array]) -> Array {
    let x = &x[0];
    // An open dimension is the whole of axis 0.
    let dims: Vec<usize> =
        op.dims.iter().map(|dim| dim.known().map_or(x.dims[0], |dim| dim as usize)).collect();
    x.like(&dims, |at| {
        let from = |axis: usize, i: usize| {
            let start = op.starts[axis] + if op.starts[axis] < 0 { x.dims[axis] as i64 } else { 0 };
            (start + op.steps[axis] * i as i64) as usize
        };
        let index: Vec<usize> = at.iter().enumerate().map(|(axis, &i)| from(axis, i)).collect();
        x.at(&index)
    })
}
