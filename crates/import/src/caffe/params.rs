//! The parameter messages of Caffe's layers, each as a table; see [`schema`](super::schema).

use crate::caffe::schema::{Kind, MessageDef, SHAPE, many, message, one};

/// `PoolMethod`
pub const POOL: Kind = Kind::Enum(&[("MAX", 0), ("AVE", 1), ("STOCHASTIC", 2)]);
const CODE: Kind = Kind::Enum(&[("CORNER", 1), ("CENTER_SIZE", 2), ("CORNER_SIZE", 3)]);

/// `TransformationParameter`
pub static TRANSFORM: MessageDef = message(&[
    one(1, "scale", Kind::Real),
    one(2, "mirror", Kind::Skip),
    one(3, "crop_size", Kind::Int),
    one(4, "mean_file", Kind::Text),
    many(5, "mean_value", Kind::Real),
    one(6, "force_color", Kind::Bool),
    one(7, "force_gray", Kind::Bool),
]);

/// `DataParameter`
pub static DATA: MessageDef = message(&[
    one(1, "source", Kind::Skip),
    one(2, "scale", Kind::Real),
    one(3, "mean_file", Kind::Text),
    one(4, "batch_size", Kind::Skip),
    one(5, "crop_size", Kind::Int),
    one(6, "mirror", Kind::Skip),
    one(7, "rand_skip", Kind::Skip),
    one(8, "backend", Kind::Skip),
    one(9, "force_encoded_color", Kind::Skip),
    one(10, "prefetch", Kind::Skip),
]);

/// `ImageDataParameter`
pub static IMAGE_DATA: MessageDef = message(&[
    one(1, "source", Kind::Skip),
    one(2, "scale", Kind::Real),
    one(3, "mean_file", Kind::Text),
    one(4, "batch_size", Kind::Skip),
    one(5, "crop_size", Kind::Int),
    one(6, "mirror", Kind::Skip),
    one(7, "rand_skip", Kind::Skip),
    one(8, "shuffle", Kind::Skip),
    one(9, "new_height", Kind::Int),
    one(10, "new_width", Kind::Int),
    one(11, "is_color", Kind::Bool),
    one(12, "root_folder", Kind::Skip),
]);

/// `WindowDataParameter`
pub static WINDOW_DATA: MessageDef = message(&[
    one(1, "source", Kind::Skip),
    one(2, "scale", Kind::Real),
    one(3, "mean_file", Kind::Text),
    one(4, "batch_size", Kind::Skip),
    one(5, "crop_size", Kind::Int),
    one(6, "mirror", Kind::Skip),
    one(7, "fg_threshold", Kind::Skip),
    one(8, "bg_threshold", Kind::Skip),
    one(9, "fg_fraction", Kind::Skip),
    one(10, "context_pad", Kind::Skip),
    one(11, "crop_mode", Kind::Skip),
    one(12, "cache_images", Kind::Skip),
    one(13, "root_folder", Kind::Skip),
]);

/// `MemoryDataParameter`
pub static MEMORY_DATA: MessageDef = message(&[
    one(1, "batch_size", Kind::Int),
    one(2, "channels", Kind::Int),
    one(3, "height", Kind::Int),
    one(4, "width", Kind::Int),
]);

/// `InputParameter`
pub static INPUT: MessageDef = message(&[many(1, "shape", Kind::Message(&SHAPE))]);

/// `ArgMaxParameter`
pub static ARGMAX: MessageDef = message(&[
    one(1, "out_max_val", Kind::Bool),
    one(2, "top_k", Kind::Int),
    one(3, "axis", Kind::Int),
]);

/// `ClipParameter`
pub static CLIP: MessageDef = message(&[one(1, "min", Kind::Real), one(2, "max", Kind::Real)]);

/// `ConcatParameter`
pub static CONCAT: MessageDef =
    message(&[one(1, "concat_dim", Kind::Int), one(2, "axis", Kind::Int)]);

/// `BatchNormParameter`
pub static BATCH_NORM: MessageDef = message(&[
    one(1, "use_global_stats", Kind::Bool),
    one(2, "moving_average_fraction", Kind::Skip),
    one(3, "eps", Kind::Real),
]);

/// `BNParameter`
pub static BN: MessageDef = message(&[
    one(1, "slope_filler", Kind::Skip),
    one(2, "bias_filler", Kind::Skip),
    one(3, "momentum", Kind::Skip),
    one(4, "eps", Kind::Real),
    one(5, "frozen", Kind::Skip),
    one(6, "engine", Kind::Skip),
]);

/// `BiasParameter`
pub static BIAS: MessageDef = message(&[
    one(1, "axis", Kind::Int),
    one(2, "num_axes", Kind::Int),
    one(3, "filler", Kind::Skip),
]);

/// `ConvolutionParameter`
pub static CONVOLUTION: MessageDef = message(&[
    one(1, "num_output", Kind::Int),
    one(2, "bias_term", Kind::Bool),
    many(3, "pad", Kind::Int),
    many(4, "kernel_size", Kind::Int),
    one(5, "group", Kind::Int),
    many(6, "stride", Kind::Int),
    one(7, "weight_filler", Kind::Skip),
    one(8, "bias_filler", Kind::Skip),
    one(9, "pad_h", Kind::Int),
    one(10, "pad_w", Kind::Int),
    one(11, "kernel_h", Kind::Int),
    one(12, "kernel_w", Kind::Int),
    one(13, "stride_h", Kind::Int),
    one(14, "stride_w", Kind::Int),
    one(15, "engine", Kind::Skip),
    one(16, "axis", Kind::Int),
    one(17, "force_nd_im2col", Kind::Skip),
    many(18, "dilation", Kind::Int),
]);

/// `CropParameter`
pub static CROP: MessageDef = message(&[one(1, "axis", Kind::Int), many(2, "offset", Kind::Int)]);

/// `DropoutParameter`
pub static DROPOUT: MessageDef = message(&[
    one(1, "dropout_ratio", Kind::Real),
    one(2, "sample_weights_test", Kind::Bool),
    one(3, "scale_train", Kind::Bool),
]);

/// `EltwiseParameter`
pub static ELTWISE: MessageDef = message(&[
    one(1, "operation", Kind::Enum(&[("PROD", 0), ("SUM", 1), ("MAX", 2)])),
    many(2, "coeff", Kind::Real),
    one(3, "stable_prod_grad", Kind::Skip),
]);

/// `ELUParameter`
pub static ELU: MessageDef = message(&[one(1, "alpha", Kind::Real)]);

/// `EmbedParameter`
pub static EMBED: MessageDef = message(&[
    one(1, "num_output", Kind::Int),
    one(2, "input_dim", Kind::Int),
    one(3, "bias_term", Kind::Bool),
    one(4, "weight_filler", Kind::Skip),
    one(5, "bias_filler", Kind::Skip),
]);

/// `ExpParameter` and `LogParameter`
pub static BASE_SCALE_SHIFT: MessageDef = message(&[
    one(1, "base", Kind::Real),
    one(2, "scale", Kind::Real),
    one(3, "shift", Kind::Real),
]);

/// `FlattenParameter`
pub static FLATTEN: MessageDef =
    message(&[one(1, "axis", Kind::Int), one(2, "end_axis", Kind::Int)]);

/// `InnerProductParameter`
pub static INNER_PRODUCT: MessageDef = message(&[
    one(1, "num_output", Kind::Int),
    one(2, "bias_term", Kind::Bool),
    one(3, "weight_filler", Kind::Skip),
    one(4, "bias_filler", Kind::Skip),
    one(5, "axis", Kind::Int),
    one(6, "transpose", Kind::Bool),
]);

/// `LRNParameter`
pub static LRN: MessageDef = message(&[
    one(1, "local_size", Kind::Int),
    one(2, "alpha", Kind::Real),
    one(3, "beta", Kind::Real),
    one(4, "norm_region", Kind::Enum(&[("ACROSS_CHANNELS", 0), ("WITHIN_CHANNEL", 1)])),
    one(5, "k", Kind::Real),
    one(6, "engine", Kind::Skip),
]);

/// `MVNParameter`
pub static MVN: MessageDef = message(&[
    one(1, "normalize_variance", Kind::Bool),
    one(2, "across_channels", Kind::Bool),
    one(3, "eps", Kind::Real),
]);

/// `ParameterParameter`
pub static PARAMETER: MessageDef = message(&[one(1, "shape", Kind::Message(&SHAPE))]);

/// `PoolingParameter`
pub static POOLING: MessageDef = message(&[
    one(1, "pool", POOL),
    one(2, "kernel_size", Kind::Int),
    one(3, "stride", Kind::Int),
    one(4, "pad", Kind::Int),
    one(5, "kernel_h", Kind::Int),
    one(6, "kernel_w", Kind::Int),
    one(7, "stride_h", Kind::Int),
    one(8, "stride_w", Kind::Int),
    one(9, "pad_h", Kind::Int),
    one(10, "pad_w", Kind::Int),
    one(11, "engine", Kind::Skip),
    one(12, "global_pooling", Kind::Bool),
    one(13, "round_mode", Kind::Enum(&[("CEIL", 0), ("FLOOR", 1)])),
    one(0, "ceil_mode", Kind::Bool),
]);

/// `PowerParameter`
pub static POWER: MessageDef = message(&[
    one(1, "power", Kind::Real),
    one(2, "scale", Kind::Real),
    one(3, "shift", Kind::Real),
]);

/// `PythonParameter`
pub static PYTHON: MessageDef = message(&[
    one(1, "module", Kind::Text),
    one(2, "layer", Kind::Text),
    one(3, "param_str", Kind::Text),
    one(4, "share_in_parallel", Kind::Skip),
]);

/// `RecurrentParameter`
pub static RECURRENT: MessageDef = message(&[
    one(1, "num_output", Kind::Int),
    one(2, "weight_filler", Kind::Skip),
    one(3, "bias_filler", Kind::Skip),
    one(4, "debug_info", Kind::Skip),
    one(5, "expose_hidden", Kind::Bool),
]);

/// `ReductionParameter`
pub static REDUCTION: MessageDef = message(&[
    one(1, "operation", Kind::Enum(&[("SUM", 1), ("ASUM", 2), ("SUMSQ", 3), ("MEAN", 4)])),
    one(2, "axis", Kind::Int),
    one(3, "coeff", Kind::Real),
]);

/// `ReLUParameter`
pub static RELU: MessageDef =
    message(&[one(1, "negative_slope", Kind::Real), one(2, "engine", Kind::Skip)]);

/// `ReshapeParameter`
pub static RESHAPE: MessageDef = message(&[
    one(1, "shape", Kind::Message(&SHAPE)),
    one(2, "axis", Kind::Int),
    one(3, "num_axes", Kind::Int),
]);

/// `ScaleParameter`
pub static SCALE: MessageDef = message(&[
    one(1, "axis", Kind::Int),
    one(2, "num_axes", Kind::Int),
    one(3, "filler", Kind::Skip),
    one(4, "bias_term", Kind::Bool),
    one(5, "bias_filler", Kind::Skip),
]);

/// `SigmoidParameter` and `TanHParameter`
pub static ENGINE_ONLY: MessageDef = message(&[one(1, "engine", Kind::Skip)]);

/// `SliceParameter`
pub static SLICE: MessageDef = message(&[
    one(1, "slice_dim", Kind::Int),
    many(2, "slice_point", Kind::Int),
    one(3, "axis", Kind::Int),
]);

/// `SoftmaxParameter`
pub static SOFTMAX: MessageDef =
    message(&[one(1, "engine", Kind::Skip), one(2, "axis", Kind::Int)]);

/// `SwishParameter`
pub static SWISH: MessageDef = message(&[one(1, "beta", Kind::Real)]);

/// `TileParameter`
pub static TILE: MessageDef = message(&[one(1, "axis", Kind::Int), one(2, "tiles", Kind::Int)]);

/// `ThresholdParameter`
pub static THRESHOLD: MessageDef = message(&[one(1, "threshold", Kind::Real)]);

/// `SPPParameter`
pub static SPP: MessageDef = message(&[
    one(1, "pyramid_height", Kind::Int),
    one(2, "pool", POOL),
    one(6, "engine", Kind::Skip),
]);

/// `PReLUParameter`
pub static PRELU: MessageDef =
    message(&[one(1, "filler", Kind::Skip), one(2, "channel_shared", Kind::Bool)]);

/// `PermuteParameter`
pub static PERMUTE: MessageDef = message(&[many(1, "order", Kind::Int)]);

/// `PriorBoxParameter`
pub static PRIOR_BOX: MessageDef = message(&[
    many(1, "min_size", Kind::Real),
    many(2, "max_size", Kind::Real),
    many(3, "aspect_ratio", Kind::Real),
    one(4, "flip", Kind::Bool),
    one(5, "clip", Kind::Bool),
    many(6, "variance", Kind::Real),
    one(7, "img_size", Kind::Int),
    one(8, "img_h", Kind::Int),
    one(9, "img_w", Kind::Int),
    one(10, "step", Kind::Real),
    one(11, "step_h", Kind::Real),
    one(12, "step_w", Kind::Real),
    one(13, "offset", Kind::Real),
    // OpenCV's branch.
    many(14, "offset_h", Kind::Real),
    many(15, "offset_w", Kind::Real),
    many(16, "width", Kind::Real),
    many(17, "height", Kind::Real),
]);

/// `NonMaximumSuppressionParameter`
pub static NON_MAXIMUM_SUPPRESSION: MessageDef = message(&[
    one(1, "nms_threshold", Kind::Real),
    one(2, "top_k", Kind::Int),
    one(3, "eta", Kind::Real),
]);

/// `DetectionOutputParameter`
pub static DETECTION_OUTPUT: MessageDef = message(&[
    one(1, "num_classes", Kind::Int),
    one(2, "share_location", Kind::Bool),
    one(3, "background_label_id", Kind::Int),
    one(4, "nms_param", Kind::Message(&NON_MAXIMUM_SUPPRESSION)),
    one(5, "save_output_param", Kind::Skip),
    one(6, "code_type", CODE),
    one(7, "keep_top_k", Kind::Int),
    one(8, "variance_encoded_in_target", Kind::Bool),
    one(9, "confidence_threshold", Kind::Real),
    one(10, "visualize", Kind::Skip),
    one(11, "visualize_threshold", Kind::Skip),
    one(12, "save_file", Kind::Skip),
]);

/// `NormalizeBBoxParameter`
pub static NORMALIZE: MessageDef = message(&[
    one(1, "across_spatial", Kind::Bool),
    one(2, "scale_filler", Kind::Skip),
    one(3, "channel_shared", Kind::Bool),
    one(4, "eps", Kind::Real),
]);

/// `InterpParameter`
pub static INTERP: MessageDef = message(&[
    one(1, "height", Kind::Int),
    one(2, "width", Kind::Int),
    one(3, "zoom_factor", Kind::Int),
    one(4, "shrink_factor", Kind::Int),
    one(5, "pad_beg", Kind::Int),
    one(6, "pad_end", Kind::Int),
]);

/// `UpsampleParameter`
pub static UPSAMPLE: MessageDef = message(&[one(1, "scale", Kind::Int)]);

/// `ROIPoolingParameter`
pub static ROI_POOLING: MessageDef = message(&[
    one(1, "pooled_h", Kind::Int),
    one(2, "pooled_w", Kind::Int),
    one(3, "spatial_scale", Kind::Real),
]);

/// `PSROIPoolingParameter`
pub static PSROI_POOLING: MessageDef = message(&[
    one(1, "spatial_scale", Kind::Real),
    one(2, "output_dim", Kind::Int),
    one(3, "group_size", Kind::Int),
]);

/// `ReorgParameter`
pub static REORG: MessageDef =
    message(&[one(1, "stride", Kind::Int), one(2, "reverse", Kind::Bool)]);

/// `ShuffleChannelParameter`
pub static SHUFFLE_CHANNEL: MessageDef = message(&[one(1, "group", Kind::Int)]);
