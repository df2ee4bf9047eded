//! Outputs of the model whose sizes the data decide over.

use super::GraphImporter;
use crate::builder::Counted;
use crate::ids::ValueId;

impl GraphImporter<'_, '_> {
    /// Remembers that only a part of the output that was added last counts, if that is so.
    pub(super) fn note_count(&mut self, value: ValueId) {
        let index = self.b.graph().outputs.len().saturating_sub(1);
        self.counted_outputs.extend(self.b.counted(value).map(|counted| (index, counted)));
    }

    /// Adds the numbers of elements that count behind the author's outputs, each once.
    pub(super) fn count_outputs(&mut self) {
        let mut added: Vec<(ValueId, usize)> = Vec::new();
        for (index, Counted { axis, count }) in std::mem::take(&mut self.counted_outputs) {
            let known = added.iter().find(|(value, _)| *value == count).map(|(_, by)| *by);
            let by = known.unwrap_or_else(|| {
                let by = self.b.graph().outputs.len();
                let name = format!("{}.count", self.b.graph().outputs[index].name);
                self.b.output(count, &name);
                added.push((count, by));
                by
            });
            self.b.model.graphs[0].outputs[index].counted = Some((axis, by));
        }
    }
}
