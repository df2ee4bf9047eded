//! Fully connected layer: rows times a matrix of weights, with an optional bias.

use embarca_kernels::dense as kernel;

use super::conv2d::caffe_blobs;
use super::prelude::*;
use super::rescale::{Rescale, onnx_scales};
use super::spatial::{self, ScaleProduct};
use crate::foreign::AttrValue;

crate::payload! {
    /// Inputs x `[rows.., I]`, w `[O, I]`, bias `[O]` (optional).
    pub struct Dense {
        /// Whether f32 rows that meet i8 weights are quantized with a zero point.
        pub asymmetric: bool,
        /// How sums of quantized products are stored.
        pub rescale: Rescale,
    }
}

/// `x` as rows of `width` elements.
fn rows(b: &mut Builder<'_>, x: ValueId, width: usize) -> Result<ValueId, ShapeError> {
    let width = Dim::Known(width as i64);
    let dims = &b.ty(x).dims;
    if dims.len() == 2 && dims[1] == width {
        return Ok(x);
    }
    let count = dim::product(dims).floor_div(&width);
    b.reshape(x, vec![count, width])
}

fn import_tflite(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    if node.attr("quant_spec").is_some_and(|spec| *spec != AttrValue::Bytes(Vec::new())) {
        return Err(ImportError::unsupported("asks for blockwise weights").attribute("quant_spec"));
    }
    if node.text("weights_format", "DEFAULT")? != "DEFAULT" {
        return Err(ImportError::unsupported("weights are shuffled").attribute("weights_format"));
    }
    let (x, w) = (node.input(0)?, node.input(1)?);
    let [outputs, width] = spatial::weight_dims(b.ty(w))?;
    let bias = spatial::wide_bias(node, b, x, outputs)?;
    let keep = node.flag("keep_num_dims", false)?;
    let x = if keep { x } else { rows(b, x, width)? };
    let op = Dense {
        asymmetric: node.flag("asymmetric_quantize_inputs", false)?,
        rescale: Rescale::Tflite,
    };
    let bias = bias.map(|bias| spatial::flat(b, bias)).transpose()?;
    let inputs: Vec<_> = [Some(x), Some(w), bias].into_iter().flatten().collect();
    let y = b.op(op, &inputs)?;
    tflite_activation(node, b, y)
}

fn import_caffe(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (w, bias) = caffe_blobs(node)?;
    let x = node.input(0)?;
    let dims = b.ty(x).dims.clone();
    let start = axis(node.int("axis", 1)?, dims.len())?;
    // Old files store the matrix with two unit axes before it.
    let w_dims = b.ty(w).dims.clone();
    let (unit, matrix) = w_dims.split_at(w_dims.len().saturating_sub(2));
    if matrix.len() != 2 || unit.iter().any(|dim| *dim != Dim::Known(1)) {
        return Err(ImportError::malformed("the weights are not a matrix"));
    }
    let w = b.reshape(w, matrix.to_vec())?;
    let w = if node.flag("transpose", false)? { b.transpose(w, &[1, 0])? } else { w };
    let [outputs, _] = spatial::weight_dims(b.ty(w))?;
    if node.opt_int("num_output")?.is_some_and(|n| usize::try_from(n) != Ok(outputs)) {
        let message = format!("the weights have {outputs} outputs");
        return Err(ImportError::malformed(message).attribute("num_output"));
    }
    let mut flat = dims[..start].to_vec();
    flat.push(dim::product(&dims[start..]));
    let x = b.reshape(x, flat)?;
    let bias = bias.map(|bias| spatial::flat(b, bias)).transpose()?;
    let inputs: Vec<_> = [Some(x), Some(w), bias].into_iter().flatten().collect();
    one(b.op(Dense::PLAIN, &inputs)?)
}

impl Dense {
    /// A layer of f32 numbers.
    pub const PLAIN: Self = Self { asymmetric: false, rescale: Rescale::Tflite };
}

impl OpDef for Dense {
    const NAME: &'static str = "dense";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::tflite("FULLY_CONNECTED"), Spelling::caffe("InnerProduct")];
    const U8_AS_I8: Option<&'static str> =
        Some("sums products of differences to the zero points, so an offset cancels");
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        if node.format == Format::Caffe { import_caffe(node, b) } else { import_tflite(node, b) }
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, w) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let [outputs, width] = match w.dims.as_slice() {
            [outputs, width] => [outputs, width],
            _ => return Err(ShapeError::new("the weights are not a matrix")),
        };
        let Some((last, rows)) = x.dims.split_last() else {
            return Err(ShapeError::new("the input has no axes"));
        };
        if !last.may_equal(width) {
            return Err(ShapeError::new(format!("rows of {last} meet weights of {width}")));
        }
        if let Some(outputs) = outputs.known() {
            spatial::check_bias(inputs, usize::try_from(outputs).unwrap_or(0))?;
        }
        Ok(vec![TensorType::new(x.dtype, rows.iter().chain([outputs]).cloned())])
    }

    /// In f64: a product of matrices and a sum.
    fn decompose(
        &self,
        b: &mut Builder<'_>,
        inputs: &[Option<ValueId>],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let [Some(x), Some(w), ref bias @ ..] = *inputs else { return None };
        if b.ty(x).dtype != DType::F64 || b.rank(x) < 2 {
            return None;
        }
        let op = super::Matmul { transpose_a: false, transpose_b: true };
        Some(b.op(op, &[x, w]).and_then(|y| match bias.first().copied().flatten() {
            Some(bias) => Ok(vec![b.op(super::Add {}, &[y, bias])?]),
            None => Ok(vec![y]),
        }))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let outputs = s.ty(1)?.dims[0].clone();
        let rank = s.ty(0)?.rank();
        let x = s.input(0)?;
        if s.is_tflite() {
            let w = spatial::tflite_weights(s)?;
            let bias = spatial::tflite_bias(s)?;
            let attrs = vec![
                no_activation(),
                flag("keep_num_dims", rank != 2),
                flag("asymmetric_quantize_inputs", self.asymmetric),
            ];
            let inputs: Vec<_> = [Some(x), Some(w), bias].into_iter().collect();
            return s.emit("FULLY_CONNECTED", &inputs, attrs);
        }
        if rank == 2 {
            let inputs = s.inputs()?;
            return s.emit("Gemm", &inputs, vec![int("transB", 1)]);
        }
        let w = s.permuted(1, &[1, 0])?;
        let Some(bias) = s.optional(2)? else {
            return s.emit("MatMul", &[Some(x), Some(w)], Vec::new());
        };
        let mut ty = TensorType::new(s.type_of(x).dtype, s.type_of(x).dims.iter().cloned());
        if let Some(last) = ty.dims.last_mut() {
            *last = outputs;
        }
        let product = s.step("MatMul", &[x, w], Vec::new(), ty);
        s.emit("Add", &[Some(product), Some(bias)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let (x, w) = (io.input(0)?.ty, io.input(1)?.ty);
        let mut args = vec![Arg::Input(0), Arg::Input(1), spatial::optional_arg(io, 2)];
        let clamp = spatial::float_clamp(io);
        let channels = || {
            let dims = spatial::weight_dims(w).map_err(|error| LowerError::no_kernel(error.0));
            dims.map(|[outputs, _]| outputs)
        };
        match (x.dtype, w.dtype) {
            (DType::F32, DType::F32) => Ok(Lowered::new(&kernel::F32, &clamp, args)),
            (DType::I8, DType::I8) => {
                let tail = spatial::int8_tail(io)?;
                if self.rescale == Rescale::Onnx {
                    args.push(onnx_scales(io, channels()?)?);
                    return Ok(Lowered::new(&kernel::ONNX, &tail, args));
                }
                args.push(spatial::factors(io, channels()?, ScaleProduct::F32)?);
                Ok(Lowered::new(&kernel::I8, &tail, args))
            }
            (DType::I16, DType::I8) => {
                let tail = spatial::int16_tail(io)?;
                args.push(spatial::factors(io, channels()?, ScaleProduct::F32)?);
                Ok(Lowered::new(&kernel::I16, &tail, args))
            }
            (DType::F32, DType::I8) => {
                args.push(spatial::hybrid_scales(io, channels()?)?.0);
                let params = kernel::ParamsHybrid { asymmetric: self.asymmetric.into(), clamp };
                Ok(Lowered::new(&kernel::HYBRID, &params, args))
            }
            (x, w) => Err(LowerError::no_kernel(format!("dense layer of {x} with {w} weights"))),
        }
    }
}
