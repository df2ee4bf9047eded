//! Cases of `for_loop`.

use embarca_ir::{GraphId, Model};

use super::prelude::*;

/// Adds the capture to the variable while it has not run three times; yields the sum each time.
fn sums(model: &mut Model) {
    let x = TensorType::of(DType::F32, &[3]);
    let types =
        [TensorType::of(DType::I64, &[]), TensorType::of(DType::Bool, &[]), x.clone(), x];
    callee(model, "body", &types, |b, x| {
        let last = b.constant(Const::from_i64(&[], &[2]), None);
        let going = b.op(payload::<Compare>(&[("holds", word("less"))]), &[x[0], last])?;
        let sum = b.op(Add {}, &[x[2], x[3]])?;
        Ok(vec![going, sum, sum])
    });
}

/// The same without an end of its own.
fn forever(model: &mut Model) {
    let x = TensorType::of(DType::F32, &[3]);
    let types =
        [TensorType::of(DType::I64, &[1]), TensorType::of(DType::Bool, &[1]), x.clone(), x];
    callee(model, "body", &types, |b, x| {
        let sum = b.op(Add {}, &[x[2], x[3]])?;
        Ok(vec![x[1], sum, sum])
    });
}

pub fn cases() -> Vec<AnyCase> {
    let op = |rounds: i64| ForLoop {
        body: GraphId(1),
        vars: 1,
        dtypes: vec![DType::F32],
        dims: vec![vec![Dim::Known(rounds), Dim::Known(3)]],
    };
    let trips = |n: f64| values(DType::I64, &[1], &[n]);
    let flag = |n: f64| values(DType::Bool, &[], &[n]);
    let x = || f32s(&[3]);
    suite(
        rounded(8),
        reference,
        [
            case("so often", op(5), [trips(5.0), flag(1.0), x(), x()]).calls(forever),
            case("until it says so", op(3), [trips(5.0), flag(1.0), x(), x()]).calls(sums),
            case("never", op(0), [trips(5.0), flag(0.0), x(), x()]).calls(sums),
            case("no trips", op(0), [trips(-1.0), flag(1.0), x(), x()]).calls(forever),
            case("fewer than stated", op(4), [trips(5.0), flag(1.0), x(), x()])
                .calls(sums)
                .fails(),
            case("more than stated", op(4), [trips(5.0), flag(1.0), x(), x()])
                .calls(forever)
                .fails(),
        ],
    )
}

fn reference(op: &ForLoop, x: &[Array]) -> Vec<Array> {
    let (x, step) = (&x[2], &x[3]);
    let rounds = op.dims[0][0].known().unwrap() as usize;
    let after = |n: usize, at: usize| x.data[at] + n as f64 * step.data[at];
    let last = x.like(&[3], |at| after(rounds, at[0])).summing(rounds);
    let each = x.like(&[rounds, 3], |at| after(at[0] + 1, at[1])).summing(rounds);
    vec![last, each]
}
