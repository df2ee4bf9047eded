//! Cases of `reduce`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |by, axes: &[i64], keep| -> Reduce {
        payload(&[("by", word(by)), ("axes", numbers(axes)), ("keep", flag(keep))])
    };
    let whole = |dtype| ints(dtype, &[2, 3, 2], -3, 3);
    let mut cases = vec![
        case("no elements sum up to 0", op("sum", &[1], false), [f32s(&[2, 0, 3])]),
        case("no elements multiply to 1", op("prod", &[0, 1], true), [f32s(&[0, 2])]),
        case("nothing left", op("sum", &[1], false), [f32s(&[0, 2])]),
        case("a number", op("max", &[], false), [f32s(&[])]),
        case("any", op("max", &[1], false), [bools(&[4, 3])]),
        case("all", op("min", &[0], true), [bools(&[4, 3])]),
        case("u8", op("max", &[0], false), [ints(DType::U8, &[4, 3], 0, 255)]),
        case("rank 8", op("sum", &[1, 4, 7], true), [f32s(&[1, 2, 1, 2, 2, 1, 2, 2])]),
        case("quantized mean", op("mean", &[1, 2], false), [i8s(&[2, 3, 5, 4], 0.02, 5)])
            .yields(0.01, -7),
        case("quantized sum", op("sum", &[2], true), [i8s(&[2, 3, 5], 0.02, 5)]).yields(0.06, -7),
        case("mean of 16 bits", op("mean", &[1, 2], false), [i16s(&[2, 3, 5, 4], 0.001)])
            .yields(0.0005, 0),
        case("maximum of 16 bits", op("max", &[1], false), [i16s(&[2, 3, 5], 0.001)])
            .yields(0.001, 0),
        case("quantized maximum", op("max", &[1], false), [i8s(&[2, 3, 5], 0.02, 5)])
            .yields(0.02, 5),
    ];
    let names =
        ["sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum", "log_sum_exp"];
    for by in names {
        // Logarithms are of sums that are positive.
        let low = if by == "log_sum" { 0.1 } else { -1.0 };
        let x = |dims: &[usize]| reals(dims, low, 1.0);
        cases.extend([
            case(by, op(by, &[1, 2], false), [x(&[3, 4, 5, 2]).open(0)]),
            case(by, op(by, &[0], true), [x(&[7, 3])]),
            case(by, op(by, &[0, 1, 2], false), [x(&[2, 3, 2])]),
            case(by, op(by, &[], true), [x(&[2, 3])]),
        ]);
        if ["sum", "max", "min", "prod", "l1", "sum_square"].contains(&by) {
            cases.push(case(by, op(by, &[1], true), [whole(DType::I32)]));
            cases.push(case(by, op(by, &[0, 2], false), [whole(DType::I64)]));
            cases.push(case(by, op(by, &[0, 1], false), [whole(DType::F64)]));
            cases.push(case(by, op(by, &[1], true), [whole(DType::I16)]));
        }
    }
    suite(rounded(4), reference, cases)
}

fn reference(op: &Reduce, x: &[Array]) -> Array {
    let x = &x[0];
    let mut kept = x.dims.clone();
    for &axis in &op.axes {
        kept[axis] = 1;
    }
    let by = word_of(op, "by");
    let mut y = x.like(&kept, |at| {
        let falls = |index: &&Vec<usize>| {
            let mut each = index.iter().zip(at).enumerate();
            each.all(|(axis, (i, j))| op.axes.contains(&axis) || i == j)
        };
        let all: Vec<f64> =
            indices(&x.dims).iter().filter(falls).map(|index| x.at(index)).collect();
        let sum = |f: fn(f64) -> f64| all.iter().map(|&x| f(x)).sum::<f64>();
        match by.as_str() {
            "sum" => sum(|x| x),
            "mean" => sum(|x| x) / all.len() as f64,
            "max" => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            "min" => all.iter().copied().fold(f64::INFINITY, f64::min),
            "prod" => all.iter().product(),
            "l1" => sum(f64::abs),
            "l2" => sum(|x| x * x).sqrt(),
            "sum_square" => sum(|x| x * x),
            "log_sum" => sum(|x| x).ln(),
            "log_sum_exp" => sum(f64::exp).ln(),
            other => panic!("{other} has no reference"),
        }
    });
    if !op.keep {
        y.dims = (0..x.dims.len())
            .filter(|axis| !op.axes.contains(axis))
            .map(|axis| x.dims[axis])
            .collect();
    }
    y.summing(op.axes.iter().map(|&axis| x.dims[axis]).product())
}
