//! Cases of `pad`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |mode, before: &[i64], after: &[i64], value| -> Pad {
        payload(&[
            ("mode", word(mode)),
            ("before", numbers(before)),
            ("after", numbers(after)),
            ("value", Attr::Float(value)),
        ])
    };
    let mut cases = vec![
        case(
            "constant",
            op("constant", &[0, 1, 2, 0], &[0, 1, 0, 0], 0.0),
            [f32s(&[3, 2, 3, 2]).open(0)],
        ),
        case("some number", op("constant", &[1, 2], &[0, 1], -1.5), [f32s(&[2, 3])]),
        case("integers", op("constant", &[1, 2], &[0, 1], 7.0), [ints(DType::I64, &[2, 3], -9, 9)]),
        case("cropped", op("constant", &[-1, 2], &[0, -2], 0.5), [f32s(&[3, 4])]),
        case("around nothing", op("constant", &[1, 0], &[1, 0], 0.5), [f32s(&[0, 2])]),
        case("zero points", op("constant", &[0, 1, 1], &[0, 1, 0], 0.0), [i8s(&[1, 2, 3], 0.1, 4)]),
        case("a number", op("constant", &[], &[], 0.0), [f32s(&[])]),
    ];
    for mode in ["reflect", "edge", "symmetric", "wrap"] {
        cases.push(case(mode, op(mode, &[0, 2, 1], &[1, 1, 2], 0.0), [f32s(&[2, 3, 4])]));
        cases.push(case(mode, op(mode, &[2, 0], &[1, 0], 0.0), [i8s(&[3, 2], 0.1, 4)]));
    }
    suite(EXACT, reference, cases)
}

fn reference(op: &Pad, x: &[Array]) -> Array {
    let x = &x[0];
    let mode = word_of(op, "mode");
    let each = x.dims.iter().zip(&op.before).zip(&op.after);
    let dims: Vec<usize> =
        each.map(|((&dim, before), after)| (dim as i64 + before + after) as usize).collect();
    x.like(&dims, |at| {
        let mut index = Vec::new();
        for (axis, &i) in at.iter().enumerate() {
            let (mut i, dim) = (i as i64 - op.before[axis], x.dims[axis] as i64);
            while !(0..dim).contains(&i) {
                i = match mode.as_str() {
                    "constant" => return op.value.into(),
                    "edge" => i.clamp(0, dim - 1),
                    "wrap" => {
                        if i < 0 {
                            i + dim
                        } else {
                            i - dim
                        }
                    }
                    "reflect" => {
                        if i < 0 {
                            -i
                        } else {
                            2 * (dim - 1) - i
                        }
                    }
                    "symmetric" => {
                        if i < 0 {
                            -1 - i
                        } else {
                            2 * dim - 1 - i
                        }
                    }
                    other => panic!("{other} has no reference"),
                };
            }
            index.push(i as usize);
        }
        x.at(&index)
    })
}
