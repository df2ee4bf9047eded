//! Boxes given by two opposite corners: how much two overlap, and the best of those that overlap.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Fault;

/// Two opposite corners; either pair of axes may come first in both.
pub type Corners = [f32; 4];

/// The boxes that lie in a row of numbers.
pub fn boxes(numbers: &[f32]) -> &[Corners] {
    numbers.as_chunks::<4>().0
}

/// The part of their union that two boxes share; 0 when one of them has no area.
/// The first corner is the lower one on both axes.
pub fn overlap(a: &Corners, b: &Corners) -> f32 {
    let area = |c: &Corners| (c[2] - c[0]) * (c[3] - c[1]);
    let (area_a, area_b) = (area(a), area(b));
    if area_a <= 0.0 || area_b <= 0.0 {
        return 0.0;
    }
    let side = |axis: usize| {
        let (low, high) = (a[axis].max(b[axis]), a[axis + 2].min(b[axis + 2]));
        (high - low).max(0.0)
    };
    let shared = side(0) * side(1);
    shared / (area_a + area_b - shared)
}

/// The same box with the lower corner first.
pub fn upright(c: &Corners) -> Corners {
    [c[0].min(c[2]), c[1].min(c[3]), c[0].max(c[2]), c[1].max(c[3])]
}

/// Sorts `order` by descending score; of equals the lower index comes first. NaN is equal to
/// everything, so leave it out of `order`.
pub fn sort_by_score(order: &mut [u32], scores: &[f32]) {
    let score = |index: u32| scores.get(index as usize).copied().unwrap_or(0.0);
    order.sort_unstable_by(|&a, &b| {
        let by_score = score(b).partial_cmp(&score(a)).unwrap_or(core::cmp::Ordering::Equal);
        by_score.then(a.cmp(&b))
    });
}

/// Moves to the front of `order`, best first, those that `hides(kept, candidate)` says of no box
/// kept before them, at most `limit`; yields how many are kept.
pub fn keep_best(
    order: &mut [u32],
    limit: usize,
    mut hides: impl FnMut(u32, u32) -> bool,
) -> usize {
    let mut kept = 0;
    for at in 0..order.len() {
        if limit <= kept {
            break;
        }
        let candidate = order[at];
        if !order[..kept].iter().any(|&before| hides(before, candidate)) {
            order[kept] = candidate;
            kept += 1;
        }
    }
    kept
}

/// The first `len` elements of a scratch buffer and what lies behind them.
///
/// # Errors
/// A `TooLarge` fault when the buffer is shorter, which the check of a kernel excludes.
pub fn take<T: FromBytes + IntoBytes + Immutable + KnownLayout>(
    scratch: &mut [u8],
    len: usize,
) -> Result<(&mut [T], &mut [u8]), Fault> {
    <[T]>::mut_from_prefix_with_elems(scratch, len).map_err(|_| Fault::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_unions() {
        let unit = [0.0, 0.0, 1.0, 1.0];
        assert_eq!(overlap(&unit, &unit), 1.0);
        assert_eq!(overlap(&unit, &[0.0, 0.5, 1.0, 1.5]), 1.0 / 3.0);
        assert_eq!(overlap(&unit, &[2.0, 2.0, 3.0, 3.0]), 0.0);
        assert_eq!(overlap(&unit, &[0.5, 0.5, 0.5, 0.5]), 0.0);
        assert_eq!(upright(&[1.0, 0.0, 0.0, 2.0]), [0.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn the_best_of_neighbours_stay() {
        let scores = [0.5, 0.9, 0.9, 0.1];
        let mut order = [0, 1, 2, 3];
        sort_by_score(&mut order, &scores);
        assert_eq!(order, [1, 2, 0, 3]);
        assert_eq!(keep_best(&mut order, 4, |kept, other| kept.abs_diff(other) == 1), 2);
        assert_eq!(order[..2], [1, 3]);
    }
}
