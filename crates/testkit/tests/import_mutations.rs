//! Damaged model files are refused in bounded memory and time, or read; never a panic.

use std::time::{Duration, Instant};

use embarca_num::generate::SplitMix64;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One file of each format; those of the zoo are larger and stranger than those that come along.
fn files() -> Vec<std::path::PathBuf> {
    let tour = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tour/");
    let mut files: Vec<std::path::PathBuf> = vec![format!("{tour}digits_int8.tflite").into()];
    if let Some(zoo) = embarca_testkit::zoo::folder() {
        for name in ["hello_world_f32.tflite", "magic_wand.onnx", "mtcnn_pnet.prototxt"] {
            files.push(zoo.join("models").join(name));
        }
    }
    files
}

#[test]
fn a_thousand_mutations_of_each_format() {
    let folder = std::env::temp_dir().join(format!("embarca-mutations-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for path in files() {
        let extension = path.extension().unwrap().to_str().unwrap().to_owned();
        let original = std::fs::read(&path).unwrap();
        let weights = std::fs::read(path.with_extension("caffemodel")).ok();
        let copy = folder.join(format!("damaged.{extension}"));
        let mut generator = SplitMix64(5);
        for round in 0..1000u32 {
            // Of a net in two files every other round damages the second.
            let mut main = original.clone();
            let mut second = weights.clone();
            let damaged = match &mut second {
                Some(second) if round % 2 == 1 => second,
                _ => &mut main,
            };
            mutate(damaged, &mut generator);
            std::fs::write(&copy, &main).unwrap();
            let size = main.len() + second.as_ref().map_or(0, Vec::len);
            if let Some(second) = &second {
                std::fs::write(copy.with_extension("caffemodel"), second).unwrap();
            }
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let started = Instant::now();
            // Either end is legal; what is measured is the way there.
            let _ = embarca::Model::open(&copy);
            let peak = MEMORY.peak_usage().saturating_sub(before);
            let bound = 4 * size + (16 << 20);
            assert!(peak <= bound, "{extension} round {round}: {peak} bytes for a file of {size}");
            assert!(started.elapsed() < Duration::from_secs(5), "{extension} round {round}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn mutate(bytes: &mut Vec<u8>, generator: &mut SplitMix64) {
    let mut below = |n: usize| generator.draw() as usize % n.max(1);
    match below(5) {
        0 => bytes.truncate(below(bytes.len())),
        1 => {
            // A length or a count becomes huge.
            let at = below(bytes.len().saturating_sub(4));
            let huge = [0xff, 0xff, 0xff, if below(2) == 0 { 0x7f } else { 0xff }];
            for (byte, new) in bytes.iter_mut().skip(at).zip(huge) {
                *byte = new;
            }
        }
        2 => {
            let (from, len, to) = (below(bytes.len()), below(64), below(bytes.len()));
            let piece: Vec<u8> = bytes.iter().skip(from).take(len).copied().collect();
            bytes.splice(to..to, piece);
        }
        _ => {
            for _ in 0..1 + below(4) {
                let at = below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(8);
                }
            }
        }
    }
}
