//! A graph as a picture.

mod layout;

use std::collections::HashMap;
use std::fmt::Write;

use embarca::ir::stats::{NodeStats, stats};
use embarca::ir::{Def, Graph, Model, Node, ValueId};

use crate::show;
use layout::{Edges, place};

/// Pixels: a box, the room around it, and the margin of the picture.
const BOX: (f64, f64) = (196.0, 40.0);
const STEP: (f64, f64) = (220.0, 64.0);
const MARGIN: f64 = 24.0;

/// Fill and stroke by what an operator does.
const INPUT: (&str, &str) = ("#e8f0fe", "#5f7fbf");
const OUTPUT: (&str, &str) = ("#fdecea", "#c26a5a");
const PRODUCT: (&str, &str) = ("#e3f4e8", "#4f9467");
const MOVE: (&str, &str) = ("#f3f3f3", "#9a9a9a");
const POOL: (&str, &str) = ("#f3eafb", "#8e68b5");
const OTHER: (&str, &str) = ("#fff6dd", "#c29b3a");

/// One box.
struct Drawn {
    title: String,
    detail: String,
    /// Shown when the pointer rests on the box.
    tip: String,
    colours: (&'static str, &'static str),
}

fn colours(op: &str) -> (&'static str, &'static str) {
    match op {
        "conv2d" | "depthwise_conv2d" | "conv_transpose2d" | "dense" | "matmul" => PRODUCT,
        "reshape" | "transpose" | "concat" | "split" | "slice" | "strided_slice" | "gather"
        | "pad" | "tile" | "expand" | "cast" | "requantize" => MOVE,
        "max_pool2d" | "average_pool2d" | "reduce" | "resize" => POOL,
        _ => OTHER,
    }
}

fn described(model: &Model, node: &Node, cost: &NodeStats, graph: &Graph) -> Drawn {
    let output = node.outputs.first().map(|&id| graph.ty(id));
    let detail = output.map(|ty| embarca::ir::text::tensor_type(ty, &model.symbols));
    let mut tip = format!("{}\n", if node.name.is_empty() { "(no name)" } else { &node.name });
    for (name, attr) in node.op.attrs() {
        let _ = writeln!(tip, "{name} = {}", embarca::ir::text::attr(&attr, &model.symbols));
    }
    if let Some(macs) = cost.macs.filter(|&macs| 0 < macs) {
        let _ = writeln!(tip, "{} multiply-adds", show::count(macs));
    }
    if 0 < cost.parameters {
        let bytes = show::bytes(cost.parameter_bytes);
        let _ = writeln!(tip, "{} parameters ({bytes})", show::count(cost.parameters));
    }
    let title = node.op.name().to_owned();
    Drawn { colours: colours(&title), title, detail: detail.unwrap_or_default(), tip }
}

/// The boxes of a graph and the edges between them: inputs and states first, then nodes, then
/// outputs. Constants are not drawn.
fn boxes(model: &Model, graph: &Graph) -> (Vec<Drawn>, Edges) {
    let ty = |id: ValueId| embarca::ir::text::tensor_type(graph.ty(id), &model.symbols);
    let mut drawn = Vec::new();
    let mut writer: HashMap<ValueId, usize> = HashMap::new();
    for &id in &graph.inputs {
        let title = graph.value(id).name.clone();
        writer.insert(id, drawn.len());
        drawn.push(Drawn { title, detail: ty(id), tip: "input".into(), colours: INPUT });
    }
    for state in &graph.states {
        writer.insert(state.value, drawn.len());
        let (title, tip) = (state.name.clone(), "state before the run".into());
        drawn.push(Drawn { title, detail: ty(state.value), tip, colours: INPUT });
    }
    let mut edges = Vec::new();
    let costs = stats(model).nodes;
    for (node, cost) in graph.nodes.iter().zip(&costs) {
        let me = drawn.len();
        for id in node.inputs.iter().flatten() {
            if matches!(graph.value(*id).def, Def::Const(_)) {
                continue;
            }
            if let Some(&from) = writer.get(id) {
                edges.push((from, me));
            }
        }
        for &id in &node.outputs {
            writer.insert(id, me);
        }
        drawn.push(described(model, node, cost, graph));
    }
    let states = graph.states.iter().map(|state| (&state.name, state.next, "state after the run"));
    let outputs = graph.outputs.iter().map(|output| (&output.name, output.value, "output"));
    for (name, id, tip) in outputs.chain(states) {
        if let Some(&from) = writer.get(&id) {
            edges.push((from, drawn.len()));
        }
        let (title, tip) = (name.clone(), tip.into());
        drawn.push(Drawn { title, detail: ty(id), tip, colours: OUTPUT });
    }
    let boxes = drawn.len();
    (drawn, Edges { boxes, edges })
}

/// Text that can stand in XML, cut to a length.
fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in text.chars().take(most) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            // XML 1.0 has no other control characters.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// The main graph as an SVG picture.
pub fn svg(model: &Model, name: &str) -> String {
    let (drawn, edges) = boxes(model, model.main());
    let placed = place(&edges);
    let (left, right) = placed.columns;
    let width = (right - left) * STEP.0 + BOX.0 + 2.0 * MARGIN;
    let height = placed.layers as f64 * STEP.1 - (STEP.1 - BOX.1) + 2.0 * MARGIN;
    let height = height.max(2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"system-ui, sans-serif\">\n\
         <title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <g fill=\"none\" stroke=\"#8a94a6\" stroke-width=\"1.4\">\n",
        escaped(name, 200)
    );
    for edge in &placed.edges {
        out += &curve(edge, left);
    }
    out += "</g>\n";
    for (drawn, at) in drawn.iter().zip(&placed.boxes) {
        out += &rectangle(drawn, *at, left);
    }
    out + "</svg>\n"
}

/// The pixel of a column and a layer: the middle of a box's upper edge.
fn pixel((column, layer): (f64, usize), left: f64) -> (f64, f64) {
    let x = (column - left) * STEP.0 + BOX.0 / 2.0 + MARGIN;
    (x, layer as f64 * STEP.1 + MARGIN)
}

/// An edge: from below its first box, straight through the layers it passes, to above its last.
fn curve(points: &[(f64, usize)], left: f64) -> String {
    let mut out = String::new();
    for (i, pair) in points.windows(2).enumerate() {
        let ((x0, y0), (x1, y1)) = (pixel(pair[0], left), pixel(pair[1], left));
        let y0 = y0 + BOX.1;
        if i == 0 {
            let _ = write!(out, "<path d=\"M{x0:.1} {y0:.1}");
        }
        let middle = f64::midpoint(y0, y1);
        let _ = write!(out, "C{x0:.1} {middle:.1} {x1:.1} {middle:.1} {x1:.1} {y1:.1}");
        if i + 2 < points.len() {
            let _ = write!(out, "V{:.1}", y1 + BOX.1);
        }
    }
    out + "\"/>\n"
}

fn rectangle(drawn: &Drawn, at: (f64, usize), left: f64) -> String {
    let (x, y) = pixel(at, left);
    let (fill, stroke) = drawn.colours;
    let (width, height) = BOX;
    format!(
        "<g><title>{}</title><rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height}\" \
         rx=\"6\" fill=\"{fill}\" stroke=\"{stroke}\"/>\
         <text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"13\" font-weight=\"600\" text-anchor=\"middle\" \
         fill=\"#1f2733\">{}</text>\
         <text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"middle\" fill=\"#4a5568\">{}\
         </text></g>\n",
        escaped(&format!("{}\n{}", drawn.title, drawn.tip), 1000),
        x - width / 2.0,
        y + 17.0,
        escaped(&drawn.title, 26),
        y + 32.0,
        escaped(&drawn.detail, 32),
    )
}

/// The main graph as a page: the picture under a line on the model.
pub fn html(model: &Model, name: &str) -> String {
    let costs = stats(model);
    let title = escaped(name, 200);
    let macs = costs.macs.map_or_else(|| "?".into(), show::count);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body{{font-family:system-ui,sans-serif;margin:1.5rem;color:#1f2733;background:#fff}}\
         h1{{font-size:1.25rem;margin:0}}p{{color:#4a5568;margin:.25rem 0 1rem}}\
         svg{{max-width:none}}main{{overflow:auto}}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>{} operators, {} parameters ({}), {macs} multiply-adds. Rest the pointer on a box for its \
         name and attributes.</p>\n<main>\n{}</main>\n</body>\n</html>\n",
        model.main().nodes.len(),
        show::count(costs.parameters),
        show::bytes(costs.parameter_bytes),
        svg(model, name)
    )
}

#[cfg(test)]
mod tests {
    use embarca::OpenOptions;

    use super::*;

    fn digits() -> Model {
        let bytes = include_bytes!("../../../../assets/tour/digits_f32.tflite");
        embarca::Model::from_bytes(bytes, &OpenOptions::default()).unwrap().into_graph()
    }

    #[test]
    fn every_node_is_drawn_once() {
        let model = digits();
        let svg = svg(&model, "a <b> & \"c\"\u{1}");
        let graph = model.main();
        let all = graph.inputs.len() + graph.nodes.len() + graph.outputs.len();
        assert_eq!(svg.matches("<g><title>").count(), all);
        assert_eq!(svg.matches("<path").count(), all - 1, "a chain");
        assert!(svg.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;?</title>"));
        assert!(svg.contains(">conv2d</text>"));
        assert!(html(&model, "x").contains("<h1>x</h1>"));
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(escaped("abcdef", 3), "abc…");
        assert_eq!(escaped("abc", 3), "abc");
    }
}
