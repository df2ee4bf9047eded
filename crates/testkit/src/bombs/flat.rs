//! FlatBuffers, written table by table.

/// A value of a FlatBuffer.
#[derive(Clone, Debug)]
pub(super) enum Fb {
    U8(u8),
    I32(i32),
    U64(u64),
    Bytes(Vec<u8>),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Floats(Vec<f32>),
    Table(Vec<(usize, Fb)>),
    Tables(Vec<Fb>),
    /// So many offsets to one and the same table.
    Shared(usize, Box<Fb>),
}

pub(super) fn text(text: &str) -> Fb {
    Fb::Bytes(text.as_bytes().to_vec())
}

/// Appends what an offset points to; where it begins.
fn put(out: &mut Vec<u8>, value: &Fb) -> usize {
    let vector = |out: &mut Vec<u8>, count: usize| {
        let at = out.len();
        out.extend((count as u32).to_le_bytes());
        at
    };
    match value {
        Fb::Bytes(bytes) => {
            let at = vector(out, bytes.len());
            out.extend(bytes);
            at
        }
        Fb::Ints(items) => {
            let at = vector(out, items.len());
            out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            at
        }
        Fb::Longs(items) => {
            let at = vector(out, items.len());
            out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            at
        }
        Fb::Floats(items) => {
            let at = vector(out, items.len());
            out.extend(items.iter().flat_map(|item| item.to_le_bytes()));
            at
        }
        Fb::Tables(items) => {
            let at = vector(out, items.len());
            out.resize(out.len() + 4 * items.len(), 0);
            for (index, item) in items.iter().enumerate() {
                link(out, at + 4 + 4 * index, item);
            }
            at
        }
        Fb::Shared(count, item) => {
            let at = vector(out, *count);
            out.resize(out.len() + 4 * count, 0);
            let target = put(out, item);
            for slot in (at + 4..).step_by(4).take(*count) {
                out[slot..][..4].copy_from_slice(&((target - slot) as u32).to_le_bytes());
            }
            at
        }
        Fb::Table(fields) => {
            let vtable = out.len();
            let slots = fields.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
            out.resize(vtable + 4 + 2 * slots, 0);
            let at = out.len();
            out.extend(((at - vtable) as i32).to_le_bytes());
            let mut links = Vec::new();
            for (id, field) in fields {
                let slot = out.len() - at;
                out[vtable + 4 + 2 * id..][..2].copy_from_slice(&(slot as u16).to_le_bytes());
                match field {
                    Fb::U8(value) => out.push(*value),
                    Fb::I32(value) => out.extend(value.to_le_bytes()),
                    Fb::U64(value) => out.extend(value.to_le_bytes()),
                    other => {
                        links.push((out.len(), other));
                        out.extend([0; 4]);
                    }
                }
            }
            let size = (out.len() - at) as u16;
            out[vtable..][..2].copy_from_slice(&((4 + 2 * slots) as u16).to_le_bytes());
            out[vtable + 2..][..2].copy_from_slice(&size.to_le_bytes());
            for (slot, field) in links {
                link(out, slot, field);
            }
            at
        }
        _ => panic!("a number has no place of its own"),
    }
}

fn link(out: &mut Vec<u8>, slot: usize, value: &Fb) {
    let at = put(out, value);
    out[slot..][..4].copy_from_slice(&((at - slot) as u32).to_le_bytes());
}

/// A file of TFLite.
pub(super) fn finish(root: &Fb) -> Vec<u8> {
    let mut out = vec![0; 8];
    out[4..].copy_from_slice(b"TFL3");
    link(&mut out, 0, root);
    out
}
