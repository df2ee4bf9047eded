//! Cases of `clip`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let relu = Clip { min: 0.0, max: f32::INFINITY };
    let relu6 = Clip { min: 0.0, max: 6.0 };
    let below = Clip { min: f32::NEG_INFINITY, max: 2.5 };
    let x = |dims: &[usize]| reals(dims, -8.0, 8.0);
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    suite(
        EXACT,
        reference,
        [
            case("relu", relu.clone(), [x(&[3, 4]).open(0)]),
            case("relu6", relu6.clone(), [x(&[2, 3, 3, 5])]),
            case("from above", below.clone(), [x(&[1, 2, 1, 2, 1, 2])]),
            case("a number", relu6.clone(), [x(&[])]),
            case("special numbers", relu6.clone(), [values(DType::F32, &[4], &special)]),
            case("i32", below, [ints(DType::I32, &[9], -9, 9)]),
            case("i64", Clip { min: -2.5, max: 3.5 }, [ints(DType::I64, &[9], -9, 9)]),
            case("i16", relu6.clone(), [ints(DType::I16, &[9], -9, 9)]),
            case("u8", relu6.clone(), [ints(DType::U8, &[9], 0, 9)]),
            case("quantized", relu6, [i8s(&[2, 5, 3], 0.0625, -20)]).yields(0.0625, -20),
            case("into another quantization", relu, [i8s(&[2, 5, 3], 0.06, -20)])
                .yields(0.04, -128)
                .within(rounded(0)),
            case("nothing", Clip { min: -1.0, max: 1.0 }, [x(&[3, 0])]),
        ],
    )
}

fn reference(op: &Clip, x: &[Array]) -> Array {
    let whole = x[0].dtype.is_int();
    x[0].map(|x| {
        let (min, max) = (f64::from(op.min), f64::from(op.max));
        let (min, max) = if whole { (min.ceil(), max.floor()) } else { (min, max) };
        if x.is_nan() { x } else { x.max(min).min(max) }
    })
}
