//! Plans are reproducible, and results do not depend on threads.

use embarca_cpu::{LoadOptions, Plan};
use embarca_num::generate::SplitMix64;

fn models() -> Vec<std::path::PathBuf> {
    let tour = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tour/");
    let mut models: Vec<std::path::PathBuf> = ["digits_f32.tflite", "digits_int8.tflite"]
        .map(|name| format!("{tour}{name}").into())
        .into();
    if let Some(zoo) = embarca_testkit::zoo::folder() {
        for name in [
            "kws_dscnn_f32.tflite",
            "kws_dscnn_int8.tflite",
            "ic_resnet8_int8.tflite",
            "ultraface_rfb_320_onnx.onnx",
            "magic_wand.onnx",
            "mtcnn_pnet.prototxt",
            "mobilenet_v2_1.0_224_ptq.tflite",
        ] {
            let path = zoo.join("models").join(name);
            assert!(path.is_file(), "{}", path.display());
            models.push(path);
        }
    }
    models
}

fn outputs(plan: &[u8], threads: usize) -> Vec<Vec<u8>> {
    let options = LoadOptions { threads, ..LoadOptions::default() };
    let plan = Plan::from_bytes(plan, options).unwrap();
    assert_eq!(plan.threads(), threads);
    let mut session = plan.session().unwrap();
    let mut generator = SplitMix64(3);
    for index in 0..plan.inputs().len() {
        let dtype = session.input_type(index).unwrap().dtype;
        assert!(generator.fill(dtype, session.input_bytes(index).unwrap()));
    }
    // A second run must not see anything of the first.
    for _ in 0..2 {
        session.run().unwrap();
    }
    (0..plan.outputs().len()).map(|index| session.output_bytes(index).unwrap().to_vec()).collect()
}

#[test]
fn same_bits_whatever_the_number_of_threads() {
    for path in models() {
        let plan = embarca::Model::open(&path).unwrap().build(&["cpu"]).unwrap();
        let one = outputs(&plan, 1);
        for threads in [2, 3, 7] {
            assert!(outputs(&plan, threads) == one, "{}, {threads} threads", path.display());
        }
    }
}

#[test]
fn same_plan_from_two_folders_and_two_threads() {
    let folder = std::env::temp_dir().join(format!("embarca-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for path in models() {
        let copy = folder.join(path.file_name().unwrap());
        std::fs::copy(&path, &copy).unwrap();
        let weights = path.with_extension("caffemodel");
        if weights.is_file() {
            std::fs::copy(&weights, copy.with_extension("caffemodel")).unwrap();
        }
        let build = |path: &std::path::Path| {
            embarca::Model::open(path).unwrap().build(&["x86-64", "aarch64", "cpu"]).unwrap()
        };
        let (here, there) = std::thread::scope(|scope| {
            let there = scope.spawn(|| build(&copy));
            (build(&path), there.join().unwrap())
        });
        assert!(here == there, "{}", path.display());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn vectors_of_a_plan_match() {
    for path in models() {
        let plan = embarca::Model::open(&path).unwrap().build(&["cpu"]).unwrap();
        let plan = Plan::from_bytes(&plan, LoadOptions::default()).unwrap();
        for verdict in plan.run_vectors().unwrap() {
            assert!(matches!(verdict, embarca_cpu::Verdict::Match(_)), "{path:?}: {verdict:?}");
        }
    }
}
