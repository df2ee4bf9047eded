//! ONNX's Attention: queries meet keys, what they find weighs values. Heads, masks, caches of keys
//! and values, and the matrix of weights as an output.

use embarca_kernels::{compare, reduce, unary};

use super::draft::Draft;
use super::moves::dtype_attr;
use super::prelude::*;
use super::{LogicalNot, Matmul, Range, Softmax};

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Attention", 23)];
pub const U8_AS_I8: Option<&str> = None;

/// Queries `[N, heads, queries, features]`, keys and values `[N, heads, keys, features]`; queries may
/// have a multiple of the others' heads, each of which serves as many in a row.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// What is asked.
    pub q: ValueId,
    /// What it is compared with.
    pub k: ValueId,
    /// What is found.
    pub v: ValueId,
}

/// How weights are formed.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    /// The factor before products of queries and keys; `None` is one over the root of the features.
    pub scale: Option<f32>,
    /// Weights are limited to `cap * tanh(x / cap)`; 0 does not limit them.
    pub cap: f32,
    /// Added to the weights before the softmax, with `-inf` for what is not to be seen.
    pub bias: Option<ValueId>,
    /// Whether a row of the bias may hold nothing but `-inf`; its result is zero.
    pub may_hide_all: bool,
    /// The type of the softmax; `None` is that of the queries.
    pub precision: Option<DType>,
}

/// The results of [`attend`].
#[derive(Clone, Copy, Debug)]
pub struct Attended {
    /// `[N, heads, queries, features]`
    pub y: ValueId,
    /// `[N, heads, queries, keys]`, in the order in which they are formed: products of queries and
    /// keys, limited, with the bias, after the softmax.
    pub weights: [ValueId; 4],
}

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let rank = b.rank(node.input(0)?);
    let mut d = Draft::new(b);
    let [mut q, mut k, mut v] = [node.input(0)?, node.input(1)?, node.input(2)?];
    match rank {
        3 => {
            let [queries, keys] = ["q_num_heads", "kv_num_heads"].map(|name| heads(node, name));
            let (queries, keys) = (queries?, keys?);
            q = split_heads(&mut d, q, queries)?;
            k = split_heads(&mut d, k, keys)?;
            v = split_heads(&mut d, v, keys)?;
        }
        // Ranks of 4 have the heads among their axes.
        4 => node.ignore(&["q_num_heads", "kv_num_heads"]),
        _ => return Err(ImportError::malformed(format!("the queries have {rank} axes"))),
    }
    let past = match (node.optional(4), node.optional(5)) {
        (Some(keys), Some(values)) => {
            k = d.concat(&[keys, k], 2)?;
            v = d.concat(&[values, v], 2)?;
            Some(keys)
        }
        (None, None) => None,
        _ => return Err(ImportError::malformed("past keys and values do not come together")),
    };
    let scale = match node.has("scale") {
        true => Some(node.float("scale", 1.0)?),
        false => None,
    };
    let precision = match node.has("softmax_precision") {
        true => Some(dtype_attr(node, "softmax_precision", DType::F32)?),
        false => None,
    };
    let seen = Seen {
        causal: node.flag("is_causal", false)?,
        left: node.int("left_window_size", -1)?,
        right: node.int("right_window_size", -1)?,
        mask: node.optional(3),
        past,
        filled: node.optional(6),
    };
    for part in [q, k, v] {
        if d.b.rank(part) != 4 {
            let message = format!("queries, keys and values of four axes meet {}", d.b.ty(part));
            return Err(ImportError::malformed(message));
        }
    }
    let (bias, may_hide_all) = seen.bias(&mut d, q, k)?;
    let cap = node.float("softcap", 0.0)?;
    if cap.is_nan() || cap < 0.0 {
        return Err(ImportError::malformed(format!("{cap} is no limit")).attribute("softcap"));
    }
    let weights = Weights { scale, cap, bias, may_hide_all, precision };
    let attended = attend(&mut d, Heads { q, k, v }, &weights)?;
    let shown = match node.int("qk_matmul_output_mode", 0)? {
        mode @ 0..=3 => attended.weights[mode as usize],
        mode => {
            let message = format!("there is no mode {mode}");
            return Err(ImportError::malformed(message).attribute("qk_matmul_output_mode"));
        }
    };
    let y = if rank == 3 { join_heads(&mut d, attended.y)? } else { attended.y };
    Ok(vec![y, k, v, shown])
}

fn heads(node: &NodeView<'_>, name: &str) -> Result<i64, ImportError> {
    match node.int(name, 0)? {
        count @ 1.. => Ok(count),
        _ => Err(ImportError::malformed("is missing or not positive").attribute(name)),
    }
}

/// `[N, positions, heads * features]` as `[N, heads, positions, features]`.
pub fn split_heads(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    count: i64,
) -> Result<ValueId, ImportError> {
    let dims = d.b.ty(x).dims.clone();
    let [n, positions, hidden] = dims.as_slice() else {
        return Err(ImportError::malformed(format!("{} does not split into heads", d.b.ty(x))));
    };
    if hidden.known().is_some_and(|hidden| hidden % count != 0) {
        let message = format!("{hidden} features do not split into {count} heads");
        return Err(ImportError::malformed(message));
    }
    let count = Dim::Known(count);
    let each = hidden.floor_div(&count);
    let x = d.b.reshape(x, vec![n.clone(), positions.clone(), count, each])?;
    Ok(d.b.transpose(x, &[0, 2, 1, 3])?)
}

/// `[N, heads, positions, features]` as `[N, positions, heads * features]`.
pub fn join_heads(d: &mut Draft<'_, '_>, x: ValueId) -> Result<ValueId, ShapeError> {
    let x = d.b.transpose(x, &[0, 2, 1, 3])?;
    let dims = d.b.ty(x).dims.clone();
    let hidden = dims[2].mul(&dims[3]);
    d.b.reshape(x, vec![dims[0].clone(), dims[1].clone(), hidden])
}

/// `0, 1, ...` below `len`, in i64.
pub fn count(d: &mut Draft<'_, '_>, len: &Dim) -> Result<ValueId, ShapeError> {
    let [zero, one] = [0, 1].map(|i| d.b.constant(Const::from_i64(&[], &[i]), None));
    d.b.op(Range { len: len.clone() }, &[zero, zero, one])
}

/// 0 where a condition holds, else `-inf`, in the type of `like`.
pub fn hidden_unless(d: &mut Draft<'_, '_>, when: ValueId, like: ValueId) -> Result<ValueId, ShapeError> {
    let (zero, hidden) = (d.number(like, 0.0)?, d.number(like, f64::NEG_INFINITY)?);
    d.select(when, zero, hidden)
}

/// Which keys a query sees.
struct Seen {
    causal: bool,
    /// So many positions back; -1 is all.
    left: i64,
    /// So many positions ahead; -1 is all.
    right: i64,
    /// Of truth values, or added.
    mask: Option<ValueId>,
    /// Keys before these queries.
    past: Option<ValueId>,
    /// How many keys there are, for each sample; the others are filling.
    filled: Option<ValueId>,
}

impl Seen {
    /// What is added to the weights, and whether it may hide all keys from a query.
    fn bias(
        &self,
        d: &mut Draft<'_, '_>,
        q: ValueId,
        k: ValueId,
    ) -> Result<(Option<ValueId>, bool), ImportError> {
        if self.left < -1 || self.right < -1 {
            return Err(ImportError::malformed("a window is smaller than -1"));
        }
        let (queries, keys) = (d.b.ty(q).dims[2].clone(), d.b.ty(k).dims[2].clone());
        let mut bias = match self.mask {
            Some(mask) => Some(fitted(d, mask, q, &keys)?),
            None => None,
        };
        let mut may_hide_all = bias.is_some() || self.filled.is_some();
        let mut add = |d: &mut Draft<'_, '_>, other: ValueId| -> Result<(), ShapeError> {
            bias = Some(match bias {
                Some(bias) => d.add(bias, other)?,
                None => other,
            });
            Ok(())
        };
        let windowed = 0 <= self.left || 0 <= self.right;
        may_hide_all |= windowed;
        if self.causal || windowed {
            let column = count(d, &keys)?;
            let row = count(d, &queries)?;
            let mut row = d.b.reshape(row, vec![queries.clone(), Dim::Known(1)])?;
            if let Some(past) = self.past {
                let len = super::ShapeOf { start: 2, end: 3, to: DType::I64 };
                let len = d.b.op(len, &[past])?;
                row = d.add(row, len)?;
            } else if let Some(filled) = self.filled {
                let len = super::ShapeOf { start: 2, end: 3, to: DType::I64 };
                let len = d.b.op(len, &[q])?;
                let filled = per_sample(d, filled)?;
                let before = d.sub(filled, len)?;
                row = d.add(row, before)?;
            }
            // How far a key lies behind its query.
            let behind = d.sub(row, column)?;
            let mut limits = Vec::with_capacity(3);
            if self.causal {
                limits.push((compare::Kind::GreaterEqual, 0));
            }
            if 0 <= self.right {
                limits.push((compare::Kind::GreaterEqual, -self.right));
            }
            if 0 <= self.left {
                limits.push((compare::Kind::LessEqual, self.left));
            }
            for (kind, limit) in limits {
                let limit = d.number(behind, limit as f64)?;
                let seen = d.compare(kind, behind, limit)?;
                let hidden = hidden_unless(d, seen, q)?;
                add(d, hidden)?;
            }
        }
        if let Some(filled) = self.filled {
            let column = count(d, &keys)?;
            let filled = per_sample(d, filled)?;
            let seen = d.compare(compare::Kind::Less, column, filled)?;
            let hidden = hidden_unless(d, seen, q)?;
            add(d, hidden)?;
        }
        Ok((bias, may_hide_all))
    }
}

/// `[N]` as `[N, 1, 1, 1]`, in i64.
fn per_sample(d: &mut Draft<'_, '_>, x: ValueId) -> Result<ValueId, ShapeError> {
    let x = d.cast(x, DType::I64)?;
    let mut dims = vec![dim::product(&d.b.ty(x).dims)];
    dims.extend([1, 1, 1].map(Dim::Known));
    d.b.reshape(x, dims)
}

/// A mask as numbers to add, filled up to all keys with what hides them.
fn fitted(
    d: &mut Draft<'_, '_>,
    mask: ValueId,
    q: ValueId,
    keys: &Dim,
) -> Result<ValueId, ImportError> {
    let bias = match d.b.ty(mask).dtype {
        DType::Bool => hidden_unless(d, mask, q)?,
        _ => {
            let dtype = d.b.ty(q).dtype;
            d.cast(mask, dtype)?
        }
    };
    let mut dims = d.b.ty(bias).dims.clone();
    let Some(last) = dims.len().checked_sub(1) else {
        return Err(ImportError::malformed("the mask has no axes"));
    };
    match keys.sub(&dims[last]).known() {
        Some(missing @ 1..) => {
            dims[last] = Dim::Known(missing);
            let hidden = d.number(q, f64::NEG_INFINITY)?;
            let hidden = d.expand(hidden, dims)?;
            Ok(d.concat(&[bias, hidden], last)?)
        }
        _ => Ok(bias),
    }
}

/// With a head of the keys for each group of the queries' heads: `[N, groups, 1, keys, features]`.
fn grouped(d: &mut Draft<'_, '_>, x: ValueId) -> Result<ValueId, ShapeError> {
    d.unsqueeze(x, 2)
}

/// The weighted values.
///
/// # Errors
/// When the operands do not fit each other.
pub fn attend(
    d: &mut Draft<'_, '_>,
    Heads { mut q, mut k, mut v }: Heads,
    weights: &Weights,
) -> Result<Attended, ImportError> {
    let (dims, keys) = (d.b.ty(q).dims.clone(), d.b.ty(k).dims.clone());
    let dtype = d.b.ty(q).dtype;
    let ([n, heads, queries, features], [_, groups, _, _]) = (dims.as_slice(), keys.as_slice())
    else {
        return Err(ImportError::malformed("queries and keys do not have four axes"));
    };
    let (Some(count), Some(shared)) = (heads.known(), groups.known()) else {
        return Err(ImportError::unsupported("the number of heads is open").hint("give the inputs' shapes"));
    };
    if shared == 0 || count % shared != 0 {
        let message = format!("{count} heads of queries share {shared} of keys");
        return Err(ImportError::malformed(message));
    }
    let scale = match weights.scale {
        Some(scale) => f64::from(scale),
        None => {
            let features = features.known().filter(|&features| 0 < features).ok_or_else(|| {
                ImportError::unsupported("the number of features is open")
                    .hint("give the inputs' shapes")
            })?;
            1.0 / (features as f64).sqrt()
        }
    };
    if dtype == DType::F32 {
        q = d.scaled(q, scale)?;
    } else {
        // Half of it on each side, as the specification has it: narrow types overflow later.
        q = d.scaled(q, scale.sqrt())?;
        k = d.scaled(k, scale.sqrt())?;
    }
    let in_groups = 1 < count / shared;
    if in_groups {
        let each = Dim::Known(count / shared);
        let split = vec![n.clone(), groups.clone(), each, queries.clone(), features.clone()];
        q = d.b.reshape(q, split)?;
        k = grouped(d, k)?;
        v = grouped(d, v)?;
    }
    let mut found = d.b.op(Matmul { transpose_a: false, transpose_b: true }, &[q, k])?;
    if in_groups {
        found = d.b.reshape(found, vec![n.clone(), heads.clone(), queries.clone(), keys[2].clone()])?;
    }
    let mut limited = found;
    if 0.0 < weights.cap {
        let cap = f64::from(weights.cap);
        let cap = d.number(found, cap)?;
        let part = d.div(found, cap)?;
        let part = d.unary(unary::Kind::Tanh, part)?;
        limited = d.mul(part, cap)?;
    }
    let biased = match weights.bias {
        Some(bias) => d.add(limited, bias)?,
        None => limited,
    };
    if d.b.rank(biased) != 4 {
        let message = format!("the mask makes {} of the weights", d.b.ty(biased));
        return Err(ImportError::malformed(message));
    }
    let precise = d.cast(biased, weights.precision.unwrap_or(dtype))?;
    let mut share = d.b.op(Softmax { axis: 3, beta: 1.0 }, &[precise])?;
    if let Some(bias) = weights.bias.filter(|_| weights.may_hide_all) {
        let last = d.b.rank(bias) - 1;
        let most = d.reduce(reduce::Kind::Max, bias, [last], true)?;
        let hidden = d.number(most, f64::NEG_INFINITY)?;
        let all_hidden = d.compare(compare::Kind::Equal, most, hidden)?;
        let some_seen = d.b.op(LogicalNot {}, &[all_hidden])?;
        let zero = d.number(share, 0.0)?;
        share = d.select(some_seen, share, zero)?;
    }
    share = d.cast(share, dtype)?;
    let mut weighs = share;
    if in_groups {
        let each = Dim::Known(count / shared);
        let split = vec![n.clone(), groups.clone(), each, queries.clone(), keys[2].clone()];
        weighs = d.b.reshape(share, split)?;
    }
    let mut y = d.matmul(weighs, v)?;
    if in_groups {
        let features = d.b.ty(y).dims[4].clone();
        y = d.b.reshape(y, vec![n.clone(), heads.clone(), queries.clone(), features])?;
    }
    Ok(Attended { y, weights: [found, limited, biased, share] })
}
