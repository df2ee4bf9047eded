//! Rotary position embedding: pairs of features turned by an angle that grows with the position.

use super::draft::Draft;
use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("RotaryEmbedding", 23)];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, mut cos, mut sin) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let interleaved = node.flag("interleaved", false)?;
    let turned = node.int("rotary_embedding_dim", 0)?;
    let heads = node.int("num_heads", 0)?;
    let shape = b.ty(x).dims.clone();
    let mut d = Draft::new(b);
    // N, sequence, heads, features
    let x = match shape.as_slice() {
        [n, sequence, hidden] if 0 < heads => {
            let each = hidden.floor_div(&Dim::Known(heads));
            d.b.reshape(x, vec![n.clone(), sequence.clone(), Dim::Known(heads), each])?
        }
        [_, _, _] => return Err(ImportError::malformed("is missing").attribute("num_heads")),
        [_, _, _, _] => d.b.transpose(x, &[0, 2, 1, 3])?,
        dims => return Err(ImportError::malformed(format!("the input has {} axes", dims.len()))),
    };
    let features = d.b.ty(x).dims[3].clone();
    let features = features.known().ok_or_else(|| {
        ImportError::unsupported("the number of features is open").hint("give the inputs' shapes")
    })?;
    let turned = if turned == 0 { features } else { turned };
    if turned % 2 != 0 || turned < 2 || features < turned {
        let message = format!("{turned} of {features} features cannot be turned in pairs");
        return Err(ImportError::malformed(message));
    }
    let half = Dim::Known(turned / 2);
    if let Some(positions) = node.optional(3) {
        cos = d.gather(cos, positions, 0)?;
        sin = d.gather(sin, positions, 0)?;
    }
    let (cos, sin) = (d.unsqueeze(cos, 2)?, d.unsqueeze(sin, 2)?);
    let (first, second) = if interleaved {
        (d.part(x, 3, 0, half.clone(), 2)?, d.part(x, 3, 1, half, 2)?)
    } else {
        (d.part(x, 3, 0, half.clone(), 1)?, d.part(x, 3, turned / 2, half, 1)?)
    };
    let (a, c) = (d.mul(cos, first)?, d.mul(sin, second)?);
    let real = d.sub(a, c)?;
    let (a, c) = (d.mul(sin, first)?, d.mul(cos, second)?);
    let imaginary = d.add(a, c)?;
    let mut dims = d.b.ty(x).dims.clone();
    dims[3] = Dim::Known(turned);
    let y = if interleaved {
        let (real, imaginary) = (d.unsqueeze(real, 4)?, d.unsqueeze(imaginary, 4)?);
        let pairs = d.concat(&[real, imaginary], 4)?;
        d.b.reshape(pairs, dims)?
    } else {
        d.concat(&[real, imaginary], 3)?
    };
    let y = if turned < features {
        let rest = d.part(x, 3, turned, Dim::Known(features - turned), 1)?;
        d.concat(&[y, rest], 3)?
    } else {
        y
    };
    one(if shape.len() == 3 { d.b.reshape(y, shape)? } else { d.b.transpose(y, &[0, 2, 1, 3])? })
}
