//! One-operator TFLite models with random shapes, scales and inputs equal what TFLM (or, where TFLM
//! refuses them, LiteRT's reference kernels) computes, bit for bit: `tflite_ops/ops.bin`, written by
//! `tflite_ops/make.py`. `EMBARCA_OPS` names a larger bundle instead.

use std::collections::BTreeMap;

use embarca_compile::BuildOptions;
use embarca_cpu::{LoadOptions, Plan};

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> usize {
        let (head, rest) = self.0.split_at(4);
        self.0 = rest;
        u32::from_le_bytes(head.try_into().unwrap()) as usize
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = self.number();
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }

    fn list(&mut self) -> Vec<&'a [u8]> {
        let count = self.number();
        (0..count).map(|_| self.bytes()).collect()
    }
}

/// `Ok(None)` when equal, the difference when not, `Err` when refused.
fn run(model: &[u8], inputs: &[&[u8]], outputs: &[&[u8]]) -> Result<Option<String>, String> {
    let options = embarca::OpenOptions::default();
    let model = embarca::Model::from_bytes(model, &options).map_err(|e| e.to_string())?;
    let targets = vec![embarca_target::find("cpu").ok_or("there is no target cpu")?];
    let options = BuildOptions { targets, vectors: false, provenance: Default::default() };
    let bytes = embarca_compile::build(model.into_graph(), &options).map_err(|e| e.to_string())?;
    let plan = Plan::from_bytes(&bytes, LoadOptions::default()).map_err(|e| e.to_string())?;
    let mut session = plan.session().map_err(|e| e.to_string())?;
    for (index, fed) in inputs.iter().enumerate() {
        let place = session.input_bytes(index).ok_or("an input is missing")?;
        if place.len() != fed.len() {
            return Err(format!("input {index} has {} bytes, not {}", place.len(), fed.len()));
        }
        place.copy_from_slice(fed);
    }
    session.run().map_err(|e| e.to_string())?;
    for (index, golden) in outputs.iter().enumerate() {
        let ours = session.output_bytes(index).ok_or("an output is missing")?;
        if ours != *golden {
            let apart = ours.iter().zip(*golden).filter(|(a, b)| a != b).count();
            let sizes = (ours.len(), golden.len());
            return Ok(Some(format!("{apart} bytes of output {index} differ, sizes {sizes:?}")));
        }
    }
    Ok(None)
}

#[test]
fn operators_equal_the_references() {
    let given = std::env::var_os("EMBARCA_OPS").map(|path| std::fs::read(path).unwrap());
    let bundle = given.as_deref().unwrap_or(include_bytes!("tflite_ops/ops.bin"));
    let only = std::env::var("EMBARCA_ONLY").unwrap_or_default();
    let mut reader = Reader(bundle);
    let (mut equal, mut refused, mut wrong) = (0, BTreeMap::new(), Vec::new());
    while !reader.0.is_empty() {
        let name = String::from_utf8_lossy(reader.bytes()).into_owned();
        let (model, inputs, outputs) = (reader.bytes(), reader.list(), reader.list());
        if !name.starts_with(&only) {
            continue;
        }
        match run(model, &inputs, &outputs) {
            Ok(None) => equal += 1,
            Ok(Some(difference)) => wrong.push(format!("{name}: {difference}")),
            Err(reason) => {
                let words: Vec<&str> = name.split(' ').take(3).collect();
                let reason = reason.rsplit(": ").next().unwrap_or_default().to_owned();
                *refused.entry(format!("{}: {reason}", words.join(" "))).or_insert(0) += 1;
            }
        }
    }
    println!("{equal} equal, {} wrong, refused: {refused:#?}", wrong.len());
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert!(given.is_some() || refused.is_empty(), "{refused:#?}");
    assert!(0 < equal);
}
