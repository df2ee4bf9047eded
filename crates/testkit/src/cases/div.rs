//! Cases of `div`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let mut cases = pairs(&Div {});
    let by = |dtype| ints(dtype, &[4], 1, 7).constant();
    cases.extend([
        case("i32 toward zero", Div {}, [ints(DType::I32, &[3, 4], -50, 50), by(DType::I32)]),
        case("i64 toward zero", Div {}, [ints(DType::I64, &[3, 4], -50, 50), by(DType::I64)]),
        case("quantized", Div {}, [i8s(&[3, 4], 0.02, 7), ints(DType::I8, &[4], 20, 127).quant(Quant::per_tensor(0.05, -9))])
            .yields(0.02, 3),
        case("16 bits", Div {}, [i16s(&[3, 4], 0.001), ints(DType::I16, &[4], 9000, 32767).quant(Quant::per_tensor(0.001, 0))])
            .yields(0.0002, 0),
        case("by zero", Div {}, [f32s(&[3]), values(DType::F32, &[3], &[0.0, -0.0, 2.0])]),
    ]);
    suite(rounded(1), reference, cases)
}

fn reference(_: &Div, x: &[Array]) -> Array {
    let quotient = elementwise(x, |x| x[0] / x[1]);
    if quotient.dtype.is_int() { quotient.map(f64::trunc) } else { quotient }
}
