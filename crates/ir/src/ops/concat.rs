//! Concat: tensors one after the other along an axis.

use embarca_kernels::concat as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// Any number of inputs along one axis.
    pub struct Concat {
        /// Counted from the front.
        pub axis: usize,
    }
}

impl OpDef for Concat {
    const NAME: &'static str = "concat";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Concat", 4),
        Spelling::tflite("CONCATENATION"),
        Spelling::tflite("PACK"),
        Spelling::caffe("Concat"),
    ];
    const U8_AS_I8: Option<&'static str> =
        Some("moves data; inputs of another quantization pass a table of the unsigned formula");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let mut inputs = Vec::with_capacity(node.n_inputs());
        for index in 0..node.n_inputs() {
            inputs.push(node.input(index)?);
        }
        let first = node.input(0)?;
        let rank = b.rank(first);
        if node.op == "PACK" {
            node.counted("values_count", inputs.len())?;
            let at = axis(node.int("axis", 0)?, rank + 1)?;
            for input in &mut inputs {
                let mut dims = b.ty(*input).dims.clone();
                dims.insert(at.min(dims.len()), Dim::Known(1));
                *input = b.reshape(*input, dims)?;
            }
            return one(b.op(Self { axis: at }, &inputs)?);
        }
        let default = if node.format == Format::TfLite { 0 } else { 1 };
        let name = match node.format {
            Format::Caffe if !node.has("axis") && node.has("concat_dim") => "concat_dim",
            _ => "axis",
        };
        let at = axis(node.int(name, default)?, rank)?;
        if node.was_u8
            && let Some(declared) = node.output_type(0)
        {
            // LiteRT brings unsigned inputs to the output's quantization; signed ones it copies.
            let declared = declared.clone();
            for input in &mut inputs {
                if b.ty(*input).quant != declared.quant && b.ty(*input).dtype == DType::I8 {
                    let rule = "concat_u8".to_owned();
                    *input = b.op(super::Requantize { to: DType::I8, rule }, &[*input])?;
                    b.set_quant(*input, declared.quant.clone());
                }
            }
        }
        // Exporters join what a model has not gathered yet: tensors without elements.
        if 1 < inputs.len() {
            let any = inputs[0];
            let empty = |ty: &TensorType| ty.dims.get(at) == Some(&Dim::Known(0));
            inputs.retain(|&input| !empty(b.ty(input)));
            if inputs.is_empty() {
                inputs.push(any);
            }
        }
        let y = match inputs[..] {
            [only] if node.format != Format::TfLite => return one(only),
            _ => b.op(Self { axis: at }, &inputs)?,
        };
        if node.format == Format::TfLite {
            return tflite_activation(node, b, y);
        }
        one(y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let first = inputs.get(0)?.ty;
        let at = axis(self.axis as i64, first.rank())?;
        let mut ty = first.clone();
        for index in 1..inputs.len() {
            let x = inputs.get(index)?.ty;
            if x.dtype != ty.dtype || x.rank() != ty.rank() {
                return Err(ShapeError::new(format!("{x} does not continue {first}")));
            }
            for (i, (dim, other)) in ty.dims.iter_mut().zip(&x.dims).enumerate() {
                if i == at {
                    *dim = dim.add(other);
                } else if !dim.may_equal(other) {
                    return Err(ShapeError::new(format!("{x} does not continue {first}")));
                } else if dim.known().is_none() {
                    *dim = other.clone();
                }
            }
            if x.quant != ty.quant {
                ty.quant = None;
            }
        }
        if ty.quant.as_ref().is_some_and(|quant| quant.axis.is_some()) {
            ty.quant = None;
        }
        Ok(vec![ty])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Ok(types) = self.infer(inputs) else { return Vec::new() };
        let element = |index: &[usize]| {
            let mut index = index.to_vec();
            for i in 0..inputs.len() {
                let x = inputs.optional(i)?;
                let (known, dims) = (x.known?, x.ty.known_dims()?);
                let (at, dim) = (index.get_mut(self.axis)?, dims.get(self.axis)?);
                if *at < *dim {
                    let place = index.iter().zip(&dims).fold(0, |place, (i, dim)| place * dim + i);
                    return known.get(place).cloned();
                }
                *at -= dim;
            }
            None
        };
        vec![types.first().and_then(|ty| moves::each_index(&ty.dims, element))]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        Some((Self { axis: *perm.get(self.axis)? }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let inputs = s.inputs()?;
        let axis = int("axis", self.axis);
        if s.is_tflite() {
            return s.emit("CONCATENATION", &inputs, vec![axis, no_activation()]);
        }
        s.emit("Concat", &inputs, vec![axis])
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        let params = kernel::Params { axis: self.axis as u32 };
        Ok(Lowered::plain(&kernel::ANY, &params, io.inputs.len()))
    }
}
