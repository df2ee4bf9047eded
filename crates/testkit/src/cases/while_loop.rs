//! Cases of `while_loop`.

use embarca_ir::{GraphId, Model};

use super::prelude::*;

/// While `i < end`: `i += 1`, `x += step`.
fn count(model: &mut Model) {
    let number = TensorType::of(DType::I32, &[]);
    let rows = if model.symbols.is_empty() { Dim::Known(2) } else { n() };
    let x = TensorType::new(DType::F32, [rows, Dim::Known(3)]);
    let types = [number.clone(), number, x.clone(), x];
    callee(model, "less", &types, |b, x| {
        Ok(vec![b.op(payload::<Compare>(&[("holds", word("less"))]), &[x[0], x[1]])?])
    });
    callee(model, "step", &types, |b, x| {
        let one = b.constant(Const::from_i32(&[], &[1]), None);
        let next = b.op(Add {}, &[x[0], one])?;
        let sum = b.op(Add {}, &[x[2], x[3]])?;
        Ok(vec![next, x[1], sum, x[3]])
    });
}

/// While anything is below 100: doubles it, and calls another loop that does nothing.
fn nested(model: &mut Model) {
    let ty = [TensorType::of(DType::I32, &[1])];
    callee(model, "below", &ty, |b, x| {
        let limit = b.constant(Const::from_i32(&[1], &[100]), None);
        Ok(vec![b.op(payload::<Compare>(&[("holds", word("less"))]), &[x[0], limit])?])
    });
    model.graphs.push(Default::default());
    callee(model, "never", &ty, |b, x| {
        Ok(vec![b.op(payload::<Compare>(&[("holds", word("less"))]), &[x[0], x[0]])?])
    });
    callee(model, "same", &ty, |_, x| Ok(vec![x[0]]));
    let double = model.graphs.len();
    callee(model, "double", &ty, |b, x| {
        let sum = b.op(Add {}, &[x[0], x[0]])?;
        Ok(vec![b.op(WhileLoop { cond: GraphId(3), body: GraphId(4) }, &[sum])?])
    });
    let graph = model.graphs.remove(double);
    model.graphs[2] = graph;
}

pub fn cases() -> Vec<AnyCase> {
    let op = || WhileLoop { cond: GraphId(1), body: GraphId(2) };
    let number = |value: f64| values(DType::I32, &[], &[value]);
    let x = || f32s(&[2, 3]);
    suite(
        rounded(8),
        reference,
        [
            case("four rounds", op(), [number(1.0), number(5.0), x(), x()]).calls(count),
            case("no round", op(), [number(5.0), number(5.0), x(), x()]).calls(count),
            case("open rows", op(), [number(0.0), number(3.0), x().open(0), x().open(0)])
                .calls(count),
            case("fixed variables", op(), [number(0.0), number(2.0).constant(), x(), x().constant()])
                .calls(count),
            case("a loop in a loop", op(), [values(DType::I32, &[1], &[3.0])]).calls(nested),
        ],
    )
}

fn reference(_: &WhileLoop, x: &[Array]) -> Vec<Array> {
    let [start, end, x, step] = x else { return vec![x[0].map(|_| 192.0)] };
    let rounds = (end.data[0] - start.data[0]).max(0.0);
    let sum = x.like(&x.dims, |at| x.at(at) + rounds * step.at(at));
    vec![start.map(|i| i + rounds), end.clone(), sum.summing(1 + rounds as usize), step.clone()]
}
