//! Programs for microcontrollers compute what the host computes, bit for bit where numbers are
//! integers. Their steps run here in the portable forms; emulated boards run the others.

use std::collections::BTreeMap;

use embarca::{LoadOptions, Model};
use embarca_compile::BuildOptions;
use embarca_testkit::boards::Board;
use embarca_testkit::random::{Style, case};
use embarca_testkit::zoo;

/// The families of boards.
const FAMILIES: &[&str] = &["cortex-m3", "cortex-m4", "cortex-m55"];

#[test]
fn random_graphs_are_equal_on_boards() {
    for family in FAMILIES {
        let mut compared = 0;
        for seed in 0..300 {
            compared += usize::from(one(seed, family));
        }
        assert!(150 < compared, "only {compared} graphs have fixed sizes");
    }
}

/// Whether the graph of a seed has the sizes of its inputs.
fn one(seed: u64, family: &str) -> bool {
    let case = case(seed, 12, Style::Quantized);
    let target = embarca_target::find(family).unwrap();
    let options =
        BuildOptions { targets: vec![target], vectors: false, provenance: BTreeMap::new() };
    let bytes = embarca_compile::build(case.model.clone(), &options).unwrap();
    let mut board = Board::new(&bytes).unwrap();
    let mut device = board.load().unwrap();
    for (index, input) in case.inputs.iter().enumerate() {
        let to = device.input_bytes(index);
        if to.len() != input.data.len() {
            return false;
        }
        to.copy_from_slice(&input.data);
    }
    device.run().unwrap();
    let plain = embarca_opt::decompose(case.model).unwrap();
    for (index, want) in embarca_opt::eval(&plain, &case.inputs).unwrap().iter().enumerate() {
        let found = device.output_bytes(index);
        assert_eq!(found, &want.data[..], "{family}, seed {seed}, output {index}");
    }
    true
}

#[test]
fn integer_models_of_the_zoo_are_equal_on_boards() {
    let Some(zoo) = zoo::folder() else { return };
    for family in FAMILIES {
        let mut compared = 0;
        for entry in std::fs::read_dir(zoo.join("models")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_none_or(|e| e != "tflite") {
                continue;
            }
            let model = Model::open(&path).unwrap();
            // Control flow and whole-tensor programs of other runtimes are refused by name.
            let Ok(bytes) = model.build(&[family]) else { continue };
            let host = model.plan(LoadOptions::default()).unwrap();
            let mut session = host.session().unwrap();
            let mut board = Board::new(&bytes).unwrap();
            let mut device = board.load().unwrap();
            let integer = |dtype: u32| dtype != 1;
            let ports = device.device().outputs().iter().chain(device.device().inputs());
            if !ports.clone().all(|port| integer(port.dtype)) {
                continue;
            }
            let mut seed = 1u32;
            for _ in 0..2 {
                for (index, port) in device.device().inputs().iter().enumerate() {
                    let draw = |_| {
                        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
                        (seed >> 16) as u8
                    };
                    let data: Vec<u8> = (0..port.len).map(draw).collect();
                    device.input_bytes(index).copy_from_slice(&data);
                    session.input_bytes(index).unwrap().copy_from_slice(&data);
                }
                session.run().unwrap();
                device.run().unwrap();
                for index in 0..device.device().outputs().len() {
                    let want = session.output_bytes(index).unwrap();
                    assert!(want == device.output_bytes(index), "{name} on {family}, {index}");
                }
            }
            compared += 1;
        }
        assert!(8 < compared, "only {compared} models compared");
    }
}
