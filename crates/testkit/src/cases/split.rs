//! Cases of `split`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op =
        |axis, sizes: &[i64]| Split { axis, sizes: sizes.iter().map(|&s| Dim::Known(s)).collect() };
    suite(
        EXACT,
        reference,
        [
            case("channels", op(3, &[2, 1, 3]), [f32s(&[3, 2, 2, 6]).open(0)]),
            case("first axis", op(0, &[1, 3]), [f32s(&[4, 3])]),
            case("one part", op(1, &[3]), [f32s(&[2, 3])]),
            case("an empty part", op(1, &[0, 3]), [f32s(&[2, 3])]),
            case("integers", op(0, &[2, 3]), [ints(DType::I64, &[5], -9, 9)]),
            case("quantized", op(1, &[2, 2]), [i8s(&[2, 4, 3], 0.1, 4)]),
        ],
    )
}

fn reference(op: &Split, x: &[Array]) -> Vec<Array> {
    let x = &x[0];
    let mut before = 0;
    let part = |size: &Dim| {
        let size = size.known().expect("a number") as usize;
        let (mut dims, start) = (x.dims.clone(), before);
        before += size;
        dims[op.axis] = size;
        x.like(&dims, |at| {
            let mut at = at.to_vec();
            at[op.axis] += start;
            x.at(&at)
        })
    };
    op.sizes.iter().map(part).collect()
}
