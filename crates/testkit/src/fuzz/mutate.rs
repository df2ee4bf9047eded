//! Damage to files: random, but of the kinds that readers stumble over.

use crate::random::Random;

/// Numbers at the edges of types, as files write them.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// Damages `bytes` once; `other` is a file of the same kind to take pieces from.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let len = bytes.len();
    let at = random.below(len.max(1));
    match random.below(12) {
        _ if len == 0 => bytes.extend(piece(other, random)),
        0 => bytes.truncate(at),
        1 | 2 => bytes[at] ^= 1 << random.below(8),
        3 => bytes[at] = random.bits() as u8,
        4 => bytes[at] = bytes[at].wrapping_add([1, 0xff, 16, 0xf0][random.below(4)]),
        5 => {
            // A length, a count or an offset at an edge.
            let edge = random.pick(&EDGES).to_le_bytes();
            let width = [1, 2, 4, 8][random.below(4)];
            let place = match random.once_in(2) {
                true => at / width * width,
                false => at,
            };
            bytes.iter_mut().skip(place).zip(&edge[..width]).for_each(|(byte, new)| *byte = *new);
        }
        6 => {
            // A number that is a little more or less.
            let place = at / 4 * 4;
            if let Some(word) = bytes.get_mut(place..).and_then(|rest| rest.first_chunk_mut()) {
                let change = (random.below(35) as u32).wrapping_sub(17);
                *word = u32::from_le_bytes(*word).wrapping_add(change).to_le_bytes();
            }
        }
        7 => {
            let end = (at + 1 + random.below(64)).min(len);
            bytes.drain(at..end);
        }
        8 => {
            // The same again, here or elsewhere.
            let own = piece(bytes, random);
            let to = random.below(len + 1);
            bytes.splice(to..to, own);
        }
        9 => {
            let new = piece(other, random);
            let end = if random.once_in(2) { at } else { (at + new.len()).min(len) };
            bytes.splice(at..end, new);
        }
        10 => {
            let from = random.below(len);
            let count = (1 + random.below(32)).min(len - from.max(at));
            bytes.copy_within(from..from + count, at);
        }
        _ => digits(bytes, at, random),
    }
}

/// A part of a file, mostly short.
fn piece(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let from = random.below(bytes.len().max(1));
    let len = match random.once_in(8) {
        true => random.below(1024),
        false => 1 + random.below(48),
    };
    bytes.iter().skip(from).take(len).copied().collect()
}

/// Another number in place of the next one that is written in digits.
fn digits(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[at..].iter().position(is_digit).map(|offset| at + offset) else {
        return;
    };
    let len = bytes[start..].iter().take_while(|byte| is_digit(byte)).count();
    let number = random.pick(&EDGES);
    let text = match random.below(4) {
        0 => format!("-{}", random.below(9)),
        1 => format!("{}", random.below(70)),
        _ => format!("{number}"),
    };
    bytes.splice(start..start + len, text.into_bytes());
}
