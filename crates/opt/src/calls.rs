//! Evaluates the operators that call graphs.

use embarca_ir::{Const, Op, TensorType};
use embarca_kernels::Fault;

use crate::eval::{EvalError, Run};

/// What one index of an axis holds of a constant.
struct Axis {
    outer: usize,
    len: usize,
    /// Bytes behind one index.
    inner: usize,
}

impl Axis {
    /// `None` when there is no such axis.
    fn of(dims: &[usize], axis: usize, size: usize) -> Option<Self> {
        let len = *dims.get(axis)?;
        let inner = dims[axis + 1..].iter().product::<usize>() * size;
        Some(Self { outer: dims[..axis].iter().product(), len, inner })
    }

    /// The bytes of index `at`.
    fn take(&self, data: &[u8], at: usize) -> Vec<u8> {
        let start = |outer: usize| (outer * self.len + at) * self.inner;
        let rows = (0..self.outer).flat_map(|outer| &data[start(outer)..start(outer) + self.inner]);
        rows.copied().collect()
    }

    /// Writes the bytes of index `at`.
    fn put(&self, data: &mut [u8], at: usize, part: &[u8]) {
        for outer in 0..self.outer {
            let start = (outer * self.len + at) * self.inner;
            let from = outer * self.inner;
            data[start..start + self.inner].copy_from_slice(&part[from..from + self.inner]);
        }
    }
}

/// A tensor that is filled index by index.
struct Collected {
    axis: Axis,
    backward: bool,
    dims: Vec<usize>,
    item: Vec<usize>,
    data: Vec<u8>,
}

impl Run<'_> {
    fn collected(&self, ty: &TensorType, axis: usize, backward: bool) -> Option<Collected> {
        let dims = ty.dims.iter().map(|dim| self.dim(dim)).collect::<Option<Vec<usize>>>()?;
        let len = dims.iter().try_fold(ty.dtype.size(), |len, &dim| len.checked_mul(dim))?;
        // As large as any tensor of a plan may be.
        let len = Some(len).filter(|len| *len <= 8 << 31)?;
        let mut item = dims.clone();
        (axis < item.len()).then(|| item.remove(axis))?;
        let axis = Axis::of(&dims, axis, ty.dtype.size())?;
        Some(Collected { axis, backward, dims, item, data: vec![0; len] })
    }

    /// The outputs of an operator that calls graphs.
    pub(crate) fn control(
        &mut self,
        op: &Op,
        inputs: &[Option<&Const>],
        types: &[&TensorType],
        place: &dyn Fn() -> String,
    ) -> Result<Vec<Const>, EvalError> {
        let fault = |fault| EvalError::Fault { node: place(), fault };
        let all = |from: usize| -> Vec<Const> {
            inputs.get(from..).unwrap_or(&[]).iter().flatten().copied().cloned().collect()
        };
        match op {
            Op::IfElse(op) => {
                let cond = inputs.first().copied().flatten().is_some_and(truth);
                self.call(if cond { op.then } else { op.otherwise }, &all(1))
            }
            Op::WhileLoop(op) => {
                let mut vars = all(0);
                while self.call(op.cond, &vars)?.first().is_some_and(truth) {
                    vars = self.call(op.body, &vars)?;
                }
                Ok(vars)
            }
            Op::ForLoop(op) => {
                let trips = inputs.first().copied().flatten().and_then(Const::to_i64);
                let trips = trips.and_then(|trips| trips.first().copied());
                let mut going = inputs.get(1).copied().flatten().is_none_or(truth);
                let vars = op.vars.min(types.len());
                let mut wholes = Vec::new();
                for ty in &types[vars..] {
                    wholes.push(self.collected(ty, 0, false).ok_or(fault(Fault::TooLarge))?);
                }
                let args = all(2);
                let (mut carried, captures) = {
                    let (vars, captures) = args.split_at(vars.min(args.len()));
                    (vars.to_vec(), captures.to_vec())
                };
                let shape = self.model.graph(op.body).inputs.first().copied();
                let rank = shape.map_or(0, |id| self.model.graph(op.body).ty(id).rank());
                let one = vec![1; rank];
                let mut trip = 0i64;
                while going && trips.is_none_or(|trips| trip < trips) {
                    let number = Const::from_i64(&one, &[trip]);
                    let truth_of = self.model.graph(op.body).inputs.get(1).copied();
                    let rank = truth_of.map_or(0, |id| self.model.graph(op.body).ty(id).rank());
                    let flag = Const::new(embarca_num::DType::Bool, vec![1; rank], [1u8]);
                    let flag = flag.ok_or(fault(Fault::Shape))?;
                    let args: Vec<Const> = [number, flag]
                        .into_iter()
                        .chain(carried)
                        .chain(captures.iter().cloned())
                        .collect();
                    let mut results = self.call(op.body, &args)?;
                    going = results.first().is_some_and(truth);
                    let items = results.split_off(results.len().min(1 + vars));
                    carried = results.split_off(1);
                    fill(&mut wholes, &items, trip as usize).ok_or(fault(Fault::Shape))?;
                    trip += 1;
                }
                if wholes.iter().any(|whole| whole.axis.len as i64 != trip) {
                    return Err(fault(Fault::Shape));
                }
                carried.extend(finish(wholes, &types[vars..]).ok_or(fault(Fault::Shape))?);
                Ok(carried)
            }
            Op::Scan(op) => {
                let vars = op.vars.min(types.len());
                let mut wholes = Vec::new();
                for (index, ty) in types[vars..].iter().enumerate() {
                    let whole = self.collected(ty, op.out_axes[index], op.out_backward[index]);
                    wholes.push(whole.ok_or(fault(Fault::TooLarge))?);
                }
                let mut carried = all(0);
                let mut sequences = carried.split_off(vars.min(carried.len()));
                let captures = sequences.split_off(op.axes.len().min(sequences.len()));
                let mut length = None;
                for (sequence, &axis) in sequences.iter().zip(&op.axes) {
                    let len = sequence.dims.get(axis).copied().ok_or(fault(Fault::Shape))?;
                    if *length.get_or_insert(len) != len {
                        return Err(fault(Fault::Shape));
                    }
                }
                let length = length.unwrap_or(0);
                if wholes.iter().any(|whole| whole.axis.len != length) {
                    return Err(fault(Fault::Shape));
                }
                for round in 0..length {
                    let mut args = carried;
                    for (index, sequence) in sequences.iter().enumerate() {
                        let at = if op.backward[index] { length - 1 - round } else { round };
                        let element = element(sequence, op.axes[index], at);
                        args.push(element.ok_or(fault(Fault::Shape))?);
                    }
                    args.extend(captures.iter().cloned());
                    carried = self.call(op.body, &args)?;
                    let items = carried.split_off(vars.min(carried.len()));
                    fill(&mut wholes, &items, round).ok_or(fault(Fault::Shape))?;
                }
                carried.extend(finish(wholes, &types[vars..]).ok_or(fault(Fault::Shape))?);
                Ok(carried)
            }
            _ => Err(fault(Fault::Type)),
        }
    }
}

fn truth(data: &Const) -> bool {
    data.data.first().is_some_and(|&byte| byte != 0)
}

fn element(sequence: &Const, axis: usize, at: usize) -> Option<Const> {
    let view = Axis::of(&sequence.dims, axis, sequence.dtype.size())?;
    let mut dims = sequence.dims.clone();
    dims.remove(axis);
    Const::new(sequence.dtype, dims, view.take(&sequence.data, at))
}

fn fill(wholes: &mut [Collected], items: &[Const], at: usize) -> Option<()> {
    for (whole, item) in wholes.iter_mut().zip(items) {
        if whole.axis.len <= at || item.dims != whole.item {
            return None;
        }
        let at = if whole.backward { whole.axis.len - 1 - at } else { at };
        whole.axis.put(&mut whole.data, at, &item.data);
    }
    (wholes.len() == items.len()).then_some(())
}

fn finish(wholes: Vec<Collected>, types: &[&TensorType]) -> Option<Vec<Const>> {
    let made = wholes.into_iter().zip(types);
    made.map(|(whole, ty)| Const::new(ty.dtype, whole.dims, whole.data)).collect()
}
