//! Messages and tensors that are not what they say.

use super::*;

/// The bytes of messages.
pub(super) fn files() -> Vec<Bomb> {
    let head = int(1, 8);
    let with = |tail: Vec<u8>| [head.clone(), tail].concat();
    vec![
        bomb("empty", "no bytes at all", vec![], "the file is empty"),
        bomb(
            "version alone",
            "a message without its required parts",
            head.clone(),
            "the file holds no graph: this is not an ONNX model",
        ),
        bomb(
            "length of 2^63",
            "onnx CVE-2024-27319",
            with(claim(7, 1 << 63)),
            "9223372036854775808 bytes announced, 0 left (byte 13)",
        ),
        bomb(
            "length past the end",
            "tract PR 2766",
            with(claim(7, 128 << 20)),
            "134217728 bytes announced, 0 left (byte 7)",
        ),
        bomb(
            "length of u64::MAX",
            "candle 3533",
            with(claim(2, u64::MAX)),
            "18446744073709551615 bytes announced, 0 left (byte 13)",
        ),
        bomb(
            "varint of 11 bytes",
            "protobuf wire format",
            with([vec![0x38], vec![0xff; 11]].concat()),
            "a number has more than 64 bits (byte 3)",
        ),
        bomb(
            "varint cut off",
            "protobuf wire format",
            with(vec![0x38, 0x80]),
            "the file ends inside a number (byte 3)",
        ),
        bomb(
            "field number zero",
            "protobuf wire format",
            with(vec![0x02, 0x00]),
            "a field's number is out of range (byte 2)",
        ),
        bomb(
            "wire type 7",
            "protobuf wire format",
            with(vec![0x3f, 0x00]),
            "field 7 has wire type 7 (byte 2)",
        ),
        bomb(
            "10,000 nested groups",
            "triton CVE-2025-23325",
            with(vec![0x0b; 10_000]),
            "field 1 has wire type 3 (byte 2)",
        ),
        bomb(
            "group never closed",
            "opencv 29152",
            with(vec![0x0b]),
            "field 1 has wire type 3 (byte 2)",
        ),
        bomb(
            "graph is a number",
            "opencv 24316: a field of another kind",
            with(int(7, 3)),
            "field 7 holds a number where bytes is due (byte 3)",
        ),
        bomb(
            "two graphs",
            "parsers that disagree on which counts",
            net(&[]).repeat(2),
            "a second graph (byte 46)",
        ),
        bomb(
            "opset beyond 32 bits",
            "triton CVE-2025-23323",
            with(message(8, &[text(1, ""), int(2, 1 << 40)])),
            "an opset out of range (byte 7)",
        ),
        bomb(
            "text is not UTF-8",
            "rust str from bytes",
            with(bytes(2, &[0xff, 0xfe])),
            "a text is not UTF-8 (byte 4)",
        ),
        bomb(
            "a sequence type, 10,000 deep",
            "triton CVE-2025-23325",
            net(&[
                message(11, &[text(1, "v"), message(2, &[nested(4, 1, &nested(1, 10_000, &[]))])]),
                node("Relu", &["x"], &["y"], &[]),
            ]),
            "input 'v': is not a tensor (a sequence, an optional or a map)",
        ),
        bomb(
            "200,000 opset entries of one byte",
            "one entry costs more memory than bytes",
            with(claim(8, 0).repeat(200_000)),
            "the model needs more memory than its size justifies",
        ),
        bomb(
            "a function of 200,000 empty nodes",
            "one entry costs more memory than bytes",
            with(bytes(25, &claim(7, 0).repeat(200_000))),
            "the model needs more memory than its size justifies",
        ),
    ]
}

/// `TensorProto` and its relatives.
pub(super) fn tensors() -> Vec<Bomb> {
    let w = |kind, dims: &[i64], content| adds(constant("w", kind, dims, content));
    let sparse = |dims: &[i64], indices: &[i64], values: Vec<u8>| {
        let stored: Vec<u8> = indices.iter().flat_map(|index| index.to_le_bytes()).collect();
        let indices = tensor("i", I64, &[indices.len() as i64], raw(&stored));
        let parts = [bytes(1, &values), bytes(2, &indices), packed(3, dims)];
        adds(message(15, &parts))
    };
    let one = || tensor("w", F32, &[1], raw(&[0; 4]));
    vec![
        bomb(
            "dimensions wrap to 4 bytes",
            "tract CVE-2026-55093",
            w(F32, &[1 << 32, 1 << 32, 1], raw(&[0; 4])),
            "graph 0 tensor 'w': dimensions [4294967296, 4294967296, 1] hold",
        ),
        bomb(
            "dimensions wrap to 1",
            "tflm 3761",
            w(F32, &[i64::MAX, 3, 1 << 33], raw(&[0; 4])),
            "graph 0 tensor 'w': dimensions [9223372036854775807, 3,",
        ),
        bomb(
            "bytes of elements wrap",
            "tract CVE-2026-55093",
            w(10 + 1, &[1 << 61], raw(&[0; 8])),
            "graph 0 tensor 'w': dimensions [2305843009213693952] hold more",
        ),
        bomb(
            "a petabyte of floats",
            "burn 5651",
            w(F32, &[1 << 48], raw(&[0; 4])),
            "graph 0 tensor 'w': dimensions [281474976710656] hold more",
        ),
        bomb(
            "a terabyte without content",
            "burn 5651",
            w(F32, &[1 << 38], vec![]),
            "graph 0 tensor 'w': no content for 274877906944 elements",
        ),
        bomb(
            "negative dimension",
            "triton CVE-2025-23335",
            w(F32, &[-4], raw(&[0; 16])),
            "graph 0 tensor 'w': a dimension is -4 (byte 35)",
        ),
        bomb(
            "100,000 axes",
            "tflm 3389",
            w(F32, &vec![1; 100_000], raw(&[0; 4])),
            "graph 0 tensor 'w': 100000 axes, `rank` allows 8",
        ),
        bomb(
            "a million axes of one byte each",
            "tflm 3389",
            w(F32, &vec![0; 1 << 20], vec![]),
            "graph 0 tensor 'w': 1048576 axes, `rank` allows 8",
        ),
        bomb(
            "raw_data too short",
            "tract 2390",
            w(F32, &[4], raw(&[0; 15])),
            "graph 0 tensor 'w': 15 bytes of data for 4 elements of f32",
        ),
        bomb(
            "raw_data too long",
            "tract 2390",
            w(F32, &[4], raw(&[0; 17])),
            "graph 0 tensor 'w': 17 bytes of data for 4 elements of f32",
        ),
        bomb(
            "float_data too short",
            "tract 2390",
            w(F32, &[4], [float(4, 1.0), float(4, 1.0)].concat()),
            "graph 0 tensor 'w': 8 bytes of data for 4 elements of f32",
        ),
        bomb(
            "float_data too long",
            "tract 2390",
            w(F32, &[1], float(4, 1.0).repeat(5)),
            "graph 0 tensor 'w': more content than the shape asks for",
        ),
        bomb(
            "float_data in five bytes",
            "float lists of odd length",
            w(F32, &[1], bytes(4, &[0; 5])),
            "graph 0 tensor 'w': 5 bytes of data for 1 elements of f32",
        ),
        bomb(
            "int32_data out of range",
            "a number cut off to eight bits",
            w(I8, &[1], packed(5, &[300])),
            "graph 0 tensor 'w': 300 is no i8 (byte 43)",
        ),
        bomb(
            "content in two fields",
            "onnx checker: one field only",
            w(F32, &[1], [float(4, 1.0), packed(5, &[1])].concat()),
            "graph 0 tensor 'w': content in two fields (byte 48)",
        ),
        bomb(
            "content in raw_data too",
            "onnx checker: one field only",
            w(F32, &[1], [float(4, 1.0), raw(&[0; 4])].concat()),
            "graph 0 tensor 'w': content in two places",
        ),
        bomb(
            "content in the field of another type",
            "type confusion",
            w(F32, &[1], packed(7, &[1])),
            "graph 0 tensor 'w': elements of f32 in field 7 (byte 43)",
        ),
        bomb(
            "texts in raw_data",
            "pointers where texts are",
            w(STRING, &[1], raw(&[0; 16])),
            "graph 0 tensor 'w': texts in raw_data",
        ),
        bomb(
            "a text of 128 MiB in three bytes",
            "tract PR 2766",
            w(STRING, &[1], claim(6, 128 << 20)),
            "graph 0: 134217728 bytes announced, 0 left (byte 46)",
        ),
        bomb(
            "fewer texts than the shape",
            "ctranslate2 PR 2091",
            w(STRING, &[1 << 30], text(6, "a")),
            "graph 0 tensor 'w': 1 texts where the shape asks for 1073741824",
        ),
        bomb(
            "element type 99",
            "an enum out of range",
            w(99, &[1], raw(&[0; 4])),
            "graph 0 tensor 'w': there is no element type 99",
        ),
        bomb(
            "element type of 64 bits",
            "an enum cut off to eight bits",
            w(F32 + (1 << 32), &[1], raw(&[0; 4])),
            "graph 0 tensor 'w': there is no element type 4294967297",
        ),
        bomb(
            "segments",
            "a field that old readers skip",
            w(F32, &[1], [message(3, &[int(1, 0), int(2, 1 << 40)]), raw(&[0; 4])].concat()),
            "graph 0 tensor 'w': a tensor stored in segments",
        ),
        bomb(
            "sparse: a petabyte of gaps",
            "onnxruntime 28408",
            sparse(&[1 << 40], &[0], one()),
            "graph 0 sparse tensor 'w': the model needs more memory than its",
        ),
        bomb(
            "sparse: gigabytes of gaps",
            "onnxruntime 28408",
            sparse(&[1 << 30], &[0], one()),
            "graph 0 sparse tensor 'w': the model needs more memory than its",
        ),
        bomb(
            "sparse: index past the end",
            "onnxruntime 28709",
            sparse(&[4], &[4], one()),
            "graph 0 sparse tensor 'w': an index out of range",
        ),
        bomb(
            "sparse: negative index",
            "onnxruntime 28709",
            sparse(&[4], &[-1], one()),
            "graph 0 sparse tensor 'w': an index out of range",
        ),
        bomb(
            "sparse: index of i64::MIN",
            "onnxruntime 28709",
            sparse(&[4], &[i64::MIN], one()),
            "graph 0 sparse tensor 'w': an index out of range",
        ),
        bomb(
            "sparse: more indices than values",
            "onnxruntime 28709",
            sparse(&[4], &[0, 1], one()),
            "graph 0 sparse tensor 'w': 1 values and 2 numbers that place",
        ),
        bomb(
            "sparse: no values",
            "openvino PR 35607: an absent field",
            adds(message(15, &[packed(3, &[4])])),
            "graph 0: a sparse tensor without values or indices",
        ),
    ]
}

/// Tensors that lie in other files.
pub(super) fn outsides() -> Vec<Bomb> {
    let at = |entries: &[(&str, &str)]| adds(constant("w", F32, &[4], outside(entries)));
    let secret = || outside(&[("location", "../secret")]);
    let sparse_values = tensor("w", F32, &[1], secret());
    let indices = tensor("i", I64, &[1], raw(&[0; 8]));
    let branch = [
        constant("c", F32, &[4], secret()),
        node("Add", &["x", "c"], &["z"], &[]),
        message(12, &[text(1, "z")]),
    ];
    let branches = [attr_graph("then_branch", &branch), attr_graph("else_branch", &branch)];
    let held = attr("value", 4, bytes(5, &tensor("c", F32, &[4], secret())));
    vec![
        bomb(
            "outside: parent folder",
            "onnx CVE-2022-25882",
            external("../secret"),
            "graph 0 tensor 'w': external file '../secret': only a plain",
        ),
        bomb(
            "outside: folder and back twice",
            "onnx CVE-2024-27318",
            external("a/../../secret"),
            "graph 0 tensor 'w': external file 'a/../../secret': only a",
        ),
        bomb(
            "outside: absolute",
            "triton CVE-2026-47606",
            external("/etc/passwd"),
            "graph 0 tensor 'w': external file '/etc/passwd': only a plain",
        ),
        bomb(
            "outside: process memory",
            "onnxruntime PR 26776",
            external("/proc/self/mem"),
            "graph 0 tensor 'w': external file '/proc/self/mem': only a",
        ),
        bomb(
            "outside: a device",
            "triton CVE-2026-47628",
            external("/dev/zero"),
            "graph 0 tensor 'w': external file '/dev/zero': only a plain",
        ),
        bomb(
            "outside: drive letter",
            "onnxruntime 28725",
            external("C:\\secret"),
            "graph 0 tensor 'w': external file 'C:\\secret': only a plain",
        ),
        bomb(
            "outside: network share",
            "onnxruntime 28725",
            external("\\\\host\\share"),
            "graph 0 tensor 'w': external file '\\\\host\\share': only a plain",
        ),
        bomb(
            "outside: address",
            "torchserve CVE-2023-43654",
            external("http://host/x"),
            "graph 0 tensor 'w': external file 'http://host/x': only a plain",
        ),
        bomb(
            "outside: zero byte",
            "a name cut off by C",
            external("w\0.bin"),
            "graph 0 tensor 'w': external file 'w?.bin': only a plain file",
        ),
        bomb(
            "outside: no name",
            "onnx CVE-2026-34445",
            at(&[("offset", "0")]),
            "graph 0 tensor 'w': external file '': only a plain file name in",
        ),
        bomb(
            "outside: the folder itself",
            "onnx CVE-2026-34447",
            external("."),
            "graph 0 tensor 'w': external file '.': only a plain file name",
        ),
        bomb(
            "outside: memory marker",
            "onnxruntime 28617",
            at(&[
                ("location", "*/_ORT_MEM_ADDR_/*"),
                ("offset", "140737488355328"),
                ("length", "16"),
            ]),
            "graph 0 tensor 'w': external file '*/_ORT_MEM_ADDR_/*': only a",
        ),
        bomb(
            "outside: negative offset",
            "onnx CVE-2026-34445",
            at(&[("location", "w"), ("offset", "-1")]),
            "graph 0 tensor 'w': external data: offset '-1' is no number",
        ),
        bomb(
            "outside: length is no number",
            "onnx CVE-2026-34445",
            at(&[("location", "w"), ("length", "1e15")]),
            "graph 0 tensor 'w': external data: length '1e15' is no number",
        ),
        bomb(
            "outside: a number beyond 64 bits",
            "onnx CVE-2026-34445",
            at(&[("location", "w"), ("length", "99999999999999999999")]),
            "graph 0 tensor 'w': external data: length",
        ),
        bomb(
            "outside: missing file",
            "a file that is not there",
            external("not-here.bin"),
            "graph 0 tensor 'w': external file 'not-here.bin': No such file",
        ),
        bomb(
            "outside: attribute names as keys",
            "onnx CVE-2026-34445",
            at(&[("__class__", "x"), ("__dict__", "y")]),
            "graph 0 tensor 'w': external file '': only a plain file name in",
        ),
        bomb(
            "outside and inside",
            "two places for one content",
            adds(constant("w", F32, &[1], [outside(&[("location", "w")]), raw(&[0; 4])].concat())),
            "graph 0 tensor 'w': content in two places",
        ),
        bomb(
            "outside: values of a sparse tensor",
            "onnxruntime 28408",
            adds(message(15, &[bytes(1, &sparse_values), bytes(2, &indices), packed(3, &[4])])),
            "graph 0 tensor 'w': external file '../secret': only a plain",
        ),
        bomb(
            "outside: constant of a branch",
            "onnxruntime 28709",
            net(&[node("If", &["x"], &["y"], &branches)]),
            "graph 0 node 0 'n' If attribute 'then_branch' graph 1 tensor",
        ),
        bomb(
            "outside: tensor of an attribute",
            "onnxruntime 27430",
            net(&[node("Constant", &[], &["c"], &[held]), node("Add", &["x", "c"], &["y"], &[])]),
            "graph 0 node 0 'n' Constant attribute 'value' tensor 'c'",
        ),
        bomb(
            "outside: texts",
            "onnx CVE-2024-27319",
            adds(constant("w", STRING, &[4], outside(&[("location", "w")]))),
            "graph 0 tensor 'w': texts in an external file",
        ),
    ]
}
