//! The command as a user types it: answers, files, refusals, exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use embarca_data::image::encode_png;
use embarca_data::zip::Packing;
use embarca_data::{Array, DataLimits, Image, digits, npy, npz};

/// A folder that is removed at the end of its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("embarca-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.0.join(name), bytes).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn net(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../assets/tour").join(name).display().to_string()
}

fn embarca(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_embarca")).args(args).output().unwrap()
}

/// Standard output of a command that succeeds.
fn answer(args: &[&str]) -> String {
    let output = embarca(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A held-out digit as a picture, ink bright.
fn picture(index: usize) -> (Vec<u8>, u8) {
    let held_out = digits::held_out();
    let (pixels, label) = held_out.iter().nth(index).unwrap();
    let bright = pixels.iter().map(|&ink| (f32::from(ink) / 16.0 * 255.0).round() as u8);
    let image = Image::new(8, 8, 1, bright.collect()).unwrap();
    (encode_png(&image).unwrap(), label)
}

#[test]
fn a_picture_gets_an_answer_that_names_its_assumptions() {
    let folder = Folder::new("picture");
    let (png, label) = picture(0);
    let png = folder.write("digit.png", &png);
    for net in [net("digits_f32.tflite"), net("digits_int8.tflite")] {
        let output = embarca(&["run", &net, &png]);
        let (out, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let first = out.lines().next().unwrap_or_default();
        assert!(first.ends_with(&format!("% {label}")), "{out}{errors}");
        assert_eq!(out.lines().count(), 5, "{out}");
        // The model's own metadata says how it wants its pixels.
        assert_eq!(errors, "");
    }
    let wide = encode_png(&Image::new(2, 1, 1, vec![0, 255]).unwrap()).unwrap();
    let output = embarca(&["run", &net("digits_f32.tflite"), &folder.write("wide.png", &wide)]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--fit crop or --fit letterbox"), "{errors}");
    let json = answer(&["run", &net("digits_f32.tflite"), &png, &png, "--json", "--top", "1"]);
    assert_eq!(json.matches(&format!("\"label\":\"{label}\"")).count(), 2, "{json}");
}

#[test]
fn plans_answer_as_their_models_and_do_not_depend_on_where_they_are_made() {
    let folder = Folder::new("plan");
    let model = net("digits_int8.tflite");
    let (plan, other) = (folder.path("a.plan"), folder.path("b.plan"));
    let emb = folder.path("net.emb");
    answer(&["build", &model, "--for", "x86-64,aarch64,cpu", "-o", &plan]);
    answer(&["build", &model, "--for", "x86-64,aarch64,cpu", "-o", &other]);
    assert_eq!(std::fs::read(&plan).unwrap(), std::fs::read(&other).unwrap());
    answer(&["build", &model, "-o", &emb]);

    let values: Vec<i8> = (0..128).map(|i| (i * 37 % 256 - 128) as i8).collect();
    let input = Array::from_slice(&[2, 8, 8, 1], &values).unwrap().named("in0");
    let input = folder.write("in.npz", &npz::write(&[input], Packing::Stored).unwrap());
    let out = folder.path("out.npz");
    let mut results = Vec::new();
    for (file, threads) in [(&model, "1"), (&plan, "1"), (&plan, "3"), (&emb, "2")] {
        let args = ["--tensors", &input, "--out", &out, "--positional", "--threads", threads];
        answer(&[&["run", file.as_str()], &args[..]].concat());
        let arrays = npz::read(&std::fs::read(&out).unwrap(), &DataLimits::default()).unwrap();
        assert_eq!(arrays[0].name.as_deref(), Some("out0"));
        assert_eq!(arrays[0].dims, [2, 10]);
        results.push(arrays);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");

    assert!(answer(&["check", &plan, "--for", "aarch64"]).contains("runs on aarch64"));
    let proven = answer(&["check", &plan]);
    assert!(proven.contains("1 of 1 test vectors pass"), "{proven}");
    let compared = answer(&["compare", &model, &plan]);
    assert!(compared.contains("no layer diverges"), "{compared}");
    assert!(answer(&["inspect", &plan, "--layers"]).contains("program for x86-64"));
    assert!(answer(&["inspect", &emb]).contains("portable graph"));
}

#[test]
fn models_are_inspected_drawn_and_compared() {
    let folder = Folder::new("inspect");
    let model = net("digits_f32.tflite");
    let (svg, html) = (folder.path("net.svg"), folder.path("net.html"));
    let text = answer(&["inspect", &model, "--layers", "--svg", &svg, "--html", &html]);
    for part in ["TFLite", "3.82 k parameters", "CONV_2D 2", "x86-64", "softmax"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(std::fs::read_to_string(&svg).unwrap().starts_with("<svg"));
    assert!(std::fs::read_to_string(&html).unwrap().contains("</html>"));
    assert!(answer(&["inspect", &model, "--json"]).starts_with("{\"file\":"));
    assert!(answer(&["inspect", &model, "--text"]).contains("conv2d("));
    let compared = answer(&["compare", &model, &net("digits_int8.tflite")]);
    assert!(compared.contains("first divergence"), "{compared}");
}

#[test]
fn benches_print_what_other_programs_read() {
    let model = net("digits_f32.tflite");
    let raw = answer(&["bench", &model, "--raw", "--runs", "7", "--threads", "2"]);
    let (notes, times): (Vec<&str>, Vec<&str>) = raw.lines().partition(|l| l.starts_with('#'));
    assert!(matches!(notes[..], [first] if first.starts_with("# first_ms ")), "{raw}");
    assert_eq!(times.iter().filter(|time| time.parse::<f64>().is_ok()).count(), 7, "{raw}");
    let batch = answer(&["bench", &model, "--batch", "4", "--runs", "3", "--layers"]);
    for part in ["p99", "arena", "open to first answer", "conv2d_f32"] {
        assert!(batch.contains(part), "{part}: {batch}");
    }
}

#[test]
fn the_tour_needs_nothing() {
    let tour = answer(&["tour"]);
    assert_eq!(tour.matches("97.5%").count(), 2, "{tour}");
    assert!(answer(&["targets"]).contains("this machine"));
    assert!(answer(&["completions", "fish"]).contains("embarca"));
}

#[test]
fn one_array_goes_in_and_out_as_npy() {
    let folder = Folder::new("npy");
    let model = net("digits_f32.tflite");
    let image = Array::from_slice(&[2, 8, 8, 1], &[0.5f32; 128]).unwrap();
    let image = folder.write("image.npy", &npy::write(&image).unwrap());
    let (one, all) = (folder.path("out.npy"), folder.path("out.npz"));
    answer(&["run", &model, "--tensors", &image, "--out", &one]);
    answer(&["run", &model, &image, "--out", &all]);
    let read = |path: &str| std::fs::read(path).unwrap();
    let one = npy::read(&read(&one), &DataLimits::default()).unwrap();
    let all = npz::read(&read(&all), &DataLimits::default()).unwrap();
    assert_eq!((&one.dims, &one.data), (&vec![2, 10], &all[0].data));
}

#[test]
fn refusals_say_what_is_wrong_and_what_comes_next() {
    let folder = Folder::new("refusals");
    let model = net("digits_f32.tflite");
    let text = folder.write("notes.md", b"not a model");
    let colour = encode_png(&Image::new(1, 1, 3, vec![1, 2, 3]).unwrap()).unwrap();
    let colour = folder.write("colour.png", &colour);
    let wrong = Array::from_slice(&[1, 8, 8, 1], &[0i8; 64]).unwrap().named("in0");
    let wrong = folder.write("wrong.npz", &npz::write(&[wrong], Packing::Stored).unwrap());
    let empty = folder.write("empty.png", b"");
    let narrow = folder.write("narrow.csv", b"a,b\n1,2\n");
    let plan = folder.path("net.plan");
    answer(&["build", &model, "-o", &plan]);
    let mut damaged = std::fs::read(&plan).unwrap();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let damaged = folder.write("damaged.plan", &damaged);

    for (args, code, part) in [
        (&["run"][..], 2, "Usage"),
        (&["bench", &model, "--shapes", "x"], 2, "name:1x3x224x224"),
        (&["run", "nowhere.onnx", &colour], 1, "nowhere.onnx"),
        (&["inspect", &text], 1, "neither ONNX, TFLite nor Caffe"),
        (&["build", &model, "--for", "toaster"], 1, "embarca targets"),
        (&["build", &plan], 1, "a plan already"),
        (&["check", &model], 1, "embarca build"),
        (&["run", &model, &text], 1, "not a PNG"),
        (&["run", &model, "--tensors", &wrong], 1, ".astype(numpy.float32)"),
        (&["run", &model, &colour, "--std", "0"], 2, "--std"),
        (&["bench", &damaged], 1, "damaged"),
        (&["bench", &damaged], 1, "copy it again"),
        (&["run", &plan, &colour, "--weights", "x"], 2, "--weights"),
        (&["run", &plan, &colour, "--shapes", "x:1"], 2, "--shapes belongs to a model"),
        (&["inspect", &plan, "--shapes", "x:1"], 2, "--shapes belongs to a model"),
        (&["inspect", &model, "--shapes", "x:1"], 1, "there is no input 'x', only image"),
        (&["build", &model, "--shapes", "x:1"], 1, "there is no input 'x', only image"),
        (&["bench", &model, "--shapes", "x:1"], 1, "there is no input 'x', only image"),
        (&["compare", &model, &plan, "--shapes", "x:1"], 1, "there is no input 'x', only image"),
        (&["bench", &model, "--threads", "0"], 2, "--threads"),
        (&["bench", &model, "--runs", "0"], 2, "--runs"),
        (&["bench", &model, "--batch", "0"], 2, "--batch"),
        (&["run", &model, &colour, "--top", "0"], 2, "--top"),
        (&["run", &model, "nowhere.png"], 1, "nowhere.png: there is no such file"),
        (&["inspect", &folder.path("")], 1, "a folder"),
        (&["run", &colour, &model], 1, "the model comes first"),
        (&["run", &model, &empty], 1, "the file is empty"),
        (&["run", &model, &narrow], 1, "narrow.csv: input"),
    ] {
        let output = embarca(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
        assert!(errors.contains(part), "{args:?}: {errors}");
    }
    let output = embarca(&["check", &damaged]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("does not run"));
}
