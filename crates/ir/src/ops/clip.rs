//! Clip: `min(max(x, low), high)` with constant real bounds; ReLU and ReLU6 are clips.

use embarca_kernels::{clip as kernel, sixteen};
use embarca_num::fixed::saturate_i8;

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// Limits to `min..=max`.
    pub struct Clip {
        /// The lower bound, possibly minus infinity.
        pub min: f32,
        /// The upper bound, possibly infinity.
        pub max: f32,
    }
}

impl OpDef for Clip {
    const NAME: &'static str = "clip";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Relu", 6),
        Spelling::onnx("Clip", 6),
        Spelling::tflite("RELU"),
        Spelling::tflite("RELU6"),
        Spelling::tflite("RELU_N1_TO_1"),
        Spelling::tflite("RELU_0_TO_1"),
        Spelling::caffe("ReLU6"),
        Spelling::caffe("Clip"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("the stored bounds move with the zero point");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let (min, max) = match node.op {
            "Relu" | "RELU" => (0.0, f32::INFINITY),
            "RELU6" => (0.0, 6.0),
            "ReLU6" => {
                if node.float("negative_slope", 0.0)? != 0.0 {
                    return Err(ImportError::unsupported("is not zero").attribute("negative_slope"));
                }
                (0.0, 6.0)
            }
            "RELU_N1_TO_1" => (-1.0, 1.0),
            "RELU_0_TO_1" => (0.0, 1.0),
            _ if node.format == Format::Onnx && 11 <= node.version => {
                return import_with_inputs(node, b, x);
            }
            _ => (node.float("min", f32::MIN)?, node.float("max", f32::MAX)?),
        };
        one(b.op(Self { min, max }, &[x])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        same_as_input(inputs)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let Self { min, max } = *self;
        let ty = s.ty(0)?.clone();
        let open = [min == f32::NEG_INFINITY, max == f32::INFINITY];
        if s.is_tflite() {
            return self.spell_tflite(s, &ty);
        }
        let x = s.unrounded()?;
        if (min, open[1]) == (0.0, true) {
            return s.emit("Relu", &[Some(x)], Vec::new());
        }
        let dtype = s.type_of(x).dtype;
        let mut inputs = vec![Some(x)];
        for (bound, open) in [min, max].into_iter().zip(open) {
            let bound = super::draft::numbers(dtype, &[], &[bound.into()]);
            let bound = bound.map_err(|error| SpellError::none(error.0))?;
            inputs.push(if open { None } else { Some(s.constant(bound)) });
        }
        s.emit("Clip", &inputs, Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let Self { min, max } = *self;
        let dtype = io.input(0)?.ty.dtype;
        if elementwise::is_quantized(io)? {
            return self.lower_quantized(io, dtype);
        }
        // The ends of i32 stand for no bound. From f32 to i32 saturates.
        let params = kernel::ParamsInt { min: min.ceil() as i32, max: max.floor() as i32 };
        match dtype {
            DType::F32 => Ok(Lowered::plain(&kernel::F32, &kernel::ParamsF32 { min, max }, 1)),
            DType::I32 => Ok(Lowered::plain(&kernel::I32, &params, 1)),
            DType::I64 => Ok(Lowered::plain(&kernel::I64, &params, 1)),
            DType::I16 => Ok(Lowered::plain(&kernel::I16, &params, 1)),
            DType::I8 => Ok(Lowered::plain(&kernel::I8, &params, 1)),
            DType::U8 => Ok(Lowered::plain(&kernel::U8, &params, 1)),
            other => Err(LowerError::no_kernel(format!("clip of {other}"))),
        }
    }
}

impl Clip {
    fn spell_tflite(
        &self,
        s: &mut Speller<'_, '_, '_>,
        ty: &TensorType,
    ) -> Result<(), SpellError> {
        let name = match (self.min, self.max) {
            (0.0, f32::INFINITY) => "RELU",
            (0.0, 6.0) => "RELU6",
            (-1.0, 1.0) => "RELU_N1_TO_1",
            (0.0, 1.0) => "RELU_0_TO_1",
            _ => "",
        };
        let real = ty.dtype.is_float() || ty.is_quantized();
        if !name.is_empty() && real {
            if name != "RELU_0_TO_1" && s.fuse(name)? {
                return Ok(());
            }
            return s.plainly("", name);
        }
        if ty.is_quantized() && ty.quant != s.out(0)?.quant {
            return Err(SpellError::none("TFLite limits within one quantization"));
        }
        let mut x = s.input(0)?;
        for (bound, op) in [(self.min, "MAXIMUM"), (self.max, "MINIMUM")] {
            if bound.is_infinite() {
                continue;
            }
            let bound = match ty.quant.as_ref().and_then(Quant::single) {
                Some(quant) => {
                    let range = if ty.dtype == DType::I8 { (-128, 127) } else { (-32768, 32767) };
                    f64::from(quantized_bounds(Some((bound, bound)), quant, range).0)
                }
                None => f64::from(bound),
            };
            let bound = super::draft::numbers(ty.dtype, &[], &[bound]);
            let bound = bound.map_err(|error| SpellError::none(error.0))?;
            let bound = match &ty.quant {
                Some(quant) => s.quantized(bound, quant.clone()),
                None => s.constant(bound),
            };
            let result = s.out(0)?;
            x = s.step(op, &[x, bound], Vec::new(), result);
        }
        s.give(x)
    }

    fn lower_quantized(&self, io: &Io<'_>, dtype: DType) -> Result<Lowered, LowerError> {
        let (x, y) = (io.input_quant(0)?, io.output_quant(0)?);
        let bounds = Some((self.min, self.max));
        // TFLM's RELU6 never rescales (`micro/kernels/activations_common.cc`).
        let rescales = x != y && bounds != Some((0.0, 6.0));
        let (kernel, range) = match dtype {
            DType::I8 => (&kernel::I8, (-128, 127)),
            DType::I16 => (&kernel::I16, (-32768, 32767)),
            DType::U8 => (&kernel::U8, (0, 255)),
            other => return Err(LowerError::no_kernel(format!("clip of quantized {other}"))),
        };
        if !rescales {
            let (min, max) = quantized_bounds(bounds, x, range);
            return Ok(Lowered::plain(kernel, &kernel::ParamsInt { min, max }, 1));
        }
        let (min, max) = quantized_bounds(bounds, y, range);
        let factor = elementwise::factor((x.0 / y.0).into())?;
        if elementwise::is_wide(io)? {
            let params = sixteen::ParamsScale {
                in_zero: x.1,
                out_zero: y.1,
                keep: factor,
                leak: factor,
                negate: 0,
                act_min: min,
                act_max: max,
            };
            return Ok(Lowered::plain(&sixteen::SCALE, &params, 1));
        }
        Ok(elementwise::lower_table(|value| {
            let value = factor.apply(i32::from(value) - x.1).wrapping_add(y.1);
            saturate_i8(value.clamp(min, max))
        }))
    }
}

/// Since opset 11 the bounds are inputs, each of which may be left out.
fn import_with_inputs(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    mut x: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let constant = |b: &Builder<'_>, index: usize, open: f32| match node.optional(index) {
        None => Some(open),
        Some(bound) => match b.const_of(bound).and_then(Const::to_f64)?.as_slice() {
            [bound] => Some(*bound as f32),
            _ => None,
        },
    };
    let (min, max) = (constant(b, 1, f32::NEG_INFINITY), constant(b, 2, f32::INFINITY));
    let exact = |bound: f32| bound.is_infinite() || bound.abs() < 16_777_216.0;
    if let (Some(min), Some(max)) = (min, max)
        && (b.ty(x).dtype == DType::F32 || exact(min) && exact(max))
    {
        return one(b.op(Clip { min, max }, &[x])?);
    }
    if let Some(min) = node.optional(1) {
        x = b.op(super::Maximum {}, &[x, min])?;
    }
    if let Some(max) = node.optional(2) {
        x = b.op(super::Minimum {}, &[x, max])?;
    }
    one(x)
}
