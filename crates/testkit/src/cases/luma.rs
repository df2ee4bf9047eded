//! Cases of `luma`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let colours = |dims: &[usize]| ints(DType::U8, dims, 0, 255);
    suite(
        EXACT,
        |_: &Luma, x: &[Array]| {
            let dims = [&x[0].dims[..x[0].dims.len() - 1], &[1]].concat();
            x[0].like(&dims, |at| {
                let at = &at[..at.len() - 1];
                let weigh = |c: usize, weight: f64| x[0].at(&[at, &[c]].concat()) * weight;
                // Pillow's weights, in units of 2^-16.
                let sum = weigh(0, 19595.0) + weigh(1, 38470.0) + weigh(2, 7471.0);
                ((sum + 32768.0) / 65536.0).floor()
            })
        },
        [
            case("picture", Luma {}, [colours(&[3, 4, 5, 3]).open(0)]),
            case("row", Luma {}, [colours(&[9, 3])]),
            case("nothing", Luma {}, [colours(&[0, 4, 3])]),
        ],
    )
}
