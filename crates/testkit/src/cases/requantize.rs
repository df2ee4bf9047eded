//! Cases of `requantize`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |to| Requantize { to, rule: "tflite".to_owned() };
    let onnx = |to| Requantize { to, rule: "onnx".to_owned() };
    let i16s = || ints(DType::I16, &[40], -32768, 32767).quant(Quant::per_tensor(0.001, 0));
    let u8s = || ints(DType::U8, &[40], 0, 255).quant(Quant::per_tensor(0.1, 120));
    let ties = || values(DType::F32, &[6], &[0.25, 0.75, 1.25, -0.25, -0.75, 1e9]);
    let i32s = || ints(DType::I32, &[40], -90_000, 90_000).quant(Quant::per_tensor(0.001, 0));
    let between = |name, to, x: Input| case(name, op(to), [x]).within(rounded(0));
    suite(
        EXACT,
        |_: &Requantize, x| same(x),
        [
            case("f32 to i8", op(DType::I8), [f32s(&[3, 4]).open(0)]).yields(0.006, 7),
            case("f32 to u8", onnx(DType::U8), [f32s(&[2, 4])]).yields(0.007, 120),
            case("f32 to i16", op(DType::I16), [f32s(&[5])]).yields(0.0001, 0),
            case("ties, halves away", op(DType::I8), [ties()]).yields(0.5, 3),
            case("ties, halves to even", onnx(DType::I8), [ties()]).yields(0.5, 3),
            case("nothing", op(DType::I8), [f32s(&[2, 0])]).yields(0.1, 0),
            case("i8 to f32", op(DType::F32), [i8s(&[3, 4], 0.1, 5)]).within(rounded(1)),
            case("u8 to f32", onnx(DType::F32), [u8s()]).within(rounded(1)),
            case("i16 to f32", op(DType::F32), [i16s()]).within(rounded(1)),
            case("scales along an axis", onnx(DType::F32), [weights(&[3, 4], 1)])
                .within(rounded(1)),
            case("f32 to i32", op(DType::I32), [f32s(&[5])]).yields(0.0001, 0).within(rounded(0)),
            case("i32 to f32", op(DType::F32), [i32s()]).within(rounded(2)),
            between("i16 to i16", DType::I16, i16s()).yields(0.002, 3),
            between("i16 to i32", DType::I32, i16s()).yields(0.0005, 0),
            between("i32 to i16", DType::I16, i32s()).yields(0.01, 0),
            between("i32 to i8", DType::I8, i32s()).yields(0.8, 5),
            between("i8 to i32", DType::I32, i8s(&[40], 0.1, 5)).yields(0.001, 0),
            between("u8 to u8", DType::U8, u8s()).yields(0.15, 90),
            between("i8 to i8", DType::I8, i8s(&[2, 3, 4], 0.1, 5)).yields(0.15, -3),
            between("u8 to i8", DType::I8, u8s()).yields(0.1, -8),
            between("i8 to u8", DType::U8, i8s(&[40], 0.1, 5)).yields(0.12, 90),
            between("i16 to i8", DType::I8, i16s()).yields(0.2, 1),
            between("i8 to i16", DType::I16, i8s(&[40], 0.1, 5)).yields(0.001, 0),
        ],
    )
}
