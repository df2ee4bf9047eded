//! Cases of `softmax`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |axis| Softmax { axis, beta: 1.0 };
    let huge = [1e30, -1e30, 1e30, f64::NEG_INFINITY, 0.0, 0.0];
    let x = |dims: &[usize]| reals(dims, -4.0, 4.0);
    suite(
        rounded(32),
        reference,
        [
            case("rows", op(1), [x(&[3, 10]).open(0)]),
            case("another axis", op(1), [x(&[2, 5, 3])]),
            case("first axis", op(0), [x(&[4, 2])]),
            case("with a factor", Softmax { axis: 1, beta: 0.5 }, [x(&[2, 6])]),
            case("far apart", op(1), [values(DType::F32, &[2, 3], &huge)]),
            case("one element", op(1), [x(&[3, 1])]),
            case("nothing", op(1), [x(&[0, 3])]),
            // Tables of 513 points.
            case("16 bits", op(1), [i16s(&[3, 10], 0.0002)])
                .yields(1.0 / 32768.0, 0)
                .within(Tolerance { units: 0.0, steps: 16.0, term: 0.0 }),
            case("quantized", op(1), [i8s(&[3, 10], 0.1, 4)]).yields(1.0 / 256.0, -128),
        ],
    )
}

fn reference(op: &Softmax, x: &[Array]) -> Array {
    x[0].rows(op.axis, |row| {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = row.iter().map(|x| (f64::from(op.beta) * (x - max)).exp()).collect();
        powers.iter().map(|x| x / powers.iter().sum::<f64>()).collect()
    })
}
