//! Draws together what the averaging of alignments has left apart: straight groups move towards what
//! they are linked with, as far as their neighbours let them.

use super::layout::{Cell, Links};
use super::place::distance;

const PASSES: usize = 12;
/// Cells nearer than this stand above one another.
const SAME: f64 = 0.5;

/// Moves groups of linked cells that stand exactly above one another; the group with most boxes
/// stays.
pub(super) fn tighten(cells: &mut [Cell], rows: &[Vec<usize>], links: &Links) {
    let group_of = groups(cells, links);
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); cells.len()];
    for (cell, &group) in group_of.iter().enumerate() {
        groups[group].push(cell);
    }
    groups.retain(|group| !group.is_empty());
    let boxes = |group: &[usize]| group.iter().filter(|&&cell| cells[cell].owner.is_some()).count();
    let Some(anchor) = (0..groups.len()).rev().max_by_key(|&group| boxes(&groups[group])) else {
        return;
    };
    let anchor = groups.swap_remove(anchor);
    let Some(&anchor) = anchor.first() else { return };
    let mut left = vec![None; cells.len()];
    let mut right = vec![None; cells.len()];
    for row in rows {
        for pair in row.windows(2) {
            left[pair[1]] = Some(pair[0]);
            right[pair[0]] = Some(pair[1]);
        }
    }
    for _ in 0..PASSES {
        let centre = cells[anchor].x;
        groups.sort_by(|a, b| {
            let far = |group: &[usize]| group.first().map_or(0.0, |&c| (cells[c].x - centre).abs());
            far(a).total_cmp(&far(b))
        });
        let mut moved = false;
        for group in &groups {
            let Some(&first) = group.first() else { continue };
            let x = cells[first].x;
            let Some(wanted) = wanted(cells, links, &group_of, group) else { continue };
            let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
            for &cell in group {
                if let Some(other) = left[cell] {
                    low = low.max(cells[other].x + distance(cells, other, cell));
                }
                if let Some(other) = right[cell] {
                    high = high.min(cells[other].x - distance(cells, cell, other));
                }
            }
            let to = if low <= high { wanted.clamp(low, high) } else { x };
            if SAME < (to - x).abs() {
                moved = true;
                group.iter().for_each(|&cell| cells[cell].x = to);
            }
        }
        if !moved {
            return;
        }
    }
}

/// The middle of the places that a group is linked with.
fn wanted(cells: &[Cell], links: &Links, group_of: &[usize], group: &[usize]) -> Option<f64> {
    let near = |&cell: &usize| links.above[cell].iter().chain(&links.below[cell]);
    let outside = |&&other: &&usize| Some(group_of[other]) != group.first().map(|&c| group_of[c]);
    let mut x: Vec<f64> =
        group.iter().flat_map(near).filter(outside).map(|&other| cells[other].x).collect();
    x.sort_by(f64::total_cmp);
    let last = x.len().checked_sub(1)?;
    Some((x[last / 2] + x[last.div_ceil(2)]) / 2.0)
}

/// For each cell the first of its group.
fn groups(cells: &[Cell], links: &Links) -> Vec<usize> {
    let mut group_of: Vec<Option<usize>> = vec![None; cells.len()];
    let mut open = Vec::new();
    for start in 0..cells.len() {
        if group_of[start].is_some() {
            continue;
        }
        group_of[start] = Some(start);
        open.push(start);
        while let Some(cell) = open.pop() {
            for &other in links.above[cell].iter().chain(&links.below[cell]) {
                if group_of[other].is_none() && (cells[other].x - cells[cell].x).abs() < SAME {
                    group_of[other] = Some(start);
                    open.push(other);
                }
            }
        }
    }
    group_of.into_iter().enumerate().map(|(cell, group)| group.unwrap_or(cell)).collect()
}
