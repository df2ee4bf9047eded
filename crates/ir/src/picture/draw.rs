//! A graph to SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::PictureOptions;
use super::describe::{Card, Describer, Family, Style};
use super::layout::{Layout, Net, Size, layout};
use super::place;
use crate::ids::ValueId;
use crate::model::{Graph, Model, Node};
use crate::stats::{Stats, fixed_values, graph_stats};
use crate::verify::verify;

/// Widths in pixels. Characters are estimated wide, so that texts stay within their boxes in any
/// common typeface.
const WIDTH: f64 = 208.0;
const HEAD: f64 = 22.0;
const LINE: f64 = 15.0;
const MARGIN: f64 = 20.0;

/// Draws one graph of a model, at natural size.
pub fn svg(model: &Model, options: &PictureOptions) -> String {
    let Some(graph) = model.graphs.get(options.graph.index()) else {
        return String::from(r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#);
    };
    let stats = preferred_stats(model, graph);
    let (body, width, height) = body(model, graph, &stats);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
    )
}

/// The costs at the preferred sizes; none of an unsound model, which is drawn all the same.
pub(super) fn preferred_stats(model: &Model, graph: &Graph) -> Stats {
    if verify(model).is_err() {
        return Stats::default();
    }
    graph_stats(model, graph, &|id| Some(i64::from(model.symbols.get(id.index())?.preferred)))
}

/// The picture without its frame and style, and its size.
pub(super) fn body(model: &Model, graph: &Graph, stats: &Stats) -> (String, f64, f64) {
    let scene = Scene::new(model, graph, stats);
    let sizes: Vec<Size> = scene.cards.iter().map(size).collect();
    let nets: Vec<Net> = scene.nets.iter().map(|net| net.net.clone()).collect();
    let placed = layout(&sizes, &nets);
    let mut out = String::new();
    let (width, height) = (placed.width + 2.0 * MARGIN, placed.height + 2.0 * MARGIN);
    let _ = writeln!(out, "<g transform=\"translate({MARGIN:.0} {MARGIN:.0})\">");
    let ports = Ports::new(&scene, &placed);
    for (index, net) in scene.nets.iter().enumerate() {
        let _ = writeln!(
            out,
            "<g class=\"net\"><title>{}</title>{}</g>",
            escape(&net.hover),
            lines(index, net, &sizes, &placed, &ports),
        );
    }
    for (index, card) in scene.cards.iter().enumerate() {
        card_svg(
            &mut out,
            card,
            sizes[index],
            placed.cells[index].x,
            placed.layers[placed.cells[index].layer].0,
        );
    }
    out.push_str("</g>\n");
    (out, width, height)
}

/// The kinds of boxes in a graph's picture.
pub(super) fn families(graph: &Graph) -> Vec<Family> {
    graph.nodes.iter().map(Family::of).chain([Family::Port]).collect()
}

/// The boxes and lines of a graph.
struct Scene {
    cards: Vec<Card>,
    nets: Vec<SceneNet>,
}

struct SceneNet {
    net: Net,
    hover: String,
}

impl Scene {
    /// Inputs and states, nodes, outputs and next states. A net only runs to boxes that come later,
    /// so that an unsound graph can still be drawn.
    fn new(model: &Model, graph: &Graph, stats: &Stats) -> Self {
        let fixed = fixed_values(graph);
        let describer = Describer { model, graph, stats, fixed: &fixed };
        let mut cards = Vec::new();
        // The box that writes each value.
        let mut written: Vec<Option<usize>> = vec![None; graph.values.len()];
        let mut write = |id: ValueId, writer: usize| {
            if let Some(slot) = written.get_mut(id.index()) {
                *slot = Some(writer);
            }
        };
        for id in &graph.inputs {
            let name = graph.values.get(id.index()).map_or("", |value| &value.name);
            write(*id, cards.len());
            cards.push(describer.port("input", name, *id));
        }
        for state in &graph.states {
            write(state.value, cards.len());
            cards.push(describer.port("state", &state.name, state.value));
        }
        // What is computed from constants alone belongs to the weights of its readers.
        let is_fixed = |id: &ValueId| fixed.get(id.index()) == Some(&true);
        let drawn = |node: &&Node| node.outputs.is_empty() || !node.outputs.iter().all(is_fixed);
        let mut readers = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| drawn(node)) {
            node.outputs.iter().for_each(|id| write(*id, cards.len()));
            readers.push((cards.len(), node));
            cards.push(describer.node(index, node));
        }
        let first_end = cards.len();
        let outputs = graph.outputs.iter().map(|output| ("output", &output.name, output.value));
        let nexts = graph.states.iter().map(|state| ("next state", &state.name, state.next));
        let ends: Vec<_> = outputs.chain(nexts).collect();
        for (what, name, id) in &ends {
            // A constant result has no line: its box says so.
            let what = if is_fixed(id) { format!("constant {what}") } else { (*what).to_owned() };
            cards.push(describer.port(&what, name, *id));
        }
        let mut targets: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
        let mut read = |id: ValueId, reader: usize| {
            let writer = written.get(id.index()).copied().flatten();
            let readers = targets.entry(id).or_default();
            if writer.is_some_and(|writer| writer < reader) && readers.last() != Some(&reader) {
                readers.push(reader);
            }
        };
        for (reader, node) in readers {
            node.inputs.iter().flatten().for_each(|id| read(*id, reader));
        }
        for (index, (_, _, id)) in ends.iter().enumerate() {
            read(*id, first_end + index);
        }
        let nets = targets.into_iter().filter_map(|(id, targets)| {
            let source = written.get(id.index()).copied().flatten()?;
            let hover = describer.value(id);
            Some(SceneNet { net: Net { source, targets }, hover })
        });
        let nets = nets.filter(|net| !net.net.targets.is_empty()).collect();
        Self { cards, nets }
    }
}

fn size(card: &Card) -> Size {
    let height =
        HEAD + if card.lines.is_empty() { 0.0 } else { 7.0 + LINE * card.lines.len() as f64 };
    let pinned = card.family == Family::Port;
    Size { width: WIDTH, height, pinned }
}

/// Where lines leave and enter boxes.
struct Ports {
    /// For each net, at its source.
    leave: Vec<f64>,
    /// For each net and each of its targets.
    enter: Vec<Vec<f64>>,
}

impl Ports {
    fn new(scene: &Scene, placed: &Layout) -> Self {
        let x = |cell: usize| placed.cells[cell].x;
        let mut leave: Vec<f64> = scene.nets.iter().map(|net| x(net.net.source)).collect();
        let mut enter: Vec<Vec<f64>> =
            scene.nets.iter().map(|net| vec![0.0; net.net.targets.len()]).collect();
        let mut leaving: BTreeMap<usize, Vec<(f64, usize)>> = BTreeMap::new();
        for (index, net) in scene.nets.iter().enumerate() {
            let source = net.net.source;
            let near = net.net.targets.iter().copied();
            let near = near.filter(|&to| placed.cells[to].layer == placed.cells[source].layer + 1);
            let nearest =
                near.min_by(|&a, &b| (x(a) - x(source)).abs().total_cmp(&(x(b) - x(source)).abs()));
            let towards = nearest.or(placed.lanes[index].get(1).copied()).map_or(x(source), x);
            leaving.entry(source).or_default().push((towards, index));
        }
        // A single value leaves in the middle, several side by side.
        for (source, mut nets) in leaving.into_iter().filter(|(_, nets)| 1 < nets.len()) {
            nets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let places = along(x(source), nets.iter().map(|net| net.0));
            for ((_, net), place) in nets.into_iter().zip(places) {
                leave[net] = place;
            }
        }
        let mut entering: BTreeMap<usize, Vec<(f64, usize, usize)>> = BTreeMap::new();
        for (index, net) in scene.nets.iter().enumerate() {
            for (n, &target) in net.net.targets.iter().enumerate() {
                let from = match last_cell(placed, index, net, target) {
                    Some(cell) if cell == net.net.source => leave[index],
                    Some(cell) => x(cell),
                    None => x(target),
                };
                entering.entry(target).or_default().push((from, index, n));
            }
        }
        for (target, mut ends) in entering {
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            let places = along(x(target), ends.iter().map(|end| end.0));
            for ((_, net, n), place) in ends.into_iter().zip(places) {
                enter[net][n] = place;
            }
        }
        Self { leave, enter }
    }
}

/// Places along the edge of a box, apart from each other and near to where lines come from (sorted).
fn along(middle: f64, wanted: impl ExactSizeIterator<Item = f64>) -> Vec<f64> {
    let reach = WIDTH / 2.0 - 16.0;
    let last = wanted.len().saturating_sub(1) as f64;
    let gap = (2.0 * reach / last.max(1.0)).min(14.0);
    // Room for those further out is left at both ends.
    let within = |(n, x): (usize, f64)| {
        let (left, right) = (gap * n as f64, gap * (last - n as f64));
        x.max(middle - reach + left).min(middle + reach - right)
    };
    let wanted: Vec<f64> = wanted.enumerate().map(within).collect();
    place::spread(&wanted, gap)
}

/// The cell above a target that a net branches off from.
fn last_cell(placed: &Layout, index: usize, net: &SceneNet, target: usize) -> Option<usize> {
    let steps = placed.cells[target].layer.checked_sub(placed.cells[net.net.source].layer + 1)?;
    placed.lanes[index].get(steps).copied()
}

/// The paths of a net: a broad invisible one for the pointer, and the visible ones; what passes
/// boxes by has another colour.
fn lines(index: usize, net: &SceneNet, sizes: &[Size], placed: &Layout, ports: &Ports) -> String {
    let lane = &placed.lanes[index];
    let from = placed.cells[net.net.source].layer;
    let start = placed.layers[from].0 + sizes[net.net.source].height;
    let (mut near, mut far) = (Pen::default(), Pen::default());
    if lane.is_empty() {
        // Too long to be drawn: stubs at both ends.
        let _ = write!(far.line, "M{:.1} {start:.1}v8", ports.leave[index]);
        for (n, &target) in net.net.targets.iter().enumerate() {
            let top = placed.layers[placed.cells[target].layer].0;
            let _ = write!(far.line, "M{:.1} {:.1}v8", ports.enter[index][n], top - 8.0);
        }
    }
    // Down the lane.
    let x = |step: usize| if step == 0 { ports.leave[index] } else { placed.cells[lane[step]].x };
    if 1 < lane.len() {
        let _ = write!(far.line, "M{:.1} {start:.1}", x(0));
        for step in 1..lane.len() {
            let (above, below) = (placed.layers[from + step - 1].1, placed.layers[from + step].0);
            far.curve(x(step - 1), above, x(step), below);
        }
        let _ = write!(far.line, "V{:.1}", placed.layers[from + lane.len() - 1].1);
    }
    // From the lane into the readers.
    for (n, &target) in net.net.targets.iter().enumerate() {
        let layer = placed.cells[target].layer;
        let steps = layer - from - 1;
        if lane.len() <= steps {
            continue;
        }
        let above = placed.layers[layer - 1].1;
        let (pen, begin) = if steps == 0 { (&mut near, start) } else { (&mut far, above) };
        let _ = write!(pen.line, "M{:.1} {begin:.1}", x(steps));
        let (to, top) = (ports.enter[index][n], placed.layers[layer].0);
        pen.curve(x(steps), above, to, top - 4.0);
        let _ = write!(pen.tips, "M{to:.1} {top:.1}l-4 -6h8z");
    }
    let touch = format!("<path class=\"near\" d=\"{}{}\"/>", near.line, far.line);
    [touch, near.paths(""), far.paths(" lane")].concat()
}

/// Path data of lines and of the tips of their arrows.
#[derive(Default)]
struct Pen {
    line: String,
    tips: String,
}

impl Pen {
    /// Straight down to `above`, then in a curve to a place of the next layer.
    fn curve(&mut self, x: f64, above: f64, to: f64, below: f64) {
        if (x - to).abs() < 0.5 {
            let _ = write!(self.line, "V{below:.1}");
            return;
        }
        let middle = (above + below) / 2.0;
        let _ = write!(
            self.line,
            "V{above:.1}C{x:.1} {middle:.1} {to:.1} {middle:.1} {to:.1} {below:.1}",
        );
    }

    fn paths(&self, class: &str) -> String {
        let mut out = String::new();
        for (kind, path) in [("line", &self.line), ("tip", &self.tips)] {
            if !path.is_empty() {
                let _ = write!(out, "<path class=\"{kind}{class}\" d=\"{path}\"/>");
            }
        }
        out
    }
}

fn card_svg(out: &mut String, card: &Card, size: Size, middle: f64, top: f64) {
    let (class, _) = card.family.names();
    let round = if card.family == Family::Port { 11 } else { 5 };
    let Size { width, height, .. } = size;
    let _ = write!(
        out,
        "<g class=\"box {class}\" transform=\"translate({:.1} {top:.1})\"><title>{}</title>\
         <rect class=\"card\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"{round}\"/>",
        middle - width / 2.0,
        escape(&card.hover),
    );
    if card.lines.is_empty() {
        let _ = write!(
            out,
            "<rect class=\"head\" width=\"{width:.0}\" height=\"{HEAD:.0}\" rx=\"{round}\"/>"
        );
    } else {
        // Round above, straight below.
        let (straight, r) = (width - 2.0 * f64::from(round), round);
        let _ = write!(
            out,
            "<path class=\"head\" d=\"M0 {HEAD:.0}V{r}a{r} {r} 0 0 1 {r} -{r}h{straight:.0}\
             a{r} {r} 0 0 1 {r} {r}V{HEAD:.0}z\"/>",
        );
    }
    let room = width - 20.0;
    let title = cut(&card.title, room, 7.0, false);
    let _ = write!(out, "<text class=\"title\" x=\"10\" y=\"15\">{}</text>", escape(&title));
    let left = room - 10.0 - 7.0 * title.chars().count() as f64;
    if !card.aside.is_empty() && 20.0 < left {
        let aside = cut(&card.aside, left, 6.2, false);
        let _ = write!(
            out,
            "<text class=\"aside\" x=\"{:.0}\" y=\"15\">{}</text>",
            width - 10.0,
            escape(&aside),
        );
    }
    for (n, (style, line)) in card.lines.iter().enumerate() {
        let (class, wide, from_end) = match style {
            Style::Name => ("name", 5.9, true),
            Style::Plain => ("plain", 5.9, false),
            Style::Type => ("type", 6.7, false),
        };
        let y = HEAD + 15.0 + LINE * n as f64;
        let line = cut(line, room, wide, from_end);
        let _ =
            write!(out, "<text class=\"{class}\" x=\"10\" y=\"{y:.0}\">{}</text>", escape(&line));
    }
    out.push_str("</g>\n");
}

/// As many characters as there is room for. Names of layers differ at their ends, so of them the
/// beginning is left out.
fn cut(text: &str, room: f64, wide: f64, from_end: bool) -> String {
    let most = (room / wide) as usize;
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    if from_end {
        let tail: String = text.chars().skip(count - kept).collect();
        format!("…{tail}")
    } else {
        let head: String = text.chars().take(kept).collect();
        format!("{head}…")
    }
}

/// For text and attribute values of XML and HTML; what XML forbids or a reader would be misled by
/// becomes a replacement character.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}');
            }
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Colours for light and dark surroundings, and the typefaces.
pub(super) const STYLE: &str = include_str!("style.css");
