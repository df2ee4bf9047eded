use super::draw::escape;
use super::layout::{Layout, Net, Size, layout};
use super::*;
use crate::samples::{self, HOSTILE, Random};

/// Panics unless tags are balanced, attributes quoted and no text holds what must be escaped.
fn check_markup(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    // The style sheet is no markup.
    while let Some(at) = rest.find('<') {
        let before = &rest[..at];
        assert!(!before.contains('>') || open.last() == Some(&"style"), "{before}");
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        assert!(!tag.contains('<'), "{tag}");
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_matches('/').split_whitespace().next().unwrap_or_default();
        assert!(name != "script", "{tag}");
        let is_void = tag.ends_with('/') || matches!(name, "meta");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !is_void {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let forbidden =
        |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(forbidden));
    for amp in text.split('&').skip(1) {
        let entity = amp.split(';').next().unwrap_or_default();
        assert!(matches!(entity, "lt" | "gt" | "amp" | "quot" | "#39"), "&{entity}");
    }
}

#[test]
fn hostile_names_stay_text() {
    for name in HOSTILE {
        check_markup(&format!("<p title=\"{0}\">{0}</p>", escape(name)));
    }
    let model = samples::by_hand();
    check_markup(&html(&model, &PictureOptions::default()));
    let title = PictureOptions { title: HOSTILE[4].to_owned(), ..PictureOptions::default() };
    check_markup(&html(&model, &title));
    for graph in 0..3 {
        let options = PictureOptions { graph: GraphId(graph), ..PictureOptions::default() };
        check_markup(&svg(&model, &options));
    }
}

#[test]
fn everything_but_weights_has_a_box() {
    for seed in 0..60 {
        let model = samples::random(seed, 30);
        let graph = model.main();
        let picture = svg(&model, &PictureOptions::default());
        check_markup(&picture);
        assert_eq!(picture, svg(&model, &PictureOptions::default()));
        let fixed = crate::stats::fixed_values(graph);
        let free = graph.nodes.iter().filter(|node| !fixed[node.outputs[0].index()]).count();
        let boxes = picture.matches("<g class=\"box ").count();
        assert_eq!(boxes, free + graph.inputs.len() + graph.outputs.len());
    }
}

#[test]
fn unsound_graphs_are_drawn() {
    check_markup(&html(&samples::with_cycle(), &PictureOptions::default()));
    let mut model = samples::by_hand();
    let graph = &mut model.graphs[0];
    graph.values.truncate(3);
    graph.states.clear();
    check_markup(&html(&model, &PictureOptions::default()));
    check_markup(&html(&crate::Model::default(), &PictureOptions::default()));
}

/// Boxes do not overlap and readers lie below writers.
fn check_layout(boxes: &[Size], nets: &[Net], placed: &Layout) {
    let mut rows = vec![Vec::new(); placed.layers.len()];
    for (index, cell) in placed.cells.iter().enumerate() {
        rows[cell.layer].push(index);
        let half = cell.width / 2.0;
        assert!(-0.1 <= cell.x - half && cell.x + half <= placed.width + 0.1);
    }
    for row in &mut rows {
        row.sort_by(|&a, &b| placed.cells[a].x.total_cmp(&placed.cells[b].x));
        for pair in row.windows(2) {
            let (a, b) = (placed.cells[pair[0]], placed.cells[pair[1]]);
            assert!(a.x + a.width / 2.0 < b.x - b.width / 2.0, "{a:?} {b:?}");
        }
    }
    for pair in placed.layers.windows(2) {
        assert!(pair[0].1 < pair[1].0);
    }
    for net in nets {
        for &target in &net.targets {
            assert!(placed.cells[net.source].layer < placed.cells[target].layer);
        }
    }
    let tallest = |layer: usize| {
        let of_layer = boxes.iter().zip(&placed.cells).filter(|(_, cell)| cell.layer == layer);
        of_layer.map(|(size, _)| size.height).fold(0.0, f64::max)
    };
    for (layer, (top, bottom)) in placed.layers.iter().enumerate() {
        assert!((bottom - top - tallest(layer)).abs() < 0.1);
    }
}

fn random_nets(random: &mut Random, boxes: usize, reach: usize) -> (Vec<Size>, Vec<Net>) {
    let sizes = (0..boxes).map(|index| Size {
        width: 200.0,
        height: 20.0 + random.below(80) as f64,
        pinned: index == 0,
    });
    let sizes = sizes.collect();
    let nets = (0..boxes.saturating_sub(1)).map(|source| {
        let mut targets: Vec<usize> = (0..1 + random.below(3))
            .map(|_| (source + 1 + random.below(reach)).min(boxes - 1))
            .collect();
        targets.sort_unstable();
        targets.dedup();
        Net { source, targets }
    });
    (sizes, nets.collect())
}

#[test]
fn random_layouts_are_sound() {
    let mut random = Random(9);
    for case in 0..120 {
        let (boxes, reach) = (random.below(60), 1 + random.below(12));
        let (boxes, nets) = random_nets(&mut random, boxes, reach);
        let placed = layout(&boxes, &nets);
        check_layout(&boxes, &nets, &placed);
        assert!(placed.lanes.iter().all(|lane| !lane.is_empty()), "case {case}");
    }
}

#[test]
fn chains_are_straight_and_skips_pass_beside_them() {
    let size = Size { width: 200.0, height: 40.0, pinned: false };
    // Residual blocks of two: 0 -> 1 -> 2 -> 3, 0 -> 3, and so on.
    let nets: Vec<Net> = (0..30)
        .map(|source| Net {
            source,
            targets: if source % 3 == 0 { vec![source + 1, source + 3] } else { vec![source + 1] },
        })
        .collect();
    let boxes = vec![size; 31];
    let placed = layout(&boxes, &nets);
    check_layout(&boxes, &nets, &placed);
    let x = placed.cells[0].x;
    assert!(placed.cells[..31].iter().all(|cell| (cell.x - x).abs() < 0.1));
    assert!(placed.width < 250.0, "{}", placed.width);
    for lane in placed.lanes.iter().filter(|lane| 1 < lane.len()) {
        let lane: Vec<f64> = lane[1..].iter().map(|&cell| placed.cells[cell].x).collect();
        assert!(lane.iter().all(|x| (x - lane[0]).abs() < 0.1), "{lane:?}");
    }
}

#[test]
fn large_graphs_take_seconds_at_most() {
    let mut random = Random(2);
    let start = std::time::Instant::now();
    for (boxes, reach) in [(3000, 6), (3000, 3000), (20_000, 2)] {
        let (boxes, nets) = random_nets(&mut random, boxes, reach);
        check_layout(&boxes, &nets, &layout(&boxes, &nets));
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
