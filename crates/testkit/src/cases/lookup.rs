//! Cases of `lookup`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let entries = (0..256).map(|i| format!("{:02x}", i * 7 % 256));
    let op: Lookup = payload(&[("table", Attr::Word(entries.collect()))]);
    let x = |dims: &[usize]| ints(DType::I8, dims, -128, 127);
    suite(
        EXACT,
        |_, x: &[Array]| x[0].map(|x| f64::from(((x as i32 + 128) * 7 % 256) as u8 as i8)),
        [
            case("every entry", op.clone(), [values(DType::I8, &[256], &all())]),
            case("an open axis", op.clone(), [x(&[3, 4, 5]).open(1)]),
            case("nothing", op, [x(&[2, 0])]),
        ],
    )
}

fn all() -> Vec<f64> {
    (-128..128).map(f64::from).collect()
}
