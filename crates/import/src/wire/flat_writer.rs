//! FlatBuffers, written table by table.
//!
//! <https://flatbuffers.dev/internals>. What points stands before what it points to, each scalar at a
//! multiple of its size.

use std::borrow::Cow;

/// A value of a FlatBuffer.
#[derive(Clone, Debug)]
pub enum Fb<'a> {
    /// A byte or a truth value.
    U8(u8),
    /// A number of 32 bits.
    I32(i32),
    /// A real number.
    F32(f32),
    /// A number of 64 bits.
    U64(u64),
    /// A list of bytes.
    Bytes(Vec<u8>),
    /// A list of bytes that begins at a multiple of 16.
    Blob(Cow<'a, [u8]>),
    /// A text, with the zero byte behind it that the format asks for.
    Text(String),
    /// A list of numbers of 32 bits.
    Ints(Vec<i32>),
    /// A list of numbers of 64 bits.
    Longs(Vec<i64>),
    /// A list of real numbers.
    Floats(Vec<f32>),
    /// Fields by their number in the schema.
    Table(Vec<(usize, Fb<'a>)>),
    /// A list of tables.
    Tables(Vec<Fb<'a>>),
    /// So many offsets to one and the same table.
    Shared(usize, Box<Fb<'a>>),
}

/// The file whose root is a table, with a mark of four bytes.
///
/// # Panics
/// When the root is no table, or a table has more than 2^16 bytes: the caller's defects.
pub fn finish(root: &Fb<'_>, mark: &[u8; 4]) -> Vec<u8> {
    let mut out = vec![0; 8];
    out[4..].copy_from_slice(mark);
    link(&mut out, 0, root);
    out
}

/// Zeros until `ahead` bytes from here is a multiple of `size`.
fn align(out: &mut Vec<u8>, ahead: usize, size: usize) {
    let at = (out.len() + ahead).next_multiple_of(size) - ahead;
    out.resize(at, 0);
}

/// The head of a list whose elements are `size` bytes; where it begins.
fn vector(out: &mut Vec<u8>, count: usize, size: usize) -> usize {
    align(out, 4, size.max(4));
    let at = out.len();
    out.extend((count as u32).to_le_bytes());
    at
}

/// Appends what an offset points to; where it begins.
fn put(out: &mut Vec<u8>, value: &Fb<'_>) -> usize {
    match value {
        Fb::Bytes(bytes) => {
            let at = vector(out, bytes.len(), 1);
            out.extend(bytes);
            at
        }
        Fb::Blob(bytes) => {
            let at = vector(out, bytes.len(), 16);
            out.extend(&**bytes);
            at
        }
        Fb::Text(text) => {
            let at = vector(out, text.len(), 1);
            out.extend(text.as_bytes());
            out.push(0);
            at
        }
        Fb::Ints(items) => {
            let at = vector(out, items.len(), 4);
            out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            at
        }
        Fb::Longs(items) => {
            let at = vector(out, items.len(), 8);
            out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            at
        }
        Fb::Floats(items) => {
            let at = vector(out, items.len(), 4);
            out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            at
        }
        Fb::Tables(items) => {
            let at = vector(out, items.len(), 4);
            out.resize(out.len() + 4 * items.len(), 0);
            for (index, item) in items.iter().enumerate() {
                link(out, at + 4 + 4 * index, item);
            }
            at
        }
        Fb::Shared(count, item) => {
            let at = vector(out, *count, 4);
            out.resize(out.len() + 4 * count, 0);
            let target = put(out, item);
            for slot in (at + 4..).step_by(4).take(*count) {
                point(out, slot, target);
            }
            at
        }
        Fb::Table(fields) => table(out, fields),
        Fb::U8(_) | Fb::I32(_) | Fb::F32(_) | Fb::U64(_) => {
            panic!("a number has no place of its own")
        }
    }
}

/// A table behind the list of its fields' places.
fn table(out: &mut Vec<u8>, fields: &[(usize, Fb<'_>)]) -> usize {
    let slots = fields.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
    let head = 4 + 2 * slots;
    align(out, head, 8);
    let places = out.len();
    out.resize(places + head, 0);
    let at = out.len();
    out.extend(((at - places) as i32).to_le_bytes());
    let mut links = Vec::new();
    for (id, field) in fields {
        let size = match field {
            Fb::U8(_) => 1,
            Fb::U64(_) => 8,
            _ => 4,
        };
        align(out, 0, size);
        let slot = out.len() - at;
        out[places + 4 + 2 * id..][..2].copy_from_slice(&narrow(slot));
        match field {
            Fb::U8(value) => out.push(*value),
            Fb::I32(value) => out.extend(value.to_le_bytes()),
            Fb::F32(value) => out.extend(value.to_le_bytes()),
            Fb::U64(value) => out.extend(value.to_le_bytes()),
            other => {
                links.push((out.len(), other));
                out.extend([0; 4]);
            }
        }
    }
    let size = out.len() - at;
    out[places..][..2].copy_from_slice(&narrow(head));
    out[places + 2..][..2].copy_from_slice(&narrow(size));
    for (slot, field) in links {
        link(out, slot, field);
    }
    at
}

fn narrow(size: usize) -> [u8; 2] {
    u16::try_from(size).expect("a table has less than 2^16 bytes").to_le_bytes()
}

fn link(out: &mut Vec<u8>, slot: usize, value: &Fb<'_>) {
    let at = put(out, value);
    point(out, slot, at);
}

fn point(out: &mut [u8], slot: usize, target: usize) {
    out[slot..][..4].copy_from_slice(&((target - slot) as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::flatbuffer::Table;

    #[test]
    fn everything_lies_at_a_multiple_of_its_size() {
        let blob: Vec<u8> = (0..21).collect();
        let inner = Fb::Table(vec![(1, Fb::Blob(Cow::Borrowed(&blob)))]);
        let bytes = finish(
            &Fb::Table(vec![
                (0, Fb::U8(7)),
                (2, Fb::U64(1 << 40)),
                (3, Fb::Text("name".to_owned())),
                (4, Fb::Longs(vec![5, -6])),
                (5, Fb::Tables(vec![inner.clone(), inner])),
                (6, Fb::F32(0.5)),
            ]),
            b"TEST",
        );
        let root = Table::root(&bytes).unwrap();
        assert_eq!((root.u8(0, 0).unwrap(), root.u64(2, 0).unwrap()), (7, 1 << 40));
        assert_eq!((root.text(3).unwrap(), root.f32(6, 0.0).unwrap()), ("name", 0.5));
        assert_eq!(root.i32(1, 9).unwrap(), 9);
        let longs = root.vector::<8>(4).unwrap();
        let numbers: Vec<i64> = longs.items.iter().map(|&item| i64::from_le_bytes(item)).collect();
        assert_eq!(
            (numbers, (longs.items.as_ptr() as usize - bytes.as_ptr() as usize) % 8),
            (vec![5, -6], 0)
        );
        for table in root.tables(5).unwrap().iter() {
            let found = table.unwrap().bytes(1).unwrap();
            assert_eq!(found, blob);
            assert_eq!((found.as_ptr() as usize - bytes.as_ptr() as usize) % 16, 0);
        }
    }
}
