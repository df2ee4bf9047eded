//! Steps between the convolutions: sums, products, pools, means, softmax, tables.

mod add;
mod mul;
mod pool;
mod softmax;
mod table;

pub use add::{Add, add};
pub use mul::{Mul, mul};
pub use pool::{Pool, PoolKind, pool};
pub use softmax::{Softmax, softmax};
pub use table::{Table, table};

use super::{Bytes, Frame};
use crate::Fault;

/// Three views of one length.
fn views<'a>(frame: &Frame<'a>, at: [u32; 3], len: u32) -> Result<[Bytes<'a>; 3], Fault> {
    let [a, b, c] = at;
    Ok([frame.arena(a, len)?, frame.arena(b, len)?, frame.arena(c, len)?])
}
