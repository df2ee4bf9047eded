//! Protocol buffer messages, written field by field.
//!
//! <https://protobuf.dev/programming-guides/encoding/>.

use std::borrow::Cow;

/// A number in groups of seven bits.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An integer field.
pub fn int(number: u32, value: i64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value.cast_unsigned())].concat()
}

/// A field of bytes.
pub fn bytes(number: u32, value: &[u8]) -> Vec<u8> {
    [&claim(number, value.len() as u64)[..], value].concat()
}

/// The head of a field of bytes that says how many follow, whether they do or not.
pub fn claim(number: u32, length: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3 | 2), varint(length)].concat()
}

/// A text field.
pub fn text(number: u32, value: &str) -> Vec<u8> {
    bytes(number, value.as_bytes())
}

/// A message in a message.
pub fn message(number: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    bytes(number, &parts.concat())
}

/// A 32-bit float field.
pub fn float(number: u32, value: f32) -> Vec<u8> {
    [varint(u64::from(number) << 3 | 5), value.to_le_bytes().to_vec()].concat()
}

/// A packed list of integers.
pub fn packed(number: u32, values: &[i64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| varint(value.cast_unsigned())).collect();
    bytes(number, &values)
}

/// A message in the making that does not copy its large fields until it is written.
#[derive(Clone, Debug, Default)]
pub struct Parts<'a> {
    parts: Vec<Cow<'a, [u8]>>,
    len: usize,
}

impl<'a> Parts<'a> {
    /// Adds a field, or several.
    pub fn field(&mut self, bytes: Vec<u8>) -> &mut Self {
        self.len += bytes.len();
        self.parts.push(Cow::Owned(bytes));
        self
    }

    /// Adds a field of bytes that stay where they are.
    pub fn blob(&mut self, number: u32, bytes: &'a [u8]) -> &mut Self {
        self.field(claim(number, bytes.len() as u64));
        self.len += bytes.len();
        self.parts.push(Cow::Borrowed(bytes));
        self
    }

    /// Adds a message.
    pub fn message(&mut self, number: u32, inner: Parts<'a>) -> &mut Self {
        self.field(claim(number, inner.len as u64));
        self.len += inner.len;
        self.parts.extend(inner.parts);
        self
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    pub fn finish(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len);
        self.parts.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protobuf::{Message, Value};

    #[test]
    fn what_is_written_is_read() {
        let big = vec![9; 300];
        let mut inner = Parts::default();
        inner.field(int(1, -1)).blob(2, &big).field(text(3, "x"));
        let mut outer = Parts::default();
        outer.field(float(1, 0.5)).message(2, inner.clone());
        let bytes = outer.finish();
        assert_eq!(bytes.len(), outer.len());
        let mut fields = Message::new(&bytes, 2);
        let field = fields.next_field().unwrap().unwrap();
        assert_eq!((field.number, field.value), (1, Value::Fixed32(0.5f32.to_bits())));
        let field = fields.next_field().unwrap().unwrap();
        assert_eq!((field.number, field.value), (2, Value::Bytes(&inner.finish())));
        assert!(fields.next_field().unwrap().is_none());
    }
}
