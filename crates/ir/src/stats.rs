//! What a graph costs: multiplications, parameters, bytes of activations. Counts saturate.

use std::collections::BTreeSet;

use crate::attr::Attr;
use crate::ids::{SymbolId, ValueId};
use crate::model::{Def, Graph, Model, Node};
use crate::types::TensorType;

/// What a node costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStats {
    /// Multiply-accumulates of convolutions and matrix products; 0 for other operators, `None`
    /// where a size is not known.
    pub macs: Option<u64>,
    /// Elements of its inputs that are constants or computed from constants alone.
    pub parameters: u64,
    /// Bytes of the same.
    pub parameter_bytes: u64,
    /// Bytes of its outputs, unless they are computed from constants alone; `None` where a size is
    /// not known.
    pub activation_bytes: Option<u64>,
}

/// What a graph costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// By node.
    pub nodes: Vec<NodeStats>,
    /// Of all nodes; `None` where a size is not known.
    pub macs: Option<u64>,
    /// Elements of all constants that nodes read, each counted once.
    pub parameters: u64,
    /// Bytes of the same.
    pub parameter_bytes: u64,
    /// Bytes of all inputs, states and results, except what is computed from constants alone; `None`
    /// where a size is not known.
    pub activation_bytes: Option<u64>,
    /// The most bytes that are needed at one time when every tensor has a place of its own from the
    /// node that writes it to the last that reads it. A memory plan may need less, because it lets
    /// operators work in place.
    pub peak_bytes: Option<u64>,
}

/// The costs of the main graph at the preferred sizes.
pub fn stats(model: &Model) -> Stats {
    let preferred = |id: SymbolId| Some(i64::from(model.symbols.get(id.index())?.preferred));
    graph_stats(model, model.main(), &preferred)
}

/// The costs of a graph at given sizes. The model must be sound.
pub fn graph_stats(
    model: &Model,
    graph: &Graph,
    symbols: &dyn Fn(SymbolId) -> Option<i64>,
) -> Stats {
    let sizes = Sizes { graph, symbols, fixed: fixed_values(graph) };
    let nodes: Vec<NodeStats> = graph.nodes.iter().map(|node| sizes.node(node)).collect();
    let inputs = graph.nodes.iter().flat_map(|node| node.inputs.iter().flatten());
    let constant = |id: &ValueId| match graph.value(*id).def {
        Def::Const(data) => Some(data),
        _ => None,
    };
    let consts: BTreeSet<_> = inputs.filter_map(constant).collect();
    let consts: Vec<_> = consts.into_iter().map(|id| model.constant(id)).collect();
    let written = (0..graph.values.len()).map(ValueId::new);
    let written = written.filter(|id| !sizes.fixed[id.index()]);
    Stats {
        macs: total(nodes.iter().map(|node| node.macs)),
        parameters: consts.iter().map(|data| data.len() as u64).fold(0, u64::saturating_add),
        parameter_bytes: consts.iter().map(|d| d.data.len() as u64).fold(0, u64::saturating_add),
        activation_bytes: total(written.map(|id| sizes.bytes(graph.ty(id)))),
        peak_bytes: sizes.peak(),
        nodes,
    }
}

fn total(items: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    items.into_iter().try_fold(0u64, |sum, item| Some(sum.saturating_add(item?)))
}

/// Which values are constants or computed from constants alone, and so the same in every run. For
/// an unsound graph, too.
pub(crate) fn fixed_values(graph: &Graph) -> Vec<bool> {
    let mut fixed: Vec<bool> =
        graph.values.iter().map(|value| matches!(value.def, Def::Const(_))).collect();
    for node in &graph.nodes {
        let is_fixed = |id: &ValueId| fixed.get(id.index()) == Some(&true);
        // Control flow may read state inside the graphs that it calls.
        let calls = node.op.attrs().iter().any(|(_, attr)| matches!(attr, Attr::Graph(_)));
        if !calls && node.inputs.iter().flatten().all(is_fixed) {
            for id in &node.outputs {
                if let Some(fixed) = fixed.get_mut(id.index()) {
                    *fixed = true;
                }
            }
        }
    }
    fixed
}

struct Sizes<'a> {
    graph: &'a Graph,
    symbols: &'a dyn Fn(SymbolId) -> Option<i64>,
    fixed: Vec<bool>,
}

impl Sizes<'_> {
    fn dims(&self, ty: &TensorType) -> Option<Vec<u64>> {
        let dims = ty.dims.iter();
        dims.map(|dim| u64::try_from(dim.eval(self.symbols)?).ok()).collect()
    }

    fn bytes(&self, ty: &TensorType) -> Option<u64> {
        Some(product(&self.dims(ty)?).saturating_mul(ty.dtype.size() as u64))
    }

    fn node(&self, node: &Node) -> NodeStats {
        if node.outputs.iter().all(|id| self.fixed[id.index()]) {
            return NodeStats { macs: Some(0), activation_bytes: Some(0), ..NodeStats::default() };
        }
        let mut stats = NodeStats { macs: self.macs(node), ..NodeStats::default() };
        for id in node.inputs.iter().flatten().filter(|id| self.fixed[id.index()]) {
            let ty = self.graph.ty(*id);
            let elements = self.dims(ty).map_or(0, |dims| product(&dims));
            stats.parameters = stats.parameters.saturating_add(elements);
            let bytes = elements.saturating_mul(ty.dtype.size() as u64);
            stats.parameter_bytes = stats.parameter_bytes.saturating_add(bytes);
        }
        let outputs = node.outputs.iter().map(|id| self.bytes(self.graph.ty(*id)));
        stats.activation_bytes = total(outputs);
        stats
    }

    fn macs(&self, node: &Node) -> Option<u64> {
        let input = |index: usize| {
            let id = node.inputs.get(index).copied().flatten()?;
            self.dims(self.graph.ty(id))
        };
        let output = || self.dims(self.graph.ty(*node.outputs.first()?));
        // A product over `weights` for each of `elements`.
        let each = |elements: &[u64], weights: &[u64]| {
            Some(product(elements).saturating_mul(product(weights)))
        };
        match node.op.name() {
            // Weights O,H,W,I.
            "conv2d" => each(&output()?, input(1)?.get(1..)?),
            // Weights 1,H,W,C.
            "depthwise_conv2d" => each(&output()?, input(1)?.get(1..3)?),
            // Weights O,H,W,I of a group; every input position meets them all.
            "conv_transpose2d" => each(input(0)?.split_last()?.1, &input(1)?),
            // Weights O,I.
            "dense" => each(&output()?, input(1)?.get(1..)?),
            "matmul" => {
                let a = input(0)?;
                let transposed = node.op.attrs().iter().any(|(key, attr)| {
                    *key == "transpose_a" && *attr == Attr::Word("true".to_owned())
                });
                let inner = a.len().checked_sub(if transposed { 2 } else { 1 })?;
                each(&output()?, a.get(inner..=inner)?)
            }
            _ => Some(0),
        }
    }

    /// See [`Stats::peak_bytes`].
    fn peak(&self) -> Option<u64> {
        let graph = self.graph;
        let end = graph.nodes.len();
        // The last reader of each value: itself where nobody reads it.
        let mut last: Vec<usize> = vec![0; graph.values.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            for id in node.outputs.iter().chain(node.inputs.iter().flatten()) {
                last[id.index()] = index;
            }
        }
        let kept = graph.outputs.iter().map(|output| output.value);
        let kept = kept.chain(graph.states.iter().flat_map(|state| [state.value, state.next]));
        for id in kept {
            last[id.index()] = end;
        }
        let mut freed = vec![0u64; end + 1];
        let mut live = 0u64;
        for (index, value) in graph.values.iter().enumerate() {
            if matches!(value.def, Def::Input(_) | Def::State(_)) {
                let bytes = self.bytes(&value.ty)?;
                live = live.saturating_add(bytes);
                freed[last[index]] = freed[last[index]].saturating_add(bytes);
            }
        }
        let mut peak = live;
        for (index, node) in graph.nodes.iter().enumerate() {
            for id in node.outputs.iter().filter(|id| !self.fixed[id.index()]) {
                let bytes = self.bytes(graph.ty(*id))?;
                live = live.saturating_add(bytes);
                freed[last[id.index()]] = freed[last[id.index()]].saturating_add(bytes);
            }
            peak = peak.max(live);
            live = live.saturating_sub(freed[index]);
        }
        Some(peak)
    }
}

fn product(dims: &[u64]) -> u64 {
    // A zero among them wins over saturation.
    if dims.contains(&0) { 0 } else { dims.iter().fold(1, |p: u64, dim| p.saturating_mul(*dim)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn costs_of_a_small_net() {
        let weights = vec![0u8; 16 * 9 * 3 * 4].into();
        let depthwise = vec![0u8; 9 * 16 * 4].into();
        let dense = vec![0u8; 10 * 16 * 4].into();
        let text = "model v1 symbol n [1, 2, 8]
            graph main {
              %0 = input f32[n,8,8,3]
              %1 = const #0 f32[16,3,3,3] @0
              %2 = const #1 f32[1,3,3,16] @1
              %3 = const #2 f32[10,16] @2
              %8 = clip(%1) {min=-1.0, max=1.0}
              %4 = conv2d(%0, %8) {strides=[2, 2], dilations=[1, 1], pads=[1, 1, 1, 1], groups=1,
                rescale=tflite} -> f32[n,4,4,16]
              %5 = depthwise_conv2d(%4, %2) {strides=[1, 1], dilations=[1, 1],
                pads=[1, 1, 1, 1], rescale=tflite} -> f32[n,4,4,16]
              %6 = clip(%5) {min=0.0, max=6.0}
              %7 = dense(%6, %3) {asymmetric=false, rescale=tflite} -> f32[n,4,4,10]
              output %7
            }";
        let model = text::parse(text, &[weights, depthwise, dense]).unwrap();
        crate::verify(&model).unwrap();
        let stats = stats(&model);
        let macs: Vec<_> = stats.nodes.iter().filter_map(|node| node.macs).collect();
        assert_eq!(macs, [0, 2 * 16 * 16 * 27, 2 * 16 * 16 * 9, 0, 2 * 16 * 10 * 16]);
        assert_eq!(stats.macs, Some(macs.iter().sum()));
        assert_eq!(stats.parameters, 16 * 27 + 9 * 16 + 160);
        assert_eq!(stats.parameter_bytes, 4 * stats.parameters);
        assert_eq!(stats.nodes[0].activation_bytes, Some(0));
        assert_eq!(stats.nodes[1].parameters, 16 * 27);
        assert_eq!(stats.nodes[2].parameters, 144);
        assert_eq!(stats.nodes[2].activation_bytes, Some(2 * 256 * 4));
        let [input, large, last] = [2 * 192 * 4, 2 * 256 * 4, 2 * 160 * 4];
        assert_eq!(stats.activation_bytes, Some(input + 3 * large + last));
        assert_eq!(stats.peak_bytes, Some(2 * large));
        let unknown = graph_stats(&model, model.main(), &|_| None);
        assert_eq!((unknown.macs, unknown.peak_bytes), (None, None));
        assert_eq!(unknown.parameters, stats.parameters);
    }

    #[test]
    fn huge_sizes_saturate() {
        let text = "model v1 graph main {
            %0 = input f32[4000000000,4000000000,4000000000]
            %1 = clip(%0) {min=0.0, max=6.0} %2 = input f32[0,4000000000,4000000000,4000000000]
            output %1 output %2 }";
        let stats = stats(&text::parse(text, &[]).unwrap());
        assert_eq!(stats.peak_bytes, Some(u64::MAX));
        assert_eq!(stats.macs, Some(0));
    }
}
