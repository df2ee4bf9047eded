//! Texts, bytes of files and rows of tables as a user gives them: answers, plans, refusals.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use embarca_data::zip::Packing;
use embarca_data::{Array, npy, npz};

const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\ndog\nsat\nruns\n.\n";

fn embarca(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embarca"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Standard output and standard error of a command that succeeds.
fn said(args: &[&str], input: &str) -> (String, String) {
    let output = embarca(args, input);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {errors}");
    (String::from_utf8(output.stdout).unwrap(), errors)
}

fn answer(args: &[&str]) -> String {
    said(args, "").0
}

/// What a command says that is refused.
fn refusal(args: &[&str]) -> String {
    let output = embarca(args, "");
    assert!(!output.status.success(), "{args:?} succeeds");
    String::from_utf8(output.stderr).unwrap()
}

fn net(name: &str) -> String {
    format!("{}/tests/nets/{name}.onnx", env!("CARGO_MANIFEST_DIR"))
}

/// A folder that is removed at the end of its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("embarca-data-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn texts_become_vectors() {
    let folder = Folder::new("vectors");
    let vocab = folder.write("vocab.txt", VOCAB);
    let encoder = net("encoder");
    // The mean of [CLS] 5 0, cat 3 4, [SEP] 5 0 is 13/3, 4/3; over its length 0.9558, 0.2941.
    let run = ["run", &encoder, "Cat", "--tokenizer", &vocab];
    assert_eq!(answer(&run), "2 numbers: 0.9558 0.2941\n");
    let several = ["run", &encoder, "cat", "dog", "cat", "--tokenizer", &vocab];
    let table = answer(&several);
    assert!(table.contains("1 cat") && table.lines().count() == 5, "{table}");
    assert!(table.lines().nth(2).unwrap().ends_with("1.000  0.996  1.000"), "{table}");

    // Files beside the model, here and one folder above, say how.
    let model = folder.write("onnx/model.onnx", std::fs::read(&encoder).unwrap());
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    assert_eq!(answer(&["run", &model, "cat"]), "2 numbers: 1.0000 0.0000\n");

    // A plan has it all.
    let plan = folder.0.join("a.plan").display().to_string();
    answer(&["build", &encoder, "--tokenizer", &vocab, "-o", &plan]);
    let (text, _) = said(&["run", &plan, "-"], "cat\n\n  dog \n");
    assert!(text.contains("1 cat") && text.contains("2 dog"), "{text}");
    assert_eq!(answer(&["run", &plan, "Cat"]), "2 numbers: 0.9558 0.2941\n");
    let json = answer(&["run", &plan, "cat", "--json"]);
    assert!(json.contains("\"task\":\"sentence-embedding\",\"embedding\":[0.95"), "{json}");

    let message = refusal(&["run", &encoder, "cat"]);
    assert!(message.contains("there is no tokenizer"), "{message}");
    assert!(message.contains("--tokenizer FILE"), "{message}");
    let wrong = folder.write("wrong.json", "{\"model\": 7}");
    let message = refusal(&["run", &encoder, "cat", "--tokenizer", &wrong]);
    assert!(message.contains("wrong.json"), "{message}");
}

#[test]
fn texts_are_classified() {
    let folder = Folder::new("classes");
    let model = folder.write("model.onnx", std::fs::read(net("classifier")).unwrap());
    folder.write("vocab.txt", VOCAB);
    folder.write("config.json", r#"{"id2label": {"0": "calm", "1": "wild"}}"#);
    // Logits 5 and 4.
    assert_eq!(answer(&["run", &model, "the cat"]), " 73.1% calm\n 26.9% wild\n");
    let csv = folder.write("a.csv", "id,text\n1,\"the cat\"\n2,dog\n");
    let lines = " 73.1% calm  the cat\n 88.1% calm  dog\n";
    assert_eq!(answer(&["run", &model, &csv]), lines);
    let tsv = folder.write("a.tsv", "x\tthe cat\ny\tdog\n");
    assert_eq!(answer(&["run", &model, &tsv, "--column", "2"]), lines);
    let txt = folder.write("a.txt", "the cat\ndog\n");
    assert_eq!(answer(&["run", &model, &txt]), lines);
    let message = refusal(&["run", &model, &csv, "--column", "words"]);
    assert!(message.contains("no column 'words'"), "{message}");

    let toml = "kind = \"classification\"\n[text]\ntokenizer = \"vocab.txt\"\nlength = 3\n";
    let task = folder.write("a.toml", toml);
    let (_, notes) = said(&["run", &model, "the cat sat", "--task", &task], "");
    assert!(notes.contains("1 text cut after 3 tokens"), "{notes}");
}

#[test]
fn rows_of_tables_have_answers() {
    let folder = Folder::new("rows");
    let linear = net("linear");
    assert_eq!(answer(&["run", &linear, "1,2"]), "y[0] 3.000000, y[1] 20.000000\n");
    let task = folder.write(
        "a.toml",
        "kind = \"regression\"\nlabels = [\"width\", \"mass\"]\nunits = [\"cm\", \"g\"]\n\
         [table]\ncolumns = [\"b\", \"a\"]\nmean = [1.0, 0.0]\nstd = [2.0]\n",
    );
    let csv = folder.write("a.csv", "name,a,b\nx,3,5\ny,-1,1\n");
    let want =
        "width 5.000000 cm, mass 15.000000 g  row 1\nwidth 1.000000 cm, mass -5.000000 g  row 2\n";
    assert_eq!(answer(&["run", &linear, &csv, "--task", &task]), want);
    let plan = folder.0.join("a.plan").display().to_string();
    answer(&["build", &linear, "--task", &task, "-o", &plan]);
    assert_eq!(answer(&["run", &plan, &csv]), want);
    let message = refusal(&["run", &linear, &csv]);
    assert!(message.contains("line 2, column 1"), "{message}");
    let message = refusal(&["run", &linear, "1,2,3,4,5"]);
    assert!(message.contains("takes 2 columns, the table has 5"), "{message}");

    // Half of what goes in comes out: the error of 2 is 1, of 4 it is 4.
    let half = net("half");
    let rows = "2,2\n".repeat(4) + &"4,4\n".repeat(3);
    let csv = folder.write("b.csv", rows);
    let task = folder
        .write("b.toml", "kind = \"anomaly\"\nthreshold = 3.0\n[table]\nlength = 4\nstep = 3\n");
    let want = "1.00 normal  rows 1-4\n3.25 anomalous  rows 4-7\n2.12 normal  mean of 2 windows\n";
    assert_eq!(answer(&["run", &half, &csv, "--task", &task]), want);
    let lower = answer(&["run", &half, &csv, "--task", &task, "--threshold", "0.5"]);
    assert!(lower.starts_with("1.00 anomalous"), "{lower}");
    let windows = Array::from_slice(&[2, 4, 2], &[2.0f32; 16]).unwrap().named("rows");
    let labels = Array::from_slice(&[2, 2], &[0.0f32; 4]).unwrap().named("classes");
    let archive = npz::write(&[windows, labels], Packing::Stored).unwrap();
    let archive = folder.write("b.npz", archive);
    let message = refusal(&["run", &half, &archive, "--task", &task]);
    assert!(message.contains("which array holds the rows? (rows, classes)"), "{message}");
    let text = answer(&["run", &half, &archive, "--task", &task, "--array", "rows"]);
    assert!(text.starts_with("1.00 normal  window 1\n"), "{text}");
    assert!(refusal(&["run", &half, &csv, "--column", "x"]).contains("models that take text"));
}

#[test]
fn descriptions_are_used_or_refused() {
    let folder = Folder::new("described");
    let csv = folder.write("a.csv", "a,b\n1,2\n");
    let npy = npy::write(&Array::from_slice(&[2, 2], &[1.0f32, 2.0, 3.0, 4.0]).unwrap()).unwrap();
    let npy = folder.write("a.npy", npy);
    let wav = folder.write("a.wav", b"RIFF\x24\0\0\0WAVEfmt ");
    let webp = folder.write("a.webp", b"RIFF\x24\0\0\0WEBPVP8 ");
    let y4m = folder.write("a.y4m", b"YUV4MPEG2 W2 H2\n");
    let [linear, half, classifier] = ["linear", "half", "classifier"].map(net);
    // What is said of which model given what, or why it is refused.
    for (toml, model, input, want) in [
        ("[table]\n", &linear, &csv[..], Ok("y[0] 3.000000, y[1] 20.000000\n")),
        ("[table]\nmean = [1.0, 0.0]\n", &linear, "1,2", Ok("y[0] 1.000000, y[1] 20.000000\n")),
        ("kind = 'regression'", &linear, "1,2", Ok("y[0] 3.000000, y[1] 20.000000\n")),
        ("kind = 'regression'", &linear, &npy, Ok("y[0] 3.000000, y[1] 20.000000  row 1\n")),
        ("labels = ['a', 'b']", &linear, "0,0.2", Ok(" 73.1% b\n 26.9% a\n")),
        ("kind = 'pose'", &linear, &csv, Err("'pose' takes pictures; ")),
        ("kind = 'wake-word'", &linear, "1,2", Err("takes sound; 1,2 is a row of numbers")),
        ("kind = 'keyword-spotting'", &linear, &wav, Err("a.toml: a [sound] table is missing")),
        ("kind = 'regression'", &linear, &webp, Err("a WebP picture, which is not read")),
        ("[table]\n", &linear, "-", Err("takes rows of numbers; standard input")),
        ("[table]\n", &linear, &y4m, Err("a.y4m is a video")),
        ("[table]\n", &half, "1,2", Err("and the model takes 4 at once")),
        ("[text]\n", &classifier, &wav, Err("takes text; ")),
        (
            "kind = 'detection'\n[table]\n",
            &linear,
            &csv,
            Err("line 1: kind = 'detection' does not go"),
        ),
        ("kind = 'classfication'", &linear, "1,2", Err("(is `classification` meant?)")),
        (
            "[table]\n\nmean = [1, 2, 3]",
            &linear,
            "1,2",
            Err("a.toml: line 3: mean takes one number or 2"),
        ),
        (
            "[table]\naxes = 'rows'",
            &linear,
            "1,2",
            Err("a.toml: line 2: axes = 'rows' is not known"),
        ),
        (
            "outputs = [1]\nkind = 'regression'",
            &linear,
            "1,2",
            Err("a.toml: line 1: the model has no output 1"),
        ),
    ] {
        let task = folder.write("a.toml", toml);
        let args = ["run", model, input, "--task", &task];
        match want {
            Ok(want) => {
                let text = answer(&args);
                assert!(text.starts_with(want), "{toml} {input}: {text}");
            }
            Err(part) => {
                let message = refusal(&args);
                assert!(message.contains(part), "{toml} {input}: {message}");
            }
        }
    }
    let message = refusal(&["run", &linear, "--tensors", &npy, "--task", "a.toml"]);
    assert!(message.contains("raw numbers"), "{message}");
    let rows = "y[0] 3.000000, y[1] 20.000000  row 1\ny[0] 7.000000, y[1] 40.000000  row 2\n";
    assert_eq!(answer(&["run", &linear, &npy]), rows);
}

#[test]
fn a_portable_graph_holds_no_task() {
    let message = refusal(&["build", &net("linear"), "-o", "x.emb", "--task", "a.toml"]);
    assert!(message.contains("a portable graph holds no task"), "{message}");
    assert!(message.contains("embarca build x.emb --task FILE.toml"), "{message}");
}

/// A path in the zoo, where there is one.
fn zoo(path: &str) -> Option<String> {
    let root = PathBuf::from(std::env::var_os("EMBARCA_ZOO")?);
    Some(root.join(path).display().to_string())
}

fn example(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("../../examples/tasks").join(name).display().to_string()
}

#[test]
fn sentences_are_as_alike_as_their_model_says() {
    let Some(model) = zoo("models/minilm_l6_int8w.onnx") else { return };
    let vocab = zoo("labels/bert_uncased_vocab.txt").unwrap();
    let texts = [
        "A man is riding a horse on the beach.",
        "Someone rides a horse along the shore.",
        "The stock market fell sharply today.",
        "How do I reset my password?",
        "I forgot my login, how can I change it?",
    ];
    let mut args = vec!["run", &model, "--tokenizer", &vocab];
    args.extend(texts);
    let table = answer(&args);
    let rows: Vec<Vec<&str>> =
        table.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    let cosine = |a: usize, b: usize| rows[a][rows[a].len() - 5 + b].parse::<f64>().unwrap();
    for (a, b, want) in [(0, 1, 0.72658), (0, 2, 0.00437), (3, 4, 0.66953), (3, 2, 0.03431)] {
        assert!((cosine(a, b) - want).abs() < 0.003, "{a} {b}: {}", cosine(a, b));
    }
}

#[test]
fn files_are_of_the_types_that_they_are() {
    let Some(model) = zoo("models/magika_v3.onnx") else { return };
    let labels = zoo("labels/magika_214.txt").unwrap();
    for (file, kind) in [
        ("images/cat.bmp", "bmp"),
        ("images/bus.jpg", "jpeg"),
        ("audio/yes_1000ms.wav", "wav"),
        ("README.md", "markdown"),
        ("verify.py", "python"),
        ("manifest.json", "json"),
    ] {
        let said = answer(&["run", &model, &zoo(file).unwrap(), "--labels", &labels, "--top", "1"]);
        assert!(said.trim_end().ends_with(&format!("% {kind}")), "{file}: {said}");
    }
}

#[test]
fn gestures_anomalies_and_angles() {
    let Some(data) = zoo("data/magic_wand_imu.npz") else { return };
    // What the reference runtime answers to the 25 gestures.
    let wanted = "0010001011101223333334444";
    let names = std::fs::read_to_string(zoo("labels/magic_wand.txt").unwrap()).unwrap();
    let names: Vec<&str> = names.lines().collect();
    let gesture = example("gesture.toml");
    for model in ["magic_wand_f32.tflite", "magic_wand_int8.tflite", "magic_wand.onnx"] {
        let model = zoo(&format!("models/{model}")).unwrap();
        let said = answer(&["run", &model, &data, "--task", &gesture, "--array", "test_x"]);
        let found: Vec<&str> =
            said.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        let want: Vec<&str> =
            wanted.bytes().map(|class| names[usize::from(class - b'0')]).collect();
        assert_eq!(found, want, "{model}");
    }
    let sounds = zoo("data/ad_toycar_normal.npz").unwrap();
    for (model, mean) in [("f32", "9.71"), ("int8", "10.3")] {
        let model = zoo(&format!("models/ad_autoencoder_{model}.tflite")).unwrap();
        let said = answer(&["run", &model, &sounds, "--task", &example("anomaly.toml")]);
        let last = said.lines().last().unwrap();
        assert_eq!(last, format!("{mean} normal  mean of 196 windows"));
    }
    for (model, precise) in [("f32", 0.04), ("int8", 0.06)] {
        let model = zoo(&format!("models/hello_world_{model}.tflite")).unwrap();
        for angle in [0.0f64, 0.7, 1.5, 3.0, 4.2, 6.2] {
            let said = answer(&["run", &model, &angle.to_string()]);
            let value: f64 = said.trim().parse().unwrap();
            assert!((value - angle.sin()).abs() < precise, "{angle}: {value}");
        }
    }
}
