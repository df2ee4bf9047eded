//! FlexBuffers: maps without a schema, as TFLite's custom operators carry their options.
//!
//! <https://flatbuffers.dev/flexbuffers/> and its "Internals". Values of the outermost map are
//! numbers, texts and lists of numbers; a map inside a map is not read. Every offset is checked
//! against the buffer, and what is copied is paid for, so that offsets which share one list cannot
//! multiply it.

use embarca_ir::foreign::AttrValue;

use crate::error::ReadError;
use crate::limits::Budget;

/// Types of values, the upper six bits of a packed type.
mod kind {
    pub const NULL: u8 = 0;
    pub const INT: u8 = 1;
    pub const UINT: u8 = 2;
    pub const FLOAT: u8 = 3;
    pub const KEY: u8 = 4;
    pub const STRING: u8 = 5;
    pub const INDIRECT_INT: u8 = 6;
    pub const INDIRECT_UINT: u8 = 7;
    pub const INDIRECT_FLOAT: u8 = 8;
    pub const MAP: u8 = 9;
    pub const VECTOR: u8 = 10;
    pub const VECTOR_INT: u8 = 11;
    pub const VECTOR_UINT: u8 = 12;
    pub const VECTOR_FLOAT: u8 = 13;
    /// Two numbers of each kind, then three, then four, without a stored length.
    pub const VECTOR_INT_2: u8 = 16;
    pub const VECTOR_FLOAT_4: u8 = 24;
    pub const BOOL: u8 = 26;
    pub const VECTOR_BOOL: u8 = 36;
}

/// A place in the buffer and how wide the numbers stored there are.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    width: usize,
}

/// A number before it is known whether all of a list are integers.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Real(f32),
}

/// The entries of the map that `bytes` hold, in the order of their keys; `None` when they hold
/// something else than one map. Entries that are null are left out.
///
/// # Errors
/// The map is broken, holds what is not read, or asks for more than the budget has.
pub fn map(
    bytes: &[u8],
    budget: &mut Budget<'_>,
) -> Result<Option<Vec<(String, AttrValue)>>, ReadError> {
    let Some((body, &[kind, width])) = bytes.split_last_chunk::<2>() else { return Ok(None) };
    let width = usize::from(width);
    let Some(at) = body.len().checked_sub(width) else { return Ok(None) };
    if kind >> 2 != kind::MAP || !matches!(width, 1 | 2 | 4 | 8) {
        return Ok(None);
    }
    let reader = Reader { bytes: body };
    let values = reader.follow(Place { at, width }, kind)?;
    reader.entries(values, budget).map(Some)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn entries(
        &self,
        values: Place,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<(String, AttrValue)>, ReadError> {
        let len = self.length(values)?;
        let types = self.types(values, len)?;
        budget.list::<(String, AttrValue)>(len)?;
        // Before the length: the place of the keys and their width.
        let prefix = |words: usize| {
            let at = values.at.checked_sub(words * values.width);
            at.map(|at| Place { at, ..values }).ok_or_else(|| broken(values.at))
        };
        let key_width = self.uint(prefix(2)?)?;
        let keys =
            self.follow(prefix(3)?, width_bits(key_width).ok_or_else(|| broken(values.at))?)?;
        if self.length(keys)? != len {
            return Err(broken(keys.at));
        }
        let mut entries = Vec::with_capacity(len);
        for (index, &packed) in types.iter().enumerate() {
            let element = |list: Place| Place { at: list.at + index * list.width, ..list };
            // A key is a text that ends with a zero.
            let key = self.follow(element(keys), 0)?.at;
            let text = self.bytes.get(key..).unwrap_or_default();
            let end = text.iter().position(|&byte| byte == 0).ok_or_else(|| broken(key))?;
            let name = text.get(..end).and_then(|text| str::from_utf8(text).ok());
            let name = budget.text(name.ok_or_else(|| broken(key))?)?;
            let value = self.value(element(values), packed, budget);
            let value = value.map_err(|error| error.within(|| format!("option '{name}'")))?;
            if let Some(value) = value {
                entries.push((name, value));
            }
        }
        Ok(entries)
    }

    /// One value; `None` for null.
    fn value(
        &self,
        place: Place,
        packed: u8,
        budget: &mut Budget<'_>,
    ) -> Result<Option<AttrValue>, ReadError> {
        use kind::*;
        let kind = packed >> 2;
        Ok(Some(match kind {
            NULL => return Ok(None),
            INT | UINT | FLOAT | BOOL | INDIRECT_INT | INDIRECT_UINT | INDIRECT_FLOAT => {
                match self.number(place, packed)? {
                    Number::Int(value) => AttrValue::Int(value),
                    Number::Real(value) => AttrValue::Float(value),
                }
            }
            STRING | KEY => {
                let text = self.follow(place, packed)?;
                let end = match kind {
                    STRING => text.at.checked_add(self.length(text)?),
                    _ => {
                        let rest = self.bytes.get(text.at..).unwrap_or_default();
                        rest.iter().position(|&byte| byte == 0).map(|len| text.at + len)
                    }
                };
                let text = end.and_then(|end| str::from_utf8(self.bytes.get(text.at..end)?).ok());
                AttrValue::Text(budget.text(text.ok_or_else(|| broken(place.at))?)?)
            }
            VECTOR
            | VECTOR_INT
            | VECTOR_UINT
            | VECTOR_FLOAT
            | VECTOR_BOOL
            | VECTOR_INT_2..=VECTOR_FLOAT_4 => {
                let list = self.follow(place, packed)?;
                let fixed = (VECTOR_INT_2..=VECTOR_FLOAT_4).contains(&kind);
                let len = match fixed {
                    true => usize::from((kind - VECTOR_INT_2) / 3) + 2,
                    false => self.length(list)?,
                };
                let types = match kind {
                    VECTOR => Some(self.types(list, len)?),
                    _ => None,
                };
                let one = match kind {
                    VECTOR_BOOL => BOOL,
                    _ if fixed => (kind - VECTOR_INT_2) % 3 + INT,
                    _ => kind.wrapping_sub(VECTOR_INT).wrapping_add(INT),
                };
                // The elements lie in the buffer before anything is allocated for them.
                let end = len.checked_mul(list.width).and_then(|size| size.checked_add(list.at));
                if end.is_none_or(|end| self.bytes.len() < end) {
                    return Err(broken(list.at));
                }
                budget.list::<i64>(len)?;
                budget.items::<Number>(len)?;
                let number = |index: usize| {
                    let packed = types.map_or(one << 2, |types| types[index]);
                    self.number(Place { at: list.at + index * list.width, ..list }, packed)
                };
                let numbers = (0..len).map(number).collect::<Result<Vec<_>, _>>()?;
                let ints = numbers.iter().map(|number| match *number {
                    Number::Int(value) => Some(value),
                    Number::Real(_) => None,
                });
                match ints.collect() {
                    Some(ints) => AttrValue::Ints(ints),
                    None => AttrValue::Floats(
                        numbers
                            .iter()
                            .map(|number| match *number {
                                Number::Int(value) => value as f32,
                                Number::Real(value) => value,
                            })
                            .collect(),
                    ),
                }
            }
            other => {
                let what = format!("a value of FlexBuffers' type {other} is not read");
                return Err(ReadError::unsupported(what));
            }
        }))
    }

    fn number(&self, place: Place, packed: u8) -> Result<Number, ReadError> {
        use kind::*;
        let place_of = |place| self.follow(place, packed);
        Ok(match packed >> 2 {
            INT => Number::Int(self.int(place)?),
            UINT | BOOL => Number::Int(self.wide(place)?),
            FLOAT => Number::Real(self.real(place)?),
            INDIRECT_INT => Number::Int(self.int(place_of(place)?)?),
            INDIRECT_UINT => Number::Int(self.wide(place_of(place)?)?),
            INDIRECT_FLOAT => Number::Real(self.real(place_of(place)?)?),
            other => {
                let what = format!("a list holds a value of FlexBuffers' type {other}");
                return Err(ReadError::unsupported(what));
            }
        })
    }

    /// Where the offset stored at `place` leads: backward. What lies there is as wide as `packed`
    /// says.
    fn follow(&self, place: Place, packed: u8) -> Result<Place, ReadError> {
        let back = self.uint(place)?;
        let at = usize::try_from(back).ok().and_then(|back| place.at.checked_sub(back));
        let at = at.ok_or_else(|| broken(place.at))?;
        Ok(Place { at, width: 1 << (packed & 3) })
    }

    /// The number of elements, which stands before the first.
    fn length(&self, list: Place) -> Result<usize, ReadError> {
        let at = list.at.checked_sub(list.width).ok_or_else(|| broken(list.at))?;
        let len = usize::try_from(self.uint(Place { at, ..list })?).ok();
        // Every element takes a byte at least.
        len.filter(|&len| len <= self.bytes.len()).ok_or_else(|| broken(list.at))
    }

    /// The packed types of `len` elements, which stand behind the last.
    fn types(&self, list: Place, len: usize) -> Result<&'a [u8], ReadError> {
        let start = len.checked_mul(list.width).and_then(|size| size.checked_add(list.at));
        let types = start.and_then(|start| self.bytes.get(start..)?.get(..len));
        types.ok_or_else(|| broken(list.at))
    }

    fn raw(&self, place: Place) -> Result<&'a [u8], ReadError> {
        let bytes = self.bytes.get(place.at..).and_then(|bytes| bytes.get(..place.width));
        bytes.ok_or_else(|| broken(place.at))
    }

    fn uint(&self, place: Place) -> Result<u64, ReadError> {
        let mut wide = [0; 8];
        let raw = self.raw(place)?;
        wide.iter_mut().zip(raw).for_each(|(to, from)| *to = *from);
        Ok(u64::from_le_bytes(wide))
    }

    fn wide(&self, place: Place) -> Result<i64, ReadError> {
        let value = self.uint(place)?;
        i64::try_from(value).map_err(|_| {
            ReadError::unsupported(format!("{value} exceeds 63 bits"))
                .within(|| "option".to_owned())
        })
    }

    fn int(&self, place: Place) -> Result<i64, ReadError> {
        let unused = 64 - 8 * place.width as u32;
        Ok(self.uint(place)?.cast_signed() << unused >> unused)
    }

    fn real(&self, place: Place) -> Result<f32, ReadError> {
        match *self.raw(place)? {
            [a, b, c, d] => Ok(f32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => Ok(f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32),
            _ => Err(ReadError::unsupported("a real number of less than 32 bits")),
        }
    }
}

/// The lower bits of a packed type for numbers of `width` bytes.
fn width_bits(width: u64) -> Option<u8> {
    [1, 2, 4, 8].iter().position(|&known| known == width).map(|bits| bits as u8)
}

fn broken(at: usize) -> ReadError {
    ReadError::malformed(format!("the options are broken at their byte {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ImportLimits;

    /// `{ "b": true, "f": 0.5, "i": -3, "l": [1, 2], "s": "ab" }` as the reference library writes
    /// it.
    const SAMPLE: &[u8] = &[
        98, 0, 102, 0, 105, 0, 108, 0, 2, 1, 2, 115, 0, 2, 97, 98, 0, 5, 18, 17, 16, 15, 11, 0, 6,
        0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 253, 255, 255, 255, 39, 0, 0, 0,
        38, 0, 0, 0, 106, 14, 6, 44, 20, 25, 38, 1,
    ];

    fn read(bytes: &[u8]) -> Result<Option<Vec<(String, AttrValue)>>, ReadError> {
        let limits = ImportLimits::default();
        map(bytes, &mut Budget::new(&limits, bytes.len())?)
    }

    #[test]
    fn values_of_every_kind() {
        let entries = read(SAMPLE).unwrap().unwrap();
        let expected = [
            ("b", AttrValue::Int(1)),
            ("f", AttrValue::Float(0.5)),
            ("i", AttrValue::Int(-3)),
            ("l", AttrValue::Ints(vec![1, 2])),
            ("s", AttrValue::Text("ab".to_owned())),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(entries, expected);
    }

    #[test]
    fn what_is_no_map_is_left_alone() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[7]).unwrap(), None);
        // The number 3.
        assert_eq!(read(&[3, 4, 1]).unwrap(), None);
    }

    #[test]
    fn damage_ends_in_an_error_or_other_values() {
        for len in 0..SAMPLE.len() {
            let _ = read(&SAMPLE[..len]);
        }
        let mut broken = 0;
        for at in 0..SAMPLE.len() {
            for byte in 0..=255u8 {
                let mut bytes = SAMPLE.to_vec();
                bytes[at] = byte;
                broken += usize::from(read(&bytes).is_err());
            }
        }
        assert!(0 < broken);
    }
}
