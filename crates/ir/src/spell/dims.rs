//! Dimensions as tensors: numbers where they are known, else computed from the inputs' shapes.

use embarca_num::DType;

use super::SpellError;
use super::layout::identity;
use super::speller::{Speller, Wire, int, ints};
use crate::dim::{Atom, Dim};
use crate::foreign::AttrValue;
use crate::ids::SymbolId;
use crate::types::TensorType;

impl Speller<'_, '_, '_> {
    /// The shape that a reshape asks for: one dimension may be left to it.
    ///
    /// # Errors
    /// When the shape cannot be computed in the format.
    pub fn target(&mut self, dims: &[Dim]) -> Result<Wire, SpellError> {
        let open = dims.iter().filter(|dim| dim.known().is_none()).count();
        // With a zero elsewhere, what is left is not defined.
        if open == 1 && !dims.contains(&Dim::Known(0)) {
            let numbers: Vec<i64> = dims.iter().map(|dim| dim.known().unwrap_or(-1)).collect();
            return self.list(&numbers);
        }
        self.shape(dims)
    }

    /// Dimensions as a list of numbers.
    ///
    /// # Errors
    /// When one is no expression over the inputs' dimensions.
    pub fn shape(&mut self, dims: &[Dim]) -> Result<Wire, SpellError> {
        let known: Option<Vec<i64>> = dims.iter().map(Dim::known).collect();
        if let Some(numbers) = known {
            return self.list(&numbers);
        }
        let mut parts = Vec::with_capacity(dims.len());
        for dim in dims {
            parts.push(self.size(dim)?);
        }
        if let [only] = parts[..] {
            return Ok(only);
        }
        let ty = TensorType::of(self.whole(), &[dims.len()]);
        let name = if self.is_tflite() { "CONCATENATION" } else { "Concat" };
        Ok(self.step(name, &parts, vec![int("axis", 0)], ty))
    }

    fn whole(&self) -> DType {
        if self.is_tflite() { DType::I32 } else { DType::I64 }
    }

    /// One dimension as a list of one number.
    fn size(&mut self, dim: &Dim) -> Result<Wire, SpellError> {
        let Dim::Expr(poly) = dim else {
            return self.list(&[dim.known().unwrap_or(0)]);
        };
        let mut sum: Option<Wire> = None;
        for (atoms, factor) in poly.terms() {
            let mut product =
                (atoms.is_empty() || *factor != 1).then(|| self.list(&[*factor])).transpose()?;
            for atom in atoms {
                let value = match atom {
                    Atom::Symbol(id) => self.symbol(*id)?,
                    Atom::FloorDiv(a, b) => self.pair("Div", "FLOOR_DIV", a, b)?,
                    Atom::Rem(a, b) => self.pair("Mod", "FLOOR_MOD", a, b)?,
                    Atom::Min(a, b) => self.pair("Min", "MINIMUM", a, b)?,
                    Atom::Max(a, b) => self.pair("Max", "MAXIMUM", a, b)?,
                    Atom::Unknown => {
                        return Err(SpellError::none("a dimension is not known"));
                    }
                };
                product = Some(match product {
                    Some(before) => self.combine("Mul", "MUL", before, value),
                    None => value,
                });
            }
            sum = match (sum, product) {
                (Some(before), Some(term)) => Some(self.combine("Add", "ADD", before, term)),
                (before, term) => before.or(term),
            };
        }
        sum.map_or_else(|| self.list(&[0]), Ok)
    }

    fn pair(&mut self, onnx: &str, tflite: &str, a: &Dim, b: &Dim) -> Result<Wire, SpellError> {
        let (a, b) = (self.size(a)?, self.size(b)?);
        Ok(self.combine(onnx, tflite, a, b))
    }

    fn combine(&mut self, onnx: &str, tflite: &str, a: Wire, b: Wire) -> Wire {
        let name = if self.is_tflite() { tflite } else { onnx };
        let ty = TensorType::of(self.whole(), &[1]);
        self.step(name, &[a, b], Vec::new(), ty)
    }

    /// The size that a symbol stands for, from an input that has it as a dimension.
    fn symbol(&mut self, id: SymbolId) -> Result<Wire, SpellError> {
        if let Some(&tensor) = self.sheet().symbols.get(&id) {
            return Ok(Wire(tensor));
        }
        let graph = self.sheet().graph;
        let place = graph.inputs.iter().find_map(|&input| {
            let dims = &graph.ty(input).dims;
            Some((input, dims.iter().position(|dim| dim.as_symbol() == Some(id))?))
        });
        let (input, axis) = place.ok_or_else(|| {
            SpellError::none(format!("no input has {} as a dimension", Dim::symbol(id)))
        })?;
        let rank = graph.ty(input).rank();
        let tensor = self.sheet().fetch(input, Some(&identity(rank)))?;
        let one = TensorType::of(self.whole(), &[1]);
        let size = if self.is_tflite() {
            let shape = TensorType::of(DType::I32, &[rank]);
            let attrs = vec![("out_type", AttrValue::Text("INT32".to_owned()))];
            let shape = self.step("SHAPE", &[Wire(tensor)], attrs, shape);
            let (begin, count) = (self.list(&[axis as i64])?, self.list(&[1])?);
            self.step("SLICE", &[shape, begin, count], Vec::new(), one)
        } else {
            let attrs = vec![int("start", axis), int("end", axis + 1)];
            self.step("Shape", &[Wire(tensor)], attrs, one)
        };
        self.sheet().symbols.insert(id, size.0);
        Ok(size)
    }

    /// Axes as the input or attribute of a foreign node.
    pub fn axes(&self, axes: &[usize]) -> Vec<i64> {
        axes.iter().map(|&axis| axis as i64).collect()
    }

    /// The dimensions of a window as an attribute.
    pub fn sizes(&self, name: &'static str, sizes: &[usize]) -> super::speller::Attribute {
        ints(name, self.axes(sizes))
    }
}
