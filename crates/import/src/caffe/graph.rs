//! A current-layout net becomes a foreign graph: rules applied, training layers removed, every
//! write of a blob a tensor of its own.

use std::collections::{HashMap, HashSet};

use embarca_ir::foreign::{
    ForeignDim, ForeignGraph, ForeignMeta, ForeignModel, ForeignNode, ForeignTensor, Format,
};
use embarca_num::DType;

use crate::caffe::attrs::{attrs, own_param};
use crate::caffe::blobs::{self, Blob};
use crate::caffe::typed::Message;
use crate::caffe::upgrade::{Layer, Net};
use crate::error::{ReadError, shown};
use crate::limits::Budget;

/// Bytes that the builder's maps take for each tensor.
const PER_TENSOR: u64 = 160;

/// Learned blobs by layer name.
pub type Weights<'a> = HashMap<String, Vec<Blob<'a>>>;

/// What the last writer of a blob name made of it.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// This tensor.
    Tensor(usize),
    /// Nothing that exists at inference: labels and what is computed from them alone.
    Training,
}

/// What a layer is at inference.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Input,
    /// Reads samples: an input where its shape is known.
    Data,
    /// A loss or a measure against labels: removed, its bottoms count as unread.
    Training,
    /// Reads and discards.
    Silence,
    /// Hands on its bottom under other names.
    Split,
    Node,
}

fn role(kind: &str) -> Role {
    match kind {
        "Input" => Role::Input,
        "AnnotatedData" | "Data" | "DummyData" | "HDF5Data" | "ImageData" | "MemoryData"
        | "VideoData" | "WindowData" => Role::Data,
        "Accuracy"
        | "ContrastiveLoss"
        | "DetectionEvaluate"
        | "EuclideanLoss"
        | "HDF5Output"
        | "HingeLoss"
        | "InfogainLoss"
        | "MultiBoxLoss"
        | "MultinomialLogisticLoss"
        | "SigmoidCrossEntropyLoss"
        | "SmoothL1Loss"
        | "SoftmaxWithLoss" => Role::Training,
        "Silence" => Role::Silence,
        "Split" => Role::Split,
        _ => Role::Node,
    }
}

/// How many of a training layer's bottoms are predictions; labels and weights follow them.
fn predictions(kind: &str) -> usize {
    match kind {
        "ContrastiveLoss" => 2,
        "MultiBoxLoss" => 3,
        _ => 1,
    }
}

/// Builds the model from the layers that Caffe would keep for inference.
///
/// `has_file` tells a missing caffemodel from one that lacks a layer.
///
/// # Errors
/// The net reads what nothing writes, lacks weights or a shape, or holds blobs that do not fit.
pub fn build<'a>(
    net: Net<'_>,
    mut weights: Weights<'a>,
    has_file: bool,
    budget: &mut Budget<'_>,
) -> Result<ForeignModel<'a>, ReadError> {
    budget.graph()?;
    let graph = ForeignGraph { name: budget.text(&net.name)?, ..ForeignGraph::default() };
    let meta = ForeignMeta { description: budget.text(&net.name)?, ..ForeignMeta::default() };
    let (layers, excluded): (Vec<_>, Vec<_>) =
        net.layers.into_iter().partition(Layer::at_inference);
    let mut builder = Builder {
        graph,
        meta,
        held: HashMap::new(),
        read: HashSet::new(),
        writers: HashMap::new(),
        excluded: excluded
            .iter()
            .flat_map(|layer| layer.tops.iter().map(|top| (top.clone(), layer.place())))
            .collect(),
        has_file,
        budget,
    };
    let useful = useful_tops(&layers);
    for (index, layer) in layers.iter().enumerate() {
        let later = layers.get(index + 1..).unwrap_or_default();
        let useful = useful.get(index).map(Vec::as_slice).unwrap_or_default();
        builder
            .layer(layer, useful, later, &mut weights)
            .map_err(|error| error.within(|| layer.place()))?;
    }
    builder.finish()
}

/// For each top of each layer, whether what is written there reaches a prediction or an output.
fn useful_tops(layers: &[Layer<'_>]) -> Vec<Vec<bool>> {
    // Names that a later layer reads, and whether any such reading is of use.
    let mut later: HashMap<&str, bool> = HashMap::new();
    let mut all = Vec::with_capacity(layers.len());
    for layer in layers.iter().rev() {
        let role = role(&layer.kind);
        // What a layer computes and nobody reads is an output; unread samples are just unread.
        let unread = role != Role::Data;
        let is_useful = |top: &String| later.get(top.as_str()).copied().unwrap_or(unread);
        let tops: Vec<bool> = layer.tops.iter().map(is_useful).collect();
        for top in &layer.tops {
            later.remove(top.as_str());
        }
        for (index, bottom) in layer.bottoms.iter().enumerate() {
            let is_useful = match role {
                Role::Training => index < predictions(&layer.kind),
                Role::Silence => false,
                _ => tops.contains(&true),
            };
            *later.entry(bottom).or_default() |= is_useful;
        }
        all.push(tops);
    }
    all.reverse();
    all
}

struct Builder<'a, 'b, 'l> {
    graph: ForeignGraph<'a>,
    meta: ForeignMeta,
    /// By blob name.
    held: HashMap<String, Held>,
    /// Tensors that a node reads.
    read: HashSet<usize>,
    /// The node that writes each tensor.
    writers: HashMap<usize, usize>,
    /// Blobs that only layers excluded by their rules write, and which layers those are.
    excluded: HashMap<String, String>,
    has_file: bool,
    budget: &'b mut Budget<'l>,
}

impl<'a> Builder<'a, '_, '_> {
    fn layer(
        &mut self,
        layer: &Layer<'_>,
        useful: &[bool],
        later: &[Layer<'_>],
        weights: &mut Weights<'a>,
    ) -> Result<(), ReadError> {
        let role = match role(&layer.kind) {
            _ if layer.kind.is_empty() => return Err(ReadError::malformed("`type` is missing")),
            role @ (Role::Input | Role::Data) => {
                let shapes = match role {
                    Role::Input => input_shapes(layer)?,
                    _ => Vec::new(),
                };
                for (index, top) in layer.tops.iter().enumerate() {
                    if useful.get(index) != Some(&true) {
                        self.hold(top, Held::Training, layer)?;
                        continue;
                    }
                    let dims = match role {
                        Role::Input => shapes.get(index).cloned().flatten(),
                        _ => Some(self.data_shape(layer, index, later, weights)?),
                    };
                    self.input(top, dims, layer)?;
                }
                return Ok(());
            }
            role => role,
        };
        let bottoms = layer.bottoms.iter().map(|bottom| self.bottom(bottom));
        let bottoms: Vec<Held> = bottoms.collect::<Result<_, _>>()?;
        let labels = bottoms.iter().filter(|held| matches!(held, Held::Training)).count();
        let is_label = 0 < labels && labels == bottoms.len();
        match role {
            Role::Training if 1 < layer.tops.len() && layer.kind == "SoftmaxWithLoss" => {
                // The second top is the softmax itself.
                let softmax = Layer {
                    name: layer.name.clone(),
                    kind: "Softmax".into(),
                    params: layer.params.clone(),
                    ..Layer::default()
                };
                let inputs = bottoms.first().copied().into_iter().collect();
                for top in layer.tops.iter().filter(|top| layer.tops.get(1) != Some(top)) {
                    self.hold(top, Held::Training, layer)?;
                }
                let top = layer.tops.get(1).map(std::slice::from_ref).unwrap_or_default();
                self.node(&softmax, inputs, top, weights)
            }
            Role::Training => self.hold_all(layer, Held::Training),
            _ if is_label => self.hold_all(layer, Held::Training),
            _ if 0 < labels => {
                let what = "reads labels, which exist in training only: pass deploy.prototxt";
                Err(ReadError::unsupported(what))
            }
            Role::Split => match bottoms.as_slice() {
                [only] => self.hold_all(layer, *only),
                _ => Err(ReadError::malformed("a Split has one `bottom`")),
            },
            Role::Silence => {
                for held in bottoms {
                    self.reads(held);
                }
                Ok(())
            }
            _ => self.node(layer, bottoms, &layer.tops, weights),
        }
    }

    fn node(
        &mut self,
        layer: &Layer<'_>,
        bottoms: Vec<Held>,
        tops: &[String],
        weights: &mut Weights<'a>,
    ) -> Result<(), ReadError> {
        let inputs = bottoms.into_iter().map(|held| self.reads(held)).collect::<Vec<_>>();
        let blobs = self.blobs(layer, inputs.len(), weights)?;
        let mut outputs = Vec::new();
        for (index, top) in tops.iter().enumerate() {
            let in_place = layer.bottoms.get(index) == Some(top);
            outputs.push(Some(self.output(top, in_place, layer)?));
        }
        self.budget.node()?;
        self.budget.items::<Option<usize>>(inputs.len().saturating_add(outputs.len()))?;
        self.graph.nodes.push(ForeignNode {
            op: self.budget.text(&layer.kind)?,
            domain: String::new(),
            version: 1,
            name: self.budget.text(&layer.name)?,
            inputs,
            blobs,
            outputs,
            attrs: attrs(layer, self.budget)?,
        });
        Ok(())
    }

    /// What a bottom stands for.
    fn bottom(&self, name: &str) -> Result<Held, ReadError> {
        if let Some(held) = self.held.get(name) {
            return Ok(*held);
        }
        let shown = shown(name);
        Err(match self.excluded.get(name) {
            Some(writer) => ReadError::unsupported(format!(
                "reads blob '{shown}', which only {writer} writes, and that is for training: \
                 pass deploy.prototxt"
            )),
            None => ReadError::malformed(format!(
                "reads blob '{shown}', which no layer before it writes"
            )),
        })
    }

    /// Notes that a node reads `held`.
    fn reads(&mut self, held: Held) -> Option<usize> {
        match held {
            Held::Tensor(tensor) => {
                self.read.insert(tensor);
                Some(tensor)
            }
            Held::Training => None,
        }
    }

    /// Binds a new name.
    fn hold(&mut self, top: &str, held: Held, layer: &Layer<'_>) -> Result<(), ReadError> {
        let name = self.budget.text(top)?;
        match self.held.insert(name, held) {
            // In-place layers among those that training alone needs.
            Some(Held::Training) if layer.bottoms.iter().any(|bottom| bottom == top) => Ok(()),
            Some(_) => Err(twice(top)),
            None => Ok(()),
        }
    }

    fn hold_all(&mut self, layer: &Layer<'_>, held: Held) -> Result<(), ReadError> {
        layer.tops.iter().try_for_each(|top| self.hold(top, held, layer))
    }

    fn tensor(&mut self, tensor: ForeignTensor<'a>) -> Result<usize, ReadError> {
        self.budget.tensor()?;
        self.budget.bytes(PER_TENSOR.saturating_add(tensor.name.len() as u64))?;
        if let Some(dims) = &tensor.dims {
            self.budget.items::<ForeignDim>(dims.len())?;
        }
        self.graph.tensors.push(tensor);
        Ok(self.graph.tensors.len() - 1)
    }

    fn input(
        &mut self,
        top: &str,
        dims: Option<Vec<u64>>,
        layer: &Layer<'_>,
    ) -> Result<(), ReadError> {
        if let Some(dims) = &dims {
            self.budget.rank(dims.len())?;
            self.budget.elements(dims)?;
        }
        let tensor = self.tensor(ForeignTensor {
            name: top.into(),
            dtype: Some(DType::F32),
            dims: dims.map(known),
            quant: None,
            data: None,
            is_variable: false,
        })?;
        self.graph.inputs.push(tensor);
        self.hold(top, Held::Tensor(tensor), layer)
    }

    /// A fresh tensor for what `layer` writes to `top`. The last one that is written under a
    /// name bears it; an earlier one, and any after an input, adds its writer's name.
    fn output(&mut self, top: &str, in_place: bool, layer: &Layer<'_>) -> Result<usize, ReadError> {
        let mut name = top.to_owned();
        if let Some(held) = self.held.get(top) {
            let Held::Tensor(old) = *held else {
                return Err(twice(top));
            };
            if !in_place {
                return Err(twice(top));
            }
            let writer = self.writers.get(&old).and_then(|&node| self.graph.nodes.get(node));
            match (writer, self.graph.tensors.get_mut(old)) {
                (Some(writer), Some(old)) if old.name == top => {
                    let apart = format!("{top}@{}", writer.name);
                    self.budget.bytes(apart.len() as u64)?;
                    old.name = apart;
                }
                _ => name = format!("{top}@{}", layer.name),
            }
        }
        let tensor = self.tensor(ForeignTensor {
            name,
            dtype: None,
            dims: None,
            quant: None,
            data: None,
            is_variable: false,
        })?;
        let key = self.budget.text(top)?;
        self.held.insert(key, Held::Tensor(tensor));
        // The caller pushes the node next.
        self.writers.insert(tensor, self.graph.nodes.len());
        Ok(tensor)
    }

    /// The layer's learned blobs, checked, as tensors.
    fn blobs(
        &mut self,
        layer: &Layer<'_>,
        bottoms: usize,
        weights: &mut Weights<'a>,
    ) -> Result<Vec<usize>, ReadError> {
        let empty = Message::default();
        let param = own_param(layer, &empty);
        let mut blobs = weights.remove(&layer.name).unwrap_or_default();
        if blobs.is_empty() {
            return match blobs::needs_blobs(&layer.kind, param, bottoms)? {
                false => Ok(Vec::new()),
                true if self.has_file => Err(ReadError::unsupported(
                    "the caffemodel has no weights for this layer: pass the one trained with \
                     this net, `--weights W.caffemodel`",
                )),
                true => Err(ReadError::unsupported(
                    "needs learned weights: pass them, `--weights W.caffemodel`",
                )),
            };
        }
        blobs::check(&layer.kind, param, bottoms, &mut blobs)?;
        let mut tensors = Vec::with_capacity(blobs.len());
        for (index, blob) in blobs.into_iter().enumerate() {
            tensors.push(self.tensor(ForeignTensor {
                name: format!("{}:{index}", layer.name),
                dtype: Some(DType::F32),
                dims: Some(known(blob.dims)),
                quant: None,
                data: Some(blob.data),
                is_variable: false,
            })?);
        }
        Ok(tensors)
    }

    /// The shape of what a layer that reads samples itself would hand to the net, one sample.
    fn data_shape(
        &mut self,
        layer: &Layer<'_>,
        top: usize,
        later: &[Layer<'_>],
        weights: &Weights<'a>,
    ) -> Result<Vec<u64>, ReadError> {
        let unknown = || {
            ReadError::unsupported(
                "the net reads its samples itself and does not state their shape: pass \
                 deploy.prototxt, in which a layer of type \"Input\" stands in this place",
            )
        };
        let size = |message: Option<&Message<'_>>, name| {
            let size = message.and_then(|message| message.int(name)).unwrap_or(0);
            u64::try_from(size).ok().filter(|&size| 0 < size)
        };
        if top != 0 {
            return Err(unknown());
        }
        if layer.kind == "MemoryData" {
            let param = layer.params.message("memory_data_param");
            let dims = ["channels", "height", "width"].map(|name| size(param, name));
            let [Some(channels), Some(height), Some(width)] = dims else {
                return Err(unknown());
            };
            return Ok(vec![1, channels, height, width]);
        }
        let own = match layer.kind.as_str() {
            "Data" => layer.params.message("data_param"),
            "ImageData" => layer.params.message("image_data_param"),
            "WindowData" => layer.params.message("window_data_param"),
            _ => return Err(unknown()),
        };
        let transform = layer.params.message("transform_param");
        let crop = size(transform, "crop_size").or(size(own, "crop_size"));
        let height = crop.or(size(own, "new_height")).ok_or_else(unknown)?;
        let width = crop.or(size(own, "new_width")).ok_or_else(unknown)?;
        let blob = layer.tops.first();
        let reader = later
            .iter()
            .find(|reader| reader.kind == "Convolution" && reader.bottoms.first() == blob)
            .ok_or_else(unknown)?;
        let group = size(reader.params.message("convolution_param"), "group").unwrap_or(1);
        let first = weights.get(&reader.name).and_then(|blobs| blobs.first());
        let Some(&per_group) = first.and_then(|blob| blob.dims.get(1)) else {
            let what = format!(
                "how many channels it hands on follows from the weights of {}: pass them, \
                 `--weights W.caffemodel`",
                reader.place()
            );
            return Err(ReadError::unsupported(what));
        };
        let channels = per_group.checked_mul(group).ok_or_else(unknown)?;
        self.scaling(transform, own);
        Ok(vec![1, channels, height, width])
    }

    /// Keeps what the data layer says on mean and scale for people.
    fn scaling(&mut self, transform: Option<&Message<'_>>, own: Option<&Message<'_>>) {
        let both = [transform, own];
        let mut stated = both.iter().flatten();
        self.meta.mean = transform.map(|message| message.reals("mean_value")).unwrap_or_default();
        if let Some(scale) = stated.clone().find_map(|message| message.real("scale")) {
            self.meta.std = vec![1.0 / scale];
        }
        if let Some(file) = stated.find_map(|message| message.text("mean_file")) {
            let note = format!(" (subtract the mean of '{}' from the input)", shown(file));
            self.meta.description.push_str(&note);
        }
    }

    fn finish(mut self) -> Result<ForeignModel<'a>, ReadError> {
        let inputs: HashSet<usize> = self.graph.inputs.iter().copied().collect();
        let unread: HashSet<usize> = self
            .held
            .values()
            .filter_map(|held| match held {
                Held::Tensor(tensor) => Some(*tensor),
                Held::Training => None,
            })
            .filter(|tensor| !self.read.contains(tensor) && !inputs.contains(tensor))
            .collect();
        // Caffe's own order: `Net` keeps the names of unread blobs in a sorted set.
        let mut outputs: Vec<(&str, usize)> = unread
            .into_iter()
            .filter_map(|tensor| Some((self.graph.tensors.get(tensor)?.name.as_str(), tensor)))
            .collect();
        outputs.sort_unstable();
        if outputs.is_empty() {
            return Err(ReadError::malformed("no layer computes an output"));
        }
        self.graph.outputs = outputs.into_iter().map(|(_, tensor)| tensor).collect();
        Ok(ForeignModel { format: Format::Caffe, graphs: vec![self.graph], meta: self.meta })
    }
}

fn twice(top: &str) -> ReadError {
    let top = shown(top);
    ReadError::malformed(format!("writes blob '{top}', which an earlier layer has written"))
}

fn known(dims: Vec<u64>) -> Vec<ForeignDim> {
    dims.into_iter().map(ForeignDim::Known).collect()
}

/// The stated shape of each top of an `Input` layer; one shape serves all tops.
fn input_shapes(layer: &Layer<'_>) -> Result<Vec<Option<Vec<u64>>>, ReadError> {
    let param = layer.params.message("input_param");
    let shapes: Vec<&Message<'_>> =
        param.iter().flat_map(|param| param.messages("shape")).collect();
    if !matches!(shapes.len(), 0 | 1) && shapes.len() != layer.tops.len() {
        let what = format!("{} shapes for {} tops", shapes.len(), layer.tops.len());
        return Err(ReadError::malformed(what));
    }
    let mut all = Vec::with_capacity(layer.tops.len());
    for index in 0..layer.tops.len() {
        let Some(shape) = shapes.get(index).or(shapes.first()) else {
            all.push(None);
            continue;
        };
        let dims = shape.ints("dim");
        let known: Result<Vec<u64>, _> = dims.iter().map(|&dim| u64::try_from(dim)).collect();
        match known {
            Ok(known) => all.push(Some(known)),
            Err(_) => {
                let what = format!("input shape {dims:?} has a negative axis");
                return Err(ReadError::malformed(what));
            }
        }
    }
    Ok(all)
}
