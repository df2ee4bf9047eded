//! Where boxes and lines go: layers from top to bottom by longest paths, order within a layer by
//! barycentres (Sugiyama, Tagawa, Toda 1981), horizontal places by [`super::place`].
//!
//! A value is one net: from the box that writes it a single lane runs down through the layers, and
//! every reader branches off the lane in the layer above it.

use super::place;

/// A box as the layout sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub width: f64,
    pub height: f64,
    /// What hangs on nothing but boxes that are not pinned may sink.
    pub pinned: bool,
}

/// From a box to boxes that come later.
#[derive(Clone, Debug)]
pub(super) struct Net {
    pub source: usize,
    pub targets: Vec<usize>,
}

/// A box or a piece of a lane, in one layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The box, or none for a lane.
    pub owner: Option<usize>,
    pub layer: usize,
    /// The middle, once it is known.
    pub x: f64,
    pub width: f64,
    /// Boxes on the longest path through a box; what is long stands straight.
    pub weight: usize,
}

/// A finished layout.
#[derive(Debug)]
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    /// Boxes first, in their order, then lanes.
    pub cells: Vec<Cell>,
    /// Top and bottom of each layer.
    pub layers: Vec<(f64, f64)>,
    /// For each net, its cells from the source's layer down, one a layer. Empty when the net is too
    /// long to be drawn.
    pub lanes: Vec<Vec<usize>>,
}

/// More cells than this are not laid out; the longest nets are left out then.
const MAX_CELLS: usize = 60_000;
const LANE_WIDTH: f64 = 8.0;
const SWEEPS: usize = 16;

pub(super) fn layout(boxes: &[Size], nets: &[Net]) -> Layout {
    let (layer_of, weights) = assign_layers(boxes, nets);
    let depth = layer_of.iter().max().map_or(0, |last| last + 1);
    let mut cells: Vec<Cell> = layer_of
        .iter()
        .zip(boxes)
        .enumerate()
        .map(|(index, (&layer, size))| {
            let (width, weight) = (size.width, weights[index]);
            Cell { owner: Some(index), layer, x: 0.0, width, weight }
        })
        .collect();
    let lanes = make_lanes(&mut cells, &layer_of, nets);
    let links = Links::new(&cells, &lanes, nets);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); depth];
    for (index, cell) in cells.iter().enumerate() {
        rows[cell.layer].push(index);
    }
    order(&mut rows, &links);
    let width = place::place(&mut cells, &rows, &links);
    let layers = heights(boxes, &cells, &rows, &links);
    let height = layers.last().map_or(0.0, |(_, bottom)| *bottom);
    Layout { width, height, cells, layers, lanes }
}

/// Every box lies below what it reads. As low as they can lie boxes that hand on more than they
/// take, and those that hang on nothing pinned. Also yields the longest path through each box.
fn assign_layers(boxes: &[Size], nets: &[Net]) -> (Vec<usize>, Vec<usize>) {
    let mut inputs = vec![Vec::new(); boxes.len()];
    let mut outputs = vec![Vec::new(); boxes.len()];
    for net in nets {
        for &target in &net.targets {
            inputs[target].push(net.source);
            outputs[net.source].push(target);
        }
    }
    let mut layer = vec![0; boxes.len()];
    for index in 0..boxes.len() {
        layer[index] = inputs[index].iter().map(|&source| layer[source] + 1).max().unwrap_or(0);
    }
    let mut weights = vec![0; boxes.len()];
    for index in (0..boxes.len()).rev() {
        // Below it for now, the whole path in the end.
        weights[index] =
            outputs[index].iter().map(|&target| weights[target] + 1).max().unwrap_or(0);
    }
    let mut floats = vec![true; boxes.len()];
    for index in 0..boxes.len() {
        weights[index] += layer[index];
        floats[index] = !boxes[index].pinned && inputs[index].iter().all(|&source| floats[source]);
    }
    for index in (0..boxes.len()).rev() {
        let lowest = outputs[index].iter().map(|&target| layer[target] - 1).min();
        if let Some(lowest) = lowest
            && (floats[index] || inputs[index].len() < outputs[index].len().min(2))
        {
            layer[index] = lowest;
        }
    }
    (layer, weights)
}

/// Adds the lanes' cells, and yields the cells of each net.
fn make_lanes(cells: &mut Vec<Cell>, layer_of: &[usize], nets: &[Net]) -> Vec<Vec<usize>> {
    let end = |net: &Net| net.targets.iter().map(|&target| layer_of[target]).max();
    let spans: Vec<usize> = nets
        .iter()
        .map(|net| end(net).map_or(0, |end| end.saturating_sub(layer_of[net.source] + 1)))
        .collect();
    let mut sorted = spans.clone();
    sorted.sort_unstable();
    let mut left = MAX_CELLS;
    let affordable = |span: &&usize| {
        let fits = **span <= left;
        left = left.saturating_sub(**span);
        fits
    };
    let longest = sorted.iter().take_while(affordable).last().copied().unwrap_or(0);
    let mut lanes = Vec::with_capacity(nets.len());
    for (net, &span) in nets.iter().zip(&spans) {
        if longest < span {
            lanes.push(Vec::new());
            continue;
        }
        let mut lane = vec![net.source];
        for layer in layer_of[net.source] + 1..layer_of[net.source] + 1 + span {
            lane.push(cells.len());
            cells.push(Cell { owner: None, layer, x: 0.0, width: LANE_WIDTH, weight: 0 });
        }
        lanes.push(lane);
    }
    lanes
}

/// Lines between neighbouring layers.
#[derive(Debug)]
pub(super) struct Links {
    /// For each cell, those of the layer above that it is linked with.
    pub above: Vec<Vec<usize>>,
    /// And those of the layer below.
    pub below: Vec<Vec<usize>>,
}

impl Links {
    fn new(cells: &[Cell], lanes: &[Vec<usize>], nets: &[Net]) -> Self {
        let mut links =
            Self { above: vec![Vec::new(); cells.len()], below: vec![Vec::new(); cells.len()] };
        for (lane, net) in lanes.iter().zip(nets) {
            for pair in lane.windows(2) {
                links.add(pair[0], pair[1]);
            }
            for &target in &net.targets {
                let steps = cells[target].layer - cells[net.source].layer;
                if let Some(&from) = lane.get(steps - 1) {
                    links.add(from, target);
                }
            }
        }
        links
    }

    fn add(&mut self, above: usize, below: usize) {
        self.above[below].push(above);
        self.below[above].push(below);
    }
}

/// Sorts the cells of each layer so that few lines cross.
fn order(rows: &mut Vec<Vec<usize>>, links: &Links) {
    let cells = links.above.len();
    let mut best = rows.clone();
    let mut fewest = crossings(rows, links);
    let mut at = vec![0usize; cells];
    let mut without_gain = 0;
    for sweep in 0..SWEEPS {
        if fewest == 0 || 4 <= without_gain {
            break;
        }
        let down = sweep % 2 == 0;
        let turn: Vec<usize> = if down {
            (1..rows.len()).collect()
        } else {
            (0..rows.len().saturating_sub(1)).rev().collect()
        };
        for row in turn {
            let fixed = if down { row - 1 } else { row + 1 };
            for (place, &cell) in rows[fixed].iter().enumerate() {
                at[cell] = place;
            }
            let near = if down { &links.above } else { &links.below };
            sort_by_barycentre(&mut rows[row], near, &at);
        }
        let count = crossings(rows, links);
        without_gain += 1;
        if count < fewest {
            fewest = count;
            best.clone_from(rows);
            without_gain = 0;
        }
    }
    *rows = best;
}

/// Cells without neighbours keep their places.
fn sort_by_barycentre(row: &mut [usize], near: &[Vec<usize>], at: &[usize]) {
    let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(row.len());
    let mut places = Vec::with_capacity(row.len());
    for (place, &cell) in row.iter().enumerate() {
        let neighbours = &near[cell];
        if !neighbours.is_empty() {
            let sum: usize = neighbours.iter().map(|&other| at[other]).sum();
            keyed.push((sum as f64 / neighbours.len() as f64, cell));
            places.push(place);
        }
    }
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (place, (_, cell)) in places.into_iter().zip(keyed) {
        row[place] = cell;
    }
}

/// The number of pairs of lines that cross, by counting inversions.
fn crossings(rows: &[Vec<usize>], links: &Links) -> usize {
    let mut at = vec![0usize; links.above.len()];
    let mut total = 0;
    for pair in rows.windows(2) {
        for (place, &cell) in pair[1].iter().enumerate() {
            at[cell] = place;
        }
        // A Fenwick tree over the places of the lower row.
        let mut tree = vec![0usize; pair[1].len() + 1];
        let mut seen = 0;
        for &cell in &pair[0] {
            let mut ends: Vec<usize> = links.below[cell].iter().map(|&other| at[other]).collect();
            ends.sort_unstable();
            for &end in &ends {
                let (mut index, mut up_to) = (end + 1, 0);
                while 0 < index {
                    up_to += tree[index];
                    index &= index - 1;
                }
                total += seen - up_to;
            }
            for &end in &ends {
                let mut index = end + 1;
                while index < tree.len() {
                    tree[index] += 1;
                    index += index & index.wrapping_neg();
                }
                seen += 1;
            }
        }
    }
    total
}

/// Top and bottom of each layer; lines that go far sideways get more room between layers.
fn heights(boxes: &[Size], cells: &[Cell], rows: &[Vec<usize>], links: &Links) -> Vec<(f64, f64)> {
    let mut layers = Vec::with_capacity(rows.len());
    let mut top = 0.0;
    for row in rows {
        let tallest = row.iter().filter_map(|&cell| boxes.get(cells[cell].owner?));
        let height = tallest.map(|size| size.height).fold(0.0, f64::max);
        layers.push((top, top + height));
        let far = row.iter().flat_map(|&cell| {
            links.below[cell].iter().map(move |&other| (cells[cell].x - cells[other].x).abs())
        });
        let far = far.fold(0.0, f64::max);
        top += height + 22.0 + (far * 0.08).min(44.0);
    }
    layers
}
