//! What a case is made of.

use std::fmt::Debug;

use embarca_ir::attr::{Attr, Payload};
use embarca_ir::{Builder, Const, Dim, GraphId, Model, Op, Quant, SymbolId, TensorType, ValueId};
use embarca_num::DType;

use super::array::Array;
use crate::random::Random;

/// Where an input's numbers come from.
#[derive(Clone, Debug)]
enum Fill {
    /// Reals between two.
    Reals(f32, f32),
    /// Whole numbers from one up to another.
    Ints(i64, i64),
    /// These.
    Values(Vec<f64>),
    /// There is no such input.
    Absent,
}

/// An input of a case.
#[derive(Clone, Debug)]
pub struct Input {
    dtype: DType,
    dims: Vec<usize>,
    quant: Option<Quant>,
    fill: Fill,
    constant: bool,
    open: Option<usize>,
}

/// Whole numbers of any type, from `low` up to `high`.
pub fn ints(dtype: DType, dims: &[usize], low: i64, high: i64) -> Input {
    let (dims, fill) = (dims.to_vec(), Fill::Ints(low, high));
    Input { dtype, dims, quant: None, fill, constant: false, open: None }
}

/// Reals between -1 and 1.
pub fn f32s(dims: &[usize]) -> Input {
    reals(dims, -1.0, 1.0)
}

/// Reals between two.
pub fn reals(dims: &[usize], low: f32, high: f32) -> Input {
    Input { fill: Fill::Reals(low, high), ..ints(DType::F32, dims, 0, 0) }
}

/// All there is of i8, under a scale and a zero point.
pub fn i8s(dims: &[usize], scale: f32, zero: i32) -> Input {
    Input { quant: Some(Quant::per_tensor(scale, zero)), ..ints(DType::I8, dims, -128, 127) }
}

/// All there is of i16 but the last number, under a scale.
pub fn i16s(dims: &[usize], scale: f32) -> Input {
    Input { quant: Some(Quant::per_tensor(scale, 0)), ..ints(DType::I16, dims, -32767, 32767) }
}

/// i8 weights under a scale for each index of `axis`.
pub fn weights(dims: &[usize], axis: usize) -> Input {
    let scales = channel_scales(dims[axis]);
    let quant = Quant { zero_points: vec![0; scales.len()], scales, axis: Some(axis) };
    Input { quant: Some(quant), ..ints(DType::I8, dims, -127, 127) }.constant()
}

/// The i32 bias of quantized [`weights`] for `len` channels that meet inputs of scale `x`.
pub fn bias(len: usize, x: f32) -> Input {
    bias_of(DType::I32, len, x)
}

/// [`bias`] in another type.
pub fn bias_of(dtype: DType, len: usize, x: f32) -> Input {
    let scales = channel_scales(len).into_iter().map(|scale| x * scale).collect();
    let quant = Quant { scales, zero_points: vec![0; len], axis: Some(0) };
    ints(dtype, &[len], -2000, 2000).quant(quant).constant()
}

fn channel_scales(len: usize) -> Vec<f32> {
    (0..len).map(|i| 0.004 + 0.001 * (i % 4) as f32).collect()
}

/// i64 indices below `end`.
pub fn below(end: i64, dims: &[usize]) -> Input {
    ints(DType::I64, dims, 0, end - 1)
}

/// True and false.
pub fn bools(dims: &[usize]) -> Input {
    ints(DType::Bool, dims, 0, 1)
}

/// Numbers given one by one.
pub fn values(dtype: DType, dims: &[usize], values: &[f64]) -> Input {
    assert_eq!(dims.iter().product::<usize>(), values.len());
    Input { fill: Fill::Values(values.to_vec()), ..ints(dtype, dims, 0, 0) }
}

/// An optional input that is left out; the reference finds an empty array.
pub fn absent() -> Input {
    Input { fill: Fill::Absent, ..ints(DType::F32, &[0], 0, 0) }.constant()
}

impl Input {
    /// Held by the graph instead of fed.
    pub fn constant(self) -> Self {
        Self { constant: true, ..self }
    }

    /// With an axis of which the graph knows but a symbol, [`n`].
    pub fn open(self, axis: usize) -> Self {
        Self { open: Some(axis), ..self }
    }

    /// Under other scales or zero points.
    pub fn quant(self, quant: Quant) -> Self {
        Self { quant: Some(quant), ..self }
    }

    fn draw(&self, random: &mut Random) -> Const {
        let len = self.dims.iter().product();
        let numbers: Vec<f64> = match &self.fill {
            Fill::Values(values) => values.clone(),
            Fill::Absent => Vec::new(),
            Fill::Ints(low, high) => {
                let width = (high - low + 1) as usize;
                (0..len).map(|_| (low + random.below(width) as i64) as f64).collect()
            }
            Fill::Reals(low, high) => {
                let unit = |random: &mut Random| (random.real() + 1.0) / 2.0;
                (0..len).map(|_| f64::from(low + (high - low) * unit(random))).collect()
            }
        };
        encode(self.dtype, &self.dims, &numbers)
    }

    fn ty(&self) -> TensorType {
        let mut ty = TensorType::of(self.dtype, &self.dims).with_quant(self.quant.clone());
        if let Some(axis) = self.open {
            ty.dims[axis] = n();
        }
        ty
    }
}

/// The open dimension of a case, the same wherever it occurs.
pub fn n() -> Dim {
    Dim::symbol(SymbolId::new(0))
}

/// Numbers as the bytes of a type; they fit it.
pub fn encode(dtype: DType, dims: &[usize], numbers: &[f64]) -> Const {
    let whole = numbers.iter().map(|&number| number as i64);
    let data: Vec<u8> = match dtype {
        DType::F32 => numbers.iter().flat_map(|&number| (number as f32).to_le_bytes()).collect(),
        DType::F64 => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        _ => whole.flat_map(|number| number.to_le_bytes()[..dtype.size()].to_vec()).collect(),
    };
    Const::new(dtype, dims.to_vec(), data).expect("as many numbers as dimensions ask for")
}

/// How far a result may be from the reference; [`super::check`] states the rule.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Roundings of an f32 result, each of half a unit in its last place.
    pub units: f64,
    /// Steps of a quantized result beside the rounding to the next one.
    pub steps: f64,
    /// Relative error of each term of a sum beside its rounding.
    pub term: f64,
}

/// Nothing is rounded; a quantized result is the nearest there is.
pub const EXACT: Tolerance = Tolerance { units: 0.0, steps: 0.0, term: 0.0 };

/// f32 results after so many roundings; quantized ones may be half a step further than the nearest,
/// because fixed-point factors round once more.
pub const fn rounded(units: u16) -> Tolerance {
    Tolerance { units: units as f64, steps: 0.5, term: 0.0 }
}

/// Sums of 16-bit activations are rescaled by factors of 15 bits.
pub const WIDE: Tolerance = Tolerance { units: 0.0, steps: 1.0, term: 0.0 };

/// f32 inputs of i8 weights are rounded to 127 steps at run time.
pub const HYBRID: Tolerance = Tolerance { units: 0.0, steps: 0.0, term: 1.0 / 254.0 };

/// An operator on inputs, checked against its reference.
#[derive(Clone, Debug)]
pub struct Case<T> {
    name: &'static str,
    op: T,
    inputs: Vec<Input>,
    yields: Option<Quant>,
    tolerance: Option<Tolerance>,
    calls: fn(&mut Model),
    fails: bool,
}

/// A case of an operator.
pub fn case<T>(name: &'static str, op: T, inputs: impl Into<Vec<Input>>) -> Case<T> {
    let inputs = inputs.into();
    Case { name, op, inputs, yields: None, tolerance: None, calls: |_| (), fails: false }
}

impl<T> Case<T> {
    /// The quantization that is declared for output 0.
    pub fn yields(self, scale: f32, zero: i32) -> Self {
        Self { yields: Some(Quant::per_tensor(scale, zero)), ..self }
    }

    /// Adds the graphs that the operator calls, from 1 on.
    pub fn calls(self, calls: fn(&mut Model)) -> Self {
        Self { calls, ..self }
    }

    /// Computing it ends in an error.
    pub fn fails(self) -> Self {
        Self { fails: true, ..self }
    }

    /// Another tolerance than the operator's.
    pub fn within(self, tolerance: Tolerance) -> Self {
        Self { tolerance: Some(tolerance), ..self }
    }
}

/// What an operator computes of real numbers.
pub type Reference = Box<dyn Fn(&[Array]) -> Vec<Array> + Send + Sync>;

/// A case of any operator.
pub struct AnyCase {
    /// What it shows.
    pub name: String,
    /// The operator.
    pub op: Op,
    inputs: Vec<Input>,
    yields: Option<Quant>,
    calls: fn(&mut Model),
    /// Whether computing it ends in an error.
    pub fails: bool,
    /// How far results may be from the reference's.
    pub tolerance: Tolerance,
    /// The reference.
    pub reference: Reference,
}

/// The cases of an operator: `reference` is what it computes of real numbers, naively.
pub fn suite<T, R>(
    tolerance: Tolerance,
    reference: fn(&T, &[Array]) -> R,
    cases: impl IntoIterator<Item = Case<T>>,
) -> Vec<AnyCase>
where
    T: Payload + Clone + Debug + Into<Op> + Send + Sync + 'static,
    R: Into<Vec<Array>> + 'static,
{
    let any = |case: Case<T>| {
        let op = case.op.clone();
        AnyCase {
            name: case.name.to_owned(),
            op: case.op.into(),
            inputs: case.inputs,
            yields: case.yields,
            calls: case.calls,
            fails: case.fails,
            tolerance: case.tolerance.unwrap_or(tolerance),
            reference: Box::new(move |x| reference(&op, x).into()),
        }
    };
    cases.into_iter().map(any).collect()
}

/// A payload by the attributes of its text form.
pub fn payload<T: Payload>(attrs: &[(&str, Attr)]) -> T {
    let attrs: Vec<(String, Attr)> =
        attrs.iter().map(|(key, attr)| ((*key).to_owned(), attr.clone())).collect();
    T::from_attrs(&attrs).unwrap_or_else(|error| panic!("{attrs:?}: {error}"))
}

/// The word that an attribute of the text form holds.
pub fn word_of(op: &impl Payload, name: &str) -> String {
    let attr = op.attrs().into_iter().find(|(key, _)| *key == name);
    match attr {
        Some((_, Attr::Word(word))) => word,
        other => panic!("attribute {name} is {other:?}"),
    }
}

/// How a case is put into a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// As it is.
    Plain,
    /// Every input a constant, so that the graph is computed while it is built.
    Constant,
    /// Every fed input behind a transpose, for rewrites that exchange it with the operator.
    Transposed,
    /// The result limited to `BOUNDS`, which kernels do on the way.
    Clipped,
}

/// What [`Setting::Clipped`] leaves of a result.
pub const BOUNDS: (f32, f32) = (-0.25, 0.75);

/// A case in a graph, with what to feed it.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The graph of one operator.
    pub model: Model,
    /// One constant for each graph input.
    pub fed: Vec<Const>,
    /// The operator's inputs as real numbers.
    pub real: Vec<Array>,
    /// The result types that the graph declares.
    pub types: Vec<TensorType>,
}

impl AnyCase {
    /// Whether the setting makes sense for the case.
    pub fn fits(&self, setting: Setting) -> bool {
        let mut fed = self.inputs.iter().filter(|input| !input.constant);
        match setting {
            Setting::Plain => true,
            _ if self.fails => false,
            Setting::Clipped => self.op.tails().clamp,
            Setting::Constant => self.inputs.iter().all(|input| input.open.is_none()),
            Setting::Transposed => {
                let Some(rank) = fed.next().map(|input| input.dims.len()) else { return false };
                2 <= rank && fed.all(|input| input.dims.len() == rank)
            }
        }
    }

    /// The case in a graph.
    ///
    /// # Errors
    /// When the operator refuses its inputs.
    pub fn instance(&self, setting: Setting) -> Result<Instance, String> {
        let mut model = Model::new(self.op.name());
        if self.inputs.iter().any(|input| input.open.is_some()) {
            model.symbol("n");
        }
        (self.calls)(&mut model);
        let mut random = Random(seed(&self.name));
        let mut b = Builder::new(&mut model, GraphId(0));
        let (mut fed, mut real) = (Vec::new(), Vec::new());
        let mut inputs: Vec<Option<ValueId>> = Vec::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let data = input.draw(&mut random);
            real.push(to_real(&data, input.quant.as_ref()));
            if matches!(input.fill, Fill::Absent) {
                inputs.push(None);
                continue;
            }
            if input.constant || setting == Setting::Constant {
                inputs.push(Some(b.constant(data, input.quant.clone())));
                continue;
            }
            let (mut ty, name) = (input.ty(), format!("x{i}"));
            if setting != Setting::Transposed {
                fed.push(data);
                inputs.push(Some(b.input(&name, ty)));
                continue;
            }
            // Axis `i` of what the operator sees is axis `perm[i]` of what is fed.
            let rank = ty.rank();
            let perm: Vec<usize> = (0..rank).map(|axis| (axis + 1) % rank).collect();
            fed.push(rotated(&data));
            ty.dims.rotate_right(1);
            if let Some(axis) = ty.quant.as_mut().and_then(|quant| quant.axis.as_mut()) {
                *axis = (*axis + 1) % rank;
            }
            let x = b.input(&name, ty);
            inputs.push(Some(b.transpose(x, &perm).map_err(|error| error.0)?));
        }
        let mut outputs = b.node(self.op.clone(), &inputs).map_err(|error| error.0)?;
        if let Some(quant) = &self.yields {
            b.set_quant(outputs[0], Some(quant.clone()));
        }
        let ty = b.ty(outputs[0]);
        if setting == Setting::Clipped && (ty.dtype == DType::F32 || ty.is_quantized()) {
            outputs[0] = b.clip(outputs[0], BOUNDS.0, BOUNDS.1).map_err(|error| error.0)?;
        }
        let types = outputs.iter().map(|&output| b.ty(output).clone()).collect();
        for (i, &output) in outputs.iter().enumerate() {
            b.output(output, &format!("y{i}"));
        }
        Ok(Instance { model, fed, real, types })
    }
}

/// FNV-1a of a name, so that a case keeps its numbers when others come and go.
fn seed(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The same numbers with the last axis first.
fn rotated(data: &Const) -> Const {
    let numbers = to_real(data, None);
    let mut dims = data.dims.clone();
    dims.rotate_right(1);
    let turned = numbers.like(&dims, |index| {
        let mut index = index.to_vec();
        index.rotate_left(1);
        numbers.at(&index)
    });
    encode(data.dtype, &dims, &turned.data)
}

/// A tensor as real numbers.
pub fn to_real(data: &Const, quant: Option<&Quant>) -> Array {
    let numbers = data.to_f64().expect("a type with numbers");
    let array = Array { dtype: data.dtype, dims: data.dims.clone(), data: numbers, terms: 0 };
    let Some(quant) = quant else { return array };
    Array::from_fn(DType::F32, &data.dims, |index| {
        let channel = quant.axis.map_or(0, |axis| index[axis]);
        let (scale, zero) = (quant.scales[channel], quant.zero_points[channel]);
        f64::from(scale) * (array.at(index) - f64::from(zero))
    })
}
