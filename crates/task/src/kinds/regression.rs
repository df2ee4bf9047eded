//! Numbers that are predicted.
//!
//! The back yields `numbers` f32 `[N]`: all outputs that the task names, or those of the model, one
//! after the other.

use embarca_ir::Dim;
use embarca_num::DType;

use crate::error::TaskError;
use crate::net::{Net, Port};
use crate::section::Section;
use crate::spec::{self, Spec};
use crate::stage::{Result, Stage};

/// More numbers than this are no answer that a person reads.
const MOST: usize = 64;

/// Outputs of a few real numbers each.
pub fn recognize(net: &Net) -> Option<Spec> {
    let few = |port: &Port| {
        let len = port.dims.iter().map(|dim| dim.unwrap_or(1)).product::<usize>();
        (port.dtype == DType::F32 || port.quant.is_some()) && (1..=8).contains(&len)
    };
    let fits = !net.outputs.is_empty() && net.outputs.iter().all(few);
    fits.then(|| Spec::new(spec::Kind::Regression))
}

pub fn back(spec: &Spec, net: &Net, stage: &mut Stage<'_>, section: &mut Section) -> Result<()> {
    let outputs = match spec.outputs.as_slice() {
        [] => (0..net.outputs.len()).collect(),
        named => named.to_vec(),
    };
    let mut parts = Vec::with_capacity(outputs.len());
    let mut names = Vec::new();
    for &output in &outputs {
        let x = stage.output(net, output)?;
        let len: usize = stage.known(x)?.iter().product();
        let name = net.outputs.get(output).map_or("", |port| port.name.as_str());
        match len {
            1 => names.push(name.to_owned()),
            _ => names.extend((0..len.min(MOST)).map(|i| format!("{name}[{i}]"))),
        }
        parts.push(stage.reshape(x, &[Dim::from(len as i64)])?);
    }
    if names.is_empty() || MOST < names.len() {
        let what = format!("regression yields 1 to {MOST} numbers, the model {}", names.len());
        return Err(TaskError::spec(what));
    }
    let count = names.len();
    let given = section.labels.len();
    if given != 0 && given != count {
        let note = format!("{given} labels for {count} numbers, which the model's names stand for");
        section.notes.push(note);
        section.labels.clear();
    }
    if section.labels.is_empty() {
        // One number needs no name.
        section.labels = if count == 1 { vec![String::new()] } else { names };
    }
    let given = section.units.len();
    if given != count && given != 0 {
        let what = format!("{given} units for {count} numbers");
        return Err(TaskError::spec(what).key("units"));
    }
    let numbers = stage.concat(&parts, 0)?;
    stage.yields("numbers", numbers);
    Ok(())
}
