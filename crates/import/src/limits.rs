//! How much a file may ask for.

use crate::error::ReadError;

/// Bounds on what a reader accepts. The defaults take every model that Embarca is meant for and
/// keep a reader, the file included, within four times the file's size plus 16 MiB (data from
/// other files, which is bounded by their sizes, excluded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// Bytes of the model file. Default: 2 GiB.
    pub file_bytes: u64,
    /// Bytes read from files beside the model, together. Default: 4 GiB.
    pub external_bytes: u64,
    /// Tensors of all graphs together. Default: 1,000,000.
    pub tensors: usize,
    /// Nodes of all graphs together, functions inlined. Default: 250,000.
    pub nodes: usize,
    /// Graphs: the main one and those that control flow calls. Default: 1,024.
    pub graphs: usize,
    /// Axes of a tensor. Default: 8.
    pub rank: usize,
    /// Elements of one tensor with a known shape. Default: 2^40.
    pub elements: u64,
    /// Messages, graphs and functions that lie one in the other. Default: 64.
    pub nesting: u32,
    /// Elements of one attribute's list, of a node's inputs or outputs. Default: 2^20.
    pub list: usize,
    /// Bytes of one text, labels included. Default: 16 MiB.
    pub text: usize,
    /// Bytes of function bodies read when functions are inlined, each call counted, weights
    /// excluded. Default: 256 MiB.
    pub inlined_bytes: u64,
    /// Bytes that a reader may allocate for each byte of the file. Default: 2.
    pub memory_per_byte: u64,
    /// Bytes that a reader may allocate whatever the file's size. Default: 10 MiB.
    pub memory_base: u64,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            file_bytes: 2 << 30,
            external_bytes: 4 << 30,
            tensors: 1_000_000,
            nodes: 250_000,
            graphs: 1024,
            rank: 8,
            elements: 1 << 40,
            nesting: 64,
            list: 1 << 20,
            text: 16 << 20,
            inlined_bytes: 256 << 20,
            memory_per_byte: 2,
            memory_base: 10 << 20,
        }
    }
}

/// What is left of the limits while one file is read.
#[derive(Debug)]
pub(crate) struct Budget<'l> {
    pub limits: &'l ImportLimits,
    memory: u64,
    external: u64,
    inlined: u64,
    tensors: usize,
    nodes: usize,
    graphs: usize,
}

impl<'l> Budget<'l> {
    /// For a file of `length` bytes.
    pub fn new(limits: &'l ImportLimits, length: usize) -> Result<Self, ReadError> {
        let length = length as u64;
        if length > limits.file_bytes {
            let what = format!("{length} bytes, `file_bytes` allows {}", limits.file_bytes);
            return Err(ReadError::over_limit(what));
        }
        Ok(Self {
            limits,
            memory: limits
                .memory_per_byte
                .saturating_mul(length)
                .saturating_add(limits.memory_base),
            external: limits.external_bytes,
            inlined: limits.inlined_bytes,
            tensors: limits.tensors,
            nodes: limits.nodes,
            graphs: limits.graphs,
        })
    }

    /// Pays for `bytes` that are about to be allocated.
    pub fn bytes(&mut self, bytes: u64) -> Result<(), ReadError> {
        spend(
            &mut self.memory,
            bytes,
            "the model needs more memory than its size justifies \
             (`memory_per_byte`, `memory_base`)",
        )
    }

    /// Pays for `count` elements of `T`.
    pub fn items<T>(&mut self, count: usize) -> Result<(), ReadError> {
        self.bytes((count as u64).saturating_mul(size_of::<T>() as u64))
    }

    /// Takes back what [`Budget::bytes`] was paid for `bytes` that are free again.
    pub fn refund(&mut self, bytes: u64) {
        self.memory = self.memory.saturating_add(bytes);
    }

    /// Pays for `bytes` that are about to be read from another file.
    pub fn external(&mut self, bytes: u64) -> Result<(), ReadError> {
        spend(&mut self.external, bytes, "more external data than `external_bytes` allows")
    }

    /// Pays for reading a function's body of `bytes`.
    pub fn inlined(&mut self, bytes: u64) -> Result<(), ReadError> {
        spend(&mut self.inlined, bytes, "functions inlined beyond `inlined_bytes`")
    }

    /// Pays for a copy of a text.
    pub fn text(&mut self, text: &str) -> Result<String, ReadError> {
        if text.len() > self.limits.text {
            return Err(ReadError::over_limit(format!(
                "a text of {} bytes, `text` allows {}",
                text.len(),
                self.limits.text
            )));
        }
        // What an allocator adds is a good part of a short text.
        self.bytes(text.len() as u64 + u64::from(!text.is_empty()) * 16)?;
        Ok(text.to_owned())
    }

    /// Pays for a tensor in a growing list, without its name, dimensions and data.
    pub fn tensor(&mut self) -> Result<(), ReadError> {
        count(&mut self.tensors, "tensors")?;
        self.items::<embarca_ir::foreign::ForeignTensor<'_>>(2)
    }

    /// Pays for a node in a growing list, without its own lists.
    pub fn node(&mut self) -> Result<(), ReadError> {
        count(&mut self.nodes, "nodes")?;
        self.items::<embarca_ir::foreign::ForeignNode>(2)
    }

    /// Pays for a graph.
    pub fn graph(&mut self) -> Result<(), ReadError> {
        count(&mut self.graphs, "graphs")?;
        self.items::<embarca_ir::foreign::ForeignGraph<'_>>(2)
    }

    /// Refuses a list of more than `list` elements and pays for it.
    pub fn list<T>(&mut self, count: usize) -> Result<(), ReadError> {
        if count > self.limits.list {
            return Err(self.too_long(count));
        }
        self.items::<T>(count)
    }

    /// As [`Budget::list`], for `added` elements on top of `count` that are paid for, in a list
    /// that grows as it is read: such a list may have twice the room it needs.
    pub fn longer_list<T>(&mut self, count: usize, added: usize) -> Result<(), ReadError> {
        let length = count.saturating_add(added);
        if length > self.limits.list {
            return Err(self.too_long(length));
        }
        self.items::<T>(added.saturating_mul(2))
    }

    fn too_long(&self, length: usize) -> ReadError {
        let allowed = self.limits.list;
        ReadError::over_limit(format!("a list of {length} elements, `list` allows {allowed}"))
    }

    /// Refuses more than `rank` axes.
    pub fn rank(&self, rank: usize) -> Result<(), ReadError> {
        match rank <= self.limits.rank {
            true => Ok(()),
            false => Err(ReadError::over_limit(format!(
                "{rank} axes, `rank` allows {}",
                self.limits.rank
            ))),
        }
    }

    /// The product of dimensions, under `elements`.
    pub fn elements(&self, dims: &[u64]) -> Result<u64, ReadError> {
        // A zero anywhere makes the product zero, whatever overflows before it.
        let product = match dims.contains(&0) {
            true => Some(0),
            false => dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim)),
        };
        match product {
            Some(product) if product <= self.limits.elements => Ok(product),
            _ => Err(ReadError::over_limit(format!(
                "dimensions {dims:?} hold more elements than `elements` ({}) allows",
                self.limits.elements
            ))),
        }
    }
}

fn spend(left: &mut u64, bytes: u64, what: &str) -> Result<(), ReadError> {
    match left.checked_sub(bytes) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(ReadError::over_limit(what)),
    }
}

fn count(left: &mut usize, limit: &str) -> Result<(), ReadError> {
    match left.checked_sub(1) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(ReadError::over_limit(format!("more {limit} than `{limit}` allows"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_bites() {
        let limits = ImportLimits {
            file_bytes: 10,
            external_bytes: 5,
            tensors: 1,
            rank: 2,
            list: 3,
            text: 4,
            elements: 100,
            memory_base: 1000,
            ..ImportLimits::default()
        };
        assert!(Budget::new(&limits, 11).is_err());
        let mut budget = Budget::new(&limits, 10).unwrap();
        assert!(budget.tensor().is_ok());
        assert!(budget.tensor().is_err());
        assert!(budget.external(5).is_ok());
        assert!(budget.external(1).is_err());
        assert!(budget.rank(2).is_ok());
        assert!(budget.rank(3).is_err());
        assert!(budget.list::<u8>(4).is_err());
        assert_eq!(budget.text("abcd").as_deref(), Ok("abcd"));
        assert!(budget.text("abcde").is_err());
        assert_eq!(budget.elements(&[10, 10]), Ok(100));
        assert_eq!(budget.elements(&[u64::MAX, 7, 0]), Ok(0));
        assert_eq!(budget.elements(&[]), Ok(1));
        assert!(budget.elements(&[u64::MAX, u64::MAX]).is_err());
        assert!(budget.bytes(2000).is_err());
    }
}
