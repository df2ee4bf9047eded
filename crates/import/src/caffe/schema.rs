//! The part of `caffe.proto` that a net at inference needs, as tables.
//!
//! Field numbers, names and enumerators follow BVLC Caffe 1.0, the SSD branch (`Permute`,
//! `PriorBox`, `DetectionOutput`, `Normalize`) and, where they do not collide, other branches.
//! Fields that only training reads have the kind [`Kind::Skip`]. Defaults are absent on purpose:
//! what a file leaves out stays out, and each operator's dossier knows its own defaults.

use crate::caffe::params::*;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any of the varint integers.
    Int,
    /// A truth value; becomes 0 or 1.
    Bool,
    /// `float`
    Real,
    /// `string`
    Text,
    /// An enumeration with the names of its numbers.
    Enum(&'static [(&'static str, i64)]),
    /// A message.
    Message(&'static MessageDef),
    /// The bulk of a blob, `repeated float`.
    Floats,
    /// The bulk of a blob, `repeated double`.
    Doubles,
    /// `bytes`, which only the binary form can hold.
    Bytes,
    /// Known and of no use at inference.
    Skip,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub struct FieldDef {
    /// In the binary form; 0 when branches disagree on it, so that only the text form has it.
    pub number: u32,
    /// In the text form.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is `repeated`.
    pub many: bool,
}

/// A message type.
#[derive(Debug)]
pub struct MessageDef {
    /// Its fields.
    pub fields: &'static [FieldDef],
    /// Fields whose number means something else in BVLC Caffe: they hold for the layer type they
    /// stand with. Only `LayerParameter` has some.
    pub by_type: &'static [(&'static str, FieldDef)],
    /// Whether fields of other numbers are passed over in silence.
    pub partial: bool,
}

impl MessageDef {
    /// The field of this name.
    pub fn by_name(&self, name: &str) -> Option<&'static FieldDef> {
        let forked = self.by_type.iter().map(|(_, field)| field);
        self.fields.iter().chain(forked).find(|field| field.name == name)
    }

    /// The field of this number in a layer of type `layer` (empty outside layers).
    pub fn by_number(&self, number: u32, layer: &str) -> Option<&'static FieldDef> {
        let forked = self.by_type.iter().filter(|(kind, _)| *kind == layer).map(|(_, field)| field);
        forked.chain(self.fields).find(|field| field.number == number)
    }
}

pub(super) const fn message(fields: &'static [FieldDef]) -> MessageDef {
    MessageDef { fields, by_type: &[], partial: false }
}

/// A message of which only these fields are wanted.
const fn part(fields: &'static [FieldDef]) -> MessageDef {
    MessageDef { fields, by_type: &[], partial: true }
}

pub(super) const fn one(number: u32, name: &'static str, kind: Kind) -> FieldDef {
    FieldDef { number, name, kind, many: false }
}

pub(super) const fn many(number: u32, name: &'static str, kind: Kind) -> FieldDef {
    FieldDef { number, name, kind, many: true }
}

/// The messages of a layer's parameters that its type reads; `None` for a type that is not listed.
pub fn params_of(layer: &str) -> Option<&'static [&'static str]> {
    LAYERS.binary_search_by_key(&layer, |(name, _)| name).ok().map(|index| LAYERS[index].1)
}

/// Sorted by name.
const LAYERS: &[(&str, &[&str])] = &[
    ("AbsVal", &[]),
    ("ArgMax", &["argmax_param"]),
    ("Axpy", &[]),
    ("BN", &["bn_param"]),
    ("BNLL", &[]),
    ("BatchNorm", &["batch_norm_param"]),
    ("BatchReindex", &[]),
    ("Bias", &["bias_param"]),
    ("Clip", &["clip_param"]),
    ("Concat", &["concat_param"]),
    ("Convolution", &["convolution_param"]),
    ("ConvolutionDepthwise", &["convolution_param"]),
    ("Crop", &["crop_param"]),
    ("Deconvolution", &["convolution_param"]),
    ("DepthwiseConvolution", &["convolution_param"]),
    ("DetectionOutput", &["detection_output_param"]),
    ("Dropout", &["dropout_param"]),
    ("ELU", &["elu_param"]),
    ("Eltwise", &["eltwise_param"]),
    ("Embed", &["embed_param"]),
    ("Exp", &["exp_param"]),
    ("Filter", &[]),
    ("Flatten", &["flatten_param"]),
    ("Im2col", &["convolution_param"]),
    ("InnerProduct", &["inner_product_param"]),
    ("Input", &["input_param"]),
    ("Interp", &["interp_param"]),
    ("LRN", &["lrn_param"]),
    ("LSTM", &["recurrent_param"]),
    ("Log", &["log_param"]),
    ("MVN", &["mvn_param"]),
    ("Mish", &[]),
    ("Normalize", &["norm_param"]),
    ("PReLU", &["prelu_param"]),
    ("PSROIPooling", &["psroi_pooling_param"]),
    ("Parameter", &["parameter_param"]),
    ("Permute", &["permute_param"]),
    ("Pooling", &["pooling_param"]),
    ("Power", &["power_param"]),
    ("PriorBox", &["prior_box_param"]),
    ("Python", &["python_param"]),
    ("RNN", &["recurrent_param"]),
    ("ROIPooling", &["roi_pooling_param"]),
    ("ReLU", &["relu_param"]),
    ("ReLU6", &["relu_param"]),
    ("Reduction", &["reduction_param"]),
    ("Reorg", &["reorg_param"]),
    ("Reshape", &["reshape_param"]),
    ("SPP", &["spp_param"]),
    ("Scale", &["scale_param"]),
    ("ShuffleChannel", &["shuffle_channel_param"]),
    ("Sigmoid", &["sigmoid_param"]),
    ("Silence", &[]),
    ("Slice", &["slice_param"]),
    ("Softmax", &["softmax_param"]),
    ("SoftmaxWithLoss", &["softmax_param"]),
    ("Split", &[]),
    ("Swish", &["swish_param"]),
    ("TanH", &["tanh_param"]),
    ("Threshold", &["threshold_param"]),
    ("Tile", &["tile_param"]),
    ("Upsample", &["upsample_param"]),
];

const PHASE: Kind = Kind::Enum(&[("TRAIN", 0), ("TEST", 1)]);

/// `BlobShape`
pub static SHAPE: MessageDef = message(&[many(1, "dim", Kind::Int)]);

/// `BlobProto`
pub static BLOB: MessageDef = part(&[
    one(1, "num", Kind::Int),
    one(2, "channels", Kind::Int),
    one(3, "height", Kind::Int),
    one(4, "width", Kind::Int),
    many(5, "data", Kind::Floats),
    many(6, "diff", Kind::Skip),
    one(7, "shape", Kind::Message(&SHAPE)),
    many(8, "double_data", Kind::Doubles),
    many(9, "double_diff", Kind::Skip),
    // NVIDIA's branch, in which half-precision weights are published.
    one(10, "raw_data_type", Kind::Enum(&[("DOUBLE", 0), ("FLOAT", 1), ("FLOAT16", 2)])),
    one(12, "raw_data", Kind::Bytes),
]);

/// `NetStateRule`
static RULE: MessageDef = message(&[
    one(1, "phase", PHASE),
    one(2, "min_level", Kind::Int),
    one(3, "max_level", Kind::Int),
    many(4, "stage", Kind::Text),
    many(5, "not_stage", Kind::Text),
]);

/// `NetParameter`
pub static NET: MessageDef = message(&[
    one(1, "name", Kind::Text),
    many(2, "layers", Kind::Message(&V1_LAYER)),
    many(3, "input", Kind::Text),
    many(4, "input_dim", Kind::Int),
    one(5, "force_backward", Kind::Skip),
    one(6, "state", Kind::Skip),
    one(7, "debug_info", Kind::Skip),
    many(8, "input_shape", Kind::Message(&SHAPE)),
    many(100, "layer", Kind::Message(&LAYER)),
]);

/// The part of `NetParameter` that holds weights.
pub static NET_WEIGHTS: MessageDef = part(&[
    many(2, "layers", Kind::Message(&V1_LAYER_WEIGHTS)),
    many(100, "layer", Kind::Message(&LAYER_WEIGHTS)),
]);

static LAYER_WEIGHTS: MessageDef =
    part(&[one(1, "name", Kind::Text), many(7, "blobs", Kind::Message(&BLOB))]);

static V1_LAYER_WEIGHTS: MessageDef = part(&[
    one(1, "layer", Kind::Message(&V0_LAYER_WEIGHTS)),
    one(4, "name", Kind::Text),
    many(6, "blobs", Kind::Message(&BLOB)),
]);

static V0_LAYER_WEIGHTS: MessageDef =
    part(&[one(1, "name", Kind::Text), many(50, "blobs", Kind::Message(&BLOB))]);

/// `LayerParameter`
pub static LAYER: MessageDef = MessageDef {
    fields: &[
        one(1, "name", Kind::Text),
        one(2, "type", Kind::Text),
        many(3, "bottom", Kind::Text),
        many(4, "top", Kind::Text),
        many(5, "loss_weight", Kind::Skip),
        many(6, "param", Kind::Skip),
        many(7, "blobs", Kind::Message(&BLOB)),
        many(8, "include", Kind::Message(&RULE)),
        many(9, "exclude", Kind::Message(&RULE)),
        one(10, "phase", Kind::Skip),
        many(11, "propagate_down", Kind::Skip),
        one(100, "transform_param", Kind::Message(&TRANSFORM)),
        one(101, "loss_param", Kind::Skip),
        one(102, "accuracy_param", Kind::Skip),
        one(103, "argmax_param", Kind::Message(&ARGMAX)),
        one(104, "concat_param", Kind::Message(&CONCAT)),
        one(105, "contrastive_loss_param", Kind::Skip),
        one(106, "convolution_param", Kind::Message(&CONVOLUTION)),
        one(107, "data_param", Kind::Message(&DATA)),
        one(108, "dropout_param", Kind::Message(&DROPOUT)),
        one(109, "dummy_data_param", Kind::Skip),
        one(110, "eltwise_param", Kind::Message(&ELTWISE)),
        one(111, "exp_param", Kind::Message(&BASE_SCALE_SHIFT)),
        one(112, "hdf5_data_param", Kind::Skip),
        one(113, "hdf5_output_param", Kind::Skip),
        one(114, "hinge_loss_param", Kind::Skip),
        one(115, "image_data_param", Kind::Message(&IMAGE_DATA)),
        one(116, "infogain_loss_param", Kind::Skip),
        one(117, "inner_product_param", Kind::Message(&INNER_PRODUCT)),
        one(118, "lrn_param", Kind::Message(&LRN)),
        one(119, "memory_data_param", Kind::Message(&MEMORY_DATA)),
        one(120, "mvn_param", Kind::Message(&MVN)),
        one(121, "pooling_param", Kind::Message(&POOLING)),
        one(122, "power_param", Kind::Message(&POWER)),
        one(123, "relu_param", Kind::Message(&RELU)),
        one(124, "sigmoid_param", Kind::Message(&ENGINE_ONLY)),
        one(125, "softmax_param", Kind::Message(&SOFTMAX)),
        one(126, "slice_param", Kind::Message(&SLICE)),
        one(127, "tanh_param", Kind::Message(&ENGINE_ONLY)),
        one(128, "threshold_param", Kind::Message(&THRESHOLD)),
        one(129, "window_data_param", Kind::Message(&WINDOW_DATA)),
        one(130, "python_param", Kind::Message(&PYTHON)),
        one(131, "prelu_param", Kind::Message(&PRELU)),
        one(132, "spp_param", Kind::Message(&SPP)),
        one(133, "reshape_param", Kind::Message(&RESHAPE)),
        one(134, "log_param", Kind::Message(&BASE_SCALE_SHIFT)),
        one(135, "flatten_param", Kind::Message(&FLATTEN)),
        one(136, "reduction_param", Kind::Message(&REDUCTION)),
        one(137, "embed_param", Kind::Message(&EMBED)),
        one(138, "tile_param", Kind::Message(&TILE)),
        one(139, "batch_norm_param", Kind::Message(&BATCH_NORM)),
        one(140, "elu_param", Kind::Message(&ELU)),
        one(141, "bias_param", Kind::Message(&BIAS)),
        one(142, "scale_param", Kind::Message(&SCALE)),
        one(143, "input_param", Kind::Message(&INPUT)),
        one(144, "crop_param", Kind::Message(&CROP)),
        one(145, "parameter_param", Kind::Message(&PARAMETER)),
        one(146, "recurrent_param", Kind::Message(&RECURRENT)),
        one(147, "swish_param", Kind::Message(&SWISH)),
        one(148, "clip_param", Kind::Message(&CLIP)),
        // The SSD branch.
        one(202, "permute_param", Kind::Message(&PERMUTE)),
        one(203, "prior_box_param", Kind::Message(&PRIOR_BOX)),
        one(204, "detection_output_param", Kind::Message(&DETECTION_OUTPUT)),
        one(206, "norm_param", Kind::Message(&NORMALIZE)),
        // Faster R-CNN.
        one(8_266_711, "roi_pooling_param", Kind::Message(&ROI_POOLING)),
    ],
    by_type: &[
        ("Interp", one(143, "interp_param", Kind::Message(&INTERP))),
        ("Upsample", one(149, "upsample_param", Kind::Message(&UPSAMPLE))),
        ("Mish", one(150, "mish_param", Kind::Skip)),
        ("PSROIPooling", one(0, "psroi_pooling_param", Kind::Message(&PSROI_POOLING))),
        ("BN", one(0, "bn_param", Kind::Message(&BN))),
        ("Reorg", one(0, "reorg_param", Kind::Message(&REORG))),
        ("ShuffleChannel", one(0, "shuffle_channel_param", Kind::Message(&SHUFFLE_CHANNEL))),
    ],
    partial: false,
};

/// `V1LayerParameter`
static V1_LAYER: MessageDef = message(&[
    one(1, "layer", Kind::Message(&V0_LAYER)),
    many(2, "bottom", Kind::Text),
    many(3, "top", Kind::Text),
    one(4, "name", Kind::Text),
    one(5, "type", Kind::Enum(V1_TYPES)),
    many(6, "blobs", Kind::Message(&BLOB)),
    many(7, "blobs_lr", Kind::Skip),
    many(8, "weight_decay", Kind::Skip),
    one(9, "concat_param", Kind::Message(&CONCAT)),
    one(10, "convolution_param", Kind::Message(&CONVOLUTION)),
    one(11, "data_param", Kind::Message(&DATA)),
    one(12, "dropout_param", Kind::Message(&DROPOUT)),
    one(13, "hdf5_data_param", Kind::Skip),
    one(14, "hdf5_output_param", Kind::Skip),
    one(15, "image_data_param", Kind::Message(&IMAGE_DATA)),
    one(16, "infogain_loss_param", Kind::Skip),
    one(17, "inner_product_param", Kind::Message(&INNER_PRODUCT)),
    one(18, "lrn_param", Kind::Message(&LRN)),
    one(19, "pooling_param", Kind::Message(&POOLING)),
    one(20, "window_data_param", Kind::Message(&WINDOW_DATA)),
    one(21, "power_param", Kind::Message(&POWER)),
    one(22, "memory_data_param", Kind::Message(&MEMORY_DATA)),
    one(23, "argmax_param", Kind::Message(&ARGMAX)),
    one(24, "eltwise_param", Kind::Message(&ELTWISE)),
    one(25, "threshold_param", Kind::Message(&THRESHOLD)),
    one(26, "dummy_data_param", Kind::Skip),
    one(27, "accuracy_param", Kind::Skip),
    one(29, "hinge_loss_param", Kind::Skip),
    one(30, "relu_param", Kind::Message(&RELU)),
    one(31, "slice_param", Kind::Message(&SLICE)),
    many(32, "include", Kind::Message(&RULE)),
    many(33, "exclude", Kind::Message(&RULE)),
    one(34, "mvn_param", Kind::Message(&MVN)),
    many(35, "loss_weight", Kind::Skip),
    one(36, "transform_param", Kind::Message(&TRANSFORM)),
    one(37, "tanh_param", Kind::Message(&ENGINE_ONLY)),
    one(38, "sigmoid_param", Kind::Message(&ENGINE_ONLY)),
    one(39, "softmax_param", Kind::Message(&SOFTMAX)),
    one(40, "contrastive_loss_param", Kind::Skip),
    one(41, "exp_param", Kind::Message(&BASE_SCALE_SHIFT)),
    one(42, "loss_param", Kind::Skip),
    many(1001, "param", Kind::Skip),
    many(1002, "blob_share_mode", Kind::Skip),
]);

/// `V1LayerParameter.LayerType`
const V1_TYPES: &[(&str, i64)] = &[
    ("NONE", 0),
    ("ACCURACY", 1),
    ("BNLL", 2),
    ("CONCAT", 3),
    ("CONVOLUTION", 4),
    ("DATA", 5),
    ("DROPOUT", 6),
    ("EUCLIDEAN_LOSS", 7),
    ("FLATTEN", 8),
    ("HDF5_DATA", 9),
    ("HDF5_OUTPUT", 10),
    ("IM2COL", 11),
    ("IMAGE_DATA", 12),
    ("INFOGAIN_LOSS", 13),
    ("INNER_PRODUCT", 14),
    ("LRN", 15),
    ("MULTINOMIAL_LOGISTIC_LOSS", 16),
    ("POOLING", 17),
    ("RELU", 18),
    ("SIGMOID", 19),
    ("SOFTMAX", 20),
    ("SOFTMAX_LOSS", 21),
    ("SPLIT", 22),
    ("TANH", 23),
    ("WINDOW_DATA", 24),
    ("ELTWISE", 25),
    ("POWER", 26),
    ("SIGMOID_CROSS_ENTROPY_LOSS", 27),
    ("HINGE_LOSS", 28),
    ("MEMORY_DATA", 29),
    ("ARGMAX", 30),
    ("THRESHOLD", 31),
    ("DUMMY_DATA", 32),
    ("SLICE", 33),
    ("MVN", 34),
    ("ABSVAL", 35),
    ("SILENCE", 36),
    ("CONTRASTIVE_LOSS", 37),
    ("EXP", 38),
    ("DECONVOLUTION", 39),
];

/// `V0LayerParameter`
static V0_LAYER: MessageDef = message(&[
    one(1, "name", Kind::Text),
    one(2, "type", Kind::Text),
    one(3, "num_output", Kind::Int),
    one(4, "biasterm", Kind::Bool),
    one(5, "weight_filler", Kind::Skip),
    one(6, "bias_filler", Kind::Skip),
    one(7, "pad", Kind::Int),
    one(8, "kernelsize", Kind::Int),
    one(9, "group", Kind::Int),
    one(10, "stride", Kind::Int),
    one(11, "pool", POOL),
    one(12, "dropout_ratio", Kind::Real),
    one(13, "local_size", Kind::Int),
    one(14, "alpha", Kind::Real),
    one(15, "beta", Kind::Real),
    one(16, "source", Kind::Skip),
    one(17, "scale", Kind::Real),
    one(18, "meanfile", Kind::Text),
    one(19, "batchsize", Kind::Skip),
    one(20, "cropsize", Kind::Int),
    one(21, "mirror", Kind::Skip),
    one(22, "k", Kind::Real),
    many(50, "blobs", Kind::Message(&BLOB)),
    many(51, "blobs_lr", Kind::Skip),
    many(52, "weight_decay", Kind::Skip),
    one(53, "rand_skip", Kind::Skip),
    one(54, "det_fg_threshold", Kind::Skip),
    one(55, "det_bg_threshold", Kind::Skip),
    one(56, "det_fg_fraction", Kind::Skip),
    one(58, "det_context_pad", Kind::Skip),
    one(59, "det_crop_mode", Kind::Skip),
    one(60, "new_num", Kind::Skip),
    one(61, "new_channels", Kind::Skip),
    one(62, "new_height", Kind::Skip),
    one(63, "new_width", Kind::Skip),
    one(64, "shuffle_images", Kind::Skip),
    one(65, "concat_dim", Kind::Int),
    one(1001, "hdf5_output_param", Kind::Skip),
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_layers_is_sorted_and_names_known_messages() {
        assert!(LAYERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (layer, params) in LAYERS {
            for param in *params {
                assert!(LAYER.by_name(param).is_some(), "{layer}: {param}");
            }
        }
    }

    #[test]
    fn no_number_or_name_stands_twice() {
        fn check(def: &MessageDef, seen: &mut Vec<*const MessageDef>) {
            if seen.contains(&std::ptr::from_ref(def)) {
                return;
            }
            seen.push(def);
            for (index, field) in def.fields.iter().enumerate() {
                for other in &def.fields[..index] {
                    assert_ne!(field.name, other.name);
                    assert!(field.number == 0 || field.number != other.number, "{}", field.name);
                }
                if let Kind::Message(inner) = field.kind {
                    check(inner, seen);
                }
            }
        }
        let mut seen = Vec::new();
        check(&NET, &mut seen);
        check(&NET_WEIGHTS, &mut seen);
        assert!(40 < seen.len());
    }

    #[test]
    fn a_branch_number_holds_for_its_layer_type_only() {
        let name = |layer| LAYER.by_number(143, layer).map(|field| field.name);
        assert_eq!(name("Interp"), Some("interp_param"));
        assert_eq!(name("Input"), Some("input_param"));
        assert!(LAYER.by_number(149, "Convolution").is_none());
        assert!(LAYER.by_name("interp_param").is_some());
    }
}
