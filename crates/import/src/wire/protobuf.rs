//! Protocol buffers' wire encoding, read in place.
//!
//! <https://protobuf.dev/programming-guides/encoding/>. A caller walks the fields of a
//! [`Message`] and asks each [`Field`] for the type that its schema states; a field of another
//! wire type is an error that names the byte.

use crate::error::ReadError;

/// A message that is being read, field by field.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    pos: usize,
    /// Offset of `bytes` in the file.
    base: usize,
    /// How many more messages may lie one in the other.
    depth: u32,
}

/// The value of a field, by wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a text, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// One field as it lies in the file.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The number in the schema, never 0.
    pub number: u32,
    /// The value, not yet interpreted.
    pub value: Value<'a>,
    /// Offset of the value in the file: of the first byte after the tag and, for
    /// [`Value::Bytes`], after the length.
    pub at: usize,
    depth: u32,
}

impl<'a> Message<'a> {
    /// The outermost message of a file, in which at most `depth` messages lie one in the other.
    pub fn new(bytes: &'a [u8], depth: u32) -> Self {
        Self { bytes, pos: 0, base: 0, depth }
    }

    /// Offset in the file of the next field.
    pub fn at(&self) -> usize {
        self.base + self.pos
    }

    /// The next field, `None` after the last.
    ///
    /// # Errors
    /// The encoding is broken: a number too long, a length beyond the message, a wire type that
    /// does not exist (groups included, which no schema that we read has).
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, ReadError> {
        if self.pos >= self.bytes.len() {
            return Ok(None);
        }
        let start = self.at();
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        if number == 0 || number >= 1 << 29 {
            return Err(ReadError::malformed_at(start, "a field's number is out of range"));
        }
        let mut at = self.at();
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                at = self.at();
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => {
                let what = format!("field {number} has wire type {other}");
                return Err(ReadError::malformed_at(start, what));
            }
        };
        Ok(Some(Field { number, value, at, depth: self.depth }))
    }

    fn varint(&mut self) -> Result<u64, ReadError> {
        let start = self.at();
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let (value, used) = varint(rest).map_err(|what| ReadError::malformed_at(start, what))?;
        self.pos += used;
        Ok(value)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ReadError> {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
            Some(taken) => {
                self.pos += taken.len();
                Ok(taken)
            }
            None => {
                let what = format!("{length} bytes announced, {} left", rest.len());
                Err(ReadError::malformed_at(self.at(), what))
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }
}

impl<'a> Field<'a> {
    /// The nested message.
    ///
    /// # Errors
    /// Another wire type, or nested deeper than the limit.
    pub fn message(&self) -> Result<Message<'a>, ReadError> {
        let bytes = self.bytes()?;
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Message { bytes, pos: 0, base: self.at, depth }),
            None => Err(ReadError::over_limit("messages nested deeper than `nesting`")),
        }
    }

    /// `bytes`, or anything else of wire type 2.
    ///
    /// # Errors
    /// Another wire type.
    pub fn bytes(&self) -> Result<&'a [u8], ReadError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected("bytes")),
        }
    }

    /// `string`.
    ///
    /// # Errors
    /// Another wire type, or not UTF-8.
    pub fn text(&self) -> Result<&'a str, ReadError> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|_| ReadError::malformed_at(self.at, "a text is not UTF-8"))
    }

    /// `uint64`.
    ///
    /// # Errors
    /// Another wire type.
    pub fn uint(&self) -> Result<u64, ReadError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(self.unexpected("a number")),
        }
    }

    /// `int64`, `int32` or an enumeration.
    ///
    /// # Errors
    /// Another wire type.
    pub fn int(&self) -> Result<i64, ReadError> {
        self.uint().map(u64::cast_signed)
    }

    /// `bool`.
    ///
    /// # Errors
    /// Another wire type.
    pub fn bool(&self) -> Result<bool, ReadError> {
        self.uint().map(|value| value != 0)
    }

    /// `float`.
    ///
    /// # Errors
    /// Another wire type.
    pub fn float(&self) -> Result<f32, ReadError> {
        match self.value {
            Value::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(self.unexpected("a 32-bit float")),
        }
    }

    /// `double`.
    ///
    /// # Errors
    /// Another wire type.
    pub fn double(&self) -> Result<f64, ReadError> {
        match self.value {
            Value::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(self.unexpected("a 64-bit float")),
        }
    }

    /// How many elements a `repeated` field of varints adds here, packed or not.
    ///
    /// # Errors
    /// Another wire type.
    pub fn count_uints(&self) -> Result<usize, ReadError> {
        match self.value {
            Value::Varint(_) => Ok(1),
            Value::Bytes(bytes) => Ok(bytes.iter().filter(|&&byte| byte < 0x80).count()),
            _ => Err(self.unexpected("numbers")),
        }
    }

    /// Each element that a `repeated` field of varints adds here, packed or not.
    ///
    /// # Errors
    /// Another wire type, a broken number, or what `each` returns.
    pub fn for_each_uint(
        &self,
        mut each: impl FnMut(u64) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let bytes = match self.value {
            Value::Varint(value) => return each(value),
            Value::Bytes(bytes) => bytes,
            _ => return Err(self.unexpected("numbers")),
        };
        let mut packed = Message { bytes, pos: 0, base: self.at, depth: 0 };
        while packed.pos < bytes.len() {
            each(packed.varint()?)?;
        }
        Ok(())
    }

    /// Each element, as [`Field::for_each_uint`], signed.
    ///
    /// # Errors
    /// As [`Field::for_each_uint`].
    pub fn for_each_int(
        &self,
        mut each: impl FnMut(i64) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.for_each_uint(|value| each(value.cast_signed()))
    }

    /// The elements that a `repeated float` adds here, packed or not.
    ///
    /// # Errors
    /// Another wire type, or a length that is no multiple of 4.
    pub fn floats(&self) -> Result<impl ExactSizeIterator<Item = f32> + use<'a>, ReadError> {
        let elements: Elements<'a, 4> = match self.value {
            Value::Fixed32(bits) => Elements { single: Some(bits.to_le_bytes()), packed: &[] },
            Value::Bytes(bytes) => self.packed(bytes)?,
            _ => return Err(self.unexpected("32-bit floats")),
        };
        Ok(elements.map(f32::from_le_bytes))
    }

    /// The elements that a `repeated double` adds here, packed or not.
    ///
    /// # Errors
    /// Another wire type, or a length that is no multiple of 8.
    pub fn doubles(&self) -> Result<impl ExactSizeIterator<Item = f64> + use<'a>, ReadError> {
        let elements: Elements<'a, 8> = match self.value {
            Value::Fixed64(bits) => Elements { single: Some(bits.to_le_bytes()), packed: &[] },
            Value::Bytes(bytes) => self.packed(bytes)?,
            _ => return Err(self.unexpected("64-bit floats")),
        };
        Ok(elements.map(f64::from_le_bytes))
    }

    fn packed<const N: usize>(&self, bytes: &'a [u8]) -> Result<Elements<'a, N>, ReadError> {
        match bytes.as_chunks() {
            (packed, []) => Ok(Elements { single: None, packed }),
            _ => {
                let what = format!("{} bytes of packed numbers of {N} bytes each", bytes.len());
                Err(ReadError::malformed_at(self.at, what))
            }
        }
    }

    fn unexpected(&self, wanted: &str) -> ReadError {
        let found = match self.value {
            Value::Varint(_) => "a number",
            Value::Fixed64(_) => "a 64-bit value",
            Value::Bytes(_) => "bytes",
            Value::Fixed32(_) => "a 32-bit value",
        };
        let what = format!("field {} holds {found} where {wanted} is due", self.number);
        ReadError::malformed_at(self.at, what)
    }
}

/// One element or many of `N` bytes.
struct Elements<'a, const N: usize> {
    single: Option<[u8; N]>,
    packed: &'a [[u8; N]],
}

impl<const N: usize> Iterator for Elements<'_, N> {
    type Item = [u8; N];

    fn next(&mut self) -> Option<[u8; N]> {
        if let Some(single) = self.single.take() {
            return Some(single);
        }
        let (first, rest) = self.packed.split_first()?;
        self.packed = rest;
        Some(*first)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let length = self.packed.len() + usize::from(self.single.is_some());
        (length, Some(length))
    }
}

impl<const N: usize> ExactSizeIterator for Elements<'_, N> {}

/// A number and how many bytes it takes.
fn varint(bytes: &[u8]) -> Result<(u64, usize), &'static str> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte holds the 64th bit only.
        if index == 9 && bits > 1 {
            return Err("a number has more than 64 bits");
        }
        value |= bits << (7 * index);
        if byte < 0x80 {
            return Ok((value, index + 1));
        }
    }
    match bytes.len() < 10 {
        true => Err("the file ends inside a number"),
        false => Err("a number has more than 10 bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(bytes: &[u8]) -> Field<'_> {
        Message::new(bytes, 3).next_field().unwrap().unwrap()
    }

    #[test]
    fn each_wire_type() {
        assert_eq!(only(&[0x08, 0x96, 0x01]).int(), Ok(150));
        assert_eq!(only(&[0x12, 0x02, b'h', b'i']).text(), Ok("hi"));
        assert_eq!(only(&[0x1d, 0, 0, 0x80, 0x3f]).float(), Ok(1.0));
        assert_eq!(only(&[0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]).double(), Ok(1.0));
        let minus_one = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(only(&minus_one).int(), Ok(-1));
    }

    #[test]
    fn packed_or_not() {
        let mut seen = Vec::new();
        let mut message = Message::new(&[0x08, 0x05, 0x0a, 0x03, 0x01, 0x96, 0x01], 0);
        let mut count = 0;
        while let Some(field) = message.next_field().unwrap() {
            count += field.count_uints().unwrap();
            let push = |value| {
                seen.push(value);
                Ok(())
            };
            field.for_each_int(push).unwrap();
        }
        assert_eq!((seen, count), (vec![5, 1, 150], 3));

        let floats = only(&[0x0a, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
        assert_eq!(floats.floats().unwrap().collect::<Vec<_>>(), [1.0, 2.0]);
        assert_eq!(only(&[0x0d, 0, 0, 0x80, 0x3f]).floats().unwrap().len(), 1);
    }

    #[test]
    fn broken_encodings_name_the_byte() {
        let long = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        let longer = [0x80; 12];
        let cases: &[(&[u8], &str, u64)] = &[
            (&[0x08], "ends inside", 1),
            (&[0x08, 0x80], "ends inside", 1),
            (&long, "more than 64 bits", 1),
            (&longer, "more than 10 bytes", 0),
            (&[0x0a, 0x05, 1, 2], "5 bytes announced, 2 left", 2),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], "announced, 0 left", 6),
            (&[0x0b], "wire type 3", 0),
            (&[0x00, 0x00], "number is out of range", 0),
            (&[0x0d, 0, 0], "4 bytes announced, 2 left", 1),
        ];
        for (bytes, what, at) in cases {
            let error = Message::new(bytes, 3).next_field().unwrap_err();
            assert!(error.fault().what.contains(what), "{bytes:?}: {error}");
            assert_eq!(error.fault().at, Some(*at), "{bytes:?}: {error}");
        }
        assert!(only(&[0x08, 1]).text().unwrap_err().fault().what.contains("field 1"));
        assert!(only(&[0x0a, 1, 0xff]).text().is_err());
        assert!(only(&[0x0a, 3, 0, 0, 0]).floats().is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let bytes = [0x0a, 0x06, 0x0a, 0x04, 0x0a, 0x02, 0x08, 0x01];
        let nest = |depth| -> Result<i64, ReadError> {
            let mut message = Message::new(&bytes, depth);
            for _ in 0..3 {
                message = message.next_field()?.unwrap().message()?;
            }
            message.next_field()?.unwrap().int()
        };
        assert_eq!(nest(3), Ok(1));
        assert!(matches!(nest(2), Err(ReadError::OverLimit(_))));
    }
}
