//! Cases of `if_else`.

use embarca_ir::{GraphId, Model};

use super::prelude::*;

/// `x + y` when the condition is true, `x * y` otherwise.
fn branches(model: &mut Model) {
    let rows = |model: &mut Model| vec![f32s_like(model), f32s_like(model)];
    let types = rows(model);
    callee(model, "sum", &types, |b, x| Ok(vec![b.op(Add {}, &[x[0], x[1]])?]));
    callee(model, "product", &types, |b, x| Ok(vec![b.op(Mul {}, &[x[0], x[1]])?]));
}

fn f32s_like(model: &Model) -> TensorType {
    let rows = if model.symbols.is_empty() { Dim::Known(2) } else { n() };
    TensorType::new(DType::F32, [rows, Dim::Known(3)])
}

/// Argument 0 as it is, or a constant.
fn moves(model: &mut Model) {
    let ty = [TensorType::of(DType::I32, &[4])];
    callee(model, "same", &ty, |_, x| Ok(vec![x[0], x[0]]));
    callee(model, "constant", &ty, |b, x| {
        let data = Const::from_i32(&[4], &[5, -6, 7, -8]);
        Ok(vec![b.constant(data, None), x[0]])
    });
}

pub fn cases() -> Vec<AnyCase> {
    let (then, otherwise) = (GraphId(1), GraphId(2));
    let sums = |rows: Dim| IfElse {
        then,
        otherwise,
        dtypes: vec![DType::F32],
        dims: vec![vec![rows, Dim::Known(3)]],
    };
    let four = vec![Dim::Known(4)];
    let moved = || IfElse {
        then,
        otherwise,
        dtypes: vec![DType::I32; 2],
        dims: vec![four.clone(), four.clone()],
    };
    let flag = |value: f64, dims: &[usize]| values(DType::Bool, dims, &[value]);
    let x = || f32s(&[2, 3]);
    let i = || ints(DType::I32, &[4], -9, 9);
    suite(
        rounded(1),
        reference,
        [
            case("true", sums(Dim::Known(2)), [flag(1.0, &[]), x(), x()]).calls(branches),
            case("false", sums(Dim::Known(2)), [flag(0.0, &[]), x(), x()]).calls(branches),
            case("an open row", sums(n()), [flag(1.0, &[1]), x().open(0), x().open(0)])
                .calls(branches),
            case("results are arguments", moved(), [flag(1.0, &[]), i()]).calls(moves),
            case("results are constants", moved(), [flag(0.0, &[1]), i()]).calls(moves),
            case("fixed arguments", moved(), [flag(0.0, &[1]), i().constant()]).calls(moves),
        ],
    )
}

fn reference(_: &IfElse, x: &[Array]) -> Vec<Array> {
    let cond = x[0].data[0] != 0.0;
    if let [_, x, y] = x {
        return vec![x.like(&x.dims, |at| {
            let (x, y) = (x.at(at), y.at(at));
            if cond { x + y } else { x * y }
        })];
    }
    let fixed = [5.0, -6.0, 7.0, -8.0];
    vec![if cond { x[1].clone() } else { x[1].like(&[4], |at| fixed[at[0]]) }, x[1].clone()]
}
