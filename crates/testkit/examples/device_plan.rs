//! Scratch.
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let model = embarca::Model::open(std::path::Path::new(&args[1])).unwrap();
    let bytes = model.build(&["cortex-m4"]).unwrap();
    std::fs::write(&args[2], &bytes).unwrap();
    let mut units = vec![embarca_plan::Unit::ZERO; embarca_plan::Unit::count(bytes.len())];
    let plan = embarca_plan::Unit::copy_from(&mut units, &bytes).unwrap();
    let device = embarca_plan::Device::open(plan).unwrap();
    let mut kernels: Vec<u16> =
        device.steps().filter(|s| s.opcode == 1).map(|s| s.record[0] as u16).collect();
    kernels.sort();
    kernels.dedup();
    let mut text = "pub static GENERAL: &[(u16, embarca_kernels::Kernel)] = &[".to_owned();
    for op in kernels {
        let (_, module, _) =
            embarca_kernels::OPERATORS.iter().find(|(n, _, _)| *n == op / 16).unwrap();
        text += &format!("({op}, embarca_kernels::{module}::KERNELS[{}]),", op % 16);
    }
    std::fs::write(&args[3], text + "];").unwrap();
    println!("plan {} arena {} weights {}", bytes.len(), device.arena(), device.weights().len());
}
