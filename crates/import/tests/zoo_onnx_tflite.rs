//! Real models: what is read of them, and that no damage to them does harm.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use embarca_import::onnx::{Folder, NoExternal};
use embarca_import::{ImportLimits, ReadError, detect, onnx, tflite};
use embarca_ir::foreign::{AttrValue, ForeignDim, ForeignGraph, ForeignModel, Format};

/// The folder of models, `None` (said aloud) where the zoo is not at hand.
fn models() -> Option<PathBuf> {
    match std::env::var_os("EMBARCA_ZOO") {
        Some(zoo) => Some(PathBuf::from(zoo).join("models")),
        None => {
            println!("skipped: EMBARCA_ZOO is not set");
            None
        }
    }
}

fn read(bytes: &[u8]) -> Result<ForeignModel<'_>, ReadError> {
    let limits = ImportLimits::default();
    match detect(bytes) {
        Some(Format::Onnx) => onnx::read(bytes, &limits, &mut NoExternal),
        // What is damaged at the mark may be no TFLite file at all.
        _ => tflite::read(bytes, &limits),
    }
}

fn attr<'m>(graph: &'m ForeignGraph<'_>, node: usize, name: &str) -> Option<&'m AttrValue> {
    let attrs = &graph.nodes[node].attrs;
    attrs.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// Every index leads somewhere, every constant has the bytes that its shape asks for.
fn check(model: &ForeignModel<'_>) {
    for graph in &model.graphs {
        let tensors = graph.tensors.len();
        for node in &graph.nodes {
            for &index in node.inputs.iter().chain(&node.outputs).flatten() {
                assert!(index < tensors);
            }
            for (_, value) in &node.attrs {
                match value {
                    AttrValue::Tensor(index) => assert!(graph.tensors[*index].data.is_some()),
                    AttrValue::Graph(index) => assert!(*index < model.graphs.len()),
                    _ => {}
                }
            }
        }
        for &index in graph.inputs.iter().chain(&graph.outputs) {
            assert!(index < tensors);
        }
        for &(inner, _) in &graph.captures {
            assert!(graph.tensors[inner].data.is_none());
        }
        for tensor in &graph.tensors {
            let (Some(data), Some(dtype)) = (&tensor.data, tensor.dtype) else { continue };
            let count = tensor.dims.iter().flatten().map(|dim| match dim {
                ForeignDim::Known(dim) => usize::try_from(*dim).unwrap(),
                other => panic!("{other:?} in a constant"),
            });
            assert!(dtype.size() == 0 || data.len() == dtype.size() * count.product::<usize>());
        }
    }
}

#[test]
fn every_model_is_read() {
    let Some(folder) = models() else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("onnx") => Format::Onnx,
            Some("tflite") => Format::TfLite,
            _ => continue,
        };
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(detect(&bytes), Some(format), "{}", path.display());
        let limits = ImportLimits::default();
        let model = match format {
            Format::Onnx => onnx::read(&bytes, &limits, &mut Folder::new(&folder)),
            _ => tflite::read(&bytes, &limits),
        };
        let model = model.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        check(&model);
        read += 1;
    }
    assert!(read >= 38, "{read}");
}

/// Nodes, tensors and constants of each graph, as the formats' own libraries count them
/// (tensors of ONNX: initializers, tensors in attributes, inputs and results of nodes).
const COUNTS: &[(&str, &[(usize, usize, usize)])] = &[
    ("ad_autoencoder_int8.tflite", &[(10, 31, 20)]),
    ("basic_pitch.tflite", &[(222, 290, 67)]),
    ("kws_dscnn_int8.tflite", &[(13, 35, 21)]),
    ("mobilenet_v2_1.0_224_ptq.tflite", &[(68, 177, 108)]),
    ("person_detect_int8.tflite", &[(31, 89, 57)]),
    ("traffic_ssd_lstm_uint8.tflite", &[(185, 429, 220)]),
    ("wakeword_okay_nabu_int8.tflite", &[(61, 105, 47), (12, 12, 6)]),
    ("magic_wand.onnx", &[(12, 21, 8)]),
    ("nanodet_m_416.onnx", &[(225, 400, 158)]),
    ("ultraface_rfb_320_onnx.onnx", &[(242, 518, 275)]),
    ("yolov8n_faces_320.onnx", &[(323, 535, 202)]),
];

#[test]
fn counts() {
    let Some(folder) = models() else { return };
    for (name, expected) in COUNTS {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let model = read(&bytes).unwrap();
        let count = |graph: &ForeignGraph<'_>| {
            let constants = graph.tensors.iter().filter(|tensor| tensor.data.is_some()).count();
            (graph.nodes.len(), graph.tensors.len(), constants)
        };
        assert_eq!(model.graphs.iter().map(count).collect::<Vec<_>>(), *expected, "{name}");
    }
}

#[test]
fn details() {
    let Some(folder) = models() else { return };
    let load = |name: &str| std::fs::read(folder.join(name)).unwrap();

    let bytes = load("mobilenet_v1_0.25_128_uint8.tflite");
    let model = read(&bytes).unwrap();
    assert_eq!(model.meta.labels.len(), 1001);
    assert_eq!(model.meta.labels[1], "tench, Tinca tinca");
    assert_eq!((&model.meta.mean[..], &model.meta.std[..]), (&[127.5][..], &[127.5][..]));
    let graph = &model.graphs[0];
    assert_eq!(graph.nodes[0].op, "CONV_2D");
    assert_eq!(attr(graph, 0, "stride_w"), Some(&AttrValue::Int(2)));
    assert_eq!(attr(graph, 0, "padding"), Some(&AttrValue::Text("SAME".into())));
    assert_eq!(attr(graph, 0, "fused_activation_function"), Some(&AttrValue::Text("RELU6".into())));
    assert_eq!(attr(graph, 0, "dilation_h_factor"), Some(&AttrValue::Int(1)));

    let bytes = load("wakeword_okay_nabu_int8.tflite");
    let model = read(&bytes).unwrap();
    let call = model.graphs[0].nodes.iter().position(|node| node.op == "CALL_ONCE").unwrap();
    let target = attr(&model.graphs[0], call, "init_subgraph_index");
    assert_eq!(target, Some(&AttrValue::Graph(1)));

    let bytes = load("audio_preprocessor_int8.tflite");
    let model = read(&bytes).unwrap();
    let window = model.graphs[0].nodes.iter().find(|node| node.op == "SignalWindow").unwrap();
    assert_eq!(window.domain, tflite::CUSTOM_DOMAIN);
    assert_eq!(window.attrs, [("shift".to_owned(), AttrValue::Int(12))]);

    let bytes = load("person_detect_int8.tflite");
    let model = read(&bytes).unwrap();
    let per_channel = model.graphs[0].tensors.iter().filter_map(|tensor| tensor.quant.as_ref());
    assert_eq!(per_channel.filter(|quant| quant.scales.len() > 1).count(), 56);

    let bytes = load("silero_vad.onnx");
    let model = read(&bytes).unwrap();
    let branch = attr(&model.graphs[0], 2, "else_branch").unwrap();
    let &AttrValue::Graph(index) = branch else { panic!("{branch:?}") };
    let graph = &model.graphs[index];
    assert_eq!(graph.nodes.len(), 113);
    let captured: Vec<_> =
        graph.captures.iter().map(|&(inner, _)| &graph.tensors[inner].name[..]).collect();
    assert_eq!(captured, ["input", "state"]);

    let bytes = load("yolov8n_faces_320.onnx");
    let model = read(&bytes).unwrap();
    assert_eq!((model.meta.labels.len(), &model.meta.labels[1][..]), (18, "FACE_FEMALE"));
    let batch = &model.graphs[0].tensors[model.graphs[0].inputs[0]].dims.as_ref().unwrap()[0];
    assert_eq!(*batch, ForeignDim::Named("batch".into()));
}

/// Small models with weights, labels, subgraphs and custom operators among them.
const VICTIMS: [&str; 4] = [
    "hello_world_int8.tflite",
    "audio_preprocessor_int8.tflite",
    "magic_wand.onnx",
    "wakeword_okay_nabu_int8.tflite",
];

#[test]
fn truncations() {
    let Some(folder) = models() else { return };
    for name in VICTIMS {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let start = Instant::now();
        let step = (bytes.len() / 4000).max(1);
        for length in (0..bytes.len()).step_by(step) {
            if let Ok(model) = read(&bytes[..length]) {
                check(&model);
            }
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn bit_flips() {
    let Some(folder) = models() else { return };
    for name in VICTIMS {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut refused = 0;
        for _ in 0..2000 {
            let mut flipped = bytes.clone();
            for _ in 0..3 {
                // xorshift64, Marsaglia 2003.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // Half of the flips hit the first eighth, where the structure is dense.
                let span = if random & 1 == 0 { bytes.len() / 8 } else { bytes.len() };
                let bit = usize::try_from(random >> 8).unwrap() % (span * 8);
                flipped[bit / 8] ^= 1 << (bit % 8);
            }
            match read(&flipped) {
                Ok(model) => check(&model),
                Err(_) => refused += 1,
            }
        }
        assert!((1..2000).contains(&refused), "{name}: {refused}");
    }
}
