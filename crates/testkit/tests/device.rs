//! Device programs compute what the host computes.

use std::path::PathBuf;

use embarca::{LoadOptions, Model};
use embarca_kernels::device::{self, Frame, Portable, opcode};
use embarca_kernels::{Fault, Kernel, Opcode, portable};
use embarca_mcu::Table;
use embarca_plan::Unit;

fn find(opcode: u16) -> Option<&'static Kernel> {
    portable(Opcode(opcode))
}

fn general(frame: &Frame<'_>) -> Result<(), Fault> {
    device::general(frame, find)
}

const TABLE: &Table = &[
    (opcode::CONV, device::conv::<Portable>),
    (opcode::DEPTHWISE, device::depthwise::<Portable>),
    (opcode::DENSE, device::dense::<Portable>),
    (opcode::GENERAL, general),
];

#[test]
fn the_zoo_is_equal_on_devices() {
    let Some(zoo) = std::env::var_os("EMBARCA_ZOO").map(PathBuf::from) else { return };
    let only = std::env::var("EMBARCA_ONLY").unwrap_or_default();
    let mut failures = Vec::new();
    for entry in std::fs::read_dir(zoo.join("models")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|e| e != "tflite") || !name.contains(&only) {
            continue;
        }
        let model = Model::open(&path).unwrap();
        let bytes = match model.build(&["cortex-m4"]) {
            Ok(bytes) => bytes,
            Err(error) => {
                println!("refused {name}: {error}");
                continue;
            }
        };
        let host = model.plan(LoadOptions::default()).unwrap();
        let mut session = host.session().unwrap();
        let mut units = vec![Unit::ZERO; Unit::count(bytes.len())];
        let plan = Unit::copy_from(&mut units, &bytes).unwrap();
        let size = embarca_plan::Device::open(plan).unwrap().arena();
        let mut arena = vec![Unit::ZERO; Unit::count(size)];
        let mut device = embarca_mcu::Model::load(plan, Unit::bytes_mut(&mut arena), TABLE).unwrap();
        let mut seed = 1u32;
        let mut worst = 0;
        for _ in 0..2 {
            for (index, port) in device.device().inputs().iter().enumerate() {
                let data: Vec<u8> = (0..port.len)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
                        if port.dtype == 1 { 0 } else { (seed >> 16) as u8 }
                    })
                    .collect();
                device.input_bytes(index).copy_from_slice(&data);
                session.input_bytes(index).unwrap().copy_from_slice(&data);
            }
            session.run().unwrap();
            device.run().unwrap();
            for index in 0..device.device().outputs().len() {
                let want = session.output_bytes(index).unwrap().to_vec();
                let got = device.output_bytes(index);
                let differ = want.iter().zip(got).filter(|(a, b)| a != b).count();
                if differ != 0 && only != "" { println!("{want:?}\n{got:?}"); }
                worst = worst.max(differ);
            }
        }
        let steps: Vec<_> = device.device().steps().map(|step| step.opcode).collect();
        let general = steps.iter().filter(|opcode| **opcode == 1).count();
        println!("{name}: {worst} bytes differ; plan {} arena {size}, {} steps, {general} general", bytes.len(), steps.len());
        if worst != 0 {
            failures.push(name);
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}
