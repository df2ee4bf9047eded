//! Cases of `maximum`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let mut cases = pairs(&Maximum {});
    cases.extend(int_pairs(&Maximum {}, -100, 100));
    cases.extend(int_pairs(&Maximum {}, 0, 255));
    let nan = values(DType::F32, &[3], &[f64::NAN, 1.0, f64::NEG_INFINITY]);
    cases.extend([
        case("NaN wins", Maximum {}, [nan, values(DType::F32, &[3], &[0.0, f64::NAN, 2.0])]),
        case("one quantization", Maximum {}, [i8s(&[2, 3], 0.1, 4), i8s(&[3], 0.1, 4)])
            .yields(0.1, 4),
    ]);
    suite(EXACT, |_, x| elementwise(x, larger), cases)
}

fn larger(x: &[f64]) -> f64 {
    if x[0].is_nan() || x[1].is_nan() { f64::NAN } else { x[0].max(x[1]) }
}
