//! Singular value decomposition filter: a fully connected layer whose last results are weighed in time.

use embarca_kernels::reduce::Kind;
use embarca_kernels::svdf as kernel;

use super::elementwise::factor;
use super::prelude::*;
use super::reduce::Reduction;
use super::slice::{Part, take};
use super::{Add, Concat, Dense, Mul, Reduce};

crate::payload! {
    /// Inputs: x `[N, I]`, feature weights `[F, I]`, time weights `[F, M]`, bias `[F / rank]`
    /// (optional), state `[N, F * M]`. Outputs: y `[N, F / rank]`, state.
    pub struct Svdf {
        /// Filters of an output.
        pub rank: usize,
    }
}

impl OpDef for Svdf {
    const NAME: &'static str = "svdf";
    const SPELLINGS: &'static [Spelling] = &[Spelling::tflite("SVDF")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        node.ignore(&["asymmetric_quantize_inputs"]);
        let rank = usize::try_from(node.int("rank", 1)?).unwrap_or(0);
        let inputs: Vec<_> = (0..5).map(|index| node.optional(index)).collect();
        let quantized = b.ty(node.input(0)?).dtype == DType::I8;
        let outputs = b.node(Self { rank }, &inputs)?;
        let [y, state] = outputs.as_slice() else {
            return Err(ImportError::malformed("the filter has other outputs"));
        };
        node.assign(4, *state);
        if quantized {
            // TFLM applies no activation to integers; their range is that of the output.
            node.ignore(&["fused_activation_function"]);
            let quant = node.output_type(0).and_then(|ty| ty.quant.clone());
            b.set_quant(*y, quant);
            return one(*y);
        }
        tflite_activation(node, b, *y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let (x, time, state) = (inputs.get(0)?.ty, inputs.get(2)?.ty, inputs.get(4)?.ty);
        let [filters, memory] = super::spatial::weight_dims(time)?;
        let &[batch, _] = &x.dims.as_slice() else {
            return Err(ShapeError::new("the input is no matrix"));
        };
        let units = filters.checked_div(self.rank).unwrap_or(0);
        if memory == 0 || units * self.rank != filters {
            let message = format!("{filters} filters do not fall into ranks of {}", self.rank);
            return Err(ShapeError::new(message));
        }
        let wide = Dim::Known((filters * memory) as i64);
        let fits = state.rank() == 2 && state.dims[1].may_equal(&wide);
        if !fits || !state.dims[0].may_equal(batch) {
            return Err(ShapeError::new(format!("a state {state} does not fit the filter")));
        }
        Ok(vec![
            TensorType::new(x.dtype, [batch.clone(), Dim::Known(units as i64)]),
            TensorType::new(state.dtype, [batch.clone(), wide]).with_quant(state.quant.clone()),
        ])
    }

    fn decompose(
        &self,
        b: &mut Builder<'_>,
        inputs: &[Option<ValueId>],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let [Some(x), Some(w), Some(time), bias, Some(state)] = *inputs else { return None };
        if b.ty(x).dtype != DType::F32 {
            return None;
        }
        Some(self.compose(b, [x, w, time, state], bias))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.only_tflite()?;
        if !s.is_variable(4)? {
            return Err(SpellError::none("the memory of TFLite's SVDF is a variable of its own"));
        }
        let state = s.input(4)?;
        let inputs = s.inputs()?;
        s.emit_some("SVDF", &inputs[..5], vec![int("rank", self.rank), no_activation()], 1)?;
        s.yields(1, state);
        Ok(())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let kernel = match (io.input(0)?.ty.dtype, io.input(2)?.ty.dtype, io.input(4)?.ty.dtype) {
            (DType::I8, DType::I8, DType::I8) => &kernel::I8,
            (DType::I8, DType::I16, DType::I16) => &kernel::I16,
            (x, _, state) => {
                let message = format!("a filter of {x} with a state of {state}");
                return Err(LowerError::no_kernel(message));
            }
        };
        let ((x, x_zero), (w, w_zero)) = (io.input_quant(0)?, io.input_quant(1)?);
        let ((time, time_zero), (state, state_zero)) = (io.input_quant(2)?, io.input_quant(4)?);
        let (y, y_zero) = io.output_quant(0)?;
        if (w_zero, time_zero) != (0, 0) {
            return Err(LowerError::no_kernel("the filter's weights have a zero point"));
        }
        let params = kernel::Params {
            x_zero,
            state_zero,
            y_zero,
            rank: u32::try_from(self.rank).unwrap_or(0),
            // TFLM forms both in single precision.
            feature: factor((x * w / state).into())?,
            time: factor((state * time / y).into())?,
        };
        let args = (0..5).map(|index| super::spatial::optional_arg(io, index)).collect();
        Ok(Lowered::new(kernel, &params, args))
    }
}

impl Svdf {
    fn compose(
        &self,
        b: &mut Builder<'_>,
        [x, w, time, state]: [ValueId; 4],
        bias: Option<ValueId>,
    ) -> Result<Vec<ValueId>, ShapeError> {
        let [filters, memory] = super::spatial::weight_dims(b.ty(time))?;
        let known = |dim: usize| Dim::Known(dim as i64);
        let batch = b.ty(state).dims[0].clone();
        let wide = b.ty(state).dims.clone();
        let cube = vec![batch.clone(), known(filters), known(memory)];
        let before = b.reshape(state, cube.clone())?;
        let parts = [
            Part::whole(&batch),
            Part::whole(&cube[1]),
            Part { start: 1, step: 1, len: known(memory - 1) },
        ];
        let kept = take(b, before, &parts)?;
        let new = b.op(Dense::PLAIN, &[x, w])?;
        let new = b.reshape(new, vec![batch.clone(), known(filters), known(1)])?;
        let after = b.op(Concat { axis: 2 }, &[kept, new])?;
        let weighed = b.op(Mul {}, &[after, time])?;
        let units = known(filters / self.rank.max(1));
        let groups = vec![batch, units, known(self.rank * memory)];
        let weighed = b.reshape(weighed, groups)?;
        let sum = Reduce { by: Reduction(Kind::Sum), axes: vec![2], keep: false };
        let mut y = b.op(sum, &[weighed])?;
        if let Some(bias) = bias {
            y = b.op(Add {}, &[y, bias])?;
        }
        Ok(vec![y, b.reshape(after, wide)?])
    }
}
