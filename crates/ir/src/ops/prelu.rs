//! PReLU: `x`, or `slope * x` where it is negative, with learned slopes that broadcast to `x`.

use embarca_kernels::{prelu as kernel, sixteen};

use super::elementwise;
use super::prelude::*;

crate::payload! {
    /// Inputs: x, and slopes that broadcast to it.
    pub struct Prelu {}
}

impl OpDef for Prelu {
    const NAME: &'static str = "prelu";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("PRelu", 7), Spelling::tflite("PRELU"), Spelling::caffe("PReLU")];
    const U8_AS_I8: Option<&'static str> =
        Some("works on differences to the zero points, so an offset cancels");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        if node.format != Format::Caffe {
            return one(b.op(Self {}, &[x, node.input(1)?])?);
        }
        let shared = node.flag("channel_shared", false)?;
        let missing = || ImportError::malformed("the slopes are missing");
        let slope = node.blob(0).ok_or_else(missing)?;
        let mut dims = vec![Dim::Known(1); if shared { 0 } else { b.rank(x) }];
        if !shared && 1 < dims.len() {
            // One slope for each index of axis 1.
            dims[1] = dim::product(&b.ty(slope).dims);
        }
        let slope = b.reshape(slope, dims)?;
        one(b.op(Self {}, &[x, slope])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, slope) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        elementwise::broadcast(&x.dims, &slope.dims)?;
        if x.rank() < slope.rank() {
            return Err(ShapeError::new(format!("slopes {slope} do not broadcast to {x}")));
        }
        same_as_input(inputs)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.plainly("PRelu", "PRELU")
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        if !elementwise::is_quantized(io)? {
            return match io.input(0)?.ty.dtype {
                DType::F32 => Ok(Lowered::plain(&kernel::F32, &NO_PARAMS, 2)),
                other => Err(LowerError::no_kernel(format!("PReLU of {other}"))),
            };
        }
        let ((x, in_zero), (slope, slope_zero)) = (io.input_quant(0)?, io.input_quant(1)?);
        let (y, out_zero) = io.output_quant(0)?;
        let [x, slope, y] = [x, slope, y].map(f64::from);
        let (keep, leak) = (elementwise::factor(x / y)?, elementwise::factor(x * slope / y)?);
        let types = [io.input(0)?.ty.dtype, io.input(1)?.ty.dtype, io.output(0)?.dtype];
        if types == [DType::I16, DType::I8, DType::I16] {
            let params = sixteen::ParamsPrelu { in_zero, slope_zero, out_zero, keep, leak };
            return Ok(Lowered::plain(&sixteen::PRELU, &params, 2));
        }
        elementwise::check_i8(io)?;
        let params = kernel::ParamsI8 { in_zero, slope_zero, out_zero, keep, leak };
        Ok(Lowered::plain(&kernel::I8, &params, 2))
    }
}
