//! Places the nodes of a graph: layers from top to bottom, few crossings, short edges
//! (Sugiyama's method: longest-path layers, barycentre order, straightened columns).

/// What is to be placed.
#[derive(Clone, Debug, Default)]
pub struct Edges {
    /// How many boxes there are.
    pub boxes: usize,
    /// From box, to box, and a box comes after all boxes that lead to it.
    pub edges: Vec<(usize, usize)>,
}

/// Where everything lies, in columns and layers.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// Column (centre) and layer of each box.
    pub boxes: Vec<(f64, usize)>,
    /// The points each edge passes: a column for every layer from its first box to its last.
    pub edges: Vec<Vec<(f64, usize)>>,
    /// Smallest and largest column.
    pub columns: (f64, f64),
    /// How many layers there are.
    pub layers: usize,
}

/// Sweeps over all layers for order and columns.
const SWEEPS: usize = 8;

/// Edges that pass more layers than this are drawn without bends between, so that a graph of many
/// layers and long edges stays affordable.
const LONGEST: usize = 400;

/// A box or the point where an edge passes a layer.
struct Slot {
    layer: usize,
    width: f64,
    above: Vec<usize>,
    below: Vec<usize>,
    column: f64,
}

/// Places boxes and edges.
pub fn place(graph: &Edges) -> Placed {
    let mut layer = vec![0usize; graph.boxes];
    for &(from, to) in &graph.edges {
        layer[to] = layer[to].max(layer[from] + 1);
    }
    let slot =
        |layer, width| Slot { layer, width, above: Vec::new(), below: Vec::new(), column: 0.0 };
    let mut slots: Vec<Slot> = layer.iter().map(|&layer| slot(layer, 1.0)).collect();
    let mut paths = Vec::with_capacity(graph.edges.len());
    for &(from, to) in &graph.edges {
        let mut path = vec![from];
        let (first, last) = (slots[from].layer, slots[to].layer);
        if last - first <= LONGEST {
            for layer in first + 1..last {
                path.push(slots.len());
                slots.push(slot(layer, 0.25));
            }
        }
        path.push(to);
        for pair in path.windows(2) {
            slots[pair[0]].below.push(pair[1]);
            slots[pair[1]].above.push(pair[0]);
        }
        paths.push(path);
    }
    let layers = slots.iter().map(|slot| slot.layer + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); layers];
    for (i, slot) in slots.iter().enumerate() {
        rows[slot.layer].push(i);
    }
    for row in &rows {
        spread(&mut slots, row, |_, slot| slot.column);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let order: Vec<usize> =
            if down { (0..layers).collect() } else { (0..layers).rev().collect() };
        for layer in order {
            let mean = |slots: &[Slot], slot: &Slot| {
                let near = if down { &slot.above } else { &slot.below };
                if near.is_empty() {
                    return slot.column;
                }
                near.iter().map(|&i| slots[i].column).sum::<f64>() / near.len() as f64
            };
            let row = &mut rows[layer];
            let wanted: Vec<f64> = row.iter().map(|&i| mean(&slots, &slots[i])).collect();
            let mut sorted: Vec<(f64, usize)> =
                wanted.into_iter().zip(row.iter().copied()).collect();
            // A stable sort keeps what is equal in the order of the model.
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            *row = sorted.iter().map(|&(_, i)| i).collect();
            let wanted: std::collections::HashMap<usize, f64> =
                sorted.into_iter().map(|(column, i)| (i, column)).collect();
            let row = row.clone();
            spread(&mut slots, &row, |i, _| wanted.get(&i).copied().unwrap_or(0.0));
        }
    }
    let at = |i: usize| (slots[i].column, slots[i].layer);
    let columns = slots.iter().map(|slot| slot.column);
    Placed {
        columns: columns.fold((0.0, 0.0), |(low, high): (f64, f64), x| (low.min(x), high.max(x))),
        boxes: (0..graph.boxes).map(at).collect(),
        edges: paths.iter().map(|path| path.iter().map(|&i| at(i)).collect()).collect(),
        layers,
    }
}

/// Gives the slots of a row columns as near as possible to what each wants, in their order and
/// without overlap: neighbours that would overlap are merged into blocks around their common mean.
fn spread(slots: &mut [Slot], row: &[usize], wanted: impl Fn(usize, &Slot) -> f64) {
    // A block: its slots, the column of its left edge, its width, and the sum of the left edges that
    // its slots would like the block to have.
    let mut blocks: Vec<(Vec<usize>, f64, f64, f64)> = Vec::new();
    for &i in row {
        let slot = &slots[i];
        let left = wanted(i, slot) - slot.width / 2.0;
        let mut block = (vec![i], left, slot.width, left);
        while let Some(before) = blocks.last() {
            if before.1 + before.2 <= block.1 {
                break;
            }
            let Some((mut members, _, width, sum)) = blocks.pop() else { break };
            let sum = sum + block.3 - width * block.0.len() as f64;
            members.append(&mut block.0);
            let left = sum / members.len() as f64;
            block = (members, left, width + block.2, sum);
        }
        blocks.push(block);
    }
    for (members, mut left, ..) in blocks {
        for i in members {
            slots[i].column = left + slots[i].width / 2.0;
            left += slots[i].width;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(boxes: usize, edges: &[(usize, usize)]) -> Placed {
        place(&Edges { boxes, edges: edges.to_vec() })
    }

    #[test]
    fn a_chain_is_a_straight_line() {
        let edges: Vec<_> = (0..99).map(|i| (i, i + 1)).collect();
        let chain = placed(100, &edges);
        assert_eq!(chain.layers, 100);
        assert!(chain.boxes.iter().enumerate().all(|(i, &at)| at == (0.0, i)));
    }

    #[test]
    fn boxes_of_a_layer_do_not_overlap() {
        let wide = placed(6, &[(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4), (0, 4), (4, 5)]);
        assert_eq!(wide.layers, 4);
        for a in 0..6 {
            for b in 0..a {
                let ((x, row), (y, other)) = (wide.boxes[a], wide.boxes[b]);
                assert!(row != other || 0.999 < (x - y).abs(), "{a} {b}");
            }
        }
        // The edge that skips a layer bends around the boxes there.
        assert_eq!(wide.edges[6].len(), 3);
        assert!((wide.boxes[0].0 - wide.boxes[4].0).abs() < 0.5);
    }

    #[test]
    fn long_edges_stay_affordable() {
        let mut edges: Vec<_> = (0..1999).map(|i| (i, i + 1)).collect();
        edges.extend((0..1999).map(|i| (i, 1999)));
        let graph = placed(2000, &edges);
        assert_eq!(graph.edges.iter().map(Vec::len).max(), Some(LONGEST + 1));
    }
}
