//! Detections of Caffe's SSD branch: boxes decoded from offsets to priors, the best of those that
//! overlap, class by class.
//!
//! As its layer DetectionOutput (`detection_output_layer.cpp`, `bbox_util.cpp`).

use embarca_num::DType;
use embarca_num::float::exp;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::boxes::{Corners, boxes, keep_best, sort_by_score, take};
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32. Inputs: offsets of boxes, n samples of `boxes * locations * 4`; confidences, n samples of
/// `boxes * classes`; priors `[1, 2, boxes * 4]` (left, top, right, bottom, then variances).
/// Outputs: rows `[1, 1, rows, 7]` (sample, class, score, left, top, right, bottom), those behind
/// the last detection -1; the number of detections `[1]`, an i32. Record [`Params`].
pub const F32: Kernel = Kernel::new("prior_detections_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// [`Params::code`]: edges move by the offsets.
pub const CORNER: u32 = 1;
/// [`Params::code`]: the center moves by parts of the prior's size, sizes grow by powers of e.
pub const CENTER_SIZE: u32 = 2;
/// [`Params::code`]: edges move by parts of the prior's size.
pub const CORNER_SIZE: u32 = 3;

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// Classes, the background counted.
    pub classes: u32,
    /// The class that is not reported; none when it is no class.
    pub background: u32,
    /// 1 when all classes share the offsets, 0 when each has its own.
    pub shared: u32,
    /// What offsets mean: [`CORNER`], [`CENTER_SIZE`] or [`CORNER_SIZE`].
    pub code: u32,
    /// 1 when the offsets are already multiplied by the variances.
    pub scaled: u32,
    /// Boxes of each class that are looked at, the best ones.
    pub top_k: u32,
    /// Detections of each sample that are kept, the best ones.
    pub keep: u32,
    /// Scores have to exceed it.
    pub min_score: f32,
    /// Of two boxes that share more than this part of their union the better one stays.
    pub max_overlap: f32,
    /// While `max_overlap` exceeds 0.5, each box that stays multiplies it by this.
    pub eta: f32,
}

/// Samples, boxes and sets of offsets of each box.
fn sizes(sig: &Signature) -> Result<[u32; 3], Fault> {
    let params: Params = sig.params()?;
    let inputs = [sig.input(0)?, sig.input(1)?, sig.input(2)?];
    for ty in inputs {
        if ty.dtype != DType::F32 {
            return Err(Fault::Type);
        }
        check_size(ty)?;
    }
    let [offsets, scores, priors] = inputs;
    let (&[n, ..], &[1, 2, edges]) = (offsets.dims, priors.dims) else { return Err(Fault::Shape) };
    let count = edges / 4;
    let sets = if params.shared == 1 { 1 } else { params.classes };
    let fits = |len: usize, each: u64| Some(len as u64) == u64::from(n).checked_mul(each);
    let fit = edges % 4 == 0
        && scores.dims.first() == Some(&n)
        && fits(offsets.len()?, u64::from(edges) * u64::from(sets))
        && fits(scores.len()?, u64::from(count) * u64::from(params.classes));
    if fit { Ok([n, count, sets]) } else { Err(Fault::Shape) }
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let params: Params = sig.params()?;
    let [rows, number] = *sig.outputs else { return Err(Fault::Arity) };
    if rows.dtype != DType::F32 || number.dtype != DType::I32 {
        return Err(Fault::Type);
    }
    let Params { classes, shared, code, scaled, .. } = params;
    if classes == 0 || 1 < shared || 1 < scaled || !(CORNER..=CORNER_SIZE).contains(&code) {
        return Err(Fault::Record);
    }
    let [n, count, sets] = sizes(sig)?;
    check_size(rows)?;
    let (&[1, 1, most, 7], &[1]) = (rows.dims, number.dims) else { return Err(Fault::Shape) };
    if u64::from(most) != u64::from(n) * u64::from(params.keep) {
        return Err(Fault::Shape);
    }
    // Decoded boxes; an order of those of one class; score, class and box of the best ones.
    let words = (4 * u64::from(sets) + 2) * u64::from(count) + 3 * u64::from(params.keep);
    let scratch = usize::try_from(4 * words).map_err(|_| Fault::TooLarge)?;
    Ok(Needs { units: 1, scratch })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let inputs = [call.input(0)?, call.input(1)?, call.input(2)?];
    let n = inputs[0].ty.dims.first().map_or(0, |&dim| dim as usize);
    let [offsets, scores, priors] = inputs.map(|input| input.elements::<f32>());
    let (priors, variances) = priors.split_at(priors.len() / 2);
    let (priors, variances) = (boxes(priors), boxes(variances));
    let (count, classes) = (priors.len(), params.classes as usize);
    let sets = if params.shared == 1 { 1 } else { classes };
    let keep = params.keep as usize;
    let (decoded, rest) = take::<f32>(call.scratch, 4 * sets * count)?;
    let (order, rest) = take::<u32>(rest, count)?;
    let (column, rest) = take::<f32>(rest, count)?;
    let (best, rest) = take::<f32>(rest, keep)?;
    let (best_class, rest) = take::<u32>(rest, keep)?;
    let (best_box, _) = take::<u32>(rest, keep)?;
    let [rows, number] = &mut *call.outputs else { return Err(Fault::Arity) };
    let rows = rows.elements::<f32>();
    rows.fill(-1.0);
    let mut found = 0;
    for sample in 0..n {
        let offsets = boxes(&offsets[4 * sample * sets * count..]);
        let to = decoded.as_chunks_mut::<4>().0;
        for (at, (to, offsets)) in to.iter_mut().zip(offsets).enumerate() {
            let (prior, variances) = (&priors[at / sets], &variances[at / sets]);
            *to = decode(&params, prior, variances, offsets);
        }
        let decoded = boxes(decoded);
        let scores = &scores[sample * count * classes..][..count * classes];
        let mut len = 0;
        for class in (0..classes).filter(|&class| class != params.background as usize) {
            let set = if sets == 1 { 0 } else { class };
            let corners = |index: u32| &decoded[index as usize * sets + set];
            let mut above = 0;
            for (index, score) in column.iter_mut().enumerate() {
                *score = scores[index * classes + class];
                if params.min_score < *score {
                    order[above] = index as u32;
                    above += 1;
                }
            }
            sort_by_score(&mut order[..above], column);
            let order = &mut order[..above.min(params.top_k as usize)];
            let mut limit = params.max_overlap;
            let kept = if params.eta < 1.0 {
                adaptive(order, &mut limit, params.eta, |a, b| share(corners(a), corners(b)))
            } else {
                keep_best(order, usize::MAX, |a, b| limit < share(corners(a), corners(b)))
            };
            for &index in &order[..kept] {
                let score = column[index as usize];
                let at = best[..len].partition_point(|&before| score <= before);
                if keep <= at {
                    break;
                }
                len = (len + 1).min(keep);
                best[at..len].rotate_right(1);
                best_class[at..len].rotate_right(1);
                best_box[at..len].rotate_right(1);
                (best[at], best_class[at], best_box[at]) = (score, class as u32, index);
            }
        }
        // Class by class, the best of each first.
        for class in 0..params.classes {
            for at in (0..len).filter(|&at| best_class[at] == class) {
                let set = if sets == 1 { 0 } else { class as usize };
                let corners = &decoded[best_box[at] as usize * sets + set];
                let Some(row) = rows.as_chunks_mut::<7>().0.get_mut(found) else { break };
                row[..3].copy_from_slice(&[sample as f32, class as f32, best[at]]);
                row[3..].copy_from_slice(corners);
                found += 1;
            }
        }
    }
    if found == 0 {
        // A row for each sample says that there is nothing.
        for (sample, row) in rows.as_chunks_mut::<7>().0.iter_mut().take(n).enumerate() {
            row[0] = sample as f32;
            found += 1;
        }
    }
    number.elements::<i32>().fill(found as i32);
    Ok(())
}

/// [`keep_best`] under a limit of the shared part that sinks with each box that stays.
fn adaptive(
    order: &mut [u32],
    limit: &mut f32,
    eta: f32,
    share: impl Fn(u32, u32) -> f32,
) -> usize {
    let mut kept = 0;
    for at in 0..order.len() {
        let candidate = order[at];
        if order[..kept].iter().all(|&before| share(candidate, before) <= *limit) {
            order[kept] = candidate;
            kept += 1;
            if 0.5 < *limit {
                *limit *= eta;
            }
        }
    }
    kept
}

/// The part of their union that two boxes share; a box that is inside out has no area.
fn share(a: &Corners, b: &Corners) -> f32 {
    let side = |axis: usize| a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis]);
    let (width, height) = (side(0), side(1));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let area = |c: &Corners| {
        if c[2] < c[0] || c[3] < c[1] { 0.0 } else { (c[2] - c[0]) * (c[3] - c[1]) }
    };
    width * height / (area(a) + area(b) - width * height)
}

fn decode(params: &Params, prior: &Corners, variances: &[f32; 4], offsets: &[f32; 4]) -> Corners {
    let one = [1.0; 4];
    let factors = if params.scaled == 1 { &one } else { variances };
    let moved: [f32; 4] = core::array::from_fn(|edge| factors[edge] * offsets[edge]);
    let size = [prior[2] - prior[0], prior[3] - prior[1]];
    match params.code {
        CORNER => core::array::from_fn(|edge| prior[edge] + moved[edge]),
        CORNER_SIZE => core::array::from_fn(|edge| prior[edge] + moved[edge] * size[edge % 2]),
        _ => {
            let side = |axis: usize| {
                let center = moved[axis] * size[axis] + (prior[axis] + prior[axis + 2]) / 2.0;
                let half = exp(moved[axis + 2]) * size[axis] / 2.0;
                (center - half, center + half)
            };
            let ((left, right), (top, bottom)) = (side(0), side(1));
            [left, top, right, bottom]
        }
    }
}
