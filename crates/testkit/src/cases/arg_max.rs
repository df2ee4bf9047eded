//! Cases of `arg_max`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis| ArgMax { axis, smallest: false, last: false, keep: false, to: DType::I64 };
    let tied = |dtype| ints(dtype, &[3, 5, 4], 0, 3);
    suite(
        EXACT,
        reference,
        [
            case("last axis", op(2), [f32s(&[3, 2, 7]).open(0)]),
            case("first among equals", op(1), [tied(DType::I32)]),
            case("last among equals", ArgMax { last: true, ..op(1) }, [tied(DType::U8)]),
            case("smallest", ArgMax { smallest: true, keep: true, ..op(0) }, [tied(DType::I64)]),
            case(
                "to i32",
                ArgMax { to: DType::I32, keep: true, ..op(1) },
                [i8s(&[2, 3, 3], 0.1, 5)],
            ),
            case("one element", op(0), [f32s(&[1])]),
            case("nothing to look at", op(1), [f32s(&[0, 3])]),
        ],
    )
}

fn reference(op: &ArgMax, x: &[Array]) -> Array {
    let x = &x[0];
    let mut kept = x.dims.clone();
    kept[op.axis] = 1;
    let best = |index: &[usize]| {
        let at = |i: usize| {
            let mut index = index.to_vec();
            index[op.axis] = i;
            x.at(&index)
        };
        let beats = |a: f64, b: f64| match (op.smallest, op.last) {
            (false, false) => b < a,
            (false, true) => b <= a,
            (true, false) => a < b,
            (true, true) => a <= b,
        };
        (1..x.dims[op.axis]).fold(0, |best, i| if beats(at(i), at(best)) { i } else { best }) as f64
    };
    let mut places = Array::from_fn(op.to, &kept, best);
    if !op.keep {
        places.dims.remove(op.axis);
    }
    places
}
