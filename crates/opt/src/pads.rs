//! Padding in front of a convolution or a maximum moves into the operator's own padding.
//!
//! Only for targets whose kernels take it: `compile` asks for this pass.

use embarca_ir::ops::{Conv2d, DepthwiseConv2d, MaxPool2d, Pad};
use embarca_ir::{Builder, Model, Node, Op, ShapeError, ValueId};
use embarca_kernels::pad::Mode;
use embarca_num::DType;

use crate::rewrite::{Site, Verdict, keep, rewrite};

/// One round; the flag tells whether anything moved.
///
/// # Errors
/// Only through a defect.
pub fn fold_pads(model: Model) -> Result<(Model, bool), ShapeError> {
    rewrite(model, &mut |b, site| {
        let Some(padding) = site.input(0).and_then(|x| padding(b, x)) else {
            return Ok(Verdict::Keep);
        };
        let Some(op) = absorb(b, site, &padding) else { return Ok(Verdict::Keep) };
        let mut inputs = site.inputs.to_vec();
        inputs[0] = Some(match &padding.perm {
            Some(perm) => b.transpose(padding.source, perm)?,
            None => padding.source,
        });
        let node = Node { op, ..site.node.clone() };
        Ok(Verdict::Replace(keep(b, site.old, &node, &inputs)?))
    })
}

/// Constant padding of height and width.
struct Padding {
    /// Top, left, bottom, right.
    pads: [i32; 4],
    value: f32,
    /// What is padded.
    source: ValueId,
    /// From the axes of `source` to channels-last.
    perm: Option<Vec<usize>>,
}

/// The padding that wrote the channels-last `x`, also when a transpose stands between.
fn padding(b: &Builder<'_>, x: ValueId) -> Option<Padding> {
    let (mut node, _) = b.graph().writer(x)?;
    let mut perm = None;
    if let Op::Transpose(transpose) = &node.op {
        perm = Some(transpose.perm.clone());
        (node, _) = b.graph().writer(node.inputs[0]?)?;
    }
    let (Op::Pad(Pad { mode, before, after, value }), Some(source)) = (&node.op, node.inputs[0])
    else {
        return None;
    };
    let all = before.iter().chain(after);
    let same = b.ty(source).quant == b.ty(x).quant;
    if mode.0 != Mode::Constant || before.len() != 4 || !same || all.copied().any(|n| n < 0) {
        return None;
    }
    let axes = perm.clone().unwrap_or_else(|| vec![0, 1, 2, 3]);
    if [axes[0], axes[3]].iter().any(|&axis| before[axis] != 0 || after[axis] != 0) {
        return None;
    }
    let narrow = |n: i64| i32::try_from(n).ok();
    let pads = [
        narrow(before[axes[1]])?,
        narrow(before[axes[2]])?,
        narrow(after[axes[1]])?,
        narrow(after[axes[2]])?,
    ];
    Some(Padding { pads, value: *value, source, perm })
}

/// The operator of a node with `padding` as its own; `None` where that is something else.
fn absorb(b: &Builder<'_>, site: &Site<'_>, padding: &Padding) -> Option<Op> {
    let mut op = site.node.op.clone();
    let (pads, fits) = match &mut op {
        Op::Conv2d(Conv2d { pads, .. }) | Op::DepthwiseConv2d(DepthwiseConv2d { pads, .. }) => {
            (pads, padding.value == 0.0 && b.ty(site.input(1)?).dtype == b.ty(site.input(0)?).dtype)
        }
        Op::MaxPool2d(MaxPool2d { pads, size, dilations: [1, 1], ceil: false, .. }) => {
            // Every window has to meet an element of the input.
            let reach = [size[0], size[1], size[0], size[1]];
            let sums = pads.iter().zip(padding.pads).map(|(own, pad)| own.checked_add(pad));
            let meets = sums.zip(reach).all(|(sum, reach)| {
                sum.and_then(|sum| usize::try_from(sum).ok()).is_some_and(|sum| sum < reach)
            });
            (pads, meets && never_above(b, padding))
        }
        _ => return None,
    };
    if !fits {
        return None;
    }
    for (own, pad) in pads.iter_mut().zip(padding.pads) {
        *own = own.checked_add(pad)?;
    }
    Some(op)
}

/// Whether no element of the source is below the padding.
fn never_above(b: &Builder<'_>, padding: &Padding) -> bool {
    let ty = b.ty(padding.source);
    let lowest = match (ty.dtype, ty.quant.as_ref().and_then(embarca_ir::Quant::single)) {
        (DType::F32, _) => f32::NEG_INFINITY,
        (DType::I8, Some((scale, zero))) => scale * (-128 - zero) as f32,
        _ => return false,
    };
    let bound = match b.graph().writer(padding.source) {
        Some((Node { op: Op::Clip(clip), .. }, _)) => clip.min,
        _ => lowest,
    };
    padding.value <= bound.max(lowest)
}
