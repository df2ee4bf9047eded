//! Products of matrices, in batches that broadcast as in NumPy.

use embarca_kernels::matmul as kernel;

use super::prelude::*;
use super::{Dense, elementwise, spatial};

crate::payload! {
    /// Inputs A `[.., M, K]` and B `[.., K, N]`.
    pub struct Matmul {
        /// Whether the last two axes of A are exchanged.
        pub transpose_a: bool,
        /// Whether the last two axes of B are exchanged.
        pub transpose_b: bool,
    }
}

fn import_onnx(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (mut left, mut right) = (node.input(0)?, node.input(1)?);
    let (a_dims, b_dims) = (b.ty(left).dims.clone(), b.ty(right).dims.clone());
    let real = b.ty(left).dtype.is_float();
    if real && 2 <= a_dims.len() && b_dims.len() == 2 && b.ty(right).known_dims().is_some() {
        // Weights: rows of them are what a dense layer packs.
        let w = b.transpose(right, &[1, 0])?;
        return one(b.op(Dense::PLAIN, &[left, w])?);
    }
    // A vector is a row on the left and a column on the right; its axis of 1 leaves the result.
    if let [len] = a_dims.as_slice() {
        left = b.reshape(left, vec![Dim::Known(1), len.clone()])?;
    }
    if let [len] = b_dims.as_slice() {
        right = b.reshape(right, vec![len.clone(), Dim::Known(1)])?;
    }
    let y = b.op(Matmul { transpose_a: false, transpose_b: false }, &[left, right])?;
    let mut dims = b.ty(y).dims.clone();
    if b_dims.len() == 1 {
        dims.pop();
    }
    if a_dims.len() == 1 {
        let row = dims.len() - if b_dims.len() == 1 { 1 } else { 2 };
        dims.remove(row);
    }
    one(b.reshape(y, dims)?)
}

impl OpDef for Matmul {
    const NAME: &'static str = "matmul";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("MatMul", 1), Spelling::tflite("BATCH_MATMUL")];
    const TAILS: Tails = Tails { clamp: true };

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        if node.format == Format::Onnx {
            return import_onnx(node, b);
        }
        // It tells how f32 activations meet i8 weights, which have no kernel here.
        node.ignore(&["asymmetric_quantize_inputs"]);
        let op = Self {
            transpose_a: node.flag("adj_x", false)?,
            transpose_b: node.flag("adj_y", false)?,
        };
        let y = b.op(op, &[node.input(0)?, node.input(1)?])?;
        one(y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (a, b) = (inputs.get(0)?.ty, inputs.get(1)?.ty);
        let (Some(a_at), Some(b_at)) = (a.rank().checked_sub(2), b.rank().checked_sub(2)) else {
            return Err(ShapeError::new("a product of matrices needs two axes on both sides"));
        };
        let exchange = |flag: bool, at: usize| if flag { (at + 1, at) } else { (at, at + 1) };
        let ((m, ak), (bk, n)) =
            (exchange(self.transpose_a, a_at), exchange(self.transpose_b, b_at));
        if !a.dims[ak].may_equal(&b.dims[bk]) {
            return Err(ShapeError::new(format!("{} meets {}", a.dims[ak], b.dims[bk])));
        }
        let mut dims = elementwise::broadcast(&a.dims[..a_at], &b.dims[..b_at])?;
        dims.extend([a.dims[m].clone(), b.dims[n].clone()]);
        Ok(vec![TensorType::new(a.dtype, dims)])
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        let (x, y) = (s.input(0)?, s.input(1)?);
        if s.is_tflite() {
            let attrs = vec![flag("adj_x", self.transpose_a), flag("adj_y", self.transpose_b)];
            return s.emit("BATCH_MATMUL", &[Some(x), Some(y)], attrs);
        }
        let mut exchanged = |index: usize, wire, flag: bool| {
            let rank = s.type_of(wire).rank();
            if !flag || rank < 2 {
                return Ok(wire);
            }
            let mut perm: Vec<usize> = (0..rank).collect();
            perm.swap(rank - 2, rank - 1);
            s.permuted(index, &perm)
        };
        let x = exchanged(0, x, self.transpose_a)?;
        let y = exchanged(1, y, self.transpose_b)?;
        s.emit("MatMul", &[Some(x), Some(y)], Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let transposed = [self.transpose_a.into(), self.transpose_b.into()];
        match (io.input(0)?.ty.dtype, io.input(1)?.ty.dtype) {
            (DType::F32, DType::F32) => {
                let params = kernel::ParamsF32 { transposed, clamp: spatial::float_clamp(io) };
                Ok(Lowered::plain(&kernel::F32, &params, 2))
            }
            (DType::I8, DType::I8) => {
                let (a, _) = io.input_quant(0)?;
                let (b, _) = io.input_quant(1)?;
                let (y, _) = io.output_quant(0)?;
                let tail = spatial::int8_tail(io)?;
                // TFLite multiplies the two scales in f32.
                let factor = elementwise::factor(f64::from(a * b) / f64::from(y))?;
                Ok(Lowered::plain(&kernel::I8, &kernel::ParamsI8 { transposed, tail, factor }, 2))
            }
            (DType::I16, DType::I16) => {
                let (a, b, y) = (io.input_quant(0)?.0, io.input_quant(1)?.0, io.output_quant(0)?.0);
                elementwise::check_centred(io)?;
                let (act_min, act_max) = quantized_bounds(io.tail.clamp, (y, 0), (-32768, 32767));
                let factor = elementwise::factor(f64::from(a * b) / f64::from(y))?;
                if 7 < factor.shift() {
                    return Err(LowerError::no_kernel("16-bit sums that grow too much"));
                }
                let params = kernel::ParamsI16 { transposed, act_min, act_max, factor };
                Ok(Lowered::plain(&kernel::I16, &params, 2))
            }
            (DType::I32, DType::I32) if io.tail.clamp.is_none() => {
                Ok(Lowered::plain(&kernel::I32, &kernel::ParamsI32 { transposed }, 2))
            }
            (DType::F64, DType::F64) if io.tail.clamp.is_none() => {
                Ok(Lowered::plain(&kernel::F64, &kernel::ParamsI32 { transposed }, 2))
            }
            (a, b) => Err(LowerError::no_kernel(format!("product of {a} and {b} matrices"))),
        }
    }
}
