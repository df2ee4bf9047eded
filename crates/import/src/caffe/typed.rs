//! One tree for both forms of a Caffe file: fields by name, values by the kinds of `schema`.

use std::borrow::Cow;

use crate::caffe::schema::{FieldDef, Kind, LAYER, MessageDef};
use crate::error::{ReadError, shown};
use crate::limits::Budget;
use crate::wire::{protobuf, prototxt};

/// A message. Fields of [`Kind::Skip`] are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message<'a> {
    /// In the order of the file; `repeated` ones stand once per element.
    pub fields: Vec<(&'a str, Value<'a>)>,
    /// The elements of the bulk field as little-endian f32.
    pub bulk: Option<Box<Cow<'a, [u8]>>>,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// An integer, or a truth value as 0 or 1.
    Int(i64),
    /// A real number.
    Real(f32),
    /// A text, or an enumerator by name.
    Text(Cow<'a, str>),
    /// A message.
    Message(Message<'a>),
    /// Uninterpreted.
    Bytes(&'a [u8]),
    /// A field of a binary file whose number the schema lacks.
    Unknown(u32),
}

impl<'a> Message<'a> {
    /// The values of the fields of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Value<'a>> {
        self.fields.iter().filter(move |(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The last value of this name, which is the one that counts for a field that is not repeated.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.fields.iter().rev().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The integer of this name.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The integers of this name.
    pub fn ints(&self, name: &str) -> Vec<i64> {
        let ints = self.all(name).filter_map(|value| match value {
            Value::Int(value) => Some(*value),
            _ => None,
        });
        ints.collect()
    }

    /// The real number of this name.
    pub fn real(&self, name: &str) -> Option<f32> {
        match self.get(name)? {
            Value::Real(value) => Some(*value),
            _ => None,
        }
    }

    /// The real numbers of this name.
    pub fn reals(&self, name: &str) -> Vec<f32> {
        let reals = self.all(name).filter_map(|value| match value {
            Value::Real(value) => Some(*value),
            _ => None,
        });
        reals.collect()
    }

    /// The text or enumerator of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of this name.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all(name).filter_map(|value| match value {
            Value::Text(text) => Some(text.as_ref()),
            _ => None,
        })
    }

    /// The message of this name.
    pub fn message(&self, name: &str) -> Option<&Self> {
        self.messages(name).last()
    }

    /// The messages of this name.
    pub fn messages(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.all(name).filter_map(|value| match value {
            Value::Message(message) => Some(message),
            _ => None,
        })
    }

    fn push(
        &mut self,
        name: &'a str,
        value: Value<'a>,
        budget: &mut Budget<'_>,
    ) -> Result<(), ReadError> {
        // A list that grows may have twice the room it needs.
        budget.items::<(&str, Value<'_>)>(2)?;
        self.fields.push((name, value));
        Ok(())
    }

    /// Adds elements to the bulk field; the first piece stays borrowed.
    fn push_floats(
        &mut self,
        piece: Cow<'a, [u8]>,
        budget: &mut Budget<'_>,
    ) -> Result<(), ReadError> {
        if let Cow::Owned(owned) = &piece {
            budget.items::<u8>(owned.len())?;
        }
        let Some(bulk) = &mut self.bulk else {
            self.bulk = Some(Box::new(piece));
            return Ok(());
        };
        if let Cow::Borrowed(bytes) = bulk.as_ref() {
            budget.items::<u8>(bytes.len().saturating_add(piece.len()))?;
        }
        bulk.to_mut().extend_from_slice(&piece);
        Ok(())
    }
}

/// Gives a text tree the kinds of `def`; without a schema, kinds follow from how values look.
///
/// # Errors
/// A known field holds something else than its schema says, or stands twice without being
/// `repeated`.
pub fn from_text<'a>(
    block: prototxt::Block<'a>,
    def: Option<&'static MessageDef>,
    budget: &mut Budget<'_>,
) -> Result<Message<'a>, ReadError> {
    // The block is as large already, and is freed as soon as it is read.
    let fields = Vec::with_capacity(block.fields.len());
    let mut message = Message { fields, bulk: None };
    for prototxt::Field { name, at, value } in block.fields {
        let place = || at.to_string();
        let field = def.and_then(|def| def.by_name(name));
        if field.is_some_and(|field| !field.many) && message.get(name).is_some() {
            return Err(ReadError::malformed(format!("`{name}` stands twice")).within(place));
        }
        let wrong = |due: &str| {
            ReadError::malformed(format!("`{}` needs {due}", shown(name))).within(place)
        };
        use prototxt::Value as Raw;
        let typed = match (field.map(|field| field.kind), value) {
            (Some(Kind::Skip), _) => continue,
            (Some(Kind::Message(inner)), Raw::Block(block)) => {
                Value::Message(from_text(block, Some(inner), budget)?)
            }
            (None, Raw::Block(block)) => Value::Message(from_text(block, None, budget)?),
            (Some(Kind::Message(_)), _) => return Err(wrong("a block, `{ ... }`")),
            (Some(Kind::Text) | None, Raw::Text(text)) => {
                budget.items::<u8>(text.len())?;
                Value::Text(text)
            }
            (Some(Kind::Text), _) => return Err(wrong("a text in quotes")),
            (Some(Kind::Int), Raw::Scalar(token)) => {
                Value::Int(prototxt::integer(&token).ok_or_else(|| wrong("an integer"))?)
            }
            (Some(Kind::Int), _) => return Err(wrong("an integer")),
            (Some(Kind::Bool), Raw::Scalar(token)) => {
                let truth = prototxt::boolean(&token);
                Value::Int(truth.ok_or_else(|| wrong("`true` or `false`"))?.into())
            }
            (Some(Kind::Bool), _) => return Err(wrong("`true` or `false`")),
            (Some(Kind::Real), Raw::Scalar(token)) => {
                let number = prototxt::real(&token).ok_or_else(|| wrong("a number"))?;
                Value::Real(number as f32)
            }
            (Some(Kind::Real), _) => return Err(wrong("a number")),
            (Some(Kind::Enum(names)), Raw::Scalar(token)) => match prototxt::integer(&token) {
                Some(number) => enumerator(names, number),
                None => Value::Text(token),
            },
            (Some(Kind::Enum(_)), _) => return Err(wrong("the name of a choice")),
            (Some(Kind::Floats | Kind::Doubles), Raw::Scalar(token)) => {
                let number = prototxt::real(&token).ok_or_else(|| wrong("a number"))?;
                let bytes = Cow::Owned((number as f32).to_le_bytes().to_vec());
                message.push_floats(bytes, budget)?;
                continue;
            }
            (Some(Kind::Floats | Kind::Doubles), _) => return Err(wrong("a number")),
            (Some(Kind::Bytes), _) => return Err(wrong("the binary form of the file")),
            (None, Raw::Scalar(token)) => guess(token),
        };
        message.push(name, typed, budget).map_err(|error| error.within(place))?;
    }
    Ok(message)
}

/// A value whose field no schema states.
fn guess(token: Cow<'_, str>) -> Value<'_> {
    if let Some(number) = prototxt::integer(&token) {
        return Value::Int(number);
    }
    if let Some(number) = prototxt::real(&token) {
        return Value::Real(number as f32);
    }
    match token.as_ref() {
        "true" => Value::Int(1),
        "false" => Value::Int(0),
        _ => Value::Text(token),
    }
}

fn enumerator<'a>(names: &[(&'static str, i64)], number: i64) -> Value<'a> {
    match names.iter().find(|(_, value)| *value == number) {
        Some((name, _)) => Value::Text(Cow::Borrowed(name)),
        None => Value::Int(number),
    }
}

/// Reads a binary message by `def`.
///
/// # Errors
/// The encoding is broken, or a field has another wire type than its schema says.
pub fn from_binary<'a>(
    wire: protobuf::Message<'a>,
    def: &'static MessageDef,
    budget: &mut Budget<'_>,
) -> Result<Message<'a>, ReadError> {
    let layer = match def.by_type.is_empty() {
        true => Cow::Borrowed(""),
        false => layer_type(wire.clone())?,
    };
    let mut wire = wire;
    let mut message = Message::default();
    while let Some(field) = wire.next_field()? {
        match def.by_number(field.number, &layer) {
            Some(known) => read_field(&field, known, &mut message, budget)?,
            None if def.partial => {}
            None => message.push("?", Value::Unknown(field.number), budget)?,
        }
    }
    Ok(message)
}

fn read_field<'a>(
    field: &protobuf::Field<'a>,
    def: &'static FieldDef,
    message: &mut Message<'a>,
    budget: &mut Budget<'_>,
) -> Result<(), ReadError> {
    let name = def.name;
    match def.kind {
        Kind::Skip => Ok(()),
        Kind::Message(inner) => {
            let inner = from_binary(field.message()?, inner, budget)?;
            message.push(name, Value::Message(inner), budget)
        }
        Kind::Text => {
            let text = String::from_utf8_lossy(field.bytes()?);
            budget.items::<u8>(text.len())?;
            message.push(name, Value::Text(text), budget)
        }
        Kind::Int => field.for_each_int(|number| message.push(name, Value::Int(number), budget)),
        Kind::Bool => message.push(name, Value::Int(field.bool()?.into()), budget),
        Kind::Enum(names) => message.push(name, enumerator(names, field.int()?), budget),
        Kind::Real => {
            for number in field.floats()? {
                message.push(name, Value::Real(number), budget)?;
            }
            Ok(())
        }
        Kind::Bytes => message.push(name, Value::Bytes(field.bytes()?), budget),
        Kind::Floats => {
            let piece = match field.value {
                protobuf::Value::Bytes(bytes) => {
                    // Refuses lengths that are no multiple of four.
                    let _ = field.floats()?;
                    Cow::Borrowed(bytes)
                }
                _ => Cow::Owned(field.floats()?.flat_map(f32::to_le_bytes).collect()),
            };
            message.push_floats(piece, budget)
        }
        Kind::Doubles => {
            let numbers = field.doubles()?;
            budget.items::<f32>(numbers.len())?;
            let bytes: Vec<u8> = numbers.flat_map(|number| (number as f32).to_le_bytes()).collect();
            message.push_floats(Cow::Owned(bytes), budget)
        }
    }
}

/// The type of a layer, wherever it stands in its message.
fn layer_type(mut wire: protobuf::Message<'_>) -> Result<Cow<'_, str>, ReadError> {
    let number = LAYER.by_name("type").map_or(0, |field| field.number);
    let mut found = Cow::Borrowed("");
    while let Some(field) = wire.next_field()? {
        if field.number == number {
            found = String::from_utf8_lossy(field.bytes()?);
        }
    }
    Ok(found)
}
