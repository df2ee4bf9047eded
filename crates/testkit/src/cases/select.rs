//! Cases of `select`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    suite(
        EXACT,
        |_: &Select, x| elementwise(x, |x| if x[0] != 0.0 { x[1] } else { x[2] }),
        [
            case(
                "same dimensions",
                Select {},
                [bools(&[3, 4]).open(0), f32s(&[3, 4]).open(0), f32s(&[3, 4]).open(0)],
            ),
            case("all broadcast", Select {}, [bools(&[2, 1, 3]), f32s(&[4, 1]), f32s(&[3])]),
            case(
                "numbers",
                Select {},
                [bools(&[5]), ints(DType::I64, &[], -9, 9), ints(DType::I64, &[5], -9, 9)],
            ),
            case("one truth", Select {}, [bools(&[]), f32s(&[2, 3]), f32s(&[2, 3])]),
            case("nothing", Select {}, [bools(&[0, 3]), f32s(&[3]), f32s(&[1, 3])]),
            case(
                "quantized",
                Select {},
                [bools(&[2, 3]), i8s(&[2, 3], 0.1, 4), i8s(&[2, 3], 0.1, 4)],
            ),
        ],
    )
}
