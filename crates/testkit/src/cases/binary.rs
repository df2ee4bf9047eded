//! Cases of `binary`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let of = |name, x: Input, y: Input| case(name, payload(&[("function", word(name))]), [x, y]);
    let dividend = || reals(&[4, 1, 5], -8.0, 8.0);
    let divisor = || values(DType::F32, &[3, 1], &[1.7, -2.3, 0.7]);
    let bits = |dtype| ints(dtype, &[3, 1], 0, 100);
    let mut cases = vec![
        of("pow", reals(&[2, 3], 0.1, 4.0), reals(&[3], -2.0, 2.0)),
        of(
            "pow",
            values(DType::F32, &[4], &[0.0, -2.0, -2.0, 3.0]),
            values(DType::F32, &[4], &[2.0, 3.0, -1.0, 0.0]),
        ),
        of("pow", ints(DType::I32, &[2, 3], -4, 4), ints(DType::I32, &[3], 0, 5)),
        of("rem", dividend(), divisor()),
        of("mod", dividend(), divisor()),
        of("floor_div", dividend(), divisor()),
        of("atan2", f32s(&[3, 5]).open(0), f32s(&[3, 1])),
        of("and", bools(&[4, 5]), bools(&[5])),
        of("or", bools(&[4, 5]), bools(&[5])),
        of("xor", bools(&[4, 5]), bools(&[0, 4, 1])),
        of("shift_left", bits(DType::U8), ints(DType::U8, &[4], 0, 1)),
        of("shift_right", bits(DType::I32), ints(DType::I32, &[4], 0, 9)),
    ];
    for name in ["rem", "mod", "floor_div"] {
        cases.push(of(name, ints(DType::I32, &[3, 4], -50, 50), ints(DType::I32, &[4], 1, 7)));
        cases.push(of(name, ints(DType::I64, &[3, 4], -50, 50), ints(DType::I64, &[4], -7, -1)));
    }
    for name in ["and", "or", "xor"] {
        cases.push(of(name, bits(DType::I32), bits(DType::I32)));
    }
    suite(rounded(2), reference, cases)
}

fn reference(op: &Binary, x: &[Array]) -> Array {
    let bitwise = |f: fn(i64, i64) -> i64| move |a: f64, b: f64| f(a as i64, b as i64) as f64;
    let f: Box<dyn Fn(f64, f64) -> f64> = match word_of(op, "function").as_str() {
        "pow" => Box::new(f64::powf),
        "rem" => Box::new(|a, b| a % b),
        "mod" => Box::new(|a, b| a - b * (a / b).floor()),
        "floor_div" => Box::new(|a, b| (a / b).floor()),
        "atan2" => Box::new(f64::atan2),
        "and" => Box::new(bitwise(|a, b| a & b)),
        "or" => Box::new(bitwise(|a, b| a | b)),
        "xor" => Box::new(bitwise(|a, b| a ^ b)),
        "shift_left" => Box::new(bitwise(|a, b| a << b)),
        "shift_right" => Box::new(bitwise(|a, b| a >> b)),
        other => panic!("{other} has no reference"),
    };
    elementwise(x, |x| f(x[0], x[1]))
}
