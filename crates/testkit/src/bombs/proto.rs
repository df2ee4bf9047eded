//! Protocol buffer messages, sound or not.

pub(super) use embarca_import::wire::proto_writer::{
    bytes, claim, float, int, message, packed, text,
};

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
