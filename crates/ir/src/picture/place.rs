//! Horizontal places of ordered cells (Brandes, Köpf: Fast and simple horizontal coordinate
//! assignment, 2001): four alignments, of which the average of the two middle ones is taken. Blocks
//! are compacted by longest paths.

use std::collections::HashSet;

use super::layout::{Cell, Links};
use super::tighten::tighten;

const GAP: f64 = 18.0;

/// Sets `x` of all cells, from 0 on, and yields the width.
pub(super) fn place(cells: &mut [Cell], rows: &[Vec<usize>], links: &Links) -> f64 {
    let favoured = Favoured::new(cells, links);
    let conflicts = conflicts(cells, rows, &favoured);
    let mut candidates: Vec<Vec<f64>> = Vec::with_capacity(4);
    for down in [true, false] {
        for mirrored in [false, true] {
            let mut rows: Vec<Vec<usize>> = rows.to_vec();
            if !down {
                rows.reverse();
            }
            if mirrored {
                rows.iter_mut().for_each(|row| row.reverse());
            }
            let near = if down { &favoured.above } else { &favoured.below };
            let root = align(&rows, near, &conflicts);
            let mut x = compact(cells, &rows, &root);
            if mirrored {
                x.iter_mut().for_each(|x| *x = -*x);
            }
            candidates.push(x);
        }
    }
    let widths: Vec<f64> = cells.iter().map(|cell| cell.width).collect();
    let bounds = |x: &[f64]| {
        let sides = x.iter().zip(&widths).map(|(x, width)| (x - width / 2.0, x + width / 2.0));
        sides.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), side| {
            (low.min(side.0), high.max(side.1))
        })
    };
    // All are laid over the narrowest: those pushed to the left at its left side, the others right.
    let all: Vec<(f64, f64)> = candidates.iter().map(|x| bounds(x)).collect();
    let narrowest = all.iter().min_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
    let Some(&(left, right)) = narrowest else { return 0.0 };
    for (index, (x, bounds)) in candidates.iter_mut().zip(&all).enumerate() {
        let shift = if index % 2 == 0 { left - bounds.0 } else { right - bounds.1 };
        x.iter_mut().for_each(|x| *x += shift);
    }
    for (index, cell) in cells.iter_mut().enumerate() {
        let mut x = [0, 1, 2, 3].map(|candidate: usize| candidates[candidate][index]);
        x.sort_by(f64::total_cmp);
        cell.x = (x[1] + x[2]) / 2.0;
    }
    tighten(cells, rows, links);
    let x: Vec<f64> = cells.iter().map(|cell| cell.x).collect();
    let (left, right) = bounds(&x);
    if cells.is_empty() {
        return 0.0;
    }
    cells.iter_mut().for_each(|cell| cell.x -= left);
    right - left
}

/// From the middle of a cell to that of its right neighbour, at least.
pub(super) fn distance(cells: &[Cell], left: usize, right: usize) -> f64 {
    (cells[left].width + cells[right].width) / 2.0 + GAP
}

/// The neighbours that a cell would like to stand exactly above or below: for a lane its own
/// continuation, for a box other boxes rather than lanes and long paths rather than short ones.
struct Favoured {
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
}

impl Favoured {
    fn new(cells: &[Cell], links: &Links) -> Self {
        let choose = |near: &[Vec<usize>]| {
            let of_cell = |(cell, all): (usize, &Vec<usize>)| {
                let is_lane = cells[cell].owner.is_none();
                let rank = |other: &usize| {
                    let other = &cells[*other];
                    (other.owner.is_none() == is_lane, other.weight)
                };
                let best = all.iter().map(rank).max();
                all.iter().filter(|&other| Some(rank(other)) == best).copied().collect()
            };
            near.iter().enumerate().map(of_cell).collect::<Vec<_>>()
        };
        let (above, below) = (choose(&links.above), choose(&links.below));
        Self { above: mutual(&above, &below), below: mutual(&below, &above) }
    }
}

/// Without the wishes that are not returned.
fn mutual(wishes: &[Vec<usize>], returned: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let of_cell = |(cell, others): (usize, &Vec<usize>)| {
        others.iter().filter(|&&other| returned[other].contains(&cell)).copied().collect()
    };
    wishes.iter().enumerate().map(of_cell).collect()
}

/// Lines that cross a lane: the lane stays straight.
fn conflicts(cells: &[Cell], rows: &[Vec<usize>], near: &Favoured) -> HashSet<(usize, usize)> {
    let mut found = HashSet::new();
    let mut at = vec![0usize; cells.len()];
    for row in rows {
        for (place, &cell) in row.iter().enumerate() {
            at[cell] = place;
        }
    }
    for pair in rows.windows(2) {
        let (upper, lower) = (&pair[0], &pair[1]);
        let mut from = 0;
        let mut scanned = 0;
        for (place, &cell) in lower.iter().enumerate() {
            let lane_above = || {
                let above = near.above[cell].first().copied()?;
                let both = cells[cell].owner.is_none() && cells[above].owner.is_none();
                both.then_some(at[above])
            };
            let inner = lane_above();
            if inner.is_none() && place + 1 != lower.len() {
                continue;
            }
            let to = inner.unwrap_or(upper.len());
            for &other in &lower[scanned..=place] {
                for &above in &near.above[other] {
                    let is_inner = cells[other].owner.is_none() && cells[above].owner.is_none();
                    if !is_inner && (at[above] < from || to < at[above]) {
                        found.insert((above, other));
                    }
                }
            }
            scanned = place + 1;
            from = to;
        }
    }
    found
}

/// Each cell's block: cells that stand exactly above one another, named by their first.
fn align(
    rows: &[Vec<usize>],
    near: &[Vec<usize>],
    conflicts: &HashSet<(usize, usize)>,
) -> Vec<usize> {
    let mut at = vec![0usize; near.len()];
    for row in rows {
        for (place, &cell) in row.iter().enumerate() {
            at[cell] = place;
        }
    }
    let mut root: Vec<usize> = (0..near.len()).collect();
    let mut taken = vec![false; near.len()];
    for row in rows {
        // The first place of the row before that is still free to be aligned with.
        let mut free = 0;
        for &cell in row {
            let mut neighbours = near[cell].clone();
            neighbours.sort_unstable_by_key(|&other| at[other]);
            let Some(last) = neighbours.len().checked_sub(1) else { continue };
            for &other in &neighbours[last / 2..=last.div_ceil(2)] {
                let in_conflict =
                    conflicts.contains(&(other, cell)) || conflicts.contains(&(cell, other));
                if root[cell] == cell && !taken[other] && free <= at[other] && !in_conflict {
                    taken[other] = true;
                    root[cell] = root[other];
                    free = at[other] + 1;
                }
            }
        }
    }
    root
}

/// Places for blocks: as far left as the order allows, then as near to the right neighbour as
/// possible.
fn compact(cells: &[Cell], rows: &[Vec<usize>], root: &[usize]) -> Vec<f64> {
    let mut right_of: Vec<Vec<(usize, f64)>> = vec![Vec::new(); cells.len()];
    let mut waiting = vec![0usize; cells.len()];
    for row in rows {
        for pair in row.windows(2) {
            let (left, right) = (root[pair[0]], root[pair[1]]);
            let distance = distance(cells, pair[0], pair[1]);
            right_of[left].push((right, distance));
            waiting[right] += 1;
        }
    }
    let mut x = vec![0.0f64; cells.len()];
    let mut order: Vec<usize> =
        (0..cells.len()).filter(|&cell| root[cell] == cell && waiting[cell] == 0).collect();
    let mut next = 0;
    while let Some(&block) = order.get(next) {
        next += 1;
        for &(right, distance) in &right_of[block] {
            x[right] = x[right].max(x[block] + distance);
            waiting[right] -= 1;
            if waiting[right] == 0 {
                order.push(right);
            }
        }
    }
    for &block in order.iter().rev() {
        let limit = right_of[block].iter().map(|&(right, distance)| x[right] - distance);
        let limit = limit.fold(f64::INFINITY, f64::min);
        if limit.is_finite() {
            x[block] = x[block].max(limit);
        }
    }
    (0..cells.len()).map(|cell| x[root[cell]]).collect()
}

/// Places nearest to `wanted` (sorted) that are `gap` apart at least: pools adjacent violators.
pub(super) fn spread(wanted: &[f64], gap: f64) -> Vec<f64> {
    // Groups that stand `gap` apart: sum of what their first one would want, and count.
    let mut groups: Vec<(f64, usize)> = Vec::with_capacity(wanted.len());
    for &x in wanted {
        groups.push((x, 1));
        while let [.., (before, m), (after, n)] = groups[..]
            && after / (n as f64) < before / (m as f64) + gap * m as f64
        {
            groups.truncate(groups.len() - 2);
            let joined = before + after - gap * (m * n) as f64;
            groups.push((joined, m + n));
        }
    }
    let of_group = |&(sum, count): &(f64, usize)| {
        (0..count).map(move |index| sum / count as f64 + gap * index as f64)
    };
    groups.iter().flat_map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn spreading_keeps_distances() {
        assert_eq!(spread(&[], 5.0), []);
        assert_eq!(spread(&[1.0, 20.0], 5.0), [1.0, 20.0]);
        assert_eq!(spread(&[3.0, 3.0], 4.0), [1.0, 5.0]);
        assert_eq!(spread(&[0.0, 0.0, 0.0, 1.0], 2.0), [-2.75, -0.75, 1.25, 3.25]);
    }
}
