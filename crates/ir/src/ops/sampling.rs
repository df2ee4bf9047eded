//! Values between the elements of a picture: GridSample, DeformConv, and AffineGrid, which makes the
//! places where GridSample looks.

use embarca_kernels::compare::Kind as Relation;
use embarca_kernels::unary::Kind;

use super::binary::BinaryFunction;
use super::draft::{Draft, check_table, numbers, sizes};
use super::prelude::*;
use super::{Binary, Clip, GatherElements};

pub const SPELLINGS: &[Spelling] = &[
    Spelling::onnx("AffineGrid", 20),
    Spelling::onnx("DeformConv", 19),
    Spelling::onnx("GridSample", 16),
];
pub const U8_AS_I8: Option<&str> = None;

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    match node.op {
        "AffineGrid" => affine_grid(node, b),
        "DeformConv" => deform_conv(node, b),
        _ => grid_sample(node, b),
    }
}

fn affine_grid(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let theta = node.input(0)?;
    let size = b.ints(node.input(1)?, "the size")?;
    let aligned = node.flag("align_corners", false)?;
    let small: Option<Vec<usize>> =
        size.iter().map(|&s| usize::try_from(s).ok().filter(|&s| s < 1 << 20)).collect();
    let dims = small.filter(|dims| matches!(dims.len(), 4 | 5));
    let dims = dims.ok_or_else(|| ImportError::malformed(format!("the size is {size:?}")))?;
    let space = &dims[2..];
    let points: usize = space.iter().product();
    check_table(points.checked_mul(space.len() + 1))?;
    if b.rank(theta) != 3 {
        return Err(ImportError::malformed(format!("the matrices are {}", b.ty(theta))));
    }
    let at = |i: usize, n: usize| match (aligned, n) {
        (true, 1) => -1.0,
        (true, n) => 2.0 * i as f64 / (n - 1) as f64 - 1.0,
        (false, n) => (2.0 * i as f64 + 1.0) / n as f64 - 1.0,
    };
    // Rows x, y, (z,) 1; one column for each point.
    let mut table = Vec::with_capacity((space.len() + 1) * points);
    for axis in (0..space.len()).rev() {
        let step: usize = space[axis + 1..].iter().product();
        table.extend((0..points).map(|p| at(p / step % space[axis], space[axis])));
    }
    table.extend((0..points).map(|_| 1.0));
    let mut d = Draft::new(b);
    let wide = d.widened(theta)?;
    let table = numbers(d.b.ty(wide).dtype, &[space.len() + 1, points], &table)?;
    let table = d.b.table(table)?;
    let grid = d.matmul(wide, table)?;
    let grid = d.b.transpose(grid, &[0, 2, 1])?;
    let mut shape = vec![d.b.ty(theta).dims[0].clone()];
    shape.extend(space.iter().map(|&n| Dim::Known(n as i64)));
    shape.push(Dim::Known(space.len() as i64));
    let grid = d.b.reshape(grid, shape)?;
    let dtype = d.b.ty(theta).dtype;
    one(d.cast(grid, dtype)?)
}

/// What lies beyond the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    Zeros,
    Border,
    Reflection,
}

/// How values between elements are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mix {
    Nearest,
    Linear,
    Cubic,
}

/// One axis of a picture.
#[derive(Clone, Copy, Debug)]
struct Axis {
    len: usize,
    /// What coordinates are reflected at.
    ends: (f64, f64),
    beyond: Beyond,
}

impl Axis {
    fn last(self) -> f64 {
        self.len as f64 - 1.0
    }

    fn clamped(self, d: &mut Draft<'_, '_>, x: ValueId) -> Result<ValueId, ShapeError> {
        d.b.op(Clip { min: 0.0, max: self.last() as f32 }, &[x])
    }

    /// Reflected at the ends until it lies between them.
    fn reflected(self, d: &mut Draft<'_, '_>, x: ValueId) -> Result<ValueId, ShapeError> {
        let (low, high) = self.ends;
        let range = high - low;
        if range <= 0.0 {
            return d.scaled(x, 0.0);
        }
        let way = d.shifted(x, -low)?;
        let way = d.unary(Kind::Abs, way)?;
        let turn = d.number(x, 2.0 * range)?;
        let way = d.b.op(Binary { function: BinaryFunction::Rem }, &[way, turn])?;
        let back = d.sub(turn, way)?;
        let less = d.compare(Relation::Less, way, back)?;
        let way = d.select(less, way, back)?;
        d.shifted(way, low)
    }

    /// The index of a whole coordinate, and 1 where it lies inside, else 0.
    fn index(
        self,
        d: &mut Draft<'_, '_>,
        x: ValueId,
    ) -> Result<(ValueId, Option<ValueId>), ShapeError> {
        let mut inside = None;
        let mut at = x;
        match self.beyond {
            Beyond::Zeros => {
                let low = d.number(x, -0.5)?;
                let high = d.number(x, self.last() + 0.5)?;
                let above = d.compare(Relation::Greater, x, low)?;
                let below = d.compare(Relation::Less, x, high)?;
                let both = d.b.op(Binary { function: BinaryFunction::And }, &[above, below])?;
                inside = Some(d.cast(both, DType::F32)?);
            }
            Beyond::Border => {}
            Beyond::Reflection => {
                let reflected = self.reflected(d, x)?;
                at = d.unary(Kind::Trunc, reflected)?;
            }
        }
        let at = self.clamped(d, at)?;
        Ok((d.cast(at, DType::I64)?, inside))
    }
}

/// The factors of neighbours at `part` behind the first (the second, of four).
fn weights(d: &mut Draft<'_, '_>, part: ValueId, mix: Mix) -> Result<Vec<ValueId>, ShapeError> {
    let rest = {
        let one = d.number(part, 1.0)?;
        d.sub(one, part)?
    };
    if mix == Mix::Linear {
        return Ok(vec![rest, part]);
    }
    const A: f64 = -0.75;
    // Polynomials in the distance, highest power first.
    let polynomial = |d: &mut Draft<'_, '_>, t: ValueId, c: [f64; 4]| {
        let mut sum = d.scaled(t, c[0])?;
        for &c in &c[1..3] {
            sum = d.shifted(sum, c)?;
            sum = d.mul(sum, t)?;
        }
        d.shifted(sum, c[3])
    };
    let near = [A + 2.0, -(A + 3.0), 0.0, 1.0];
    let far = [A, -5.0 * A, 8.0 * A, -4.0 * A];
    let (before, behind) = (d.shifted(part, 1.0)?, d.shifted(rest, 1.0)?);
    Ok(vec![
        polynomial(d, before, far)?,
        polynomial(d, part, near)?,
        polynomial(d, rest, near)?,
        polynomial(d, behind, far)?,
    ])
}

/// `x` of N, C, S, whose last axis is a picture of `axes`, at coordinates of N, P each: N, C, P.
fn sample(
    d: &mut Draft<'_, '_>,
    x: ValueId,
    axes: &[Axis],
    coordinates: &[ValueId],
    mix: Mix,
) -> Result<ValueId, ShapeError> {
    // For each axis the neighbours: index, factor.
    let mut neighbours: Vec<Vec<(ValueId, Option<ValueId>)>> = Vec::new();
    for (axis, &at) in axes.iter().zip(coordinates) {
        if mix == Mix::Nearest {
            neighbours.push(vec![axis.index(d, at)?]);
            continue;
        }
        let floor = d.unary(Kind::Floor, at)?;
        let part = d.sub(at, floor)?;
        let first = if mix == Mix::Linear { 0.0 } else { -1.0 };
        let mut of_axis = Vec::new();
        for (i, weight) in weights(d, part, mix)?.into_iter().enumerate() {
            let place = d.shifted(floor, first + i as f64)?;
            let (index, inside) = axis.index(d, place)?;
            let weight = match inside {
                Some(inside) => d.mul(weight, inside)?,
                None => weight,
            };
            of_axis.push((index, Some(weight)));
        }
        neighbours.push(of_axis);
    }
    let corners: usize = neighbours.iter().map(Vec::len).product();
    let dims = d.b.ty(x).dims.clone();
    let mut sum = None;
    for corner in 0..corners {
        let mut rest = corner;
        let (mut place, mut factor): (Option<ValueId>, Option<ValueId>) = (None, None);
        for (axis, of_axis) in axes.iter().zip(&neighbours) {
            let (index, weight) = of_axis[rest % of_axis.len()];
            rest /= of_axis.len();
            place = Some(match place {
                None => index,
                Some(place) => {
                    let scaled = d.scaled(place, axis.len as f64)?;
                    d.add(scaled, index)?
                }
            });
            factor = match (factor, weight) {
                (Some(factor), Some(weight)) => Some(d.mul(factor, weight)?),
                (factor, weight) => factor.or(weight),
            };
        }
        let Some(place) = place else { continue };
        let place = d.unsqueeze(place, 1)?;
        let points = d.b.ty(place).dims[2].clone();
        let place = d.expand(place, vec![dims[0].clone(), dims[1].clone(), points])?;
        let mut value = d.b.op(GatherElements { axis: 2 }, &[x, place])?;
        if let Some(factor) = factor {
            let factor = d.unsqueeze(factor, 1)?;
            value = d.mul(value, factor)?;
        }
        sum = Some(match sum {
            None => value,
            Some(sum) => d.add(sum, value)?,
        });
    }
    sum.ok_or_else(|| ShapeError::new("a picture without axes"))
}

fn grid_sample(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, grid) = (node.input(0)?, node.input(1)?);
    let unknown = |name: &str, value: &str| {
        ImportError::malformed(format!("{value} is not known")).attribute(name.to_owned())
    };
    let mix = match node.text("mode", "linear")? {
        "linear" | "bilinear" => Mix::Linear,
        "cubic" | "bicubic" => Mix::Cubic,
        "nearest" => Mix::Nearest,
        other => return Err(unknown("mode", other)),
    };
    let beyond = match node.text("padding_mode", "zeros")? {
        "zeros" => Beyond::Zeros,
        "border" => Beyond::Border,
        "reflection" => Beyond::Reflection,
        other => return Err(unknown("padding_mode", other)),
    };
    let aligned = node.flag("align_corners", false)?;
    let (dims, grid_dims) = (sizes(b, x, "the picture")?, sizes(b, grid, "the grid")?);
    let space = dims.get(2..).unwrap_or_default();
    let fits = grid_dims.len() == space.len() + 2 && grid_dims.last() == Some(&space.len());
    if space.is_empty() || 3 < space.len() || !fits {
        let message = format!("{} and {} do not fit", b.ty(x), b.ty(grid));
        return Err(ImportError::malformed(message));
    }
    let dtype = b.ty(x).dtype;
    let known = |n: usize| Dim::Known(n as i64);
    let points: usize = grid_dims[1..grid_dims.len() - 1].iter().product();
    let mut d = Draft::new(b);
    let x = d.widened(x)?;
    let wide = d.b.ty(x).dtype;
    let x = d.b.reshape(x, vec![known(dims[0]), known(dims[1]), known(space.iter().product())])?;
    let grid = d.cast(grid, wide)?;
    let grid =
        d.b.reshape(grid, vec![known(grid_dims[0]), known(points), known(space.len())])?;
    let (mut axes, mut coordinates) = (Vec::new(), Vec::new());
    for (i, &len) in space.iter().enumerate() {
        let n = len as f64;
        let ends = if aligned { (0.0, n - 1.0) } else { (-0.5, n - 0.5) };
        let axis = Axis { len, ends, beyond };
        // The last number of a point belongs to the first axis.
        let at = d.part(grid, 2, (space.len() - 1 - i) as i64, Dim::Known(1), 1)?;
        let at = d.squeeze(at, 2)?;
        let at = d.shifted(at, 1.0)?;
        let at = if aligned {
            d.scaled(at, (n - 1.0) / 2.0)?
        } else {
            let at = d.scaled(at, n / 2.0)?;
            d.shifted(at, -0.5)?
        };
        let at = if mix == Mix::Nearest { d.unary(Kind::Round, at)? } else { at };
        let at = match beyond {
            // A cubic's neighbours are limited one by one, as PyTorch and ONNX Runtime do.
            Beyond::Border if mix == Mix::Cubic => at,
            Beyond::Zeros => at,
            Beyond::Border => axis.clamped(&mut d, at)?,
            Beyond::Reflection => axis.reflected(&mut d, at)?,
        };
        let whole = mix == Mix::Nearest && beyond == Beyond::Reflection;
        coordinates.push(if whole { d.unary(Kind::Trunc, at)? } else { at });
        axes.push(axis);
    }
    let y = sample(&mut d, x, &axes, &coordinates, mix)?;
    let mut shape = vec![known(dims[0]), known(dims[1])];
    shape.extend(grid_dims[1..grid_dims.len() - 1].iter().map(|&n| known(n)));
    let y = d.b.reshape(y, shape)?;
    one(d.cast(y, dtype)?)
}

/// Elements of the largest window.
const MAX_TAPS: usize = 64;

fn deform_conv(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let (x, w, offset) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let (dims, weights) = (sizes(b, x, "the input")?, sizes(b, w, "the weights")?);
    let (&[n, channels, height, width], &[filters, each, kh, kw]) =
        (dims.as_slice(), weights.as_slice())
    else {
        return Err(ImportError::unsupported("only two spatial axes are supported"));
    };
    let list = |name: &str, default: i64, len: usize| -> Result<Vec<i64>, ImportError> {
        let values = node.opt_ints(name)?.unwrap_or_else(|| vec![default; len]);
        if values.len() == len && values.iter().all(|v| (0..1 << 20).contains(v)) {
            return Ok(values);
        }
        Err(ImportError::malformed(format!("{values:?}")).attribute(name.to_owned()))
    };
    let (strides, dilations) = (list("strides", 1, 2)?, list("dilations", 1, 2)?);
    let pads = list("pads", 0, 4)?;
    node.ignore(&["kernel_shape"]);
    let groups = usize::try_from(node.int("group", 1)?).unwrap_or(0);
    let moved = usize::try_from(node.int("offset_group", 1)?).unwrap_or(0);
    let places = sizes(b, offset, "the offsets")?;
    let fits = 0 < groups
        && 0 < moved
        && channels == each * groups
        && channels % moved == 0
        && filters % groups == 0
        && matches!(places.as_slice(), &[m, c, _, _] if m == n && c == 2 * moved * kh * kw);
    if !fits {
        let message = format!("{}, {} and {} do not fit", b.ty(x), b.ty(w), b.ty(offset));
        return Err(ImportError::malformed(message));
    }
    let (rows, columns) = (places[2], places[3]);
    let points = rows * columns;
    let known = |n: usize| Dim::Known(n as i64);
    let mut d = Draft::new(b);
    let dtype = d.b.ty(x).dtype;
    let flat = d.b.reshape(x, vec![known(n), known(channels), known(height * width)])?;
    let offset =
        d.b.reshape(offset, vec![known(n), known(2 * moved * kh * kw), known(points)])?;
    let mask = match node.optional(4) {
        Some(mask) => {
            Some(d.b.reshape(mask, vec![known(n), known(moved * kh * kw), known(points)])?)
        }
        None => None,
    };
    let axis = |len: usize| Axis { len, ends: (0.0, 0.0), beyond: Beyond::Zeros };
    let axes = [axis(height), axis(width)];
    let taps = kh.checked_mul(kw).filter(|&taps| taps <= MAX_TAPS);
    let taps = taps.ok_or_else(|| {
        ImportError::unsupported(format!("windows of more than {MAX_TAPS} elements"))
    })?;
    check_table(Some(points))?;
    // Where the window begins at each point.
    let mut grids = Vec::with_capacity(2);
    for i in 0..2 {
        let plain = |p: usize| {
            let p = if i == 0 { p / columns } else { p % columns };
            (p as i64 * strides[i] - pads[i]) as f64
        };
        let grid: Vec<f64> = (0..points).map(plain).collect();
        grids.push(d.b.table(numbers(dtype, &[points], &grid)?)?);
    }
    let mut sum: Option<ValueId> = None;
    for tap in 0..taps {
        let mut sampled = Vec::with_capacity(moved);
        for group in 0..moved {
            let number = group * kh * kw + tap;
            let mut coordinates = Vec::with_capacity(2);
            for (i, at) in [tap / kw, tap % kw].into_iter().enumerate() {
                let by = d.part(offset, 1, (2 * number + i) as i64, Dim::Known(1), 1)?;
                let by = d.squeeze(by, 1)?;
                let place = d.add(by, grids[i])?;
                coordinates.push(d.shifted(place, (at as i64 * dilations[i]) as f64)?);
            }
            let share = channels / moved;
            let part = d.part(flat, 1, (group * share) as i64, known(share), 1)?;
            let mut value = sample(&mut d, part, &axes, &coordinates, Mix::Linear)?;
            if let Some(mask) = mask {
                let factor = d.part(mask, 1, number as i64, Dim::Known(1), 1)?;
                value = d.mul(value, factor)?;
            }
            sampled.push(value);
        }
        let sampled = d.concat(&sampled, 1)?;
        let mut of_groups = Vec::with_capacity(groups);
        for group in 0..groups {
            let share = filters / groups;
            let part = d.part(sampled, 1, (group * each) as i64, known(each), 1)?;
            let weight = d.part(w, 0, (group * share) as i64, known(share), 1)?;
            let weight = d.part(weight, 2, (tap / kw) as i64, Dim::Known(1), 1)?;
            let weight = d.part(weight, 3, (tap % kw) as i64, Dim::Known(1), 1)?;
            let weight = d.b.reshape(weight, vec![known(share), known(each)])?;
            of_groups.push(d.matmul(weight, part)?);
        }
        let product = d.concat(&of_groups, 1)?;
        sum = Some(match sum {
            None => product,
            Some(sum) => d.add(sum, product)?,
        });
    }
    let mut y = sum.ok_or_else(|| ImportError::malformed("the weights are empty"))?;
    if let Some(bias) = node.optional(3) {
        let bias = d.unsqueeze(bias, 1)?;
        y = d.add(y, bias)?;
    }
    one(d.b.reshape(y, vec![known(n), known(filters), known(rows), known(columns)])?)
}
