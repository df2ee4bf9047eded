//! Cases of `top_k`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis, k| TopK { axis, k: Dim::Known(k), smallest: false, to: DType::I64 };
    let tied = |dtype| ints(dtype, &[2, 6, 3], 0, 3);
    suite(
        EXACT,
        reference,
        [
            case("rows", op(1, 3), [f32s(&[3, 9]).open(0)]),
            case("all, first among equals first", op(1, 6), [tied(DType::I32)]),
            case("smallest", TopK { smallest: true, ..op(0, 1) }, [tied(DType::I64)]),
            case("i32 places", TopK { to: DType::I32, ..op(2, 2) }, [tied(DType::U8)]),
            case("quantized", op(1, 2), [i8s(&[2, 9], 0.1, 4)]).yields(0.1, 4),
            case("none", op(1, 0), [f32s(&[2, 3])]),
        ],
    )
}

fn reference(op: &TopK, x: &[Array]) -> Vec<Array> {
    let x = &x[0];
    let sorted = |row: &[f64]| {
        let mut places: Vec<usize> = (0..row.len()).collect();
        places.sort_by(|&a, &b| {
            let order = row[b].total_cmp(&row[a]);
            if op.smallest { order.reverse() } else { order }
        });
        places
    };
    let values = x.rows(op.axis, |row| sorted(row).into_iter().map(|i| row[i]).collect());
    let places = x.rows(op.axis, |row| sorted(row).into_iter().map(|i| i as f64).collect());
    let mut dims = x.dims.clone();
    dims[op.axis] = op.k.known().expect("a number") as usize;
    vec![x.like(&dims, |at| values.at(at)), Array::from_fn(op.to, &dims, |at| places.at(at))]
}
