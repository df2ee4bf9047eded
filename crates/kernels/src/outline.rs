//! Rectangles, at any angle, around the bright parts of a map: the boxes of text detectors.
//!
//! Inputs: a map f32 `[H, W]`; the least value of a cell that counts and the least mean of a
//! rectangle, f32 of one element each. Outputs: corners f32 `[M, 4, 2]` as x, y from 0 to 1 of the
//! map, from the upper left on clockwise; means f32 `[M]`; their number i32 `[1]`. What is beyond the
//! number is 0.
//!
//! Cells that touch, also at their corners, are one part. Around each the rectangle of the least area
//! is laid (one side lies on a side of the convex hull), judged by the mean of the cells inside it,
//! and grown on all sides by `growth * area / perimeter` (Vatti clipping of a rectangle). Parts come
//! in the order of their first cells, row by row.

use embarca_num::{DType, float};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::walk::check_size;
use crate::{Call, Fault, Kernel, Needs, Signature};

/// f32; record [`Params`].
pub const F32: Kernel = Kernel::new("outline_f32", check, call);

/// In the order of their opcodes.
pub const KERNELS: &[Kernel] = &[F32];

/// The record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Params {
    /// How far rectangles grow, in units of area over perimeter; not negative.
    pub growth: f32,
    /// Rectangles whose shorter side is smaller are left out, in cells.
    pub side: f32,
}

fn check(sig: &Signature) -> Result<Needs, Fault> {
    let Params { growth, side } = sig.params()?;
    let map = sig.input(0)?;
    if sig.inputs.len() != 3 || sig.outputs.len() != 3 {
        return Err(Fault::Arity);
    }
    if !(growth.is_finite() && 0.0 <= growth && side.is_finite()) {
        return Err(Fault::Record);
    }
    for x in [map, sig.input(1)?, sig.input(2)?] {
        if x.dtype != DType::F32 {
            return Err(Fault::Type);
        }
    }
    if sig.input(1)?.len()? != 1 || sig.input(2)?.len()? != 1 {
        return Err(Fault::Shape);
    }
    let [height, width] = *map.dims else { return Err(Fault::Shape) };
    let m = sig.output(1)?.dims.first().copied().ok_or(Fault::Shape)?;
    let outputs = [(DType::F32, &[m, 4, 2][..]), (DType::F32, &[m]), (DType::I32, &[1])];
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
    let cells = check_size(map)?;
    if 1 << 15 < height.max(width) || 1 << 27 < cells {
        return Err(Fault::TooLarge);
    }
    // Which cells were seen, those still to look at, the ends of each row, the hull.
    Ok(Needs { units: 1, scratch: 4 * (2 * cells + 2 * height as usize + 4 * height as usize + 8) })
}

/// A part of the map: its rows, and where each begins and ends.
struct Part<'a> {
    top: usize,
    ends: &'a [[i32; 2]],
}

/// A rectangle: its middle, the direction of its first side, half its sides.
#[derive(Clone, Copy)]
struct Rect {
    middle: [f32; 2],
    along: [f32; 2],
    half: [f32; 2],
}

impl Rect {
    /// Whether a point lies inside.
    fn holds(&self, x: f32, y: f32) -> bool {
        let (dx, dy) = (x - self.middle[0], y - self.middle[1]);
        let [u, v] = self.along;
        let size = |x: f32| if x < 0.0 { -x } else { x };
        size(dx * u + dy * v) <= self.half[0] && size(dy * u - dx * v) <= self.half[1]
    }

    fn corners(&self) -> [[f32; 2]; 4] {
        let [u, v] = self.along;
        let [a, b] = self.half;
        [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]].map(|[i, j]| {
            [self.middle[0] + i * a * u - j * b * v, self.middle[1] + i * a * v + j * b * u]
        })
    }
}

/// Twice the area of a triangle, positive when it turns to the right on a screen.
fn turn(a: [i32; 2], b: [i32; 2], c: [i32; 2]) -> i64 {
    let [[ax, ay], [bx, by], [cx, cy]] = [a, b, c].map(|point| point.map(i64::from));
    (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
}

/// The convex hull of a part's cells, in `hull`; yields the number of its corners.
fn hull(part: &Part, hull: &mut [[i32; 2]]) -> usize {
    // Down the right ends, then up the left ones, each without the corners that turn inward.
    let rows = part.ends.len();
    let mut len = 0;
    let point = |row: usize, side: usize| [part.ends[row][side], (part.top + row) as i32];
    for (side, start) in [(1, true), (0, false)] {
        let base = if start { 0 } else { len };
        for i in 0..rows {
            let row = if start { i } else { rows - 1 - i };
            let next = point(row, side);
            while base + 2 <= len && turn(hull[len - 2], hull[len - 1], next) <= 0 {
                len -= 1;
            }
            if len == 0 || hull[len - 1] != next {
                hull[len] = next;
                len += 1;
            }
        }
    }
    if 1 < len && hull[0] == hull[len - 1] { len - 1 } else { len }
}

/// The rectangle of the least area around a hull.
fn around(hull: &[[i32; 2]]) -> Rect {
    let mut best: Option<(f32, Rect)> = None;
    for (i, &a) in hull.iter().enumerate() {
        let b = hull[(i + 1) % hull.len()];
        let (dx, dy) = ((b[0] - a[0]) as f32, (b[1] - a[1]) as f32);
        let length = float::sqrt(dx * dx + dy * dy);
        let [u, v] = if 0.0 < length { [dx / length, dy / length] } else { [1.0, 0.0] };
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for &[x, y] in hull {
            let (x, y) = (x as f32, y as f32);
            for (k, at) in [x * u + y * v, y * u - x * v].into_iter().enumerate() {
                low[k] = float::min(low[k], at);
                high[k] = float::max(high[k], at);
            }
        }
        let half = [(high[0] - low[0]) / 2.0, (high[1] - low[1]) / 2.0];
        let [p, q] = [(high[0] + low[0]) / 2.0, (high[1] + low[1]) / 2.0];
        let rect = Rect { middle: [p * u - q * v, p * v + q * u], along: [u, v], half };
        let area = half[0] * half[1];
        if best.is_none_or(|(least, _)| area < least) {
            best = Some((area, rect));
        }
    }
    let point = Rect { middle: [0.0; 2], along: [1.0, 0.0], half: [0.0; 2] };
    best.map_or(point, |(_, rect)| rect)
}

/// The mean of the cells inside a rectangle.
fn mean(map: &[f32], [height, width]: [usize; 2], rect: &Rect) -> f32 {
    let corners = rect.corners();
    let end = |k: usize, most: bool, all: usize| {
        let start = corners[0][k];
        let edge = corners.iter().fold(start, |edge, corner| {
            if most { float::max(edge, corner[k]) } else { float::min(edge, corner[k]) }
        });
        let cell = if most { float::ceil(edge) } else { float::floor(edge) };
        (cell.max(0.0) as usize).min(all - 1)
    };
    let (mut sum, mut count) = (0.0, 0u32);
    for y in end(1, false, height)..=end(1, true, height) {
        for x in end(0, false, width)..=end(0, true, width) {
            // Half a cell is forgiven, so that a line of cells has a mean.
            let grown = Rect { half: [rect.half[0] + 0.01, rect.half[1] + 0.01], ..*rect };
            if grown.holds(x as f32, y as f32) {
                sum += map[y * width + x];
                count += 1;
            }
        }
    }
    if count == 0 { 0.0 } else { sum / count as f32 }
}

/// Corners from the upper left on clockwise: the two on the left first, by their height.
fn ordered(corners: [[f32; 2]; 4]) -> [[f32; 2]; 4] {
    let mut by_x = corners;
    by_x.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]));
    let [a, b, c, d] = by_x;
    let (top_left, low_left) = if b[1] < a[1] { (b, a) } else { (a, b) };
    let (top_right, low_right) = if d[1] < c[1] { (d, c) } else { (c, d) };
    [top_left, top_right, low_right, low_left]
}

fn call(call: &mut Call) -> Result<(), Fault> {
    let Params { growth, side } = call.params()?;
    let input = call.input(0)?;
    let [height, width] = *input.ty.dims else { return Err(Fault::Shape) };
    let (height, width) = (height as usize, width as usize);
    let map = input.elements::<f32>();
    let first = |values: &[f32]| values.first().copied().unwrap_or(0.0);
    let (least, score) =
        (first(call.input(1)?.elements()), first(call.input(2)?.elements()));
    let bytes = 4 * (2 * map.len() + 6 * height + 8);
    let scratch = call.scratch.get_mut(..bytes).ok_or(Fault::TooLarge)?;
    let scratch = <[i32]>::mut_from_bytes(scratch).map_err(|_| Fault::TooLarge)?;
    let (seen, scratch) = scratch.split_at_mut(map.len());
    let (stack, scratch) = scratch.split_at_mut(map.len());
    let (ends, corners) = scratch.split_at_mut(2 * height);
    let ends = ends.as_chunks_mut::<2>().0;
    let corners = corners.as_chunks_mut::<2>().0;
    seen.fill(0);
    let [to_corners, to_scores, to_count] = &mut *call.outputs else { return Err(Fault::Arity) };
    let to_corners = to_corners.elements::<f32>();
    let to_scores = to_scores.elements::<f32>();
    to_corners.fill(0.0);
    to_scores.fill(0.0);
    let mut found = 0;
    for start in 0..map.len() {
        if found == to_scores.len() {
            break;
        }
        // What is not a number is not bright.
        let bright = least < map[start];
        if seen[start] != 0 || !bright {
            continue;
        }
        let (mut top, mut bottom) = (start / width, start / width);
        ends[top] = [i32::MAX, -1];
        let mut waiting = 1;
        (stack[0], seen[start]) = (start as i32, 1);
        while 0 < waiting {
            waiting -= 1;
            let at = stack[waiting] as usize;
            let (y, x) = (at / width, at % width);
            while y < top {
                top -= 1;
                ends[top] = [i32::MAX, -1];
            }
            while bottom < y {
                bottom += 1;
                ends[bottom] = [i32::MAX, -1];
            }
            let row = &mut ends[y];
            *row = [row[0].min(x as i32), row[1].max(x as i32)];
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let next = ny * width + nx;
                    if seen[next] == 0 && least < map[next] {
                        // Each cell waits once, so that all fit.
                        seen[next] = 1;
                        stack[waiting] = next as i32;
                        waiting += 1;
                    }
                }
            }
        }
        let part = Part { top, ends: &ends[top..=bottom] };
        let len = hull(&part, corners);
        let rect = around(&corners[..len]);
        let [a, b] = rect.half.map(|half| 2.0 * half);
        if float::min(a, b) < side {
            continue;
        }
        let mean = mean(map, [height, width], &rect);
        if mean < score || mean.is_nan() {
            continue;
        }
        let by = growth * a * b / (2.0 * (a + b));
        let grown = Rect { half: [rect.half[0] + by, rect.half[1] + by], ..rect };
        let sides = [width as f32, height as f32];
        let points = ordered(grown.corners()).map(|[x, y]| [x / sides[0], y / sides[1]]);
        for (to, from) in to_corners[8 * found..].iter_mut().zip(points.as_flattened()) {
            *to = *from;
        }
        to_scores[found] = mean;
        found += 1;
    }
    if let Some(count) = to_count.elements::<i32>().first_mut() {
        *count = found as i32;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::testing::{Tensor, run};

    fn outline(map: &[&str], growth: f32) -> (Vec<f32>, Vec<f32>) {
        let (height, width) = (map.len() as u32, map[0].len() as u32);
        let value = |c: u8| if c == b'#' { 0.9 } else { 0.1 };
        let cells: Vec<f32> = map.iter().flat_map(|row| row.bytes().map(value)).collect();
        let scalar = |x: f32| Tensor::f32(&[], &[x]);
        let inputs = [Tensor::f32(&[height, width], &cells), scalar(0.3), scalar(0.5)];
        let to = [(DType::F32, &[3, 4, 2][..]), (DType::F32, &[3]), (DType::I32, &[1])];
        let y = run(&F32, &Params { growth, side: 1.0 }, &inputs, &to);
        let count = y[2].to_i32()[0] as usize;
        let sides = [width as f32, height as f32];
        let corners = y[0].to_f32().into_iter().take(8 * count);
        let corners = corners.enumerate().map(|(i, at)| at * sides[i % 2]).collect();
        (corners, y[1].to_f32()[..count].to_vec())
    }

    #[test]
    fn rectangles_are_found() {
        let map = ["......", ".###..", ".###..", "......", "......"];
        let (corners, scores) = outline(&map, 0.0);
        let near = |a: &[f32], b: &[f32]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
        };
        assert!(near(&corners, &[1.0, 1.0, 3.0, 1.0, 3.0, 2.0, 1.0, 2.0]), "{corners:?}");
        assert!(near(&scores, &[0.9]));
        // Area 2, perimeter 6: a third on each side.
        let (corners, _) = outline(&map, 1.0);
        let third = 1.0 / 3.0;
        let (low, high) = (1.0 - third, 3.0 + third);
        let want = [low, low, high, low, high, 2.0 + third, low, 2.0 + third];
        assert!(near(&corners, &want), "{corners:?}");
    }

    #[test]
    fn slopes_are_followed_and_specks_left_out() {
        let map = ["..#....", ".###...", "#####..", ".#####.", "..#####", "...###.", "#...#.."];
        let (corners, scores) = outline(&map, 0.0);
        assert_eq!(scores.len(), 1);
        let near = |x: f32, y: f32| {
            corners.chunks(2).any(|at| (at[0] - x).abs() < 1e-4 && (at[1] - y).abs() < 1e-4)
        };
        assert!(near(2.0, 0.0) && near(0.0, 2.0) && near(6.0, 4.0) && near(4.0, 6.0));
    }
}
