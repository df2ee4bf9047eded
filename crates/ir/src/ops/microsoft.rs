//! ONNX Runtime's fused operators (`com.microsoft`), which its optimizer writes into transformers.

use embarca_kernels::{reduce, unary};

use super::attention::{self, Heads, Weights, attend, hidden_unless, join_heads, split_heads};
use super::draft::Draft;
use super::group_norm::statistics;
use super::prelude::*;
use super::{Dense, Standardize};

const MICROSOFT: &str = "com.microsoft";

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("Attention", 1).domain(MICROSOFT),
    Spelling::onnx("BiasGelu", 1).domain(MICROSOFT),
    Spelling::onnx("EmbedLayerNormalization", 1).domain(MICROSOFT),
    Spelling::onnx("FastGelu", 1).domain(MICROSOFT),
    Spelling::onnx("FusedMatMul", 1).domain(MICROSOFT),
    Spelling::onnx("Gelu", 1).domain(MICROSOFT),
    Spelling::onnx("MultiHeadAttention", 1).domain(MICROSOFT),
    Spelling::onnx("QuickGelu", 1).domain(MICROSOFT),
    Spelling::onnx("SimplifiedLayerNormalization", 1),
    Spelling::onnx("SkipLayerNormalization", 1).domain(MICROSOFT),
    Spelling::onnx("SkipSimplifiedLayerNormalization", 1).domain(MICROSOFT),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut d = Draft::new(b);
    match node.op {
        "Attention" => packed_attention(node, &mut d),
        "MultiHeadAttention" => multi_head(node, &mut d),
        "EmbedLayerNormalization" => embed(node, &mut d),
        "FusedMatMul" => fused_matmul(node, &mut d),
        "SimplifiedLayerNormalization" => {
            let axis = node.int("axis", -1)?;
            let x = node.input(0)?;
            if axis != -1 && axis != d.b.rank(x) as i64 - 1 {
                return Err(ImportError::unsupported("of another axis than the last").attribute("axis"));
            }
            node.ignore(&["stash_type"]);
            let y = by_root_mean_square(&mut d, x, node.float("epsilon", 1e-5)?)?;
            one(d.mul(y, node.input(1)?)?)
        }
        "SkipLayerNormalization" | "SkipSimplifiedLayerNormalization" => skip(node, &mut d),
        _ => gelu(node, &mut d),
    }
}

fn gelu(node: &NodeView<'_>, d: &mut Draft<'_, '_>) -> Result<Vec<ValueId>, ImportError> {
    let mut x = node.input(0)?;
    if let ("BiasGelu" | "FastGelu", Some(bias)) = (node.op, node.optional(1)) {
        x = d.add(x, bias)?;
    }
    let gate = match node.op {
        "QuickGelu" => {
            let steep = d.scaled(x, node.float("alpha", 1.702)?.into())?;
            d.unary(unary::Kind::Sigmoid, steep)?
        }
        "FastGelu" => {
            // sqrt(2 / pi) and the cube's factor of the usual approximation.
            let square = d.mul(x, x)?;
            let inner = d.scaled(square, 0.044715 * 0.797_884_560_802_865_4)?;
            let inner = d.shifted(inner, 0.797_884_560_802_865_4)?;
            let inner = d.mul(x, inner)?;
            let inner = d.unary(unary::Kind::Tanh, inner)?;
            let inner = d.shifted(inner, 1.0)?;
            d.scaled(inner, 0.5)?
        }
        _ => {
            let inner = d.scaled(x, std::f64::consts::FRAC_1_SQRT_2)?;
            let inner = d.unary(unary::Kind::Erf, inner)?;
            let inner = d.shifted(inner, 1.0)?;
            d.scaled(inner, 0.5)?
        }
    };
    one(d.mul(x, gate)?)
}

fn fused_matmul(node: &NodeView<'_>, d: &mut Draft<'_, '_>) -> Result<Vec<ValueId>, ImportError> {
    for name in ["transBatchA", "transBatchB"] {
        if node.flag(name, false)? {
            return Err(ImportError::unsupported("is set").attribute(name));
        }
    }
    let alpha = node.float("alpha", 1.0)?;
    let op = super::Matmul {
        transpose_a: node.flag("transA", false)?,
        transpose_b: node.flag("transB", false)?,
    };
    let (x, y) = (node.input(0)?, node.input(1)?);
    if d.b.rank(x) < 2 || d.b.rank(y) < 2 {
        return Err(ImportError::unsupported("of vectors"));
    }
    let product = d.b.op(op, &[x, y])?;
    one(if alpha == 1.0 { product } else { d.scaled(product, alpha.into())? })
}

/// Over the root of the mean of its squares along the last axis.
fn by_root_mean_square(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    epsilon: f32,
) -> Result<ValueId, ImportError> {
    let last = match d.b.rank(x) {
        0 => return Err(ImportError::malformed("the input has no axes")),
        rank => rank - 1,
    };
    let square = d.mul(x, x)?;
    let mean = d.reduce(reduce::Kind::Mean, square, [last], true)?;
    let mean = d.shifted(mean, epsilon.into())?;
    let root = d.unary(unary::Kind::Sqrt, mean)?;
    Ok(d.div(x, root)?)
}

/// Standardized along the last axis, times `scale`, plus `bias`.
fn normalized(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    epsilon: f32,
    scale: ValueId,
    bias: Option<ValueId>,
) -> Result<ValueId, ImportError> {
    let y = d.b.op(Standardize { epsilon }, &[x])?;
    let y = d.mul(y, scale)?;
    Ok(match bias {
        Some(bias) => d.add(y, bias)?,
        None => y,
    })
}

fn skip(node: &NodeView<'_>, d: &mut Draft<'_, '_>) -> Result<Vec<ValueId>, ImportError> {
    let mut sum = d.add(node.input(0)?, node.input(1)?)?;
    let simple = node.op != "SkipLayerNormalization";
    if let Some(bias) = node.optional(if simple { 3 } else { 4 }) {
        sum = d.add(sum, bias)?;
    }
    let scale = node.input(2)?;
    let epsilon = node.float("epsilon", 1e-12)?;
    if simple {
        let y = by_root_mean_square(d, sum, epsilon)?;
        let y = d.mul(y, scale)?;
        let last = d.b.rank(sum) - 1;
        let mean = d.reduce(reduce::Kind::Mean, sum, [last], true)?;
        let square = d.mul(sum, sum)?;
        let square = d.reduce(reduce::Kind::Mean, square, [last], true)?;
        let square = d.shifted(square, epsilon.into())?;
        let inverse = d.unary(unary::Kind::Rsqrt, square)?;
        return Ok(vec![y, mean, inverse, sum]);
    }
    let y = normalized(d, sum, epsilon, scale, node.optional(3))?;
    let last = d.b.rank(sum) - 1;
    let [mean, inverse] = statistics(d.b, sum, vec![last], epsilon)?;
    Ok(vec![y, mean, inverse, sum])
}

fn embed(node: &NodeView<'_>, d: &mut Draft<'_, '_>) -> Result<Vec<ValueId>, ImportError> {
    let words = node.input(0)?;
    let dims = d.b.ty(words).dims.clone();
    let [n, len] = dims.as_slice() else {
        return Err(ImportError::malformed(format!("the words are {}", d.b.ty(words))));
    };
    let mut sum = d.gather(node.input(2)?, words, 0)?;
    let positions = match node.optional(8) {
        Some(positions) => positions,
        None => {
            let row = attention::count(d, len)?;
            d.b.reshape(row, vec![Dim::Known(1), len.clone()])?
        }
    };
    let places = d.gather(node.input(3)?, positions, 0)?;
    sum = d.add(sum, places)?;
    match (node.optional(1), node.optional(4)) {
        (Some(segments), Some(table)) => {
            let segments = d.gather(table, segments, 0)?;
            sum = d.add(sum, segments)?;
        }
        (None, None) => {}
        _ => return Err(ImportError::malformed("segments and their table do not come together")),
    }
    let epsilon = node.float("epsilon", 1e-12)?;
    let y = normalized(d, sum, epsilon, node.input(5)?, node.optional(6))?;
    let filled = match node.optional(7) {
        Some(mask) => {
            let last = d.b.rank(mask).checked_sub(1);
            let last = last.ok_or_else(|| ImportError::malformed("the mask has no axes"))?;
            let mask = d.cast(mask, DType::I32)?;
            d.reduce(reduce::Kind::Sum, mask, [last], false)?
        }
        None => {
            let zero = d.b.constant(Const::from_i32(&[], &[0]), None);
            d.expand(zero, vec![n.clone()])?
        }
    };
    Ok(vec![y, filled, sum])
}

/// What hides keys: `[N, keys]` or `[N]` with 0 for those to hide, or more axes. `causal` hides those
/// behind a query.
fn bias(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    mask: Option<ValueId>,
    added: Option<ValueId>,
    [q, k]: [ValueId; 2],
) -> Result<(Option<ValueId>, bool), ImportError> {
    let (queries, keys) = (d.b.ty(q).dims[2].clone(), d.b.ty(k).dims[2].clone());
    let mut bias = added;
    if let Some(mask) = mask {
        let mut dims = d.b.ty(mask).dims.clone();
        let samples = d.b.ty(q).dims[0].clone();
        let seen = match dims.len() {
            1 if dims[0].sub(&samples).known() == Some(0) => {
                let column = attention::count(d, &keys)?;
                let mask = d.cast(mask, DType::I64)?;
                let mask = d.unsqueeze(mask, 1)?;
                d.compare(embarca_kernels::compare::Kind::Less, column, mask)?
            }
            2 | 3 => d.cast(mask, DType::Bool)?,
            _ => {
                let message = format!("a mask of {}", d.b.ty(mask));
                return Err(ImportError::unsupported(message));
            }
        };
        dims = d.b.ty(seen).dims.clone();
        dims.insert(1, Dim::Known(1));
        if dims.len() == 3 {
            dims.insert(1, Dim::Known(1));
        }
        let seen = d.b.reshape(seen, dims)?;
        // What is hidden is as low as the node says, so that a row that hides all stays finite.
        let (zero, low) =
            (d.number(q, 0.0)?, d.number(q, node.float("mask_filter_value", -10000.0)?.into())?);
        let hidden = d.select(seen, zero, low)?;
        bias = Some(match bias {
            Some(bias) => d.add(bias, hidden)?,
            None => hidden,
        });
    }
    if node.flag("unidirectional", false)? {
        let column = attention::count(d, &keys)?;
        let row = attention::count(d, &queries)?;
        let row = d.b.reshape(row, vec![queries.clone(), Dim::Known(1)])?;
        let sizes = |d: &mut Draft<'_, '_>, x: ValueId| {
            let len = super::ShapeOf { start: 2, end: 3, to: DType::I64 };
            d.b.op(len, &[x])
        };
        let (all, own) = (sizes(d, k)?, sizes(d, q)?);
        let before = d.sub(all, own)?;
        let row = d.add(row, before)?;
        let seen = d.compare(embarca_kernels::compare::Kind::LessEqual, column, row)?;
        let hidden = hidden_unless(d, seen, q)?;
        bias = Some(match bias {
            Some(bias) => d.add(bias, hidden)?,
            None => hidden,
        });
    }
    Ok((bias, false))
}

fn weights(node: &NodeView<'_>, bias: Option<ValueId>) -> Result<Weights, ImportError> {
    let scale = node.float("scale", 0.0)?;
    let scale = (scale != 0.0).then_some(scale);
    Ok(Weights { scale, cap: 0.0, bias, may_hide_all: false, precision: None })
}

fn head_count(node: &NodeView<'_>) -> Result<i64, ImportError> {
    match node.int("num_heads", 0)? {
        count @ 1.. => Ok(count),
        _ => Err(ImportError::malformed("is missing or not positive").attribute("num_heads")),
    }
}

/// Inputs: x, weights `[features, q + k + v]`, bias, mask, past `[2, N, heads, keys, features]`, what
/// is added to the weights.
fn packed_attention(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
) -> Result<Vec<ValueId>, ImportError> {
    let heads = head_count(node)?;
    for name in ["do_rotary", "past_present_share_buffer"] {
        if node.flag(name, false)? {
            return Err(ImportError::unsupported("is set").attribute(name));
        }
    }
    node.ignore(&["rotary_embedding_dim"]);
    let w = d.b.transpose(node.input(1)?, &[1, 0])?;
    let mut all = d.b.op(Dense::PLAIN, &[node.input(0)?, w])?;
    if let Some(bias) = node.optional(2) {
        all = d.add(all, bias)?;
    }
    let [_, _, total] = d.b.ty(all).dims.as_slice() else {
        return Err(ImportError::malformed(format!("the input is {}", d.b.ty(node.input(0)?))));
    };
    let total = total.known();
    let total = total.ok_or_else(|| ImportError::unsupported("the number of features is open"))?;
    let sizes = match node.opt_ints("qkv_hidden_sizes")? {
        Some(sizes) => sizes,
        None => vec![total / 3; 3],
    };
    let sum = sizes.iter().try_fold(0i64, |sum, &size| sum.checked_add(size));
    if sizes.len() != 3 || sum != Some(total) || sizes.iter().any(|&size| size < 1) {
        let message = format!("{sizes:?} of {total} features");
        return Err(ImportError::malformed(message).attribute("qkv_hidden_sizes"));
    }
    let mut start = 0;
    let mut parts = [all; 3];
    for (part, &size) in parts.iter_mut().zip(&sizes) {
        let features = d.part(all, 2, start, Dim::Known(size), 1)?;
        *part = split_heads(d, features, heads)?;
        start += size;
    }
    let [q, mut k, mut v] = parts;
    if let Some(past) = node.optional(4) {
        let each = |d: &mut Draft<'_, '_>, index: i64| {
            let part = d.part(past, 0, index, Dim::Known(1), 1)?;
            d.squeeze(part, 0)
        };
        let (keys, values) = (each(d, 0)?, each(d, 1)?);
        k = d.concat(&[keys, k], 2)?;
        v = d.concat(&[values, v], 2)?;
    }
    let (bias, _) = bias(node, d, node.optional(3), node.optional(5), [q, k])?;
    let weights = weights(node, bias)?;
    let y = attend(d, Heads { q, k, v }, &weights)?.y;
    let y = join_heads(d, y)?;
    let (keys, values) = (d.unsqueeze(k, 0)?, d.unsqueeze(v, 0)?);
    if node.n_outputs < 2 {
        return one(y);
    }
    Ok(vec![y, d.concat(&[keys, values], 0)?])
}

/// Inputs: q, k, v `[N, positions, heads * features]` (or keys and values with their heads apart),
/// bias of all three, mask, what is added to the weights, past keys and values.
fn multi_head(node: &NodeView<'_>, d: &mut Draft<'_, '_>) -> Result<Vec<ValueId>, ImportError> {
    let heads = head_count(node)?;
    let q = node.input(0)?;
    let missing = || ImportError::unsupported("queries, keys and values in one tensor");
    let k = node.optional(1).ok_or_else(missing)?;
    let v = node.optional(2).ok_or_else(missing)?;
    let mut parts = [q, k, v];
    if let Some(bias) = node.optional(3) {
        let mut start = 0;
        for part in &mut parts {
            let size = d.b.ty(*part).dims.last().and_then(Dim::known);
            let size = size.filter(|_| d.b.rank(*part) == 3).ok_or_else(|| {
                ImportError::unsupported("a bias of what is split into heads already")
            })?;
            let own = d.part(bias, 0, start, Dim::Known(size), 1)?;
            *part = d.add(*part, own)?;
            start = size.checked_add(start).ok_or_else(|| {
                ImportError::malformed("more features than a tensor may have")
            })?;
        }
    }
    for part in &mut parts {
        *part = match d.b.rank(*part) {
            4 => *part,
            _ => split_heads(d, *part, heads)?,
        };
    }
    let [q, mut k, mut v] = parts;
    match (node.optional(6), node.optional(7)) {
        (Some(keys), Some(values)) => {
            k = d.concat(&[keys, k], 2)?;
            v = d.concat(&[values, v], 2)?;
        }
        (None, None) => {}
        _ => return Err(ImportError::malformed("past keys and values do not come together")),
    }
    let (bias, _) = bias(node, d, node.optional(4), node.optional(5), [q, k])?;
    let weights = weights(node, bias)?;
    let attended = attend(d, Heads { q, k, v }, &weights)?;
    let y = join_heads(d, attended.y)?;
    Ok(vec![y, k, v])
}
