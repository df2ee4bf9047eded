//! Lookup: any function from i8 to i8, as a table.
//!
//! What becomes of a dequantization, an operator on each element and a quantization.

use super::elementwise;
use super::prelude::*;
use crate::attr::{Attr, Field};

crate::payload! {
    /// A function of each stored integer; the table knows both quantizations.
    pub struct Lookup {
        /// The results for -128 to 127, in this order.
        pub table: Table,
    }
}

/// 256 results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(pub Box<[i8; 256]>);

impl Field for Table {
    /// Two hexadecimal digits for each byte.
    fn write(&self) -> Attr {
        Attr::Word(self.0.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn read(attr: &Attr) -> Option<Self> {
        let Attr::Word(word) = attr else { return None };
        let (pairs, rest) = word.as_bytes().as_chunks::<2>();
        if pairs.len() != 256 || !rest.is_empty() {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let mut table = Box::new([0; 256]);
        for (entry, &[high, low]) in table.iter_mut().zip(pairs) {
            *entry = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?.cast_signed();
        }
        Some(Self(table))
    }
}

impl OpDef for Lookup {
    const NAME: &'static str = "lookup";

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        if inputs.get(0)?.ty.dtype != DType::I8 {
            return Err(ShapeError::new("a table has entries for i8 only"));
        }
        same_as_input(inputs)
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        sink_elementwise(self.clone(), perm)
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        let from = s.ty(0)?.clone();
        let places = TensorType::new(DType::I32, s.type_of(x).dims.iter().cloned());
        let attrs = if s.is_tflite() {
            let from = if s.is_unsigned(0)? { "UINT8" } else { "INT8" };
            vec![text("in_data_type", from), text("out_data_type", "INT32")]
        } else {
            vec![int("to", DType::I32.code())]
        };
        let name = s.named("Cast", "CAST")?;
        let mut place = s.step(name, &[x], attrs, places.clone());
        if from.dtype == DType::I8 && !s.is_unsigned(0)? {
            let offset = s.constant(Const::from_i32(&[], &[128]));
            let add = s.named("Add", "ADD")?;
            place = s.step(add, &[place, offset], Vec::new(), places);
        }
        let table = Const::from_i8(&[256], &*self.table.0);
        let ty = s.out(0)?;
        let table = match ty.quant {
            Some(quant) if s.is_tflite() => s.quantized(table, quant),
            _ => s.constant(table),
        };
        let name = s.named("Gather", "GATHER")?;
        s.emit(name, &[Some(table), Some(place)], vec![int("axis", 0)])
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(elementwise::lower_table(|x| self.table.0[(i16::from(x) + 128) as usize]))
    }
}
