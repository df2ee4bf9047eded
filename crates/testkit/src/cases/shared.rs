//! What the references and cases of several operators have in common.

use embarca_ir::attr::Attr;
use embarca_ir::{Builder, Graph, GraphId, Model, ShapeError, TensorType, ValueId};
use embarca_num::DType;

use super::array::Array;
use super::case::{Case, Input, case, f32s, ints};

/// Pairs of f32 tensors that broadcast, for operators on two of them.
pub fn pairs<T: Clone>(op: &T) -> Vec<Case<T>> {
    let pair = |name, x: Input, y: Input| case(name, op.clone(), [x, y]);
    vec![
        pair("same dimensions", f32s(&[2, 3, 4]), f32s(&[2, 3, 4])),
        pair("each repeats along an axis of the other", f32s(&[2, 1, 4]), f32s(&[3, 1])),
        pair("a number and an open batch", f32s(&[3, 5]).open(0), f32s(&[])),
        pair("one for each channel", f32s(&[2, 3, 3, 4]), f32s(&[4]).constant()),
        pair("one for each of axis 1", f32s(&[3, 1, 1]).constant(), f32s(&[2, 3, 2, 2])),
        pair("no elements", f32s(&[2, 0, 3]), f32s(&[1, 3])),
        pair("rank 8", f32s(&[1, 2, 1, 2, 1, 2, 1, 2]), f32s(&[2, 1, 1, 2, 2, 2, 1, 1])),
    ]
}

/// Pairs of integers of every type that arithmetic has and that holds `low` and `high`.
pub fn int_pairs<T: Clone>(op: &T, low: i64, high: i64) -> Vec<Case<T>> {
    let signed = [DType::I32, DType::I64, DType::I8, DType::I16];
    let unsigned = [DType::U8, DType::U16, DType::U32];
    let types = if low < 0 { &signed[..] } else { &unsigned[..] };
    let pair = |&dtype: &DType| {
        let x = |dims: &[usize]| ints(dtype, dims, low, high);
        case(dtype.name(), op.clone(), [x(&[3, 1, 4]), x(&[5, 1])])
    };
    types.iter().map(pair).collect()
}

/// How a window of some size moves over height and width.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// Height, width.
    pub size: [usize; 2],
    /// Height, width.
    pub strides: [usize; 2],
    /// Height, width.
    pub dilations: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [i32; 4],
}

impl Sweep {
    /// Positions along height (0) or width (1) for an input of `len` positions.
    pub fn outputs(&self, axis: usize, len: usize, ceil: bool) -> usize {
        let last = |start: i64| start + ((self.size[axis] - 1) * self.dilations[axis]) as i64;
        let end = len as i64 + i64::from(self.pads[axis + 2]);
        let start = |at: usize| self.starts(axis, at);
        // A window that sticks out is only counted when it begins inside.
        let counts = |at: usize| {
            last(start(at)) < end
                || (ceil && last(start(at - 1)) < end - 1 && start(at) < len as i64)
        };
        (0..).take_while(|&at| at == 0 || counts(at)).count()
    }

    fn starts(&self, axis: usize, at: usize) -> i64 {
        (at * self.strides[axis]) as i64 - i64::from(self.pads[axis])
    }

    /// Taps of the window at an output position: their number and where they lie in the input.
    pub fn taps(&self, axis: usize, at: usize) -> Vec<(usize, i64)> {
        let place = |k: usize| self.starts(axis, at) + (k * self.dilations[axis]) as i64;
        (0..self.size[axis]).map(|k| (k, place(k))).collect()
    }

    /// Pairs of a tap's number (down, across) and of the input position that it meets, for those
    /// that lie inside.
    pub fn inside(
        &self,
        [oy, ox]: [usize; 2],
        [height, width]: [usize; 2],
    ) -> Vec<([usize; 2], [usize; 2])> {
        let hits = |axis: usize, at: usize, len: usize| {
            let taps = self.taps(axis, at).into_iter();
            let hits = taps.filter(|(_, place)| (0..len as i64).contains(place));
            hits.map(|(k, place)| (k, place as usize)).collect::<Vec<_>>()
        };
        let across = hits(1, ox, width);
        let down = hits(0, oy, height).into_iter();
        down.flat_map(|(ky, y)| across.iter().map(move |&(kx, x)| ([ky, kx], [y, x]))).collect()
    }
}

/// `1 - erfc(x)` by its series (Abramowitz and Stegun 7.1.5), for |x| up to 5.
pub fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        let n = f64::from(n);
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    2.0 / std::f64::consts::PI.sqrt() * sum
}

/// A flag in the text form.
pub fn flag(value: bool) -> Attr {
    Attr::Word(value.to_string())
}

/// A reference that hands the numbers on as they are.
pub fn same(x: &[Array]) -> Array {
    x[0].clone()
}

/// What a scatter makes of what is there and an update.
pub fn meeting(by: &str) -> fn(f64, f64) -> f64 {
    match by {
        "none" => |_, new| new,
        "add" => |old, new| old + new,
        "mul" => |old, new| old * new,
        "min" => f64::min,
        "max" => f64::max,
        other => panic!("{other} has no reference"),
    }
}

/// Adds a graph that others call.
pub fn callee(
    model: &mut Model,
    name: &str,
    inputs: &[TensorType],
    make: impl Fn(&mut Builder<'_>, &[ValueId]) -> Result<Vec<ValueId>, ShapeError>,
) {
    model.graphs.push(Graph { name: name.to_owned(), ..Graph::default() });
    let mut b = Builder::new(model, GraphId::new(model.graphs.len() - 1));
    let inputs: Vec<ValueId> =
        inputs.iter().enumerate().map(|(i, ty)| b.input(&format!("x{i}"), ty.clone())).collect();
    let results = make(&mut b, &inputs).expect("the graph is sound");
    for (i, result) in results.into_iter().enumerate() {
        b.output(result, &format!("y{i}"));
    }
}
