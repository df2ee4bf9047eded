//! Texts of a model: constants of them, and outputs that say them.

use embarca_num::DType;

use super::GraphImporter;
use super::classes::Classes;
use crate::error::ImportError;
use crate::foreign::{ForeignDim, ForeignTensor};
use crate::foreign_node::Texts;
use crate::ids::ValueId;
use crate::ops::texts::UNUSED;

/// Texts of one constant.
const MAX_ELEMENTS: usize = 1 << 16;

impl GraphImporter<'_, '_> {
    /// Gives the model's labels, or the names of the classes that it answers with, the first places
    /// among the texts.
    pub(super) fn begin_texts(&mut self, classes: &Classes) {
        let labels = match &*self.b.model.meta.labels {
            [] => &classes.names,
            labels => labels,
        };
        if classes.are_texts || !self.b.model.meta.labels.is_empty() {
            // More names than there may be texts are met again when a node says them.
            let _ = labels.to_vec().iter().try_for_each(|name| self.b.text(name).map(|_| ()));
        }
    }

    /// Gives the model labels where its file has none: what the classes that it answers with are
    /// called, and then what else an output says.
    pub(super) fn end_texts(&mut self, classes: Classes) {
        let labels = &self.b.model.meta.labels;
        if classes.are_texts && !labels.is_empty() && *labels != classes.names {
            let message = format!(
                "its metadata calls the classes {labels:?}, the operator that answers calls them {:?}",
                classes.names
            );
            let error = ImportError::unsupported(message)
                .hint("remove the names from the file's metadata, or make them the same");
            return self.refuse("model".to_owned(), "", error);
        }
        let outputs = &self.b.model.main().outputs;
        if !outputs.iter().any(|output| self.b.is_text(output.value)) {
            if labels.is_empty() {
                self.b.model.meta.labels = classes.names;
            }
            return;
        }
        let first = if labels.is_empty() && classes.are_texts { &classes.names } else { labels };
        let texts = self.b.texts();
        if !texts.starts_with(first) {
            let message = "the texts of an output are not the model's labels";
            return self.refuse("model".to_owned(), "", ImportError::unsupported(message));
        }
        // What stands for no class is no name of one.
        let known = match texts {
            [known @ .., last] if last == UNUSED && known == first => known,
            _ => texts,
        };
        if labels.is_empty() {
            self.b.model.meta.labels = known.to_vec();
        }
    }

    /// A constant of texts, as their places.
    pub(super) fn text_constant(&mut self, index: usize) -> Result<ValueId, ImportError> {
        let tensor = &self.frame.foreign.tensors[index];
        let wrong = || {
            ImportError::malformed(format!("constant '{}' does not hold its texts", tensor.name))
        };
        let texts = of_tensor(tensor).ok_or_else(wrong)?;
        let value = self.b.text_constant(&tensor.name, &texts)?;
        self.frame.values[index] = super::Slot::Value(value);
        Ok(value)
    }
}

/// The texts of a constant, in the layout of [`ForeignTensor::data`]; `None` where there are none, or
/// not as many as its dimensions ask for.
pub(super) fn of_tensor(tensor: &ForeignTensor<'_>) -> Option<Texts> {
    if tensor.dtype != Some(DType::Str) {
        return None;
    }
    let known = tensor.dims.as_ref()?.iter().map(|dim| match dim {
        ForeignDim::Known(dim) => usize::try_from(*dim).ok(),
        _ => None,
    });
    let dims: Vec<usize> = known.collect::<Option<_>>()?;
    let data: &[u8] = tensor.data.as_ref()?;
    let number = |index: usize| {
        let bytes = data.get(index.checked_mul(4)?..)?.first_chunk::<4>()?;
        usize::try_from(i32::from_le_bytes(*bytes)).ok()
    };
    let count = number(0).filter(|count| *count <= data.len() / 4 && *count <= MAX_ELEMENTS)?;
    if dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim)) != Some(count) {
        return None;
    }
    let text = |index: usize| {
        let bytes = data.get(number(index + 1)?..number(index + 2)?)?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    };
    let list = (0..count).map(text).collect::<Option<_>>()?;
    Some(Texts { dims, list })
}
