//! The weights section: each content once.

use std::collections::HashMap;

use embarca_plan::UNIT;

use super::{PlanSource, StorageSource, WriteError, align_log2};

/// The section's bytes and where each blob of the source lies in them.
pub struct Weights {
    pub bytes: Vec<u8>,
    pub align_log2: u16,
    places: Vec<Option<(u32, u32)>>,
}

impl Weights {
    pub fn new(source: &PlanSource) -> Result<Self, WriteError> {
        let align_log2 = align_log2(source.weights_align)?;
        let align = 1usize << align_log2;
        let mut used = vec![false; source.weights.len()];
        for blob in source.programs.iter().flat_map(used_blobs) {
            *used.get_mut(blob).ok_or(WriteError::Index { what: "blob", index: blob })? = true;
        }
        let mut by_content: HashMap<&[u8], (u32, u32)> = HashMap::new();
        let mut bytes = Vec::new();
        let mut places = vec![None; source.weights.len()];
        for (blob, place) in places.iter_mut().enumerate().filter(|(blob, _)| used[*blob]) {
            let content = source.weights[blob].as_slice();
            if let Some(&known) = by_content.get(content) {
                *place = Some(known);
                continue;
            }
            bytes.resize(bytes.len().next_multiple_of(align), 0);
            let offset = u32::try_from(bytes.len() as u64 / UNIT)
                .map_err(|_| WriteError::TooLarge("the weights section"))?;
            let len = u32::try_from(content.len()).map_err(|_| WriteError::TooLarge("a blob"))?;
            bytes.extend_from_slice(content);
            by_content.insert(content, (offset, len));
            *place = Some((offset, len));
        }
        Ok(Self { bytes, align_log2, places })
    }

    /// Offset in 16s and length in bytes.
    pub fn place(&self, blob: usize) -> Result<(u32, u32), WriteError> {
        let place = self.places.get(blob).copied().flatten();
        place.ok_or(WriteError::Index { what: "blob", index: blob })
    }
}

/// The blobs that a program points to, with repetitions.
pub fn used_blobs(program: &super::ProgramSource) -> Vec<usize> {
    let tensors = program.functions.iter().flat_map(|function| &function.tensors);
    let blobs = tensors.filter_map(|tensor| match tensor.storage {
        StorageSource::Weights { blob, .. } => Some(blob),
        _ => None,
    });
    blobs.chain(program.states.iter().filter_map(|state| state.initial)).collect()
}
