//! Pooling over windows of any number of axes, one slice of the input for each element of the window:
//! LpPool, and of AveragePool and MaxPool what their kernels leave out (three axes; indices).

use embarca_kernels::compare::Kind as Relation;
use embarca_kernels::pad::Mode;
use embarca_kernels::unary;

use super::draft::{Draft, check_table, numbers, sizes};
use super::pad::{Pad, PadMode};
use super::prelude::*;
use super::slice::{Part, take};

pub const SPELLINGS: &[Spelling] =
    &[Spelling::onnx("GlobalLpPool", 2), Spelling::onnx("LpPool", 2)];
pub const U8_AS_I8: Option<&str> = None;

/// Elements of the largest window.
const MAX_TAPS: usize = 256;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let dims = sizes(b, x, "the input")?;
    if dims.len() < 3 {
        return Err(ImportError::malformed(format!("expected N, C, ..., got {}", b.ty(x))));
    }
    let window = Window::new(node, dims.get(2..).unwrap_or_default())?;
    let mut d = Draft::new(b);
    match node.op {
        "AveragePool" => {
            let with_pads = node.flag("count_include_pad", false)?;
            let sum = window.fold(&mut d, x, 0.0, |d, sum, tap, _| d.add(sum, tap))?;
            check_table(window.sizes().iter().try_fold(1usize, |n, &m| n.checked_mul(m)))?;
            let counts = window.counts(with_pads);
            let counts = numbers(d.b.ty(x).dtype, &window.sizes(), &counts)?;
            let counts = d.b.table(counts)?;
            one(d.div(sum, counts)?)
        }
        "MaxPool" => max(node, &mut d, x, &window, &dims),
        _ => {
            let p = node.float("p", 2.0)?;
            let x = d.unary(unary::Kind::Abs, x)?;
            let power = |d: &mut Draft<'_, '_>, x: ValueId, p: f64| match p {
                1.0 => Ok(x),
                2.0 => d.mul(x, x),
                0.5 => d.unary(unary::Kind::Sqrt, x),
                p => {
                    let p = d.number(x, p)?;
                    d.pow(x, p)
                }
            };
            let raised = power(&mut d, x, p.into())?;
            let sum = window.fold(&mut d, raised, 0.0, |d, sum, tap, _| d.add(sum, tap))?;
            one(power(&mut d, sum, 1.0 / f64::from(p))?)
        }
    }
}

fn max(
    node: &NodeView<'_>,
    d: &mut Draft<'_, '_>,
    x: ValueId,
    window: &Window,
    dims: &[usize],
) -> Result<Vec<ValueId>, ImportError> {
    let columns_first = node.flag("storage_order", false)?;
    let low = f64::NEG_INFINITY;
    if node.n_outputs < 2 {
        return one(window.fold(d, x, low, |d, best, tap, _| {
            let more = d.compare(Relation::Greater, tap, best)?;
            d.select(more, tap, best)
        })?);
    }
    let shape: Vec<usize> = [1, 1].into_iter().chain(window.sizes()).collect();
    check_table(shape.iter().try_fold(1usize, |n, &m| n.checked_mul(m)))?;
    let (first, steps) = window.places(columns_first);
    let first = d.b.table(Const::from_i64(&shape, &first))?;
    // Of the first element of the window, until a later one is greater.
    let mut place = first;
    let best = window.fold(d, x, low, |d, best, tap, number| {
        let offsets = window.offsets(number);
        let way: i64 = offsets.iter().zip(&steps).map(|(&o, step)| o as i64 * step).sum();
        let own = d.shifted(first, way as f64)?;
        let more = d.compare(Relation::Greater, tap, best)?;
        place = d.select(more, own, place)?;
        d.select(more, tap, best)
    })?;
    // Places count from the start of the tensor.
    let plane: usize = dims.get(2..).unwrap_or_default().iter().product();
    let [batch, channels] = [dims[0], dims[1]];
    check_table(batch.checked_mul(channels))?;
    let starts: Vec<i64> = (0..batch * channels).map(|i| (i * plane) as i64).collect();
    let mut shape = vec![1; dims.len()];
    (shape[0], shape[1]) = (batch, channels);
    let starts = d.b.table(Const::from_i64(&shape, &starts))?;
    Ok(vec![best, d.add(place, starts)?])
}

/// Where a window lies along each spatial axis.
struct Window {
    axes: Vec<Along>,
}

struct Along {
    input: usize,
    output: usize,
    size: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
}

impl Along {
    /// Positions of the padded input that the last window ends before.
    fn needed(&self) -> usize {
        self.output.saturating_sub(1) * self.stride + (self.size - 1) * self.dilation + 1
    }
}

impl Window {
    fn new(node: &NodeView<'_>, input: &[usize]) -> Result<Self, ImportError> {
        let count = input.len();
        let global = node.op.starts_with("Global");
        let list = |name: &str, default: i64, len: usize| -> Result<Vec<usize>, ImportError> {
            let values = node.opt_ints(name)?.unwrap_or_else(|| vec![default; len]);
            let small: Option<Vec<usize>> = values
                .iter()
                .map(|&v| usize::try_from(v).ok().filter(|&v| v < 1 << 20))
                .collect();
            let wrong = || ImportError::malformed(format!("{values:?}")).attribute(name.to_owned());
            small.filter(|list| list.len() == len).ok_or_else(wrong)
        };
        let size = if global { input.to_vec() } else { list("kernel_shape", 0, count)? };
        let (strides, dilations) = (list("strides", 1, count)?, list("dilations", 1, count)?);
        let pads = list("pads", 0, 2 * count)?;
        let auto = node.text("auto_pad", "NOTSET")?.to_owned();
        let ceil = node.flag("ceil_mode", false)?;
        if strides.contains(&0) || dilations.contains(&0) || size.contains(&0) {
            return Err(ImportError::malformed("a window, stride or dilation is 0"));
        }
        let taps = size.iter().try_fold(1usize, |taps, &size| taps.checked_mul(size));
        if taps.is_none_or(|taps| MAX_TAPS < taps) {
            let message = format!("windows of more than {MAX_TAPS} elements are not supported");
            return Err(ImportError::unsupported(message));
        }
        let mut axes = Vec::with_capacity(count);
        for i in 0..count {
            let (input, size, stride, dilation) = (input[i], size[i], strides[i], dilations[i]);
            let reach = (size - 1) * dilation + 1;
            let mut along =
                Along { input, output: 0, size, stride, dilation, before: 0, after: 0 };
            match auto.as_str() {
                "SAME_UPPER" | "SAME_LOWER" => {
                    along.output = input.div_ceil(stride);
                    let total = along.needed().saturating_sub(input);
                    let less = total / 2;
                    along.before = if auto == "SAME_UPPER" { less } else { total - less };
                    along.after = total - along.before;
                }
                "NOTSET" | "VALID" => {
                    if auto == "NOTSET" {
                        (along.before, along.after) = (pads[i], pads[count + i]);
                    }
                    let room = input + along.before + along.after;
                    let room = room.checked_sub(reach).ok_or_else(|| {
                        ImportError::malformed("the window is larger than the padded input")
                    })?;
                    along.output = if ceil { room.div_ceil(stride) } else { room / stride } + 1;
                    // A window that would begin in the padding behind the input is left out.
                    if ceil && input + along.before <= (along.output - 1) * stride {
                        along.output -= 1;
                    }
                }
                other => {
                    let message = format!("{other} is not known");
                    return Err(ImportError::malformed(message).attribute("auto_pad"));
                }
            }
            axes.push(along);
        }
        Ok(Self { axes })
    }

    fn sizes(&self) -> Vec<usize> {
        self.axes.iter().map(|along| along.output).collect()
    }

    /// The offset of element `number` of the window along each axis.
    fn offsets(&self, mut number: usize) -> Vec<usize> {
        let mut offsets = vec![0; self.axes.len()];
        for (offset, along) in offsets.iter_mut().zip(&self.axes).rev() {
            *offset = number % along.size * along.dilation;
            number /= along.size;
        }
        offsets
    }

    /// The elements of the window, in order, put together by `step`; `outside` stands in the padding.
    fn fold(
        &self,
        d: &mut Draft<'_, '_>,
        x: ValueId,
        outside: f64,
        mut step: impl FnMut(&mut Draft<'_, '_>, ValueId, ValueId, usize) -> Result<ValueId, ShapeError>,
    ) -> Result<ValueId, ImportError> {
        let mut before = vec![0; 2];
        let mut after = vec![0; 2];
        for along in &self.axes {
            before.push(along.before as i64);
            after.push(along.needed().saturating_sub(along.input + along.before) as i64);
        }
        let padded = if before.iter().chain(&after).any(|&pad| pad != 0) {
            let value = outside as f32;
            d.b.op(Pad { mode: PadMode(Mode::Constant), before, after, value }, &[x])?
        } else {
            x
        };
        let taps: usize = self.axes.iter().map(|along| along.size).product();
        let mut all = None;
        for number in 0..taps {
            let mut parts: Vec<Part> = d.b.ty(x).dims[..2].iter().map(Part::whole).collect();
            for (along, offset) in self.axes.iter().zip(self.offsets(number)) {
                let len = Dim::Known(along.output as i64);
                parts.push(Part { start: offset as i64, step: along.stride as i64, len });
            }
            let tap = take(d.b, padded, &parts)?;
            all = Some(match all {
                None => tap,
                Some(all) => step(d, all, tap, number)?,
            });
        }
        all.ok_or_else(|| ImportError::malformed("the window is empty"))
    }

    /// How many elements of the window count at each output position.
    fn counts(&self, with_pads: bool) -> Vec<f64> {
        let mut counts = vec![1.0];
        for along in &self.axes {
            let range = if with_pads {
                0..along.before + along.input + along.after
            } else {
                along.before..along.before + along.input
            };
            let count = |at: usize| {
                let places = (0..along.size).map(|k| at * along.stride + k * along.dilation);
                places.filter(|place| range.contains(place)).count() as f64
            };
            let each: Vec<f64> = (0..along.output).map(count).collect();
            counts = counts.iter().flat_map(|n| each.iter().map(move |m| n * m)).collect();
        }
        counts
    }

    /// The place within a plane of what the first element of the window meets at each output
    /// position, and how far apart neighbours along each axis are.
    fn places(&self, columns_first: bool) -> (Vec<i64>, Vec<i64>) {
        let mut steps = vec![1i64; self.axes.len()];
        let mut order: Vec<usize> = (0..self.axes.len()).collect();
        if !columns_first {
            order.reverse();
        }
        let mut step = 1;
        for i in order {
            steps[i] = step;
            step *= self.axes[i].input as i64;
        }
        let mut places = vec![0i64];
        for (along, step) in self.axes.iter().zip(&steps) {
            let at = |o: usize| ((o * along.stride) as i64 - along.before as i64) * step;
            let each: Vec<i64> = (0..along.output).map(at).collect();
            places = places.iter().flat_map(|p| each.iter().map(move |q| p + q)).collect();
        }
        (places, steps)
    }
}
