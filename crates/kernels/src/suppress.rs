//! The best of many overlapping boxes: greedy non-maximum suppression with a fixed upper bound.
//!
//! Inputs: boxes f32 `[N, 4]` as left, top, right, bottom; scores f32 `[N, C]`; the least score and
//! the largest overlap, f32 of one element each; optionally the class of each box, f32 `[N]`, where
//! `C` is 1. Outputs: boxes `[M, 4]`, scores `[M]`, classes i32 `[M]`, places in the input i32 `[M]`,
//! and their number i32 `[1]`; what is beyond the number is 0.
//!
//! A box stands for the class of its greatest score (the first of equals). Boxes are taken from the
//! greatest score down, the first of equals first, unless one that was taken before overlaps by more
//! than allowed (intersection over union).

use embarca_num::DType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32; record [`Params`].
pub const F32: Kernel = Kernel::new("suppress_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// 1 when boxes of different classes suppress each other.
    pub across: u32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { across } = sig.params()?;
    let (boxes, scores) = (sig.input(0)?, sig.input(1)?);
    if !matches!(sig.inputs.len(), 4 | 5) || sig.outputs.len() != 5 {
        return Err(Fault::Arity);
    }
    if 1 < across {
        return Err(Fault::Record);
    }
    let [Some(n), Some(classes)] = [0, 1].map(|i| scores.dims.get(i).copied()) else {
        return Err(Fault::Shape);
    };
    let m = sig.output(1)?.dims.first().copied().ok_or(Fault::Shape)?;
    let inputs = [(0, &[n, 4][..]), (1, &[n, classes])];
    for (i, dims) in inputs {
        let x = sig.input(i)?;
        if x.dtype != DType::F32 {
            return Err(Fault::Type);
        }
        if x.dims != dims {
            return Err(Fault::Shape);
        }
    }
    for limit in [sig.input(2)?, sig.input(3)?] {
        if limit.dtype != DType::F32 {
            return Err(Fault::Type);
        }
        if limit.len()? != 1 {
            return Err(Fault::Shape);
        }
    }
    if let Some(class) = sig.optional(4) {
        if class.dtype != DType::F32 {
            return Err(Fault::Type);
        }
        if class.dims != [n] || classes != 1 {
            return Err(Fault::Shape);
        }
    }
    let outputs = [
        (DType::F32, &[m, 4][..]),
        (DType::F32, &[m]),
        (DType::I32, &[m]),
        (DType::I32, &[m]),
        (DType::I32, &[1]),
    ];
    for (i, (dtype, dims)) in outputs.into_iter().enumerate() {
        let y = sig.output(i)?;
        if y.dtype != dtype {
            return Err(Fault::Type);
        }
        if y.dims != dims {
            return Err(Fault::Shape);
        }
        check_size(y)?;
    }
    if classes == 0 {
        return Err(Fault::Shape);
    }
    check_size(boxes)?;
    check_size(scores)?;
    // The candidates in order, and the class of each box.
    Ok(Needs { units: 1, scratch: 8 * n as usize })
}

/// Intersection over union; 0 where there is no union.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let least = |a: f32, b: f32| if b < a { b } else { a };
    let most = |a: f32, b: f32| if a < b { b } else { a };
    let area = |b: &[f32; 4]| most(b[2] - b[0], 0.0) * most(b[3] - b[1], 0.0);
    let width = most(least(a[2], b[2]) - most(a[0], b[0]), 0.0);
    let height = most(least(a[3], b[3]) - most(a[1], b[1]), 0.0);
    let common = width * height;
    let union = area(a) + area(b) - common;
    if 0.0 < union { common / union } else { 0.0 }
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { across } = call.params()?;
    let boxes = call.input(0)?.elements::<f32>().as_chunks::<4>().0;
    let scores = call.input(1)?;
    let classes = scores.ty.dims.get(1).map_or(1, |&dim| dim as usize).max(1);
    let scores = scores.elements::<f32>();
    let first = |values: &[f32]| values.first().copied().unwrap_or(0.0);
    let least = first(call.input(2)?.elements());
    let most = first(call.input(3)?.elements());
    let given = call.optional(4).map(|class| class.elements::<f32>());
    let n = boxes.len();
    let scratch = call.scratch.get_mut(..8 * n).ok_or(Fault::TooLarge)?;
    let scratch = <[u32]>::mut_from_bytes(scratch).map_err(|_| Fault::TooLarge)?;
    let (order, class_of) = scratch.split_at_mut(n);

    let mut found = 0;
    for (i, (row, class)) in scores.chunks_exact(classes).zip(&mut *class_of).enumerate() {
        let mut best = 0;
        for (at, score) in row.iter().enumerate() {
            if row[best] < *score {
                best = at;
            }
        }
        *class = match given {
            Some(given) => given[i] as u32,
            None => best as u32,
        };
        if least <= row[best] {
            // One score a box stays reachable by its place and its class.
            order[found] = (i * classes + best) as u32;
            found += 1;
        }
    }
    let order = &mut order[..found];
    order.sort_unstable_by(|&a, &b| {
        let (x, y) = (scores[a as usize], scores[b as usize]);
        y.total_cmp(&x).then(a.cmp(&b))
    });

    let [to_boxes, to_scores, to_classes, to_places, to_count] = &mut *call.outputs else {
        return Err(Fault::Arity);
    };
    let to_boxes = to_boxes.elements::<f32>().as_chunks_mut::<4>().0;
    let (to_scores, to_classes) = (to_scores.elements::<f32>(), to_classes.elements::<i32>());
    let to_places = to_places.elements::<i32>();
    to_boxes.fill([0.0; 4]);
    to_scores.fill(0.0);
    to_classes.fill(0);
    to_places.fill(0);
    let mut kept = 0;
    for &at in &*order {
        if kept == to_scores.len() {
            break;
        }
        let place = at as usize / classes;
        let (this, class) = (&boxes[place], class_of[place] as i32);
        let taken = to_boxes[..kept].iter().zip(&*to_classes);
        let covered = taken
            .filter(|(_, other)| across == 1 || **other == class)
            .any(|(other, _)| most < overlap(this, other));
        if !covered {
            to_boxes[kept] = *this;
            to_scores[kept] = scores[at as usize];
            (to_classes[kept], to_places[kept]) = (class, place as i32);
            kept += 1;
        }
    }
    if let Some(count) = to_count.elements::<i32>().first_mut() {
        *count = kept as i32;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn the_best_stay() {
        #[rustfmt::skip]
        let boxes = Tensor::f32(&[4, 4], &[
            0.0, 0.0, 10.0, 10.0,
            1.0, 0.0, 11.0, 10.0,
            20.0, 20.0, 30.0, 30.0,
            0.0, 0.0, 10.0, 9.0,
        ]);
        let scores = Tensor::f32(&[4, 2], &[0.5, 0.1, 0.2, 0.9, 0.3, 0.4, 0.0, 0.8]);
        let limit = |x: f32| Tensor::f32(&[], &[x]);
        let to = [
            (DType::F32, &[3, 4][..]),
            (DType::F32, &[3]),
            (DType::I32, &[3]),
            (DType::I32, &[3]),
            (DType::I32, &[1]),
        ];
        let inputs = [boxes.clone(), scores, limit(0.35), limit(0.5)];
        let y = run(&F32, &Params { across: 0 }, &inputs, &to);
        assert_eq!(y[3].to_i32(), [1, 0, 2], "of its class, box 3 is covered by box 1");
        assert_eq!((y[2].to_i32(), y[4].to_i32()), (std::vec![1, 0, 1], std::vec![3]));
        assert_eq!(y[1].to_f32(), [0.9, 0.5, 0.4]);
        let y = run(&F32, &Params { across: 1 }, &inputs, &to);
        assert_eq!((y[3].to_i32(), y[4].to_i32()), (std::vec![1, 2, 0], std::vec![2]));
        let given = [
            boxes,
            Tensor::f32(&[4, 1], &[0.5, f32::NAN, 0.7, 0.1]),
            limit(0.2),
            limit(1.0),
            Tensor::f32(&[4], &[3.0, 0.0, 7.0, 0.0]),
        ];
        let y = run(&F32, &Params { across: 0 }, &given, &to);
        assert_eq!((y[2].to_i32(), y[4].to_i32()), (std::vec![7, 3, 0], std::vec![2]));
    }
}
