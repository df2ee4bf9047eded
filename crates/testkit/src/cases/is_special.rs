//! Cases of `is_special`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |nan, positive, negative| IsSpecial { nan, positive, negative };
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.5, f64::from(f32::MAX)];
    let x = || values(DType::F32, &[2, 3], &special);
    suite(
        EXACT,
        reference,
        [
            case("NaN", op(true, false, false), [x()]),
            case("infinities", op(false, true, true), [x()]),
            case("minus infinity", op(false, false, true), [x()]),
            case("ordinary numbers", op(true, true, true), [f32s(&[3, 2]).open(0)]),
            case("nothing", op(true, false, false), [f32s(&[0])]),
        ],
    )
}

fn reference(op: &IsSpecial, x: &[Array]) -> Array {
    x[0].map(|x| {
        let nan = op.nan && x.is_nan();
        (nan || op.positive && x == f64::INFINITY || op.negative && x == f64::NEG_INFINITY).into()
    })
}
