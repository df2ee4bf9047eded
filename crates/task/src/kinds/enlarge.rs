//! A larger picture.
//!
//! The back yields `enlarged` u8 `[H, W, C]`.

use embarca_ir::ops;
use embarca_kernels::unary::Kind;
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Finish, Net};
use crate::section::Section;
use crate::spec::{self, PictureSpec, Spec};
use crate::stage::{Result, Stage};

/// A picture in, and a picture of as many colours out, neither of fixed size or the second larger.
pub fn recognize(net: &Net) -> Option<Spec> {
    let ([input], [output]) = (&net.inputs[..], &net.outputs[..]) else { return None };
    let sides = |dims: &[Option<usize>]| match *dims {
        [_, Some(c @ (1 | 3)), h, w] | [_, h, w, Some(c @ (1 | 3))] => Some((c, h, w)),
        _ => None,
    };
    let ((c, h, w), (d, y, x)) = (sides(&input.dims)?, sides(&output.dims)?);
    let larger = match (h, w, y, x) {
        (Some(h), Some(w), Some(y), Some(x)) => h < y && w < x,
        (None, None, None, None) => true,
        _ => false,
    };
    let plain = matches!(output.finish, Finish::Layer | Finish::Computed);
    let picture = PictureSpec { multiple: Some(1), ..PictureSpec::default() };
    (c == d && larger && plain)
        .then(|| Spec { picture: Some(picture), ..Spec::new(spec::Kind::SuperResolution) })
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, _: &mut Section) -> Result<()> {
    let output = super::output(spec, 0);
    let mut x = stage.output(net, output)?;
    let dims = stage.dims(x);
    let is = |at: usize| matches!(dims.get(at).and_then(|dim| dim.known()), Some(1 | 3));
    x = match (dims.len(), is(3), is(1)) {
        (4, true, _) => x,
        (4, false, true) => stage.b.transpose(x, &[0, 2, 3, 1])?,
        _ => return Err(TaskError::spec(format!("output {output} is no picture")).key("kind")),
    };
    // What became of a pixel on the way in, turned around.
    let given = |values: &[f32], default: f32| match values {
        [] => vec![default],
        values => values.to_vec(),
    };
    let (mean, std) = match &spec.picture {
        Some(PictureSpec { mean, std, .. }) if !mean.is_empty() || !std.is_empty() => {
            (given(mean, 0.0), given(std, 1.0))
        }
        _ if !net.mean.is_empty() || !net.std.is_empty() => {
            (given(&net.mean, 0.0), given(&net.std, 1.0))
        }
        _ => (vec![0.0], vec![255.0]),
    };
    let (mean, std) = (stage.row(&mean), stage.row(&std));
    x = stage.op(ops::Mul {}, &[x, std])?;
    x = stage.op(ops::Add {}, &[x, mean])?;
    x = stage.op(ops::Clip { min: 0.0, max: 255.0 }, &[x])?;
    x = stage.op(ops::Unary::plain(Kind::Round), &[x])?;
    x = stage.cast(x, DType::U8)?;
    let dims = stage.dims(x)[1..].to_vec();
    let x = stage.reshape(x, &dims)?;
    stage.yields("enlarged", x);
    Ok(())
}
