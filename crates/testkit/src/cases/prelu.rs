//! Cases of `prelu`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let slopes = |dims: &[usize]| f32s(dims).constant();
    suite(
        rounded(1),
        |_: &Prelu, x| elementwise(x, |x| if x[0] < 0.0 { x[0] * x[1] } else { x[0] }),
        [
            case("one for each channel", Prelu {}, [f32s(&[3, 2, 2, 4]).open(0), slopes(&[4])]),
            case("one for each of axis 1", Prelu {}, [f32s(&[2, 3, 2, 2]), slopes(&[3, 1, 1])]),
            case("one", Prelu {}, [f32s(&[2, 3]), slopes(&[1])]),
            case("fed", Prelu {}, [f32s(&[2, 3]), f32s(&[2, 3])]),
            case("nothing", Prelu {}, [f32s(&[0, 3]), slopes(&[3])]),
            case(
                "quantized",
                Prelu {},
                [i8s(&[2, 3, 3, 4], 0.03, 5), i8s(&[4], 0.004, -9).constant()],
            )
            .yields(0.03, -10),
            case(
                "16 bits",
                Prelu {},
                [i16s(&[2, 3, 3, 4], 0.001), i8s(&[4], 0.004, -9).constant()],
            )
            .yields(0.001, 0),
        ],
    )
}
