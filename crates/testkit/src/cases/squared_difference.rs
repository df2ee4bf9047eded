//! Cases of `squared_difference`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let mut cases = pairs(&SquaredDifference {});
    cases.extend(int_pairs(&SquaredDifference {}, -5, 5));
    let x = [i8s(&[2, 3, 4], 0.02, 7), i8s(&[2, 3, 4], 0.03, -30)];
    cases.push(case("quantized", SquaredDifference {}, x).yields(0.2, -128));
    suite(rounded(3), |_, x| elementwise(x, |x| (x[0] - x[1]) * (x[0] - x[1])), cases)
}
