//! A layer's parameters as attributes.

use std::collections::{HashMap, HashSet};

use embarca_ir::foreign::AttrValue;

use crate::caffe::schema::{self, Kind, LAYER, MessageDef, SHAPE};
use crate::caffe::typed::{Message, Value};
use crate::caffe::upgrade::Layer;
use crate::error::{ReadError, shown};
use crate::limits::Budget;

/// Parameters that say how training begins or which library computes: no attributes.
const IDLE: [&str; 6] =
    ["engine", "filler", "weight_filler", "bias_filler", "scale_filler", "transform_param"];

/// The attributes of a layer, as the header of [`crate::caffe`] describes them.
///
/// # Errors
/// Two messages give the same attribute, a list mixes numbers and texts, or a binary file holds a
/// field that the schema lacks.
pub fn attrs(
    layer: &Layer<'_>,
    budget: &mut Budget<'_>,
) -> Result<Vec<(String, AttrValue)>, ReadError> {
    let mut attrs = Attrs { list: Vec::new(), taken: HashSet::new(), budget };
    let own = schema::params_of(&layer.kind);
    // Caffe reads only the message of the layer's own type; one that it does not know at all may
    // belong to a branch that extends the type.
    let counts = |name: &str, value: &Value<'_>| match (own, value) {
        (Some(own), Value::Message(_)) => own.contains(&name) || LAYER.by_name(name).is_none(),
        _ => true,
    };
    let fields = layer.params.fields.iter().filter(|(name, value)| counts(name, value));
    attrs.add(fields, Some(&LAYER))?;
    Ok(attrs.list)
}

/// Bytes that grouping takes for each name: the entries of a map and two lists.
const PER_NAME: u64 = 160;

struct Attrs<'b, 'l> {
    list: Vec<(String, AttrValue)>,
    taken: HashSet<String>,
    budget: &'b mut Budget<'l>,
}

impl Attrs<'_, '_> {
    /// Adds the fields of one message, in the order in which each name first stands.
    fn add<'m, 'a: 'm>(
        &mut self,
        fields: impl Iterator<Item = &'m (&'a str, Value<'a>)>,
        def: Option<&'static MessageDef>,
    ) -> Result<(), ReadError> {
        let mut order: Vec<(&str, Vec<&Value<'_>>)> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (name, value) in fields.filter(|(name, _)| !IDLE.contains(name)) {
            self.budget.items::<&Value<'_>>(1)?;
            let at = match index.get(name) {
                Some(&at) => at,
                None => {
                    self.budget.bytes(PER_NAME)?;
                    order.push((name, Vec::new()));
                    index.insert(name, order.len() - 1);
                    order.len() - 1
                }
            };
            if let Some((_, values)) = order.get_mut(at) {
                values.push(value);
            }
        }
        for (name, values) in order {
            let field = def.and_then(|def| def.by_name(name));
            let inner = match field.map(|field| field.kind) {
                Some(Kind::Message(inner)) => Some(inner),
                _ => None,
            };
            let is_shape = inner.is_some_and(|inner| std::ptr::eq(inner, &SHAPE));
            match values.as_slice() {
                [Value::Message(shape)] if is_shape => {
                    let dims = shape.ints("dim");
                    self.budget.list::<i64>(dims.len())?;
                    self.push(name, AttrValue::Ints(dims))?;
                }
                [.., Value::Message(_)] => {
                    for value in values {
                        if let Value::Message(message) = value {
                            self.add(message.fields.iter(), inner)?;
                        }
                    }
                }
                values => {
                    let many = field.map_or(1 < values.len(), |field| field.many);
                    let value = attribute(values, many)
                        .map_err(|error| error.within(|| format!("parameter '{}'", shown(name))))?;
                    self.push(name, value)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, name: &str, value: AttrValue) -> Result<(), ReadError> {
        self.budget.items::<(String, AttrValue)>(1)?;
        let name = self.budget.text(name)?;
        if !self.taken.insert(name.clone()) {
            let what = format!("two messages of parameters give `{}`", shown(&name));
            return Err(ReadError::unsupported(what));
        }
        self.list.push((name, value));
        Ok(())
    }
}

/// One attribute from the values that stand under one name.
fn attribute(values: &[&Value<'_>], many: bool) -> Result<AttrValue, ReadError> {
    let last = values.last().copied();
    if let Some(number) = values.iter().find_map(|value| match value {
        Value::Unknown(number) => Some(number),
        _ => None,
    }) {
        let what = format!(
            "field {number} of the binary file is of a branch of Caffe that Embarca does not \
             know: pass the prototxt too"
        );
        return Err(ReadError::unsupported(what));
    }
    if !many {
        return Ok(match last {
            Some(Value::Real(value)) => AttrValue::Float(*value),
            Some(Value::Text(text)) => AttrValue::Text(text.to_string()),
            Some(Value::Int(value)) => AttrValue::Int(*value),
            _ => return Err(ReadError::malformed("no single value")),
        });
    }
    let ints = values.iter().map(|value| match value {
        Value::Int(value) => Some(*value),
        _ => None,
    });
    if let Some(ints) = ints.collect() {
        return Ok(AttrValue::Ints(ints));
    }
    let reals = values.iter().map(|value| match value {
        Value::Int(value) => Some(*value as f32),
        Value::Real(value) => Some(*value),
        _ => None,
    });
    if let Some(reals) = reals.collect() {
        return Ok(AttrValue::Floats(reals));
    }
    let texts = values.iter().map(|value| match value {
        Value::Text(text) => Some(text.to_string()),
        _ => None,
    });
    match texts.collect() {
        Some(texts) => Ok(AttrValue::Texts(texts)),
        None => Err(ReadError::malformed("a list mixes numbers and texts")),
    }
}

/// The one message of parameters that `layer` reads, empty when the file has none.
pub fn own_param<'m, 'a>(layer: &'m Layer<'a>, empty: &'m Message<'a>) -> &'m Message<'a> {
    let names = schema::params_of(&layer.kind).unwrap_or_default();
    names.iter().find_map(|name| layer.params.message(name)).unwrap_or(empty)
}
