//! What people hear in the sounds of the zoo is what models with their tasks say; fronts compute what the
//! reference front ends do.

use std::f64::consts::PI;
use std::path::PathBuf;

use embarca::task::{Net, Port, SoundSpec, Spec, recognize_sound};
use embarca::{
    Event, Events, LoadOptions, Model, OpenOptions, Pipeline, Plan, Span, Staged, Stream,
};
use embarca_data::audio::{Resampler, Sound};
use embarca_data::{Array, DataLimits, labels, npz};
use embarca_ir::Const;
use embarca_num::DType;

fn zoo() -> Option<PathBuf> {
    std::env::var_os("EMBARCA_ZOO").map(PathBuf::from)
}

/// A recording of the zoo at a rate.
fn sound(name: &str, rate: u32) -> Vec<f32> {
    let bytes = std::fs::read(zoo().unwrap().join("audio").join(name)).unwrap();
    let mut sound = Sound::wav(&bytes[..], Some(bytes.len() as u64)).unwrap();
    let mut resampler = Resampler::new(sound.rate(), rate).unwrap();
    let (mut block, mut samples) = (Vec::new(), Vec::new());
    while sound.read(&mut block).unwrap() {
        resampler.push(&block, &mut samples);
    }
    resampler.finish(&mut samples);
    samples
}

fn golden(name: &str) -> Vec<Array> {
    let bytes = std::fs::read(zoo().unwrap().join("golden").join(name)).unwrap();
    npz::read(&bytes, &DataLimits::default()).unwrap()
}

fn named<'a>(arrays: &'a [Array], name: &str) -> &'a Array {
    arrays
        .iter()
        .find(|array| array.name.as_deref() == Some(name))
        .unwrap_or_else(|| panic!("{name}"))
}

fn open(model: &str) -> Model {
    let shapes = match model {
        "silero_vad.onnx" => {
            vec![("input".into(), vec![1, 576]), ("state".into(), vec![2, 1, 128])]
        }
        _ => Vec::new(),
    };
    let path = zoo().unwrap().join("models").join(model);
    Model::open_with(path, &OpenOptions { shapes, ..OpenOptions::default() }).unwrap()
}

/// A model with its task, as a stream.
fn stream(model: &str, names: Option<&str>) -> (Stream, embarca::Task) {
    let model = open(model);
    let mut net = model.net();
    if let Some(names) = names {
        let bytes = std::fs::read(zoo().unwrap().join("labels").join(names)).unwrap();
        net.labels = labels::read(&bytes, &DataLimits::default()).unwrap();
    }
    let spec = recognize_sound(&net, false).expect("a task that is recognized");
    let plan = model.plan(LoadOptions { threads: 1, ..LoadOptions::default() }).unwrap();
    let Staged { pipeline, task } = embarca::staged(&plan, &net, &spec).unwrap();
    (Stream::new(pipeline, &task).unwrap(), task)
}

/// Feeds a whole sound in blocks and calls `hear` at each answer.
fn listen(stream: &mut Stream, samples: &[f32], block: usize, mut hear: impl FnMut(&Stream, Span)) {
    stream.reset();
    for mut rest in samples.chunks(block) {
        while !rest.is_empty() {
            let (taken, span) = stream.feed(rest).unwrap();
            rest = &rest[taken..];
            if let Some(span) = span {
                hear(stream, span);
            }
        }
    }
    if let Some(span) = stream.finish().unwrap() {
        hear(stream, span);
    }
}

fn floats(pipeline: &Pipeline, name: &str) -> Vec<f32> {
    let bytes = pipeline.output(name).unwrap_or_else(|| panic!("no {name}")).data;
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn words_are_those_that_people_hear() {
    if zoo().is_none() {
        return;
    }
    let micro = ("micro_speech_int8.tflite", "micro_speech.txt");
    let int8 = ("kws_dscnn_int8.tflite", "kws12.txt");
    let float = ("kws_dscnn_f32.tflite", "kws12.txt");
    for ((model, names), file, truth) in [
        (micro, "yes_1000ms.wav", "yes"),
        (micro, "no_1000ms.wav", "no"),
        (micro, "silence_1000ms.wav", "silence"),
        (micro, "noise_1000ms.wav", "silence"),
        (int8, "yes_1000ms.wav", "Yes"),
        (int8, "silence_1000ms.wav", "Silence"),
        (int8, "noise_1000ms.wav", "Unknown"),
        (float, "yes_1000ms.wav", "Yes"),
        (float, "silence_1000ms.wav", "Silence"),
        // What the reference says too, on features of its own: the net is wrong.
        (float, "no_1000ms.wav", "Go"),
    ] {
        let (mut stream, task) = stream(model, Some(names));
        let mut answers = Vec::new();
        listen(&mut stream, &sound(file, 16000), 1000, |stream, _| {
            let scores = floats(stream.pipeline(), "probabilities");
            let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
            answers.push(task.labels[best].clone());
        });
        assert_eq!(answers, [truth], "{model} on {file}");
    }
}

#[test]
fn a_word_in_a_long_sound_is_found_once() {
    if zoo().is_none() {
        return;
    }
    let (mut stream, task) = stream("micro_speech_int8.tflite", Some("micro_speech.txt"));
    let mut samples = sound("noise_1000ms.wav", 16000);
    samples.extend(sound("silence_1000ms.wav", 16000));
    samples.extend(sound("yes_1000ms.wav", 16000));
    samples.extend(sound("silence_1000ms.wav", 16000));
    samples.extend(sound("silence_1000ms.wav", 16000));
    let mut events = Events::of(&task, 16000).unwrap();
    let mut heard = Vec::new();
    listen(&mut stream, &samples, 999, |stream, span| {
        let scores = floats(stream.pipeline(), "probabilities");
        heard.extend(events.push(span, &scores).into_iter().flatten());
    });
    let ends = heard.iter().filter_map(|event| match event {
        Event::Ends { class, start, end, .. } => Some((task.labels[*class].as_str(), *start, *end)),
        Event::Begins { .. } => None,
    });
    let ends: Vec<_> = ends.collect();
    let [("yes", start, end)] = ends[..] else { panic!("{heard:?}") };
    // The word is from 2.45 to 2.93 s.
    assert!(2.4 < start && start < end && end < 3.0, "{start} {end}");
}

/// The features of TFLM's audio preprocessor, bit for bit.
#[test]
fn micro_features_are_those_of_the_reference() {
    if zoo().is_none() {
        return;
    }
    let all = golden("audio_preprocessor_int8_features.npz");
    let (mut stream, _) = stream("micro_speech_int8.tflite", None);
    for name in ["yes_1000ms", "no_1000ms", "noise_1000ms", "silence_1000ms"] {
        let want = named(&all, name);
        assert_eq!(want.dims, [49, 40]);
        listen(&mut stream, &sound(&format!("{name}.wav"), 16000), 4096, |stream, _| {
            assert_eq!(stream.pipeline().output("in0").unwrap().data, want.data, "{name}");
        });
        assert_eq!(stream.answers(), 1);
    }
}

/// Frames each 10 ms, quantized by the input's own scale; states inside the model.
#[test]
fn wake_words_are_listened_for_as_the_reference_does() {
    if zoo().is_none() {
        return;
    }
    let all = golden("wakeword_okay_nabu_int8.npz");
    let (mut stream, task) = stream("wakeword_okay_nabu_int8.tflite", None);
    assert_eq!((stream.hop(), stream.clip()), (480, 800));
    let mut events = Events::of(&task, 16000).unwrap();
    let mut at = 0;
    let mut mean = Vec::new();
    listen(&mut stream, &sound("yes_1000ms.wav", 16000), 160, |stream, span| {
        let scores = floats(stream.pipeline(), "probabilities");
        assert_eq!(events.push(span, &scores), [None; 2]);
        if at == 32 {
            return;
        }
        for (mine, theirs) in [("in0", "in0"), ("out0", "out0")] {
            let want = named(&all, &format!("c{at}_{theirs}"));
            assert_eq!(stream.pipeline().output(mine).unwrap().data, want.data, "{mine} {at}");
        }
        mean.push(f32::from(named(&all, &format!("c{at}_out0")).data[0]) / 256.0);
        let last = &mean[mean.len().saturating_sub(5)..];
        let want = last.iter().sum::<f32>() / last.len() as f32;
        assert!((scores[0] - want).abs() < 1e-6, "{scores:?} {want}");
        at += 1;
    });
    assert_eq!(at, 32);
}

#[test]
fn speech_is_where_people_hear_it() {
    if zoo().is_none() {
        return;
    }
    let stream_golden = golden("silero_vad_stream.npz");
    for model in ["silero_vad.onnx", "silero_vad_sequence.onnx"] {
        let (mut stream, task) = stream(model, None);
        for (name, speech) in [("yes_1000ms", true), ("no_1000ms", true), ("noise_1000ms", false)] {
            let mut events = Events::of(&task, 16000).unwrap();
            let (mut scores, mut heard) = (Vec::new(), Vec::new());
            let samples = sound(&format!("{name}.wav"), 16000);
            listen(&mut stream, &samples, 16000, |stream, span| {
                let score = floats(stream.pipeline(), "probabilities");
                heard.extend(events.push(span, &score).into_iter().flatten());
                scores.extend(score);
            });
            heard.extend(events.finish(1.0));
            let golden = stream_golden.iter();
            let golden =
                golden.filter(|array| array.name.as_deref() == Some(&format!("prob_{name}")));
            for golden in golden {
                for (a, b) in scores.iter().zip(golden.to_f32().unwrap()) {
                    assert!((a - b).abs() < 2e-3, "{model} on {name}: {a} {b}");
                }
            }
            let ends = heard.iter().filter_map(|event| match event {
                Event::Ends { start, end, counts: true, .. } => Some((*start, *end)),
                _ => None,
            });
            let ends: Vec<_> = ends.collect();
            assert_eq!(ends.len(), usize::from(speech), "{model} on {name}: {heard:?}");
            for (start, end) in ends {
                assert!((0.3..0.55).contains(&start) && (0.8..1.0).contains(&end), "{start} {end}");
            }
        }
        // Eight thousand samples a second become sixteen.
        let samples = sound("fsdd/0_jackson_0.wav", 16000);
        let mut most = 0.0f32;
        listen(&mut stream, &samples, 16000, |stream, _| {
            most = most.max(floats(stream.pipeline(), "probabilities")[0]);
        });
        assert!(0.9 < most, "{model}: {most}");
    }
}

#[test]
fn notes_are_those_that_were_played() {
    if zoo().is_none() {
        return;
    }
    for model in ["basic_pitch.onnx", "basic_pitch.tflite"] {
        let (mut stream, _) = stream(model, None);
        let samples = sound("three_notes_22050.wav", 22050);
        let mut struck = Vec::new();
        listen(&mut stream, &samples, 5000, |stream, span| {
            let onsets = floats(stream.pipeline(), "onsets");
            let notes = floats(stream.pipeline(), "notes");
            assert_eq!(onsets.len(), 172 * 88);
            for (frame, row) in onsets.chunks(88).enumerate() {
                let at = (span.start + 256 * frame as i64) as f64 / 22050.0;
                let keys = (0..88).filter(|&key| 0.8 < row[key] && 0.3 < notes[frame * 88 + key]);
                struck.extend(keys.map(|key| (at, key)));
            }
        });
        for (at, key) in [(0.1, 39), (0.7, 43), (1.3, 46)] {
            let near = |(time, found): &(f64, usize)| (time - at).abs() < 0.06 && *found == key;
            assert!(struck.iter().any(near), "{model}: {at} {key} in {struck:?}");
        }
    }
}

#[test]
fn a_plan_hears_what_its_model_hears() {
    if zoo().is_none() {
        return;
    }
    let samples = sound("yes_1000ms.wav", 16000);
    for name in ["silero_vad.onnx", "micro_speech_int8.tflite", "wakeword_okay_nabu_int8.tflite"] {
        let model = open(name);
        let spec = embarca::task::recognize(&model.net(), false).unwrap();
        let bytes = model.build_task(&["x86-64", "aarch64", "cpu"], Some(&spec)).unwrap();
        let plan = Plan::from_bytes(&bytes, LoadOptions::default()).unwrap();
        let stored = Pipeline::of(&plan).unwrap().unwrap();
        let mut stored = Stream::new(stored, &plan.task()).unwrap();
        let (mut made, _) = stream(name, None);
        let run = |stream: &mut Stream, block| {
            let mut answers = Vec::new();
            listen(stream, &samples, block, |stream, span| {
                answers.push((span, floats(stream.pipeline(), "probabilities")));
            });
            answers
        };
        let whole = run(&mut made, samples.len());
        assert_eq!(whole, run(&mut stored, 7), "{name}");
        // A second time nothing is left of the first.
        assert_eq!(whole, run(&mut stored, 1000), "{name}");
        // The model keeps its own interface.
        assert_eq!(plan.inputs().len(), model.net().inputs.len());
    }
}

#[test]
fn a_stream_is_bounded() {
    if zoo().is_none() {
        return;
    }
    let model = open("micro_speech_int8.tflite");
    let (net, plan) = (model.net(), model.plan(LoadOptions::default()).unwrap());
    let spec = recognize_sound(&net, false).unwrap();
    for (name, value, fits) in [
        ("sound-rows", 49.0, true),
        ("sound-rows", 50_000.0, true),
        ("sound-rows", 53_000.0, false),
        ("sound-rows", 16_777_216.0, false),
        ("sound-every", 52_000.0, true),
        ("sound-every", 53_000.0, false),
        ("sound-every", 0.0, false),
        ("sound-step", 16_777_216.0, false),
    ] {
        let Staged { pipeline, mut task } = embarca::staged(&plan, &net, &spec).unwrap();
        let found = task.values.iter_mut().find(|(known, _)| known == name);
        found.expect(name).1 = value;
        assert_eq!(Stream::new(pipeline, &task).is_ok(), fits, "{name} = {value}");
    }
}

/// A net that takes f32 of these dimensions.
fn net(dims: &[usize]) -> Net {
    let port = Port {
        name: "x".into(),
        dtype: DType::F32,
        dims: dims.iter().map(|&dim| Some(dim)).collect(),
        quant: None,
        finish: embarca::task::Finish::Softmax,
    };
    let scores = Port { dims: vec![Some(1), Some(3)], ..port.clone() };
    Net { inputs: vec![port], outputs: vec![scores], ..Net::default() }
}

/// What a front makes of samples.
fn front(table: &str, dims: &[usize], samples: &[f32]) -> Vec<f64> {
    let spec = Spec::from_toml(&format!("[sound]\n{table}")).unwrap();
    let stages = embarca::task::stages(&spec, &net(dims)).unwrap();
    let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    let samples = Const::new(DType::F32, vec![samples.len()], bytes).unwrap();
    let outputs = embarca_opt::eval(&stages.front.unwrap(), &[samples]).unwrap();
    assert_eq!(outputs[0].dims, dims);
    outputs[0].to_f64().unwrap()
}

/// A reference in f64 that shares no code with the fronts.
struct Reference {
    rate: f64,
    window: usize,
    step: usize,
    fft: usize,
    power: i32,
}

impl Reference {
    fn spectra(&self, x: &[f64], frames: usize) -> Vec<Vec<f64>> {
        let frame = |t: usize| {
            let weighed = |n: usize| {
                let hann = (PI * n as f64 / self.window as f64).sin().powi(2);
                x[t * self.step + n] * hann
            };
            let bin = |k: usize| {
                let phase = |n: usize| 2.0 * PI * (k * n) as f64 / self.fft as f64;
                let re: f64 = (0..self.window).map(|n| weighed(n) * phase(n).cos()).sum();
                let im: f64 = (0..self.window).map(|n| weighed(n) * phase(n).sin()).sum();
                re.hypot(im).powi(self.power)
            };
            (0..=self.fft / 2).map(bin).collect()
        };
        (0..frames).map(frame).collect()
    }

    fn bands(
        &self,
        row: &[f64],
        corners: &[f64],
        mel: impl Fn(f64) -> f64,
        area: bool,
    ) -> Vec<f64> {
        let band = |corner: &[f64]| {
            let sum = row.iter().enumerate().skip(1).map(|(k, x)| {
                let at = mel(k as f64 * self.rate / self.fft as f64);
                let [a, b, c] = [corner[0], corner[1], corner[2]];
                let weight = if at < b { (at - a) / (b - a) } else { (c - at) / (c - b) };
                x * weight.max(0.0)
            });
            sum.sum::<f64>() * if area { 2.0 / (corner[2] - corner[0]) } else { 1.0 }
        };
        corners.windows(3).map(band).collect()
    }
}

/// Tones, noise and a pause.
fn synthetic(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let sample = |i: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
        let t = i as f64 / 8000.0;
        let tones = (2.0 * PI * 440.0 * t).sin() * 0.3 + (2.0 * PI * 1850.0 * t).sin() * 0.05;
        let loud = if i % 400 < 60 { 0.0 } else { 1.0 };
        (loud * (tones + 0.01 * noise)) as f32
    };
    (0..len).map(sample).collect()
}

fn close(what: &str, found: &[f64], want: &[f64], bound: f64) {
    assert_eq!(found.len(), want.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= bound * b.abs().max(1.0), "{what}: {a} for {b} at {i}");
    }
}

#[test]
fn mel_bands_and_coefficients_are_those_of_a_reference() {
    let (frames, step) = (6, 100);
    let reference = Reference { rate: 8000.0, window: 200, step, fft: 256, power: 2 };
    let samples = synthetic(200 + (frames - 1) * step);
    let x: Vec<f64> = samples.iter().copied().map(f64::from).collect();
    let spectra = reference.spectra(&x, frames);
    let sizes = "rate = 8000\nwindow = 200\nstep = 100\n";

    let found = front(&format!("{sizes}features = \"spectrogram\""), &[1, 6, 129], &samples);
    close("spectrogram", &found, &spectra.concat(), 1e-5);

    let found = front(
        &format!("{sizes}features = \"mel\"\nbands = 20\nlow = 50\nhigh = 3800"),
        &[1, 6, 20],
        &samples,
    );
    let htk = |f: f64| 2595.0 * (1.0 + f / 700.0).log10();
    let hertz = |m: f64| 700.0 * (10f64.powf(m / 2595.0) - 1.0);
    let corners = |n: usize, low: f64, high: f64| -> Vec<f64> {
        (0..n + 2).map(|i| low + (high - low) * i as f64 / (n + 1) as f64).collect()
    };
    let mels = corners(20, htk(50.0), htk(3800.0));
    let hz: Vec<f64> = mels.iter().map(|&m| hertz(m)).collect();
    let want: Vec<f64> = spectra
        .iter()
        .flat_map(|row| reference.bands(row, &hz, |f| f, false))
        .map(f64::ln)
        .collect();
    close("htk", &found, &want, 1e-5);

    // Slaney's scale and areas, decibels; bands first.
    let found = front(
        &format!(
            "{sizes}features = \"mel\"\nbands = 16\nmel = \"slaney\"\narea = \"slaney\"\nlog = \"decibel\"\nfloor = 1e-10\npreemphasis = 0.97"
        ),
        &[1, 16, 6],
        &samples,
    );
    let emphasized: Vec<f64> =
        (0..x.len()).map(|i| x[i] - if i == 0 { 0.0 } else { 0.97 * x[i - 1] }).collect();
    let slaney = |f: f64| {
        if f < 1000.0 { f / (200.0 / 3.0) } else { 15.0 + (f / 1000.0).ln() / (6.4f64.ln() / 27.0) }
    };
    let back = |m: f64| {
        if m < 15.0 { m * 200.0 / 3.0 } else { 1000.0 * ((m - 15.0) * 6.4f64.ln() / 27.0).exp() }
    };
    let hz: Vec<f64> = corners(16, 0.0, slaney(4000.0)).into_iter().map(back).collect();
    let rows = reference.spectra(&emphasized, frames);
    let rows: Vec<Vec<f64>> =
        rows.iter().map(|row| reference.bands(row, &hz, |f| f, true)).collect();
    let want: Vec<f64> = (0..16)
        .flat_map(|band| rows.iter().map(move |row| 10.0 * row[band].max(1e-10).log10()))
        .collect();
    close("slaney", &found, &want, 1e-4);

    // TensorFlow's coefficients of MLPerf Tiny, of a clip by its peak.
    let magnitudes = Reference { power: 1, ..reference };
    let peak = x.iter().copied().fold(f64::MIN, f64::max);
    let level: Vec<f64> = x.iter().map(|x| x / peak).collect();
    let mel = |f: f64| 1127.0 * (f / 700.0).ln_1p();
    let mels = corners(24, mel(20.0), mel(4000.0));
    let coefficients = |row: &Vec<f64>| -> Vec<f64> {
        let logs: Vec<f64> =
            magnitudes.bands(row, &mels, mel, false).into_iter().map(|x| (x + 1e-6).ln()).collect();
        let term = |k: usize, n: usize| (PI * k as f64 * (2 * n + 1) as f64 / 48.0).cos();
        let sum = |k: usize| logs.iter().enumerate().map(|(n, x)| x * term(k, n)).sum::<f64>();
        (0..8).map(|k| sum(k) * (2.0f64 / 24.0).sqrt()).collect()
    };
    let want: Vec<f64> = magnitudes.spectra(&level, frames).iter().flat_map(coefficients).collect();
    let found = front(
        &format!(
            "{sizes}features = \"mfcc\"\nlevel = \"peak\"\nspectrum = \"magnitude\"\nbands = 24\nlow = 20\n\
             high = 4000\nmel = \"tensorflow\"\noffset = 1e-6\ncoefficients = 8\ndct = \"tensorflow\""
        ),
        &[1, 6, 8, 1],
        &samples,
    );
    close("mfcc", &found, &want, 2e-5);
}

#[test]
fn clips_are_normalized_and_silence_stays_finite() {
    let sizes = "rate = 8000\nwindow = 200\nstep = 100\nfeatures = \"mel\"\nbands = 8\n";
    let samples = synthetic(700);
    let found = front(&format!("{sizes}normalize = \"bands\""), &[1, 6, 8], &samples);
    for band in 0..8 {
        let column: Vec<f64> = (0..6).map(|row| found[row * 8 + band]).collect();
        let mean = column.iter().sum::<f64>() / 6.0;
        let square = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 6.0;
        assert!(mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-4, "{mean} {square}");
    }
    for extra in ["", "level = \"peak\"", "normalize = \"clip\"", "mean = [1.5]\nstd = [2.0]"] {
        let found = front(&format!("{sizes}{extra}"), &[1, 6, 8], &[0.0; 700]);
        assert!(found.iter().all(|x| x.is_finite()), "{extra}: {found:?}");
    }
}

#[test]
fn contradictions_are_refused() {
    for (table, dims, part) in [
        ("features = \"cepstrum\"", &[1, 49, 10][..], "'cepstrum' is not known"),
        ("features = \"mel\"\nbands = 9", &[1, 49, 10], "no frames of 9"),
        ("features = \"mel\"\nbands = 10\nframes = 3", &[1, 49, 10], "the model takes 49"),
        ("features = \"mel\"\nbands = 10\nwindow = 512\nfft = 256", &[1, 49, 10], "shorter than"),
        ("features = \"mel\"\nbands = 10\nhigh = 9000", &[1, 49, 10], "at 16000 Hz"),
        ("features = \"mel\"\nbands = 10\ncoefficients = 10", &[1, 49, 10], "does not belong"),
        ("features = \"mel\"\nbands = 10\nshape = \"bow\"", &[1, 49, 10], "'bow' is not known"),
        ("features = \"mel\"\nbands = 10\nmean = [1, 2]", &[1, 49, 10], "one number or 10"),
        ("features = \"mfcc\"\nbands = 9\ncoefficients = 10", &[1, 49, 10], "10 coefficients of 9"),
        ("features = \"mel\"\nbands = 10\nwindow = 4000000", &[1, 49, 10], "too large"),
        ("features = \"samples\"", &[1, 49, 10], "does not take a row of samples"),
        ("features = \"samples\"\nwindow = 9", &[1, 490], "takes 490 samples"),
        ("features = \"micro\"", &[1, 49, 10], "no frames of 40"),
        ("features = \"micro\"\nhigh = 8500", &[1, 49, 40], "125 to 8500 Hz at 16000 Hz"),
        ("features = \"micro\"\nlow = 7600", &[1, 49, 40], "7600 to 7500 Hz"),
        ("features = \"micro\"\nlow = -1", &[1, 49, 40], "-1 to 7500 Hz"),
        ("features = \"micro\"\nhigh = 8000", &[1, 49, 40], "half the rate"),
        ("features = \"micro\"\nstep = 4000000", &[1, 49, 40], "too large"),
        ("features = \"micro\"\nstep = 320\nhop = 500", &[1, 49, 40], "no multiple of step"),
        ("features = \"micro\"\nstep = 320\nhop = 160", &[1, 49, 40], "no multiple of step"),
        (
            "features = \"mfcc\"\nwindow = 41\nfft = 41\nbands = 100000\ncoefficients = 100000",
            &[1, 1, 100_000],
            "times bands is too large",
        ),
        (
            "features = \"mel\"\nwindow = 41\nfft = 50\nbands = 100000",
            &[1, 1, 100_000],
            "times bands is too large",
        ),
        ("features = \"micro\"\nwindow = 20", &[1, 49, 40], "33 to 8192"),
        ("features = \"micro\"\nrounding = \"tflm\"", &[1, 49, 40], "the input takes f32"),
        ("features = \"micro\"\nlevel = \"peak\"", &[1, 49, 40], "does not belong"),
        ("input = 2", &[1, 490], "no input 2"),
    ] {
        let spec = Spec::from_toml(&format!("[sound]\n{table}")).unwrap();
        let error = embarca::task::stages(&spec, &net(dims)).unwrap_err().to_string();
        assert!(error.contains(part), "{table}: {error}");
    }
    // Each key, and the features that it says something about.
    let all = ["samples", "spectrogram", "mel", "mfcc", "micro"];
    for (key, of) in [
        ("step = 160", &all[1..]),
        ("frames = 49", &all[1..]),
        ("first = \"time\"", &all[1..]),
        ("context = 8", &all[..1]),
        ("gain = 2.0", &all[..4]),
        ("level = \"peak\"", &all[..4]),
        ("preemphasis = 0.9", &all[..4]),
        ("shape = \"hann\"", &all[1..4]),
        ("fft = 512", &all[1..4]),
        ("spectrum = \"power\"", &all[1..4]),
        ("bands = 40", &all[2..]),
        ("low = 130.0", &all[2..]),
        ("high = 7000.0", &all[2..]),
        ("mel = \"htk\"", &all[2..4]),
        ("area = \"slaney\"", &all[2..4]),
        ("log = \"ten\"", &all[1..4]),
        ("offset = 1.0", &all[1..4]),
        ("floor = 1.0", &all[1..4]),
        ("coefficients = 13", &all[3..4]),
        ("dct = \"ortho\"", &all[3..4]),
        ("normalize = \"clip\"", &all[1..4]),
        ("mean = [1.0]", &all[..4]),
        ("std = [2.0]", &all[..4]),
        ("rounding = \"input\"", &all[4..]),
        ("hop = 320", &all[..]),
        ("lead = 8", &all[..]),
    ] {
        for (features, dims) in all.iter().zip([
            &[1, 16000][..],
            &[1, 49, 257],
            &[1, 49, 40],
            &[1, 49, 13],
            &[1, 49, 40],
        ]) {
            let table = format!("[sound]\nfeatures = \"{features}\"\n{key}");
            let spec = Spec::from_toml(&table).unwrap();
            let stages = embarca::task::stages(&spec, &net(dims));
            let refused = stages.err().map(|error| error.to_string());
            match (of.contains(features), &refused) {
                (true, None) => {}
                (false, Some(error)) if error.contains("does not belong") => {}
                _ => panic!("{table}: {refused:?}"),
            }
        }
    }
    for (table, part) in [
        ("[sound]\nrate = 0", "between 1000 and 768000"),
        ("[sound]\nwindow = 0", "window lies between"),
        ("[sound]\nfft = 99999999999", "fft lies between"),
        ("[sound]\ngain = inf", "not finite"),
        ("[events]\nsmooth = 0", "smooth"),
        ("[events]\nrelease = 2.0", "release"),
        ("[events]\ngap = -1.0", "seconds"),
        ("[sound]\npitch = 3", "unknown field"),
    ] {
        let error = Spec::from_toml(table).unwrap_err().to_string();
        assert!(error.contains(part), "{table}: {error}");
    }
    assert_eq!(SoundSpec::default().rate(), 16000);
}
