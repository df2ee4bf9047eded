//! Ensembles of decision trees (`ai.onnx.ml`): all trees go down one level at a time, as gathers from
//! tables of their nodes. A leaf leads to itself.

use embarca_kernels::{compare, reduce, unary};

use super::draft::{Draft, numbers};
use super::ml::{Labels, one_and_other, post_transform};
use super::prelude::*;
use super::{Binary, GatherElements, IsSpecial, LogicalNot, binary::BinaryFunction};

const ML: &str = "ai.onnx.ml";

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("TreeEnsembleClassifier", 1).domain(ML),
    Spelling::onnx("TreeEnsembleRegressor", 1).domain(ML),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let mut d = Draft::new(b);
    let x = node.input(0)?;
    let x = match d.b.ty(x).dtype {
        DType::F64 => x,
        _ => d.cast(x, DType::F32)?,
    };
    let trees = Trees::read(node)?;
    let leaves = trees.leaves(&mut d, x)?;
    match node.op {
        "TreeEnsembleRegressor" => {
            let targets = node.int("n_targets", 1)?;
            let weights = trees.weights(node, "target", targets)?;
            let sum = trees.sum(&mut d, leaves, &weights)?;
            let sum = match node.text("aggregate_function", "SUM")? {
                "SUM" => sum,
                "AVERAGE" => d.scaled(sum, 1.0 / trees.roots.len() as f64)?,
                other => {
                    let message = format!("{other} is not supported");
                    return Err(ImportError::unsupported(message).attribute("aggregate_function"));
                }
            };
            let y = based(node, &mut d, sum, weights.columns)?;
            one(post_transform(node, &mut d, y)?)
        }
        _ => classifier(node, &mut d, &trees, leaves),
    }
}

fn classifier(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    trees: &Trees,
    leaves: ValueId,
) -> Result<Vec<ValueId>, ImportError> {
    let labels = Labels::read(node, d, ["classlabels_int64s", "classlabels_strings"])?;
    let weights = trees.weights(node, "class", labels.len() as i64)?;
    let mut classes = weights.entries.iter().map(|&(_, class, _)| class);
    let single = labels.len() == 2 && classes.clone().all(|class| class == 0);
    if labels.len() == 2 && classes.all(|class| class == 1) {
        return Err(ImportError::unsupported("only the second of two classes has scores"));
    }
    if !single {
        let sum = trees.sum(d, leaves, &weights)?;
        let scores = based(node, d, sum, labels.len())?;
        return Ok(vec![labels.best(d, scores)?, post_transform(node, d, scores)?]);
    }
    // One score, that of the second class.
    let weights = Leaves { columns: 1, ..weights };
    let sum = trees.sum(d, leaves, &weights)?;
    let score = based(node, d, sum, 1)?;
    let chance = weights.entries.iter().all(|&(_, _, weight)| 0.0 <= weight);
    let limit = d.number(score, if chance { 0.5 } else { 0.0 })?;
    let second = d.compare(compare::Kind::Greater, score, limit)?;
    let second = d.cast(second, DType::I64)?;
    let second = d.squeeze(second, 1)?;
    let label = labels.at(d, second)?;
    let scores = match node.text("post_transform", "NONE")? {
        "LOGISTIC" => {
            let score = d.unary(unary::Kind::Sigmoid, score)?;
            one_and_other(d, score)?
        }
        // As ONNX Runtime does, which transforms one score by a sigmoid only.
        "NONE" | "SOFTMAX" | "SOFTMAX_ZERO" if chance => one_and_other(d, score)?,
        "NONE" | "SOFTMAX" | "SOFTMAX_ZERO" => {
            let other = d.scaled(score, -1.0)?;
            d.concat(&[other, score], 1)?
        }
        other => {
            let message = format!("{other} of one score for two classes");
            return Err(ImportError::unsupported(message).attribute("post_transform"));
        }
    };
    Ok(vec![label, scores])
}

/// With the node's base values, one for each column or one for all.
fn based(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    sum: ValueId,
    columns: usize,
) -> Result<ValueId, ImportError> {
    let base = match node.opt_floats("base_values")? {
        Some(base) => base.into_iter().map(f64::from).collect(),
        None => match node.opt_tensor("base_values_as_tensor")? {
            Some(tensor) => tensor.to_f64().unwrap_or_default(),
            None => Vec::new(),
        },
    };
    match base.len() {
        0 => Ok(sum),
        len if len == columns => {
            let dtype = d.b.ty(sum).dtype;
            let base = d.b.constant(numbers(dtype, &[len], &base)?, None);
            Ok(d.add(sum, base)?)
        }
        len => {
            let message = format!("{len} values for {columns} columns");
            Err(ImportError::unsupported(message).attribute("base_values"))
        }
    }
}

/// What leaves hold: the node, the column, the number.
struct Leaves {
    entries: Vec<(usize, usize, f64)>,
    columns: usize,
}

/// The nodes of all trees in one list.
struct Trees {
    features: Vec<i64>,
    splits: Vec<f64>,
    /// Where a node leads when its comparison holds, and else.
    next: [Vec<i64>; 2],
    /// Where a missing value counts as one for which it holds.
    missing: Vec<f64>,
    mode: String,
    ids: Vec<(i64, i64)>,
    roots: Vec<i64>,
    depth: usize,
}

impl Trees {
    fn read(node: &NodeView<'_>) -> Result<Self, ImportError> {
        node.ignore(&["nodes_hitrates", "nodes_hitrates_as_tensor"]);
        let ints = |name: &str| -> Result<Vec<i64>, ImportError> {
            node.opt_ints(name)?.ok_or_else(|| ImportError::malformed("is missing").attribute(name))
        };
        let modes = node.opt_texts("nodes_modes")?.unwrap_or_default();
        let len = modes.len();
        let sized = |list: Vec<i64>, name: &str| match list.len() == len {
            true => Ok(list),
            false => Err(ImportError::malformed("is of another length").attribute(name)),
        };
        let list = |name: &str| sized(ints(name)?, name);
        let (tree_ids, node_ids) = (list("nodes_treeids")?, list("nodes_nodeids")?);
        let splits = match node.opt_floats("nodes_values")? {
            Some(splits) => splits.into_iter().map(f64::from).collect(),
            None => match node.opt_tensor("nodes_values_as_tensor")? {
                Some(tensor) => tensor.to_f64().unwrap_or_default(),
                None => Vec::new(),
            },
        };
        if len == 0 || splits.len() != len {
            return Err(ImportError::malformed("is of another length").attribute("nodes_values"));
        }
        let ids: Vec<(i64, i64)> = tree_ids.into_iter().zip(node_ids).collect();
        let places = places(&ids)?;
        let leaf = |index: usize| modes[index] == "LEAF";
        let mut kinds = (0..len).filter(|&index| !leaf(index)).map(|index| &modes[index]);
        let mode = kinds.next().cloned().unwrap_or_else(|| "BRANCH_LEQ".to_owned());
        if kinds.any(|kind| *kind != mode) {
            let message = "several kinds of comparisons in one ensemble";
            return Err(ImportError::unsupported(message).attribute("nodes_modes"));
        }
        let follow = |name: &str| -> Result<Vec<i64>, ImportError> {
            let children = list(name)?;
            let wrong =
                || ImportError::malformed("names a node that is not there").attribute(name);
            let child = |index: usize| match leaf(index) {
                true => Ok(index as i64),
                false => {
                    let child = places.get(&(ids[index].0, children[index]));
                    child.map(|&at| at as i64).ok_or_else(wrong)
                }
            };
            (0..len).map(child).collect()
        };
        let next = [follow("nodes_truenodeids")?, follow("nodes_falsenodeids")?];
        let mut roots: Vec<i64> = Vec::new();
        for (index, (tree, _)) in ids.iter().enumerate() {
            if index == 0 || ids[..index].last().is_none_or(|(before, _)| before != tree) {
                roots.push(index as i64);
            }
        }
        let depth = depth(&next, &roots, &leaf)?;
        let missing = node.opt_ints("nodes_missing_value_tracks_true")?.unwrap_or_default();
        Ok(Self {
            features: list("nodes_featureids")?,
            splits,
            next,
            missing: missing.into_iter().map(|track| track as f64).collect(),
            mode,
            ids,
            roots,
            depth,
        })
    }

    /// The leaf that each row reaches in each tree: `[rows, trees]`.
    fn leaves(&self, d: &mut Draft<'_, '_>, x: ValueId) -> Result<ValueId, ImportError> {
        let dims = d.b.ty(x).dims.clone();
        let [rows, columns] = dims.as_slice() else {
            return Err(ImportError::malformed(format!("the input is {}", d.b.ty(x))));
        };
        let greatest = self.features.iter().copied().max().unwrap_or(0);
        let negative = self.features.iter().any(|&feature| feature < 0);
        if negative || columns.known().is_some_and(|columns| columns <= greatest) {
            let message = format!("feature {greatest} of {columns} is asked for");
            return Err(ImportError::malformed(message).attribute("nodes_featureids"));
        }
        let dtype = d.b.ty(x).dtype;
        let len = self.splits.len();
        let features = d.b.i64s(&self.features);
        let splits = d.b.constant(numbers(dtype, &[len], &self.splits)?, None);
        let next = [0, 1].map(|way: usize| d.b.i64s(&self.next[way]));
        let tracked = self.missing.iter().any(|&track| track != 0.0);
        if tracked && self.missing.len() != len {
            let message = "is of another length";
            return Err(ImportError::malformed(message).attribute("nodes_missing_value_tracks_true"));
        }
        let missing = match tracked {
            true => Some(d.b.constant(numbers(DType::Bool, &[len], &self.missing)?, None)),
            false => None,
        };
        let roots = d.b.i64s(&self.roots);
        let mut at = d.expand(roots, vec![rows.clone(), Dim::Known(self.roots.len() as i64)])?;
        for _ in 0..self.depth {
            let feature = d.gather(features, at, 0)?;
            let value = d.b.op(GatherElements { axis: 1 }, &[x, feature])?;
            let split = d.gather(splits, at, 0)?;
            let mut holds = self.compare(d, value, split)?;
            if let Some(missing) = missing {
                let is_missing = d.b.op(IsSpecial::NAN, &[value])?;
                let goes = d.gather(missing, at, 0)?;
                let goes = d.b.op(Binary { function: BinaryFunction::And }, &[goes, is_missing])?;
                holds = d.b.op(Binary { function: BinaryFunction::Or }, &[holds, goes])?;
            }
            let [yes, no] = [d.gather(next[0], at, 0)?, d.gather(next[1], at, 0)?];
            at = d.select(holds, yes, no)?;
        }
        Ok(at)
    }

    fn compare(
        &self,
        d: &mut Draft<'_, '_>,
        value: ValueId,
        split: ValueId,
    ) -> Result<ValueId, ImportError> {
        use compare::Kind;
        let kind = match self.mode.as_str() {
            "BRANCH_LEQ" => Kind::LessEqual,
            "BRANCH_LT" => Kind::Less,
            "BRANCH_GTE" => Kind::GreaterEqual,
            "BRANCH_GT" => Kind::Greater,
            "BRANCH_EQ" | "BRANCH_NEQ" => Kind::Equal,
            other => {
                let message = format!("there is no comparison {other}");
                return Err(ImportError::malformed(message).attribute("nodes_modes"));
            }
        };
        let holds = d.compare(kind, value, split)?;
        match self.mode.as_str() {
            "BRANCH_NEQ" => Ok(d.b.op(LogicalNot {}, &[holds])?),
            _ => Ok(holds),
        }
    }

    /// What the node's leaves hold, by `target` or by `class`.
    fn weights(
        &self,
        node: &NodeView<'_>,
        what: &str,
        columns: i64,
    ) -> Result<Leaves, ImportError> {
        let names = ["treeids", "nodeids", "ids"].map(|name| format!("{what}_{name}"));
        let [trees, nodes, ids] = names.map(|name| node.opt_ints(&name));
        let (trees, nodes) = (trees?.unwrap_or_default(), nodes?.unwrap_or_default());
        let ids = ids?.unwrap_or_default();
        let name = format!("{what}_weights");
        let weights: Vec<f64> = match node.opt_floats(&name)? {
            Some(weights) => weights.into_iter().map(f64::from).collect(),
            None => match node.opt_tensor(&format!("{name}_as_tensor"))? {
                Some(tensor) => tensor.to_f64().unwrap_or_default(),
                None => Vec::new(),
            },
        };
        let wrong = || ImportError::malformed("does not fit the nodes").attribute(&name);
        let columns = usize::try_from(columns).ok().filter(|&columns| 0 < columns);
        let columns = columns.ok_or_else(wrong)?;
        if [trees.len(), nodes.len(), ids.len()] != [weights.len(); 3] {
            return Err(wrong());
        }
        let places = places(&self.ids)?;
        let mut entries = Vec::with_capacity(weights.len());
        for (index, weight) in weights.into_iter().enumerate() {
            let leaf = places.get(&(trees[index], nodes[index])).copied().ok_or_else(wrong)?;
            let column = usize::try_from(ids[index]).ok().filter(|&column| column < columns);
            entries.push((leaf, column.ok_or_else(wrong)?, weight));
        }
        Ok(Leaves { entries, columns })
    }

    /// The sum of what the leaves hold: `[rows, columns]`.
    fn sum(
        &self,
        d: &mut Draft<'_, '_>,
        leaves: ValueId,
        weights: &Leaves,
    ) -> Result<ValueId, ImportError> {
        let len = self.splits.len();
        let given = weights.entries.len();
        let cells = len.checked_mul(weights.columns);
        super::draft::check_table(cells.map(|cells| cells / 16))?;
        if cells.is_none_or(|cells| MAX_FREE.max(given.saturating_mul(MAX_SPREAD)) < cells) {
            let message = format!("{len} nodes by {} results, of which {given} are given", weights.columns);
            return Err(ImportError::unsupported(message));
        }
        let mut table = vec![0.0; len * weights.columns];
        for &(leaf, column, weight) in &weights.entries {
            table[leaf * weights.columns + column] += weight;
        }
        let table = numbers(DType::F32, &[len, weights.columns], &table)?;
        let table = d.b.table(table)?;
        let held = d.gather(table, leaves, 0)?;
        Ok(d.reduce(reduce::Kind::Sum, held, [1], false)?)
    }
}

type Places = std::collections::HashMap<(i64, i64), usize>;

fn places(ids: &[(i64, i64)]) -> Result<Places, ImportError> {
    let places: Places = ids.iter().enumerate().map(|(index, &id)| (id, index)).collect();
    match places.len() == ids.len() {
        true => Ok(places),
        false => Err(ImportError::malformed("a node is listed twice").attribute("nodes_nodeids")),
    }
}

/// The most comparisons between a root and a leaf.
fn depth(
    next: &[Vec<i64>; 2],
    roots: &[i64],
    leaf: &dyn Fn(usize) -> bool,
) -> Result<usize, ImportError> {
    let mut seen = vec![false; next[0].len()];
    let mut level: Vec<usize> = roots.iter().map(|&root| root as usize).collect();
    let mut depth = 0;
    loop {
        for &index in &level {
            if std::mem::replace(&mut seen[index], true) {
                return Err(ImportError::malformed("a node is reached in two ways"));
            }
        }
        level.retain(|&index| !leaf(index));
        if level.is_empty() {
            return Ok(depth);
        }
        depth += 1;
        if MAX_DEPTH < depth {
            let message = format!("trees of more than {MAX_DEPTH} levels");
            return Err(ImportError::unsupported(message));
        }
        let below = |&index: &usize| [next[0][index] as usize, next[1][index] as usize];
        level = level.iter().flat_map(below).collect();
    }
}

/// Each level is a handful of nodes of the graph.
const MAX_DEPTH: usize = 512;

/// The size of a table of what nodes hold that needs no reason.
const MAX_FREE: usize = 1 << 18;

/// How many times as large as what the file lists a larger table may be: twice the number of classes
/// where each leaf is for one of them.
const MAX_SPREAD: usize = 64;
