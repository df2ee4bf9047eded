//! Cases of `one_hot`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis, depth, wraps| OneHot { axis, depth: Dim::Known(depth), wraps };
    let (off, on) = (|| f32s(&[]).constant(), || f32s(&[]).constant());
    let whole = || ints(DType::I64, &[], -9, 9);
    let signed = |dims: &[usize]| ints(DType::I64, dims, -4, 6);
    suite(
        EXACT,
        reference,
        [
            case("last axis", op(1, 5, true), [below(5, &[3]).open(0), off(), on()]),
            case("first axis", op(0, 4, true), [signed(&[2, 3]), off(), on()]),
            case("negative ones nowhere", op(2, 4, false), [signed(&[2, 3]), whole(), whole()]),
            case("one index", op(0, 3, true), [ints(DType::I32, &[], 0, 2), off(), on()]),
            case("no depth", op(1, 0, true), [below(5, &[2]), off(), on()]),
        ],
    )
}

fn reference(op: &OneHot, x: &[Array]) -> Array {
    let depth = op.depth.known().expect("a number") as usize;
    let mut dims = x[0].dims.clone();
    dims.insert(op.axis, depth);
    x[2].like(&dims, |at| {
        let mut index = at.to_vec();
        let place = index.remove(op.axis) as f64;
        let wanted = x[0].at(&index);
        let wraps = op.wraps && place == wanted + depth as f64;
        x[if place == wanted || wraps { 2 } else { 1 }].data[0]
    })
}
