//! Cases of `cast_small`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let to = |name, to, x| {
        let rounding = "up".to_owned();
        case(name, CastSmall { to, saturate: true, rounding }, [x])
    };
    suite(
        EXACT,
        |_: &CastSmall, x| x[0].map(f64::trunc),
        [
            to("f32 to i4", DType::I4, reals(&[3, 5], -7.9, 7.9).open(0)),
            to("f32 to u4", DType::U4, reals(&[40], 0.0, 15.9)),
            to("i4 to f32", DType::F32, ints(DType::I4, &[2, 8], -8, 7)),
            to("u2 to f32", DType::F32, ints(DType::U2, &[9], 0, 3)),
            to("nothing", DType::F32, ints(DType::I4, &[0, 2], 0, 1)),
        ],
    )
}
