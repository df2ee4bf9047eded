//! Cases of `cumsum`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis| Cumsum { axis, exclusive: false, reverse: false };
    suite(
        rounded(1),
        reference,
        [
            case("last axis", op(1), [f32s(&[3, 6]).open(0)]),
            case("first axis", op(0), [f32s(&[4, 2, 3])]),
            case("exclusive", Cumsum { exclusive: true, ..op(1) }, [f32s(&[2, 4, 3])]),
            case(
                "reverse",
                Cumsum { reverse: true, ..op(1) },
                [ints(DType::I32, &[2, 4, 3], -9, 9)],
            ),
            case(
                "both",
                Cumsum { exclusive: true, reverse: true, axis: 0 },
                [ints(DType::I64, &[5], -9, 9)],
            ),
            case("f64", op(0), [ints(DType::F64, &[5, 2], -9, 9)]),
            case("nothing", op(0), [f32s(&[0, 3])]),
        ],
    )
}

fn reference(op: &Cumsum, x: &[Array]) -> Array {
    let sums = x[0].rows(op.axis, |row| {
        let of = |i: usize| match (op.exclusive, op.reverse) {
            (false, false) => &row[..=i],
            (true, false) => &row[..i],
            (false, true) => &row[i..],
            (true, true) => &row[i + 1..],
        };
        (0..row.len()).map(|i| of(i).iter().sum()).collect()
    });
    sums.summing(x[0].dims[op.axis])
}
