//! The best boxes of those that overlap: non-maximum suppression.

use embarca_num::DType;
use embarca_num::float::exp;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::boxes::{boxes, keep_best, overlap, sort_by_score, take, upright};
use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32, one class. Inputs: boxes `[boxes, 4]` by two corners, scores `[boxes]`. Outputs, unused
/// elements zero: places `[most]` (i32), scores `[most]`, how many are used `[]` (i32). As TFLite's
/// NON_MAX_SUPPRESSION_V5 (`kernels/internal/reference/non_max_suppression.h`). Record [`Params`].
pub const F32: Kernel = Kernel::new("nms_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// A box that shares this part of its union with a better one is left out.
    pub max_overlap: f32,
    /// Scores have to exceed it.
    pub min_score: f32,
    /// What a shared part takes from a score: it is multiplied by `e^(-part^2 / (2 sigma))`. 0
    /// takes nothing.
    pub sigma: f32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let _: Params = sig.params()?;
    let (corners, scores) = (sig.input(0)?, sig.input(1)?);
    let [places, kept, count] = *sig.outputs else { return Err(Fault::Arity) };
    let types = [corners, scores, places, kept, count].map(|ty| ty.dtype);
    if types != [DType::F32, DType::F32, DType::I32, DType::F32, DType::I32] {
        return Err(Fault::Type);
    }
    check_size(corners)?;
    check_size(places)?;
    let (&[n, 4], &[m], &[]) = (corners.dims, places.dims, count.dims) else {
        return Err(Fault::Shape);
    };
    if scores.dims != [n] || kept.dims != [m] {
        return Err(Fault::Shape);
    }
    // Of each box: its score now, how many kept ones it was compared with, its place in the queue.
    let scratch = usize::try_from(12 * u64::from(n)).map_err(|_| Fault::TooLarge)?;
    Ok(Needs { units: 1, scratch })
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let params: Params = call.params()?;
    let corners = boxes(call.input(0)?.elements());
    let scores = call.input(1)?.elements::<f32>();
    let (now, rest) = take::<f32>(call.scratch, scores.len())?;
    let (compared, rest) = take::<u32>(rest, scores.len())?;
    let (queue, _) = take::<u32>(rest, scores.len())?;
    let [places, kept, count] = &mut *call.outputs else { return Err(Fault::Arity) };
    let (places, kept) = (places.elements::<i32>(), kept.elements::<f32>());
    places.fill(0);
    kept.fill(0.0);
    let mut len = 0;
    for (index, &score) in scores.iter().enumerate() {
        if params.min_score < score {
            queue[len] = index as u32;
            len += 1;
        }
    }
    let queue = &mut queue[..len];
    let shared = |a: u32, b: u32| {
        overlap(&upright(&corners[a as usize]), &upright(&corners[b as usize]))
    };
    let found = if 0.0 < params.sigma {
        now.copy_from_slice(scores);
        compared.fill(0);
        soft(&params, queue, now, compared, places, kept, shared)
    } else {
        sort_by_score(queue, scores);
        let found = keep_best(queue, places.len(), |a, b| params.max_overlap <= shared(a, b));
        for (at, &index) in queue[..found].iter().enumerate() {
            places[at] = index as i32;
            kept[at] = scores[index as usize];
        }
        found
    };
    count.elements::<i32>().fill(found as i32);
    Ok(())
}

/// Takes the best box again and again; one that has lost score since it was queued goes back.
fn soft(
    params: &Params,
    queue: &mut [u32],
    now: &mut [f32],
    compared: &mut [u32],
    places: &mut [i32],
    kept: &mut [f32],
    shared: impl Fn(u32, u32) -> f32,
) -> usize {
    let scale = -0.5 / params.sigma;
    let mut len = queue.len();
    for at in (0..len / 2).rev() {
        sift(&mut queue[..len], now, at);
    }
    let mut found = 0;
    while 0 < len && found < places.len() {
        let best = queue[0];
        let index = best as usize;
        let before = now[index];
        let mut hidden = false;
        for &other in places[compared[index] as usize..found].iter().rev() {
            let part = shared(best, other.cast_unsigned());
            if params.max_overlap <= part {
                hidden = true;
                break;
            }
            now[index] *= exp(scale * part * part);
            if now[index] <= params.min_score {
                break;
            }
        }
        compared[index] = found as u32;
        if !hidden && now[index] == before {
            places[found] = index as i32;
            kept[found] = before;
            found += 1;
            hidden = true;
        }
        if hidden || now[index] <= params.min_score {
            len -= 1;
            queue.swap(0, len);
        }
        sift(&mut queue[..len], now, 0);
    }
    found
}

/// Restores the order of a heap whose element `at` may be too small.
fn sift(heap: &mut [u32], scores: &[f32], mut at: usize) {
    let above = |a: u32, b: u32| {
        let (x, y) = (scores[a as usize], scores[b as usize]);
        y < x || (x == y && a < b)
    };
    loop {
        let mut best = at;
        for child in [2 * at + 1, 2 * at + 2] {
            if child < heap.len() && above(heap[child], heap[best]) {
                best = child;
            }
        }
        if best == at {
            return;
        }
        heap.swap(at, best);
        at = best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tensor, run};

    #[test]
    fn hidden_and_dimmed() {
        #[rustfmt::skip]
        let corners = [
            0.0, 0.0, 1.0, 1.0, 1.0, 1.1, 0.0, 0.1, 0.0, 0.9, 1.0, -0.1,
            0.0, 10.0, 1.0, 11.0, 1.0, 10.1, 0.0, 11.1, 0.0, 101.0, 1.0, 100.0,
        ];
        let inputs =
            [Tensor::f32(&[6, 4], &corners), Tensor::f32(&[6], &[0.9, 0.75, 0.6, 0.95, 0.5, 0.3])];
        let to = [(DType::I32, &[6][..]), (DType::F32, &[6]), (DType::I32, &[])];
        let hard = Params { max_overlap: 0.5, min_score: 0.0, sigma: 0.0 };
        let y = run(&F32, &hard, &inputs, &to);
        assert_eq!(y[0].to_i32()[..3], [3, 0, 5]);
        assert_eq!(y[2].to_i32(), [3]);
        // The example of the reference's own tests.
        let soft = Params { max_overlap: 1.0, min_score: 0.0, sigma: 0.5 };
        let y = run(&F32, &soft, &inputs, &to);
        assert_eq!(y[0].to_i32(), [3, 0, 1, 5, 4, 2]);
        let expected = [0.95, 0.9, 0.384, 0.3, 0.256, 0.197];
        assert!(y[1].to_f32().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3));
    }
}
