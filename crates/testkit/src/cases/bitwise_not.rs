//! Cases of `bitwise_not`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let of = |name, dtype, low, high| case(name, BitwiseNot {}, [ints(dtype, &[3, 5], low, high).open(0)]);
    suite(
        EXACT,
        |_: &BitwiseNot, x| x[0].map(|y| if x[0].dtype == DType::U8 { 255.0 - y } else { -1.0 - y }),
        [
            of("i32", DType::I32, -99, 99),
            of("i64", DType::I64, -99, 99),
            of("i8", DType::I8, -128, 127),
            of("u8", DType::U8, 0, 255),
            of("i16", DType::I16, -32768, 32767),
            case("nothing", BitwiseNot {}, [ints(DType::I32, &[2, 0], 0, 1)]),
        ],
    )
}
