//! Protocol buffer messages, written field by field, sound or not.

/// A number in groups of seven bits.
pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An integer field.
pub(super) fn int(number: u32, value: i64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value.cast_unsigned())].concat()
}

/// A field of bytes.
pub(super) fn bytes(number: u32, value: &[u8]) -> Vec<u8> {
    [&claim(number, value.len() as u64)[..], value].concat()
}

/// The head of a field of bytes that says how many follow, whether they do or not.
pub(super) fn claim(number: u32, length: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3 | 2), varint(length)].concat()
}

/// A text field.
pub(super) fn text(number: u32, value: &str) -> Vec<u8> {
    bytes(number, value.as_bytes())
}

/// A message in a message.
pub(super) fn message(number: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    bytes(number, &parts.concat())
}

/// A 32-bit float field.
pub(super) fn float(number: u32, value: f32) -> Vec<u8> {
    [varint(u64::from(number) << 3 | 5), value.to_le_bytes().to_vec()].concat()
}

/// A packed list of integers.
pub(super) fn packed(number: u32, values: &[i64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| varint(value.cast_unsigned())).collect();
    bytes(number, &values)
}

/// `levels` messages, each in field `number` of the next, around `core`; built from the inside in
/// time linear in the result.
pub(super) fn nested(number: u32, levels: usize, core: &[u8]) -> Vec<u8> {
    let mut heads = Vec::new();
    let mut length = core.len();
    for _ in 0..levels {
        let head = claim(number, length as u64);
        length += head.len();
        heads.push(head);
    }
    heads.reverse();
    [heads.concat(), core.to_vec()].concat()
}
