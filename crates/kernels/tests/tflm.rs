//! Quantized kernels against what TFLM's reference kernels yield (`tflite-micro`, one-operator
//! models with random scales and inputs).

use embarca_kernels::binary::{self, Kind};
use embarca_kernels::walk::Walk;
use embarca_kernels::{Ty, prelu, reduce, requantize};
use embarca_num::DType;
use embarca_num::build::requant;
use embarca_num::fixed::Requant;

/// Elements of a case.
const LEN: usize = 16;

/// Scale and zero point.
type Quant = (f32, i32);

struct Sum {
    kind: Kind,
    quants: [Quant; 3],
    a: [i8; LEN],
    b: [i8; LEN],
    y: [i8; LEN],
}

struct Map {
    name: &'static str,
    /// Input, slope (for a leaky ReLU: the slope itself), output.
    quants: [Quant; 3],
    x: [i8; LEN],
    slopes: [i8; LEN],
    y: [i8; LEN],
}

struct Reduction {
    kind: reduce::Kind,
    axes: u32,
    quants: [Quant; 2],
    /// 6 rows of 4.
    x: [i8; 24],
    y: &'static [i8],
}

fn factor(real: f64) -> Requant {
    requant(real).unwrap()
}

#[test]
fn sums_and_differences() {
    for (i, case) in SUMS.iter().enumerate() {
        let [(a, a_zero), (b, b_zero), (y, out_zero)] = case.quants;
        let both = 2.0 * f64::from(a.max(b));
        let out_scale = match case.kind {
            Kind::SquaredDifference => both * both / f64::from(16384.0 * y),
            _ => both / (1_048_576.0 * f64::from(y)),
        };
        let params = binary::ParamsSumI8 {
            kind: case.kind as u32,
            in_zero: [a_zero, b_zero],
            in_scale: [factor(f64::from(a) / both), factor(f64::from(b) / both)],
            out_scale: factor(out_scale),
            out_zero,
            act_min: -128,
            act_max: 127,
        };
        let dims = [LEN as u32];
        let walk = Walk::broadcast(&dims, [&dims, &dims]);
        let mut got = [0; LEN];
        binary::run_sum_i8(&params, &walk, 0..LEN, &case.a, &case.b, &mut got);
        assert_eq!(got, case.y, "{:?}, case {i}", case.kind);
    }
}

#[test]
fn products() {
    for (i, case) in PRODUCTS.iter().enumerate() {
        assert_eq!(case.kind, Kind::Mul);
        let [(a, a_zero), (b, b_zero), (y, out_zero)] = case.quants;
        let params = binary::ParamsMulI8 {
            in_zero: [a_zero, b_zero],
            factor: factor(f64::from(a) * f64::from(b) / f64::from(y)),
            out_zero,
            act_min: -128,
            act_max: 127,
        };
        let dims = [LEN as u32];
        let walk = Walk::broadcast(&dims, [&dims, &dims]);
        let mut got = [0; LEN];
        binary::run_mul_i8(&params, &walk, 0..LEN, &case.a, &case.b, &mut got);
        assert_eq!(got, case.y, "case {i}");
    }
}

#[test]
fn elements_on_their_own() {
    for (i, case) in MAPS.iter().enumerate() {
        let [(x, in_zero), (slope, slope_zero), (y, out_zero)] = case.quants;
        let [wide_x, wide_slope, wide_y] = [x, slope, y].map(f64::from);
        let keep = factor(wide_x / wide_y);
        let mut got = [0i8; LEN];
        let elements = got.iter_mut().zip(case.x).zip(case.slopes);
        match case.name {
            "Requantize" => {
                let params = requantize::Params { in_zero, out_zero, factor: keep };
                elements.for_each(|((y, x), _)| *y = requantize::requantize(&params, x));
            }
            "Prelu" => {
                let leak = factor(wide_x * wide_slope / wide_y);
                let params = prelu::ParamsI8 { in_zero, slope_zero, out_zero, keep, leak };
                elements.for_each(|((y, x), slope)| *y = prelu::prelu_i8(&params, x, slope));
            }
            _ => {
                let sign = if slope < 0.0 { -1 } else { 1 };
                let (keep, leak) = (factor((x / y).into()), factor((x * slope / y).abs().into()));
                let params = prelu::LeakyI8 { in_zero, out_zero, sign, keep, leak };
                elements.for_each(|((y, x), _)| *y = prelu::leaky_i8(&params, x));
            }
        }
        assert_eq!(got, case.y, "{}, case {i}", case.name);
    }
}

#[test]
fn reductions() {
    for (i, case) in REDUCTIONS.iter().enumerate() {
        let [(x, in_zero), (y, out_zero)] = case.quants;
        let params = reduce::ParamsI8 {
            kind: case.kind as u32,
            axes: case.axes,
            in_zero,
            out_zero,
            factor: factor(f64::from(x) / f64::from(y)),
        };
        let plan = reduce::Plan::new(Ty { dtype: DType::I8, dims: &[6, 4] }, case.axes);
        let mut got = vec![0; case.y.len()];
        reduce::run(&params, &plan, 0..got.len(), &case.x, &mut got);
        assert_eq!(got, case.y, "{:?}, case {i}", case.kind);
    }
}

const SUMS: [Sum; 6] = [
    Sum {
        kind: Kind::Add,
        quants: [(0.00648, -65), (0.05516, -53), (0.0286, -93)],
        a: [-128, 127, -18, 31, -6, -61, -88, 49, 60, -120, -99, -13, -28, 99, 4, -21],
        b: [112, -54, 94, 50, 38, 38, -47, -56, 73, 116, 65, 60, -84, 22, 127, -128],
        y: [127, -51, 127, 127, 96, 83, -87, -73, 127, 127, 127, 127, -128, 89, 127, -128],
    },
    Sum {
        kind: Kind::Add,
        quants: [(0.09236, -100), (0.01224, -73), (0.0723, -38)],
        a: [-128, 127, -66, -8, -80, 69, -7, -121, -63, 52, 5, -33, -64, -105, 27, 41],
        b: [84, -29, -73, 39, 56, -54, 61, -4, -52, -65, 33, 27, -75, 109, 127, -128],
        y: [-47, 127, 5, 98, 9, 127, 103, -53, 13, 127, 114, 65, 8, -14, 127, 127],
    },
    Sum {
        kind: Kind::Sub,
        quants: [(0.03589, -100), (0.05836, 36), (0.0181, 91)],
        a: [-128, 127, 96, -30, -102, 23, 89, 40, -28, 102, -6, -30, -91, -74, 50, 76],
        b: [-117, -82, 76, -78, 110, 28, -95, -26, -27, 15, 6, -58, -91, 95, 127, -128],
        y: [127, 127, 127, 127, -128, 127, 127, 127, 127, 127, 127, 127, 127, -48, 95, 127],
    },
    Sum {
        kind: Kind::Sub,
        quants: [(0.04763, 49), (0.02736, 88), (0.0093, 84)],
        a: [-128, 127, 22, -85, 98, 118, 120, 31, 121, 27, 0, 120, 26, 73, -42, 74],
        b: [-53, -111, -96, -2, 91, 32, -74, 55, -79, -60, -107, -115, -34, 9, 127, -128],
        y: [-128, 127, 127, -128, 127, 127, 127, 89, 127, 127, 127, 127, 127, 127, -128, 127],
    },
    Sum {
        kind: Kind::SquaredDifference,
        quants: [(0.02191, -39), (0.09012, 69), (1.2522, -95)],
        a: [-128, 127, 11, 113, 52, 81, -115, -53, 46, 34, -34, -88, 22, -106, 43, 77],
        b: [58, 9, 119, -5, 108, -96, 30, -2, -119, -78, 46, 14, -51, 5, 127, -128],
        y: [-94, -30, -86, -15, -93, 127, -92, -65, 127, 81, -91, -83, 23, -80, -86, 127],
    },
    Sum {
        kind: Kind::SquaredDifference,
        quants: [(0.01628, 54), (0.00531, 23), (0.2778, 5)],
        a: [-128, 127, 47, -29, 116, -31, -50, 104, -107, -28, -122, -39, 57, -39, -2, -5],
        b: [62, 85, 87, -116, 114, -126, 62, 59, 16, 90, 107, -110, 11, -52, 127, -128],
        y: [41, 8, 6, 6, 6, 6, 18, 6, 29, 15, 44, 7, 5, 9, 13, 5],
    },
];

const PRODUCTS: [Sum; 2] = [
    Sum {
        kind: Kind::Mul,
        quants: [(0.05716, 92), (0.01071, 64), (0.02121, 73)],
        a: [-128, 127, -61, -3, 18, -11, -47, 12, 30, -86, 21, 52, -102, 30, -15, 110],
        b: [-78, -43, -86, 42, 97, -25, 17, 3, -41, -85, -101, -106, 94, 52, 127, -128],
        y: [127, -35, 127, 127, 3, 127, 127, 127, 127, 127, 127, 127, -95, 94, -122, -27],
    },
    Sum {
        kind: Kind::Mul,
        quants: [(0.08155, -61), (0.0104, 66), (0.01158, -71)],
        a: [-128, 127, -57, -71, 32, 9, 40, 111, 111, -96, 74, -22, 81, 43, -114, 98],
        b: [68, 97, -84, -122, 22, 92, -115, -68, 97, -104, 9, 33, -92, -113, 127, -128],
        y: [-81, 127, -115, 67, -128, 62, -128, -128, 127, 127, -128, -128, -128, -128, -128, -128],
    },
];

const MAPS: [Map; 6] = [
    Map {
        name: "Requantize",
        quants: [(0.08297, -40), (0.0, 0), (0.00607, -77)],
        x: [-128, 127, 88, 36, -68, -96, 43, 60, -25, -94, -61, 124, 52, 16, -50, 92],
        slopes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        y: [-128, 127, 127, 127, -128, -128, 127, 127, 127, -128, -128, 127, 127, 127, -128, 127],
    },
    Map {
        name: "Requantize",
        quants: [(0.09, 12), (0.0, 0), (0.05009, -32)],
        x: [-128, 127, -81, 15, -10, 41, 86, 96, 78, 46, -12, 12, -83, 15, 3, 42],
        slopes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        y: [-128, 127, -128, -27, -72, 20, 101, 119, 87, 29, -75, -32, -128, -27, -48, 22],
    },
    Map {
        name: "Prelu",
        quants: [(0.03404, -22), (0.00538, 28), (0.01457, -62)],
        x: [-128, 127, -109, -52, 93, 102, 96, -99, 118, -22, -94, 54, -99, -119, 100, -99],
        slopes: [-128, 127, -59, -57, -31, 67, 40, -51, -87, -18, -4, -21, 40, -102, 56, 10],
        y: [127, 127, 33, -30, 127, 127, 127, 14, 127, -62, -33, 116, -74, 97, 127, -45],
    },
    Map {
        name: "Prelu",
        quants: [(0.05678, -98), (0.00613, 15), (0.02698, -13)],
        x: [-128, 127, -101, 99, -12, -74, 127, 10, -45, -85, -126, 29, 30, 102, 121, 97],
        slopes: [-128, 127, 23, 31, -75, 100, 112, -77, 36, -22, 14, 54, 0, 60, -60, -13],
        y: [42, 127, -13, 127, 127, 38, 127, 127, 99, 14, -13, 127, 127, 127, 127, 127],
    },
    Map {
        name: "LeakyRelu",
        quants: [(0.0339, -22), (0.1, 0), (0.03529, 47)],
        x: [-128, 127, 50, -37, 2, 11, -42, -6, -17, -60, 108, 109, -80, -41, -91, -82],
        slopes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        y: [37, 127, 116, 45, 70, 79, 45, 62, 52, 43, 127, 127, 41, 45, 40, 41],
    },
    Map {
        name: "LeakyRelu",
        quants: [(0.00939, 64), (-0.3, 0), (0.05626, -8)],
        x: [-128, 127, -58, 105, -121, -1, -20, 28, 37, 15, -113, -80, 6, 0, -76, 109],
        slopes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        y: [2, 3, -2, -1, 1, -5, -4, -6, -7, -6, 1, -1, -5, -5, -1, 0],
    },
];

const REDUCTIONS: [Reduction; 4] = [
    Reduction {
        kind: reduce::Kind::Mean,
        axes: 2,
        quants: [(0.02379, 40), (0.02306, -24)],
        x: [
            -128, 127, 90, 63, 54, -112, -108, -74, -41, 94, -108, -2, 117, 40, 60, 71, -30, 34,
            -97, 59, -67, 11, 50, -70,
        ],
        y: &[-26, -127, -80, 9, -74, -85],
    },
    Reduction {
        kind: reduce::Kind::Mean,
        axes: 3,
        quants: [(0.00877, 36), (0.00517, 98)],
        x: [
            -128, 127, -88, 97, 113, -69, 75, -116, 58, -26, -92, -44, 90, -10, 40, -19, -84, 113,
            -98, -98, -22, 113, 3, -117,
        ],
        y: &[24],
    },
    Reduction {
        kind: reduce::Kind::Sum,
        axes: 1,
        quants: [(0.08312, 2), (0.04418, -34)],
        x: [
            -128, 127, 121, -14, -33, 45, -119, 32, -53, 78, -33, -89, -10, -26, 33, 29, -122,
            -121, -14, 85, 48, -22, 47, -66,
        ],
        y: &[-128, 96, 9, -100],
    },
    Reduction {
        kind: reduce::Kind::Sum,
        axes: 2,
        quants: [(0.00975, -29), (0.00578, 30)],
        x: [
            -128, 127, -32, -51, -62, -62, -69, 59, -21, 23, -16, 103, 23, 51, 120, -53, -13, -45,
            -69, -97, -3, -66, -117, 26,
        ],
        y: &[84, 0, 127, 127, -128, -44],
    },
];
