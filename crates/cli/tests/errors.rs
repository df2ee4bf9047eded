//! The examples of `docs/errors.md` are what the program prints. `EMBARCA_BLESS=1` (or
//! `cargo xtask bless`) writes what it prints now.

use std::path::{Path, PathBuf};
use std::process::Command;

use embarca_data::image::encode_png;
use embarca_data::zip::Packing;
use embarca_data::{Array, Image, npz};

/// A field of a protocol buffer that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    field.extend_from_slice(bytes);
    field
}

/// A valid ONNX model of two operators on texts.
fn words() -> Vec<u8> {
    let node = |op: &str, from: &str, to: &str| {
        let names = [field(1, from.as_bytes()), field(2, to.as_bytes()), field(4, op.as_bytes())];
        field(1, &names.concat())
    };
    // A tensor of one open dimension; element type 8 is text, 9 is bool.
    let value = |name: &str, element: u8| {
        let shape = field(2, &field(1, &field(2, b"n")));
        let tensor = [vec![0x08, element], shape].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    };
    let graph = [
        node("StringNormalizer", "words", "plain"),
        node("RegexFullMatch", "plain", "match"),
        field(2, b"words"),
        field(11, &value("words", 8)),
        field(12, &value("match", 9)),
    ];
    // IR version 10, opset 20.
    [vec![0x08, 10], field(7, &graph.concat()), field(8, &[0x10, 20])].concat()
}

const LONELY: &str = r#"
name: "lonely"
input: "data"
input_shape { dim: 1 dim: 1 dim: 8 dim: 8 }
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 }
}
"#;

/// The files that the examples speak of.
fn prepare(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let digits = std::fs::read(root.join("../../assets/tour/digits_f32.tflite")).unwrap();
    write("digits.tflite", &digits);
    write("cut.tflite", &digits[..2000]);
    write("words.onnx", &words());
    write("lonely.prototxt", LONELY.as_bytes());
    write("narrow.csv", b"a,b\n1,2\n");
    write("digit.png", &encode_png(&Image::new(8, 8, 1, vec![9; 64]).unwrap()).unwrap());
    let wrong = Array::from_slice(&[1, 8, 8, 1], &[0i8; 64]).unwrap().named("in0");
    write("wrong.npz", &npz::write(&[wrong], Packing::Stored).unwrap());
    run(folder, "embarca build digits.tflite -o damaged.plan");
    let mut plan = std::fs::read(folder.join("damaged.plan")).unwrap();
    let middle = plan.len() / 2;
    plan[middle] ^= 1;
    write("damaged.plan", &plan);
}

/// What a command says to the terminal.
fn run(folder: &Path, line: &str) -> String {
    let args = line.split_whitespace().skip(1);
    let program = env!("CARGO_BIN_EXE_embarca");
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap();
    let text = [output.stderr, output.stdout].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn examples_are_what_the_program_prints() {
    let name = format!("embarca-errors-{}", std::process::id());
    let folder: PathBuf = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    prepare(&folder);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let before = std::fs::read_to_string(&page).unwrap();
    let mut after = String::new();
    let mut examples = 0;
    let mut printed = false;
    for line in before.lines() {
        // What stood below a command is replaced by what it prints.
        printed &= line != "```";
        if printed {
            continue;
        }
        after += &format!("{line}\n");
        if let Some(command) = line.strip_prefix("$ ") {
            after += &run(&folder, command);
            examples += 1;
            printed = true;
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(10 <= examples);
    if std::env::var_os("EMBARCA_BLESS").is_some() {
        std::fs::write(&page, after).unwrap();
    } else {
        assert_eq!(before, after, "`cargo xtask bless` writes docs/errors.md");
    }
}
