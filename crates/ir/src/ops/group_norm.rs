//! Layer, instance and group normalization: standardized stretches, then a factor and an offset.

use embarca_kernels::reduce::Kind;
use embarca_kernels::unary;

use super::prelude::*;
use super::reduce::{Reduce, Reduction};
use super::{Add, Mul, Standardize, Sub, Unary};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("GroupNormalization", 18),
    Spelling::onnx("InstanceNormalization", 6),
    Spelling::onnx("LayerNormalization", 1),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let epsilon = node.float("epsilon", 1e-5)?;
    let x = node.input(0)?;
    let dims = b.ty(x).dims.clone();
    if node.op == "LayerNormalization" {
        // Whether statistics are kept in f32; they always are.
        node.ignore(&["stash_type"]);
        let start = axis(node.int("axis", -1)?, dims.len())?;
        let mut rows = dims[..start].to_vec();
        rows.push(dim::product(&dims[start..]));
        let y = standardized(b, x, rows, &dims, epsilon)?;
        let mut outputs = affine(node, b, y, None)?;
        if 1 < node.n_outputs {
            outputs.extend(statistics(b, x, (start..dims.len()).collect(), epsilon)?);
        }
        return Ok(outputs);
    }
    if dims.len() < 3 {
        return Err(ImportError::malformed(format!("expected N, C, ..., got {}", b.ty(x))));
    }
    let spread = Some(vec![1; dims.len() - 2]);
    if node.op == "InstanceNormalization" {
        let rows = vec![dims[0].clone(), dims[1].clone(), dim::product(&dims[2..])];
        let y = standardized(b, x, rows, &dims, epsilon)?;
        return affine(node, b, y, spread);
    }
    node.ignore(&["stash_type"]);
    let groups = Dim::Known(node.int("num_groups", 0)?.max(1));
    let each = dim::product(&dims[1..]).floor_div(&groups);
    let rows = vec![dims[0].clone(), groups, each];
    if node.version < 21 {
        // One factor for each group.
        let y = standardized(b, x, rows.clone(), &rows, epsilon)?;
        let y = affine(node, b, y, Some(vec![1]))?;
        return one(b.reshape(y[0], dims)?);
    }
    let y = standardized(b, x, rows, &dims, epsilon)?;
    affine(node, b, y, spread)
}

/// `x` standardized as `rows`, then shaped as `dims`.
fn standardized(
    b: &mut Builder<'_>,
    x: ValueId,
    rows: Vec<Dim>,
    dims: &[Dim],
    epsilon: f32,
) -> Result<ValueId, ShapeError> {
    let rows = b.reshape(x, rows)?;
    let y = b.op(Standardize { epsilon }, &[rows])?;
    b.reshape(y, dims.to_vec())
}

/// Mean and inverse deviation along `axes`, which stay with one element.
pub fn statistics(
    b: &mut Builder<'_>,
    x: ValueId,
    axes: Vec<usize>,
    epsilon: f32,
) -> Result<[ValueId; 2], ShapeError> {
    let average = Reduce { by: Reduction(Kind::Mean), axes, keep: true };
    let mean = b.op(average.clone(), &[x])?;
    let centred = b.op(Sub {}, &[x, mean])?;
    let squares = b.op(Mul {}, &[centred, centred])?;
    let variance = b.op(average, &[squares])?;
    let epsilon = b.scalar(epsilon);
    let variance = b.op(Add {}, &[variance, epsilon])?;
    let inverse = b.op(Unary::plain(unary::Kind::Rsqrt), &[variance])?;
    Ok([mean, inverse])
}

/// `y` times input 1 plus input 2, which are followed by the unit axes `spread`.
fn affine(
    node: &NodeView<'_>,
    b: &mut Builder<'_>,
    y: ValueId,
    spread: Option<Vec<i64>>,
) -> Result<Vec<ValueId>, ImportError> {
    let shaped = |value: ValueId, b: &mut Builder<'_>| match &spread {
        None => Ok(value),
        Some(units) => {
            let mut dims = b.ty(value).dims.clone();
            dims.extend(units.iter().copied().map(Dim::Known));
            b.reshape(value, dims)
        }
    };
    let scale = shaped(node.input(1)?, b)?;
    let y = b.op(Mul {}, &[y, scale])?;
    let Some(bias) = node.optional(2) else { return one(y) };
    let bias = shaped(bias, b)?;
    one(b.op(Add {}, &[y, bias])?)
}
