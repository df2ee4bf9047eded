//! Importing a large model takes memory in proportion to its file. Alone in its process, because it
//! counts what the process allocates.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A field of a protobuf message that holds bytes.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    varint(message, bytes.len());
    message.extend_from_slice(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: usize) {
    while 127 < value {
        message.push(value as u8 | 128);
        value >>= 7;
    }
    message.push(value as u8);
}

/// A field of a protobuf message that holds a number.
fn number(message: &mut Vec<u8>, number: u8, value: usize) {
    message.push(number << 3);
    varint(message, value);
}

/// An ONNX model that adds constants of `width` numbers one after the other.
fn sums(nodes: usize, width: usize) -> Vec<u8> {
    let mut graph = Vec::new();
    for index in 0..nodes {
        let (mut node, mut constant) = (Vec::new(), Vec::new());
        let names = [format!("y{index}"), format!("w{index}"), format!("y{}", index + 1)];
        for (at, name) in [1, 1, 2].into_iter().zip(&names) {
            field(&mut node, at, name.as_bytes());
        }
        field(&mut node, 3, format!("layer_{index}_add").as_bytes());
        field(&mut node, 4, b"Add");
        field(&mut graph, 1, &node);
        number(&mut constant, 1, width);
        number(&mut constant, 2, 1);
        field(&mut constant, 8, names[1].as_bytes());
        field(&mut constant, 9, &vec![0; 4 * width]);
        field(&mut graph, 5, &constant);
    }
    let (mut dim, mut shape, mut tensor, mut ty) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    number(&mut dim, 1, width);
    field(&mut shape, 1, &dim);
    number(&mut tensor, 1, 1);
    field(&mut tensor, 2, &shape);
    field(&mut ty, 1, &tensor);
    for (at, name) in [(11, "y0".to_owned()), (12, format!("y{nodes}"))] {
        let mut port = Vec::new();
        field(&mut port, 1, name.as_bytes());
        field(&mut port, 2, &ty);
        field(&mut graph, at, &port);
    }
    let (mut model, mut opset) = (Vec::new(), Vec::new());
    number(&mut model, 1, 8);
    field(&mut model, 7, &graph);
    number(&mut opset, 2, 17);
    field(&mut model, 8, &opset);
    model
}

#[test]
fn many_small_nodes_stay_within_the_bound() {
    let bytes = sums(100_000, 136);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let model = embarca::Model::from_bytes(&bytes, &embarca::OpenOptions::default()).unwrap();
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert_eq!(model.into_graph().main().nodes.len(), 100_000);
    let bound = 4 * bytes.len() + (16 << 20);
    assert!(peak <= bound, "{peak} bytes, {bound} allowed");
}
