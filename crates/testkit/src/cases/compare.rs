//! Cases of `compare`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let of = |name, x: [Input; 2]| case(name, payload(&[("holds", word(name))]), x);
    let mut cases = Vec::new();
    for name in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"] {
        let small = |dtype, dims: &[usize]| ints(dtype, dims, 0, 3);
        let special = [f64::NAN, 0.0, -0.0, f64::INFINITY];
        let column = |axis: usize| if axis == 0 { [4, 1] } else { [1, 4] };
        let each = |axis| values(DType::F32, &column(axis), &special);
        cases.extend([
            of(name, [small(DType::F32, &[3, 4]).open(0), small(DType::F32, &[4])]),
            of(name, [small(DType::I64, &[2, 1, 3]), small(DType::I64, &[2, 1])]),
            of(name, [small(DType::I32, &[0, 3]), small(DType::I32, &[])]),
            of(name, [each(0), each(1)]),
            // Multiples of 1/4 are compared without an error.
            of(name, [i8s(&[8, 8], 0.5, 3), i8s(&[8], 0.25, -7)]),
        ]);
    }
    let others = [DType::Bool, DType::I8, DType::U8, DType::I16, DType::U16, DType::U32, DType::U64];
    for dtype in others.into_iter().chain([DType::F64]) {
        let x = |dims: &[usize]| ints(dtype, dims, 0, 1);
        cases.push(of("less", [x(&[3, 4]), x(&[4])]));
    }
    suite(EXACT, reference, cases)
}

fn reference(op: &Compare, x: &[Array]) -> Array {
    let holds: fn(f64, f64) -> bool = match word_of(op, "holds").as_str() {
        "equal" => |a, b| a == b,
        "not_equal" => |a, b| a != b,
        "less" => |a, b| a < b,
        "less_equal" => |a, b| a <= b,
        "greater" => |a, b| a > b,
        "greater_equal" => |a, b| a >= b,
        other => panic!("{other} has no reference"),
    };
    elementwise(x, |x| holds(x[0], x[1]).into())
}
