//! The best boxes of every class, of those that overlap: ONNX's NonMaxSuppression.

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::boxes::{Corners, boxes, keep_best, overlap, sort_by_score, take, upright};
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32. Inputs: boxes `[n, boxes, 4]`, scores `[n, classes, boxes]`, optionally how many of the boxes
/// count `[]` (i64). Outputs: sample, class and box of each kept one `[most, 3]` (i64), zero behind
/// those; how many there are `[]` (i64). Samples and classes come in order, within them the best
/// first. Record [`Params`].
pub const F32: Kernel = Kernel::new("class_nms_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// A box that shares more than this part of its union with a better one is left out.
    pub max_overlap: f32,
    /// Scores have to exceed it; minus infinity lets all numbers pass.
    pub min_score: f32,
    /// 1 where a box is its centre, width and height; 0 where it is two corners.
    pub centred: u32,
    /// The most boxes of one class of one sample.
    pub each: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { centred, .. } = sig.params()?;
    let (corners, scores) = (sig.input(0)?, sig.input(1)?);
    let [kept, count] = *sig.outputs else { return Err(Fault::Arity) };
    if 3 < sig.inputs.len() {
        return Err(Fault::Arity);
    }
    let types = [corners, scores, kept, count].map(|ty| ty.dtype);
    if types != [DType::F32, DType::F32, DType::I64, DType::I64] {
        return Err(Fault::Type);
    }
    if let Some(used) = sig.optional(2) {
        if used.dtype != DType::I64 {
            return Err(Fault::Type);
        }
        if used.len()? != 1 {
            return Err(Fault::Shape);
        }
    }
    let (&[n, all, 4], &[samples, _, len], &[_, 3], &[]) =
        (corners.dims, scores.dims, kept.dims, count.dims)
    else {
        return Err(Fault::Shape);
    };
    if (samples, len) != (n, all) {
        return Err(Fault::Shape);
    }
    if 1 < centred {
        return Err(Fault::Record);
    }
    for tensor in [corners, scores, kept] {
        check_size(tensor)?;
    }
    // The boxes of one class, in order.
    Ok(Needs { units: 1, scratch: 4 * all as usize })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let (corners, scores) = (call.input(0)?, call.input(1)?);
    let &[_, classes, all] = scores.ty.dims else { return Err(Fault::Shape) };
    let (classes, all) = (classes as usize, all as usize);
    let used = call.optional(2).and_then(|used| used.elements::<i64>().first().copied());
    let used = used.map_or(all, |used| usize::try_from(used).unwrap_or(0).min(all));
    let corners = boxes(corners.elements());
    let (queue, _) = take::<u32>(call.scratch, all)?;
    let [kept, count] = &mut *call.outputs else { return Err(Fault::Arity) };
    let kept = kept.elements::<i64>();
    kept.fill(0);
    let mut rows = kept.as_chunks_mut::<3>().0.iter_mut();
    let mut found = 0;
    for (row, scores) in scores.elements::<f32>().chunks_exact(all.max(1)).enumerate() {
        let (sample, class) = (row / classes, row % classes);
        let corners = corners.get(sample * all..(sample + 1) * all).unwrap_or(&[]);
        let mut len = 0;
        for (index, &score) in scores.iter().enumerate().take(used) {
            if params.min_score < score || (score == f32::NEG_INFINITY && score == params.min_score) {
                queue[len] = index as u32;
                len += 1;
            }
        }
        let queue = &mut queue[..len];
        sort_by_score(queue, scores);
        let corner = |index: u32| shown(&corners[index as usize], params.centred == 1);
        let hides = |a, b| params.max_overlap < overlap(&corner(a), &corner(b));
        let best = keep_best(queue, params.each as usize, hides);
        for (&index, to) in queue[..best].iter().zip(&mut rows) {
            *to = [sample as i64, class as i64, i64::from(index)];
            found += 1;
        }
    }
    count.elements::<i64>().fill(found);
    Ok(())
}

/// A box by its corners, the lower one first.
fn shown(numbers: &Corners, centred: bool) -> Corners {
    if !centred {
        return upright(numbers);
    }
    let [x, y, width, height] = *numbers;
    let (width, height) = (width / 2.0, height / 2.0);
    [x - width, y - height, x + width, y + height]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn the_specifications_example_and_a_count() {
        #[rustfmt::skip]
        let corners = [
            0.0, 0.0, 1.0, 1.0, 0.0, 0.1, 1.0, 1.1, 0.0, -0.1, 1.0, 0.9,
            0.0, 10.0, 1.0, 11.0, 0.0, 10.1, 1.0, 11.1, 0.0, 100.0, 1.0, 101.0,
        ];
        let scores = [0.9, 0.75, 0.6, 0.95, 0.5, 0.3];
        let inputs = [Tensor::f32(&[1, 6, 4], &corners), Tensor::f32(&[1, 1, 6], &scores)];
        let params = Params { max_overlap: 0.5, min_score: 0.0, centred: 0, each: 3 };
        let to = [(DType::I64, &[3, 3][..]), (DType::I64, &[])];
        let y = run(&F32, &params, &inputs, &to);
        assert_eq!(y[0].to_i64(), [0, 0, 3, 0, 0, 0, 0, 0, 5]);
        assert_eq!(y[1].to_i64(), [3]);
        let counted = [inputs[0].clone(), inputs[1].clone(), Tensor::i64(&[], &[2])];
        let y = run(&F32, &params, &counted, &to);
        assert_eq!(y[0].to_i64(), [0; 9]);
        assert_eq!(y[1].to_i64(), [1]);
    }

    #[test]
    fn centres_and_sizes() {
        let corners = [0.5, 0.5, 1.0, 1.0, 0.5, 0.6, 1.0, 1.0, 0.5, 10.5, 1.0, 1.0];
        let inputs = [Tensor::f32(&[1, 3, 4], &corners), Tensor::f32(&[1, 1, 3], &[0.1, 0.3, 0.2])];
        let min_score = f32::NEG_INFINITY;
        let params = Params { max_overlap: 0.5, min_score, centred: 1, each: 3 };
        let y = run(&F32, &params, &inputs, &[(DType::I64, &[3, 3]), (DType::I64, &[])]);
        assert_eq!(y[0].to_i64(), [0, 0, 1, 0, 0, 2, 0, 0, 0]);
        assert_eq!(y[1].to_i64(), [2]);
    }
}
