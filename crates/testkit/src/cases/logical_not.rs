//! Cases of `not`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let cases = [
        case("rows", LogicalNot {}, [bools(&[3, 5]).open(0)]),
        case("one", LogicalNot {}, [bools(&[])]),
        case("none", LogicalNot {}, [bools(&[2, 0])]),
    ];
    suite(EXACT, |_, x| x[0].map(|x| 1.0 - x), cases)
}
