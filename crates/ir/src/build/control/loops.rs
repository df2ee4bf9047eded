//! Loops: ONNX's Loop and Scan, TFLite's WHILE.

use embarca_num::DType;

use super::{Args, Bound, GraphImporter, Making, Param, Slot, Slots, graph_attr, only};
use crate::dim::Dim;
use crate::error::ImportError;
use crate::foreign::{AttrValue, ForeignNode};
use crate::ids::ValueId;
use crate::model::Def;
use crate::ops::{self, Concat};
use crate::types::{Const, TensorType};

/// Loops that must be unrolled, because sizes change from one run to the next, may run so often.
const MAX_UNROLLED: i64 = 1024;

fn int_attr(node: &ForeignNode, name: &str) -> Option<i64> {
    node.attrs.iter().find_map(|(key, value)| match value {
        AttrValue::Int(value) if key == name => Some(*value),
        _ => None,
    })
}

fn ints_attr(node: &ForeignNode, name: &str) -> Option<Vec<i64>> {
    node.attrs.iter().find_map(|(key, value)| match value {
        AttrValue::Ints(values) if key == name => Some(values.clone()),
        _ => None,
    })
}

fn changes(what: &str, before: &TensorType, after: &TensorType) -> ImportError {
    ImportError::unsupported(format!(
        "{what} is {before} before a run and {after} behind it; its size may not change"
    ))
    .hint("give the inputs' shapes with --shapes, or export the model with the loop unrolled")
}

impl<'a> GraphImporter<'a, '_> {
    /// Loop: `trips?, condition?, variables...`.
    pub(super) fn onnx_loop(&mut self, node: &'a ForeignNode) -> Slots {
        only(node, &["body"])?;
        let body = graph_attr(node, "body")?;
        let (head, rest) = node.inputs.split_at(node.inputs.len().min(2));
        let mut flags = [None, None];
        for (flag, input) in flags.iter_mut().zip(head) {
            let Some(input) = input else { continue };
            match self.value(*input)? {
                Some(value) => *flag = Some(value),
                None => return Ok(None),
            }
        }
        let [trips, cond] = flags;
        let (Some(vars), Some(captured)) = (self.slots(rest)?, self.captured(body)?) else {
            return Ok(None);
        };
        let trips = match trips {
            Some(trips) => Some(self.condition(trips)?),
            None => None,
        };
        let cond = match cond {
            Some(cond) => Some(self.condition(cond)?),
            None => None,
        };
        let count = trips.and_then(|trips| self.b.operand(trips).ints()?.first().copied());
        let starts = cond.map_or(Some(true), |cond| self.truth(cond));
        let rounds = match (count, starts) {
            (_, Some(false)) => Some(0),
            (Some(count), Some(true)) => Some(count.max(0)),
            _ => None,
        };
        let declared = self.model.graphs.get(body).map_or(0, |graph| graph.outputs.len());
        let items = declared.checked_sub(1 + vars.len());
        let items = items.ok_or_else(|| {
            ImportError::malformed("the body yields fewer values than there are variables")
        })?;

        let mark = self.b.model.graphs.len();
        let outside = std::mem::take(&mut self.obstacles);
        let attempt = self.rolled(node, body, (trips, cond, rounds), &vars, &captured, items);
        let obstacles = std::mem::replace(&mut self.obstacles, outside);
        let few = rounds.filter(|&rounds| rounds <= MAX_UNROLLED);
        match (attempt, few) {
            (Ok(Some(slots)), _) if obstacles.list.is_empty() => Ok(Some(slots)),
            (_, Some(rounds)) => {
                self.b.model.graphs.truncate(mark);
                self.unrolled(node, body, rounds, vars, &captured, items)
            }
            (attempt, None) => {
                // With a known trip count the loop would be unrolled.
                let mut obstacles = obstacles;
                let flags = [trips, cond].into_iter().flatten();
                let names: Vec<String> = flags.flat_map(|flag| self.inputs_behind(flag)).collect();
                for obstacle in &mut obstacles.list {
                    obstacle.fixable.extend(names.iter().cloned());
                }
                self.obstacles.extend(obstacles);
                attempt
            }
        }
    }

    /// A loop as a node; fails where sizes change from one run to the next.
    fn rolled(
        &mut self,
        node: &'a ForeignNode,
        body: usize,
        (trips, cond, rounds): (Option<ValueId>, Option<ValueId>, Option<i64>),
        vars: &[Slot],
        captured: &[(usize, Slot)],
        items: usize,
    ) -> Slots {
        let mut values = Vec::with_capacity(vars.len());
        for slot in vars {
            let Slot::Value(value) = slot else {
                return Err(ImportError::unsupported("a variable is not a tensor"));
            };
            values.push(*value);
        }
        let mut args = Args::default();
        let first = 2 + values.len();
        let mut bounds = self.bind(captured.to_vec(), &mut args, first);
        let inputs = self.model.graphs.get(body).map_or(&[][..], |graph| &graph.inputs);
        if inputs.len() != first {
            return Err(ImportError::malformed("the body takes another number of values"));
        }
        bounds.extend(inputs.iter().enumerate().map(|(at, &input)| (input, Bound::Input(at))));
        let flag = |name: &str, dtype, at: usize| {
            let tensor = inputs.get(at).and_then(|&i| self.model.graphs[body].tensors.get(i));
            let rank = tensor.and_then(|tensor| tensor.dims.as_ref()).map_or(0, Vec::len);
            let ty = TensorType::of(dtype, &[1][..rank.min(1)]);
            Param { name: name.to_owned(), ty, known: None }
        };
        let mut params = vec![flag("trip", DType::I64, 0), flag("condition", DType::Bool, 1)];
        let carried = |value: &ValueId| Param { known: None, ..self.param(*value) };
        params.extend(values.iter().map(carried));
        params.extend(args.values.iter().map(|&value| self.param(value)));
        let making = Making { params: &params, bounds: &bounds, threaded: &[], keep: None };
        let Some(mut called) = self.graph(body, node, "body", &making)? else { return Ok(None) };
        for (index, &value) in values.iter().enumerate() {
            let (before, after) = (self.b.ty(value), self.result_ty(&called, index + 1));
            if before != after {
                return Err(changes(&format!("variable {index}"), before, after));
            }
        }
        // A condition that comes out as it went in says nothing new.
        let graph = self.b.model.graph(called.id);
        let inner = called.results[0];
        let constant = self.b.model.const_of(called.id, inner).and_then(Const::to_i64);
        let always =
            constant.is_some_and(|values| values == [1]) || graph.inputs.get(1) == Some(&inner);
        let rounds = rounds.filter(|&rounds| always || rounds == 0);
        let count = trips.and_then(|trips| self.b.operand(trips).ints());
        if 0 < items && rounds.is_none() {
            let message =
                "results are collected over a number of runs that is known only while it runs";
            return Err(match (trips, cond) {
                (Some(value), _) if count.is_none() => ImportError::unknown(value, message),
                (_, Some(value)) if always => ImportError::unknown(value, message),
                _ => ImportError::unsupported(message),
            }
            .hint("export the model with a constant trip count"));
        }
        let ty = graph.ty(inner).clone();
        if 1 < ty.rank() && ty.known_len() == Some(1) {
            let outer = std::mem::replace(&mut self.b.graph, called.id);
            let single = self.b.reshape(inner, Vec::new());
            self.b.graph = outer;
            called.results[0] = single?;
        }
        let (mut dtypes, mut dims, mut quants) = (Vec::new(), Vec::new(), Vec::new());
        quants.extend(values.iter().map(|&value| self.b.ty(value).quant.clone()));
        for index in 0..items {
            let ty = self.result_ty(&called, 1 + values.len() + index);
            dtypes.push(ty.dtype);
            dims.push([vec![Dim::Known(rounds.unwrap_or(0))], ty.dims.clone()].concat());
            quants.push(None);
        }
        self.publish(&called);
        let op = ops::ForLoop { body: called.id, vars: values.len(), dtypes, dims };
        let inputs = [trips, cond].into_iter();
        let inputs = inputs.chain(values.into_iter().chain(args.values).map(Some));
        let outputs = self.call(op, &inputs.collect::<Vec<_>>(), quants)?;
        Ok(Some(outputs.into_iter().map(Slot::Value).collect()))
    }

    /// A loop as its body, time and again.
    fn unrolled(
        &mut self,
        node: &'a ForeignNode,
        body: usize,
        rounds: i64,
        mut vars: Vec<Slot>,
        captured: &[(usize, Slot)],
        items: usize,
    ) -> Slots {
        let mut collected: Vec<Vec<ValueId>> = vec![Vec::new(); items];
        for round in 0..rounds {
            let trip = self.b.constant(Const::from_i64(&[], &[round]), None);
            let truth = Const::new(DType::Bool, Vec::new(), [1u8]);
            let truth = truth.ok_or_else(|| ImportError::malformed("no condition"))?;
            let truth = self.b.constant(truth, None);
            let head = [Slot::Value(trip), Slot::Value(truth)];
            let args: Vec<Slot> = head.into_iter().chain(vars).collect();
            let mut fed = self.fed(body, &args)?;
            fed.extend(captured.iter().cloned());
            let Some(mut results) = self.inline(body, node, "body", fed)? else { return Ok(None) };
            let each = results.split_off(results.len().saturating_sub(items));
            vars = results.split_off(results.len().min(1));
            for (list, item) in collected.iter_mut().zip(each) {
                let Slot::Value(item) = item else {
                    return Err(ImportError::unsupported("what is collected is not a tensor"));
                };
                let dims = [vec![Dim::Known(1)], self.b.ty(item).dims.clone()].concat();
                list.push(self.b.reshape(item, dims)?);
            }
            let going = match results.first() {
                Some(Slot::Value(value)) => self.truth(*value),
                _ => None,
            };
            match going {
                Some(true) => {}
                Some(false) => break,
                None => {
                    let message = "sizes change from one run to the next, and how often it runs \
                                   is known only while the model runs";
                    return Err(ImportError::unsupported(message)
                        .hint("export the model with the loop unrolled"));
                }
            }
        }
        for list in collected {
            if list.is_empty() {
                let message = "nothing is collected, so that nothing is known of its size";
                return Err(ImportError::unsupported(message));
            }
            vars.push(Slot::Value(self.b.op(Concat { axis: 0 }, &list)?));
        }
        Ok(Some(vars))
    }

    /// Scan since opset 9, and that of opset 8 for one sample.
    pub(super) fn onnx_scan(&mut self, node: &'a ForeignNode) -> Slots {
        only(
            node,
            &[
                "body",
                "num_scan_inputs",
                "scan_input_axes",
                "scan_input_directions",
                "scan_output_axes",
                "scan_output_directions",
                "directions",
            ],
        )?;
        let body = graph_attr(node, "body")?;
        let batched = node.version < 9;
        let inputs = if batched {
            if node.inputs.first().copied().flatten().is_some() {
                return Err(ImportError::unsupported("sequences of different lengths"));
            }
            node.inputs.get(1..).unwrap_or(&[])
        } else {
            &node.inputs
        };
        let (Some(slots), Some(captured)) = (self.slots(inputs)?, self.captured(body)?) else {
            return Ok(None);
        };
        let mut values = Vec::with_capacity(slots.len());
        for slot in slots {
            let Slot::Value(value) = slot else {
                return Err(ImportError::unsupported("a variable is not a tensor"));
            };
            values.push(if batched { self.one_sample(value)? } else { value });
        }
        let sequences = int_attr(node, "num_scan_inputs").and_then(|n| usize::try_from(n).ok());
        let sequences = sequences.filter(|&n| 0 < n && n <= values.len()).ok_or_else(|| {
            ImportError::malformed("is not a number of inputs").attribute("num_scan_inputs")
        })?;
        let vars = values.len() - sequences;
        let declared = self.model.graphs.get(body).map_or(0, |graph| graph.outputs.len());
        let items = declared.checked_sub(vars).ok_or_else(|| {
            ImportError::malformed("the body yields fewer values than there are variables")
        })?;
        let list = |name: &str, len: usize| -> Result<Vec<i64>, ImportError> {
            let values = ints_attr(node, name).unwrap_or_else(|| vec![0; len]);
            if values.len() == len {
                return Ok(values);
            }
            Err(ImportError::malformed(format!("has not {len} values")).attribute(name))
        };
        let directions = if batched { "directions" } else { "scan_input_directions" };
        let backward: Vec<bool> =
            list(directions, sequences)?.into_iter().map(|value| value != 0).collect();
        let out_backward: Vec<bool> =
            list("scan_output_directions", items)?.into_iter().map(|value| value != 0).collect();
        let mut axes = Vec::with_capacity(sequences);
        let wanted = list("scan_input_axes", sequences)?;
        for (&value, &axis) in values[vars..].iter().zip(&wanted) {
            axes.push(ops::prelude::axis(axis, self.b.rank(value))?);
        }

        let mut args = Args::default();
        let mut bounds = self.bind(captured, &mut args, values.len());
        let inputs = self.model.graphs.get(body).map_or(&[][..], |graph| &graph.inputs);
        if inputs.len() != values.len() {
            return Err(ImportError::malformed("the body takes another number of values"));
        }
        bounds.extend(inputs.iter().enumerate().map(|(at, &input)| (input, Bound::Input(at))));
        let mut params: Vec<Param> =
            values.iter().map(|&value| Param { known: None, ..self.param(value) }).collect();
        for (param, &axis) in params[vars..].iter_mut().zip(&axes) {
            param.ty.dims.remove(axis);
        }
        params.extend(args.values.iter().map(|&value| self.param(value)));
        let making = Making { params: &params, bounds: &bounds, threaded: &[], keep: None };
        let Some(called) = self.graph(body, node, "body", &making)? else { return Ok(None) };
        for (index, &value) in values[..vars].iter().enumerate() {
            let (before, after) = (self.b.ty(value), self.result_ty(&called, index));
            if before != after {
                return Err(changes(&format!("variable {index}"), before, after));
            }
        }
        let length = self.b.ty(values[vars]).dims[axes[0]].clone();
        let (mut dtypes, mut dims, mut out_axes) = (Vec::new(), Vec::new(), Vec::new());
        let wanted = list("scan_output_axes", items)?;
        for (index, axis) in wanted.into_iter().enumerate() {
            let ty = self.result_ty(&called, vars + index);
            let axis = ops::prelude::axis(axis, ty.rank() + 1)?;
            let mut whole = ty.dims.clone();
            whole.insert(axis, length.clone());
            dtypes.push(ty.dtype);
            dims.push(whole);
            out_axes.push(axis);
        }
        let quants = values[..vars].iter().map(|&value| self.b.ty(value).quant.clone()).collect();
        self.publish(&called);
        let body = called.id;
        let op = ops::Scan { body, vars, axes, backward, out_axes, out_backward, dtypes, dims };
        let inputs: Vec<_> = values.into_iter().chain(args.values).map(Some).collect();
        let mut outputs = self.call(op, &inputs, quants)?;
        if batched {
            for output in &mut outputs {
                let dims = [vec![Dim::Known(1)], self.b.ty(*output).dims.clone()].concat();
                *output = self.b.reshape(*output, dims)?;
            }
        }
        Ok(Some(outputs.into_iter().map(Slot::Value).collect()))
    }

    /// Scan of opset 8 has a first axis for samples.
    fn one_sample(&mut self, value: ValueId) -> Result<ValueId, ImportError> {
        let dims = self.b.ty(value).dims.clone();
        match dims.split_first() {
            Some((Dim::Known(1), rest)) => Ok(self.b.reshape(value, rest.to_vec())?),
            _ => Err(ImportError::unsupported("more than one sample at a time")
                .hint("convert the model to opset 9 or later")),
        }
    }

    pub(super) fn tflite_while(&mut self, node: &'a ForeignNode) -> Slots {
        let names = ["cond_subgraph_index", "body_subgraph_index"];
        only(node, &names)?;
        let [cond, body] = [graph_attr(node, names[0])?, graph_attr(node, names[1])?];
        let Some(slots) = self.slots(&node.inputs)? else { return Ok(None) };
        let fed = [self.fed(cond, &slots)?, self.fed(body, &slots)?];
        let foreign = &self.model.graphs[body];
        if foreign.outputs.len() != slots.len() {
            return Err(ImportError::malformed("the body yields another number of values"));
        }
        // What comes out as it went in is no variable: constants stay constants.
        let fixed: Vec<bool> = foreign
            .inputs
            .iter()
            .zip(&foreign.outputs)
            .map(|(input, output)| input == output)
            .collect();
        let mut values = Vec::new();
        let mut at = vec![None; slots.len()];
        for (index, slot) in slots.iter().enumerate() {
            let Slot::Value(value) = slot else { continue };
            if !(fixed[index] && self.b.const_of(*value).is_some()) {
                at[index] = Some(values.len());
                values.push(*value);
            }
        }
        let threaded = self.variables.used_by(self.model, &[cond, body]);
        let current = self.variables.current(&threaded)?;
        let params: Vec<Param> = values
            .iter()
            .chain(&current)
            .map(|&value| Param { known: None, ..self.param(value) })
            .collect();
        let mut called = Vec::new();
        for (graph, fed, role) in [(cond, &fed[0], "condition"), (body, &fed[1], "body")] {
            let mut bounds = Vec::new();
            for (index, (tensor, slot)) in fed.iter().enumerate() {
                let bound = match (at[index], slot) {
                    (Some(at), _) => Bound::Input(at),
                    (None, Slot::Value(value)) => match self.b.graph().value(*value).def {
                        Def::Const(id) if !self.b.is_text(*value) => {
                            Bound::Const(id, self.b.ty(*value).quant.clone())
                        }
                        _ => continue,
                    },
                    (None, Slot::Handle(variable)) => Bound::Handle(*variable),
                    (None, _) => continue,
                };
                bounds.push((*tensor, bound));
            }
            let keep: Vec<bool> = at.iter().map(Option::is_some).collect();
            let keep = (role == "body").then_some(&keep[..]);
            let making = Making { params: &params, bounds: &bounds, threaded: &threaded, keep };
            match self.graph(graph, node, role, &making)? {
                Some(graph) => called.push(graph),
                None => return Ok(None),
            }
        }
        let (Some(body), Some(mut cond)) = (called.pop(), called.pop()) else { return Ok(None) };
        // The condition is asked, not run: what it does to variables is not kept.
        cond.results.truncate(1);
        for (index, &value) in values.iter().chain(&current).enumerate() {
            let (before, after) = (self.b.ty(value), self.result_ty(&body, index));
            if before != after {
                return Err(changes(&format!("variable {index}"), before, after));
            }
        }
        self.publish(&cond);
        self.publish(&body);
        let inputs: Vec<ValueId> = values.into_iter().chain(current).collect();
        let quants = inputs.iter().map(|&value| self.b.ty(value).quant.clone()).collect();
        let inputs: Vec<_> = inputs.into_iter().map(Some).collect();
        let op = ops::WhileLoop { cond: cond.id, body: body.id };
        let outputs = self.call(op, &inputs, quants)?;
        let outputs = self.variables.update(&threaded, outputs);
        let result =
            |(slot, at): (Slot, Option<usize>)| at.map_or(slot, |at| Slot::Value(outputs[at]));
        Ok(Some(slots.into_iter().zip(at).map(result).collect()))
    }
}
