//! The zoo's models reproduce their golden outputs.

use embarca_testkit::zoo::{Outcome, check, entries, folder};

/// Models that must match.
const MUST: &[&str] = &[
    "ad_autoencoder_f32",
    "ad_autoencoder_int8",
    "blazeface_short_f16",
    "hello_world_f32",
    "hello_world_int8",
    "ic_resnet8_f32",
    "ic_resnet8_int8",
    "kws_dscnn_f32",
    "kws_dscnn_int8",
    "lenet_mnist_caffe",
    "magic_wand_f32",
    "magic_wand_int8",
    "micro_speech_int8",
    "mobilenet_v1_0.25_128_uint8",
    "mobilenet_v2_1.0_224_ptq",
    "mtcnn_onet",
    "mtcnn_pnet",
    "mtcnn_rnet",
    "person_detect_int8",
    "vww_mobilenet_f32",
    "vww_mobilenet_int8",
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
