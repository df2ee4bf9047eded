//! Cases of `places`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    suite(
        EXACT,
        |_: &Places, x| {
            let n = x[0].dims[0];
            let holds: Vec<usize> = (0..n).filter(|&i| x[0].at(&[i]) != 0.0).collect();
            vec![
                Array::from_fn(DType::I64, &[n], |at| holds.get(at[0]).map_or(0.0, |&i| i as f64)),
                Array::from_fn(DType::I64, &[], |_| holds.len() as f64),
            ]
        },
        [
            case("some", Places {}, [bools(&[17]).open(0)]),
            case("all", Places {}, [ints(DType::Bool, &[5], 1, 1)]),
            case("nothing", Places {}, [bools(&[0])]),
        ],
    )
}
