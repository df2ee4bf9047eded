//! Cases of `minimum`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let mut cases = pairs(&Minimum {});
    cases.extend(int_pairs(&Minimum {}, -100, 100));
    let nan = values(DType::F32, &[3], &[f64::NAN, 1.0, f64::INFINITY]);
    cases.extend([
        case("NaN wins", Minimum {}, [nan, values(DType::F32, &[3], &[0.0, f64::NAN, 2.0])]),
        case("one quantization", Minimum {}, [i8s(&[2, 3], 0.1, 4), i8s(&[3], 0.1, 4)])
            .yields(0.1, 4),
    ]);
    suite(EXACT, |_, x| elementwise(x, smaller), cases)
}

fn smaller(x: &[f64]) -> f64 {
    if x[0].is_nan() || x[1].is_nan() { f64::NAN } else { x[0].min(x[1]) }
}
