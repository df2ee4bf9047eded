//! Builds a stage: inputs by name, the operators that tasks share, outputs by name.

use embarca_ir::ops::{self, Op};
use embarca_ir::{Builder, Const, ConstId, Dim, GraphId, Model, Quant, State, TensorType, ValueId};
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::section::Section;

/// A result of building.
pub type Result<T, E = TaskError> = std::result::Result<T, E>;

/// The graph of a stage in the making.
pub struct Stage<'m> {
    /// The graph.
    pub b: Builder<'m>,
}

/// Sides of a picture beyond this are refused, so that no size overflows.
const MOST_SIDE: u32 = 1 << 15;

impl<'m> Stage<'m> {
    /// A stage of an empty model.
    pub fn new(model: &'m mut Model) -> Self {
        Self { b: Builder::new(model, GraphId(0)) }
    }

    /// The input of this name, made when nobody asked for it before.
    fn named(&mut self, name: &str, ty: impl FnOnce(&mut Builder<'m>) -> TensorType) -> ValueId {
        let main = self.b.graph();
        let found = main.inputs.iter().find(|&&input| main.value(input).name == name);
        if let Some(&input) = found {
            return input;
        }
        let ty = ty(&mut self.b);
        self.b.input(name, ty)
    }

    /// A size that is open until a session is given one.
    pub(crate) fn open(b: &mut Builder<'_>, name: &str, preferred: u32, max: u32) -> Dim {
        let id = b.model.symbol(name);
        if let Some(symbol) = b.model.symbols.get_mut(id.index()) {
            (symbol.preferred, symbol.max) = (preferred, max);
        }
        Dim::symbol(id)
    }

    /// The picture: u8, `[1, height, width, 3]`, red first.
    pub fn picture(&mut self) -> ValueId {
        self.named("picture", |b| {
            let height = Self::open(b, "picture_height", 480, MOST_SIDE);
            let width = Self::open(b, "picture_width", 640, MOST_SIDE);
            TensorType::new(DType::U8, [Dim::Known(1), height, width, Dim::Known(3)])
        })
    }

    /// Sound: so many samples, full scale from -1 to 1, at the task's rate.
    pub fn samples(&mut self, len: usize) -> ValueId {
        self.named("samples", |_| TensorType::of(DType::F32, &[len]))
    }

    /// A tensor that is zero at first and then what [`Stage::keep`] made of it in the run before.
    pub fn state(&mut self, name: &str, ty: TensorType) -> Result<ValueId> {
        let dims = ty.known_dims().unwrap_or_default();
        let len = dims.iter().product::<usize>() * ty.dtype.size();
        let zeros = Const::new(ty.dtype, dims, vec![0; len]);
        let zeros = zeros.ok_or_else(|| TaskError::spec(format!("no state is {ty}")))?;
        let number = self.b.graph().states.len() as u32;
        let value = self.b.state(name, ty, number);
        self.b.model.consts.push(zeros);
        let initial = ConstId::new(self.b.model.consts.len() - 1);
        let state = State { name: name.to_owned(), initial, value, next: value };
        if let Some(main) = self.b.model.graphs.first_mut() {
            main.states.push(state);
        }
        Ok(value)
    }

    /// What a state is in the next run.
    pub fn keep(&mut self, state: ValueId, next: ValueId) {
        let states = self.b.model.graphs.first_mut().map(|main| &mut main.states);
        if let Some(found) = states.and_then(|states| states.iter_mut().find(|s| s.value == state))
        {
            found.next = next;
        }
    }

    /// Where the picture lies in the model's input: rows of scale, offset and size.
    pub fn placement(&mut self) -> ValueId {
        self.named("placement", |_| TensorType::of(DType::F32, &[3, 4]))
    }

    /// A scalar that the user may change.
    pub fn scalar(&mut self, name: &str, default: f32, section: &mut Section) -> ValueId {
        if !section.values.iter().any(|(known, _)| known == name) {
            section.values.push((name.to_owned(), default));
        }
        self.named(name, |_| TensorType::of(DType::F32, &[]))
    }

    /// Output `index` of the model as it is. An open first dimension is a batch of one.
    pub fn raw(&mut self, net: &Net, index: usize) -> Result<ValueId> {
        let missing = || {
            let count = net.outputs.len();
            let what = format!("the model has no output {index}, only {count}, counted from 0");
            TaskError::spec(what).key("outputs")
        };
        let port = net.outputs.get(index).ok_or_else(missing)?;
        Ok(self.port(&format!("out{index}"), port))
    }

    /// What the model was fed as input `index`, as real numbers.
    pub fn fed(&mut self, net: &Net, index: usize) -> Result<ValueId> {
        let missing = || TaskError::spec(format!("the model has no input {index}"));
        let port = net.inputs.get(index).ok_or_else(missing)?;
        let value = self.port(&format!("in{index}"), port);
        self.real(value)
    }

    fn port(&mut self, name: &str, port: &Port) -> ValueId {
        self.named(name, |b| {
            let rank = port.dims.len();
            let dims = port.dims.iter().enumerate().map(|(axis, dim)| match dim {
                Some(dim) => Dim::Known(*dim as i64),
                None if axis == 0 && 1 < rank => Dim::Known(1),
                None => Self::open(b, &format!("{name}_{axis}"), 100, i32::MAX.cast_unsigned()),
            });
            let dims: Vec<Dim> = dims.collect();
            let quant = port.quant.map(|(scale, zero)| Quant::per_tensor(scale, zero));
            TensorType::new(port.dtype, dims).with_quant(quant)
        })
    }

    /// Output `index` of the model as real numbers.
    pub fn output(&mut self, net: &Net, index: usize) -> Result<ValueId> {
        let value = self.raw(net, index)?;
        self.real(value)
    }

    /// A value as real numbers in f32.
    pub fn real(&mut self, value: ValueId) -> Result<ValueId> {
        let ty = self.b.ty(value);
        if ty.dtype == DType::F32 {
            return Ok(value);
        }
        if ty.is_quantized() {
            let op = ops::Requantize { to: DType::F32, rule: "tflite".to_owned() };
            return Ok(self.b.op(op, &[value])?);
        }
        self.cast(value, DType::F32)
    }

    /// In another element type.
    pub fn cast(&mut self, value: ValueId, to: DType) -> Result<ValueId> {
        if self.b.ty(value).dtype == to {
            return Ok(value);
        }
        Ok(self.b.op(ops::Cast { to }, &[value])?)
    }

    /// The dimensions of a value.
    pub fn dims(&self, value: ValueId) -> Vec<Dim> {
        self.b.ty(value).dims.clone()
    }

    /// The dimensions of a value, which the model has to say.
    pub fn known(&self, value: ValueId) -> Result<Vec<usize>> {
        self.b.ty(value).known_dims().ok_or_else(|| {
            let ty = self.b.ty(value);
            TaskError::spec(format!("the model leaves a size of {ty} open"))
                .hint("--shapes NAME:1x3x320x320 fixes those of the input")
        })
    }

    /// With other dimensions.
    pub fn reshape(&mut self, value: ValueId, dims: &[Dim]) -> Result<ValueId> {
        Ok(self.b.reshape(value, dims.to_vec())?)
    }

    /// `start..end` of one axis.
    pub fn slice(
        &mut self,
        value: ValueId,
        axis: usize,
        start: usize,
        end: usize,
    ) -> Result<ValueId> {
        let mut dims = self.dims(value);
        let all = dims.len();
        let Some(dim) = dims.get_mut(axis) else {
            return Err(TaskError::spec(format!("there is no axis {axis}")));
        };
        if dim.known().is_some_and(|dim| dim < end as i64) || end < start {
            return Err(TaskError::spec(format!("{start}..{end} lies outside an axis of {dim}")));
        }
        *dim = Dim::Known((end - start) as i64);
        let starts = (0..all).map(|at| if at == axis { start as i64 } else { 0 }).collect();
        Ok(self.b.op(ops::Slice { starts, steps: vec![1; all], dims }, &[value])?)
    }

    /// One after the other along an axis.
    pub fn concat(&mut self, values: &[ValueId], axis: usize) -> Result<ValueId> {
        if let [value] = values {
            return Ok(*value);
        }
        Ok(self.b.op(ops::Concat { axis }, values)?)
    }

    /// An operator on values.
    pub fn op(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId> {
        Ok(self.b.op(op, inputs)?)
    }

    /// Rows of numbers.
    pub fn table(&mut self, rows: &[Vec<f32>]) -> ValueId {
        let width = rows.first().map_or(0, Vec::len);
        let flat: Vec<f32> = rows.iter().flatten().copied().collect();
        self.b.f32s(&[rows.len(), width], &flat)
    }

    /// Real numbers in one row.
    pub fn row(&mut self, values: &[f32]) -> ValueId {
        self.b.f32s(&[values.len()], values)
    }

    /// Places in another tensor.
    pub fn places(&mut self, values: &[i32]) -> ValueId {
        self.b.constant(Const::from_i32(&[values.len()], values), None)
    }

    /// Makes a value a result of the stage.
    pub fn yields(&mut self, name: &str, value: ValueId) {
        self.b.output(value, name);
    }
}
