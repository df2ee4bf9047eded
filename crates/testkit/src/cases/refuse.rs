//! Cases of `refuse`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |dims: &[&[i64]]| Refuse {
        dtypes: vec![DType::F32; dims.len()],
        dims: dims.iter().map(|dims| dims.iter().copied().map(Dim::Known).collect()).collect(),
    };
    let nothing: [Input; 0] = [];
    suite(
        EXACT,
        |_: &Refuse, _: &[Array]| Vec::<Array>::new(),
        [
            case("one result", op(&[&[2, 3]]), nothing.clone()).fails(),
            case("two results", op(&[&[], &[0]]), nothing).fails(),
        ],
    )
}
