//! Cases of `gather`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis| Gather { axis, batch_dims: 0 };
    let signed = |dims: &[usize]| ints(DType::I64, dims, -4, 3).constant();
    suite(
        EXACT,
        reference,
        [
            case("rows of a table", op(0), [f32s(&[5, 3]).constant(), below(5, &[3, 2]).open(0)]),
            case("along the last axis", op(2), [f32s(&[3, 2, 4]).open(0), signed(&[5])]),
            case("one index", op(1), [f32s(&[2, 4, 3]), signed(&[])]),
            case("i32 indices", op(0), [i8s(&[4, 2], 0.1, 4), ints(DType::I32, &[2, 3], 0, 3)]),
            case(
                "in batches",
                Gather { axis: 1, batch_dims: 1 },
                [f32s(&[3, 4, 2]), below(4, &[3, 5])],
            ),
            case("no indices", op(0), [f32s(&[4, 2]), below(4, &[0])]),
        ],
    )
}

fn reference(op: &Gather, x: &[Array]) -> Array {
    let (x, places) = (&x[0], &x[1]);
    let (front, inner) = (&x.dims[..op.axis], &places.dims[op.batch_dims..]);
    let dims = [front, inner, &x.dims[op.axis + 1..]].concat();
    x.like(&dims, |at| {
        let (front, rest) = at.split_at(op.axis);
        let (pick, back) = rest.split_at(inner.len());
        let place = places.index(&[&front[..op.batch_dims], pick].concat(), x.dims[op.axis]);
        x.at(&[front, &[place], back].concat())
    })
}
