//! Cases of `scatter_nd`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |by| -> ScatterNd { payload(&[("by", word(by))]) };
    let once = || values(DType::I64, &[2, 1], &[2.0, -4.0]).constant();
    let mut cases = vec![
        case("slices", op("none"), [f32s(&[4, 3]), once(), f32s(&[2, 3])]),
        case("elements", op("none"), [f32s(&[3, 3]), ints(DType::I32, &[1, 2], 0, 2), f32s(&[1])]),
        case("nothing", op("none"), [f32s(&[3, 3]), below(3, &[0, 1]), f32s(&[0, 3])]),
    ];
    for by in ["add", "mul", "min", "max"] {
        cases.push(case(by, op(by), [f32s(&[3, 2]), below(3, &[2, 2, 1]), f32s(&[2, 2, 2])]));
        let x = |dims: &[usize]| ints(DType::I64, dims, -5, 5);
        cases.push(case(by, op(by), [x(&[4]), below(4, &[6, 1]), x(&[6])]));
    }
    suite(rounded(4), reference, cases)
}

fn reference(op: &ScatterNd, x: &[Array]) -> Array {
    let (places, updates) = (&x[1], &x[2]);
    let (&tuple, outer) = places.dims.split_last().expect("an axis of tuples");
    let meet = meeting(&word_of(op, "by"));
    let mut y = same(x);
    for at in indices(&updates.dims) {
        let (pick, back) = at.split_at(outer.len());
        let each = (0..tuple).map(|i| places.index(&[pick, &[i]].concat(), y.dims[i]));
        let index: Vec<usize> = each.chain(back.iter().copied()).collect();
        let place = y.place(&index);
        y.data[place] = meet(y.data[place], updates.at(&at));
    }
    y.summing(outer.iter().product())
}
