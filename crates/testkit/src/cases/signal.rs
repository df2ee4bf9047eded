//! Cases of `signal`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |stage, numbers: &[i64]| Signal { stage, numbers: numbers.to_vec() };
    let samples = |dims: &[usize]| ints(DType::I16, dims, -20000, 20000);
    let u32s = |high| ints(DType::U32, &[9], 0, high);
    let i16s = |list: &[f64]| values(DType::I16, &[list.len()], list).constant();
    let near = |steps| Tolerance { units: 0.0, steps, term: 0.0 };
    let bank = [
        ints(DType::U32, &[12], 0, 1 << 30),
        ints(DType::I16, &[7], 0, 4096).constant(),
        ints(DType::I16, &[7], 0, 4096).constant(),
        i16s(&[0.0, 2.0, 5.0, 9.0]),
        i16s(&[0.0, 2.0, 2.0, 4.0]),
        i16s(&[2.0, 3.0, 2.0, 3.0]),
    ];
    let gentle = [409, 15975, 983, 15401, 10, 819, 14, 0];
    let strict = [409, 15975, 983, 15401, 10, 819, 14, 1];
    let pairs = |high| [u32s(high), ints(DType::U32, &[9], 0, 1 << 20)];
    let table = ints(DType::I16, &[125], -3000, 3000).constant();
    let spectrum = |length: usize, dims: &[usize]| {
        let x = samples(dims).quant(Quant::per_tensor(1.0, 0));
        case("spectrum", op(Stage::Rfft, &[length as i64]), [x]).yields(1.0, 0).within(near(8.0))
    };
    suite(
        EXACT,
        reference,
        [
            case("window", op(Stage::Window, &[12]), [samples(&[2, 30]), samples(&[30])]),
            case("quiet", op(Stage::AutoScale, &[]), [ints(DType::I16, &[20], -99, 99)]),
            case("silent", op(Stage::AutoScale, &[]), [ints(DType::I16, &[20], 0, 0)]),
            spectrum(64, &[2, 50]),
            spectrum(32, &[32]),
            case("energy", op(Stage::Energy, &[2, 7]), [samples(&[18])]),
            case("bank", op(Stage::FilterBank, &[3]), bank),
            case(
                "roots",
                op(Stage::Root, &[]),
                [ints(DType::U64, &[9], 0, 1 << 45), values(DType::I32, &[], &[2.0])],
            ),
            case("small roots", op(Stage::Root, &[]), [
                ints(DType::U64, &[99], 0, 99),
                values(DType::I32, &[], &[0.0]),
            ]),
            case("noise", op(Stage::Subtraction, &gentle), pairs(5000)),
            case("noise, limited", op(Stage::Subtraction, &strict), pairs(500)),
            case(
                "gain",
                op(Stage::Pcan, &[6]),
                [u32s(1 << 20), ints(DType::U32, &[9], 0, 1 << 30), table.clone()],
            ),
            case("little noise", op(Stage::Pcan, &[6]), [u32s(99), u32s(9), table]),
            case("logarithms", op(Stage::Log, &[64, 3]), [u32s(1 << 28)])
                .yields(1.0, 0)
                .within(near(1.0)),
        ],
    )
}

fn reference(op: &Signal, x: &[Array]) -> Vec<Array> {
    let n = &op.numbers;
    let whole = |array: &Array| array.data.iter().map(|&x| x as i128).collect::<Vec<_>>();
    let list = |dtype, list: Vec<i128>| {
        let data: Vec<f64> = list.into_iter().map(|x| x as f64).collect();
        Array { dtype, dims: vec![data.len()], data, terms: 0 }
    };
    match op.stage {
        Stage::Window => {
            let shifted = |x: f64, w: f64| ((x * w) / f64::from(1 << n[0])).floor();
            let y = |at: &[usize]| shifted(x[0].at(at), x[1].at(&at[1..])).clamp(-32768.0, 32767.0);
            vec![x[0].like(&x[0].dims, y)]
        }
        Stage::AutoScale => {
            let most = x[0].data.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            let fits = |bits: &i32| most * f64::from(1 << bits) < 32768.0;
            let bits = if most == 0.0 { 0 } else { (0..15).filter(fits).max().unwrap_or(0) };
            let count = Array { dtype: DType::I32, dims: vec![], data: vec![bits.into()], terms: 0 };
            vec![x[0].map(|x| x * f64::from(1 << bits)), count]
        }
        Stage::Rfft => {
            let length = n[0] as usize;
            let mut dims = x[0].dims.clone();
            let samples = dims.pop().expect("samples");
            dims.push(length + 2);
            vec![x[0].like(&dims, |at| {
                let (row, part) = at.split_at(at.len() - 1);
                let turn = |t: usize| {
                    let phase = (part[0] / 2 * t) as f64 / length as f64 * std::f64::consts::TAU;
                    if part[0] % 2 == 0 { phase.cos() } else { -phase.sin() }
                };
                let term = |t: usize| x[0].at(&[row, &[t]].concat()) * turn(t);
                (0..samples).map(term).sum::<f64>() / length as f64
            })]
        }
        Stage::Energy => {
            let parts = whole(&x[0]);
            let range = n[0] as usize..n[1] as usize;
            let square = |k: usize| match range.contains(&k) {
                true => parts[2 * k].pow(2) + parts[2 * k + 1].pow(2),
                false => 0,
            };
            vec![list(DType::U32, (0..parts.len() / 2).map(square).collect())]
        }
        Stage::FilterBank => {
            let [x, up, down, starts, firsts, widths] = x else { panic!("six inputs") };
            let sum = |weights: &Array, i: usize| -> f64 {
                let at = |array: &Array| array.at(&[i]) as usize;
                let term = |j| weights.at(&[at(firsts) + j]) * x.at(&[at(starts) + j]);
                (0..at(widths)).map(term).sum()
            };
            let channel = |i: usize| (sum(up, i + 1) + sum(down, i)) as i128;
            vec![list(DType::U64, (0..n[0] as usize).map(channel).collect())]
        }
        Stage::Root => {
            let by = f64::from(1 << x[1].data[0] as i32);
            let y = x[0].map(|x| (x.sqrt().round() / by).floor());
            vec![Array { dtype: DType::U32, ..y }]
        }
        Stage::Subtraction => subtraction(n, &whole(&x[0]), &whole(&x[1]))
            .map(|y| list(DType::U32, y))
            .to_vec(),
        Stage::Pcan => {
            let table = whole(&x[2]);
            let y = whole(&x[0]).into_iter().zip(whole(&x[1]));
            vec![list(DType::U32, y.map(|(x, noise)| pcan(&table, x, noise, n[0])).collect())]
        }
        Stage::Log => {
            let y = x[0].map(|x| x * f64::from(1 << n[1]));
            let y = y.map(|x| if 1.0 < x { n[0] as f64 * x.ln() } else { 0.0 });
            vec![Array { dtype: DType::I16, ..y }]
        }
    }
}

fn subtraction(n: &[i64], x: &[i128], before: &[i128]) -> [Vec<i128>; 2] {
    let n: Vec<i128> = n.iter().map(|&n| n.into()).collect();
    let (mut y, mut noise) = (Vec::new(), Vec::new());
    for (i, (&x, &before)) in x.iter().zip(before).enumerate() {
        let odd = 2 * (i % 2);
        let signal = x << n[4];
        let mut estimate = (signal * n[odd] + before * n[odd + 1]) >> n[6];
        let floor = (x * n[5]) >> n[6];
        y.push(((signal - estimate.min(signal)) >> n[4]).max(floor));
        if n[7] == 1 {
            estimate = estimate.min(signal);
        }
        noise.push(estimate);
    }
    [y, noise]
}

fn pcan(table: &[i128], x: i128, noise: i128, shift: i64) -> i128 {
    let gain = if noise <= 2 {
        table[noise as usize]
    } else {
        let bits = 128 - noise.leading_zeros() as usize;
        let fraction = ((noise << 11) >> bits) & 0x3ff;
        let [a, b, c] = [0, 1, 2].map(|i| table[4 * bits - 6 + i]);
        a + (((((c * fraction) >> 5) + (b << 5)) * fraction + (1 << 14)) >> 15)
    };
    // A negative gain counts as a large one.
    let gain = i128::from(gain as i16 as u32);
    let ratio = i128::from(((x * gain) >> shift) as u32);
    if ratio < 2 << 12 { (ratio * ratio) >> 20 } else { (ratio >> 6) - 64 }
}
