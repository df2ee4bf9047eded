//! Learned blobs: shape and content of a `BlobProto`, and what each layer type must have.

use std::borrow::Cow;

use embarca_num::half::f16_to_f32;

use crate::caffe::typed::{Message, Value};
use crate::error::ReadError;
use crate::limits::Budget;

/// A learned blob.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob<'a> {
    /// Outermost first.
    pub dims: Vec<u64>,
    /// Little-endian f32, as many as `dims` asks for.
    pub data: Cow<'a, [u8]>,
}

impl<'a> Blob<'a> {
    /// Reads a `BlobProto`.
    ///
    /// # Errors
    /// A negative dimension, more axes or elements than the limits allow, or another number of
    /// elements than the shape asks for.
    pub fn read(mut proto: Message<'a>, budget: &mut Budget<'_>) -> Result<Self, ReadError> {
        let legacy = ["num", "channels", "height", "width"];
        let old: Option<Vec<i64>> = legacy
            .iter()
            .any(|axis| proto.get(axis).is_some())
            .then(|| legacy.iter().map(|axis| proto.int(axis).unwrap_or(0)).collect());
        let stated = match (proto.message("shape").map(|shape| shape.ints("dim")), old) {
            (Some(shape), Some(old)) if inner(&shape) != inner(&old) => {
                let what = format!("shape {shape:?} contradicts the older {old:?}");
                return Err(ReadError::malformed(what));
            }
            (Some(shape), _) => shape,
            (None, old) => old.unwrap_or_default(),
        };
        budget.rank(stated.len())?;
        let dims: Result<Vec<u64>, _> = stated.iter().map(|&dim| u64::try_from(dim)).collect();
        let Ok(dims) = dims else {
            return Err(ReadError::malformed(format!("shape {stated:?} has a negative axis")));
        };
        let elements = budget.elements(&dims)?;
        let data = match (proto.bulk.take(), proto.get("raw_data")) {
            (Some(bulk), _) => *bulk,
            (None, Some(Value::Bytes(raw))) => {
                from_raw(raw, proto.text("raw_data_type").unwrap_or("DOUBLE"), budget)?
            }
            _ => Cow::default(),
        };
        if elements.checked_mul(4) != Some(data.len() as u64) {
            let held = data.len() / 4;
            let what = format!("{held} numbers where its shape {dims:?} asks for {elements}");
            return Err(ReadError::malformed(what));
        }
        Ok(Self { dims, data })
    }

    /// The same blob with its content copied.
    pub fn into_owned<'b>(self) -> Blob<'b> {
        Blob { dims: self.dims, data: Cow::Owned(self.data.into_owned()) }
    }

    /// Drops leading axes of 1 down to `rank` axes; a vector may carry axes of 1 on both sides.
    fn settle(&mut self, rank: usize) {
        while rank < self.dims.len() && self.dims.first() == Some(&1) {
            self.dims.remove(0);
        }
        if rank == 1 && self.dims.iter().filter(|&&dim| dim != 1).count() <= 1 {
            self.dims = vec![self.dims.iter().product()];
        }
    }
}

/// A shape without its leading axes of 1.
fn inner(shape: &[i64]) -> &[i64] {
    let outer = shape.iter().take_while(|&&dim| dim == 1).count();
    shape.get(outer..).unwrap_or_default()
}

/// NVIDIA's bytes of any of its types as f32; what is f32 already stays borrowed.
fn from_raw<'a>(
    raw: &'a [u8],
    stored: &str,
    budget: &mut Budget<'_>,
) -> Result<Cow<'a, [u8]>, ReadError> {
    let size = match stored {
        "FLOAT" => return Ok(Cow::Borrowed(raw)),
        "FLOAT16" => 2,
        "DOUBLE" => 8,
        _ => return Err(ReadError::unsupported("the raw data is neither real nor half precision")),
    };
    if !raw.len().is_multiple_of(size) {
        let what = format!("{} bytes of raw data of {size} bytes each", raw.len());
        return Err(ReadError::malformed(what));
    }
    budget.items::<f32>(raw.len() / size)?;
    let halves = raw.as_chunks().0.iter().map(|half| f16_to_f32(u16::from_le_bytes(*half)));
    let doubles = raw.as_chunks().0.iter().map(|double| f64::from_le_bytes(*double) as f32);
    Ok(Cow::Owned(match size {
        2 => halves.flat_map(f32::to_le_bytes).collect(),
        _ => doubles.flat_map(f32::to_le_bytes).collect(),
    }))
}

/// What one blob of a layer must look like.
struct Want {
    /// For people.
    role: &'static str,
    /// The axes, `None` for what only the input's shape decides; no list for any shape at all.
    dims: Option<Vec<Option<u64>>>,
}

/// How many blobs a layer must have and what they look like.
struct Wants {
    least: usize,
    most: usize,
    each: Vec<Want>,
}

/// Whether this layer computes with blobs of its own.
///
/// # Errors
/// The layer's parameters do not say what its blobs must be.
pub fn needs_blobs(layer: &str, param: &Message<'_>, bottoms: usize) -> Result<bool, ReadError> {
    Ok(wants(layer, param, bottoms, &[])?.is_some_and(|wants| 0 < wants.least))
}

/// Checks number and shapes of a layer's blobs against its type and parameters, and gives legacy
/// four-axis shapes the rank that the current format would have.
///
/// # Errors
/// Names the blob that does not fit. Layer types that are not listed here pass as they are.
pub fn check(
    layer: &str,
    param: &Message<'_>,
    bottoms: usize,
    blobs: &mut [Blob<'_>],
) -> Result<(), ReadError> {
    let Some(wants) = wants(layer, param, bottoms, blobs)? else {
        return Ok(());
    };
    if blobs.len() < wants.least || wants.most < blobs.len() {
        let due = match wants.least == wants.most {
            true => wants.least.to_string(),
            false => format!("{} to {}", wants.least, wants.most),
        };
        let what = format!("{} learned blobs where {due} are due", blobs.len());
        return Err(ReadError::malformed(what));
    }
    for (blob, want) in blobs.iter_mut().zip(&wants.each) {
        let Some(dims) = &want.dims else {
            continue;
        };
        blob.settle(dims.len());
        let fits = blob.dims.len() == dims.len()
            && blob.dims.iter().zip(dims).all(|(&dim, want)| want.is_none_or(|want| want == dim));
        if !fits {
            let axes: Vec<String> =
                dims.iter().map(|dim| dim.map_or("?".into(), |dim| dim.to_string())).collect();
            let what = format!(
                "{} of shape {:?} where [{}] is due",
                want.role,
                blob.dims,
                axes.join(", ")
            );
            return Err(ReadError::malformed(what));
        }
    }
    Ok(())
}

fn wants(
    layer: &str,
    param: &Message<'_>,
    bottoms: usize,
    blobs: &[Blob<'_>],
) -> Result<Option<Wants>, ReadError> {
    let want = |role, dims: &[Option<u64>]| Want { role, dims: Some(dims.to_vec()) };
    let any = |role| Want { role, dims: None };
    let exactly = |each: Vec<Want>| Ok(Some(Wants { least: each.len(), most: each.len(), each }));
    let truth = |name, default| param.int(name).unwrap_or(default) != 0;
    match layer {
        "Convolution" | "ConvolutionDepthwise" | "DepthwiseConvolution" | "Deconvolution" => {
            let outputs = positive(param, "num_output")?;
            let kernel = kernel(param, blobs.first())?;
            let mut dims = if layer == "Deconvolution" {
                let group = match param.get("group") {
                    Some(_) => positive(param, "group")?,
                    None => 1,
                };
                if !outputs.is_multiple_of(group) {
                    let what = format!("num_output {outputs} does not divide by group {group}");
                    return Err(ReadError::malformed(what));
                }
                vec![None, Some(outputs / group)]
            } else {
                vec![Some(outputs), None]
            };
            dims.extend(kernel);
            let mut each = vec![want("weights", &dims)];
            if truth("bias_term", 1) {
                each.push(want("bias", &[Some(outputs)]));
            }
            exactly(each)
        }
        "InnerProduct" => {
            let outputs = positive(param, "num_output")?;
            let dims = match truth("transpose", 0) {
                true => [None, Some(outputs)],
                false => [Some(outputs), None],
            };
            let mut each = vec![want("weights", &dims)];
            if truth("bias_term", 1) {
                each.push(want("bias", &[Some(outputs)]));
            }
            exactly(each)
        }
        "Embed" => {
            let outputs = positive(param, "num_output")?;
            let entries = positive(param, "input_dim")?;
            let mut each = vec![want("weights", &[Some(entries), Some(outputs)])];
            if truth("bias_term", 1) {
                each.push(want("bias", &[Some(outputs)]));
            }
            exactly(each)
        }
        "BatchNorm" => {
            // Mean and variance have the same length.
            let channels = blobs.first().map(|mean| mean.dims.iter().product());
            exactly(vec![
                want("mean", &[None]),
                want("variance", &[channels]),
                want("scale factor", &[Some(1)]),
            ])
        }
        "Scale" | "Bias" => {
            // Caffe multiplies (or adds) bottom 1 where there is one, else a blob.
            let role = if layer == "Scale" { "scale" } else { "bias" };
            let shape = |role| match usize::try_from(param.int("num_axes").unwrap_or(1)) {
                Ok(axes) if axes <= 8 => want(role, &vec![None; axes]),
                _ => any(role),
            };
            let mut each = Vec::new();
            if bottoms < 2 {
                each.push(shape(role));
            }
            if layer == "Scale" && truth("bias_term", 0) {
                each.push(if bottoms < 2 { shape("bias") } else { any("bias") });
            }
            exactly(each)
        }
        "PReLU" | "Normalize" => {
            let role = if layer == "PReLU" { "slopes" } else { "scale" };
            exactly(vec![match truth("channel_shared", i64::from(layer == "Normalize")) {
                true => any(role),
                false => want(role, &[None]),
            }])
        }
        "LSTM" => Ok(Some(Wants { least: 3, most: 4, each: Vec::new() })),
        "RNN" => Ok(Some(Wants { least: 5, most: 6, each: Vec::new() })),
        "BN" => Ok(Some(Wants { least: 2, most: 4, each: Vec::new() })),
        "Parameter" => exactly(vec![any("value")]),
        _ => Ok(None),
    }
}

fn positive(param: &Message<'_>, name: &str) -> Result<u64, ReadError> {
    match param.int(name).map(u64::try_from) {
        Some(Ok(value)) if 0 < value => Ok(value),
        Some(_) => Err(ReadError::malformed(format!("`{name}` must be 1 or more"))),
        None => Err(ReadError::malformed(format!("`{name}` is missing"))),
    }
}

/// The kernel's axes, as many as the weights have beyond two.
fn kernel(param: &Message<'_>, weights: Option<&Blob<'_>>) -> Result<Vec<Option<u64>>, ReadError> {
    if param.get("kernel_h").is_some() || param.get("kernel_w").is_some() {
        let (height, width) = (positive(param, "kernel_h")?, positive(param, "kernel_w")?);
        return Ok(vec![Some(height), Some(width)]);
    }
    let sizes: Vec<Option<u64>> =
        param.ints("kernel_size").iter().map(|&size| u64::try_from(size).ok()).collect();
    match sizes.as_slice() {
        [] => Err(ReadError::malformed("`kernel_size` is missing")),
        [same] => {
            let axes = weights.map_or(2, |weights| weights.dims.len().saturating_sub(2));
            Ok(vec![*same; axes.clamp(1, 6)])
        }
        _ => Ok(sizes),
    }
}
