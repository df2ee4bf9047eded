//! Cases of `leaky_relu`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |alpha| LeakyRelu { alpha };
    suite(
        rounded(1),
        |op: &LeakyRelu, x| x[0].map(|x| if x < 0.0 { f64::from(op.alpha) * x } else { x }),
        [
            case("rows", op(0.1), [f32s(&[3, 4]).open(0)]),
            case("rising to the left", op(-0.5), [f32s(&[2, 3, 2])]),
            case("nothing", op(0.1), [f32s(&[0])]),
            case("quantized", op(0.2), [i8s(&[2, 9, 3], 0.03, 5)]).yields(0.02, -40),
            case("16 bits", op(-0.2), [i16s(&[2, 9, 3], 0.001)]).yields(0.002, 0),
            case("quantized, rising to the left", op(-0.2), [i8s(&[2, 9, 3], 0.03, 5)])
                .yields(0.02, -40),
        ],
    )
}
