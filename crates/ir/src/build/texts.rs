//! Texts of a model: constants of them, and outputs that say them.

use embarca_num::DType;

use super::GraphImporter;
use crate::error::ImportError;
use crate::foreign::{AttrValue, ForeignDim, ForeignModel, ForeignTensor};
use crate::foreign_node::Texts;
use crate::ids::ValueId;

/// Texts of one constant.
const MAX_ELEMENTS: usize = 1 << 16;

/// The names of the columns of scores, where the file puts names to them.
pub(super) fn score_names(foreign: &ForeignModel<'_>) -> Vec<String> {
    if !foreign.meta.labels.is_empty() {
        return foreign.meta.labels.clone();
    }
    let nodes = foreign.graphs.first().map_or(&[][..], |graph| &graph.nodes);
    let maps = nodes.iter().filter(|node| node.op == "ZipMap");
    let mut lists = maps.flat_map(|node| &node.attrs).filter_map(|(name, value)| match value {
        AttrValue::Texts(texts) if name == "classlabels_strings" => Some(texts.clone()),
        _ => None,
    });
    lists.next().unwrap_or_default()
}

impl GraphImporter<'_, '_> {
    /// Gives `names` the first places, if they are all different.
    pub(super) fn begin_texts(&mut self, names: &[String]) {
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
            // More names than there may be texts are met again when a node says them.
            let _ = names.iter().try_for_each(|name| self.b.text(name).map(|_| ()));
        }
    }

    /// Gives the model labels where its file has none: the texts that an output says, or what its
    /// scores' columns are called.
    pub(super) fn end_texts(&mut self) {
        let outputs = &self.b.model.main().outputs;
        let says_texts = outputs.iter().any(|output| self.b.is_text(output.value));
        let labels = &self.b.model.meta.labels;
        if says_texts && !self.b.texts().starts_with(labels) {
            let message = "the texts of an output are not the model's labels";
            return self.refuse("model".to_owned(), "", ImportError::unsupported(message));
        }
        if labels.is_empty() {
            let labels = match says_texts {
                true => self.b.texts().to_vec(),
                false => std::mem::take(&mut self.b.class_names),
            };
            self.b.model.meta.labels = labels;
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
