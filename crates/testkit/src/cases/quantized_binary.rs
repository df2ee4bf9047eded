//! Cases of `quantized_binary`.

use super::prelude::*;

pub fn cases() -> Vec<AnyCase> {
    let op = |name: &str| -> QuantizedBinary { payload(&[("function", word(name))]) };
    let (x, y) = (|| i8s(&[2, 3, 4], 0.02, 7), || i8s(&[2, 3, 4], 0.05, -30));
    let divisor = ints(DType::I8, &[2, 3, 4], 1, 9).quant(Quant::per_tensor(0.5, 0));
    suite(
        EXACT,
        |op: &QuantizedBinary, x| {
            let f: fn(f64, f64) -> f64 = match word_of(op, "function").as_str() {
                "add" => |a, b| a + b,
                "sub" => |a, b| a - b,
                "mul" => |a, b| a * b,
                _ => |a, b| a / b,
            };
            elementwise(x, |x| f(x[0], x[1]))
        },
        [
            case("sum", op("add"), [x(), y()]).yields(0.06, 3),
            case("difference", op("sub"), [x(), i8s(&[4], 0.1, 0).constant()]).yields(0.1, -20),
            case("product", op("mul"), [x().open(0), i8s(&[3, 1], 0.05, 1)]).yields(0.05, 0),
            case("quotient", op("div"), [x(), divisor]).yields(0.05, 5),
            case("nothing", op("add"), [i8s(&[0, 2], 0.1, 0), i8s(&[1], 0.1, 0)]).yields(0.1, 0),
        ],
    )
}
