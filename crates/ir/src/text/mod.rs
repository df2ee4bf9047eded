//! The text form of a model: readable, and parsed back to an equal model.
//!
//! ```text
//! model v1
//! format "TFLite"
//! symbol batch [1, 1, 2147483647]
//!
//! graph main {
//!   %0 "x" = input f32[batch,3,8]
//!   %1 = const #0 f32[2] [1.0, 2.0]
//!   %2 "w" = const #1 i8[64,1,1,64] q(axis 0: @1, 0) @0
//!   %3 = state "h" f32[1,64] #2 @2
//!   %4, %5 "b" = split(%0, %1, _) {axis=1} "node name" -> f32[batch,1,8], f32[batch,2,8]
//!   next %3 = %5
//!   output %4 "part"
//! }
//! ```
//!
//! - White space separates and means nothing else; `//` starts a comment that ends with the line.
//! - `%n` is value n of its graph, `#n` constant n of the model, `@n` a blob: bytes too many to be
//!   written, which travel beside the text. The first mention of a constant carries its content, a
//!   list of all elements or a blob; a constant that no value holds has a line of its own before the
//!   graphs. `@n~hash` also states the FNV-1a hash of the blob.
//! - A string after `%n` is the name of the value, one after `state` the name of the state, one after
//!   an operator's attributes the name of the node,
//!   one after `output %n` the name of the output. `_` is an optional input that is left out.
//! - `q(scale, zero)` quantizes a whole tensor, `q(axis a: scales, zeros)` its axis `a`. Scales are a
//!   list or a blob of `f32`; zero points a list, a blob of `i32`, or one number for all.
//! - Dimensions are sums of products of numbers, symbols, `div(a, b)`, `rem(a, b)`, `min(a, b)` and
//!   `max(a, b)`. A symbol whose name is no word is written `$"its name"`.
//! - Attributes are words (`tflite`, `"two words"`), dimensions, real numbers (always with a point or
//!   an exponent, `inf` or `nan`), graphs (`graph(1)`), and lists of these.
//! - The types behind `->` may be left out. Where they are given they must fit what shape inference
//!   yields.

mod lex;
mod parse;
mod print;

pub use lex::TextError;
pub use parse::{parse, parse_meta};
pub use print::{Printed, attr, dim, dump, print, print_graphs, print_meta, quoted, tensor_type};

/// Constants up to this many elements are written out.
pub const MAX_INLINE: usize = 16;

/// Words that are never a bare symbol.
const RESERVED: [&str; 10] =
    ["_", "true", "false", "none", "inf", "nan", "div", "rem", "min", "max"];

/// Whether `text` can be written without quotes.
fn is_word(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_word) && chars.all(continues_word)
}

fn starts_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn continues_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// FNV-1a of 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests;
