//! Cases of `scatter_elements`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |by, axis| -> ScatterElements {
        payload(&[("by", word(by)), ("axis", Attr::Dim(Dim::Known(axis)))])
    };
    let mut cases = vec![
        case(
            "replaced",
            op("none", 1),
            [f32s(&[3, 4]), ints(DType::I64, &[3, 2], -4, 3), f32s(&[3, 2])],
        ),
        case(
            "bytes",
            op("none", 0),
            [ints(DType::U8, &[5], 0, 9), below(5, &[2]), ints(DType::U8, &[2], 0, 9)],
        ),
        case("nothing", op("none", 0), [f32s(&[3]), below(3, &[0]), f32s(&[0])]),
    ];
    for by in ["add", "mul", "min", "max"] {
        cases.push(case(by, op(by, 0), [f32s(&[3, 4]), below(3, &[5, 2]), f32s(&[5, 2])]));
        let x = |dims: &[usize]| ints(DType::I32, dims, -5, 5);
        cases.push(case(by, op(by, 1), [x(&[2, 4]), ints(DType::I32, &[2, 3], 0, 3), x(&[2, 3])]));
    }
    suite(rounded(4), reference, cases)
}

fn reference(op: &ScatterElements, x: &[Array]) -> Array {
    let (places, updates) = (&x[1], &x[2]);
    let meet = meeting(&word_of(op, "by"));
    let mut y = same(x);
    for at in indices(&updates.dims) {
        let mut index = at.clone();
        index[op.axis] = places.index(&at, y.dims[op.axis]);
        let place = y.place(&index);
        y.data[place] = meet(y.data[place], updates.at(&at));
    }
    y.summing(updates.dims[op.axis])
}
