//! The detections of an SSD: boxes decoded from offsets to anchors, the best of those that overlap.
//!
//! As the custom operator TFLite_Detection_PostProcess
//! (`tensorflow/lite/micro/kernels/detection_postprocess.cc` in TFLite Micro).

use embarca_num::DType;
use embarca_num::float::exp;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::boxes::{Corners, boxes, keep_best, overlap, sort_by_score, take};
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32. Inputs: offsets of boxes `[1, boxes, 4 or more]` (y, x, height, width), scores
/// `[1, boxes, classes]`, anchors `[boxes, 4]` (center y, x, height, width). Outputs, unused rows
/// zero: boxes `[1, rows, 4]` (top, left, bottom, right), classes `[1, rows]`, scores `[1, rows]`,
/// number of detections `[1]`. Record [`Params`].
pub const F32: Kernel = Kernel::new("ssd_detections_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// The most boxes that are reported.
    pub max_detections: u32,
    /// Rows for each box, best class first, unused when there are fewer classes; not with
    /// `regular`.
    pub max_classes: u32,
    /// With `regular`: the most boxes of one class before the best of all classes are taken.
    pub per_class: u32,
    /// 1 to look for overlaps in each class apart, 0 in all boxes by their best class.
    pub regular: u32,
    /// Classes, the background not counted.
    pub classes: u32,
    /// The least score of a detection.
    pub min_score: f32,
    /// Of two boxes that share more than this part of their union the better one stays.
    pub max_overlap: f32,
    /// What offsets are divided by: y, x, height, width.
    pub scales: [f32; 4],
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: Params = sig.params()?;
    if sig.outputs.len() != 4 {
        return Err(Fault::Arity);
    }
    let inputs = [sig.input(0)?, sig.input(1)?, sig.input(2)?];
    for ty in inputs.iter().chain(sig.outputs) {
        if ty.dtype != DType::F32 {
            return Err(Fault::Type);
        }
        check_size(*ty)?;
    }
    let Params { max_detections, max_classes, per_class, regular, classes, .. } = params;
    if max_classes == 0 || classes == 0 || 1 < regular || (regular == 1 && per_class == 0) {
        return Err(Fault::Record);
    }
    let [offsets, scores, anchors] = inputs.map(|ty| ty.dims);
    let (&[1, count, width], &[1, rows, columns], &[others, 4]) = (offsets, scores, anchors) else {
        return Err(Fault::Shape);
    };
    let background = columns.checked_sub(classes).ok_or(Fault::Shape)?;
    if width < 4 || count != rows || count != others || 1 < background {
        return Err(Fault::Shape);
    }
    let rows = max_detections.checked_mul(max_classes).ok_or(Fault::TooLarge)?;
    let fit = sig.outputs[0].dims == [1, rows, 4]
        && sig.outputs[1].dims == [1, rows]
        && sig.outputs[2].dims == [1, rows]
        && sig.outputs[3].dims == [1];
    if !fit {
        return Err(Fault::Shape);
    }
    // Decoded boxes, scores and order of each; the boxes of the best so far.
    let words = 6 * u64::from(count) + u64::from(max_detections);
    let scratch = usize::try_from(4 * words).map_err(|_| Fault::TooLarge)?;
    Ok(Needs { units: 1, scratch })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let [offsets, scores, anchors] = [call.input(0)?, call.input(1)?, call.input(2)?];
    let width = offsets.ty.dims.last().map_or(4, |&dim| dim as usize).max(4);
    let columns = scores.ty.dims.last().map_or(1, |&dim| dim as usize).max(1);
    let anchors = boxes(anchors.elements());
    let (decoded, rest) = take::<f32>(call.scratch, 4 * anchors.len())?;
    let (best, rest) = take::<f32>(rest, anchors.len())?;
    let (order, rest) = take::<u32>(rest, anchors.len())?;
    let (chosen, _) = take::<u32>(rest, params.max_detections as usize)?;
    let encoded = offsets.elements::<f32>().chunks_exact(width);
    let to = decoded.as_chunks_mut::<4>().0;
    for ((to, offsets), anchor) in to.iter_mut().zip(encoded).zip(anchors) {
        *to = decode(&params.scales, offsets, anchor);
    }
    let work = Work { params, decoded: boxes(decoded), best, order, chosen };
    let [to, classes, values, count] = &mut *call.outputs else { return Err(Fault::Arity) };
    let table = Table { scores: scores.elements(), columns, classes: params.classes as usize };
    let rows = Rows {
        boxes: to.elements(),
        classes: classes.elements(),
        scores: values.elements(),
    };
    rows.boxes.fill(0.0);
    rows.classes.fill(0.0);
    rows.scores.fill(0.0);
    let found = match params.regular {
        1 => work.each_class(&table, rows),
        _ => work.best_class(&table, rows),
    };
    count.elements::<f32>().fill(found as f32);
    Ok(())
}

/// Corners of a box, in f64 until they are stored, as the reference computes them.
fn decode(scales: &[f32; 4], offsets: &[f32], anchor: &Corners) -> Corners {
    let scaled = |axis: usize| f64::from(offsets[axis]) / f64::from(scales[axis]);
    let side = |axis: usize| {
        let size = f64::from(anchor[axis + 2]);
        let center = (scaled(axis) * size + f64::from(anchor[axis])) as f32;
        let half = (0.5 * f64::from(exp(scaled(axis + 2) as f32)) * size) as f32;
        (center - half, center + half)
    };
    let ((top, bottom), (left, right)) = (side(0), side(1));
    [top, left, bottom, right]
}

/// The scores of each box.
struct Table<'a> {
    scores: &'a [f32],
    columns: usize,
    classes: usize,
}

impl Table<'_> {
    /// The scores of one box, without the background.
    fn row(&self, index: u32) -> &[f32] {
        let start = index as usize * self.columns + (self.columns - self.classes);
        self.scores.get(start..start + self.classes).unwrap_or_default()
    }
}

/// The rows of the results.
struct Rows<'a> {
    boxes: &'a mut [f32],
    classes: &'a mut [f32],
    scores: &'a mut [f32],
}

struct Work<'a> {
    params: Params,
    decoded: &'a [Corners],
    /// A score for each box.
    best: &'a mut [f32],
    order: &'a mut [u32],
    /// Boxes of the best rows so far.
    chosen: &'a mut [u32],
}

impl Work<'_> {
    /// Moves the boxes that stay, at most `limit`, to the front of `order`; how many.
    fn suppress(&mut self, limit: usize) -> usize {
        let mut len = 0;
        for (index, &score) in self.best.iter().enumerate() {
            if self.params.min_score <= score {
                self.order[len] = index as u32;
                len += 1;
            }
        }
        let order = &mut self.order[..len];
        sort_by_score(order, self.best);
        keep_best(order, limit, |kept, other| {
            let (kept, other) = (&self.decoded[kept as usize], &self.decoded[other as usize]);
            self.params.max_overlap < overlap(kept, other)
        })
    }

    fn best_class(mut self, table: &Table, rows: Rows) -> usize {
        for (index, best) in self.best.iter_mut().enumerate() {
            *best = ranked(table.row(index as u32), None).map_or(f32::NAN, |(score, _)| score);
        }
        let per_box = self.params.max_classes as usize;
        let found = self.suppress(self.params.max_detections as usize);
        for (at, &index) in self.order[..found].iter().enumerate() {
            let mut before = None;
            for place in at * per_box..(at + 1) * per_box {
                before = ranked(table.row(index), before);
                let Some((score, class)) = before else { break };
                rows.boxes[4 * place..][..4].copy_from_slice(&self.decoded[index as usize]);
                rows.classes[place] = class as f32;
                rows.scores[place] = score;
            }
        }
        found
    }

    fn each_class(mut self, table: &Table, rows: Rows) -> usize {
        let limit = self.params.max_detections as usize;
        let mut len = 0;
        for class in 0..table.classes {
            for (index, score) in self.best.iter_mut().enumerate() {
                *score = table.row(index as u32).get(class).copied().unwrap_or(f32::NAN);
            }
            let found = self.suppress(self.params.per_class as usize);
            for &index in &self.order[..found] {
                // Behind everything that is as good.
                let score = self.best[index as usize];
                let at = rows.scores[..len].partition_point(|&before| score <= before);
                if limit <= at {
                    break;
                }
                len = (len + 1).min(limit);
                rows.scores[at..len].rotate_right(1);
                rows.classes[at..len].rotate_right(1);
                self.chosen[at..len].rotate_right(1);
                rows.scores[at] = score;
                rows.classes[at] = class as f32;
                self.chosen[at] = index;
            }
        }
        let to = rows.boxes.as_chunks_mut::<4>().0;
        for (to, &index) in to.iter_mut().zip(&self.chosen[..len]) {
            *to = self.decoded[index as usize];
        }
        len
    }
}

/// The best score with its place; of equals the first, of those behind `before` when it is given.
fn ranked(scores: &[f32], before: Option<(f32, usize)>) -> Option<(f32, usize)> {
    let better = |a: (f32, usize), b: (f32, usize)| b.0 < a.0 || (a.0 == b.0 && a.1 < b.1);
    let mut best = None;
    for (place, &score) in scores.iter().enumerate() {
        let this = (score, place);
        let open = before.is_none_or(|before| better(before, this));
        if open && !score.is_nan() && best.is_none_or(|best| better(this, best)) {
            best = Some(this);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    /// The example of the reference's own tests: six boxes, two classes and a background.
    fn example(params: &Params) -> std::vec::Vec<Tensor> {
        let mut offsets = [0.0; 24];
        offsets[4] = 1.0;
        offsets[8] = -1.0;
        offsets[16] = 1.0;
        #[rustfmt::skip]
        let scores = [
            0.0, 0.9, 0.8, 0.0, 0.75, 0.72, 0.0, 0.6, 0.5,
            0.0, 0.93, 0.95, 0.0, 0.5, 0.4, 0.0, 0.3, 0.2,
        ];
        #[rustfmt::skip]
        let anchors = [
            0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 1.0, 1.0,
            0.5, 10.5, 1.0, 1.0, 0.5, 10.5, 1.0, 1.0, 0.5, 100.5, 1.0, 1.0,
        ];
        let inputs = [
            Tensor::f32(&[1, 6, 4], &offsets),
            Tensor::f32(&[1, 6, 3], &scores),
            Tensor::f32(&[6, 4], &anchors),
        ];
        let rows = params.max_detections * params.max_classes;
        let (boxes, each) = ([1, rows, 4], [1, rows]);
        let to = [&boxes[..], &each, &each, &[1]].map(|dims| (DType::F32, dims));
        run(&F32, params, &inputs, &to)
    }

    #[test]
    fn by_the_best_class_and_by_each_class() {
        let fast = Params {
            max_detections: 3,
            max_classes: 1,
            per_class: 1,
            regular: 0,
            classes: 2,
            min_score: 0.0,
            max_overlap: 0.5,
            scales: [10.0, 10.0, 5.0, 5.0],
        };
        let y = example(&fast);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        let boxes = [0.0, 10.0, 1.0, 11.0, 0.0, 0.0, 1.0, 1.0, 0.0, 100.0, 1.0, 101.0];
        assert!(near(&y[0].to_f32(), &boxes));
        assert_eq!(y[1].to_f32(), [1.0, 0.0, 0.0]);
        assert_eq!(y[2].to_f32(), [0.95, 0.9, 0.3]);
        assert_eq!(y[3].to_f32(), [3.0]);
        let y = example(&Params { regular: 1, ..fast });
        let boxes = [0.0, 10.0, 1.0, 11.0, 0.0, 10.0, 1.0, 11.0, 0.0, 0.0, 0.0, 0.0];
        assert!(near(&y[0].to_f32(), &boxes));
        assert_eq!(y[2].to_f32(), [0.95, 0.93, 0.0]);
        assert_eq!((y[1].to_f32(), y[3].to_f32()), (std::vec![1.0, 0.0, 0.0], std::vec![2.0]));
        let y = example(&Params { max_classes: 2, ..fast });
        assert_eq!(y[1].to_f32(), [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(y[2].to_f32(), [0.95, 0.93, 0.9, 0.8, 0.3, 0.2]);
        assert_eq!(y[3].to_f32(), [3.0]);
    }
}
