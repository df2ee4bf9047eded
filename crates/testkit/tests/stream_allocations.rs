//! From the second answer on a stream of sound allocates nothing. Alone in its process, because it counts
//! what the process allocates.

use std::path::{Path, PathBuf};

use embarca::task::recognize_sound;
use embarca::{LoadOptions, Model, OpenOptions, Staged, Stream};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A model of the zoo with its task, on one thread.
fn stream(zoo: &Path, name: &str, shapes: &[(&str, &[u64])]) -> Stream {
    let shapes = shapes.iter().map(|(name, dims)| ((*name).to_owned(), dims.to_vec())).collect();
    let options = OpenOptions { shapes, ..OpenOptions::default() };
    let model = Model::open_with(zoo.join("models").join(name), &options).unwrap();
    let net = model.net();
    let spec = recognize_sound(&net, false).expect("a task that is recognized");
    let plan = model.plan(LoadOptions { threads: 1, ..LoadOptions::default() }).unwrap();
    let Staged { pipeline, task } = embarca::staged(&plan, &net, &spec).unwrap();
    Stream::new(pipeline, &task).unwrap()
}

#[test]
fn nothing_is_allocated_from_answer_to_answer() {
    let Some(zoo) = std::env::var_os("EMBARCA_ZOO").map(PathBuf::from) else { return };
    let silero: &[(&str, &[u64])] = &[("input", &[1, 576]), ("state", &[2, 1, 128])];
    for (name, shapes) in [
        ("silero_vad.onnx", silero),
        ("micro_speech_int8.tflite", &[]),
        ("wakeword_okay_nabu_int8.tflite", &[]),
        ("kws_dscnn_int8.tflite", &[]),
    ] {
        let mut stream = stream(&zoo, name, shapes);
        let samples: Vec<f32> = (0..1000).map(|i| ((i * i) as f32 * 0.01).sin() * 0.3).collect();
        let mut checked = 0;
        while stream.answers() < 12 {
            let mut rest = &samples[..];
            while !rest.is_empty() {
                let (before, answers) = (MEMORY.current_usage(), stream.answers());
                MEMORY.reset_peak_usage();
                let (taken, _) = stream.feed(rest).unwrap();
                let grown = MEMORY.peak_usage() - before;
                rest = &rest[taken..];
                if 1 <= answers {
                    assert_eq!(grown, 0, "{name}: bytes behind answer {answers}");
                    checked += 1;
                }
            }
        }
        assert!(10 <= checked, "{name}");
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        stream.finish().unwrap();
        assert_eq!(MEMORY.peak_usage(), before, "{name}: at its end");
    }
}
