//! ScatterND: a copy of a tensor with slices replaced at tuples of indices.

use embarca_kernels::scatter as kernel;
use kernel::Kind;

use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// Inputs: data, tuples of indices, slices.
    pub struct ScatterNd {
        /// How a slice meets what is there.
        pub by: Meeting,
    }
}

/// How an update meets what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting(pub Kind);

const NAMES: [(Kind, &str); 5] = [
    (Kind::Replace, "none"),
    (Kind::Add, "add"),
    (Kind::Mul, "mul"),
    (Kind::Min, "min"),
    (Kind::Max, "max"),
];

impl Meeting {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(kind, _)| *kind == self.0).map_or("none", |(_, name)| name)
    }

    /// From ONNX's `reduction` attribute.
    pub fn onnx(node: &NodeView<'_>) -> Result<Self, ImportError> {
        let name = node.text("reduction", "none")?;
        let unknown = || ImportError::malformed(format!("{name} is not known"));
        let entry = NAMES.iter().find(|(_, text)| *text == name);
        entry.map(|(kind, _)| Self(*kind)).ok_or_else(|| unknown().attribute("reduction"))
    }
}

impl Field for Meeting {
    fn write(&self) -> Attr {
        Attr::Word(self.name().to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        NAMES.iter().find(|(_, name)| name == word).map(|(kind, _)| Self(*kind))
    }
}

impl OpDef for ScatterNd {
    const NAME: &'static str = "scatter_nd";
    const SPELLINGS: &'static [Spelling] =
        &[Spelling::onnx("ScatterND", 11), Spelling::tflite("SCATTER_ND")];

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        if node.format == Format::TfLite {
            // Indices, updates, shape: sums up on zeros.
            let (indices, updates) = (node.input(0)?, node.input(1)?);
            let dims = b.dims(node.input(2)?, "the shape")?;
            let dtype = b.ty(updates).dtype;
            let zero = super::fill::zero(b, dtype)?;
            let zeros = b.op(super::Expand { dims }, &[zero])?;
            return one(b.op(Self { by: Meeting(Kind::Add) }, &[zeros, indices, updates])?);
        }
        let by = Meeting::onnx(node)?;
        one(b.op(Self { by }, &[node.input(0)?, node.input(1)?, node.input(2)?])?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        check(inputs)?;
        same_as_input(inputs)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let inputs = s.inputs()?;
        if !s.is_tflite() {
            let indices = s.input(1)?;
            let indices = Some(super::moves::like(s, indices, DType::I64));
            let inputs = [inputs[0], indices, inputs[2]];
            return s.emit("ScatterND", &inputs, vec![text("reduction", self.by.name())]);
        }
        let zeros = |data: &Const| data.data.iter().all(|&byte| byte == 0);
        let base = match s.writer(0) {
            Some((Op::Expand(_), inputs)) => s.content(inputs.first().copied().flatten()),
            _ => s.operand(0)?.data,
        };
        if self.by.0 != Kind::Add || !base.is_some_and(zeros) {
            return Err(SpellError::none("TFLite's SCATTER_ND adds up on zeros only"));
        }
        let shape = s.shape(&s.ty(0)?.dims.clone())?;
        let shape = super::moves::like(s, shape, s.ty(1)?.dtype);
        s.emit("SCATTER_ND", &[inputs[1], inputs[2], Some(shape)], Vec::new())
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(Lowered::plain(&kernel::ND, &kernel::Params { kind: self.by.0 as u32 }, 3))
    }
}

/// Refuses updates of another type than the data and indices that are none.
pub fn check(inputs: Operands<'_, '_>) -> Result<(), ShapeError> {
    let (x, indices, updates) = (inputs.get(0)?.ty, inputs.get(1)?.ty, inputs.get(2)?.ty);
    if x.dtype != updates.dtype || !matches!(indices.dtype, DType::I32 | DType::I64) {
        return Err(ShapeError::new(format!("{updates} at {indices} do not fit {x}")));
    }
    Ok(())
}
