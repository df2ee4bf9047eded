//! Reshape: the same elements in the same order under other dimensions.

use embarca_kernels::copy as kernel;

use super::prelude::*;

crate::payload! {
    /// The same elements under other dimensions.
    pub struct Reshape {
        /// The dimensions of the result, all resolved.
        pub dims: Vec<Dim>,
    }
}

impl OpDef for Reshape {
    const NAME: &'static str = "reshape";
    const SPELLINGS: &'static [Spelling] = &[
        Spelling::onnx("Reshape", 5),
        Spelling::onnx("Squeeze", 1),
        Spelling::onnx("Unsqueeze", 1),
        Spelling::tflite("RESHAPE"),
        Spelling::tflite("SQUEEZE"),
        Spelling::tflite("EXPAND_DIMS"),
        Spelling::caffe("Reshape"),
    ];
    const U8_AS_I8: Option<&'static str> = Some("moves data");

    fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
        let x = node.input(0)?;
        let from = b.ty(x).dims.clone();
        let dims = match (node.format, node.op) {
            (Format::Onnx, "Reshape") => {
                let wanted = b.dims(node.input(1)?, "the shape")?;
                let zero_is_zero = node.flag("allowzero", false)?;
                resolve(&from, &wanted, !zero_is_zero)?
            }
            (Format::TfLite, "RESHAPE") => {
                let attribute = node.opt_ints("new_shape")?;
                let list = node.optional(1).filter(|&shape| b.rank(shape) == 1);
                let wanted = match (list, attribute) {
                    (Some(shape), _) if b.operand(shape).known.is_some() => {
                        b.dims(shape, "the shape")?
                    }
                    // Old converters write [0] for the shape of a scalar.
                    (_, Some(wanted)) if wanted == [0] => Vec::new(),
                    (_, Some(wanted)) => wanted.into_iter().map(Dim::Known).collect(),
                    (Some(shape), None) => b.dims(shape, "the shape")?,
                    (None, None) => return Err(ImportError::malformed("there is no shape")),
                };
                resolve(&from, &wanted, false)?
            }
            (Format::Caffe, _) => resolve_caffe(node, &from)?,
            (_, "Squeeze" | "SQUEEZE") => {
                let axes = match (node.format, node.optional(1)) {
                    (Format::TfLite, _) => node.opt_ints("squeeze_dims")?,
                    (_, Some(axes)) => Some(b.ints(axes, "the list of axes")?),
                    (_, None) => node.opt_ints("axes")?,
                };
                squeeze(&from, axes.unwrap_or_default())?
            }
            _ => {
                let axes = match (node.opt_ints("axes")?, node.optional(1)) {
                    (Some(axes), _) => axes,
                    (None, Some(axes)) => b.ints(axes, "the axis")?,
                    (None, None) => return Err(ImportError::malformed("there are no axes")),
                };
                unsqueeze(from, &axes)?
            }
        };
        one(b.reshape(x, dims)?)
    }

    fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
        let x = inputs.get(0)?.ty;
        let (from, to) = (dim::product(&x.dims), dim::product(&self.dims));
        if !from.may_equal(&to) {
            return Err(ShapeError::new(format!("{from} elements cannot become {to}")));
        }
        let mut ty = x.with_dims(self.dims.clone());
        if ty.quant.as_ref().is_some_and(|quant| quant.axis.is_some()) && x.dims != self.dims {
            ty.quant = None;
        }
        Ok(vec![ty])
    }

    fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
        vec![inputs.optional(0).and_then(|x| x.known).map(<[Dim]>::to_vec)]
    }

    fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
        s.moves();
        let x = s.input(0)?;
        let shape = s.target(&self.dims)?;
        if s.is_tflite() {
            // Readers that do not look at the second input find the shape here.
            let open = self.dims.iter().filter(|dim| dim.known().is_none()).count();
            let numbers = self.dims.iter().map(|dim| dim.known().unwrap_or(-1));
            let attrs = (open < 2).then(|| ints("new_shape", numbers)).into_iter().collect();
            return s.emit("RESHAPE", &[Some(x), Some(shape)], attrs);
        }
        let zero = self.dims.contains(&Dim::Known(0));
        let attrs = zero.then(|| int("allowzero", 1)).into_iter().collect();
        s.emit("Reshape", &[Some(x), Some(shape)], attrs)
    }

    fn lower(&self, _: &Io<'_>) -> Result<Lowered, LowerError> {
        Ok(Lowered::plain(&kernel::ANY, &NO_PARAMS, 1))
    }
}

/// Dimensions in which one -1 stands for what is left and, if `zero_copies`, 0 for the input's.
pub fn resolve(from: &[Dim], wanted: &[Dim], zero_copies: bool) -> Result<Vec<Dim>, ShapeError> {
    let mut dims = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (i, dim) in wanted.iter().enumerate() {
        dims.push(match dim {
            Dim::Known(-1) if open.is_some() => {
                return Err(ShapeError::new("more than one dimension is -1"));
            }
            Dim::Known(-1) => {
                open = Some(i);
                Dim::Known(1)
            }
            Dim::Known(0) if zero_copies => {
                let copied = from.get(i).cloned();
                copied.ok_or_else(|| ShapeError::new(format!("there is no dimension {i} to keep")))?
            }
            Dim::Known(..0) => return Err(ShapeError::new(format!("{dim} is no dimension"))),
            dim => dim.clone(),
        });
    }
    if let Some(open) = open {
        dims[open] = rest(from, &dims);
    }
    Ok(dims)
}

/// The number of elements of `from` over that of `known`, common factors taken out first.
fn rest(from: &[Dim], known: &[Dim]) -> Dim {
    let mut above = from.to_vec();
    let mut below: Vec<Dim> = Vec::new();
    for dim in known {
        match above.iter().position(|other| other == dim) {
            Some(at) => {
                above.remove(at);
            }
            None => below.push(dim.clone()),
        }
    }
    match dim::product(&below) {
        Dim::Known(0) => Dim::Known(0),
        below => dim::product(&above).floor_div(&below),
    }
}

fn squeeze(from: &[Dim], axes: Vec<i64>) -> Result<Vec<Dim>, ShapeError> {
    let mut gone = Vec::with_capacity(axes.len());
    for at in axes {
        let at = axis(at, from.len())?;
        if !from[at].may_equal(&Dim::Known(1)) {
            return Err(ShapeError::new(format!("dimension {at} is {}, not 1", from[at])));
        }
        gone.push(at);
    }
    let each = from.iter().enumerate();
    let all = gone.is_empty();
    let kept = each.filter(|(i, dim)| !(gone.contains(i) || all && **dim == Dim::Known(1)));
    Ok(kept.map(|(_, dim)| dim.clone()).collect())
}

fn unsqueeze(from: Vec<Dim>, axes: &[i64]) -> Result<Vec<Dim>, ShapeError> {
    let rank = from.len() + axes.len();
    let mut new = Vec::with_capacity(axes.len());
    for &at in axes {
        new.push(axis(at, rank)?);
    }
    let mut old = from.into_iter();
    let dims = (0..rank).map(|i| if new.contains(&i) { Some(Dim::Known(1)) } else { old.next() });
    let dims: Option<Vec<Dim>> = dims.collect();
    dims.ok_or_else(|| ShapeError::new("an axis is added twice"))
}

/// Caffe reshapes `num_axes` axes from `axis` on; 0 keeps the input's dimension, -1 is what is left.
fn resolve_caffe(node: &NodeView<'_>, from: &[Dim]) -> Result<Vec<Dim>, ImportError> {
    let wanted = node.opt_ints("shape")?.unwrap_or_default();
    let (start, count) = (node.int("axis", 0)?, node.int("num_axes", -1)?);
    // A negative axis counts from behind the last.
    let start = if start < 0 { start + from.len() as i64 + 1 } else { start };
    let start = usize::try_from(start).ok().filter(|start| *start <= from.len());
    let start = start.ok_or_else(|| ImportError::malformed("does not exist").attribute("axis"))?;
    let end = match usize::try_from(count) {
        Ok(count) => start.saturating_add(count),
        Err(_) => from.len(),
    };
    if from.len() < end {
        return Err(ImportError::malformed("goes beyond the input").attribute("num_axes"));
    }
    let wanted: Vec<Dim> = wanted.into_iter().map(Dim::Known).collect();
    let middle = resolve(&from[start..end], &wanted, true)?;
    Ok(from[..start].iter().chain(&middle).chain(&from[end..]).cloned().collect())
}
