//! Outputs of the model whose sizes the data decide over.

use super::GraphImporter;
use crate::builder::Counted;
use crate::ids::ValueId;

impl GraphImporter<'_, '_> {
    /// Adds the numbers of elements that count behind the author's outputs, each once.
    pub(super) fn count_outputs(&mut self) {
        let mut added: Vec<(ValueId, usize)> = Vec::new();
        for index in 0..self.b.graph().outputs.len() {
            let value = self.b.graph().outputs[index].value;
            let Some(Counted { axis, count }) = self.b.counted(value) else { continue };
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
