//! The sizes that open dimensions are planned for: such at which every operator fits its inputs.
//!
//! Files name open dimensions as they like. Two names may have to be one number (the rows of a
//! matrix and the columns of another), or a name may stand for a number that weights fix. Shapes as
//! expressions cannot tell; with a number for each name, shape inference can.

use crate::attr::Attr;
use crate::dim::Dim;
use crate::ids::SymbolId;
use crate::model::{Graph, Model, Node};
use crate::op::{Operand, Operands};
use crate::ops::Op;
use crate::types::TensorType;

/// Nodes are tried with other sizes at most so often, all of them together.
const MAX_TRIES: usize = 50_000;

/// Larger sizes are not planned for.
const MAX_SIZE: i64 = 1 << 16;

/// Changes the preferred sizes of a sound model's symbols where a node does not fit its inputs at
/// them. A node for which no sizes are found keeps those that it has.
pub fn settle(model: &mut Model) {
    let mut sizes: Vec<i64> = model.symbols.iter().map(|s| i64::from(s.preferred)).collect();
    let mut search = Search { model, tries: 0 };
    for index in 0..model.main().nodes.len() {
        let open = search.symbols(index);
        if open.is_empty() || search.fits(index, &sizes) {
            continue;
        }
        if let Some(better) = search.better(index, &open, &sizes) {
            sizes = better;
        }
    }
    for (symbol, size) in model.symbols.iter_mut().zip(sizes) {
        let size = u32::try_from(size).unwrap_or(symbol.preferred);
        symbol.preferred = size.clamp(symbol.min, symbol.max);
    }
}

struct Search<'m> {
    model: &'m Model,
    tries: usize,
}

impl Search<'_> {
    fn graph(&self) -> &Graph {
        self.model.main()
    }

    /// The symbols in the dimensions of a node's inputs.
    fn symbols(&self, index: usize) -> Vec<usize> {
        let mut found = Vec::new();
        for input in self.graph().nodes[index].inputs.iter().flatten() {
            for dim in &self.graph().ty(*input).dims {
                dim.for_each_symbol(&mut |id| {
                    if !found.contains(&id.index()) {
                        found.push(id.index());
                    }
                });
            }
        }
        found
    }

    /// Whether a node fits its inputs at these sizes.
    fn fits(&self, index: usize, sizes: &[i64]) -> bool {
        let size = |id: SymbolId| sizes.get(id.index()).copied();
        at_sizes(self.model, &self.graph().nodes[index], &size)
    }

    /// Sizes at which a node and all before it fit, one or two of them other than they are.
    fn better(&mut self, index: usize, open: &[usize], sizes: &[i64]) -> Option<Vec<i64>> {
        let values = self.values(index, sizes);
        let choices: Vec<(usize, i64)> =
            values.iter().flat_map(|&value| open.iter().map(move |&at| (at, value))).collect();
        let choices: Vec<_> =
            choices.into_iter().filter(|&(at, value)| sizes[at] != value).collect();
        let none = choices.iter().map(|&one| [one, one]);
        let pairs = choices.iter().enumerate().flat_map(|(i, &one)| {
            let others = choices[i + 1..].iter().filter(move |other| other.0 != one.0);
            others.map(move |&other| [one, other])
        });
        for changes in none.chain(pairs) {
            self.tries += 1;
            if MAX_TRIES < self.tries {
                return None;
            }
            let mut sizes = sizes.to_vec();
            for (at, value) in changes {
                sizes[at] = value;
            }
            if self.fits(index, &sizes) {
                self.tries += index;
                if (0..index).all(|before| self.fits(before, &sizes)) {
                    return Some(sizes);
                }
            }
        }
        None
    }

    /// What a symbol may be: the dimensions around the node, numbers first, the large before the
    /// small; then small numbers that sizes are divided by.
    fn values(&self, index: usize, sizes: &[i64]) -> Vec<i64> {
        let node = &self.graph().nodes[index];
        let size = |id: SymbolId| sizes.get(id.index()).copied();
        let around = node.inputs.iter().flatten().chain(&node.outputs);
        let dims: Vec<&Dim> = around.flat_map(|&id| &self.graph().ty(id).dims).collect();
        let mut fixed: Vec<i64> = dims.iter().filter_map(|dim| dim.known()).collect();
        let mut open: Vec<i64> = dims.iter().filter_map(|dim| dim.eval(&size)).collect();
        fixed.sort_unstable_by(|a, b| b.cmp(a));
        open.sort_unstable_by(|a, b| b.cmp(a));
        let mut values = Vec::new();
        for value in fixed.into_iter().chain(open).chain([2, 3, 4, 8, 16, 32]) {
            if (2..=MAX_SIZE).contains(&value) && !values.contains(&value) {
                values.push(value);
            }
        }
        values.push(1);
        values
    }
}

/// Whether a node fits its inputs when each symbol is a number; true where that is not known.
fn at_sizes(model: &Model, node: &Node, size: &dyn Fn(SymbolId) -> Option<i64>) -> bool {
    let graph = model.main();
    let mut types: Vec<Option<TensorType>> = Vec::with_capacity(node.inputs.len());
    let mut known: Vec<Option<Vec<Dim>>> = Vec::with_capacity(node.inputs.len());
    let fixed = |dims: &[Dim]| -> Option<Vec<Dim>> {
        dims.iter().map(|dim| dim.eval(size).map(Dim::Known)).collect()
    };
    for input in &node.inputs {
        let Some(id) = input else {
            types.push(None);
            known.push(None);
            continue;
        };
        let value = graph.value(*id);
        let Some(dims) = fixed(&value.ty.dims) else { return true };
        if dims.iter().any(|dim| dim.known().is_none_or(|dim| dim < 0)) {
            return true;
        }
        types.push(Some(value.ty.with_dims(dims)));
        known.push(value.known.as_deref().and_then(fixed));
    }
    let operands: Vec<Option<Operand<'_>>> = (types.iter().zip(&known).zip(&node.inputs))
        .map(|((ty, known), id)| {
            let data = model.const_of(crate::ids::GraphId(0), *id.as_ref()?);
            Some(Operand { ty: ty.as_ref()?, known: known.as_deref(), data })
        })
        .collect();
    let Some(op) = with_sizes(&node.op, size) else { return true };
    match op.infer(Operands(&operands)) {
        Ok(types) => types.iter().flat_map(|ty| &ty.dims).all(|dim| dim.known() != Some(-1)),
        Err(_) => false,
    }
}

/// The operator with numbers for the expressions among its attributes.
fn with_sizes(op: &Op, size: &dyn Fn(SymbolId) -> Option<i64>) -> Option<Op> {
    let attrs = op.attrs();
    if !attrs.iter().any(|(_, attr)| is_open(attr)) {
        return Some(op.clone());
    }
    let attrs: Option<Vec<(String, Attr)>> =
        attrs.iter().map(|(name, attr)| Some(((*name).to_owned(), sized(attr, size)?))).collect();
    Op::from_attrs(op.name(), &attrs?).ok()
}

fn is_open(attr: &Attr) -> bool {
    match attr {
        Attr::Dim(dim) => dim.known().is_none(),
        Attr::List(items) => items.iter().any(is_open),
        Attr::Word(_) | Attr::Float(_) | Attr::Graph(_) => false,
    }
}

fn sized(attr: &Attr, size: &dyn Fn(SymbolId) -> Option<i64>) -> Option<Attr> {
    Some(match attr {
        Attr::Dim(dim) => Attr::Dim(Dim::Known(dim.eval(size)?)),
        Attr::List(items) => {
            Attr::List(items.iter().map(|item| sized(item, size)).collect::<Option<_>>()?)
        }
        Attr::Word(_) | Attr::Float(_) | Attr::Graph(_) => attr.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn sizes_fit_the_operators() {
        let cases: [(&str, &str, &[u32]); 5] = [
            (
                "k [1, 128, 999] symbol m [1, 1, 999]",
                "%0 = input f32[2,k] %1 = input f32[m,3]
              %2 = matmul(%0, %1) {transpose_a=false, transpose_b=false} output %2",
                &[128, 128],
            ),
            (
                "h [1, 224, 999] symbol a [1, 128, 999]",
                "%0 = input f32[h,4] %1 = input f32[a,4] %2 = add(%0, %1) output %2",
                &[224, 224],
            ),
            (
                "h [1, 128, 999]",
                "%0 = input f32[h] %1 = input f32[7] %2 = add(%0, %1) output %2",
                &[7],
            ),
            (
                "h [1, 5, 999]",
                "%0 = input f32[h] %1, %2 = split(%0) {axis=0, sizes=[div(h, 2), div(h, 2)]}
              output %1 output %2",
                &[2],
            ),
            ("h [1, 5, 999]", "%0 = input f32[h] %1 = clip(%0) {min=0.0, max=6.0} output %1", &[5]),
        ];
        for (symbols, nodes, expected) in cases {
            let text = format!("model v1 symbol {symbols} graph main {{ {nodes} }}");
            let mut model =
                text::parse(&text, &[]).unwrap_or_else(|error| panic!("{error}: {text}"));
            settle(&mut model);
            let sizes: Vec<u32> = model.symbols.iter().map(|symbol| symbol.preferred).collect();
            assert_eq!(sizes, expected, "{nodes}");
        }
    }
}
