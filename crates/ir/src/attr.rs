//! Attributes of operators, as the text form writes and reads them.

use crate::dim::Dim;
use crate::ids::GraphId;

/// An attribute's value in the text form.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// `true`, `false` or a name.
    Word(String),
    /// A whole number or an expression over symbols.
    Dim(Dim),
    /// A real number, always written with a point, an exponent, `inf` or `nan`.
    Float(f32),
    /// A graph of the model, as `graph(1)`.
    Graph(GraphId),
    /// `[a, b, ...]`
    List(Vec<Attr>),
}

/// A type that an operator may have as a field.
pub trait Field: Sized {
    /// As an attribute.
    fn write(&self) -> Attr;
    /// From an attribute; `None` when it is of another kind or out of range.
    fn read(attr: &Attr) -> Option<Self>;
}

macro_rules! integer_fields {
    ($($int:ty),*) => {$(
        impl Field for $int {
            fn write(&self) -> Attr {
                Attr::Dim(Dim::Known(i64::from(*self)))
            }

            fn read(attr: &Attr) -> Option<Self> {
                match attr {
                    Attr::Dim(dim) => Self::try_from(dim.known()?).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
integer_fields!(i32, i64, u32, u8);

impl Field for usize {
    fn write(&self) -> Attr {
        Attr::Dim(Dim::Known(*self as i64))
    }

    fn read(attr: &Attr) -> Option<Self> {
        i64::read(attr).and_then(|value| Self::try_from(value).ok())
    }
}

impl Field for f32 {
    fn write(&self) -> Attr {
        Attr::Float(*self)
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Float(value) => Some(*value),
            _ => None,
        }
    }
}

impl Field for bool {
    fn write(&self) -> Attr {
        Attr::Word(self.to_string())
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Word(word) => word.parse().ok(),
            _ => None,
        }
    }
}

impl Field for String {
    fn write(&self) -> Attr {
        Attr::Word(self.clone())
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Word(word) => Some(word.clone()),
            _ => None,
        }
    }
}

impl Field for embarca_num::DType {
    fn write(&self) -> Attr {
        Attr::Word(self.name().to_owned())
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Word(word) => Self::from_name(word),
            _ => None,
        }
    }
}

impl Field for Dim {
    fn write(&self) -> Attr {
        Attr::Dim(self.clone())
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Dim(dim) => Some(dim.clone()),
            _ => None,
        }
    }
}

impl Field for GraphId {
    fn write(&self) -> Attr {
        Attr::Graph(*self)
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Graph(id) => Some(*id),
            _ => None,
        }
    }
}

impl<T: Field> Field for Vec<T> {
    fn write(&self) -> Attr {
        Attr::List(self.iter().map(T::write).collect())
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::List(items) => items.iter().map(T::read).collect(),
            _ => None,
        }
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    fn write(&self) -> Attr {
        Attr::List(self.iter().map(T::write).collect())
    }

    fn read(attr: &Attr) -> Option<Self> {
        Vec::read(attr)?.try_into().ok()
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self) -> Attr {
        self.as_ref().map_or_else(|| Attr::Word("none".to_owned()), T::write)
    }

    fn read(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Word(word) if word == "none" => Some(None),
            _ => T::read(attr).map(Some),
        }
    }
}

/// The fields of an operator by name. Implemented by [`payload!`](crate::payload).
pub trait Payload: Sized {
    /// In the order of declaration.
    fn attrs(&self) -> Vec<(&'static str, Attr)>;
    /// `Err` names what is missing or wrong.
    fn from_attrs(attrs: &[(String, Attr)]) -> Result<Self, String>;
}

/// Reads one field for [`payload!`](crate::payload).
pub fn read_field<T: Field>(attrs: &[(String, Attr)], name: &str) -> Result<T, String> {
    let (_, attr) = attrs
        .iter()
        .find(|(key, _)| key == name)
        .ok_or_else(|| format!("attribute '{name}' is missing"))?;
    T::read(attr).ok_or_else(|| format!("attribute '{name}' has the wrong kind of value"))
}

/// Declares an operator's payload: the struct, and its attributes in the text form.
#[macro_export]
macro_rules! payload {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl $crate::attr::Payload for $name {
            fn attrs(&self) -> Vec<(&'static str, $crate::attr::Attr)> {
                vec![$((stringify!($field), $crate::attr::Field::write(&self.$field)),)*]
            }

            fn from_attrs(attrs: &[(String, $crate::attr::Attr)]) -> Result<Self, String> {
                let known: &[&str] = &[$(stringify!($field),)*];
                if let Some((key, _)) = attrs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
                    return Err(format!("unknown attribute '{key}'"));
                }
                Ok(Self { $($field: $crate::attr::read_field(attrs, stringify!($field))?,)* })
            }
        }
    };
}
