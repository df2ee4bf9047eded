//! ONNX's sequences and optional values. They exist while a model is imported only: a sequence is a
//! list of values whose length is known, an optional value is there or is not.

use embarca_num::DType;

use super::control::{Slots, graph_attr, only};
use super::{GraphImporter, Slot};
use crate::dim::Dim;
use crate::error::ImportError;
use crate::foreign::{AttrValue, ForeignNode};
use crate::foreign_node::too_many;
use crate::ids::ValueId;
use crate::ops::{self, Concat, Split};
use crate::types::Const;

/// Sequences may be so long.
const MAX_LENGTH: usize = 1 << 12;

fn int(node: &ForeignNode, name: &str, default: i64) -> i64 {
    let found = node.attrs.iter().find_map(|(key, value)| match value {
        AttrValue::Int(value) if key == name => Some(*value),
        _ => None,
    });
    found.unwrap_or(default)
}

fn list(slot: Option<Slot>) -> Result<Vec<Slot>, ImportError> {
    match slot {
        Some(Slot::List(items)) => Ok(items),
        _ => Err(ImportError::malformed("the input is not a sequence")),
    }
}

fn tensor(slot: Option<Slot>) -> Result<ValueId, ImportError> {
    match slot {
        Some(Slot::Value(value)) => Ok(value),
        _ => Err(ImportError::malformed("the input is not a tensor")),
    }
}

impl<'a> GraphImporter<'a, '_> {
    /// The results of a node that is about sequences or optional values.
    pub(super) fn sequences(&mut self, node: &'a ForeignNode) -> Slots {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &input in &node.inputs {
            inputs.push(match input {
                Some(input) => match self.slot(input)? {
                    Some(slot) => Some(slot),
                    None => return Ok(None),
                },
                None => None,
            });
        }
        let counted = |slot: &Slot| matches!(slot, Slot::Value(v) if self.b.counted(*v).is_some());
        let in_list = |slot: &Slot| match slot {
            Slot::List(items) => items.iter().any(counted),
            slot => counted(slot),
        };
        if matches!(node.op.as_str(), "SplitToSequence" | "ConcatFromSequence")
            && inputs.iter().flatten().any(in_list)
        {
            let message = "it is cut or joined where the data decide over a size";
            return Err(ImportError::unsupported(message));
        }
        let text = |slot: &Slot| matches!(slot, Slot::Value(v) if self.b.is_text(*v));
        let holds_text = |slot: &Slot| match slot {
            Slot::List(items) => items.iter().any(text),
            slot => text(slot),
        };
        if inputs.iter().flatten().any(holds_text) {
            return Err(ImportError::unsupported("a sequence or an optional value of texts"));
        }
        let mut inputs = inputs.into_iter();
        let mut next = || inputs.next().flatten();
        let result = match node.op.as_str() {
            "SequenceEmpty" => {
                only(node, &["dtype"])?;
                Slot::List(Vec::new())
            }
            "SequenceConstruct" => {
                only(node, &[])?;
                Slot::List(inputs.by_ref().flatten().collect())
            }
            "SequenceAt" => {
                only(node, &[])?;
                let items = list(next())?;
                let at = self.place(next(), items.len(), false)?;
                items[at].clone()
            }
            "SequenceInsert" => {
                only(node, &[])?;
                let (mut items, item) = (list(next())?, tensor(next())?);
                let at = self.place(next(), items.len(), true)?;
                items.insert(at, Slot::Value(item));
                Slot::List(items)
            }
            "SequenceErase" => {
                only(node, &[])?;
                let mut items = list(next())?;
                let at = match next() {
                    Some(at) => self.place(Some(at), items.len(), false)?,
                    None => items.len().checked_sub(1).ok_or_else(|| {
                        ImportError::malformed("an element of an empty sequence is erased")
                    })?,
                };
                items.remove(at);
                Slot::List(items)
            }
            "SequenceLength" => {
                only(node, &[])?;
                let len = list(next())?.len() as i64;
                Slot::Value(self.b.constant(Const::from_i64(&[], &[len]), None))
            }
            "SplitToSequence" => {
                only(node, &["axis", "keepdims"])?;
                let (x, sizes) = (tensor(next())?, next());
                self.split_to_sequence(node, x, sizes)?
            }
            "ConcatFromSequence" => {
                only(node, &["axis", "new_axis"])?;
                let items = list(next())?;
                self.concat_from_sequence(node, items)?
            }
            "SequenceMap" => {
                only(node, &["body"])?;
                let items = list(next())?;
                let others: Vec<Slot> = inputs.by_ref().flatten().collect();
                return self.sequence_map(node, items, &others);
            }
            "Optional" => {
                only(node, &["type"])?;
                next().unwrap_or(Slot::Nothing)
            }
            "OptionalHasElement" => {
                only(node, &[])?;
                let there = !matches!(next(), None | Some(Slot::Nothing));
                let data = Const::new(DType::Bool, Vec::new(), [u8::from(there)]);
                let data = data.ok_or_else(|| ImportError::malformed("no truth value"))?;
                Slot::Value(self.b.constant(data, None))
            }
            "OptionalGetElement" => {
                only(node, &[])?;
                match next() {
                    None | Some(Slot::Nothing) => {
                        return Err(ImportError::malformed("the optional value is left out"));
                    }
                    Some(slot) => slot,
                }
            }
            _ => {
                only(node, &[])?;
                next().ok_or_else(|| ImportError::malformed("input 0 is missing"))?
            }
        };
        if inputs.any(|input| input.is_some()) {
            let given = node.inputs.len();
            return Err(too_many("input", given - inputs.len() - 1, &node.op, given));
        }
        if matches!(&result, Slot::List(items) if MAX_LENGTH < items.len()) {
            return Err(ImportError::unsupported("a sequence of more than 4096 elements"));
        }
        Ok(Some(vec![result]))
    }

    /// A sequence that the model yields: `name.0`, `name.1` and so on.
    pub(super) fn list_output(&mut self, name: &str, items: Vec<Slot>) {
        let place = format!("output '{name}'");
        if items.is_empty() {
            let error = ImportError::unsupported("is an empty sequence");
            return self.refuse(place, "", error);
        }
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Slot::Value(value) if self.b.counted(value).is_none() => {
                    self.b.output(value, &format!("{name}.{index}"));
                }
                _ => {
                    let error = ImportError::unsupported("is a sequence of what is no tensor");
                    return self.refuse(place, "", error);
                }
            }
        }
    }

    /// A constant position in a sequence; negative ones count from its end. Without one it is the
    /// end.
    fn place(&self, slot: Option<Slot>, len: usize, end: bool) -> Result<usize, ImportError> {
        let Some(slot) = slot else { return Ok(len) };
        let at = self.b.ints(tensor(Some(slot))?, "a position in a sequence")?;
        let &[at] = at.as_slice() else {
            return Err(ImportError::malformed("a position is not one number"));
        };
        let from_front = if at < 0 { at.saturating_add(len as i64) } else { at };
        let place = usize::try_from(from_front).ok();
        place.filter(|&place| place < len || end && place == len).ok_or_else(|| {
            ImportError::malformed(format!("position {at} lies outside a sequence of {len}"))
        })
    }

    fn split_to_sequence(
        &mut self,
        node: &ForeignNode,
        x: ValueId,
        sizes: Option<Slot>,
    ) -> Result<Slot, ImportError> {
        let axis = ops::prelude::axis(int(node, "axis", 0), self.b.rank(x))?;
        let keep = sizes.is_some() || int(node, "keepdims", 1) != 0;
        let total = self.b.ty(x).dims[axis].known().ok_or_else(|| {
            ImportError::unsupported("a sequence of a length that depends on the input")
                .hint("give the inputs' shapes with --shapes")
        })?;
        let sizes = match sizes {
            None => vec![1; total.clamp(0, MAX_LENGTH as i64 + 1) as usize],
            Some(slot) => {
                let value = tensor(Some(slot))?;
                let sizes = self.b.ints(value, "the list of sizes")?;
                match sizes.as_slice() {
                    // One number is the size of each part, the last perhaps smaller.
                    &[size] if self.b.rank(value) == 0 => {
                        if size <= 0 {
                            return Err(ImportError::malformed("a part has no elements"));
                        }
                        let whole = (total / size).clamp(0, MAX_LENGTH as i64 + 1) as usize;
                        let mut sizes = vec![size; whole];
                        sizes.extend((total % size != 0).then_some(total % size));
                        sizes
                    }
                    _ => sizes,
                }
            }
        };
        if MAX_LENGTH < sizes.len() {
            return Err(ImportError::unsupported("a sequence of more than 4096 elements"));
        }
        let sizes = sizes.into_iter().map(Dim::Known).collect();
        let parts = self.b.node(Split { axis, sizes }, &[Some(x)])?;
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            let mut dims = self.b.ty(part).dims.clone();
            if !keep {
                dims.remove(axis);
            }
            items.push(Slot::Value(self.b.reshape(part, dims)?));
        }
        Ok(Slot::List(items))
    }

    fn concat_from_sequence(
        &mut self,
        node: &ForeignNode,
        items: Vec<Slot>,
    ) -> Result<Slot, ImportError> {
        let stacked = int(node, "new_axis", 0) != 0;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(tensor(Some(item))?);
        }
        let first = *values
            .first()
            .ok_or_else(|| ImportError::unsupported("an empty sequence is concatenated"))?;
        let rank = self.b.rank(first) + usize::from(stacked);
        let axis = ops::prelude::axis(int(node, "axis", 0), rank)?;
        if stacked {
            for value in &mut values {
                let mut dims = self.b.ty(*value).dims.clone();
                dims.insert(axis.min(dims.len()), Dim::Known(1));
                *value = self.b.reshape(*value, dims)?;
            }
        }
        if let [value] = values[..] {
            return Ok(Slot::Value(value));
        }
        Ok(Slot::Value(self.b.op(Concat { axis }, &values)?))
    }

    /// The body once for each element; other sequences go along, other values stay.
    fn sequence_map(&mut self, node: &'a ForeignNode, items: Vec<Slot>, others: &[Slot]) -> Slots {
        let body = graph_attr(node, "body")?;
        let Some(captured) = self.captured(body)? else { return Ok(None) };
        let mut results = vec![Vec::with_capacity(items.len()); node.outputs.len()];
        for (index, item) in items.into_iter().enumerate() {
            let mut args = vec![item];
            for other in others {
                args.push(match other {
                    Slot::List(list) => list.get(index).cloned().ok_or_else(|| {
                        ImportError::malformed("one sequence is shorter than the first")
                    })?,
                    other => other.clone(),
                });
            }
            let mut fed = self.fed(body, &args)?;
            fed.extend(captured.iter().cloned());
            let Some(each) = self.inline(body, node, "body", fed)? else { return Ok(None) };
            for (result, slot) in results.iter_mut().zip(each) {
                result.push(slot);
            }
        }
        Ok(Some(results.into_iter().map(Slot::List).collect()))
    }
}
