//! Resize along any axes as products with matrices of weights, and for "nearest" as a choice of
//! elements: what ONNX asks of the kernels' two axes and beyond (more axes, antialiasing, regions).

use super::draft::{Draft, MAX_TABLE, check_table, numbers};
use super::prelude::*;

/// One axis that changes.
#[derive(Clone, Copy, Debug)]
pub struct Along {
    /// The axis.
    pub axis: usize,
    /// Elements before.
    pub input: usize,
    /// Elements after.
    pub output: usize,
    /// Elements after for each before, as the model states it.
    pub scale: f64,
    /// The region that is looked at, in parts of the axis.
    pub region: [f64; 2],
}

/// How values are found.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `nearest`, `linear` or `cubic`.
    pub mode: String,
    /// ONNX's `coordinate_transformation_mode`.
    pub coordinates: String,
    /// ONNX's `nearest_mode`.
    pub rounding: String,
    /// Whether neighbours are weighed over as many elements as one of the result covers.
    pub antialias: bool,
    /// The parameter of the cubic.
    pub cubic_a: f64,
    /// Whether elements beyond the edges get no weight.
    pub exclude_outside: bool,
    /// Stands where a region reaches beyond the edges.
    pub extrapolation: f64,
}

impl Along {
    /// The coordinate in the input of element `at` of the result.
    fn coordinate(&self, coordinates: &str, at: usize) -> f64 {
        let (x, n) = (at as f64, self.input as f64);
        let output = self.scale * n;
        let [start, end] = self.region;
        match coordinates {
            "align_corners" if output == 1.0 => 0.0,
            "align_corners" => x * (n - 1.0) / (output - 1.0),
            "asymmetric" => x / self.scale,
            "tf_crop_and_resize" if output == 1.0 => {
                (end - start) * (n - 1.0) / 2.0 + start * (n - 1.0)
            }
            "tf_crop_and_resize" => {
                x * (end - start) * (n - 1.0) / (output - 1.0) + start * (n - 1.0)
            }
            "pytorch_half_pixel" if output == 1.0 => -0.5,
            "half_pixel_symmetric" => {
                let adjustment = self.output as f64 / output;
                n / 2.0 * (1.0 - adjustment) + (x + 0.5) / self.scale - 0.5
            }
            _ => (x + 0.5) / self.scale - 0.5,
        }
    }
}

impl Rule {
    /// The elements around coordinate `x` and their weights, not yet limited to the input.
    fn neighbours(&self, x: f64, scale: f64) -> Vec<(i64, f64)> {
        let floor = x.floor();
        let part = x - floor;
        let shrinking = if self.antialias { scale.min(1.0) } else { 1.0 };
        let reach = if self.mode == "cubic" { 2.0 } else { 1.0 };
        let weight = |distance: f64| {
            let t = (distance * shrinking).abs();
            let a = self.cubic_a;
            match self.mode.as_str() {
                "cubic" if t <= 1.0 => ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0,
                "cubic" if t < 2.0 => ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a,
                "cubic" => 0.0,
                _ => (1.0 - t).max(0.0),
            }
        };
        // A matrix of bounded size has no more neighbours than rows.
        let span = ((reach / shrinking).ceil() as i64).min(MAX_TABLE as i64) + 1;
        let mut list: Vec<(i64, f64)> = (-span..=span)
            .map(|k| (floor as i64 + k, weight(k as f64 - part)))
            .filter(|(_, weight)| *weight != 0.0)
            .collect();
        let sum: f64 = list.iter().map(|(_, weight)| weight).sum();
        if self.antialias && sum != 0.0 {
            list.iter_mut().for_each(|(_, weight)| *weight /= sum);
        }
        list
    }

    /// The element nearest to coordinate `x`.
    fn nearest(&self, x: f64) -> i64 {
        let y = match self.rounding.as_str() {
            "floor" => x.floor(),
            "ceil" => x.ceil(),
            "round_prefer_ceil" => (x + 0.5).floor(),
            _ => (x - 0.5).ceil(),
        };
        y as i64
    }

    /// Weights of `along.input` rows and `along.output` columns.
    fn matrix(&self, along: &Along) -> Vec<f64> {
        let mut matrix = vec![0.0; along.input * along.output];
        let last = along.input as i64 - 1;
        for column in 0..along.output {
            let x = along.coordinate(&self.coordinates, column);
            let mut list = self.neighbours(x, along.scale);
            if self.exclude_outside {
                list.retain(|(place, _)| (0..=last).contains(place));
                let sum: f64 = list.iter().map(|(_, weight)| weight).sum();
                list.iter_mut().for_each(|(_, weight)| *weight /= sum);
            }
            for (place, weight) in list {
                let row = place.clamp(0, last) as usize;
                matrix[row * along.output + column] += weight;
            }
        }
        matrix
    }

    /// Whether element `at` of the result looks beyond the edges.
    fn is_beyond(&self, along: &Along, at: usize) -> bool {
        let x = along.coordinate(&self.coordinates, at);
        self.coordinates == "tf_crop_and_resize" && (x < 0.0 || along.input as f64 - 1.0 < x)
    }
}

/// Weights beyond this number are not stored.
const MAX_WEIGHTS: usize = MAX_TABLE;

/// `x` with the axes changed one after the other.
///
/// # Errors
/// When an axis is empty or too long.
pub fn resize(
    b: &mut Builder<'_>,
    x: ValueId,
    axes: &[Along],
    rule: &Rule,
) -> Result<ValueId, ImportError> {
    let dtype = b.ty(x).dtype;
    let rank = b.rank(x);
    let mut d = Draft::new(b);
    let nearest = rule.mode == "nearest";
    let mut y = if nearest || dtype == DType::F64 { x } else { d.cast(x, DType::F32)? };
    for along in axes {
        check_table(Some(along.output))?;
        let too_large = along.input.checked_mul(along.output).is_none_or(|n| MAX_WEIGHTS < n);
        if too_large || along.input == 0 || !along.scale.is_finite() || along.scale <= 0.0 {
            let Along { axis, input, output, .. } = along;
            let message = format!("axis {axis} from {input} to {output} elements in this way");
            return Err(ImportError::unsupported(message));
        }
        if nearest {
            let last = along.input as i64 - 1;
            let place = |at: usize| {
                let x = along.coordinate(&rule.coordinates, at);
                rule.nearest(x).clamp(0, last)
            };
            let places: Vec<i64> = (0..along.output).map(place).collect();
            let places = d.b.table(Const::from_i64(&[places.len()], &places))?;
            y = d.gather(y, places, along.axis)?;
        } else {
            let mut perm: Vec<usize> = (0..rank).collect();
            perm.swap(along.axis, rank - 1);
            let matrix = rule.matrix(along);
            let dims = [along.input, along.output];
            let matrix = numbers(d.b.ty(y).dtype, &dims, &matrix)?;
            let matrix = d.b.table(matrix)?;
            // A matrix product wants two axes.
            let whole = d.b.transpose(y, &perm)?;
            let mut dims = d.b.ty(whole).dims.clone();
            let rows = dim::product(&dims[..rank - 1]);
            let flat = d.b.reshape(whole, vec![rows, dims[rank - 1].clone()])?;
            let product = d.matmul(flat, matrix)?;
            dims[rank - 1] = Dim::Known(along.output as i64);
            let whole = d.b.reshape(product, dims)?;
            y = d.b.transpose(whole, &perm)?;
        }
    }
    for along in axes {
        let beyond: Vec<f64> =
            (0..along.output).map(|at| f64::from(u8::from(rule.is_beyond(along, at)))).collect();
        if beyond.iter().all(|&b| b == 0.0) {
            continue;
        }
        let mut dims = vec![1; rank];
        dims[along.axis] = along.output;
        let beyond = d.b.table(numbers(DType::Bool, &dims, &beyond)?)?;
        let value = d.number(y, rule.extrapolation)?;
        y = d.select(beyond, value, y)?;
    }
    Ok(d.cast(y, dtype)?)
}
