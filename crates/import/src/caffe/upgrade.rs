//! Old layouts of a net become the current one: `layers` with enumerated types (V1), `layers`
//! around `layer` (V0) and inputs outside layers.

use std::collections::HashMap;

use crate::caffe::blobs::Blob;
use crate::caffe::typed::{Message, Value};
use crate::error::{ReadError, shown};
use crate::limits::Budget;

/// A net in the current layout.
#[derive(Debug, Default)]
pub struct Net<'a> {
    /// The author's name; may be empty.
    pub name: String,
    /// In the order of the file; `Input` layers made from net-level inputs first.
    pub layers: Vec<Layer<'a>>,
}

/// A layer in the current layout.
#[derive(Debug, Default)]
pub struct Layer<'a> {
    /// The author's name; may be empty.
    pub name: String,
    /// `Convolution`, `ReLU`, ...
    pub kind: String,
    /// The blobs that it reads.
    pub bottoms: Vec<String>,
    /// The blobs that it writes.
    pub tops: Vec<String>,
    /// When not empty, one of these must hold.
    pub include: Vec<Rule>,
    /// None of these may hold.
    pub exclude: Vec<Rule>,
    /// The layer's other fields: `convolution_param` and the like.
    pub params: Message<'a>,
    /// Learned blobs that stand in the same file.
    pub blobs: Vec<Blob<'a>>,
}

/// A condition on the net's state (`NetStateRule`).
#[derive(Debug, Default)]
pub struct Rule {
    /// `TRAIN` or `TEST`.
    pub phase: Option<String>,
    /// Least level.
    pub min_level: Option<i64>,
    /// Greatest level.
    pub max_level: Option<i64>,
    /// Stages that the net must have.
    pub stages: Vec<String>,
}

impl Rule {
    fn read(proto: &Message<'_>) -> Self {
        Self {
            phase: proto.text("phase").map(str::to_owned),
            min_level: proto.int("min_level"),
            max_level: proto.int("max_level"),
            stages: proto.texts("stage").map(str::to_owned).collect(),
        }
    }

    /// Whether the rule holds in phase TEST at level 0 without stages, the state in which Caffe
    /// runs a net for its answers. `not_stage` can then never fail.
    pub fn holds_at_inference(&self) -> bool {
        self.phase.as_deref().is_none_or(|phase| phase == "TEST")
            && self.min_level.is_none_or(|least| least <= 0)
            && self.max_level.is_none_or(|most| 0 <= most)
            && self.stages.is_empty()
    }
}

/// Brings a `NetParameter` of any age to the current layout.
///
/// # Errors
/// What the old layouts cannot mean: both layouts at once, input dimensions that are not four per
/// input, a padding layer before something that cannot pad, fields that are no net's.
pub fn upgrade<'a>(proto: Message<'a>, budget: &mut Budget<'_>) -> Result<Net<'a>, ReadError> {
    let known = ["name", "layers", "input", "input_dim", "input_shape", "layer", "?"];
    if let Some((name, _)) = proto.fields.iter().find(|(name, _)| !known.contains(name)) {
        let solver = ["net", "train_net", "test_net", "base_lr", "lr_policy", "max_iter"];
        let what = match proto.fields.iter().any(|(name, _)| solver.contains(name)) {
            true => "this is a solver, not a net: pass the file that its `net` names".into(),
            false => format!("`{}` is no field of a net", shown(name)),
        };
        return Err(ReadError::malformed(what));
    }
    if proto.get("layer").is_some() && proto.get("layers").is_some() {
        return Err(ReadError::malformed("`layer` and `layers` do not go together"));
    }
    let mut net = Net { name: proto.text("name").unwrap_or_default().into(), ..Net::default() };
    inputs(&proto, &mut net)?;
    let is_v0 = proto.messages("layers").any(|layer| layer.get("layer").is_some());
    for (name, value) in proto.fields {
        let Value::Message(layer) = value else {
            continue;
        };
        let index = net.layers.len();
        let inner = layer.message("layer").and_then(|inner| inner.text("name"));
        let place = match layer.text("name").or(inner) {
            Some(name) => format!("layer {index} '{}'", shown(name)),
            None => format!("layer {index}"),
        };
        let upgraded = match name {
            "layer" => current(layer, budget),
            "layers" if is_v0 => v0(layer, budget),
            "layers" => v1(layer, budget),
            _ => continue,
        };
        net.layers.push(upgraded.map_err(|error| error.within(|| place))?);
    }
    if is_v0 {
        fold_padding(&mut net)?;
    }
    Ok(net)
}

/// Net-level inputs become one `Input` layer each.
fn inputs(proto: &Message<'_>, net: &mut Net<'_>) -> Result<(), ReadError> {
    let names: Vec<&str> = proto.texts("input").collect();
    let dims = proto.ints("input_dim");
    let shapes: Vec<&Message<'_>> = proto.messages("input_shape").collect();
    if !shapes.is_empty() && shapes.len() != names.len() {
        let what = format!("{} `input_shape` for {} `input`", shapes.len(), names.len());
        return Err(ReadError::malformed(what));
    }
    if shapes.is_empty() && !dims.is_empty() && Some(dims.len()) != names.len().checked_mul(4) {
        let what = format!("{} `input_dim` for {} `input`, four each", dims.len(), names.len());
        return Err(ReadError::malformed(what));
    }
    for (index, name) in names.into_iter().enumerate() {
        let axes = match shapes.get(index) {
            Some(shape) => shape.ints("dim"),
            None => dims.chunks(4).nth(index).unwrap_or_default().to_vec(),
        };
        let mut params = Message::default();
        if !axes.is_empty() || !shapes.is_empty() {
            let dim = |axis| ("dim", Value::Int(axis));
            let shape = Message { fields: axes.into_iter().map(dim).collect(), bulk: None };
            let fields = vec![("shape", Value::Message(shape))];
            let input = Message { fields, bulk: None };
            params.fields.push(("input_param", Value::Message(input)));
        }
        net.layers.push(Layer {
            name: name.into(),
            kind: "Input".into(),
            tops: vec![name.into()],
            params,
            ..Layer::default()
        });
    }
    Ok(())
}

/// A layer whose fields have the names of the current layout; `type` aside, V1 is the same.
fn current<'a>(proto: Message<'a>, budget: &mut Budget<'_>) -> Result<Layer<'a>, ReadError> {
    budget.items::<Layer<'_>>(1)?;
    let mut layer = Layer::default();
    let text = |value: Value<'_>| match value {
        Value::Text(text) => text.into_owned(),
        _ => String::new(),
    };
    for (name, value) in proto.fields {
        budget.items::<(&str, Value<'_>)>(1)?;
        match (name, value) {
            ("name", value) => layer.name = text(value),
            ("type", Value::Int(number)) => layer.kind = number.to_string(),
            ("type", value) => layer.kind = text(value),
            ("bottom", value) => layer.bottoms.push(text(value)),
            ("top", value) => layer.tops.push(text(value)),
            ("include", Value::Message(rule)) => layer.include.push(Rule::read(&rule)),
            ("exclude", Value::Message(rule)) => layer.exclude.push(Rule::read(&rule)),
            ("blobs", Value::Message(blob)) => {
                let index = layer.blobs.len();
                let blob = Blob::read(blob, budget);
                layer.blobs.push(blob.map_err(|error| error.within(|| format!("blob {index}")))?);
            }
            other => layer.params.fields.push(other),
        }
    }
    if !layer.include.is_empty() && !layer.exclude.is_empty() {
        return Err(ReadError::malformed("`include` and `exclude` do not go together"));
    }
    Ok(layer)
}

fn v1<'a>(proto: Message<'a>, budget: &mut Budget<'_>) -> Result<Layer<'a>, ReadError> {
    let mut layer = current(proto, budget)?;
    let found = V1_TYPES.iter().find(|(old, _)| *old == layer.kind);
    match found {
        Some((_, new)) => layer.kind = (*new).into(),
        None if layer.kind.is_empty() => {}
        None => {
            let what = format!("the old layout (`layers`) has no type `{}`", shown(&layer.kind));
            return Err(ReadError::unsupported(what));
        }
    }
    Ok(layer)
}

/// `V1LayerParameter.LayerType` and what each is called now.
const V1_TYPES: &[(&str, &str)] = &[
    ("NONE", ""),
    ("ABSVAL", "AbsVal"),
    ("ACCURACY", "Accuracy"),
    ("ARGMAX", "ArgMax"),
    ("BNLL", "BNLL"),
    ("CONCAT", "Concat"),
    ("CONTRASTIVE_LOSS", "ContrastiveLoss"),
    ("CONVOLUTION", "Convolution"),
    ("DATA", "Data"),
    ("DECONVOLUTION", "Deconvolution"),
    ("DROPOUT", "Dropout"),
    ("DUMMY_DATA", "DummyData"),
    ("ELTWISE", "Eltwise"),
    ("EUCLIDEAN_LOSS", "EuclideanLoss"),
    ("EXP", "Exp"),
    ("FLATTEN", "Flatten"),
    ("HDF5_DATA", "HDF5Data"),
    ("HDF5_OUTPUT", "HDF5Output"),
    ("HINGE_LOSS", "HingeLoss"),
    ("IM2COL", "Im2col"),
    ("IMAGE_DATA", "ImageData"),
    ("INFOGAIN_LOSS", "InfogainLoss"),
    ("INNER_PRODUCT", "InnerProduct"),
    ("LRN", "LRN"),
    ("MEMORY_DATA", "MemoryData"),
    ("MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"),
    ("MVN", "MVN"),
    ("POOLING", "Pooling"),
    ("POWER", "Power"),
    ("RELU", "ReLU"),
    ("SIGMOID", "Sigmoid"),
    ("SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"),
    ("SILENCE", "Silence"),
    ("SLICE", "Slice"),
    ("SOFTMAX", "Softmax"),
    ("SOFTMAX_LOSS", "SoftmaxWithLoss"),
    ("SPLIT", "Split"),
    ("TANH", "TanH"),
    ("THRESHOLD", "Threshold"),
    ("WINDOW_DATA", "WindowData"),
];

/// V0 keeps a layer's own fields, all types' in one message, in an inner `layer`.
fn v0<'a>(mut proto: Message<'a>, budget: &mut Budget<'_>) -> Result<Layer<'a>, ReadError> {
    let inner = proto.fields.iter_mut().find_map(|(name, value)| match value {
        Value::Message(inner) if *name == "layer" => Some(std::mem::take(inner)),
        _ => None,
    });
    proto.fields.retain(|(name, _)| *name != "layer");
    let mut layer = current(proto, budget)?;
    let Some(inner) = inner else {
        return Err(ReadError::malformed("one layer of the oldest layout lacks its `layer`"));
    };
    let old = inner.text("type").unwrap_or_default().to_owned();
    let Some((_, kind, param)) = V0_TYPES.iter().find(|(name, ..)| *name == old) else {
        let what = format!("the oldest layout has no type `{}`", shown(&old));
        return Err(ReadError::unsupported(what));
    };
    layer.kind = (*kind).into();
    let mut own = Message::default();
    let mut transform = Message::default();
    for (name, value) in inner.fields {
        let is_conv = old == "conv";
        let renamed = match (name, value) {
            ("name", Value::Text(text)) => {
                layer.name = text.into_owned();
                continue;
            }
            ("type", _) => continue,
            ("blobs", Value::Message(blob)) => {
                let index = layer.blobs.len();
                let blob = Blob::read(blob, budget);
                layer.blobs.push(blob.map_err(|error| error.within(|| format!("blob {index}")))?);
                continue;
            }
            ("scale" | "cropsize" | "meanfile", value) => {
                let name = match name {
                    "cropsize" => "crop_size",
                    "meanfile" => "mean_file",
                    _ => "scale",
                };
                transform.fields.push((name, value));
                continue;
            }
            ("num_output", value) if is_conv || old == "innerproduct" => ("num_output", value),
            ("biasterm", value) if is_conv || old == "innerproduct" => ("bias_term", value),
            ("pad" | "stride", value) if is_conv || old == "pool" => (name, value),
            ("pad", value) if old == "padding" => (name, value),
            ("kernelsize", value) if is_conv || old == "pool" => ("kernel_size", value),
            ("group", value) if is_conv => (name, value),
            ("pool", value) if old == "pool" => (name, value),
            ("dropout_ratio", value) if old == "dropout" => (name, value),
            ("local_size" | "alpha" | "beta" | "k", value) if old == "lrn" => (name, value),
            ("concat_dim", value) if old == "concat" => (name, value),
            _ => {
                let what = format!("`{}` means nothing in a layer `{old}`", shown(name));
                return Err(ReadError::malformed(what));
            }
        };
        own.fields.push(renamed);
    }
    for (name, message) in [(*param, own), ("transform_param", transform)] {
        if !name.is_empty() && !message.fields.is_empty() {
            layer.params.fields.push((name, Value::Message(message)));
        }
    }
    Ok(layer)
}

/// A type of V0, its name now, and the message that its fields go to. `padding` exists only until
/// [`fold_padding`].
const V0_TYPES: &[(&str, &str, &str)] = &[
    ("accuracy", "Accuracy", ""),
    ("bnll", "BNLL", ""),
    ("concat", "Concat", "concat_param"),
    ("conv", "Convolution", "convolution_param"),
    ("data", "Data", ""),
    ("dropout", "Dropout", "dropout_param"),
    ("euclidean_loss", "EuclideanLoss", ""),
    ("flatten", "Flatten", ""),
    ("hdf5_data", "HDF5Data", ""),
    ("hdf5_output", "HDF5Output", ""),
    ("im2col", "Im2col", "convolution_param"),
    ("images", "ImageData", ""),
    ("infogain_loss", "InfogainLoss", ""),
    ("innerproduct", "InnerProduct", "inner_product_param"),
    ("lrn", "LRN", "lrn_param"),
    ("multinomial_logistic_loss", "MultinomialLogisticLoss", ""),
    ("padding", PADDING, "padding_param"),
    ("pool", "Pooling", "pooling_param"),
    ("relu", "ReLU", ""),
    ("sigmoid", "Sigmoid", ""),
    ("softmax", "Softmax", ""),
    ("softmax_loss", "SoftmaxWithLoss", ""),
    ("split", "Split", ""),
    ("tanh", "TanH", ""),
    ("window_data", "WindowData", ""),
];

const PADDING: &str = "padding";

/// V0's padding layers become the padding of the convolution or pooling that follows.
fn fold_padding(net: &mut Net<'_>) -> Result<(), ReadError> {
    let layers = std::mem::take(&mut net.layers);
    // Blob, what was padded, by how much; a later writer of the same blob ends it.
    let mut padded: HashMap<String, (String, i64)> = HashMap::new();
    for mut layer in layers {
        if layer.kind == PADDING {
            let ([bottom], [top]) = (layer.bottoms.as_slice(), layer.tops.as_slice()) else {
                let what = "a padding layer has one `bottom` and one `top`";
                return Err(ReadError::malformed(what).within(|| layer.place()));
            };
            let pad = layer.params.message("padding_param").and_then(|param| param.int("pad"));
            padded.insert(top.clone(), (bottom.clone(), pad.unwrap_or(0)));
            continue;
        }
        let source = layer.bottoms.iter().find_map(|bottom| padded.get(bottom));
        if let Some((bottom, pad)) = source.cloned() {
            let param = match (layer.kind.as_str(), layer.bottoms.as_mut_slice()) {
                ("Convolution", [only]) => {
                    *only = bottom;
                    "convolution_param"
                }
                ("Pooling", [only]) => {
                    *only = bottom;
                    "pooling_param"
                }
                _ => {
                    let what = "a padding layer must lead to one convolution or pooling";
                    return Err(ReadError::unsupported(what).within(|| layer.place()));
                }
            };
            let fields = &mut layer.params.fields;
            let own = fields.iter_mut().find(|(name, _)| *name == param);
            match own {
                Some((_, Value::Message(own))) => {
                    own.fields.retain(|(name, _)| *name != "pad");
                    own.fields.push(("pad", Value::Int(pad)));
                }
                _ => {
                    let own = Message { fields: vec![("pad", Value::Int(pad))], bulk: None };
                    fields.push((param, Value::Message(own)));
                }
            }
        }
        for top in &layer.tops {
            padded.remove(top);
        }
        net.layers.push(layer);
    }
    Ok(())
}

impl Layer<'_> {
    /// For errors.
    pub fn place(&self) -> String {
        format!("layer '{}' ({})", shown(&self.name), shown(&self.kind))
    }

    /// Whether Caffe keeps the layer when it runs the net for its answers.
    pub fn at_inference(&self) -> bool {
        let holds = |rules: &[Rule]| rules.iter().any(Rule::holds_at_inference);
        match self.include.is_empty() {
            true => !holds(&self.exclude),
            false => holds(&self.include),
        }
    }
}
