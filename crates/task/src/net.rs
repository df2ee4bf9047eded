//! What a task sees of a model.

use std::collections::BTreeMap;

use embarca_ir::model::Def;
use embarca_ir::{Model, Op, Quant, TensorType};
use embarca_num::DType;

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The author's name; may be empty.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// Outermost first; `None` is open.
    pub dims: Vec<Option<usize>>,
    /// Scale and zero point, where there is one of each.
    pub quant: Option<(f32, i32)>,
    /// How the output is computed at the end, where that is known.
    pub finish: Finish,
}

impl Port {
    /// Whether it is one number, where open dimensions are batches of one.
    pub fn is_one(&self) -> bool {
        self.dims.iter().all(|dim| dim.is_none_or(|dim| dim == 1))
    }
}

/// What an output went through last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// Not known.
    #[default]
    Unknown,
    /// A softmax: probabilities that sum to 1.
    Softmax,
    /// A sigmoid: each between 0 and 1.
    Sigmoid,
    /// A layer with weights, with nothing but moves behind it: raw numbers.
    Layer,
    /// Something else.
    Computed,
}

/// A model's interface and what its file says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Net {
    /// In order.
    pub inputs: Vec<Port>,
    /// In order.
    pub outputs: Vec<Port>,
    /// Class names.
    pub labels: Vec<String>,
    /// Subtracted from each channel of a pixel of 0 to 255.
    pub mean: Vec<f32>,
    /// Divides each channel after the mean.
    pub std: Vec<f32>,
    /// `ONNX`, `TFLite`, `Caffe`, or empty.
    pub format: String,
    /// The fewest numbers that a layer with weights yields for one item, where that is known.
    pub narrowest: Option<usize>,
    /// What else the file says, by its own keys (`task`, `kpt_shape`, ...).
    pub properties: BTreeMap<String, String>,
}

impl Net {
    /// The net of a graph.
    pub fn of(model: &Model) -> Self {
        let main = model.main();
        let port = |name: &str, ty: &TensorType, finish| Port {
            name: name.to_owned(),
            dtype: ty.dtype,
            dims: ty.dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect(),
            quant: ty.quant.as_ref().and_then(Quant::single),
            finish,
        };
        let inputs = main.inputs.iter().map(|&id| {
            let value = main.value(id);
            port(&value.name, &value.ty, Finish::Unknown)
        });
        let outputs = main
            .outputs
            .iter()
            .map(|output| port(&output.name, main.ty(output.value), finish(model, output.value)));
        let meta = &model.meta;
        Self {
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            labels: meta.labels.clone(),
            mean: meta.mean.clone(),
            std: meta.std.clone(),
            format: meta.format.clone(),
            narrowest: narrowest(model),
            properties: meta.properties.clone(),
        }
    }
}

/// Whether a quotient is a softmax that is spelled out: powers by their sum.
fn is_softmax(model: &Model, node: &embarca_ir::Node) -> bool {
    use embarca_kernels::{reduce, unary};
    let main = model.main();
    let made = |value: Option<embarca_ir::ValueId>| match main.value(value?).def {
        Def::Node(node, _) => Some(main.node(node)),
        _ => None,
    };
    let [Some(powers), sum] = node.inputs[..] else { return false };
    let is_power = made(Some(powers))
        .is_some_and(|node| matches!(&node.op, Op::Unary(op) if op.function.0 == unary::Kind::Exp));
    is_power
        && made(sum).is_some_and(|node| {
            matches!(&node.op, Op::Reduce(op) if op.by.0 == reduce::Kind::Sum)
                && node.inputs.first() == Some(&Some(powers))
        })
}

/// The fewest numbers for one item that any layer with weights yields.
fn narrowest(model: &Model) -> Option<usize> {
    let main = model.main();
    let layers = main.nodes.iter().filter(|node| {
        matches!(node.op, Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::Matmul(_))
    });
    let item = |ty: &TensorType| {
        let dims = ty.dims.iter().enumerate();
        let dims = dims.map(|(axis, dim)| if axis == 0 { Some(1) } else { dim.known() });
        dims.map(|dim| usize::try_from(dim?).ok())
            .try_fold(1usize, |all, dim| all.checked_mul(dim?))
    };
    layers.filter_map(|node| item(main.ty(*node.outputs.first()?))).min()
}

/// How a value is computed, looking through moves, from its first operand on.
fn finish(model: &Model, value: embarca_ir::ValueId) -> Finish {
    let main = model.main();
    let mut at = value;
    for _ in 0..main.nodes.len() {
        let Def::Node(node, _) = main.value(at).def else { return Finish::Unknown };
        let node = main.node(node);
        match &node.op {
            Op::Softmax(_) => return Finish::Softmax,
            Op::Div(_) if is_softmax(model, node) => return Finish::Softmax,
            Op::Unary(op) if op.function.0 == embarca_kernels::unary::Kind::Sigmoid => {
                return Finish::Sigmoid;
            }
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::Matmul(_) => {
                return Finish::Layer;
            }
            // The addition of a bias, an activation.
            Op::Add(_)
            | Op::Clip(_)
            | Op::Requantize(_)
            | Op::Cast(_)
            | Op::Reshape(_)
            | Op::Transpose(_)
            | Op::Concat(_)
            | Op::Slice(_)
            | Op::Split(_)
            | Op::Expand(_) => {}
            _ => return Finish::Computed,
        }
        let Some(Some(next)) = node.inputs.first().copied() else { return Finish::Unknown };
        at = next;
    }
    Finish::Unknown
}
