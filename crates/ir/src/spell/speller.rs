//! What a dossier spells its node with.

use embarca_num::DType;

use super::SpellError;
use super::layout::{identity, inverse, permuted};
use super::sheet::Sheet;
use crate::dim::Dim;
use crate::foreign::{AttrValue, Format};
use crate::ids::ValueId;
use crate::model::{Def, Node};
use crate::op::Operand;
use crate::ops::Op;
use crate::types::{Const, Quant, TensorType};

/// A tensor of the foreign graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire(pub(super) usize);

/// An attribute of a foreign node.
pub type Attribute = (&'static str, AttrValue);

/// Adds the foreign nodes that say what one node of the graph does.
///
/// ONNX's quantized tensors are tensors of integers, so there a dossier sees the real numbers that
/// they stand for, and its result is rounded behind it. [`Speller::moves`] asks for the integers.
#[derive(Debug)]
pub struct Speller<'p, 's, 'm> {
    sheet: &'p mut Sheet<'s, 'm>,
    node: &'m Node,
    /// The order of the inputs' axes, where it is not the graph's.
    within: Option<Vec<usize>>,
    /// The order of the outputs' axes, where it is not the graph's.
    without: Option<Vec<usize>>,
    /// Whether the order is that of a node below a transpose, which spreads its constants.
    sunk: bool,
    stored: bool,
}

/// From channels-last to channels-first and the other way, for any rank of at least 2.
fn channels_last(rank: usize) -> Vec<usize> {
    let last = if rank < 2 { Vec::new() } else { vec![1] };
    [0].into_iter().take(rank).chain(2..rank.max(2)).chain(last).collect()
}

impl<'p, 's, 'm> Speller<'p, 's, 'm> {
    pub(super) fn new(
        sheet: &'p mut Sheet<'s, 'm>,
        node: &'m Node,
        within: Option<Vec<usize>>,
        without: Option<Vec<usize>>,
    ) -> Self {
        let sunk = within.is_some();
        Self { sheet, node, within, without, sunk, stored: false }
    }

    /// Whether the format is TFLite; else it is ONNX.
    pub fn is_tflite(&self) -> bool {
        self.sheet.format() == Format::TfLite
    }

    /// From now on inputs and outputs are the stored integers, as operators that move data take
    /// them.
    pub fn moves(&mut self) {
        self.stored = true;
    }

    /// From now on inputs are read in the order of channels-first formats, and the outputs lie in it:
    /// the graph's operator is channels-last. TFLite's are, too.
    pub fn channels_first(&mut self) {
        if self.is_tflite() {
            return;
        }
        let rank = self.node.outputs.first().map_or(0, |&y| self.sheet.graph.ty(y).rank());
        let perm = channels_last(rank);
        (self.within, self.without, self.sunk) = (Some(perm.clone()), Some(perm), false);
    }

    /// How many inputs there are, left-out ones included.
    pub fn len(&self) -> usize {
        self.node.inputs.len()
    }

    /// Whether there are no inputs.
    pub fn is_empty(&self) -> bool {
        self.node.inputs.is_empty()
    }

    fn value(&self, index: usize) -> Option<ValueId> {
        self.node.inputs.get(index).copied().flatten()
    }

    /// Whether input `index` is there.
    pub fn has(&self, index: usize) -> bool {
        self.value(index).is_some()
    }

    /// What is known of input `index` in the graph, its axes as the graph has them.
    ///
    /// # Errors
    /// When there is no such input.
    pub fn operand(&self, index: usize) -> Result<Operand<'m>, SpellError> {
        let id = self.value(index).ok_or_else(|| missing(index))?;
        let value = self.sheet.graph.value(id);
        let data = self.sheet.shared.model.const_of(self.sheet.id, id);
        Ok(Operand { ty: &value.ty, known: value.known.as_deref(), data })
    }

    /// The type of input `index` in the graph.
    ///
    /// # Errors
    /// When there is no such input.
    pub fn ty(&self, index: usize) -> Result<&'m TensorType, SpellError> {
        Ok(self.operand(index)?.ty)
    }

    /// The type of output `index`, its axes in the order in which it is written.
    ///
    /// # Errors
    /// When there is no such output.
    pub fn out(&self, index: usize) -> Result<TensorType, SpellError> {
        let missing = || SpellError::Bug(format!("output {index} is missing"));
        let ty = self.sheet.graph.ty(*self.node.outputs.get(index).ok_or_else(missing)?);
        Ok(match &self.without {
            // The value's axis i is the tensor's axis perm[i].
            Some(perm) if perm.len() == ty.rank() => permuted(ty, &inverse(perm)),
            _ => ty.clone(),
        })
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.node.outputs.len()
    }

    /// Whether anybody reads output `index`.
    pub fn is_read(&self, index: usize) -> bool {
        self.node.outputs.get(index).is_some_and(|id| 0 < self.sheet.uses[id.index()])
    }

    /// Whether input `index` is quantized.
    pub fn is_quantized(&self, index: usize) -> bool {
        self.ty(index).is_ok_and(TensorType::is_quantized)
    }

    /// Whether input `index` is stored as its unsigned twin.
    ///
    /// # Errors
    /// When it is missing.
    pub fn is_unsigned(&self, index: usize) -> Result<bool, SpellError> {
        Ok(self.sheet.is_shifted(self.ty(index)?))
    }

    /// Refuses an operator that rounds as one of unsigned integers where its input is signed.
    ///
    /// # Errors
    /// In TFLite, when input 0 is stored signed.
    pub fn check_unsigned(&self, was_u8: bool) -> Result<(), SpellError> {
        if was_u8 && self.is_tflite() && self.is_quantized(0) && !self.is_unsigned(0)? {
            return Err(SpellError::none("it rounds as the operator on unsigned integers does"));
        }
        Ok(())
    }

    /// Whether input `index` is a variable, which the node itself writes (TFLite).
    ///
    /// # Errors
    /// When it is missing.
    pub fn is_variable(&mut self, index: usize) -> Result<bool, SpellError> {
        let wire = self.input(index)?;
        Ok(self.sheet.tensors[wire.0].is_variable)
    }

    /// Whether the integers of output 0 are those of input 0.
    ///
    /// # Errors
    /// When input 0 is missing.
    pub fn is_stored_alike(&self) -> Result<bool, SpellError> {
        let (x, y) = (self.ty(0)?, self.out(0)?);
        Ok(x.quant.is_some() && self.sheet.declared(x) == self.sheet.declared(&y))
    }

    /// The content of a value, if it is constant.
    pub fn content(&self, id: Option<ValueId>) -> Option<&'m Const> {
        self.sheet.shared.model.const_of(self.sheet.id, id?)
    }

    /// The node that writes input `index`, if one does.
    pub fn writer(&self, index: usize) -> Option<(&'m Op, Vec<Option<ValueId>>)> {
        let (node, _) = self.sheet.graph.writer(self.value(index)?)?;
        Some((&node.op, node.inputs.clone()))
    }

    /// Input `index`.
    ///
    /// # Errors
    /// When it is missing.
    pub fn input(&mut self, index: usize) -> Result<Wire, SpellError> {
        let id = self.value(index).ok_or_else(|| missing(index))?;
        self.of(id)
    }

    /// Input `index`, if it is there.
    ///
    /// # Errors
    /// Only through a defect.
    pub fn optional(&mut self, index: usize) -> Result<Option<Wire>, SpellError> {
        self.value(index).map(|id| self.of(id)).transpose()
    }

    /// All inputs.
    ///
    /// # Errors
    /// Only through a defect.
    pub fn inputs(&mut self) -> Result<Vec<Option<Wire>>, SpellError> {
        (0..self.len()).map(|index| self.optional(index)).collect()
    }

    /// The tensor of a value of the graph, in the order that this node reads.
    ///
    /// # Errors
    /// Only through a defect.
    pub fn of(&mut self, id: ValueId) -> Result<Wire, SpellError> {
        let graph = self.sheet.graph;
        let rank = graph.ty(id).rank();
        let tensor = match &self.within {
            Some(perm) if perm.len() == rank => self.sheet.fetch(id, Some(&perm.clone()))?,
            Some(perm)
                if self.sunk
                    && matches!(graph.value(id).def, Def::Const(_))
                    && rank < perm.len() =>
            {
                self.sheet.fetch_spread(id, &perm.clone())?
            }
            _ => self.sheet.fetch(id, Some(&identity(rank)))?,
        };
        self.numbers(tensor)
    }

    /// Input `index` with its axes as the graph has them.
    ///
    /// # Errors
    /// When it is missing.
    pub fn plain(&mut self, index: usize) -> Result<Wire, SpellError> {
        let id = self.value(index).ok_or_else(|| missing(index))?;
        let own = identity(self.sheet.graph.ty(id).rank());
        let tensor = self.sheet.fetch(id, Some(&own))?;
        self.numbers(tensor)
    }

    /// Input `index` permuted: axis `i` of the result is axis `perm[i]` of the graph's value.
    ///
    /// # Errors
    /// When it is missing.
    pub fn permuted(&mut self, index: usize, perm: &[usize]) -> Result<Wire, SpellError> {
        let id = self.value(index).ok_or_else(|| missing(index))?;
        let tensor = self.sheet.fetch(id, Some(&inverse(perm)))?;
        self.numbers(tensor)
    }

    /// The real numbers of a tensor where the format keeps them apart.
    fn numbers(&mut self, tensor: usize) -> Result<Wire, SpellError> {
        let ty = self.sheet.types[tensor].clone();
        let Some(quant) = ty.quant.as_ref().filter(|_| ty.is_quantized()) else {
            return Ok(Wire(tensor));
        };
        if self.is_tflite() || self.stored {
            return Ok(Wire(tensor));
        }
        if let Some(&real) = self.sheet.real.get(&tensor) {
            return Ok(Wire(real));
        }
        if ty.dtype == DType::I64 {
            return self.real_list(tensor, &ty, quant);
        }
        let real = self.sheet.tensor("", TensorType::new(DType::F32, ty.dims.iter().cloned()));
        let (inputs, attrs) = self.scale(tensor, &ty, quant)?;
        self.sheet.push("DequantizeLinear", inputs, vec![Some(real)], attrs);
        self.sheet.real.insert(tensor, real);
        Ok(Wire(real))
    }

    /// A constant list of i64, which no operator of ONNX dequantizes, as real numbers.
    fn real_list(
        &mut self,
        tensor: usize,
        ty: &TensorType,
        quant: &Quant,
    ) -> Result<Wire, SpellError> {
        let refused = || SpellError::none("ONNX does not dequantize i64");
        let (data, dims) = (self.sheet.tensors[tensor].data.as_ref(), ty.known_dims());
        let (data, dims) = data.zip(dims).ok_or_else(refused)?;
        if 1 < dims.len() || quant.scales.is_empty() || quant.zero_points.iter().any(|&z| z != 0) {
            return Err(refused());
        }
        let stored = data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
        let scales = quant.scales.iter().cycle();
        let real: Vec<f32> =
            stored.zip(scales).map(|(q, &s)| (q as f64 * f64::from(s)) as f32).collect();
        Ok(self.constant(Const::from_f32(&dims, &real)))
    }

    /// Inputs and attributes of ONNX's quantization of `tensor`.
    fn scale(
        &mut self,
        tensor: usize,
        ty: &TensorType,
        quant: &Quant,
    ) -> Result<(Vec<Option<usize>>, Vec<(String, AttrValue)>), SpellError> {
        let count = quant.scales.len();
        let dims: Vec<usize> = quant.axis.map(|_| count).into_iter().collect();
        let scale = self.sheet.new_constant(Const::from_f32(&dims, &quant.scales));
        let mut inputs = vec![Some(tensor), Some(scale)];
        // Tensors of i32 have none.
        if !matches!(ty.dtype, DType::I8 | DType::U8 | DType::I16 | DType::U16 | DType::I32) {
            return Err(SpellError::none(format!("ONNX does not quantize to {}", ty.dtype)));
        }
        if ty.dtype != DType::I32 {
            let size = ty.dtype.size();
            let each =
                quant.zero_points.iter().flat_map(|zero| zero.to_le_bytes()[..size].to_vec());
            let bytes: Vec<u8> = each.collect();
            let wrong = || SpellError::Bug("there are not as many zero points as scales".into());
            let zero = Const::new(ty.dtype, dims, bytes).ok_or_else(wrong)?;
            inputs.push(Some(self.sheet.new_constant(zero)));
        } else if quant.zero_points.iter().any(|&zero| zero != 0) {
            return Err(SpellError::none("ONNX has no zero points of i32"));
        }
        let axis = quant.axis.map(|axis| ("axis".to_owned(), AttrValue::Int(axis as i64)));
        Ok((inputs, axis.into_iter().collect()))
    }

    /// A constant.
    pub fn constant(&mut self, data: Const) -> Wire {
        Wire(self.sheet.new_constant(data))
    }

    /// A constant whose integers stand for real numbers, as TFLite stores it.
    pub fn quantized(&mut self, data: Const, quant: Quant) -> Wire {
        let ty = data.ty().with_quant(Some(quant));
        let shifted = self.sheet.is_shifted(&ty);
        let flip = if shifted { 0x80 } else { 0 };
        let bytes: Vec<u8> = data.data.iter().map(|byte| byte ^ flip).collect();
        Wire(self.sheet.stored_constant("", ty, bytes.into()))
    }

    /// A constant input under another quantization.
    ///
    /// # Errors
    /// When the input is missing.
    pub fn requantified(&mut self, index: usize, quant: Quant) -> Result<Wire, SpellError> {
        let Some(data) = self.operand(index)?.data else { return self.input(index) };
        Ok(self.quantized(data.clone(), quant))
    }

    /// A constant of integers as the real numbers that they stand for under `quant` (ONNX).
    ///
    /// # Errors
    /// When the input is missing.
    pub fn real_constant(&mut self, index: usize, quant: &Quant) -> Result<Wire, SpellError> {
        let Some(data) = self.operand(index)?.data else { return self.input(index) };
        let ty = data.ty().with_quant(Some(quant.clone()));
        let tensor = self.sheet.stored_constant("", ty, data.data.to_vec().into());
        self.numbers(tensor)
    }

    /// An f32 number.
    pub fn number(&mut self, value: f32) -> Wire {
        self.constant(Const::from_f32(&[], &[value]))
    }

    /// Whole numbers as the format takes shapes and axes: i64 in ONNX, i32 in TFLite.
    ///
    /// # Errors
    /// When one does not fit i32 in TFLite.
    pub fn list(&mut self, values: &[i64]) -> Result<Wire, SpellError> {
        if !self.is_tflite() {
            return Ok(self.constant(Const::from_i64(&[values.len()], values)));
        }
        Ok(self.constant(Const::from_i32(&[values.len()], &narrow(values)?)))
    }

    /// One whole number of rank 0, as [`Speller::list`].
    ///
    /// # Errors
    /// As [`Speller::list`].
    pub fn index(&mut self, value: i64) -> Result<Wire, SpellError> {
        if !self.is_tflite() {
            return Ok(self.constant(Const::from_i64(&[], &[value])));
        }
        Ok(self.constant(Const::from_i32(&[], &narrow(&[value])?)))
    }

    /// The type of a tensor.
    pub fn type_of(&self, wire: Wire) -> &TensorType {
        &self.sheet.types[wire.0]
    }

    /// A foreign node with one result of a type, which further nodes read.
    pub fn step(
        &mut self,
        op: &str,
        inputs: &[Wire],
        attrs: Vec<Attribute>,
        ty: TensorType,
    ) -> Wire {
        let result = self.sheet.tensor("", ty);
        let inputs = inputs.iter().map(|wire| Some(wire.0)).collect();
        self.sheet.push(op, inputs, vec![Some(result)], owned(attrs));
        Wire(result)
    }

    /// A foreign node with several results.
    pub fn steps<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[Wire],
        attrs: Vec<Attribute>,
        types: [TensorType; N],
    ) -> [Wire; N] {
        let results = types.map(|ty| Wire(self.sheet.tensor("", ty)));
        let inputs = inputs.iter().map(|wire| Some(wire.0)).collect();
        let outputs = results.iter().map(|wire| Some(wire.0)).collect();
        self.sheet.push(op, inputs, outputs, owned(attrs));
        results
    }

    /// Pairs of whole numbers as TFLite takes them.
    ///
    /// # Errors
    /// As [`Speller::list`].
    pub fn pairs(&mut self, values: &[i64]) -> Result<Wire, SpellError> {
        Ok(self.constant(Const::from_i32(&[values.len() / 2, 2], &narrow(values)?)))
    }

    /// Axis `i` of the result is axis `perm[i]`.
    pub fn transposed(&mut self, wire: Wire, perm: &[usize]) -> Wire {
        Wire(self.sheet.transposed(wire.0, perm))
    }

    /// The node as an operator that runs along the last axis only, transposed there and back.
    ///
    /// # Errors
    /// When the result cannot be written.
    pub fn along_last(
        &mut self,
        axis: usize,
        last: usize,
        x: Wire,
        (op, attrs): (&str, Vec<Attribute>),
    ) -> Result<(), SpellError> {
        if axis == last {
            return self.emit(op, &[Some(x)], attrs);
        }
        let mut perm = identity(last + 1);
        perm.swap(axis, last);
        let there = self.transposed(x, &perm);
        let ty = permuted(&self.out(0)?, &perm);
        let result = self.step(op, &[there], attrs, ty);
        let back = self.transposed(result, &perm);
        self.give(back)
    }

    /// A tensor of the same content under known dimensions.
    ///
    /// # Errors
    /// As [`Speller::list`].
    pub fn reshaped(&mut self, wire: Wire, dims: Vec<Dim>) -> Result<Wire, SpellError> {
        let ty = self.type_of(wire).with_dims(dims.clone());
        let shape = self.target(&dims)?;
        if self.is_tflite() {
            return Ok(self.step("RESHAPE", &[wire, shape], Vec::new(), ty));
        }
        let zero = dims.contains(&Dim::Known(0)).then(|| flag("allowzero", true));
        Ok(self.step("Reshape", &[wire, shape], zero.into_iter().collect(), ty))
    }

    /// The node itself: its results are the node's.
    ///
    /// # Errors
    /// When a result cannot be written.
    pub fn emit(
        &mut self,
        op: &str,
        inputs: &[Option<Wire>],
        attrs: Vec<Attribute>,
    ) -> Result<(), SpellError> {
        self.emit_some(op, inputs, attrs, self.outputs())
    }

    /// As [`Speller::emit`], with the node's first `count` results only.
    ///
    /// # Errors
    /// When a result cannot be written.
    pub fn emit_some(
        &mut self,
        op: &str,
        inputs: &[Option<Wire>],
        attrs: Vec<Attribute>,
        count: usize,
    ) -> Result<(), SpellError> {
        let mut outputs = Vec::with_capacity(count);
        let mut rounded = Vec::new();
        for index in 0..count {
            let ty = self.out(index)?;
            let name = self.name(index);
            let apart = ty.is_quantized() && !self.is_tflite() && !self.stored;
            let tensor = if apart {
                let real = TensorType::new(DType::F32, ty.dims.iter().cloned());
                let real = self.sheet.tensor("", real);
                rounded.push((index, real));
                real
            } else {
                let tensor = self.sheet.tensor(&name, ty);
                self.yields(index, Wire(tensor));
                tensor
            };
            outputs.push(Some(tensor));
        }
        let mut inputs: Vec<_> = inputs.iter().map(|wire| wire.map(|wire| wire.0)).collect();
        // What is left out at the end is not there.
        inputs.truncate(inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
        self.sheet.push(op, inputs, outputs, owned(attrs));
        for (index, real) in rounded {
            self.round(index, Wire(real))?;
        }
        Ok(())
    }

    fn name(&self, index: usize) -> String {
        let value = self.node.outputs.get(index).map(|&id| self.sheet.graph.value(id));
        value.map_or_else(String::new, |value| value.name.clone())
    }

    /// Output `index` is a tensor of the right type.
    pub fn yields(&mut self, index: usize, wire: Wire) {
        let Some(&id) = self.node.outputs.get(index) else { return };
        let rank = self.sheet.graph.ty(id).rank();
        let perm = match &self.without {
            Some(perm) if perm.len() == rank => perm.clone(),
            _ => identity(rank),
        };
        if !self.sheet.has(id, &perm) {
            self.sheet.show(id, perm, wire.0);
        }
    }

    /// Output `index` is what real numbers become under its quantization (ONNX).
    ///
    /// # Errors
    /// When ONNX does not quantize to its type.
    pub fn round(&mut self, index: usize, real: Wire) -> Result<(), SpellError> {
        let ty = self.out(index)?;
        if !matches!(ty.dtype, DType::I8 | DType::U8 | DType::I16 | DType::U16) {
            return Err(SpellError::none(format!("ONNX does not quantize to {}", ty.dtype)));
        }
        let Some(quant) = ty.quant.clone() else {
            return Err(SpellError::Bug("the result has no quantization".to_owned()));
        };
        let name = self.name(index);
        let tensor = self.sheet.tensor(&name, ty.clone());
        let (mut inputs, attrs) = self.scale(tensor, &ty, &quant)?;
        inputs[0] = Some(real.0);
        self.sheet.push("QuantizeLinear", inputs, vec![Some(tensor)], attrs);
        self.sheet.unrounded.insert(tensor, real.0);
        self.yields(index, Wire(tensor));
        Ok(())
    }

    /// The only output is a tensor whose numbers are the node's result, rounded where the format
    /// keeps rounding apart.
    ///
    /// # Errors
    /// As [`Speller::round`].
    pub fn give(&mut self, wire: Wire) -> Result<(), SpellError> {
        let ty = self.out(0)?;
        if ty.is_quantized() && !self.is_tflite() && !self.stored {
            return self.round(0, wire);
        }
        self.yields(0, wire);
        Ok(())
    }

    /// The real numbers of input 0 before they were rounded, if the node is their only reader and
    /// its result is quantized alike (ONNX).
    pub fn unrounded(&mut self) -> Result<Wire, SpellError> {
        if self.is_tflite() || !self.is_quantized(0) || !self.is_only_reader() {
            return self.input(0);
        }
        self.stored = true;
        let stored = self.input(0);
        self.stored = false;
        match self.sheet.unrounded.get(&stored?.0) {
            Some(&real) => Ok(Wire(real)),
            None => self.input(0),
        }
    }

    fn is_only_reader(&self) -> bool {
        let (Some(x), Some(&y)) = (self.value(0), self.node.outputs.first()) else { return false };
        let graph = self.sheet.graph;
        self.sheet.uses[x.index()] == 1 && graph.ty(x).quant == graph.ty(y).quant
    }

    /// Makes an activation part of the node that writes input 0 (TFLite); whether that can be done.
    ///
    /// # Errors
    /// Only through a defect.
    pub fn fuse(&mut self, activation: &str) -> Result<bool, SpellError> {
        const KEY: &str = "fused_activation_function";
        if !self.is_only_reader() {
            return Ok(false);
        }
        let x = self.input(0)?;
        let writer = self.sheet.nodes.iter_mut().rev().find(|node| node.outputs == [Some(x.0)]);
        let attr = writer.and_then(|node| node.attrs.iter_mut().find(|(key, _)| key == KEY));
        match attr {
            Some((_, value)) if *value == AttrValue::Text("NONE".to_owned()) => {
                *value = AttrValue::Text(activation.to_owned());
                self.yields(0, x);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The node under its names in both formats, with all its inputs and without attributes.
    ///
    /// # Errors
    /// When it has no name in the format (an empty one).
    pub fn plainly(&mut self, onnx: &str, tflite: &str) -> Result<(), SpellError> {
        let name = self.named(onnx, tflite)?.to_owned();
        let inputs = self.inputs()?;
        self.emit(&name, &inputs, Vec::new())
    }

    /// Of two names that of the format.
    ///
    /// # Errors
    /// When it is empty.
    pub fn named<'n>(&self, onnx: &'n str, tflite: &'n str) -> Result<&'n str, SpellError> {
        let (name, format) = if self.is_tflite() { (tflite, "TFLite") } else { (onnx, "ONNX") };
        if name.is_empty() {
            return Err(SpellError::none(format!("{format} has no such operator")));
        }
        Ok(name)
    }

    /// What only TFLite's own operators say.
    ///
    /// # Errors
    /// Always in ONNX.
    pub fn only_tflite(&self) -> Result<(), SpellError> {
        self.named("", "any").map(|_| ())
    }

    /// What only ONNX says.
    ///
    /// # Errors
    /// Always in TFLite.
    pub fn only_onnx(&self) -> Result<(), SpellError> {
        self.named("any", "").map(|_| ())
    }

    pub(super) fn sheet(&mut self) -> &mut Sheet<'s, 'm> {
        self.sheet
    }
}

fn missing(index: usize) -> SpellError {
    SpellError::Bug(format!("input {index} is missing"))
}

fn owned(attrs: Vec<Attribute>) -> Vec<(String, AttrValue)> {
    attrs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn narrow(values: &[i64]) -> Result<Vec<i32>, SpellError> {
    let too_large = |_| SpellError::none("a number is too large for TFLite");
    values.iter().map(|&value| i32::try_from(value).map_err(too_large)).collect()
}

/// An integer attribute.
pub fn int(name: &'static str, value: impl TryInto<i64>) -> Attribute {
    (name, AttrValue::Int(value.try_into().unwrap_or(i64::MAX)))
}

/// A truth value.
pub fn flag(name: &'static str, value: bool) -> Attribute {
    (name, AttrValue::Int(value.into()))
}

/// A real attribute.
pub fn float(name: &'static str, value: f32) -> Attribute {
    (name, AttrValue::Float(value))
}

/// A text, or an enumeration by name.
pub fn text(name: &'static str, value: &str) -> Attribute {
    (name, AttrValue::Text(value.to_owned()))
}

/// A list of integers.
pub fn ints(name: &'static str, values: impl IntoIterator<Item = i64>) -> Attribute {
    (name, AttrValue::Ints(values.into_iter().collect()))
}

/// TFLite's activation that is part of an operator, at first none.
pub fn no_activation() -> Attribute {
    text("fused_activation_function", "NONE")
}
