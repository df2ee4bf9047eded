//! Which graph calls which.

use embarca_ir::foreign::{AttrValue, ForeignGraph};

use crate::error::ReadError;
use crate::limits::ImportLimits;

/// Refuses graphs that call each other in a circle, or deeper than `nesting`.
pub(crate) fn check_calls(
    graphs: &[ForeignGraph<'_>],
    limits: &ImportLimits,
) -> Result<(), ReadError> {
    /// A graph on the way from the first one: its index and the calls not followed yet.
    struct Step {
        graph: usize,
        calls: Vec<usize>,
    }
    let step = |graph: usize| Step { graph, calls: calls(graphs.get(graph)) };
    let mut is_done = vec![false; graphs.len()];
    let mut on_path = vec![false; graphs.len()];
    for start in 0..graphs.len() {
        let mut path = vec![step(start)];
        while let Some(last) = path.last_mut() {
            if let Some(flag) = on_path.get_mut(last.graph) {
                *flag = true;
            }
            let graph = last.graph;
            match last.calls.pop() {
                Some(next) if on_path.get(next) == Some(&true) => {
                    let what = format!("it calls graph {next}, which leads back to it");
                    return Err(ReadError::malformed(what).within(|| format!("graph {graph}")));
                }
                Some(next) if is_done.get(next) == Some(&true) => {}
                Some(next) => path.push(step(next)),
                None => {
                    path.pop();
                    for (flags, value) in [(&mut on_path, false), (&mut is_done, true)] {
                        if let Some(flag) = flags.get_mut(graph) {
                            *flag = value;
                        }
                    }
                }
            }
            if path.len() > limits.nesting as usize {
                let what = "graphs call each other deeper than `nesting`";
                return Err(ReadError::over_limit(what));
            }
        }
    }
    Ok(())
}

/// The graphs that `graph` calls, each once.
fn calls(graph: Option<&ForeignGraph<'_>>) -> Vec<usize> {
    let nodes = graph.map_or(&[][..], |graph| &graph.nodes);
    let mut calls: Vec<usize> = nodes
        .iter()
        .flat_map(|node| &node.attrs)
        .filter_map(|(_, value)| match value {
            AttrValue::Graph(index) => Some(*index),
            _ => None,
        })
        .collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}

#[cfg(test)]
mod tests {
    use embarca_ir::foreign::ForeignNode;

    use super::*;

    fn graphs(calls: &[&[usize]]) -> Vec<ForeignGraph<'static>> {
        let node = |&call: &usize| ForeignNode {
            op: "CALL".into(),
            domain: String::new(),
            version: 1,
            name: String::new(),
            inputs: Vec::new(),
            blobs: Vec::new(),
            outputs: Vec::new(),
            attrs: vec![("subgraph".into(), AttrValue::Graph(call))],
        };
        let graph = |calls: &&[usize]| ForeignGraph {
            nodes: calls.iter().map(node).collect(),
            ..ForeignGraph::default()
        };
        calls.iter().map(graph).collect()
    }

    #[test]
    fn circles_and_depth() {
        let limits = ImportLimits { nesting: 3, ..ImportLimits::default() };
        assert!(check_calls(&graphs(&[&[1, 2, 1], &[2], &[]]), &limits).is_ok());
        assert!(check_calls(&graphs(&[&[0]]), &limits).is_err());
        assert!(check_calls(&graphs(&[&[], &[2], &[1]]), &limits).is_err());
        let chain = graphs(&[&[1], &[2], &[3], &[]]);
        assert!(matches!(check_calls(&chain, &limits), Err(ReadError::OverLimit(_))));
    }
}
