//! Slice: every `step`-th element along each axis, from a start; backwards for negative steps.

use embarca_kernels::slice as kernel;

use super::moves;
use super::prelude::*;

crate::payload! {
    /// A part of a tensor.
    pub struct Slice {
        /// The first element along each axis; negative ones count from the end (-1 is the last).
        pub starts: Vec<i64>,
        /// From one element to the next along each axis; never zero.
        pub steps: Vec<i64>,
        /// The dimensions of the result.
        pub dims: Vec<Dim>,
    }
}

/// Beyond this a start or end stands for the end of the axis on that side.
const FAR: i64 = 1 << 30;

/// What is taken along one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As [`Slice::starts`].
    pub start: i64,
    /// As [`Slice::steps`].
    pub step: i64,
    /// The number of elements.
    pub len: Dim,
}

impl Part {
    /// All of an axis.
    pub fn whole(dim: &Dim) -> Self {
        Self { start: 0, step: 1, len: dim.clone() }
    }

    /// `start..end` in steps, as Python writes slices: negative positions count from the end, and
    /// what lies outside is cut off. `None` stands for the respective end of the axis.
    ///
    /// # Errors
    /// When the step is zero, or the start depends on a size in a way that no kernel expresses.
    pub fn new(
        dim: &Dim,
        start: Option<&Dim>,
        end: Option<&Dim>,
        step: i64,
    ) -> Result<Self, ImportError> {
        if step == 0 {
            return Err(ImportError::malformed("a slice has step 0"));
        }
        let forward = 0 < step;
        let last = dim.sub(&Dim::Known(1));
        let before = Dim::Known(-1);
        // Where positions are cut off, and where they lie when none is given.
        let (low, high) = if forward { (Dim::Known(0), dim) } else { (before, &last) };
        let (first, behind) = if forward { (&low, high) } else { (high, &low) };
        // A start that cannot be compared with the end of the axis is taken to lie before it.
        let start = start.map_or(first.clone(), |at| match at.sub(high).known() {
            None if at.known().is_none_or(|at| (0..FAR).contains(&at)) => at.clone(),
            _ => position(at, dim, &low, high),
        });
        let end = end.map_or(behind.clone(), |at| position(at, dim, &low, high));
        let span = if forward { end.sub(&start) } else { start.sub(&end) };
        let magnitude = Dim::Known(step.saturating_abs());
        let mut len = span.ceil_div(&magnitude);
        if len.known().is_some_and(|len| len < 0) {
            len = Dim::Known(0);
        }
        if len == Dim::Known(0) {
            return Ok(Self { start: 0, step: 1, len });
        }
        let step = if len == Dim::Known(1) { 1 } else { step };
        let start = match (start.known(), start.sub(dim).known()) {
            (Some(start), _) => start,
            (None, Some(from_end)) if from_end < 0 => from_end,
            _ => {
                return Err(ImportError::unsupported(format!(
                    "the start {start} of a slice depends on the input's size"
                )));
            }
        };
        Ok(Self { start, step, len })
    }
}

/// A position from the front, cut off at `low..=high`. What is only known as an expression is taken
/// to lie inside where it is not compared easily; kernels refuse it otherwise.
fn position(at: &Dim, dim: &Dim, low: &Dim, high: &Dim) -> Dim {
    match at.known() {
        Some(at) if FAR <= at => high.clone(),
        Some(at) if at <= -FAR => low.clone(),
        Some(at) if at < 0 => {
            let at = dim.add(&Dim::Known(at));
            if at.known().is_some() { at.larger(low) } else { at }
        }
        _ if at.at_most(high) => at.clone(),
        _ => at.smaller(high),
    }
}

/// `x` cut to one part per axis; `x` itself when that is all of it.
///
/// # Errors
/// When the parts do not fit `x`.
pub fn take(b: &mut Builder<'_>, x: ValueId, parts: &[Part]) -> Result<ValueId, ShapeError> {
    let op = Slice {
        starts: parts.iter().map(|part| part.start).collect(),
        steps: parts.iter().map(|part| part.step).collect(),
        dims: parts.iter().map(|part| part.len.clone()).collect(),
    };
    let forward = parts.iter().all(|part| part.step == 1 && part.start == 0);
    if forward && op.dims == b.ty(x).dims {
        return Ok(x);
    }
    b.op(op, &[x])
}

impl OpDef for Slice {
    const NAME: &'static str = "slice";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Slice", 1),
        Spelling::tflite("SLICE"),
        Spelling::tflite("REVERSE_V2"),
        Spelling::caffe("Crop"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let parts = match node.op {
            "Slice" => onnx_parts(node, b)?,
            "SLICE" => tflite_parts(node, b)?,
            "REVERSE_V2" => {
                let dims = &b.ty(x).dims;
                let mut parts: Vec<Part> = dims.iter().map(Part::whole).collect();
                let mut seen = Vec::new();
                for at in b.ints(node.input(1)?, "the reversed axes")? {
                    let at = axis(at, dims.len())?;
                    if seen.contains(&at) {
                        let message = format!("axis {at} is reversed twice");
                        return Err(ImportError::malformed(message));
                    }
                    seen.push(at);
                    parts[at] = Part::new(&dims[at], None, None, -1)?;
                }
                parts
            }
            _ => caffe_parts(node, b)?,
        };
        let y = take(b, x, &parts)?;
        one(y)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let rank = x.rank();
        if [self.starts.len(), self.steps.len(), self.dims.len()] != [rank; 3] {
            return Err(ShapeError::new(format!("the slice is not one of {rank} axes")));
        }
        for (axis, (dim, len)) in x.dims.iter().zip(&self.dims).enumerate() {
            let (start, step) = (self.starts[axis], self.steps[axis]);
            if step == 0 {
                return Err(ShapeError::new("a slice has step 0"));
            }
            let Some(len) = len.known() else { continue };
            if len < 0 {
                return Err(ShapeError::new(format!("a slice of {len} elements")));
            }
            let Some(dim) = dim.known().filter(|_| len != 0) else { continue };
            let first = if start < 0 { start.saturating_add(dim) } else { start };
            let last = first.saturating_add(step.saturating_mul(len - 1));
            if !(0..dim).contains(&first) || !(0..dim).contains(&last) {
                let message = format!("elements {first} to {last} are taken of {dim}");
                return Err(ShapeError::new(message));
            }
        }
        Ok(vec![moves::moved(x, self.dims.clone())?])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        let Some(x) = inputs.optional(0) else { return Vec::new() };
        let from = |index: &[usize]| {
            let each = index.iter().enumerate().map(|(axis, &i)| {
                let dim = x.ty.dims.get(axis)?.known()?;
                let start = *self.starts.get(axis)?;
                let first = if start < 0 { start.checked_add(dim)? } else { start };
                let step = self.steps.get(axis)?.checked_mul(i as i64)?;
                usize::try_from(first.checked_add(step)?).ok()
            });
            each.collect::<Option<Vec<usize>>>()
        };
        vec![moves::picked(Some(x), &self.dims, from)]
    }

    fn sink(&self, perm: &[usize]) -> Option<(Op, Vec<usize>)> {
        let starts = moves::permuted(&self.starts, perm)?;
        let steps = moves::permuted(&self.steps, perm)?;
        let dims = moves::permuted(&self.dims, perm)?;
        Some((Self { starts, steps, dims }.into(), perm.to_vec()))
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        let dims = s.type_of(x).dims.clone();
        let each = || self.starts.iter().zip(&self.steps).zip(self.dims.iter().zip(&dims));
        let forward = each().all(|((&start, &step), (_, dim))| {
            step == 1 && (0 <= start || dim.known().is_some())
        });
        if s.is_tflite() && forward {
            let starts = each().map(|((&start, _), (_, dim))| match dim.known() {
                Some(dim) if start < 0 => start + dim,
                _ => start,
            });
            let starts: Vec<i64> = starts.collect();
            let rest = starts.iter().zip(&self.dims).zip(&dims).map(|((&start, len), dim)| {
                // All that is left, without saying how much.
                let all = len.known().is_none() && *len == dim.sub(&Dim::Known(start));
                if all { Dim::Known(-1) } else { len.clone() }
            });
            let sizes: Vec<Dim> = rest.collect();
            let (begin, size) = (s.list(&starts)?, s.shape(&sizes)?);
            return s.emit("SLICE", &[Some(x), Some(begin), Some(size)], Vec::new());
        }
        let far = if s.is_tflite() { i64::from(i32::MAX) } else { i64::MAX };
        let mut ends = Vec::with_capacity(dims.len());
        for ((&start, &step), (len, dim)) in each() {
            ends.push(behind(start, step, len, dim, far)?);
        }
        if s.is_tflite() {
            let mask = |at: i64| {
                let open = ends.iter().enumerate().filter(|(_, end)| end.known() == Some(at));
                open.fold(0i64, |mask, (i, _)| mask | 1 << i)
            };
            let end_mask = mask(far) | mask(-far);
            let ends: Vec<Dim> = ends
                .iter()
                .map(|end| if end.known().is_some_and(|at| at.abs() == far) { Dim::Known(0) } else { end.clone() })
                .collect();
            let (begin, end, step) = (s.list(&self.starts)?, s.shape(&ends)?, s.list(&self.steps)?);
            let inputs = [x, begin, end, step].map(Some);
            return s.emit("STRIDED_SLICE", &inputs, vec![int("end_mask", end_mask)]);
        }
        let kept: Vec<usize> = each()
            .enumerate()
            .filter(|(_, ((start, step), (len, dim)))| (**start, **step) != (0, 1) || len != dim)
            .map(|(i, _)| i)
            .collect();
        let pick = |values: &[i64]| kept.iter().map(|&i| values[i]).collect::<Vec<i64>>();
        let (starts, steps) = (s.list(&pick(&self.starts))?, s.list(&pick(&self.steps))?);
        let ends: Vec<Dim> = kept.iter().map(|&i| ends[i].clone()).collect();
        let ends = s.shape(&ends)?;
        let axes = s.axes(&kept);
        let axes = s.list(&axes)?;
        let inputs = [x, starts, ends, axes, steps].map(Some);
        s.emit("Slice", &inputs, Vec::new())
    }

    fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
        io.input(0)?;
        let starts = moves::by_axis(&self.starts, [0; 8])?;
        let steps = moves::by_axis(&self.steps, [1; 8])?;
        Ok(Lowered::plain(&kernel::ANY, &kernel::Params { starts, steps }, 1))
    }
}

/// Where a slice of `len` elements of `dim` ends (exclusive); `far` and `-far` stand for beyond the
/// last and before the first.
fn behind(start: i64, step: i64, len: &Dim, dim: &Dim, far: i64) -> Result<Dim, SpellError> {
    let span = len.mul(&Dim::Known(step));
    if let Some(span) = span.known() {
        let end = start.saturating_add(span);
        let crossed = (start < 0) != (end < 0);
        return Ok(Dim::Known(match (crossed, 0 < step) {
            (true, forward) => if forward { far } else { -far },
            // A part that ends at the first element from the back has no end to name.
            (false, true) if start < 0 && end == 0 => far,
            _ => end,
        }));
    }
    let last = if step < 0 { -far } else { far };
    let from_front = Dim::Known(if start < 0 { 0 } else { start });
    let first = if start < 0 { dim.add(&Dim::Known(start)) } else { from_front };
    let left = if step < 0 { first.add(&Dim::Known(1)) } else { dim.sub(&first) };
    if *len == left.ceil_div(&Dim::Known(step.saturating_abs())) {
        return Ok(Dim::Known(last));
    }
    if 0 <= start && 0 < step {
        return Ok(span.add(&Dim::Known(start)));
    }
    Err(SpellError::none("the end of a slice depends on the input's size"))
}

/// Starts, ends, axes and steps: attributes at first, inputs since opset 10.
fn onnx_parts(node: &NodeView<'_>, b: &Builder<'_>) -> Result<Vec<Part>, ImportError> {
    let dims = &b.ty(node.input(0)?).dims;
    let by_attr = |name: &str| -> Result<Option<Vec<Dim>>, ImportError> {
        Ok(node.opt_ints(name)?.map(|ints| ints.into_iter().map(Dim::Known).collect()))
    };
    let by_input = |index: usize, what: &str| -> Result<Option<Vec<Dim>>, ImportError> {
        node.optional(index).map(|value| b.dims(value, what)).transpose()
    };
    let (starts, ends, axes, steps) = if node.version < 10 {
        (by_attr("starts")?, by_attr("ends")?, node.opt_ints("axes")?, None)
    } else {
        let ints = |index: usize, what: &str| -> Result<Option<Vec<i64>>, ImportError> {
            node.optional(index).map(|value| b.ints(value, what)).transpose()
        };
        (
            by_input(1, "the start of the slice")?,
            by_input(2, "the end of the slice")?,
            ints(3, "the axes of the slice")?,
            ints(4, "the step of the slice")?,
        )
    };
    let missing = || ImportError::malformed("starts or ends are missing");
    let (starts, ends) = (starts.ok_or_else(missing)?, ends.ok_or_else(missing)?);
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(ImportError::malformed("starts, ends, axes and steps differ in number"));
    }
    let mut parts: Vec<Part> = dims.iter().map(Part::whole).collect();
    for (i, &at) in axes.iter().enumerate() {
        let at = axis(at, dims.len())?;
        parts[at] = Part::new(&dims[at], Some(&starts[i]), Some(&ends[i]), steps[i])?;
    }
    Ok(parts)
}

/// Begin and size of each axis; size -1 reaches to the end.
fn tflite_parts(node: &NodeView<'_>, b: &Builder<'_>) -> Result<Vec<Part>, ImportError> {
    let dims = &b.ty(node.input(0)?).dims;
    let begin = b.dims(node.input(1)?, "the start of the slice")?;
    let size = b.dims(node.input(2)?, "the size of the slice")?;
    if begin.len() != dims.len() || size.len() != dims.len() {
        return Err(ImportError::malformed("begin and size do not fit the input's rank"));
    }
    let each = dims.iter().zip(begin.iter().zip(&size));
    let parts = each.map(|(dim, (begin, size))| {
        if size.known().is_some_and(|size| size < -1) {
            return Err(ImportError::malformed(format!("a slice of {size} elements")));
        }
        let end = if *size == Dim::Known(-1) { dim.clone() } else { begin.add(size) };
        if end.sub(dim).known().is_some_and(|over| 0 < over)
            || begin.known().is_some_and(|begin| begin < 0)
            || begin.sub(dim).known().is_some_and(|over| 0 < over)
        {
            let message = format!("elements {begin} to {end} are taken of {dim}");
            return Err(ImportError::malformed(message));
        }
        Part::new(dim, Some(begin), Some(&end), 1)
    });
    parts.collect()
}

/// Caffe crops input 0 to the size of input 1 from `axis` on, at given offsets.
fn caffe_parts(node: &NodeView<'_>, b: &Builder<'_>) -> Result<Vec<Part>, ImportError> {
    let (x, like) = (b.ty(node.input(0)?), b.ty(node.input(1)?));
    let first = axis(node.int("axis", 2)?, x.rank())?;
    if like.rank() != x.rank() {
        return Err(ImportError::malformed("the inputs differ in rank"));
    }
    let offsets = node.opt_ints("offset")?.unwrap_or_default();
    let mut parts: Vec<Part> = x.dims.iter().map(Part::whole).collect();
    for (i, at) in (first..x.rank()).enumerate() {
        // No offset is 0, one is that of all axes.
        let start = match offsets.as_slice() {
            [] => 0,
            [all] => *all,
            each => *each
                .get(i)
                .ok_or_else(|| ImportError::malformed("an axis has none").attribute("offset"))?,
        };
        parts[at] = Part { start, step: 1, len: like.dims[at].clone() };
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SymbolId;

    fn k(value: i64) -> Dim {
        Dim::Known(value)
    }

    #[test]
    fn positions_are_those_of_python() {
        // dim, start, end, step; first element and number of elements.
        let cases: &[(i64, Option<i64>, Option<i64>, i64, i64, i64)] = &[
            (10, Some(2), Some(5), 1, 2, 3),
            (10, Some(-3), None, 1, 7, 3),
            (10, Some(-100), Some(100), 1, 0, 10),
            (10, None, Some(-1), 4, 0, 3),
            (10, Some(7), Some(2), 1, 0, 0),
            (10, None, None, -1, 9, 10),
            (10, Some(-1), Some(i64::MIN), -3, 9, 4),
            (10, Some(5), Some(0), -2, 5, 3),
            (10, Some(i64::MAX), Some(-i64::MAX), -1, 9, 10),
            (10, Some(5), Some(6), -1, 0, 0),
            (0, None, None, 1, 0, 0),
        ];
        for &(dim, start, end, step, first, len) in cases {
            let (start, end) = (start.map(k), end.map(k));
            let part = Part::new(&k(dim), start.as_ref(), end.as_ref(), step).unwrap();
            assert_eq!((part.start, part.len), (first, k(len)), "{dim} {start:?} {end:?} {step}");
        }
    }

    #[test]
    fn sizes_may_be_symbols() {
        let w = Dim::symbol(SymbolId(0));
        let half = w.floor_div(&k(2));
        let cases = [
            (Some(k(1)), None, 1, 1, w.sub(&k(1))),
            (None, Some(k(-1)), 1, 0, w.sub(&k(1))),
            (Some(k(-2)), None, 1, -2, k(2)),
            (Some(w.sub(&k(3))), None, 1, -3, k(3)),
            (None, Some(k(i64::from(i32::MAX))), 2, 0, w.add(&k(1)).floor_div(&k(2))),
            (None, None, -1, -1, w.clone()),
            (None, Some(k(5)), 1, 0, k(5).smaller(&w)),
            (None, Some(half.clone()), 1, 0, half.clone()),
        ];
        for (start, end, step, first, len) in cases {
            let part = Part::new(&w, start.as_ref(), end.as_ref(), step).unwrap();
            assert_eq!((part.start, part.len), (first, len), "{start:?} {end:?} {step}");
        }
        assert!(Part::new(&w, Some(&half), None, 1).is_err());
    }
}
