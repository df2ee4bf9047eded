//! Cases of `quantized_lstm`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |cell_clip| QuantizedLstm { cell_clip };
    // The gates' functions are good to 11 bits; golden vectors compare the last ones.
    let about = Tolerance { units: 0.0, steps: 3.0, term: 0.0 };
    let inputs = |dtype: DType, [t, n, i, h]: [usize; 4]| {
        let wide = dtype == DType::I16;
        let (scale, zero) = if wide { (1.0 / 32768.0, 0) } else { (1.0 / 128.0, 3) };
        let (low, high) = if wide { (-32768, 32767) } else { (-128, 127) };
        let act = |dims: &[usize]| ints(dtype, dims, low, high).quant(Quant::per_tensor(scale, zero));
        let quant = |axis: usize| {
            let scales = (0..4 * h).map(|row| 0.002 + 0.001 * (row / h) as f32).collect();
            Quant { scales, zero_points: vec![0; 4 * h], axis: Some(axis) }
        };
        let weights = |width: usize| {
            ints(DType::I8, &[4 * h, width], -127, 127).quant(quant(0)).constant()
        };
        let mut bias = quant(0);
        bias.scales.iter_mut().for_each(|bias| *bias *= scale);
        let of = if wide { DType::I64 } else { DType::I32 };
        let bias = ints(of, &[4 * h], -2000, 2000).quant(bias).constant();
        let cell = ints(DType::I16, &[n, h], -4096, 4096);
        let cell = cell.quant(Quant::per_tensor(1.0 / 2048.0, 0));
        [act(&[t, n, i]), weights(i), weights(h), bias, act(&[n, h]), cell]
    };
    suite(
        about,
        reference,
        [
            case("8 bits", op(0.0), inputs(DType::I8, [3, 2, 5, 4])),
            case("8 bits, bounded", op(0.5), inputs(DType::I8, [2, 1, 3, 2])),
            case("16 bits", op(0.0), inputs(DType::I16, [3, 2, 5, 4]))
                .within(Tolerance { steps: 60.0, ..about }),
        ],
    )
}

fn reference(op: &QuantizedLstm, x: &[Array]) -> Vec<Array> {
    let [x, w, r, bias, h0, c0] = x else { panic!("six inputs") };
    let (steps, batch, hidden) = (x.dims[0], x.dims[1], r.dims[1]);
    let clip = if op.cell_clip == 0.0 { f64::INFINITY } else { f64::from(op.cell_clip) };
    let (mut h, mut c) = (h0.clone(), c0.clone());
    let mut y = x.like(&[steps, batch, hidden], |_| 0.0);
    for t in 0..steps {
        let before = h.clone();
        for n in 0..batch {
            for j in 0..hidden {
                let gate = |k: usize| {
                    let row = k * hidden + j;
                    let from_x: f64 =
                        (0..x.dims[2]).map(|i| x.at(&[t, n, i]) * w.at(&[row, i])).sum();
                    let from_h: f64 =
                        (0..hidden).map(|i| before.at(&[n, i]) * r.at(&[row, i])).sum();
                    from_x + from_h + bias.at(&[row])
                };
                let unit = |x: f64| 1.0 / (1.0 + (-x).exp());
                let at = c.place(&[n, j]);
                let next = unit(gate(2)) * c.data[at] + unit(gate(0)) * gate(3).tanh();
                c.data[at] = next.clamp(-clip, clip);
                h.data[at] = unit(gate(1)) * c.data[at].tanh();
                let to = y.place(&[t, n, j]);
                y.data[to] = h.data[at];
            }
        }
    }
    vec![y, h, c]
}
