//! Cases of `unary`.

use super::prelude::*;

/// A function, its parameters, where it is tried, and what it computes.
type Entry = (&'static str, [f32; 3], [f32; 2], fn(f64, [f64; 3]) -> f64);

const FUNCTIONS: &[Entry] = &[
    ("abs", [0.0; 3], [-9.0, 9.0], |x, _| x.abs()),
    ("acos", [0.0; 3], [-1.0, 1.0], |x, _| x.acos()),
    ("acosh", [0.0; 3], [1.0, 50.0], |x, _| x.acosh()),
    ("asin", [0.0; 3], [-1.0, 1.0], |x, _| x.asin()),
    ("asinh", [0.0; 3], [-50.0, 50.0], |x, _| x.asinh()),
    ("atan", [0.0; 3], [-50.0, 50.0], |x, _| x.atan()),
    ("atanh", [0.0; 3], [-0.99, 0.99], |x, _| x.atanh()),
    ("ceil", [0.0; 3], [-9.0, 9.0], |x, _| x.ceil()),
    ("celu", [0.7, 0.0, 0.0], [-4.0, 4.0], |x, [a, ..]| {
        x.max(0.0) + (a * (x / a).exp_m1()).min(0.0)
    }),
    ("cos", [0.0; 3], [-50.0, 50.0], |x, _| x.cos()),
    ("cosh", [0.0; 3], [-9.0, 9.0], |x, _| x.cosh()),
    ("elu", [0.7, 0.0, 0.0], [-4.0, 4.0], |x, [a, ..]| if x < 0.0 { a * x.exp_m1() } else { x }),
    ("erf", [0.0; 3], [-4.0, 4.0], |x, _| erf(x)),
    ("exp", [0.0; 3], [-80.0, 80.0], |x, _| x.exp()),
    ("expm1", [0.0; 3], [-4.0, 4.0], |x, _| x.exp_m1()),
    ("floor", [0.0; 3], [-9.0, 9.0], |x, _| x.floor()),
    ("gelu", [0.0; 3], [-4.0, 4.0], |x, _| x / 2.0 * (1.0 + erf(x / 2f64.sqrt()))),
    ("gelu_tanh", [0.0; 3], [-4.0, 4.0], |x, _| {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        x / 2.0 * (1.0 + inner.tanh())
    }),
    ("hard_sigmoid", [0.2, 0.5, 0.0], [-4.0, 4.0], |x, [a, b, _]| (a * x + b).clamp(0.0, 1.0)),
    ("hard_swish", [0.0; 3], [-4.0, 4.0], |x, _| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
    ("hard_swish_scaled", [0.2, 0.4, 0.0], [-4.0, 4.0], |x, [a, b, _]| {
        x * (a * x + b).clamp(0.0, 1.0)
    }),
    ("log", [0.0; 3], [0.01, 99.0], |x, _| x.ln()),
    ("log1p", [0.0; 3], [-0.9, 9.0], |x, _| x.ln_1p()),
    ("mish", [0.0; 3], [-4.0, 4.0], |x, _| x * x.exp().ln_1p().tanh()),
    ("neg", [0.0; 3], [-9.0, 9.0], |x, _| -x),
    ("power", [0.5, 2.0, 1.5], [0.0, 4.0], |x, [a, b, c]| (a + b * x).powf(c)),
    ("reciprocal", [0.0; 3], [0.1, 9.0], |x, _| x.recip()),
    ("round", [0.0; 3], [-9.0, 9.0], |x, _| x.round_ties_even()),
    ("round_away", [0.0; 3], [-9.0, 9.0], |x, _| x.round()),
    ("rsqrt", [0.0; 3], [0.01, 99.0], |x, _| x.sqrt().recip()),
    ("selu", [1.6, 1.1, 0.0], [-4.0, 4.0], |x, [a, b, _]| {
        b * if x < 0.0 { a * x.exp_m1() } else { x }
    }),
    ("shrink", [0.5, 0.25, 0.0], [-2.0, 2.0], |x, [a, b, _]| match x {
        x if a < x => x - b,
        x if x < -a => x + b,
        _ => 0.0,
    }),
    ("sigmoid", [0.0; 3], [-20.0, 20.0], |x, _| 1.0 / (1.0 + (-x).exp())),
    ("sign", [0.0; 3], [-1.0, 1.0], |x, _| x.signum()),
    ("silu", [1.5, 0.0, 0.0], [-9.0, 9.0], |x, [a, ..]| x / (1.0 + (-a * x).exp())),
    ("sin", [0.0; 3], [-50.0, 50.0], |x, _| x.sin()),
    ("sinh", [0.0; 3], [-9.0, 9.0], |x, _| x.sinh()),
    ("softplus", [0.0; 3], [-20.0, 20.0], |x, _| x.exp().ln_1p()),
    ("softsign", [0.0; 3], [-9.0, 9.0], |x, _| x / (1.0 + x.abs())),
    ("sqrt", [0.0; 3], [0.0, 99.0], |x, _| x.sqrt()),
    ("square", [0.0; 3], [-9.0, 9.0], |x, _| x * x),
    ("tan", [0.0; 3], [-1.5, 1.5], |x, _| x.tan()),
    ("tanh", [0.0; 3], [-9.0, 9.0], |x, _| x.tanh()),
    ("thresholded_relu", [0.3, 0.0, 0.0], [-1.0, 1.0], |x, [a, ..]| if a < x { x } else { 0.0 }),
    ("trunc", [0.0; 3], [-9.0, 9.0], |x, _| x.trunc()),
];

fn op(name: &str, [a, b, c]: [f32; 3]) -> Unary {
    let float = Attr::Float;
    payload(&[("function", word(name)), ("a", float(a)), ("b", float(b)), ("c", float(c))])
}

pub fn cases() -> Vec<AnyCase> {
    let mut cases = Vec::new();
    for &(name, parameters, [low, high], _) in FUNCTIONS {
        let case = case(name, op(name, parameters), [reals(&[3, 40], low, high).open(0)]);
        // An exponent of up to 9 * 1.5 is rounded before the power is taken.
        cases.push(if name == "silu" { case.within(rounded(16)) } else { case });
    }
    for name in ["abs", "neg", "sign", "square"] {
        cases.push(case(name, op(name, [0.0; 3]), [ints(DType::I32, &[2, 9], -9, 9)]));
        cases.push(case(name, op(name, [0.0; 3]), [ints(DType::I64, &[], -9, 9)]));
    }
    for name in ["abs", "exp", "log", "neg", "reciprocal", "rsqrt", "sigmoid", "sign", "sqrt"] {
        let x = ints(DType::F64, &[2, 9], 1, 9);
        cases.push(case(name, op(name, [0.0; 3]), [x]).within(rounded(8)));
    }
    for (name, scale, zero) in [
        ("sigmoid", 1.0 / 256.0, -128),
        ("tanh", 1.0 / 128.0, 0),
        ("hard_swish", 0.05, -20),
        ("abs", 0.04, -100),
        ("exp", 0.2, -128),
        ("gelu", 0.05, -20),
    ] {
        cases.push(case(name, op(name, [0.0; 3]), [i8s(&[2, 5, 30], 0.03, 9)]).yields(scale, zero));
    }
    // Straight lines between 256 points.
    let curve = Tolerance { units: 0.0, steps: 24.0, term: 0.0 };
    let small = |low| ints(DType::I16, &[99], low, 32767).quant(Quant::per_tensor(0.001, 0));
    cases.extend([
        case("elu", op("elu", [1.0, 0.0, 0.0]), [i8s(&[99], 0.03, 9)]).yields(0.03, -20),
        case("16 bits, sigmoid", op("sigmoid", [0.0; 3]), [i16s(&[999], 0.0003)])
            .yields(1.0 / 32768.0, 0)
            .within(curve),
        case("16 bits, tanh", op("tanh", [0.0; 3]), [i16s(&[999], 1.0 / 4096.0)])
            .yields(1.0 / 32768.0, 0)
            .within(curve),
        case("16 bits, exp", op("exp", [0.0; 3]), [i16s(&[999], 0.00005)])
            .yields(0.001, 0)
            .within(WIDE),
        case("16 bits, sqrt", op("sqrt", [0.0; 3]), [small(0)]).yields(0.0003, 0).within(WIDE),
        case("16 bits, rsqrt", op("rsqrt", [0.0; 3]), [small(100)]).yields(0.0003, 0),
        case("round", op("round", [0.0; 3]), [values(DType::F32, &[4], &[0.5, 1.5, -2.5, 2.5])]),
        case(
            "round_away",
            op("round_away", [0.0; 3]),
            [values(DType::F32, &[3], &[0.5, -1.5, 2.5])],
        ),
        case("no elements", op("exp", [0.0; 3]), [f32s(&[2, 0, 3])]),
    ]);
    suite(rounded(4), reference, cases)
}

fn reference(op: &Unary, x: &[Array]) -> Array {
    let name = word_of(op, "function");
    let entry = FUNCTIONS.iter().find(|(other, ..)| *other == name);
    let (.., f) = entry.unwrap_or_else(|| panic!("{name} has no reference"));
    let whole = x[0].dtype.is_int();
    // The sign of an integer 0 is 0.
    let y = x[0].map(|x| match x {
        0.0 if whole => x,
        x => f(x, [op.a, op.b, op.c].map(f64::from)),
    });
    // Functions with a sum that nearly vanishes somewhere.
    let cancels = ["gelu", "gelu_tanh", "hard_sigmoid", "hard_swish_scaled"].contains(&name.as_str());
    if cancels { y.summing(1) } else { y }
}
