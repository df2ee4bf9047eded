//! What is written as ONNX or TFLite comes back and computes the same.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use embarca_ir::foreign::Format;
use embarca_ir::{Def, Model, text, verify};
use embarca_num::DType;
use embarca_testkit::cases::SUITES;
use embarca_testkit::cases::check::round_trip;
use embarca_testkit::zoo::{Outcome, check, entries, folder};

/// Operators of which no case has a spelling.
const NEVER: &[&str] = &[
    "bit_cast",
    "cast_small",
    "class_nms",
    "ctc",
    "fft",
    "for_loop",
    "gru",
    "if_else",
    "lstm",
    "luma",
    "nms",
    "outline",
    "placement",
    "places",
    "prior_box",
    "prior_detections",
    "quantized_lstm",
    "refuse",
    "resample",
    "rnn",
    "scan",
    "signal",
    "spectrum",
    "ssd_detections",
    "suppress",
    "while_loop",
];

/// Those that TFLite alone has no words for.
const NEVER_TFLITE: &[&str] =
    &["bitwise_not", "gather_elements", "roi_align", "scatter_elements", "scatter_nd"];

/// Models of a size that their file fixes, fed with others.
const FIXED: &[&str] = &["mtcnn_pnet", "wechat_qr_sr"];

/// Models that no format, or not ONNX, has words for.
const REFUSED: &[&str] = &[
    "audio_preprocessor_int8",
    "mnist_lstm_f32",
    "mnist_lstm_int8",
    "silero_vad_sequence",
    "traffic_ssd_lstm_uint8",
    "wechat_qr_detect",
];
const REFUSED_AS_ONNX: &[&str] = &["wakeword_okay_nabu_int8"];

/// Operators whose cases are fed what an importer has to know.
const FED: &[&str] = &["range"];

fn cases(format: Format, never: impl Iterator<Item = &'static &'static str>) {
    let only = std::env::var("EMBARCA_ONLY").unwrap_or_default();
    let mut failures = Vec::new();
    let mut silent = BTreeSet::new();
    let (mut written, mut all) = (0, 0);
    let meant = |module: &str| module.starts_with(&only) && !FED.contains(&module);
    for (module, cases) in SUITES.iter().filter(|(module, _)| meant(module)) {
        let mut any = false;
        for case in cases().iter().filter(|case| !case.fails) {
            // A panic of one case hides no other.
            let result = catch_unwind(AssertUnwindSafe(|| round_trip(case, format)));
            match result.unwrap_or_else(|_| Err("panics, as shown above".to_owned())) {
                Ok(spelled) => {
                    any |= spelled;
                    written += usize::from(spelled);
                }
                Err(error) => {
                    any = true;
                    failures.push(format!("{module}, '{}': {error}", case.name));
                }
            }
            all += 1;
        }
        if !any {
            silent.insert(*module);
        }
    }
    println!("{written} of {all} cases are written as {}", format.name());
    let list = failures.join("\n");
    assert!(failures.is_empty(), "{} failures as {}\n{list}", failures.len(), format.name());
    if only.is_empty() {
        let never: BTreeSet<&str> = never.copied().collect();
        assert_eq!(silent, never, "operators without a spelling in {}", format.name());
    }
}

#[test]
fn cases_come_back_from_onnx() {
    cases(Format::Onnx, NEVER.iter());
}

#[test]
fn cases_come_back_from_tflite() {
    cases(Format::TfLite, NEVER.iter().chain(NEVER_TFLITE));
}

/// Models that are written in a format, and still give their golden outputs; quantized ones in their
/// own format.
#[test]
fn models_come_back() {
    let Some(zoo) = folder() else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let only = std::env::var("EMBARCA_ONLY").unwrap_or_default();
    let scratch = std::env::temp_dir().join(format!("embarca-export-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let mut failures = Vec::new();
    for entry in entries(&zoo).unwrap().into_iter().filter(|entry| entry.id.contains(&only)) {
        let Ok(model) = embarca::Model::open(&entry.model) else { continue };
        if FIXED.contains(&entry.id.as_str()) {
            continue;
        }
        let quantized = model.graph().main().values.iter().any(|value| value.ty.is_quantized());
        for (format, ending) in [(Format::Onnx, "onnx"), (Format::TfLite, "tflite")] {
            let name = format!("{} as {}", entry.id, format.name());
            let own = model.graph().meta.format == format.name();
            let bytes = match model.export(format) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let id = entry.id.as_str();
                    let onnx = format == Format::Onnx && REFUSED_AS_ONNX.contains(&id);
                    if !onnx && !REFUSED.contains(&id) {
                        failures.push(format!("{name}: {error}"));
                    }
                    continue;
                }
            };
            let mut twin = entry.clone();
            twin.model = scratch.join(format!("{}.{ending}", entry.id));
            std::fs::write(&twin.model, bytes).unwrap();
            match check(&twin, 1) {
                Outcome::Match { worst, .. } => println!("ok       {name}: {worst:.3e}"),
                // Each format has its own rule for rounding sums of quantized products, and no bound
                // holds for what a net makes of that: only that it comes back and runs is tested.
                Outcome::Wrong(message) if !own && quantized => {
                    println!("apart    {name}: {message}");
                }
                other => failures.push(format!("{name}: {other:?}")),
            }
        }
    }
    std::fs::remove_dir_all(&scratch).unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn graph(text: &str) -> Model {
    let model = text::parse(&format!("model v1\n{text}"), &[]).unwrap();
    verify(&model).unwrap();
    model
}

fn read_back(model: &Model, format: Format) -> Model {
    let bytes = embarca_export::write(model, format).unwrap();
    let limits = embarca_import::ImportLimits::default();
    let foreign = match format {
        Format::TfLite => embarca_import::tflite::read(&bytes, &limits),
        _ => embarca_import::onnx::read(&bytes, &limits, &mut embarca_import::onnx::NoExternal),
    };
    embarca_ir::build::build(&foreign.unwrap(), &Default::default()).unwrap()
}

const DOUBLED: &str =
    "graph g {\n  %0 \"x\" = input f32[1,2]\n  %1 = add(%0, %0)\n  output %1 \"y\"\n}\n";

#[test]
fn class_names_come_back_or_are_named() {
    let mut model = graph(DOUBLED);
    model.meta.labels = vec!["it's".to_owned(), r"back\slash".to_owned()];
    assert_eq!(read_back(&model, Format::Onnx).meta.labels, model.meta.labels);
    assert_eq!(embarca_export::left_out(&model, Format::Onnx), Vec::<String>::new());
    assert_eq!(embarca_export::left_out(&model, Format::TfLite), ["the names of 2 classes"]);
}

#[test]
fn convolutions_of_plain_integers_are_refused() {
    let model = graph(
        "graph g {\n  %0 \"x\" = input i32[1,2,2,1]\n  %1 = const #0 i32[1,1,1,1] [3]\n  \
         %2 = conv2d(%0, %1) {strides=[1, 1], dilations=[1, 1], pads=[0, 0, 0, 0], \
         groups=1, rescale=tflite}\n  output %2 \"y\"\n}\n",
    );
    for format in [Format::Onnx, Format::TfLite] {
        let error = embarca_export::write(&model, format).unwrap_err().to_string();
        assert!(error.contains("no format convolves plain i32"), "{error}");
    }
}

/// Weights of 8 bits under a zero point that is not 0, which TFLite's kernels do not take.
#[test]
fn weights_are_shifted_to_a_zero_point_of_0() {
    let convolved = |numbers: &str| {
        graph(&format!(
            "graph g {{\n  %0 \"x\" = input i8[1,2,2,1] q(0.5, 3)\n  \
             %1 = const #0 i8[2,1,1,1] q(0.25, -20) {numbers}\n  \
             %2 = conv2d(%0, %1) {{strides=[1, 1], dilations=[1, 1], pads=[0, 0, 0, 0], \
             groups=1, rescale=tflite}}\n  output %2 \"y\"\n}}\n"
        ))
    };
    let error = embarca_export::write(&convolved("[-20, 120]"), Format::TfLite).unwrap_err();
    assert!(error.to_string().contains("weights with a zero point of 0"), "{error}");
    let model = read_back(&convolved("[-25, 90]"), Format::TfLite);
    let weights = model.main().values.iter().find_map(|value| {
        let Def::Const(id) = value.def else { return None };
        let data = model.constant(id);
        (data.dtype == DType::I8).then(|| (data.to_i64(), value.ty.quant.clone()))
    });
    let (numbers, quant) = weights.unwrap();
    assert_eq!(numbers.unwrap(), [-5, 110]);
    assert_eq!(quant.unwrap().zero_points, [0]);
}
