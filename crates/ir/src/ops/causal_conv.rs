//! ONNX's CausalConvWithState: each channel is filtered along time, with the last inputs of the call
//! before; and SwiGLU, the gate that often follows.

use embarca_kernels::unary;

use super::draft::Draft;
use super::prelude::*;
use super::Unary;

pub const SPELLINGS: &[Spelling] =
    &[Spelling::onnx("CausalConvWithState", 26), Spelling::onnx("SwiGLU", 28)];
pub const U8_AS_I8: Option<&str> = None;

/// Each tap is a node or two.
const MAX_TAPS: i64 = 256;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    if node.op == "SwiGLU" {
        let alpha = node.float("alpha", 1.0)?;
        let gate = b.op(Unary::with(unary::Kind::Silu, alpha, 0.0), &[x])?;
        return one(Draft::new(b).mul(gate, node.input(1)?)?);
    }
    let weights = node.input(1)?;
    let activation = node.text("activation", "none")?;
    let [n, channels, length] = &b.ty(x).dims.clone()[..] else {
        return Err(ImportError::malformed(format!("expected N, C, L, got {}", b.ty(x))));
    };
    let taps = match b.ty(weights).dims.as_slice() {
        [_, one, taps] if *one == Dim::Known(1) => taps.known(),
        _ => return Err(ImportError::malformed(format!("weights are {}", b.ty(weights)))),
    };
    let taps = taps.filter(|taps| (1..=MAX_TAPS).contains(taps)).ok_or_else(|| {
        ImportError::unsupported(format!("weights with an open number of taps, or over {MAX_TAPS}"))
    })?;
    let dtype = b.ty(x).dtype;
    let mut d = Draft::new(b);
    let kept = Dim::Known(taps - 1);
    let padded = match node.optional(3) {
        _ if taps == 1 => x,
        Some(past) => d.concat(&[past, x], 2)?,
        None => {
            let zero = d.number(x, 0.0)?;
            let zeros = d.expand(zero, vec![n.clone(), channels.clone(), kept.clone()])?;
            d.concat(&[zeros, x], 2)?
        }
    };
    let wide = d.widened(padded)?;
    let weights = d.widened(weights)?;
    let mut sum = None;
    for tap in 0..taps {
        let shifted = d.part(wide, 2, tap, length.clone(), 1)?;
        let weight = d.part(weights, 2, tap, Dim::Known(1), 1)?;
        let weight = d.b.reshape(weight, vec![channels.clone(), Dim::Known(1)])?;
        let product = d.mul(shifted, weight)?;
        sum = Some(match sum {
            None => product,
            Some(sum) => d.add(sum, product)?,
        });
    }
    let mut y = sum.ok_or_else(|| ImportError::malformed("there are no taps"))?;
    if let Some(bias) = node.optional(2) {
        let bias = d.widened(bias)?;
        let bias = d.unsqueeze(bias, 1)?;
        y = d.add(y, bias)?;
    }
    match activation {
        "none" => {}
        "silu" | "swish" => y = d.b.op(Unary::with(unary::Kind::Silu, 1.0, 0.0), &[y])?,
        other => {
            let message = format!("{other} is not known");
            return Err(ImportError::malformed(message).attribute("activation"));
        }
    }
    let y = d.cast(y, dtype)?;
    let present = d.part(padded, 2, 0, kept.clone(), 1)?;
    let start = length.known();
    let present = match start {
        Some(start) => d.part(padded, 2, start, kept, 1)?,
        None if node.n_outputs < 2 => present,
        None => return Err(ImportError::unsupported("the length is open").hint("give the shapes")),
    };
    Ok(vec![y, present])
}
