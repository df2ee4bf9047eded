//! Cases of `cast`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let to = |name, to, x| case(name, Cast { to }, [x]);
    let truth = [0.0, -0.0, 0.5, -1.0, f64::NAN];
    suite(
        EXACT,
        reference,
        [
            to("f32 to i32", DType::I32, reals(&[3, 5], -9.0, 9.0).open(0)),
            to("f32 to i64", DType::I64, reals(&[2, 1, 2, 1, 2], -9.0, 9.0)),
            to("f32 to u8", DType::U8, reals(&[7], 0.0, 255.0)),
            to("f32 to bool", DType::Bool, values(DType::F32, &[5], &truth)),
            to("i64 to f32", DType::F32, ints(DType::I64, &[4], -(1 << 24), 1 << 24)),
            to("i64 to i32", DType::I32, ints(DType::I64, &[2, 3], -99, 99)),
            to("u8 to i16", DType::I16, ints(DType::U8, &[9], 0, 255)),
            to("i8 to f32", DType::F32, ints(DType::I8, &[9], -128, 127)),
            to("bool to f32", DType::F32, bools(&[2, 3])),
            to("bool to i64", DType::I64, bools(&[])),
            to("i32 to bool", DType::Bool, ints(DType::I32, &[9], -1, 1)),
            to("nothing", DType::F32, ints(DType::I32, &[0, 2], 0, 1)),
        ],
    )
}

fn reference(op: &Cast, x: &[Array]) -> Array {
    x[0].map(|x| match op.to {
        DType::Bool => f64::from(x != 0.0),
        DType::F32 => x,
        _ => x.trunc(),
    })
}
