//! Matrices picked by their diagonals: Trilu, EyeLike.

use embarca_kernels::compare::Kind;

use super::compare::{Compare, Comparison};
use super::prelude::*;
use super::{Range, Select, Sub, cast, fill, moves};

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Trilu", 14), Spelling::onnx("EyeLike", 9)];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let dims = b.ty(x).dims.clone();
    let [.., rows, columns] = &dims[..] else {
        return Err(ImportError::malformed("the input is no matrix"));
    };
    if node.op == "EyeLike" {
        let dtype = moves::dtype_attr(node, "dtype", b.ty(x).dtype)?;
        let on = compare(b, rows, columns, node.int("k", 0)?, Kind::Equal)?;
        return one(cast::to(b, on, dtype)?);
    }
    let upper = node.flag("upper", true)?;
    let k = if node.optional(1).is_some() { moves::int_input(node, b, 1)? } else { 0 };
    let kind = if upper { Kind::GreaterEqual } else { Kind::LessEqual };
    let kept = compare(b, rows, columns, k, kind)?;
    let zero = fill::zero(b, b.ty(x).dtype)?;
    one(b.op(Select {}, &[kept, x, zero])?)
}

/// Whether column less row compares with `k`, for each place of a matrix.
fn compare(
    b: &mut Builder<'_>,
    rows: &Dim,
    columns: &Dim,
    k: i64,
    kind: Kind,
) -> Result<ValueId, ShapeError> {
    let count = |b: &mut Builder<'_>, len: &Dim| {
        let [zero, one] = [0, 1].map(|i| b.constant(Const::from_i64(&[], &[i]), None));
        b.op(Range { len: len.clone() }, &[zero, zero, one])
    };
    let row = count(b, rows)?;
    let row = b.reshape(row, vec![rows.clone(), Dim::Known(1)])?;
    let column = count(b, columns)?;
    let diagonal = b.op(Sub {}, &[column, row])?;
    let k = b.constant(Const::from_i64(&[], &[k]), None);
    b.op(Compare { holds: Comparison(kind) }, &[diagonal, k])
}
