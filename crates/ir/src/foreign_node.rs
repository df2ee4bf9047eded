//! A foreign node as its dossier reads it.

use std::cell::{Cell, RefCell};

use crate::builder::Builder;
use crate::error::ImportError;
use crate::foreign::{AttrValue, Format};
use crate::ids::{ConstId, ValueId};
use crate::model::State;
use crate::types::{Const, TensorType};

/// A foreign node whose inputs are values of the graph under construction.
///
/// Every attribute, input and learned blob that a dossier does not read is an error after the
/// import, so nothing in a file is ignored in silence.
pub struct NodeView<'a> {
    /// Where it came from.
    pub format: Format,
    /// The operator's name there.
    pub op: &'a str,
    /// The opset (ONNX) or operator version (TFLite).
    pub version: u32,
    /// The author's name for the node.
    pub name: &'a str,
    /// How many outputs somebody may read.
    pub n_outputs: usize,
    /// The outputs' types where the file declares them (TFLite always does), `u8` data of models
    /// that are computed as `i8` already rewritten.
    pub output_types: Vec<Option<TensorType>>,
    /// Whether the file had `u8` where inputs and outputs now are `i8`.
    pub was_u8: bool,
    pub(crate) attrs: &'a [(String, AttrValue)],
    pub(crate) read: RefCell<Vec<bool>>,
    /// `None` is an optional input that is left out.
    pub(crate) inputs: Marked<Option<ValueId>>,
    /// Caffe's learned blobs.
    pub(crate) blobs: Marked<ValueId>,
    pub(crate) attr_tensors: &'a dyn Fn(usize) -> Option<Const>,
    pub(crate) attr_texts: &'a dyn Fn(usize) -> Option<Texts>,
    pub(crate) assigned: RefCell<Vec<(usize, ValueId)>>,
    pub(crate) remembered: RefCell<Vec<State>>,
}

/// A tensor of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// Outermost first.
    pub dims: Vec<usize>,
    /// In the order of the elements, as many as `dims` says.
    pub list: Vec<String>,
}

/// A list that knows which of its items have been read.
pub(crate) struct Marked<T> {
    items: Vec<(T, Cell<bool>)>,
}

impl<T: Copy> Marked<T> {
    pub fn new(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().map(|item| (item, Cell::new(false))).collect() }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn items(&self) -> impl Iterator<Item = T> {
        self.items.iter().map(|(item, _)| *item)
    }

    fn read(&self, index: usize) -> Option<T> {
        let (item, read) = self.items.get(index)?;
        read.set(true);
        Some(*item)
    }

    fn unread(&self) -> impl Iterator<Item = (usize, T)> {
        let unread =
            |(index, (item, read)): (_, &(T, Cell<bool>))| (!read.get()).then_some((index, *item));
        self.items.iter().enumerate().filter_map(unread)
    }
}

impl NodeView<'_> {
    /// Has `import` read the node as one of another name with other inputs, for operators that are
    /// others in disguise. Attributes that it reads are read here.
    pub fn disguised<R>(
        &self,
        op: &str,
        inputs: Vec<Option<ValueId>>,
        import: impl FnOnce(&NodeView<'_>) -> R,
    ) -> R {
        let inner = NodeView {
            format: self.format,
            op,
            version: self.version,
            name: self.name,
            inputs: Marked::new(inputs),
            blobs: Marked::new(None),
            n_outputs: 1,
            output_types: Vec::new(),
            was_u8: self.was_u8,
            attrs: self.attrs,
            read: RefCell::new(self.read.borrow().clone()),
            attr_tensors: self.attr_tensors,
            attr_texts: self.attr_texts,
            assigned: RefCell::default(),
            remembered: RefCell::default(),
        };
        let result = import(&inner);
        *self.read.borrow_mut() = inner.read.into_inner();
        self.assigned.borrow_mut().extend(inner.assigned.into_inner());
        self.remembered.borrow_mut().extend(inner.remembered.into_inner());
        result
    }

    /// Input `index`, which must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn input(&self, index: usize) -> Result<ValueId, ImportError> {
        self.optional(index)
            .ok_or_else(|| ImportError::malformed(format!("input {index} is missing")))
    }

    /// Input `index`, if it is there.
    pub fn optional(&self, index: usize) -> Option<ValueId> {
        self.inputs.read(index).flatten()
    }

    /// How many inputs the file lists, those that are left out included.
    pub fn n_inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Learned blob `index` of a Caffe layer, if it is there.
    pub fn blob(&self, index: usize) -> Option<ValueId> {
        self.blobs.read(index)
    }

    /// Marks inputs as read that cannot change the result here.
    pub fn ignore_inputs(&self, inputs: impl IntoIterator<Item = usize>) {
        for index in inputs {
            self.inputs.read(index);
        }
    }

    /// The declared type of output `index`.
    pub fn output_type(&self, index: usize) -> Option<&TensorType> {
        self.output_types.get(index)?.as_ref()
    }

    /// The attribute, marked as read.
    pub fn attr(&self, name: &str) -> Option<&AttrValue> {
        let index = self.attrs.iter().position(|(key, _)| key == name)?;
        if let Some(read) = self.read.borrow_mut().get_mut(index) {
            *read = true;
        }
        Some(&self.attrs[index].1)
    }

    /// Whether the file sets the attribute. Does not mark it as read.
    pub fn has(&self, name: &str) -> bool {
        self.attrs.iter().any(|(key, _)| key == name)
    }

    /// Declares what the variable at input `index` holds after the node.
    pub fn assign(&self, index: usize, value: ValueId) {
        self.assigned.borrow_mut().push((index, value));
    }

    /// A state of the node's own, which begins as `initial`; [`NodeView::keep`] says how it goes on.
    ///
    /// # Errors
    /// In a graph that another one calls.
    pub fn remember(
        &self,
        b: &mut Builder<'_>,
        name: &str,
        initial: Const,
    ) -> Result<ValueId, ImportError> {
        if b.graph.index() != 0 {
            let message = "keeps a state of its own, in a graph that is called";
            return Err(ImportError::unsupported(message));
        }
        // The number is given when all states are known.
        let value = b.state(name, initial.ty(), 0);
        b.model.consts.push(initial);
        let initial = ConstId::new(b.model.consts.len() - 1);
        let state = State { name: name.to_owned(), initial, value, next: value };
        self.remembered.borrow_mut().push(state);
        Ok(value)
    }

    /// What a state of [`NodeView::remember`] holds after the node.
    pub fn keep(&self, state: ValueId, next: ValueId) {
        for kept in self.remembered.borrow_mut().iter_mut().filter(|kept| kept.value == state) {
            kept.next = next;
        }
    }

    /// Marks attributes as read that cannot change the result here.
    pub fn ignore(&self, names: &[&str]) {
        for name in names {
            self.attr(name);
        }
    }

    /// Refuses a node of which something has not been read.
    ///
    /// # Errors
    /// Names the first attribute, input or learned blob that nobody has read.
    pub(crate) fn check_read(&self) -> Result<(), ImportError> {
        let read = self.read.borrow();
        let mut attrs = self.attrs.iter().zip(read.iter());
        if let Some(((name, _), _)) = attrs.find(|(_, read)| !**read) {
            return Err(ImportError::unsupported("is not honoured").attribute(name.as_str()));
        }
        if let Some((index, _)) = self.inputs.unread().find(|(_, input)| input.is_some()) {
            return Err(too_many("input", index, self.op, self.n_inputs()));
        }
        match self.blobs.unread().next() {
            Some((index, _)) => Err(too_many("learned blob", index, self.op, self.blobs.len())),
            None => Ok(()),
        }
    }

    /// Refuses an attribute that counts inputs or outputs and says another number than there are.
    ///
    /// # Errors
    /// When it does, or is no integer.
    pub fn counted(&self, name: &str, there: usize) -> Result<(), ImportError> {
        match self.opt_int(name)? {
            Some(stated) if usize::try_from(stated) != Ok(there) => {
                let message = format!("says {stated}, but there are {there}");
                Err(ImportError::malformed(message).attribute(name))
            }
            _ => Ok(()),
        }
    }

    fn wrong_kind(name: &str, expected: &str) -> ImportError {
        ImportError::malformed(format!("is not {expected}")).attribute(name)
    }

    /// An integer attribute, if it is set.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn opt_int(&self, name: &str) -> Result<Option<i64>, ImportError> {
        match self.attr(name) {
            None => Ok(None),
            Some(AttrValue::Int(value)) => Ok(Some(*value)),
            Some(_) => Err(Self::wrong_kind(name, "an integer")),
        }
    }

    /// An integer attribute.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn int(&self, name: &str, default: i64) -> Result<i64, ImportError> {
        Ok(self.opt_int(name)?.unwrap_or(default))
    }

    /// A boolean attribute: an integer that is not zero.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, ImportError> {
        Ok(self.int(name, i64::from(default))? != 0)
    }

    /// A real attribute. Integers are accepted where a format writes them so.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn float(&self, name: &str, default: f32) -> Result<f32, ImportError> {
        match self.attr(name) {
            None => Ok(default),
            Some(AttrValue::Float(value)) => Ok(*value),
            Some(AttrValue::Int(value)) => Ok(*value as f32),
            Some(_) => Err(Self::wrong_kind(name, "a number")),
        }
    }

    /// A text attribute.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn text<'d>(&'d self, name: &str, default: &'d str) -> Result<&'d str, ImportError> {
        match self.attr(name) {
            None => Ok(default),
            Some(AttrValue::Text(value)) => Ok(value),
            Some(_) => Err(Self::wrong_kind(name, "a text")),
        }
    }

    /// A list of integers, if it is set. A single integer counts as a list of one.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn opt_ints(&self, name: &str) -> Result<Option<Vec<i64>>, ImportError> {
        match self.attr(name) {
            None => Ok(None),
            Some(AttrValue::Ints(values)) => Ok(Some(values.clone())),
            Some(AttrValue::Int(value)) => Ok(Some(vec![*value])),
            Some(_) => Err(Self::wrong_kind(name, "a list of integers")),
        }
    }

    /// A list of real numbers, if it is set.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn opt_floats(&self, name: &str) -> Result<Option<Vec<f32>>, ImportError> {
        match self.attr(name) {
            None => Ok(None),
            Some(AttrValue::Floats(values)) => Ok(Some(values.clone())),
            Some(AttrValue::Float(value)) => Ok(Some(vec![*value])),
            Some(_) => Err(Self::wrong_kind(name, "a list of numbers")),
        }
    }

    /// A list of texts, if it is set.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn opt_texts(&self, name: &str) -> Result<Option<Vec<String>>, ImportError> {
        match self.attr(name) {
            None => Ok(None),
            Some(AttrValue::Texts(values)) => Ok(Some(values.clone())),
            Some(_) => Err(Self::wrong_kind(name, "a list of texts")),
        }
    }

    /// A tensor attribute, if it is set.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn opt_tensor(&self, name: &str) -> Result<Option<Const>, ImportError> {
        match self.attr(name) {
            None => Ok(None),
            Some(AttrValue::Tensor(index)) => (self.attr_tensors)(*index)
                .map(Some)
                .ok_or_else(|| Self::wrong_kind(name, "a tensor with content")),
            Some(_) => Err(Self::wrong_kind(name, "a tensor")),
        }
    }

    /// A tensor attribute of texts, if it is set to one.
    pub fn opt_text_tensor(&self, name: &str) -> Option<Texts> {
        let index = self.attrs.iter().find_map(|(key, value)| match value {
            AttrValue::Tensor(index) if key == name => Some(*index),
            _ => None,
        });
        let texts = (self.attr_texts)(index?)?;
        self.attr(name);
        Some(texts)
    }
}

/// The refusal of what stands at `index` of a list that holds `given` items and is read only so far.
pub(crate) fn too_many(what: &str, index: usize, op: &str, given: usize) -> ImportError {
    ImportError::unsupported(format!("{what} {index} of {given} is not honoured by {op} here"))
}
