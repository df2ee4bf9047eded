//! Cases of `bit_cast`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let to = |name, to, x| case(name, BitCast { to }, [x]);
    suite(
        EXACT,
        |op: &BitCast, x| {
            let from = x[0].dtype;
            let to = op.to;
            x[0].map(move |x| match (from, to) {
                (DType::F32, _) => f64::from((x as f32).to_bits().cast_signed()),
                (DType::I32, DType::F32) => f32::from_bits((x as i32).cast_unsigned()).into(),
                (DType::I8, _) => f64::from((x as i8).cast_unsigned()),
                _ => x,
            })
        },
        [
            to("f32 to i32", DType::I32, reals(&[3, 5], -9.0, 9.0).open(0)),
            to("i32 to f32", DType::F32, ints(DType::I32, &[2, 3], 1 << 29, 1 << 30)),
            to("i8 to u8", DType::U8, ints(DType::I8, &[9], -128, 127)),
            to("nothing", DType::F32, ints(DType::I32, &[0, 2], 0, 1)),
        ],
    )
}
