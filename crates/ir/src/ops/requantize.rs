//! Changes how real numbers are stored: float to integer, integer to float, integer to integer.

use embarca_kernels::{quantize, requantize};
use embarca_num::fixed::saturate_i8;

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// The same real numbers in another type or quantization; the quantization of the result is
    /// that of the output value.
    pub struct Requantize {
        /// The element type of the result.
        pub to: DType,
        /// How a real number becomes an integer: `tflite` (halves away from zero), `onnx` (halves
        /// to even) or `concat_u8` (as LiteRT's concatenation of u8 does, between i8 tensors that
        /// were u8).
        pub rule: String,
    }
}

impl OpDef for Requantize {
    const NAME: &'static str = "requantize";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("QuantizeLinear", 10),
        Spelling::onnx("DequantizeLinear", 10),
        Spelling::onnx("QuantizeLinear", 1).domain("com.microsoft"),
        Spelling::onnx("DequantizeLinear", 1).domain("com.microsoft"),
        Spelling::tflite("QUANTIZE"),
        Spelling::tflite("DEQUANTIZE"),
    ];
    const U8_AS_I8: Option<&'static str> =
        Some("works on differences to the zero points, so an offset cancels");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        if node.format == Format::Onnx {
            return import_onnx(node, b);
        }
        let x = node.input(0)?;
        if b.ty(x).dtype == DType::F16 {
            return one(super::cast::to(b, x, DType::F32)?);
        }
        let missing = || ImportError::malformed("the output has no type");
        let declared = node.output_type(0).ok_or_else(missing)?.clone();
        let from_real = b.ty(x).dtype == DType::F32;
        if !from_real && b.ty(x).quant.is_none() {
            return Err(ImportError::malformed("the input has no quantization"));
        }
        let y = b.op(Self { to: declared.dtype, rule: "tflite".to_owned() }, &[x])?;
        b.set_quant(y, declared.quant);
        one(y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        Ok(vec![TensorType::new(self.to, x.dims.iter().cloned())])
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let x = s.input(0)?;
        if !s.is_tflite() {
            return s.give(x);
        }
        if self.rule == "concat_u8" || s.is_stored_alike()? {
            s.yields(0, x);
            return Ok(());
        }
        let name = if self.to.is_float() { "DEQUANTIZE" } else { "QUANTIZE" };
        if s.ty(0)?.dtype == DType::I32 && self.to.is_float() {
            return Err(SpellError::none("TFLite does not dequantize i32"));
        }
        s.emit(name, &[Some(x)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let (x, y) = (io.input(0)?.ty, io.output(0)?);
        if self.rule == "concat_u8" {
            return lower_concat(io);
        }
        let rounding = if self.rule == "onnx" { quantize::HALF_EVEN } else { quantize::HALF_AWAY };
        let refuse = || {
            LowerError::no_kernel(format!("from {} to {} with this quantization", x.dtype, y.dtype))
        };
        let (kernel, quant) = match (x.dtype, y.dtype) {
            (DType::F32, DType::I8) => (&quantize::I8, &y.quant),
            (DType::F32, DType::U8) => (&quantize::U8, &y.quant),
            (DType::F32, DType::I16) => (&quantize::I16, &y.quant),
            (DType::F32, DType::I32) => (&quantize::I32, &y.quant),
            (DType::I8, DType::F32) => (&quantize::FROM_I8, &x.quant),
            (DType::U8, DType::F32) => (&quantize::FROM_U8, &x.quant),
            (DType::I16, DType::F32) => (&quantize::FROM_I16, &x.quant),
            (DType::I32, DType::F32) => (&quantize::FROM_I32, &x.quant),
            _ => return lower_between(io),
        };
        let quant = quant.as_ref().ok_or_else(refuse)?;
        let mut params = quantize::Params { scale: 1.0, zero: 0, axis: 0, rounding };
        if let Some((scale, zero)) = quant.single() {
            (params.scale, params.zero) = (scale, zero);
            return Ok(Lowered::plain(kernel, &params, 1));
        }
        params.axis = quant.axis.and_then(|axis| u32::try_from(axis).ok()).ok_or_else(refuse)?;
        let count = [quant.scales.len()];
        if quant.zero_points.len() != count[0] {
            return Err(refuse());
        }
        let scales = Const::from_f32(&count, &quant.scales);
        let zeros = Const::from_i32(&count, &quant.zero_points);
        Ok(Lowered::new(
            kernel,
            &params,
            vec![Arg::Input(0), Arg::Const(scales), Arg::Const(zeros)],
        ))
    }
}

/// Between integers as TFLM's QUANTIZE: scales divided in f64 (`micro/kernels/quantize_common.cc`).
fn lower_between(io: &Io<'_>) -> Result<Lowered, LowerError> {
    use DType::{I8, I16, I32, U8};
    let ((x, in_zero), (y, out_zero)) = (io.input_quant(0)?, io.output_quant(0)?);
    let factor = elementwise::factor(f64::from(x) / f64::from(y))?;
    let kernel = match (io.input(0)?.ty.dtype, io.output(0)?.dtype) {
        (I8, I8) => &requantize::I8_I8,
        (I8, U8) => &requantize::I8_U8,
        (I8, I16) => &requantize::I8_I16,
        (I8, I32) => &requantize::I8_I32,
        (U8, I8) => &requantize::U8_I8,
        (U8, U8) => &requantize::U8_U8,
        (I16, I8) => &requantize::I16_I8,
        (I16, I16) => &requantize::I16_I16,
        (I16, I32) => &requantize::I16_I32,
        (I32, I8) => &requantize::I32_I8,
        (I32, I16) => &requantize::I32_I16,
        (x, y) => return Err(LowerError::no_kernel(format!("requantization of {x} to {y}"))),
    };
    Ok(Lowered::plain(kernel, &requantize::Params { in_zero, out_zero, factor }, 1))
}

/// LiteRT's `ConcatenationWithScaling` (`kernels/internal/reference/concatenation.h`), which works
/// in f32 on unsigned values.
fn lower_concat(io: &Io<'_>) -> Result<Lowered, LowerError> {
    elementwise::check_i8(io)?;
    let ((x_scale, x_zero), (y_scale, y_zero)) = (io.input_quant(0)?, io.output_quant(0)?);
    let scale = x_scale * (1.0 / y_scale);
    let bias = -((x_zero + 128) as f32) * scale;
    Ok(elementwise::lower_table(|x| {
        let x = (i32::from(x) + 128) as f32;
        let y = ((x * scale + bias).round() as i32).saturating_add(y_zero);
        saturate_i8(y)
    }))
}

/// Whether a kernel can do it: of types with a quantized form, under constant scales.
fn is_plain(node: &NodeView<'_>, b: &Builder<'_>) -> Result<bool, ImportError> {
    let (x, scale, zero) = (node.input(0)?, node.input(1)?, node.optional(2));
    let downward = node.op == "QuantizeLinear";
    let whole = match (downward, zero) {
        (true, Some(zero)) => b.ty(zero).dtype,
        (true, None) => super::moves::dtype_attr(node, "output_dtype", DType::U8)?,
        (false, _) => b.ty(x).dtype,
    };
    let real = if downward { b.ty(x).dtype } else { DType::F32 };
    let known = |value: ValueId| b.const_of(value).is_some();
    let to = super::moves::dtype_attr(node, "output_dtype", DType::F32)?;
    Ok(matches!(whole, DType::I8 | DType::U8 | DType::I16 | DType::I32)
        && real == DType::F32
        && b.ty(scale).dtype == DType::F32
        && (downward || to == DType::F32)
        && node.int("block_size", 0)? == 0
        && known(scale)
        && zero.is_none_or(known))
}

fn import_onnx(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    if !is_plain(node, b)? {
        return super::quantize_any::import(node, b);
    }
    node.ignore(&["saturate", "block_size", "output_dtype", "precision"]);
    let downward = node.op == "QuantizeLinear";
    let zero = node.optional(2);
    let dtype = match (downward, zero) {
        (false, _) => b.ty(x).dtype,
        (true, Some(zero)) => b.ty(zero).dtype,
        (true, None) => DType::U8,
    };
    if !matches!(dtype, DType::I8 | DType::U8 | DType::I16 | DType::I32) {
        return Err(ImportError::unsupported(format!("quantization to {dtype} is not supported")));
    }
    let scales = b.floats(node.input(1)?, "the scale")?;
    let zero_points: Vec<i32> = match zero {
        Some(zero) => b.ints(zero, "the zero point")?.into_iter().map(|zero| zero as i32).collect(),
        None => vec![0; scales.len()],
    };
    let rank = b.rank(x);
    let per_axis = b.rank(node.input(1)?) != 0 && scales.len() != 1;
    let at = node.int("axis", 1)?;
    let axis = if per_axis { Some(axis(at, rank)?) } else { None };
    if zero_points.len() != scales.len() {
        return Err(ImportError::malformed("there are not as many zero points as scales"));
    }
    if let Some(scale) = scales.iter().find(|scale| !(0.0..f32::INFINITY).contains(*scale)) {
        return Err(ImportError::malformed(format!("{scale} is no scale")));
    }
    let channels = axis.map_or(Dim::Known(1), |axis| b.ty(x).dims[axis].clone());
    if !channels.may_equal(&Dim::Known(scales.len() as i64)) {
        let message = format!("there are {} scales for {channels} indices", scales.len());
        return Err(ImportError::malformed(message));
    }
    let quant = Some(Quant { scales, zero_points, axis });
    let rule = "onnx".to_owned();
    if downward {
        let y = b.op(Requantize { to: dtype, rule }, &[x])?;
        b.set_quant(y, quant);
        return one(y);
    }
    // Others may read the same integers as they are, or under another quantization.
    let x = match b.ty(x).quant {
        None if !b.is_read(x) => {
            b.set_quant(x, quant);
            x
        }
        _ => b.relabel(x, quant)?,
    };
    one(b.op(Requantize { to: DType::F32, rule }, &[x])?)
}
