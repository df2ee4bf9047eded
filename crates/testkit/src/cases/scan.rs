//! Cases of `scan`.

use embarca_ir::{GraphId, Model};

use super::prelude::*;

/// A running sum of the elements, times the capture.
fn sums(model: &mut Model) {
    let (x, factor) = (TensorType::of(DType::F32, &[2]), TensorType::of(DType::F32, &[]));
    callee(model, "body", &[x.clone(), x, factor], |b, x| {
        let sum = b.op(Add {}, &[x[0], x[1]])?;
        Ok(vec![sum, b.op(Mul {}, &[sum, x[2]])?])
    });
}

pub fn cases() -> Vec<AnyCase> {
    let op = |axis, backward, out_axis, out_backward, length: Dim| Scan {
        body: GraphId(1),
        vars: 1,
        axes: vec![axis],
        backward: vec![backward],
        out_axes: vec![out_axis],
        out_backward: vec![out_backward],
        dtypes: vec![DType::F32],
        dims: vec![match out_axis {
            0 => vec![length, Dim::Known(2)],
            _ => vec![Dim::Known(2), length],
        }],
    };
    let four = || Dim::Known(4);
    let (start, factor) = (|| f32s(&[2]), || f32s(&[]));
    suite(
        rounded(8),
        reference,
        [
            case("forward", op(0, false, 0, false, four()), [start(), f32s(&[4, 2]), factor()])
                .calls(sums),
            case("backward", op(0, true, 0, true, four()), [start(), f32s(&[4, 2]), factor()])
                .calls(sums),
            case("other axes", op(1, false, 1, true, four()), [start(), f32s(&[2, 4]), factor()])
                .calls(sums),
            case("an open length", op(0, true, 1, false, n()), [
                start(),
                f32s(&[5, 2]).open(0),
                factor(),
            ])
            .calls(sums),
            case("nothing", op(0, false, 0, false, Dim::Known(0)), [
                start(),
                f32s(&[0, 2]),
                factor(),
            ])
            .calls(sums),
        ],
    )
}

fn reference(op: &Scan, x: &[Array]) -> Vec<Array> {
    let (start, x, factor) = (&x[0], &x[1], x[2].data[0]);
    let length = x.dims[op.axes[0]];
    let element = |round: usize, at: usize| {
        let index = if op.backward[0] { length - 1 - round } else { round };
        if op.axes[0] == 0 { x.at(&[index, at]) } else { x.at(&[at, index]) }
    };
    let after = |rounds: usize, at: usize| {
        start.data[at] + (0..rounds).map(|round| element(round, at)).sum::<f64>()
    };
    let last = start.like(&[2], |at| after(length, at[0])).summing(length);
    let dims = if op.out_axes[0] == 0 { [length, 2] } else { [2, length] };
    let each = start.like(&dims, |at| {
        let (index, at) = if op.out_axes[0] == 0 { (at[0], at[1]) } else { (at[1], at[0]) };
        let round = if op.out_backward[0] { length - 1 - index } else { index };
        factor * after(round + 1, at)
    });
    vec![last, each.summing(length + 1)]
}
