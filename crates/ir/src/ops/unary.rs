//! Functions of one number, applied to each element.

use embarca_kernels::{sixteen, unary as kernel};
use embarca_num::{build, fixed};
use kernel::Kind;

use super::elementwise::{self, lower_real_table, lower_table};
use super::prelude::*;
use crate::attr::{Attr, Field};
use crate::spell::Wire;

crate::payload! {
    /// A function of each element.
    pub struct Unary {
        /// Which one.
        pub function: Function,
        /// Its first parameter; 0 when it has none.
        pub a: f32,
        /// Its second parameter; 0 when it has none.
        pub b: f32,
        /// Its third parameter; 0 when it has none.
        pub c: f32,
    }
}

/// A function of one number, as the kernel numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function(pub Kind);

/// Each function's name in graph text, in ONNX and in TFLite (empty where it has none).
const FUNCTIONS: &[(Kind, &str, &str, &str)] = &[
    (Kind::Abs, "abs", "Abs", "ABS"),
    (Kind::Neg, "neg", "Neg", "NEG"),
    (Kind::Exp, "exp", "Exp", "EXP"),
    (Kind::Log, "log", "Log", "LOG"),
    (Kind::Sqrt, "sqrt", "Sqrt", "SQRT"),
    (Kind::Rsqrt, "rsqrt", "", "RSQRT"),
    (Kind::Reciprocal, "reciprocal", "Reciprocal", ""),
    (Kind::Floor, "floor", "Floor", "FLOOR"),
    (Kind::Ceil, "ceil", "Ceil", "CEIL"),
    (Kind::Round, "round", "Round", "ROUND"),
    (Kind::Sign, "sign", "Sign", "SIGN"),
    (Kind::Sin, "sin", "Sin", "SIN"),
    (Kind::Cos, "cos", "Cos", "COS"),
    (Kind::Tan, "tan", "Tan", ""),
    (Kind::Asin, "asin", "Asin", ""),
    (Kind::Acos, "acos", "Acos", ""),
    (Kind::Atan, "atan", "Atan", ""),
    (Kind::Sinh, "sinh", "Sinh", ""),
    (Kind::Cosh, "cosh", "Cosh", ""),
    (Kind::Asinh, "asinh", "Asinh", ""),
    (Kind::Acosh, "acosh", "Acosh", ""),
    (Kind::Atanh, "atanh", "Atanh", ""),
    (Kind::Tanh, "tanh", "Tanh", "TANH"),
    (Kind::Sigmoid, "sigmoid", "Sigmoid", "LOGISTIC"),
    (Kind::Erf, "erf", "Erf", ""),
    (Kind::Softplus, "softplus", "Softplus", ""),
    (Kind::Softsign, "softsign", "Softsign", ""),
    (Kind::Silu, "silu", "Swish", ""),
    (Kind::HardSwish, "hard_swish", "HardSwish", "HARD_SWISH"),
    (Kind::HardSigmoid, "hard_sigmoid", "HardSigmoid", ""),
    (Kind::GeluTanh, "gelu_tanh", "", ""),
    (Kind::Gelu, "gelu", "Gelu", "GELU"),
    (Kind::Elu, "elu", "Elu", "ELU"),
    (Kind::Selu, "selu", "Selu", ""),
    (Kind::Celu, "celu", "Celu", ""),
    (Kind::Mish, "mish", "Mish", ""),
    (Kind::Square, "square", "", "SQUARE"),
    (Kind::ThresholdedRelu, "thresholded_relu", "ThresholdedRelu", ""),
    (Kind::Trunc, "trunc", "", ""),
    (Kind::RoundAway, "round_away", "", ""),
    (Kind::Expm1, "expm1", "", ""),
    (Kind::Log1p, "log1p", "", ""),
    (Kind::Shrink, "shrink", "Shrink", ""),
    (Kind::Power, "power", "", ""),
    (Kind::HardSwishScaled, "hard_swish_scaled", "", ""),
];

impl Function {
    fn name(self) -> &'static str {
        let entry = FUNCTIONS.iter().find(|(kind, ..)| *kind == self.0);
        entry.map_or("abs", |(_, name, ..)| name)
    }
}

impl Field for Function {
    fn write(&self) -> Attr {
        Attr::Word(self.name().to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        FUNCTIONS.iter().find(|(_, name, ..)| name == word).map(|(kind, ..)| Self(*kind))
    }
}

impl Unary {
    /// A function without parameters.
    pub fn plain(kind: Kind) -> Self {
        Self::with(kind, 0.0, 0.0)
    }

    /// `(shift + scale * x)^exponent`
    pub fn power(shift: f32, scale: f32, exponent: f32) -> Self {
        Self { function: Function(Kind::Power), a: shift, b: scale, c: exponent }
    }

    /// A function of two parameters.
    pub fn with(kind: Kind, a: f32, b: f32) -> Self {
        Self { function: Function(kind), a, b, c: 0.0 }
    }
}

impl OpDef for Unary {
    const NAME: &'static str = "unary";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Abs", 6),
        Spelling::onnx("Acos", 7),
        Spelling::onnx("Acosh", 9),
        Spelling::onnx("Asin", 7),
        Spelling::onnx("Asinh", 9),
        Spelling::onnx("Atan", 7),
        Spelling::onnx("Atanh", 9),
        Spelling::onnx("Ceil", 6),
        Spelling::onnx("Celu", 12),
        Spelling::onnx("Cos", 7),
        Spelling::onnx("Cosh", 9),
        Spelling::onnx("Elu", 6),
        Spelling::onnx("Erf", 9),
        Spelling::onnx("Exp", 6),
        Spelling::onnx("Floor", 6),
        Spelling::onnx("Gelu", 20),
        Spelling::onnx("HardSigmoid", 6),
        Spelling::onnx("HardSwish", 14),
        Spelling::onnx("Log", 6),
        Spelling::onnx("Mish", 18),
        Spelling::onnx("Neg", 6),
        Spelling::onnx("Reciprocal", 6),
        Spelling::onnx("Round", 11),
        Spelling::onnx("Selu", 6),
        Spelling::onnx("Shrink", 9),
        Spelling::onnx("Sigmoid", 6),
        Spelling::onnx("Sign", 9),
        Spelling::onnx("Sin", 7),
        Spelling::onnx("Sinh", 9),
        Spelling::onnx("Softplus", 1),
        Spelling::onnx("Softsign", 1),
        Spelling::onnx("Sqrt", 6),
        Spelling::onnx("Swish", 24),
        Spelling::onnx("Tan", 7),
        Spelling::onnx("Tanh", 6),
        Spelling::onnx("ThresholdedRelu", 10),
        Spelling::tflite("ABS"),
        Spelling::tflite("CEIL"),
        Spelling::tflite("COS"),
        Spelling::tflite("ELU"),
        Spelling::tflite("EXP"),
        Spelling::tflite("FLOOR"),
        Spelling::tflite("GELU"),
        Spelling::tflite("HARD_SWISH"),
        Spelling::tflite("LOG"),
        Spelling::tflite("LOGISTIC"),
        Spelling::tflite("NEG"),
        Spelling::tflite("ROUND"),
        Spelling::tflite("RSQRT"),
        Spelling::tflite("SIGN"),
        Spelling::tflite("SIN"),
        Spelling::tflite("SQRT"),
        Spelling::tflite("SQUARE"),
        Spelling::tflite("TANH"),
        Spelling::caffe("AbsVal"),
        Spelling::caffe("BNLL"),
        Spelling::caffe("ELU"),
        Spelling::caffe("Exp"),
        Spelling::caffe("Log"),
        Spelling::caffe("Mish"),
        Spelling::caffe("Power"),
        Spelling::caffe("Sigmoid"),
        Spelling::caffe("Swish"),
        Spelling::caffe("TanH"),
    ];
    const U8_AS_I8: Option<&'static str> =
        Some("works on differences to the zero points; logistic and tanh become LiteRT's tables");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        if node.format == Format::Caffe {
            return import_caffe(node, b, x);
        }
        let entry = FUNCTIONS.iter().find(|(_, _, onnx, tflite)| {
            node.op == if node.format == Format::Onnx { *onnx } else { *tflite }
        });
        let (kind, ..) = entry.ok_or_else(|| ImportError::malformed("is not known"))?;
        if node.was_u8 && matches!(kind, Kind::Sigmoid | Kind::Tanh) {
            return import_table(*kind, node, b, x);
        }
        let op = match kind {
            Kind::Elu if node.format == Format::TfLite => Self::with(*kind, 1.0, 0.0),
            Kind::Elu | Kind::Celu => Self::with(*kind, node.float("alpha", 1.0)?, 0.0),
            Kind::Selu => Self::with(
                *kind,
                node.float("alpha", 1.673_263_2)?,
                node.float("gamma", 1.050_701)?,
            ),
            Kind::HardSigmoid => {
                Self::with(*kind, node.float("alpha", 0.2)?, node.float("beta", 0.5)?)
            }
            // ONNX defines it by a factor of f32 1/6, TFLite by a division.
            Kind::HardSwish if node.format == Format::Onnx => {
                Self::with(Kind::HardSwishScaled, 1.0 / 6.0, 0.5)
            }
            Kind::ThresholdedRelu => Self::with(*kind, node.float("alpha", 1.0)?, 0.0),
            Kind::Shrink => Self::with(*kind, node.float("lambd", 0.5)?, node.float("bias", 0.0)?),
            Kind::Silu => Self::with(*kind, node.float("alpha", 1.0)?, 0.0),
            Kind::Gelu => {
                let tanh = match node.format {
                    Format::Onnx => node.text("approximate", "none")? == "tanh",
                    _ => node.flag("approximate", false)?,
                };
                Self::plain(if tanh { Kind::GeluTanh } else { Kind::Gelu })
            }
            kind => Self::plain(*kind),
        };
        one(b.op(op, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        same_as_input(inputs)
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Some(known) = inputs.optional(0).and_then(|x| x.known) else { return Vec::new() };
        let f = |x: &Dim| match self.function.0 {
            Kind::Neg => Some(Dim::Known(0).sub(x)),
            Kind::Abs => x.known().and_then(i64::checked_abs).map(Dim::Known),
            Kind::Sign => x.known().map(i64::signum).map(Dim::Known),
            Kind::Square => Some(x.mul(x)),
            _ => None,
        };
        vec![known.iter().map(f).collect()]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let (_, _, onnx, tflite) = FUNCTIONS
            .iter()
            .find(|(kind, ..)| *kind == self.function.0)
            .ok_or_else(|| SpellError::Bug("an unknown function".to_owned()))?;
        let x = s.input(0)?;
        if s.is_tflite() {
            return self.spell_tflite(s, x, tflite);
        }
        self.spell_onnx(s, x, onnx)
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if elementwise::is_quantized(io)? {
            return self.lower_quantized(io);
        }
        let kind = self.function.0 as u32;
        let integer = matches!(self.function.0, Kind::Abs | Kind::Neg | Kind::Sign | Kind::Square);
        let kernel = match io.input(0)?.ty.dtype {
            DType::F32 => {
                let Self { a, b, c, .. } = *self;
                let params = kernel::ParamsF32 { kind, a, b, c };
                return Ok(Lowered::plain(&kernel::F32, &params, 1));
            }
            DType::F64 if exists_in_f64(self.function.0) => &kernel::F64,
            DType::I32 if integer => &kernel::I32,
            DType::I64 if integer => &kernel::I64,
            DType::I8 if integer => &kernel::I8,
            DType::I16 if integer => &kernel::I16,
            other => {
                let message = format!("{} of {other}", self.function.name());
                return Err(LowerError::no_kernel(message));
            }
        };
        Ok(Lowered::plain(kernel, &kernel::ParamsInt { kind }, 1))
    }
}

fn exists_in_f64(kind: Kind) -> bool {
    use Kind::*;
    let basic = matches!(kind, Abs | Neg | Exp | Log | Sqrt | Rsqrt | Reciprocal | Sign | Square);
    basic || matches!(kind, Floor | Ceil | Trunc | Sigmoid)
}

impl Unary {
    fn spell_onnx(
        &self,
        s: &mut Speller<'_, '_, '_>,
        x: Wire,
        name: &str,
    ) -> Result<(), SpellError> {
        let Self { a, b, c, function } = *self;
        let ty = s.type_of(x).clone();
        let attrs = match function.0 {
            Kind::Rsqrt => {
                let root = s.step("Sqrt", &[x], Vec::new(), ty);
                return s.emit("Reciprocal", &[Some(root)], Vec::new());
            }
            Kind::Square => return s.emit("Mul", &[Some(x); 2], Vec::new()),
            Kind::Silu => {
                let steep = if a == 1.0 {
                    x
                } else {
                    let a = s.number(a);
                    s.step("Mul", &[x, a], Vec::new(), ty.clone())
                };
                let gate = s.step("Sigmoid", &[steep], Vec::new(), ty);
                return s.emit("Mul", &[Some(x), Some(gate)], Vec::new());
            }
            Kind::GeluTanh => vec![text("approximate", "tanh")],
            Kind::Elu | Kind::Celu | Kind::ThresholdedRelu => vec![float("alpha", a)],
            Kind::Selu => vec![float("alpha", a), float("gamma", b)],
            Kind::HardSigmoid => vec![float("alpha", a), float("beta", b)],
            Kind::Shrink => vec![float("lambd", a), float("bias", b)],
            Kind::Power => {
                let (shift, scale, exponent) = (s.number(a), s.number(b), s.number(c));
                let scaled = s.step("Mul", &[x, scale], Vec::new(), ty.clone());
                let moved = s.step("Add", &[scaled, shift], Vec::new(), ty);
                return s.emit("Pow", &[Some(moved), Some(exponent)], Vec::new());
            }
            _ => Vec::new(),
        };
        let name = match function.0 {
            Kind::GeluTanh => "Gelu",
            Kind::HardSwishScaled if (a, b) == (1.0 / 6.0, 0.5) => "HardSwish",
            _ => name,
        };
        let name = s.named(name, "")?;
        s.emit(name, &[Some(x)], attrs)
    }

    fn spell_tflite(
        &self,
        s: &mut Speller<'_, '_, '_>,
        x: Wire,
        name: &str,
    ) -> Result<(), SpellError> {
        let Self { a, b, c, function } = *self;
        let ty = s.type_of(x).clone();
        let quantized = ty.is_quantized();
        match function.0 {
            Kind::Gelu | Kind::GeluTanh => {
                let attrs = vec![flag("approximate", function.0 == Kind::GeluTanh)];
                return s.emit("GELU", &[Some(x)], attrs);
            }
            Kind::Elu if a == 1.0 => return s.emit("ELU", &[Some(x)], Vec::new()),
            Kind::Elu => {}
            _ if !name.is_empty() => return s.emit(name, &[Some(x)], Vec::new()),
            _ => {}
        }
        if quantized || ty.dtype != DType::F32 {
            let what = function.name();
            return Err(SpellError::none(format!("TFLite has no {what} of {}", ty.dtype)));
        }
        let pair = |s: &mut Speller<'_, '_, '_>, name: &str, x: Wire, y: Wire| {
            let attrs = if matches!(name, "MAXIMUM" | "MINIMUM" | "POW") {
                Vec::new()
            } else {
                vec![no_activation()]
            };
            s.step(name, &[x, y], attrs, ty.clone())
        };
        let one = |s: &mut Speller<'_, '_, '_>, name: &str, x: Wire| {
            s.step(name, &[x], Vec::new(), ty.clone())
        };
        let y = match function.0 {
            Kind::HardSwishScaled if (a, b) == (1.0 / 6.0, 0.5) => one(s, "HARD_SWISH", x),
            Kind::Reciprocal => {
                let unit = s.number(1.0);
                pair(s, "DIV", unit, x)
            }
            Kind::Silu => {
                let a = s.number(a);
                let steep = if self.a == 1.0 { x } else { pair(s, "MUL", x, a) };
                let gate = one(s, "LOGISTIC", steep);
                pair(s, "MUL", x, gate)
            }
            Kind::HardSigmoid => {
                let (slope, shift) = (s.number(a), s.number(b));
                let line = pair(s, "MUL", x, slope);
                let line = pair(s, "ADD", line, shift);
                let (low, high) = (s.number(0.0), s.number(1.0));
                let line = pair(s, "MAXIMUM", line, low);
                pair(s, "MINIMUM", line, high)
            }
            Kind::Softplus | Kind::Mish => {
                // max(x, 0) + ln(1 + e^-|x|) does not overflow.
                let (zero, unit) = (s.number(0.0), s.number(1.0));
                let size = one(s, "ABS", x);
                let below = one(s, "NEG", size);
                let power = one(s, "EXP", below);
                // ln(1 + p) is ln(w) * p / (w - 1) for the rounded w, and p where w is 1.
                let rounded = pair(s, "ADD", power, unit);
                let rest = pair(s, "SUB", rounded, unit);
                let log = one(s, "LOG", rounded);
                let log = pair(s, "MUL", log, power);
                let log = pair(s, "DIV", log, rest);
                let truth = TensorType::new(DType::Bool, ty.dims.iter().cloned());
                let tiny = s.step("EQUAL", &[rounded, unit], Vec::new(), truth);
                let small = s.step("SELECT_V2", &[tiny, power, log], Vec::new(), ty.clone());
                let large = pair(s, "MAXIMUM", x, zero);
                let sum = pair(s, "ADD", large, small);
                if function.0 == Kind::Softplus {
                    sum
                } else {
                    let bend = one(s, "TANH", sum);
                    pair(s, "MUL", x, bend)
                }
            }
            Kind::Erf => {
                // The quotient of polynomials of x^2 that Eigen and XLA take for f32, where x is at
                // most 4 away from zero.
                let [low, high] = [-4.0, 4.0].map(|number| s.number(number));
                let x = pair(s, "MAXIMUM", x, low);
                let x = pair(s, "MINIMUM", x, high);
                let square = pair(s, "MUL", x, x);
                let horner = |s: &mut Speller<'_, '_, '_>, factors: &[f32]| {
                    let mut sum = s.number(factors[0]);
                    for &factor in &factors[1..] {
                        let factor = s.number(factor);
                        sum = pair(s, "MUL", sum, square);
                        sum = pair(s, "ADD", sum, factor);
                    }
                    sum
                };
                let above = horner(
                    s,
                    &[
                        -2.726_142_3e-10,
                        2.770_681_4e-8,
                        -2.101_024e-6,
                        -5.692_506_4e-5,
                        -7.349_906_3e-4,
                        -2.954_6e-3,
                        -1.609_603_3e-2,
                    ],
                );
                let below = horner(
                    s,
                    &[
                        -1.456_607_2e-5,
                        -2.133_740_6e-4,
                        -1.682_827e-3,
                        -7.373_329e-3,
                        -1.426_473_9e-2,
                    ],
                );
                let above = pair(s, "MUL", x, above);
                pair(s, "DIV", above, below)
            }
            Kind::Softsign => {
                let unit = s.number(1.0);
                let size = one(s, "ABS", x);
                let below = pair(s, "ADD", size, unit);
                pair(s, "DIV", x, below)
            }
            Kind::Elu | Kind::Selu | Kind::Celu => {
                let (zero, alpha) = (s.number(0.0), s.number(a));
                let large = pair(s, "MAXIMUM", x, zero);
                let small = pair(s, "MINIMUM", x, zero);
                let small = if function.0 == Kind::Celu { pair(s, "DIV", small, alpha) } else { small };
                let small = one(s, "ELU", small);
                let small = pair(s, "MUL", small, alpha);
                let sum = pair(s, "ADD", large, small);
                if function.0 == Kind::Selu {
                    let gamma = s.number(b);
                    pair(s, "MUL", sum, gamma)
                } else {
                    sum
                }
            }
            Kind::Power => {
                let (shift, scale, exponent) = (s.number(a), s.number(b), s.number(c));
                let line = pair(s, "MUL", x, scale);
                let line = pair(s, "ADD", line, shift);
                pair(s, "POW", line, exponent)
            }
            _ => {
                let what = function.name();
                return Err(SpellError::none(format!("TFLite has no {what}")));
            }
        };
        s.give(y)
    }

    /// A table of what TFLM's kernel yields for each input; where TFLM has none, LiteRT's.
    fn lower_quantized(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if elementwise::is_wide(io)? {
            return self.lower_wide(io);
        }
        let ((x_scale, x_zero), (y_scale, y_zero)) = (io.input_quant(0)?, io.output_quant(0)?);
        match self.function.0 {
            Kind::Sigmoid => {
                check_output(io, 1.0 / 256.0, -128)?;
                fixed_point(x_scale, x_zero, |q4| {
                    fixed::round_shift(fixed::logistic::<4>(q4), 23) - 128
                })
            }
            Kind::Tanh => {
                check_output(io, 1.0 / 128.0, 0)?;
                fixed_point(x_scale, x_zero, |q4| fixed::round_shift(fixed::tanh::<5>(q4), 24))
            }
            Kind::Abs => {
                let scaled = x_scale != y_scale;
                let factor = elementwise::factor(f64::from(x_scale / y_scale))?;
                Ok(lower_table(|x| {
                    let value = (i32::from(x) - x_zero).abs();
                    let value = if scaled { factor.apply(value) } else { value };
                    fixed::saturate_i8(value + y_zero)
                }))
            }
            Kind::Sqrt => Ok(lower_table(|x| {
                let real = x_scale * (i32::from(x) - x_zero) as f32;
                let stored = (embarca_num::float::sqrt(real) / y_scale) as i32;
                fixed::saturate_i8(stored.saturating_add(y_zero))
            })),
            Kind::Rsqrt => {
                let factor = rsqrt_factor(x_scale, y_scale)?;
                Ok(lower_table(|x| match i32::from(x) - x_zero {
                    ..=0 => 127,
                    x => {
                        let y = fixed::scaled_inverse_sqrt(x, factor);
                        fixed::saturate_i8(y.saturating_add(y_zero))
                    }
                }))
            }
            Kind::Log => {
                let least = (-128 - y_zero) as f32 * y_scale;
                lower_real_table(io, |x| if x <= 0.0 { Ok(least) } else { self.real(x) })
            }
            Kind::HardSwish => hard_swish((x_scale, x_zero), (y_scale, y_zero)),
            // TFLM computes this one with e^x - 1 in f32.
            Kind::Elu if self.a == 1.0 => lower_real_table(io, |x| {
                Ok(if x < 0.0 { embarca_num::float::exp(x) - 1.0 } else { x })
            }),
            _ => lower_real_table(io, |x| self.real(x)),
        }
    }

    /// The function of one number.
    fn real(&self, x: f32) -> Result<f32, LowerError> {
        let Self { a, b, c, function } = *self;
        let params = kernel::ParamsF32 { kind: function.0 as u32, a, b, c };
        let mut y = [0.0];
        kernel::run_f32(&params, &[x], &mut y)
            .map_err(|fault| LowerError::Bug(fault.describe().to_owned()))?;
        Ok(y[0])
    }

    /// Of 16 bits, as TFLM computes it; where TFLM has no form, by LiteRT's table of points.
    fn lower_wide(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let ((x, _), (y, _)) = (io.input_quant(0)?, io.output_quant(0)?);
        let kind = self.function.0;
        if matches!(kind, Kind::Sigmoid | Kind::Tanh) {
            elementwise::check_centred(io)?;
            if log2(y) != Some(-15) {
                return Err(LowerError::no_kernel("the output's scale is not 1/32768"));
            }
            let tanh = kind == Kind::Tanh;
            let (multiplier, shift) = curve_steps(x, tanh);
            let params = sixteen::ParamsCurve { tanh: tanh.into(), multiplier, shift };
            return Ok(Lowered::plain(&sixteen::CURVE, &params, 1));
        }
        if kind == Kind::Abs {
            elementwise::check_centred(io)?;
            let factor = elementwise::factor(f64::from(x / y))?;
            let params = sixteen::ParamsScale {
                in_zero: 0,
                out_zero: 0,
                keep: factor,
                leak: factor,
                negate: 2,
                act_min: -32768,
                act_max: 32767,
            };
            return Ok(Lowered::plain(&sixteen::SCALE, &params, 1));
        }
        if kind == Kind::Sqrt || kind == Kind::Rsqrt {
            elementwise::check_centred(io)?;
            return if kind == Kind::Sqrt {
                let params = sixteen::ParamsSqrt { x_scale: x, y_scale: y };
                Ok(Lowered::plain(&sixteen::SQRT, &params, 1))
            } else {
                Ok(Lowered::plain(&sixteen::RSQRT, &rsqrt_factor(x, y)?, 1))
            };
        }
        let least = -32768.0 * y;
        let log = kind == Kind::Log;
        lower_real_table(io, |x| if log && x <= 0.0 { Ok(least) } else { self.real(x) })
    }
}

/// `1 / (sqrt(x) * y)` of two scales; root and product are f32 in the reference.
fn rsqrt_factor(x: f32, y: f32) -> Result<fixed::Requant, LowerError> {
    elementwise::factor(1.0 / f64::from(embarca_num::float::sqrt(x) * y))
}

/// The exponent of a power of two, to within a thousandth.
fn log2(scale: f32) -> Option<i32> {
    let log = embarca_num::float::ln(scale) * (1.0 / std::f32::consts::LN_2);
    let near = log.round();
    ((log - near).abs() < 1e-3).then_some(near as i32)
}

/// Multiplier and shift to steps of `1 / (3 * 4096)`, as TFLM prepares them
/// (`micro/kernels/logistic_common.cc`, `tanh.cc`).
fn curve_steps(scale: f32, tanh: bool) -> (i32, u32) {
    match log2(scale) {
        Some(-12) => return (3, 0),
        Some(-11) if tanh => return (6, 0),
        _ => {}
    }
    let (mut multiplier, mut shift) = (f64::from(scale) * 4096.0 * 3.0, 0);
    while multiplier <= 32767.0 / 2.0 && shift <= 30 {
        shift += 1;
        multiplier *= 2.0;
    }
    (multiplier as i32, shift)
}

/// TFLite fixes the output's quantization of functions with a fixed range.
fn check_output(io: &Io<'_>, scale: f32, zero: i32) -> Result<(), LowerError> {
    if io.output_quant(0)? == (scale, zero) {
        return Ok(());
    }
    Err(LowerError::no_kernel(format!("the output's quantization is not {scale} and {zero}")))
}

/// TFLM's int8 logistic and tanh: `f` of the input as Q4, -128 and 127 beyond ±16
/// (`micro/kernels/logistic_common.cc`, `tanh.cc`).
fn fixed_point(scale: f32, zero: i32, f: impl Fn(i32) -> i32) -> Result<Lowered, LowerError> {
    let (fraction, shift) = build::frexp(f64::from(scale) * f64::from(1 << 27));
    let multiplier = build::round_half_away(fraction * 2_147_483_648.0);
    let refused = || LowerError::no_kernel(format!("the input's scale {scale} is out of range"));
    let multiplier = i32::try_from(multiplier).map_err(|_| refused())?;
    let factor = fixed::Requant::new(multiplier, shift).ok_or_else(refused)?;
    if shift < 0 {
        return Err(refused());
    }
    // The largest input that stays below 16 after scaling.
    let radius = (15.0 * f64::from(1 << 27) / f64::from(1 << shift)) as i32;
    Ok(lower_table(|x| {
        let x = i32::from(x) - zero;
        if x <= -radius {
            -128
        } else if radius <= x {
            127
        } else {
            fixed::saturate_i8(f(factor.apply(x)))
        }
    }))
}

/// TFLM's int8 hard swish in 16-bit fixed point (`kernels/internal/reference/hard_swish.h`,
/// `micro/kernels/hard_swish_common.cc`).
fn hard_swish(
    (x_scale, x_zero): (f32, i32),
    (y_scale, y_zero): (f32, i32),
) -> Result<Lowered, LowerError> {
    let fine_scale = x_scale * (1.0 / 128.0);
    let (to_output, output_shift) = factor_16(fine_scale / y_scale)?;
    let (to_unit, unit_shift) = factor_16(fine_scale / (3.0 / 32768.0))?;
    if 0 < output_shift {
        return Err(LowerError::no_kernel("the output's scale is too fine for hard swish"));
    }
    Ok(lower_table(|x| {
        let fine = (i32::from(x) - x_zero) << 7;
        let scaled = doubling_high_mul_16(fine, to_output);
        let mut unit = fine;
        if 0 < unit_shift {
            unit = shift_left_16(unit, unit_shift - 1);
        }
        unit = doubling_high_mul_16(unit, to_unit);
        if 0 < unit_shift {
            unit = shift_left_16(unit, 1);
        } else if unit_shift < 0 {
            unit = fixed::round_shift(unit, unit_shift.unsigned_abs().min(31));
        }
        let unit = (unit + (1 << 15)) >> 1;
        // This product is cut toward zero, which cancels the bias of the rounded ones.
        let product = unit * scaled / (1 << 15);
        let y = fixed::round_shift(product, output_shift.unsigned_abs().min(31));
        fixed::saturate_i8(y + y_zero)
    }))
}

/// A factor with a 16-bit multiplier, as TFLite's `DownScaleInt32ToInt16Multiplier` rounds it.
fn factor_16(real: f32) -> Result<(i32, i32), LowerError> {
    let factor = elementwise::factor(real.into())?;
    let multiplier = factor.multiplier();
    let multiplier =
        if i32::MAX - (1 << 15) <= multiplier { 32767 } else { (multiplier + (1 << 15)) >> 16 };
    Ok((multiplier, factor.shift()))
}

/// gemmlowp's `SaturatingRoundingDoublingHighMul` of 16-bit numbers.
fn doubling_high_mul_16(a: i32, b: i32) -> i32 {
    let product = a * b;
    let nudge = if 0 <= product { 1 << 14 } else { 1 - (1 << 14) };
    ((product + nudge) / (1 << 15)).clamp(-32768, 32767)
}

fn shift_left_16(x: i32, by: i32) -> i32 {
    let wide = i64::from(x) << by.clamp(0, 31);
    wide.clamp(-32768, 32767) as i32
}

/// Logistic and tanh of u8 as LiteRT's reference kernels compute them, by a table of f32 results
/// (`kernels/activations.cc`); the fixed point of [`fixed_point`] is for i8.
fn import_table(
    kind: Kind,
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let quant = |ty: Option<&TensorType>| {
        let single = ty.and_then(|ty| ty.quant.as_ref()?.single());
        single.ok_or_else(|| ImportError::malformed("has no single quantization scale"))
    };
    let f = if kind == Kind::Tanh { embarca_num::float::tanh } else { embarca_num::float::sigmoid };
    let (from, to) = (quant(Some(b.ty(x)))?, quant(node.output_type(0))?);
    let table = elementwise::real_table(from, to, |x| Ok(f(x)));
    let table = table.map_err(|_| ImportError::malformed("cannot be tabulated"))?;
    one(b.op(super::Lookup { table: super::Table(Box::new(table)) }, &[x])?)
}

fn import_caffe(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let op = match node.op {
        "AbsVal" => Unary::plain(Kind::Abs),
        "BNLL" => Unary::plain(Kind::Softplus),
        "Mish" => Unary::plain(Kind::Mish),
        "Sigmoid" => Unary::plain(Kind::Sigmoid),
        "TanH" => Unary::plain(Kind::Tanh),
        "ELU" => Unary::with(Kind::Elu, node.float("alpha", 1.0)?, 0.0),
        "Swish" => Unary::with(Kind::Silu, node.float("beta", 1.0)?, 0.0),
        "Power" => {
            let (shift, scale) = (node.float("shift", 0.0)?, node.float("scale", 1.0)?);
            let power = node.float("power", 1.0)?;
            if power == 1.0 {
                return one(affine(b, x, scale, shift)?);
            }
            Unary::power(shift, scale, power)
        }
        // base^(shift + scale * x), where base -1 stands for e.
        "Exp" => {
            let base = node.float("base", -1.0)?;
            let log = if base == -1.0 { 1.0 } else { base.ln() };
            let (scale, shift) = (node.float("scale", 1.0)?, node.float("shift", 0.0)?);
            let inner = affine(b, x, scale * log, shift * log)?;
            return one(b.op(Unary::plain(Kind::Exp), &[inner])?);
        }
        // log_base(shift + scale * x)
        _ => {
            let base = node.float("base", -1.0)?;
            let (scale, shift) = (node.float("scale", 1.0)?, node.float("shift", 0.0)?);
            let inner = affine(b, x, scale, shift)?;
            let log = b.op(Unary::plain(Kind::Log), &[inner])?;
            let factor = if base == -1.0 { 1.0 } else { 1.0 / base.ln() };
            return one(affine(b, log, factor, 0.0)?);
        }
    };
    one(b.op(op, &[x])?)
}

/// `scale * x + shift`
fn affine(
    b: &mut Builder<'_>,
    mut x: ValueId,
    scale: f32,
    shift: f32,
) -> Result<ValueId, ShapeError> {
    if scale != 1.0 {
        let scale = b.scalar(scale);
        x = b.op(super::Mul {}, &[x, scale])?;
    }
    if shift != 0.0 {
        let shift = b.scalar(shift);
        x = b.op(super::Add {}, &[x, shift])?;
    }
    Ok(x)
}
