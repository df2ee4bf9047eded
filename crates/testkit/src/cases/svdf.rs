//! Cases of `svdf`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |rank| Svdf { rank };
    let floats = |n: usize, i: usize, f: usize, m: usize, bias: Input| {
        [f32s(&[n, i]), f32s(&[f, i]).constant(), f32s(&[f, m]).constant(), bias, f32s(&[n, f * m])]
    };
    let quant = |scale| Quant::per_tensor(scale, 0);
    let time = |dtype: DType| {
        let (high, scale) = if dtype == DType::I8 { (127, 0.01) } else { (32767, 0.00005) };
        let weights = ints(dtype, &[6, 3], -high, high).quant(quant(scale)).constant();
        [weights, ints(dtype, &[2, 18], -high, high).quant(quant(10.0 * scale))]
    };
    let integers = |dtype: DType| {
        let w = ints(DType::I8, &[6, 5], -127, 127).quant(quant(0.01)).constant();
        let [time, state] = time(dtype);
        let bias = quant(10.0 * time_scale(dtype) * time_scale(dtype));
        let bias = ints(DType::I32, &[3], -500, 500).quant(bias).constant();
        [i8s(&[2, 5], 0.01, -3), w, time, bias, state]
    };
    let steps = |steps| Tolerance { units: 0.0, steps, term: 0.0 };
    suite(
        rounded(4),
        reference,
        [
            case("floats", op(2), floats(3, 4, 6, 3, f32s(&[3]).constant())),
            case("no bias, memory of one", op(1), floats(1, 4, 2, 1, absent())),
            case("8 bits", op(2), integers(DType::I8)).yields(0.5, 4).within(steps(1.0)),
            case("16 bits", op(2), integers(DType::I16)).yields(0.5, 4).within(steps(1.0)),
        ],
    )
}

fn time_scale(dtype: DType) -> f32 {
    if dtype == DType::I8 { 0.01 } else { 0.00005 }
}

fn reference(op: &Svdf, x: &[Array]) -> Vec<Array> {
    let [x, w, time, bias, before] = x else { panic!("five inputs") };
    let (filters, memory) = (time.dims[0], time.dims[1]);
    let wide = before.dims.clone();
    let state = before.like(&wide, |at| {
        let (n, f, m) = (at[0], at[1] / memory, at[1] % memory);
        if m + 1 < memory {
            return before.at(&[n, at[1] + 1]);
        }
        (0..x.dims[1]).map(|i| x.at(&[n, i]) * w.at(&[f, i])).sum()
    });
    let y = x.like(&[x.dims[0], filters / op.rank], |at| {
        let start = at[1] * op.rank * memory;
        let terms = (start..start + op.rank * memory)
            .map(|i| state.at(&[at[0], i]) * time.at(&[i / memory, i % memory]));
        let bias = if bias.dims == [filters / op.rank] { bias.at(&[at[1]]) } else { 0.0 };
        bias + terms.sum::<f64>()
    });
    let terms = x.dims[1] + op.rank * memory;
    vec![y.summing(terms), state.summing(terms)]
}
