//! Cases of `add`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let mut cases = pairs(&Add {});
    cases.extend(int_pairs(&Add {}, -40, 40));
    cases.extend(int_pairs(&Add {}, 0, 99));
    for dtype in [DType::F64, DType::U64] {
        let x = |dims: &[usize]| ints(dtype, dims, 0, 1 << 40);
        cases.push(case("wide types", Add {}, [x(&[3, 5]).open(0), x(&[5])]));
    }
    cases.extend([
        case("quantized", Add {}, [i8s(&[2, 3, 4], 0.02, 7), i8s(&[2, 3, 4], 0.05, -30)])
            .yields(0.06, 3),
        case("16 bits", Add {}, [i16s(&[2, 3, 4], 0.001), i16s(&[3, 4], 0.0005)]).yields(0.002, 0),
        case("quantized rows", Add {}, [i8s(&[3, 5], 0.1, -128).open(0), i8s(&[5], 0.1, 0)])
            .yields(0.15, -20),
    ]);
    suite(rounded(1), |_, x| elementwise(x, |x| x[0] + x[1]), cases)
}
