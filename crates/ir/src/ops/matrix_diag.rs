//! TFLite's MATRIX_DIAG and MATRIX_SET_DIAG: numbers on the diagonals of matrices.

use super::prelude::*;
use super::{Select, fill};

pub const SPELLINGS: &[Spelling] =
    &[Spelling::tflite("MATRIX_DIAG"), Spelling::tflite("MATRIX_SET_DIAG")];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (diagonal, rest) = match node.op {
        "MATRIX_DIAG" => (node.input(0)?, None),
        _ => (node.input(1)?, Some(node.input(0)?)),
    };
    let mut dims = b.ty(diagonal).dims.clone();
    let last = dims.last().cloned();
    let len = last.ok_or_else(|| ImportError::malformed("a number is no diagonal"))?;
    let [rows, columns] = match rest.map(|rest| b.ty(rest).dims.as_slice()) {
        None => [len.clone(), len.clone()],
        Some([.., rows, columns]) => [rows.clone(), columns.clone()],
        Some(_) => return Err(ImportError::malformed("a vector has no diagonal")),
    };
    let (Some(height), Some(width)) = (rows.known(), columns.known()) else {
        let message = "matrices of open size are not supported";
        return Err(ImportError::unsupported(message).hint("fix the sizes with --shape"));
    };
    if Dim::Known(height.min(width)) != len || 1 << 24 < height.saturating_mul(width) {
        let message = format!("a diagonal of {len} in matrices of {height} x {width}");
        return Err(ImportError::malformed(message));
    }
    // Along the shorter axis each number has a row or a column of its own.
    let at = if width <= height { dims.len() - 1 } else { dims.len() };
    dims.insert(at, Dim::Known(1));
    let spread = b.reshape(diagonal, dims)?;
    let bits = (0..height).flat_map(|row| (0..width).map(move |column| u8::from(row == column)));
    let bits: Vec<u8> = bits.collect();
    let mask = Const::new(DType::Bool, vec![height as usize, width as usize], bits);
    let mask = mask.ok_or_else(|| ImportError::malformed("the matrices are too large"))?;
    let mask = b.constant(mask, None);
    let rest = match rest {
        Some(rest) => rest,
        None => {
            let ty = b.ty(diagonal).clone();
            let zero = fill::zero(b, ty.dtype)?;
            b.set_quant(zero, ty.quant);
            zero
        }
    };
    one(b.op(Select {}, &[mask, spread, rest])?)
}
