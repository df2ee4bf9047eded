//! Running products along an axis, one node for each element of the axis.

use super::draft::Draft;
use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("CumProd", 26)];
pub const U8_AS_I8: Option<&str> = None;

/// The longest axis that is taken apart.
const MAX_LEN: i64 = 256;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let at = axis(super::moves::int_input(node, b, 1)?, b.rank(x))?;
    let (exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
    let len = b.ty(x).dims[at].known().filter(|&len| len <= MAX_LEN).ok_or_else(|| {
        ImportError::unsupported(format!("the axis is open or longer than {MAX_LEN}"))
    })?;
    let mut d = Draft::new(b);
    let mut product = None;
    let mut results = Vec::new();
    for i in 0..len {
        let place = if reverse { len - 1 - i } else { i };
        let own = d.part(x, at, place, Dim::Known(1), 1)?;
        let after = match product {
            None => own,
            Some(product) => d.mul(product, own)?,
        };
        results.push(match (exclusive, product) {
            (false, _) => after,
            (true, Some(before)) => before,
            (true, None) => {
                let one = d.number(x, 1.0)?;
                let dims = d.b.ty(own).dims.clone();
                d.expand(one, dims)?
            }
        });
        product = Some(after);
    }
    if results.is_empty() {
        return one(x);
    }
    if reverse {
        results.reverse();
    }
    one(d.concat(&results, at)?)
}
