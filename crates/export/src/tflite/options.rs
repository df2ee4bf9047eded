//! The options of an operator, as the table that it carries.

use embarca_import::tflite::options::{Kind, TYPES, Union, fields};
use embarca_import::tflite::schema::node;
use embarca_import::wire::flat_writer::Fb;
use embarca_ir::foreign::{AttrValue, ForeignNode};

use crate::error::ExportError;

/// The fields of `Operator` that hold a node's options.
///
/// # Errors
/// An attribute that the schema does not know, or of another kind: a dossier's defect.
pub fn write<'m>(union: Union, item: &ForeignNode) -> Result<[(usize, Fb<'m>); 2], ExportError> {
    let known = fields(union);
    let mut table = Vec::with_capacity(item.attrs.len());
    for (name, value) in &item.attrs {
        let field = known
            .iter()
            .find(|(_, own, _)| own == name)
            .and_then(|&(id, _, kind)| Some((id, value_of(kind, value)?)));
        let wrong = || ExportError::Bug(format!("{} has no option {name} = {value:?}", item.op));
        table.push(field.ok_or_else(wrong)?);
    }
    // Options lie in the order of the schema.
    table.sort_by_key(|(id, _)| *id);
    Ok(match union {
        Union::First(number) => [
            (node::BUILTIN_OPTIONS_TYPE, Fb::U8(number)),
            (node::BUILTIN_OPTIONS, Fb::Table(table)),
        ],
        Union::Second(number) => [
            (node::BUILTIN_OPTIONS_2_TYPE, Fb::U8(number)),
            (node::BUILTIN_OPTIONS_2, Fb::Table(table)),
        ],
    })
}

fn value_of<'m>(kind: Kind, value: &AttrValue) -> Option<Fb<'m>> {
    let place = |names: &[&str], name: &str| names.iter().position(|own| *own == name);
    Some(match (kind, value) {
        (Kind::Flag(_), AttrValue::Int(value)) => Fb::U8(u8::from(*value != 0)),
        (Kind::Int(_), AttrValue::Int(value)) => Fb::I32(i32::try_from(*value).ok()?),
        (Kind::Int8, AttrValue::Int(value)) => Fb::U8(i8::try_from(*value).ok()?.cast_unsigned()),
        (Kind::Long, AttrValue::Int(value)) => Fb::U64(value.cast_unsigned()),
        (Kind::Real, AttrValue::Float(value)) => Fb::F32(*value),
        (Kind::Enum8(names), AttrValue::Text(name)) => {
            Fb::U8(u8::try_from(place(names, name)?).ok()?)
        }
        (Kind::Enum32(names), AttrValue::Text(name)) => {
            Fb::I32(i32::try_from(place(names, name)?).ok()?)
        }
        (Kind::Type(_), AttrValue::Text(name)) => Fb::U8(u8::try_from(place(TYPES, name)?).ok()?),
        (Kind::Text, AttrValue::Text(value)) => Fb::Text(value.clone()),
        (Kind::Ints32, AttrValue::Ints(values)) => {
            Fb::Ints(values.iter().map(|&value| i32::try_from(value).ok()).collect::<Option<_>>()?)
        }
        (Kind::Ints64, AttrValue::Ints(values)) => Fb::Longs(values.clone()),
        (Kind::Reals, AttrValue::Floats(values)) => Fb::Floats(values.clone()),
        (Kind::Raw, AttrValue::Bytes(bytes)) => Fb::Bytes(bytes.clone()),
        (Kind::Graph, AttrValue::Graph(index)) => Fb::I32(i32::try_from(*index).ok()?),
        _ => return None,
    })
}
