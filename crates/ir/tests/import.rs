//! Golden text of imports: what each foreign node becomes, or why it is refused.
//!
//! A file `golden/import/<family>.txt` holds cases: `=== title`, a foreign graph, and either
//! `--- becomes` with the graph in text form or `--- refused` with the obstacles.
//! `EMBARCA_BLESS=1` (or `cargo xtask bless`) writes what the dossiers yield now.
//!
//! ```text
//! onnx 13                            the format, and the opset or version
//! x: f32[n,3] q(0.5, -1)             a graph input, or the declared type of a result
//! k: i64[2] = [1, -1]                a constant
//! y, _ = TopK(x, k; blob) axis=1     a node: inputs (`_` is left out), Caffe's blobs, attributes
//! ```

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use embarca_ir::build::{BuildOptions, build};
use embarca_ir::foreign::{
    AttrValue, ForeignDim, ForeignGraph, ForeignMeta, ForeignModel, ForeignNode, ForeignQuant,
    ForeignTensor, Format,
};
use embarca_ir::ops::IMPORTERS;
use embarca_ir::{text, verify};
use embarca_num::DType;

fn format(name: &str) -> Format {
    match name {
        "onnx" => Format::Onnx,
        "tflite" => Format::TfLite,
        "caffe" => Format::Caffe,
        other => panic!("'{other}' is no format"),
    }
}

/// What stands between the first `open` and the last `close`.
fn between(text: &str, open: char, close: char) -> &str {
    let start = text.find(open).unwrap_or_else(|| panic!("'{open}' is missing in '{text}'"));
    let end = text.rfind(close).unwrap_or_else(|| panic!("'{close}' is missing in '{text}'"));
    &text[start + 1..end]
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// `name: dtype[dims] q(scale, zero) = [elements]`, the last two optional.
fn tensor<'t>(line: &str) -> ForeignTensor<'t> {
    let (head, data) = match line.split_once(" = ") {
        Some((head, data)) => (head, Some(data)),
        None => (line, None),
    };
    let (name, ty) = head.split_once(':').unwrap_or_else(|| panic!("'{line}' is no tensor"));
    let (ty, quant) = match ty.split_once(" q(") {
        Some((ty, quant)) => (ty, Some(quant.trim_end_matches(')'))),
        None => (ty, None),
    };
    let ty = ty.trim();
    let dtype = DType::from_name(ty.split('[').next().unwrap()).expect("an element type");
    let dims = list(between(ty, '[', ']')).map(|dim| match dim.parse() {
        Ok(dim) => ForeignDim::Known(dim),
        Err(_) if dim == "?" => ForeignDim::Unknown,
        Err(_) => ForeignDim::Named(dim.to_owned()),
    });
    let quant = quant.map(|quant| {
        let (scale, zero) = quant.split_once(',').expect("a scale and a zero point");
        let (scale, zero) = (scale.trim().parse().unwrap(), zero.trim().parse().unwrap());
        ForeignQuant { scales: vec![scale], zero_points: vec![zero], axis: 0 }
    });
    let data = data.map(|data| {
        let bytes = list(between(data, '[', ']')).flat_map(|item| element(dtype, item));
        Cow::Owned(bytes.collect::<Vec<u8>>())
    });
    ForeignTensor {
        name: name.trim().to_owned(),
        dtype: Some(dtype),
        dims: Some(dims.collect()),
        quant,
        data,
        is_variable: false,
    }
}

fn element(dtype: DType, item: &str) -> Vec<u8> {
    let int = || item.parse::<i64>().unwrap_or_else(|_| panic!("'{item}' is no {dtype}"));
    match dtype {
        DType::F32 => item.parse::<f32>().unwrap().to_le_bytes().to_vec(),
        _ => int().to_le_bytes()[..dtype.size()].to_vec(),
    }
}

/// A number, a text in quotes, an element type in angle brackets (`<f32>`, an ONNX number), or a
/// list of numbers.
fn attribute(text: &str) -> AttrValue {
    if let Some(items) = text.strip_prefix('[') {
        let items: Vec<&str> = list(items.trim_end_matches(']')).collect();
        if items.iter().any(|item| item.contains('.')) {
            return AttrValue::Floats(items.iter().map(|item| item.parse().unwrap()).collect());
        }
        return AttrValue::Ints(items.iter().map(|item| item.parse().unwrap()).collect());
    }
    if text.starts_with('"') {
        return AttrValue::Text(text.trim_matches('"').to_owned());
    }
    if let Some(name) = text.strip_prefix('<') {
        let dtype = DType::from_name(name.trim_end_matches('>')).expect("an element type");
        return AttrValue::Int(dtype.code().into());
    }
    match text.parse() {
        Ok(int) => AttrValue::Int(int),
        Err(_) => AttrValue::Float(text.parse().unwrap_or_else(|_| panic!("attribute '{text}'"))),
    }
}

/// Attributes are separated by spaces, the items of a list by commas alone.
fn attributes(text: &str) -> Vec<(String, AttrValue)> {
    let each = text.split_whitespace().map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("attribute '{pair}'"));
        (key.to_owned(), attribute(value))
    });
    each.collect()
}

/// The foreign model of a case, and the names of its operators.
fn parse(case: &str) -> (ForeignModel<'_>, Vec<String>) {
    let mut lines = case.lines().map(str::trim).filter(|line| !line.is_empty());
    let (name, version) = lines.next().and_then(|line| line.split_once(' ')).expect("a format");
    let mut graph = ForeignGraph { name: "main".to_owned(), ..ForeignGraph::default() };
    let mut nodes = Vec::new();
    for line in lines {
        let head = line.split(['=', '(']).next().unwrap_or_default();
        if head.contains(':') {
            graph.tensors.push(tensor(line));
        } else {
            nodes.push(line);
        }
    }
    let index = |tensors: &mut Vec<ForeignTensor<'_>>, name: &str| {
        if name == "_" {
            return None;
        }
        Some(tensors.iter().position(|tensor| tensor.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            let (dtype, dims, quant, data) = (None, None, None, None);
            tensors.push(ForeignTensor { name, dtype, dims, quant, data, is_variable: false });
            tensors.len() - 1
        }))
    };
    let mut ops = Vec::new();
    for line in nodes {
        let (outputs, call) = line.split_once('=').unwrap_or_else(|| panic!("'{line}'"));
        let (op, rest) = call.trim().split_once('(').unwrap_or_else(|| panic!("'{line}'"));
        let (inputs, attrs) = rest.split_once(')').unwrap_or_else(|| panic!("'{line}'"));
        let (inputs, blobs) = inputs.split_once(';').unwrap_or((inputs, ""));
        let tensors = &mut graph.tensors;
        let node = ForeignNode {
            op: op.to_owned(),
            domain: String::new(),
            version: version.parse().unwrap(),
            name: String::new(),
            inputs: list(inputs).map(|name| index(tensors, name)).collect(),
            blobs: list(blobs).filter_map(|name| index(tensors, name)).collect(),
            outputs: list(outputs).map(|name| index(tensors, name)).collect(),
            attrs: attributes(attrs),
        };
        graph.nodes.push(node);
        ops.push(format!("{name} {op}"));
    }
    let written: BTreeSet<usize> =
        graph.nodes.iter().flat_map(|node| node.outputs.iter().flatten().copied()).collect();
    let read: BTreeSet<usize> =
        graph.nodes.iter().flat_map(|node| node.inputs.iter().flatten().copied()).collect();
    let is_input =
        |&i: &usize| graph.tensors[i].data.is_none() && !written.contains(&i) && read.contains(&i);
    graph.inputs = (0..graph.tensors.len()).filter(is_input).collect();
    graph.outputs = written.difference(&read).copied().collect();
    let model =
        ForeignModel { format: format(name), graphs: vec![graph], meta: ForeignMeta::default() };
    (model, ops)
}

/// The section behind the foreign graph of a case, and whether it was imported.
fn outcome(place: &str, foreign: &ForeignModel<'_>) -> (String, bool) {
    match build(foreign, &BuildOptions::default()) {
        Ok(model) => {
            let printed = text::dump(&model);
            verify(&model).unwrap_or_else(|error| panic!("{place}: {error}\n{printed}"));
            let graph = &printed[printed.find("graph ").unwrap_or(0)..];
            (format!("--- becomes\n{}\n", graph.trim_end()), true)
        }
        Err(obstacles) => (format!("--- refused\n{obstacles}\n"), false),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/import")
}

#[test]
fn foreign_nodes_become_what_their_golden_text_says() {
    let bless = std::env::var_os("EMBARCA_BLESS").is_some();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut imported = BTreeSet::new();
    for path in paths {
        let golden = std::fs::read_to_string(&path).unwrap();
        let (preamble, cases) = golden.split_once("=== ").expect("cases");
        let mut text = preamble.to_owned();
        for case in cases.split("\n=== ") {
            let (title, body) = case.split_once('\n').unwrap_or((case, ""));
            let before = body.split("--- ").next().unwrap_or_default().trim_end();
            let (foreign, ops) = parse(before);
            let (after, ok) = outcome(&format!("{}: {title}", path.display()), &foreign);
            if ok {
                imported.extend(ops);
            }
            writeln!(text, "=== {}\n{before}\n{after}", title.trim()).unwrap();
        }
        let text = format!("{}\n", text.trim_end());
        if bless {
            std::fs::write(&path, &text).unwrap();
        } else {
            assert!(golden == text, "{}: {}", path.display(), first_difference(&golden, &text));
        }
    }
    let missing: Vec<String> =
        MOVES.iter().filter(|op| !imported.contains(**op)).map(|op| (*op).to_owned()).collect();
    assert!(missing.is_empty(), "no case shows how these are imported: {missing:?}");
}

/// The first line that differs, and what to do about it.
fn first_difference(golden: &str, text: &str) -> String {
    let lines = golden.lines().chain([""]).zip(text.lines().chain([""]));
    let (number, (golden, now)) = (1..).zip(lines).find(|(_, (a, b))| a != b).unwrap_or_default();
    let hint = "`cargo xtask bless` refreshes the file";
    format!("line {number} was\n{golden}\nand is now\n{now}\n{hint}")
}

/// Every spelling of an operator that moves, counts or picks elements.
const MOVES: &[&str] = &[
    "caffe Concat",
    "caffe Crop",
    "caffe Permute",
    "caffe Reduction",
    "caffe Slice",
    "onnx ArgMax",
    "onnx ArgMin",
    "onnx Cast",
    "onnx CastLike",
    "onnx Concat",
    "onnx ConstantOfShape",
    "onnx CumSum",
    "onnx DepthToSpace",
    "onnx Expand",
    "onnx Gather",
    "onnx GatherElements",
    "onnx GatherND",
    "onnx OneHot",
    "onnx Pad",
    "onnx Range",
    "onnx ReduceMean",
    "onnx ReduceSum",
    "onnx ScatterElements",
    "onnx ScatterND",
    "onnx Shape",
    "onnx Size",
    "onnx Slice",
    "onnx SpaceToDepth",
    "onnx Split",
    "onnx Tile",
    "onnx TopK",
    "onnx Transpose",
    "onnx Where",
    "tflite ARG_MAX",
    "tflite ARG_MIN",
    "tflite BATCH_TO_SPACE_ND",
    "tflite BROADCAST_TO",
    "tflite CAST",
    "tflite CONCATENATION",
    "tflite CUMSUM",
    "tflite DEPTH_TO_SPACE",
    "tflite FILL",
    "tflite GATHER",
    "tflite GATHER_ND",
    "tflite MEAN",
    "tflite MIRROR_PAD",
    "tflite ONE_HOT",
    "tflite PACK",
    "tflite PAD",
    "tflite PADV2",
    "tflite RANGE",
    "tflite RANK",
    "tflite REDUCE_ANY",
    "tflite REDUCE_MAX",
    "tflite REVERSE_V2",
    "tflite SELECT",
    "tflite SELECT_V2",
    "tflite SHAPE",
    "tflite SLICE",
    "tflite SPACE_TO_BATCH_ND",
    "tflite SPACE_TO_DEPTH",
    "tflite SPLIT",
    "tflite SPLIT_V",
    "tflite STRIDED_SLICE",
    "tflite SUM",
    "tflite TILE",
    "tflite TOPK_V2",
    "tflite TRANSPOSE",
    "tflite UNPACK",
    "tflite ZEROS_LIKE",
];

#[test]
fn the_list_of_moves_names_spellings() {
    let all: BTreeSet<String> = IMPORTERS
        .iter()
        .flat_map(|importer| importer.spellings)
        .map(|spelling| format!("{} {}", spelling.format.name().to_lowercase(), spelling.name))
        .collect();
    for op in MOVES {
        assert!(all.contains(*op), "{op} is no spelling");
    }
}
