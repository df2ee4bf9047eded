//! Nets of every layout, written here and read back; the zoo's nets; damaged files.

use embarca_ir::foreign::{AttrValue, ForeignDim, ForeignModel};

use super::schema::{Kind, MessageDef, NET};
use super::typed::{Message, Value};
use super::*;

/// The graph in one line per node: `type(inputs) blobs -> outputs {attributes}`.
fn show(model: &ForeignModel<'_>) -> String {
    let graph = &model.graphs[0];
    let name = |index: &usize| graph.tensors[*index].name.clone();
    let names = |list: &[Option<usize>]| {
        let names: Vec<String> = list.iter().flatten().map(name).collect();
        names.join(" ")
    };
    let dims = |index: &usize| match &graph.tensors[*index].dims {
        Some(dims) => {
            let dims: Vec<String> = dims.iter().map(|dim| format!("{dim:?}")).collect();
            dims.join("x").replace("Known(", "").replace(')', "")
        }
        None => "?".into(),
    };
    let mut lines: Vec<String> =
        graph.inputs.iter().map(|input| format!("in {} {}", name(input), dims(input))).collect();
    for node in &graph.nodes {
        let blobs: Vec<String> =
            node.blobs.iter().map(|blob| format!(" [{}]", dims(blob))).collect();
        let attrs: Vec<String> = node
            .attrs
            .iter()
            .map(|(key, value)| match value {
                AttrValue::Int(value) => format!("{key}={value}"),
                AttrValue::Float(value) => format!("{key}={value:?}"),
                AttrValue::Text(value) => format!("{key}={value}"),
                AttrValue::Ints(value) => format!("{key}={value:?}"),
                AttrValue::Floats(value) => format!("{key}={value:?}"),
                AttrValue::Texts(value) => format!("{key}={value:?}"),
                other => format!("{key}={other:?}"),
            })
            .collect();
        lines.push(format!(
            "{}({}){} -> {} {{{}}}",
            node.op,
            names(&node.inputs),
            blobs.concat(),
            names(&node.outputs),
            attrs.join(" ")
        ));
    }
    lines.extend(graph.outputs.iter().map(|output| format!("out {}", name(output))));
    lines.join("\n")
}

fn text(prototxt: &str) -> Result<String, String> {
    read(prototxt.as_bytes(), None, &ImportLimits::default())
        .map(|model| show(&model))
        .map_err(|error| error.to_string())
}

/// The binary form of a net given as text, by the reader's own tables.
fn binary(prototxt: &str) -> Vec<u8> {
    let block = prototxt::parse(prototxt.as_bytes(), &prototxt::TextLimits::default()).unwrap();
    let limits = ImportLimits::default();
    let mut budget = Budget::new(&limits, 1 << 20).unwrap();
    let message = typed::from_text(block, Some(&NET), &mut budget).unwrap();
    encode(&message, &NET)
}

fn encode(message: &Message<'_>, def: &MessageDef) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &message.fields {
        let field = def.by_name(name).unwrap();
        let number = u64::from(field.number);
        match (value, field.kind) {
            (Value::Int(value), _) => {
                varint(&mut bytes, number << 3);
                varint(&mut bytes, value.cast_unsigned());
            }
            (Value::Real(value), _) => {
                varint(&mut bytes, number << 3 | 5);
                bytes.extend(value.to_le_bytes());
            }
            (Value::Text(value), Kind::Enum(names)) => {
                let (_, value) = names.iter().find(|(name, _)| name == value).unwrap();
                varint(&mut bytes, number << 3);
                varint(&mut bytes, value.cast_unsigned());
            }
            (Value::Text(value), _) => piece(&mut bytes, number, value.as_bytes()),
            (Value::Message(inner), Kind::Message(def)) => {
                piece(&mut bytes, number, &encode(inner, def));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    if let Some(bulk) = &message.bulk {
        piece(&mut bytes, 5, bulk);
    }
    bytes
}

fn piece(bytes: &mut Vec<u8>, number: u64, content: &[u8]) {
    varint(bytes, number << 3 | 2);
    varint(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while 0x7f < value {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// An input `data` before `rest`.
fn after_input(rest: &str) -> String {
    format!("input: 'data' input_shape {{ dim: [1, 3, 8, 8] }} {rest}")
}

const CONV_BLOBS: &str = "blobs { shape { dim: [2, 3, 1, 1] } data: [1, 2, 3, 4, 5, 6] } \
                          blobs { shape { dim: 2 } data: [7, 8] }";

#[test]
fn current_layout() {
    let net = format!(
        "layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'x'
           convolution_param {{ num_output: 2 kernel_size: 1 weight_filler {{ type: 'xavier' }} engine: CAFFE }}
           {CONV_BLOBS} }}
         layer {{ name: 'r' type: 'ReLU' bottom: 'x' top: 'x' relu_param {{ negative_slope: 0 }} }}
         layer {{ name: 'p' type: 'Pooling' bottom: 'x' top: 'b' pooling_param {{ pool: AVE global_pooling: true }} }}
         layer {{ name: 's' type: 'Split' bottom: 'x' top: 's0' top: 's1' }}
         layer {{ name: 'e' type: 'Eltwise' bottom: 's0' bottom: 's1' top: 'a'
           eltwise_param {{ operation: SUM coeff: 1 coeff: -1 }} }}
         layer {{ name: 'u' type: 'Flatten' bottom: 'x' top: 'u' }}
         layer {{ name: 'h' type: 'Silence' bottom: 'u' }}"
    );
    let want = "in data 1x3x8x8\n\
        Convolution(data) [2x3x1x1] [2] -> x@c {num_output=2 kernel_size=[1]}\n\
        ReLU(x@c) -> x {negative_slope=0.0}\n\
        Pooling(x) -> b {pool=AVE global_pooling=1}\n\
        Eltwise(x x) -> a {operation=SUM coeff=[1.0, -1.0]}\n\
        Flatten(x) -> u {}\n\
        out a\n\
        out b";
    assert_eq!(text(&after_input(&net)), Ok(want.into()));
}

#[test]
fn one_net_in_three_layouts() {
    let blobs = "blobs { num: 2 channels: 3 height: 1 width: 1 data: [1, 2, 3, 4, 5, 6] } \
                 blobs { num: 1 channels: 1 height: 1 width: 2 data: [7, 8] }";
    let dense = "blobs { num: 1 channels: 1 height: 1 width: 2 data: [1, 2] }";
    let inputs = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8";
    let current = format!(
        "{inputs}
         layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'c' {blobs}
           convolution_param {{ num_output: 2 pad: 1 kernel_size: 1 }} }}
         layer {{ name: 'r' type: 'ReLU' bottom: 'c' top: 'c' }}
         layer {{ name: 'n' type: 'LRN' bottom: 'c' top: 'n' lrn_param {{ local_size: 3 alpha: 0.5 }} }}
         layer {{ name: 'd' type: 'Dropout' bottom: 'n' top: 'n' dropout_param {{ dropout_ratio: 0.25 }} }}
         layer {{ name: 'f' type: 'InnerProduct' bottom: 'n' top: 'f' {dense}
           inner_product_param {{ num_output: 1 bias_term: false }} }}"
    );
    let v1 = format!(
        "{inputs}
         layers {{ name: 'c' type: CONVOLUTION bottom: 'data' top: 'c' blobs_lr: 1 weight_decay: 0 {blobs}
           convolution_param {{ num_output: 2 pad: 1 kernel_size: 1 }} }}
         layers {{ name: 'r' type: RELU bottom: 'c' top: 'c' }}
         layers {{ name: 'n' type: LRN bottom: 'c' top: 'n' lrn_param {{ local_size: 3 alpha: 0.5 }} }}
         layers {{ name: 'd' type: 6 bottom: 'n' top: 'n' dropout_param {{ dropout_ratio: 0.25 }} }}
         layers {{ name: 'f' type: INNER_PRODUCT bottom: 'n' top: 'f' {dense}
           inner_product_param {{ num_output: 1 bias_term: false }} }}"
    );
    let v0 = format!(
        "{inputs}
         layers {{ layer {{ name: 'pad' type: 'padding' pad: 1 }} bottom: 'data' top: 'p' }}
         layers {{ layer {{ name: 'c' type: 'conv' num_output: 2 kernelsize: 1 {blobs}
           weight_filler {{ type: 'gaussian' }} blobs_lr: 1. }} bottom: 'p' top: 'c' }}
         layers {{ layer {{ name: 'r' type: 'relu' }} bottom: 'c' top: 'c' }}
         layers {{ layer {{ name: 'n' type: 'lrn' local_size: 3 alpha: 0.5 }} bottom: 'c' top: 'n' }}
         layers {{ layer {{ name: 'd' type: 'dropout' dropout_ratio: 0.25 }} bottom: 'n' top: 'n' }}
         layers {{ layer {{ name: 'f' type: 'innerproduct' num_output: 1 biasterm: false {dense} }}
           bottom: 'n' top: 'f' }}"
    );
    let want = "in data 1x3x8x8\n\
        Convolution(data) [2x3x1x1] [2] -> c@c {num_output=2 pad=[1] kernel_size=[1]}\n\
        ReLU(c@c) -> c {}\n\
        LRN(c) -> n@n {local_size=3 alpha=0.5}\n\
        Dropout(n@n) -> n {dropout_ratio=0.25}\n\
        InnerProduct(n) [1x2] -> f {num_output=1 bias_term=0}\n\
        out f";
    // V0 gives the padding after the kernel.
    let moved = want.replace("pad=[1] kernel_size=[1]", "kernel_size=[1] pad=[1]");
    for (net, want) in [(&current, want), (&v1, want), (&v0, &moved)] {
        assert_eq!(text(net).as_deref(), Ok(want), "{net}");
        let bytes = binary(net);
        let limits = ImportLimits::default();
        let model = read_binary(&bytes, &limits).unwrap();
        assert_eq!(show(&model), want, "binary of {net}");
        // The binary's blobs with the text of another layout.
        let model = read(current.as_bytes(), Some(&bytes), &limits).unwrap();
        assert_eq!(show(&model).len(), want.len(), "{net}");
        let graph = &model.graphs[0];
        let data = graph.tensors[graph.nodes[0].blobs[1]].data.as_ref().unwrap();
        assert_eq!(data.as_ref(), [7f32.to_le_bytes(), 8f32.to_le_bytes()].concat());
        assert!(bytes.as_ptr_range().contains(&data.as_ptr()), "weights are borrowed");
    }
}

#[test]
fn rules_and_training_layers() {
    let cases: [(&str, &str); 6] = [
        // Rules: phase TEST, level 0, no stages.
        (
            "layer { name: 'a' type: 'AbsVal' bottom: 'data' top: 'x' include { phase: TRAIN } }
             layer { name: 'b' type: 'BNLL' bottom: 'data' top: 'x' exclude { phase: TRAIN } }
             layer { name: 'c' type: 'AbsVal' bottom: 'x' top: 'y' include { stage: 'deploy' } }
             layer { name: 'd' type: 'AbsVal' bottom: 'x' top: 'z' include { min_level: 1 } }
             layer { name: 'e' type: 'AbsVal' bottom: 'x' top: 'w' include { not_stage: 'deploy' } }",
            "BNLL(data) -> x {}\nAbsVal(x) -> w {}\nout w",
        ),
        // Losses and measures go, their predictions stay, labels are no inputs.
        (
            "layer { name: 'l' type: 'Input' top: 'label' input_param { shape { dim: 1 } } }
             layer { name: 'a' type: 'AbsVal' bottom: 'data' top: 'x' }
             layer { name: 'cut' type: 'Slice' bottom: 'label' top: 'l0' top: 'l1' }
             layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'x' bottom: 'l0' top: 'loss' }
             layer { name: 'acc' type: 'Accuracy' bottom: 'x' bottom: 'l1' top: 'acc' }",
            "AbsVal(data) -> x {}\nout x",
        ),
        // The second top of a softmax loss is a softmax.
        (
            "layer { name: 'l' type: 'Input' top: 'label' input_param { shape { dim: 1 } } }
             layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'data' bottom: 'label'
               top: 'loss' top: 'prob' softmax_param { axis: 2 } }",
            "Softmax(data) -> prob {axis=2}\nout prob",
        ),
        // Only the message of the layer's own type counts; one of an unknown branch is kept.
        (
            "layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'x' pooling_param { stride: 2 }
               relu6_param { threshold: 6.5 } }",
            "ReLU(data) -> x {threshold=6.5}\nout x",
        ),
        // Unknown types keep all; kinds follow from the values.
        (
            "layer { name: 'a' type: 'Odd' bottom: 'data' top: 'x'
               odd_param { n: 1 s: 'z' f: 1.5 on: true e: MAX l: 1 l: 2 } }",
            "Odd(data) -> x {n=1 s=z f=1.5 on=1 e=MAX l=[1, 2]}\nout x",
        ),
        (
            "layer { name: 'a' type: 'DetectionOutput' bottom: 'data' top: 'x'
               detection_output_param { num_classes: 2 code_type: CENTER_SIZE
                 nms_param { nms_threshold: 0.5 top_k: 100 } keep_top_k: 50 } }",
            "DetectionOutput(data) -> x {num_classes=2 code_type=CENTER_SIZE nms_threshold=0.5 \
             top_k=100 keep_top_k=50}\nout x",
        ),
    ];
    for (net, want) in cases {
        let net = after_input(net);
        assert_eq!(text(&net), Ok(format!("in data 1x3x8x8\n{want}")), "{net}");
        let bytes = binary_or_skip(&net);
        if let Some(model) =
            bytes.as_deref().map(|bytes| read_binary(bytes, &ImportLimits::default()).unwrap())
        {
            assert_eq!(show(&model), format!("in data 1x3x8x8\n{want}"), "{net}");
        }
    }
}

/// The binary form, where the net has no fields beyond the tables.
fn binary_or_skip(net: &str) -> Option<Vec<u8>> {
    (!net.contains("odd_param") && !net.contains("relu6_param") && !net.contains("not_stage"))
        .then(|| binary(net))
}

#[test]
fn sample_readers_become_inputs_where_the_shape_is_known() {
    let conv = format!(
        "layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'x'
           convolution_param {{ num_output: 2 kernel_size: 1 }} {CONV_BLOBS} }}"
    );
    let reader = |kind: &str, rest: &str| {
        format!("layer {{ name: 'd' type: '{kind}' top: 'data' top: 'label' {rest} }} {conv}")
    };
    let crop = "transform_param { crop_size: 27 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 }";
    let cases = [
        (reader("Data", crop), Some("in data 1x3x27x27")),
        (
            reader("ImageData", "image_data_param { new_height: 5 new_width: 6 }"),
            Some("in data 1x3x5x6"),
        ),
        (
            reader(
                "MemoryData",
                "memory_data_param { batch_size: 9 channels: 3 height: 4 width: 7 }",
            ),
            Some("in data 1x3x4x7"),
        ),
        (reader("Data", ""), None),
        (reader("HDF5Data", crop), None),
    ];
    for (net, want) in cases {
        let found = text(&net);
        match want {
            Some(want) => {
                assert!(found.as_ref().is_ok_and(|text| text.starts_with(want)), "{found:?}")
            }
            None => assert!(
                found
                    .as_ref()
                    .is_err_and(|e| e.contains("layer 'd'") && e.contains("deploy.prototxt")),
                "{found:?}"
            ),
        }
    }
    let bare = text(&reader("Data", crop).replace(CONV_BLOBS, "")).unwrap_err();
    assert!(bare.contains("layer 'd'") && bare.contains("--weights"), "{bare}");
    let model = read(reader("Data", crop).as_bytes(), None, &ImportLimits::default()).unwrap();
    assert_eq!((model.meta.mean, model.meta.std), (vec![104.0, 117.0, 123.0], vec![2.0]));
}

#[test]
fn refusals_name_the_place_and_the_next_step() {
    let conv = |param: &str, blobs: &str| {
        after_input(&format!(
            "layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'x' \
             convolution_param {{ {param} }} {blobs} }}"
        ))
    };
    let kernel = "num_output: 2 kernel_size: 1";
    let cases: [(String, &[&str]); 22] = [
        (conv(kernel, ""), &["layer 'c' (Convolution)", "--weights W.caffemodel"]),
        (conv(kernel, "blobs { shape { dim: 2 } data: [1, 2] }"), &["layer 'c'", "1 learned blobs where 2"]),
        (conv("num_output: 3 kernel_size: 1", CONV_BLOBS), &["layer 'c'", "weights of shape [2, 3, 1, 1] where [3, ?, 1, 1]"]),
        (conv("num_output: 2 kernel_size: 3", CONV_BLOBS), &["where [2, ?, 3, 3] is due"]),
        (conv("kernel_size: 3", CONV_BLOBS), &["`num_output` is missing"]),
        (conv("num_output: 2", CONV_BLOBS), &["`kernel_size` is missing"]),
        (conv("num_output: 0 kernel_size: 1", CONV_BLOBS), &["`num_output` must be 1 or more"]),
        (conv(kernel, "blobs { shape { dim: 2 } data: [1, 2, 3] }"), &["layer 1 'c' blob 0", "3 numbers where its shape [2] asks for 2"]),
        (conv(kernel, "blobs { shape { dim: -2 } }"), &["blob 0", "negative axis"]),
        (conv("num_output: 2 num_output: 2", ""), &["line 1", "`num_output` stands twice"]),
        (conv("num_output: many", ""), &["line 1", "`num_output` needs an integer"]),
        (conv("bias_term: 2", ""), &["`bias_term` needs `true` or `false`"]),
        (after_input("layer { name: 'r' type: 'ReLU' bottom: 'y' top: 'x' }"), &["layer 'r' (ReLU)", "reads blob 'y'"]),
        (after_input("layer { name: 'r' bottom: 'data' top: 'x' }"), &["`type` is missing"]),
        (
            after_input("layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'x' } layer { name: 's' type: 'ReLU' bottom: 'data' top: 'x' }"),
            &["layer 's'", "writes blob 'x', which an earlier layer has written"],
        ),
        (
            "layer { name: 'd' type: 'Data' top: 'data' include { phase: TRAIN } } layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'x' }".into(),
            &["layer 'r'", "layer 'd' (Data)", "deploy.prototxt"],
        ),
        (after_input("layers { name: 'r' type: RELU } layer { name: 'r' }"), &["`layer` and `layers`"]),
        (after_input("layers { name: 'r' type: WARP }"), &["layer 1 'r'", "no type `WARP`"]),
        (after_input("layers { layer { name: 'r' type: 'relu' num_output: 1 } }"), &["layer 1 'r'", "`num_output` means nothing"]),
        ("net: 'n.prototxt' base_lr: 0.1".into(), &["a solver, not a net"]),
        ("input: 'a' input_dim: 1".into(), &["1 `input_dim` for 1 `input`"]),
        ("input: 'a' input_shape { dim: 1 }".into(), &["no layer computes an output"]),
    ];
    for (net, parts) in cases {
        let error = text(&net).expect_err(&net);
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
}

#[test]
fn a_caffemodel_that_does_not_fit() {
    let limits = ImportLimits::default();
    let net = after_input(
        "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'x' \
         convolution_param { num_output: 2 kernel_size: 1 } }",
    );
    let other = binary(&format!("layer {{ name: 'other' {CONV_BLOBS} }}"));
    let cases: [(&[u8], &str); 3] = [
        (&other, "the caffemodel has no weights for this layer"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"not a model", "caffemodel"),
    ];
    for (weights, part) in cases {
        let error = read(net.as_bytes(), Some(weights), &limits).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let error = read_binary(&other, &limits).unwrap_err().to_string();
    assert!(error.contains("weights only"), "{error}");
}

#[test]
fn a_field_of_an_unknown_branch_is_loud_in_binary_form() {
    let mut layer = Vec::new();
    for (number, text) in [(1, "r"), (2, "ReLU"), (3, "data"), (4, "x")] {
        piece(&mut layer, number, text.as_bytes());
    }
    piece(&mut layer, 149, &[8, 2]);
    let mut net = binary(&after_input(""));
    piece(&mut net, 100, &layer);
    let error = read_binary(&net, &ImportLimits::default()).unwrap_err().to_string();
    assert!(error.contains("layer 'r' (ReLU)") && error.contains("field 149"), "{error}");

    // The same number under the type that it belongs to.
    let at = layer.iter().position(|&byte| byte == b'R').unwrap();
    layer.splice(at - 1..at + 4, b"\x08Upsample".iter().copied());
    let mut net = binary(&after_input(""));
    piece(&mut net, 100, &layer);
    let model = read_binary(&net, &ImportLimits::default()).unwrap();
    assert!(show(&model).contains("Upsample(data) -> x {scale=2}"), "{}", show(&model));
}

#[test]
fn blobs_in_other_encodings() {
    let limits = ImportLimits::default();
    let net = after_input("layer { name: 'b' type: 'PReLU' bottom: 'data' top: 'x' }");
    let one = 1f32.to_le_bytes();
    let (mut packed, mut pieces, mut singles, mut doubles) = (vec![], vec![], vec![], vec![]);
    piece(&mut packed, 5, &[one, one, one].concat());
    piece(&mut pieces, 5, &one);
    piece(&mut pieces, 5, &[one, one].concat());
    for _ in 0..3 {
        singles.push(5 << 3 | 5);
        singles.extend(one);
    }
    piece(&mut doubles, 8, &[1f64.to_le_bytes(); 3].concat());
    let raw = |kind: u8, bytes: &[u8]| {
        let mut blob = vec![10 << 3, kind];
        piece(&mut blob, 12, bytes);
        blob
    };
    let cases = [
        (packed, true),
        (pieces, false),
        (singles, false),
        (doubles, false),
        (raw(1, &[one; 3].concat()), true),
        (raw(2, &[0x3C00u16.to_le_bytes(); 3].concat()), false),
        (raw(0, &[1f64.to_le_bytes(); 3].concat()), false),
    ];
    for (data, is_borrowed) in cases {
        let mut blob = data.clone();
        piece(&mut blob, 7, &[0x0a, 1, 3]);
        let mut layer = Vec::new();
        piece(&mut layer, 1, b"b");
        piece(&mut layer, 7, &blob);
        let mut model = Vec::new();
        piece(&mut model, 100, &layer);
        let read = read(net.as_bytes(), Some(&model), &limits).unwrap();
        let graph = &read.graphs[0];
        let slopes = graph.tensors[graph.nodes[0].blobs[0]].data.as_ref().unwrap();
        assert_eq!(slopes.as_ref(), [one, one, one].concat());
        assert_eq!(model.as_ptr_range().contains(&slopes.as_ptr()), is_borrowed);
    }
}

#[test]
fn damaged_files_never_panic() {
    let net = after_input(&format!(
        "layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'x'
           convolution_param {{ num_output: 2 kernel_size: 1 }} {CONV_BLOBS} }}
         layer {{ name: 'r' type: 'ReLU' bottom: 'x' top: 'x' relu_param {{ negative_slope: 0.5 }} }}
         layer {{ name: 'd' type: 'Reshape' bottom: 'x' top: 'y' reshape_param {{ shape {{ dim: [0, -1] }} }} }}"
    ));
    let limits = ImportLimits::default();
    let bytes = binary(&net);
    assert!(read_binary(&bytes, &limits).is_ok());
    for cut in 0..bytes.len() {
        let _ = read_binary(&bytes[..cut], &limits);
        let _ = read(net.as_bytes(), Some(&bytes[..cut]), &limits);
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[cut] ^= 1 << bit;
            let _ = read_binary(&damaged, &limits);
            let _ = read(net.as_bytes(), Some(&damaged), &limits);
        }
    }
    for cut in 0..net.len() {
        let _ = read(&net.as_bytes()[..cut], None, &limits);
        for byte in [0, b'{', b'}', b'"', b'-', b'9', b'[', b':', 0xff] {
            let mut damaged = net.clone().into_bytes();
            damaged[cut] = byte;
            let _ = read(&damaged, None, &limits);
            damaged.remove(cut);
            let _ = read(&damaged, None, &limits);
        }
    }
}

#[test]
fn small_files_cannot_ask_for_much() {
    let limits = ImportLimits::default();
    // A packed list of a million one-byte dimensions, and as many fields in a text.
    let mut shape = Vec::new();
    piece(&mut shape, 1, &vec![1; 1 << 20]);
    let mut net = Vec::new();
    piece(&mut net, 8, &shape);
    assert!(matches!(read_binary(&net, &limits), Err(ReadError::OverLimit(_))));
    let text = format!("layer {{ a: [{}1] }}", "1,".repeat(1 << 20));
    assert!(matches!(read(text.as_bytes(), None, &limits), Err(ReadError::OverLimit(_))));
    let huge = after_input(
        "layer { name: 'b' type: 'PReLU' bottom: 'data' top: 'x' \
         blobs { shape { dim: [4000000000, 4000000000, 4000000000] } } }",
    );
    assert!(matches!(read(huge.as_bytes(), None, &limits), Err(ReadError::OverLimit(_))));
}

/// Name, nodes, inputs, outputs and whether the caffemodel also reads on its own.
type ZooNet = (&'static str, usize, &'static [&'static str], &'static [&'static str], bool);

const ZOO: [ZooNet; 7] = [
    ("lenet_mnist_caffe", 8, &["data 1x1x28x28"], &["prob"], true),
    ("mtcnn_pnet", 10, &["data 1x3x12x12"], &["conv4-2", "prob1"], false),
    ("mtcnn_rnet", 13, &["data 1x3x24x24"], &["conv5-2", "prob1"], false),
    ("mtcnn_onet", 18, &["data 1x3x48x48"], &["conv6-2", "conv6-3", "prob1"], false),
    ("ultraface_rfb_320_caffe", 110, &["input 1x3x240x320"], &["boxes", "scores"], true),
    ("wechat_qr_detect", 181, &["data 1x1x384x384"], &["detection_output"], true),
    ("wechat_qr_sr", 24, &["data 1x1x224x224"], &["fc"], true),
];

fn zoo() -> Option<std::path::PathBuf> {
    let zoo = std::env::var_os("EMBARCA_ZOO").map(std::path::PathBuf::from);
    if zoo.is_none() {
        println!("skipped: EMBARCA_ZOO is not set");
    }
    zoo
}

#[test]
fn the_zoo_reads() {
    let Some(zoo) = zoo() else { return };
    let limits = ImportLimits::default();
    for (name, nodes, inputs, outputs, alone) in ZOO {
        let text = std::fs::read(zoo.join(format!("models/{name}.prototxt"))).unwrap();
        let weights = std::fs::read(zoo.join(format!("models/{name}.caffemodel"))).unwrap();
        let model = read(&text, Some(&weights), &limits).unwrap();
        let graph = &model.graphs[0];
        assert_eq!(graph.nodes.len(), nodes, "{name}");
        let lines = show(&model);
        let lines: Vec<&str> = lines.lines().collect();
        let want_in: Vec<String> = inputs.iter().map(|input| format!("in {input}")).collect();
        let want_out: Vec<String> = outputs.iter().map(|output| format!("out {output}")).collect();
        assert!(
            lines.starts_with(&want_in.iter().map(String::as_str).collect::<Vec<_>>()),
            "{name}"
        );
        assert!(
            lines.ends_with(&want_out.iter().map(String::as_str).collect::<Vec<_>>()),
            "{name}"
        );
        for tensor in graph.tensors.iter().filter(|tensor| tensor.data.is_some()) {
            let bytes = tensor.data.as_ref().unwrap();
            let elements: u64 = tensor
                .dims
                .iter()
                .flatten()
                .map(|dim| if let ForeignDim::Known(dim) = dim { *dim } else { 0 })
                .product();
            assert_eq!(bytes.len() as u64, 4 * elements, "{name} {}", tensor.name);
            assert!(weights.as_ptr_range().contains(&bytes.as_ptr()), "{name} {}", tensor.name);
        }
        let own = read_binary(&weights, &limits);
        assert_eq!(own.is_ok(), alone, "{name}");
        // A net that was saved in phase TEST is the net of the text.
        if let (Ok(own), true) = (own, nodes == 110) {
            assert_eq!(show(&own), show(&model), "{name}");
        }
    }
    let train = std::fs::read(zoo.join("models/lenet_mnist_caffe_train.prototxt")).unwrap();
    let weights = std::fs::read(zoo.join("models/lenet_mnist_caffe_iter20.caffemodel")).unwrap();
    let model = read(&train, Some(&weights), &limits).unwrap();
    let lines = show(&model);
    assert!(lines.starts_with("in data 64x1x28x28\nConvolution"), "{lines}");
    assert!(lines.ends_with("\nout ip2"), "{lines}");
    for (name, part) in
        [("lenet_solver", "a solver"), ("lenet_train_test", "layer 'mnist' (Data): the net reads")]
    {
        let text = std::fs::read(zoo.join(format!("models/bvlc/{name}.prototxt"))).unwrap();
        let error = read(&text, Some(&weights), &limits).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
}

#[test]
fn damaged_zoo_files_never_panic() {
    let Some(zoo) = zoo() else { return };
    let limits = ImportLimits::default();
    // A fixed sequence of pseudo-random numbers (Knuth's multiplier).
    let mut state = 1u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (name, ..) in ZOO {
        let text = std::fs::read(zoo.join(format!("models/{name}.prototxt"))).unwrap();
        let weights = std::fs::read(zoo.join(format!("models/{name}.caffemodel"))).unwrap();
        for _ in 0..150 {
            let mut damaged = text.clone();
            damaged[next(text.len())] = next(256) as u8;
            let _ = read(&damaged, Some(&weights), &limits);
            let _ = read(&text[..next(text.len())], Some(&weights), &limits);
            let mut damaged = weights.clone();
            // Structure lies thinly between weights: damage the first bytes and random ones.
            damaged[next(2000)] ^= 1 << next(8);
            damaged[next(weights.len())] ^= 1 << next(8);
            let _ = read(&text, Some(&damaged), &limits);
            let _ = read_binary(&damaged, &limits);
            let _ = read_binary(&weights[..next(weights.len())], &limits);
        }
    }
}
