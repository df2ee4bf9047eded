//! Cases of `bitwise_not`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let of = |name, dtype, low, high| case(name, BitwiseNot {}, [ints(dtype, &[3, 5], low, high).open(0)]);
    suite(
        EXACT,
        reference,
        [
            of("i32", DType::I32, -99, 99),
            of("i64", DType::I64, -99, 99),
            of("i8", DType::I8, -128, 127),
            of("u8", DType::U8, 0, 255),
            of("u16", DType::U16, 0, 65535),
            of("u32", DType::U32, 0, u32::MAX.into()),
            of("i16", DType::I16, -32768, 32767),
            case("nothing", BitwiseNot {}, [ints(DType::I32, &[2, 0], 0, 1)]),
        ],
    )
}

fn reference(_: &BitwiseNot, x: &[Array]) -> Array {
    let last = match x[0].dtype {
        DType::U8 => u8::MAX.into(),
        DType::U16 => u16::MAX.into(),
        DType::U32 => u32::MAX.into(),
        _ => -1.0,
    };
    x[0].map(|x| last - x)
}
