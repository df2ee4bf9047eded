//! Cases of `gather_nd`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |batch_dims| GatherNd { batch_dims };
    suite(
        EXACT,
        reference,
        [
            case("elements", op(0), [f32s(&[3, 4]), below(3, &[5, 2])]),
            case("slices", op(0), [f32s(&[3, 4, 2]), below(3, &[2, 2, 1])]),
            case(
                "one tuple",
                op(0),
                [ints(DType::I64, &[3, 3], -9, 9), ints(DType::I32, &[2], -3, 2)],
            ),
            case("in batches", op(1), [f32s(&[3, 4, 2]), below(4, &[3, 1])]),
            case("quantized", op(0), [i8s(&[4, 2], 0.1, 4), below(4, &[3, 1])]),
            case("no tuples", op(0), [f32s(&[3, 4]), below(3, &[0, 2])]),
        ],
    )
}

fn reference(op: &GatherNd, x: &[Array]) -> Array {
    let (x, places) = (&x[0], &x[1]);
    let (&tuple, outer) = places.dims.split_last().expect("an axis of tuples");
    let dims = [outer, &x.dims[op.batch_dims + tuple..]].concat();
    x.like(&dims, |at| {
        let (pick, back) = at.split_at(outer.len());
        let mut index = pick[..op.batch_dims].to_vec();
        for i in 0..tuple {
            index.push(places.index(&[pick, &[i]].concat(), x.dims[index.len()]));
        }
        x.at(&[index.as_slice(), back].concat())
    })
}
