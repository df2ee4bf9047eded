//! Cases of `mul`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let mut cases = pairs(&Mul {});
    cases.extend(int_pairs(&Mul {}, -11, 11));
    cases.extend(int_pairs(&Mul {}, 0, 15));
    cases.extend([
        case("quantized", Mul {}, [i8s(&[2, 3, 4], 0.02, 7), i8s(&[2, 3, 4], 0.05, -30)])
            .yields(0.06, 3),
        case("16 bits", Mul {}, [i16s(&[2, 3, 4], 0.001), i16s(&[3, 4], 0.0005)]).yields(0.02, 0),
        case("quantized rows", Mul {}, [i8s(&[3, 5], 0.01, -128).open(0), i8s(&[5], 0.01, 0)])
            .yields(0.02, -20),
    ]);
    suite(rounded(1), |_, x| elementwise(x, |x| x[0] * x[1]), cases)
}
