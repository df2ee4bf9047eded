//! `AttributeProto`.

use embarca_ir::foreign::AttrValue;

use super::graph::Reader;
use super::tensor;
use crate::error::{ReadError, shown};
use crate::wire::protobuf::{Field, Message};

/// Fields of `AttributeProto`.
mod attribute_fields {
    pub const NAME: u32 = 1;
    pub const F: u32 = 2;
    pub const I: u32 = 3;
    pub const S: u32 = 4;
    pub const T: u32 = 5;
    pub const G: u32 = 6;
    pub const FLOATS: u32 = 7;
    pub const INTS: u32 = 8;
    pub const STRINGS: u32 = 9;
    pub const TP: u32 = 14;
    pub const TYPE: u32 = 20;
    pub const REF_ATTR_NAME: u32 = 21;
    pub const SPARSE_TENSOR: u32 = 22;
}

/// The field that holds the value of an attribute of `AttributeType` `kind`.
fn value_field(kind: i64) -> Option<u32> {
    Some(match kind {
        1 => attribute_fields::F,
        2 => attribute_fields::I,
        3 => attribute_fields::S,
        4 => attribute_fields::T,
        5 => attribute_fields::G,
        6 => attribute_fields::FLOATS,
        7 => attribute_fields::INTS,
        8 => attribute_fields::STRINGS,
        11 => attribute_fields::SPARSE_TENSOR,
        13 => attribute_fields::TP,
        _ => return None,
    })
}

/// An attribute, not yet interpreted.
#[derive(Clone, Debug)]
pub(super) struct Attribute<'a> {
    pub name: &'a str,
    /// The attribute of the calling node that stands here; empty where it is stated.
    pub reference: &'a str,
    message: Message<'a>,
    /// Which field holds the value.
    value: u32,
}

impl<'a> Attribute<'a> {
    /// Finds the name and the kind.
    ///
    /// # Errors
    /// A broken message, or a kind that is not read.
    pub fn new(message: Message<'a>) -> Result<Self, ReadError> {
        let (mut name, mut reference, mut kind) = ("", "", 0);
        let mut guess = None;
        let mut rest = message.clone();
        while let Some(field) = rest.next_field()? {
            match field.number {
                attribute_fields::NAME => name = field.text()?,
                attribute_fields::REF_ATTR_NAME => reference = field.text()?,
                attribute_fields::TYPE => kind = field.int()?,
                // Old files leave the type out.
                number @ (2..=11 | 14 | 15 | 22 | 23) => {
                    guess.get_or_insert(number);
                }
                _ => {}
            }
        }
        let value = match kind {
            0 => guess.unwrap_or(0),
            kind => value_field(kind).unwrap_or(0),
        };
        let is_read = value != 10 && value != 11 && value != 15 && value != 23 && value != 0;
        if !is_read && reference.is_empty() {
            let what = format!("attribute '{}' of type {kind}", shown(name));
            return Err(ReadError::unsupported(what));
        }
        Ok(Self { name, reference, message, value })
    }

    /// The same value under another name.
    pub fn named(&self, name: &'a str) -> Self {
        Self { name, ..self.clone() }
    }

    /// Whether the value is a graph.
    pub fn is_graph(&self) -> bool {
        self.value == attribute_fields::G
    }

    /// Bytes of weights in it, which are borrowed and cost nothing when they are read again.
    pub fn borrowed_bytes(&self) -> Result<u64, ReadError> {
        let mut bytes = 0;
        self.each(|field| {
            if field.number == attribute_fields::T {
                let mut tensor = field.message()?;
                while let Some(field) = tensor.next_field()? {
                    // `TensorProto.raw_data`
                    if field.number == 9 {
                        bytes += field.bytes()?.len() as u64;
                    }
                }
            }
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Calls `each` for every occurrence of the value's field.
    fn each(
        &self,
        mut each: impl FnMut(Field<'a>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut rest = self.message.clone();
        while let Some(field) = rest.next_field()? {
            if field.number == self.value {
                each(field)?;
            }
        }
        Ok(())
    }

    /// The last occurrence of the value's field, which is the one that counts.
    fn last(&self) -> Result<Option<Field<'a>>, ReadError> {
        let mut last = None;
        self.each(|field| {
            last = Some(field);
            Ok(())
        })?;
        Ok(last)
    }

    fn message(&self) -> Result<Message<'a>, ReadError> {
        match self.last()? {
            Some(field) => field.message(),
            None => Err(ReadError::malformed("the value is missing")),
        }
    }

    /// The value; a tensor or a graph becomes part of the model that `reader` builds.
    ///
    /// # Errors
    /// A broken value, over a limit, or anything wrong in the graph.
    pub fn read(&self, reader: &mut Reader<'a, '_, '_>) -> Result<AttrValue, ReadError> {
        Ok(match self.value {
            // A writer may leave out a value that is zero.
            attribute_fields::F => {
                AttrValue::Float(self.last()?.map_or(Ok(0.0), |field| field.float())?)
            }
            attribute_fields::I => AttrValue::Int(self.last()?.map_or(Ok(0), |field| field.int())?),
            attribute_fields::S => {
                let bytes = self.last()?.map_or(Ok(&[][..]), |field| field.bytes())?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => AttrValue::Text(reader.budget.text(text)?),
                    Err(_) => {
                        reader.budget.items::<u8>(bytes.len())?;
                        AttrValue::Bytes(bytes.to_vec())
                    }
                }
            }
            attribute_fields::T => {
                let constant =
                    tensor::read(self.message()?, &mut reader.files, &mut reader.budget)?;
                AttrValue::Tensor(reader.add_constant(constant)?)
            }
            attribute_fields::SPARSE_TENSOR => {
                let constant =
                    tensor::read_sparse(self.message()?, &mut reader.files, &mut reader.budget)?;
                AttrValue::Tensor(reader.add_constant(constant)?)
            }
            attribute_fields::G => AttrValue::Graph(reader.graph(self.message()?)?),
            attribute_fields::FLOATS => {
                let mut values = Vec::new();
                self.each(|field| {
                    let floats = field.floats()?;
                    reader.budget.longer_list::<f32>(values.len(), floats.len())?;
                    values.extend(floats);
                    Ok(())
                })?;
                AttrValue::Floats(values)
            }
            attribute_fields::INTS => {
                let mut values = Vec::new();
                self.each(|field| {
                    let count = field.count_uints()?;
                    reader.budget.longer_list::<i64>(values.len(), count)?;
                    field.for_each_int(|value| {
                        values.push(value);
                        Ok(())
                    })
                })?;
                AttrValue::Ints(values)
            }
            attribute_fields::STRINGS => {
                let mut values = Vec::new();
                self.each(|field| {
                    reader.budget.longer_list::<String>(values.len(), 1)?;
                    values.push(reader.budget.text(field.text()?)?);
                    Ok(())
                })?;
                AttrValue::Texts(values)
            }
            // A type, which only operators on sequences and optionals have: for them to judge.
            _ => {
                let bytes = self.last()?.map_or(Ok(&[][..]), |field| field.bytes())?;
                reader.budget.items::<u8>(bytes.len())?;
                AttrValue::Bytes(bytes.to_vec())
            }
        })
    }
}
