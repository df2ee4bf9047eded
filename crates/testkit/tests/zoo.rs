//! The zoo's models reproduce their golden outputs.

use embarca_testkit::datasets;
use embarca_testkit::zoo::{Outcome, check, entries, folder, operators};

/// Models that must match.
const MUST: &[&str] = &[
    "ad_autoencoder_f32",
    "ad_autoencoder_int8",
    "audio_preprocessor_int8",
    "basic_pitch_onnx",
    "basic_pitch_tflite",
    "blazeface_short_f16",
    "deeplabv3_mnv2_dm05_pascal_uint8",
    "doc_orientation_lcnet",
    "hello_world_f32",
    "hello_world_int8",
    "ic_resnet8_f32",
    "ic_resnet8_int8",
    "kws_dscnn_f32",
    "kws_dscnn_int8",
    "lenet_mnist_caffe",
    "magic_wand_f32",
    "magic_wand_int8",
    "magic_wand_onnx",
    "magika_v3",
    "micro_speech_int8",
    "minilm_l6_int8w",
    "mnist_lstm_f32",
    "mnist_lstm_int8",
    "mobilenet_v1_0.25_128_uint8",
    "mobilenet_v2_1.0_224_ptq",
    "movenet_lightning_ptq",
    "mtcnn_onet",
    "mtcnn_pnet",
    "mtcnn_rnet",
    "nanodet_m_416",
    "person_detect_int8",
    "ppocr_cls",
    "ppocr_v6_tiny_det",
    "ppocr_v6_tiny_rec",
    "silero_vad",
    "silero_vad_sequence",
    "traffic_ssd_lstm_uint8",
    "ultraface_rfb_320_caffe",
    "ultraface_rfb_320_onnx",
    "vww_mobilenet_f32",
    "vww_mobilenet_int8",
    "wakeword_okay_nabu_int8",
    "wechat_qr_detect",
    "wechat_qr_sr",
    "yolov8n_faces_320",
];

#[test]
fn models_match_their_goldens() {
    let Some(folder) = folder() else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let only = std::env::var("EMBARCA_ONLY").ok();
    let mut failures = Vec::new();
    for entry in entries(&folder).unwrap() {
        if only.as_ref().is_some_and(|only| !entry.id.contains(only.as_str())) {
            continue;
        }
        let outcome = check(&entry, 1);
        match &outcome {
            Outcome::Match { cases, worst } => {
                println!("ok       {:<34} {cases} cases, largest difference {worst:.3e}", entry.id);
            }
            Outcome::Refused(message) => {
                let first = message.lines().next().unwrap_or_default();
                println!("refused  {:<34} {first}", entry.id);
            }
            Outcome::Wrong(message) => println!("WRONG    {:<34} {message}", entry.id),
        }
        let required = MUST.contains(&entry.id.as_str());
        match outcome {
            Outcome::Match { .. } => {}
            Outcome::Refused(_) if !required => {}
            _ => failures.push(entry.id),
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn operators_of_16_bits_equal_theirs() {
    let Some(folder) = folder() else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let ops = folder.join("ops");
    let outcomes = operators(&ops.join("seanet"), &ops.join("seanet_golden.npz")).unwrap();
    let same = |outcome: &Outcome| matches!(outcome, Outcome::Match { .. });
    let wrong: Vec<_> = outcomes.iter().filter(|(_, outcome)| !same(outcome)).collect();
    println!("{} of {} operators are equal", outcomes.len() - wrong.len(), outcomes.len());
    assert!(wrong.is_empty() && outcomes.len() == 64, "{wrong:#?}");
}

#[test]
fn data_sets_give_their_figures() {
    let Some(folder) = folder() else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let results = datasets::check(&folder).unwrap();
    for (id, result) in &results {
        println!("{id:<34} {result:?}");
    }
    assert_eq!(results.len(), 10);
    assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:#?}");
}

#[test]
fn a_long_line_reads_the_same() {
    let Some(folder) = folder() else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let model = folder.join("models/ppocr_v6_tiny_rec.onnx");
    let golden = folder.join("golden/ppocr_v6_tiny_rec_line2.npz");
    assert_eq!(datasets::best_classes(&model, &golden), Ok(140));
}
