//! Caffe's Eltwise layer: products, weighted sums and maxima of tensors of one shape.

use super::prelude::*;
use super::{Add, Maximum, Mul};

pub const SPELLINGS: &[Spelling] = &[Spelling::caffe("Eltwise")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    // It chooses how gradients are computed.
    node.ignore(&["stable_prod_grad"]);
    let operation = node.text("operation", "SUM")?;
    let coeff = node.opt_floats("coeff")?.unwrap_or_default();
    let count = node.n_inputs();
    if !coeff.is_empty() && (coeff.len() != count || operation != "SUM") {
        return Err(ImportError::malformed("is not one for each summand").attribute("coeff"));
    }
    let mut result = None;
    for index in 0..count {
        let mut x = node.input(index)?;
        if let Some(&factor) = coeff.get(index)
            && factor != 1.0
        {
            let factor = b.scalar(factor);
            x = b.op(Mul {}, &[x, factor])?;
        }
        result = Some(match (result, operation) {
            (None, _) => x,
            (Some(sum), "SUM") => b.op(Add {}, &[sum, x])?,
            (Some(product), "PROD") => b.op(Mul {}, &[product, x])?,
            (Some(most), "MAX") => b.op(Maximum {}, &[most, x])?,
            (_, other) => {
                let message = format!("{other} is not known");
                return Err(ImportError::unsupported(message).attribute("operation"));
            }
        });
    }
    one(result.ok_or_else(|| ImportError::malformed("there are no inputs"))?)
}
