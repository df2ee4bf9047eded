//! The operators: one dossier a file.
//!
//! To add one, write its file and list it below: under `operators` when it is a node of the graph,
//! under `compositions` when it only exists in foreign formats and is imported as other operators.

pub(crate) mod counted;
mod draft;
mod elementwise;
mod moves;
mod pooling;
pub mod prelude;
mod quantize_any;
mod recurrent;
mod rescale;
mod resize_matrix;
pub mod spatial;
pub(crate) mod texts;
mod tflite_lstm;
mod volume;

use crate::attr::{Attr, Payload};
use crate::builder::Builder;
use crate::dim::Dim;
use crate::error::{ImportError, LowerError, ShapeError};
use crate::foreign_node::NodeView;
use crate::ids::ValueId;
use crate::op::{Io, Lowered, OpDef, Operands, Spelling, Tails};
use crate::spell::{SpellError, Speller};
use crate::types::TensorType;

pub use compare::Comparison;
pub use lookup::Table;
pub use quantized_binary::Arithmetic;
pub use recurrent::Activation;
pub use reduce::Reduction;
pub use resample::FILTERS;
pub use rescale::Rescale;
pub use signal::Stage;

/// What the importer needs of a dossier.
#[derive(Clone, Copy, Debug)]
pub struct Importer {
    /// The foreign names.
    pub spellings: &'static [Spelling],
    /// See [`OpDef::import`].
    pub import: fn(&NodeView<'_>, &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError>,
    /// See [`OpDef::U8_AS_I8`].
    pub u8_as_i8: Option<&'static str>,
}

macro_rules! registry {
    (
        operators { $($module:ident::$name:ident,)* }
        compositions { $($composition:ident,)* }
    ) => {
        $(mod $module;)*
        $(mod $composition;)*
        $(pub use $module::$name;)*

        /// An operator of the graph.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Op {
            $($name($module::$name),)*
        }

        $(impl From<$module::$name> for Op {
            fn from(op: $module::$name) -> Self {
                Self::$name(op)
            }
        })*

        impl Op {
            /// See [`OpDef::NAME`].
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $module::$name::NAME,)* }
            }

            /// See [`OpDef::infer`].
            ///
            /// # Errors
            /// When the inputs do not fit.
            pub fn infer(&self, inputs: Operands<'_, '_>) -> Result<Vec<TensorType>, ShapeError> {
                match self { $(Self::$name(op) => op.infer(inputs),)* }
            }

            /// See [`OpDef::known`].
            pub fn known(&self, inputs: Operands<'_, '_>) -> Vec<Option<Vec<Dim>>> {
                match self { $(Self::$name(op) => op.known(inputs),)* }
            }

            /// See [`OpDef::TAILS`].
            pub fn tails(&self) -> Tails {
                match self { $(Self::$name(_) => $module::$name::TAILS,)* }
            }

            /// See [`OpDef::lower`].
            ///
            /// # Errors
            /// `NoKernel` where no kernel computes these types.
            pub fn lower(&self, io: &Io<'_>) -> Result<Lowered, LowerError> {
                match self { $(Self::$name(op) => op.lower(io),)* }
            }

            /// See [`OpDef::spell`].
            ///
            /// # Errors
            /// Where the format has no operator for it.
            pub fn spell(&self, s: &mut Speller<'_, '_, '_>) -> Result<(), SpellError> {
                match self { $(Self::$name(op) => op.spell(s),)* }
            }

            /// See [`OpDef::sink`].
            pub fn sink(&self, perm: &[usize]) -> Option<(Self, Vec<usize>)> {
                match self { $(Self::$name(op) => op.sink(perm),)* }
            }

            /// See [`OpDef::decompose`].
            pub fn decompose(
                &self,
                b: &mut Builder<'_>,
                inputs: &[Option<ValueId>],
            ) -> Option<Result<Vec<ValueId>, ShapeError>> {
                match self { $(Self::$name(op) => op.decompose(b, inputs),)* }
            }

            /// The fields by name, in the order of declaration.
            pub fn attrs(&self) -> Vec<(&'static str, Attr)> {
                match self { $(Self::$name(op) => op.attrs(),)* }
            }

            /// From name and fields.
            ///
            /// # Errors
            /// With a sentence when the name is unknown or a field is wrong.
            pub fn from_attrs(name: &str, attrs: &[(String, Attr)]) -> Result<Self, String> {
                match name {
                    $($module::$name::NAME => $module::$name::from_attrs(attrs).map(Self::$name),)*
                    _ => Err(format!("there is no operator '{name}'")),
                }
            }

            /// The names of all operators, sorted as listed.
            pub const NAMES: &[&str] = &[$($module::$name::NAME,)*];
        }

        /// Every dossier that knows foreign names.
        pub const IMPORTERS: &[Importer] = &[
            $(Importer {
                spellings: $module::$name::SPELLINGS,
                import: $module::$name::import,
                u8_as_i8: $module::$name::U8_AS_I8,
            },)*
            $(Importer {
                spellings: $composition::SPELLINGS,
                import: $composition::import,
                u8_as_i8: $composition::U8_AS_I8,
            },)*
        ];
    };
}

registry! {
    operators {
        add::Add,
        arg_max::ArgMax,
        average_pool2d::AveragePool2d,
        batch_to_space::BatchToSpace,
        binary::Binary,
        bit_cast::BitCast,
        bitwise_not::BitwiseNot,
        cast::Cast,
        cast_small::CastSmall,
        class_nms::ClassNms,
        clip::Clip,
        compare::Compare,
        concat::Concat,
        conv2d::Conv2d,
        conv_transpose2d::ConvTranspose2d,
        ctc::Ctc,
        cumsum::Cumsum,
        dense::Dense,
        depth_to_space::DepthToSpace,
        depthwise_conv2d::DepthwiseConv2d,
        div::Div,
        expand::Expand,
        fft::Fft,
        for_loop::ForLoop,
        gather::Gather,
        gather_elements::GatherElements,
        gather_nd::GatherNd,
        gru::Gru,
        if_else::IfElse,
        is_special::IsSpecial,
        l2_normalize::L2Normalize,
        leaky_relu::LeakyRelu,
        log_softmax::LogSoftmax,
        logical_not::LogicalNot,
        lookup::Lookup,
        lrn::Lrn,
        lstm::Lstm,
        luma::Luma,
        matmul::Matmul,
        max_pool2d::MaxPool2d,
        maximum::Maximum,
        minimum::Minimum,
        mul::Mul,
        nms::Nms,
        one_hot::OneHot,
        outline::Outline,
        pad::Pad,
        placement::Placement,
        places::Places,
        prelu::Prelu,
        prior_box::PriorBox,
        prior_detections::PriorDetections,
        quantized_binary::QuantizedBinary,
        quantized_lstm::QuantizedLstm,
        range::Range,
        reduce::Reduce,
        refuse::Refuse,
        requantize::Requantize,
        resample::Resample,
        reshape::Reshape,
        resize::Resize,
        reverse_sequence::ReverseSequence,
        rnn::Rnn,
        roi_align::RoiAlign,
        scan::Scan,
        scatter_elements::ScatterElements,
        scatter_nd::ScatterNd,
        select::Select,
        shape_of::ShapeOf,
        signal::Signal,
        slice::Slice,
        softmax::Softmax,
        space_to_batch::SpaceToBatch,
        space_to_depth::SpaceToDepth,
        spectrum::Spectrum,
        split::Split,
        squared_difference::SquaredDifference,
        ssd_detections::SsdDetections,
        standardize::Standardize,
        sub::Sub,
        suppress::Suppress,
        svdf::Svdf,
        tile::Tile,
        top_k::TopK,
        transpose::Transpose,
        unary::Unary,
        while_loop::WhileLoop,
    }
    compositions {
        attention,
        batch_norm,
        broadcast_args,
        bucketize,
        caffe_argmax,
        caffe_axpy,
        caffe_eltwise,
        caffe_embed,
        caffe_normalize,
        caffe_pooling,
        caffe_reorg,
        caffe_resize,
        caffe_scale,
        caffe_spp,
        caffe_threshold,
        causal_conv,
        constant,
        convolution3d,
        cum_prod,
        data_sized,
        dilate,
        dynamic_quantize,
        dynamic_update_slice,
        einsum,
        embedding_lookup,
        fake_quant,
        fill,
        flatten,
        fourier,
        gemm,
        group_norm,
        hardmax,
        identity,
        integer_product,
        l2_pool2d,
        losses,
        matrix_diag,
        mean,
        microsoft,
        ml,
        optimizers,
        placing,
        qlinear,
        rms_norm,
        rotary_embedding,
        sampling,
        segment,
        sequence,
        shuffle_channel,
        sparse_to_dense,
        stablehlo,
        strided_slice,
        svm,
        trees,
        triangle,
        variable,
        windows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_is_claimed_twice() {
        let mut seen: Vec<&Spelling> = Vec::new();
        for spelling in IMPORTERS.iter().flat_map(|importer| importer.spellings) {
            let twin = seen.iter().find(|other| {
                let same = (other.format, other.name, other.domain)
                    == (spelling.format, spelling.name, spelling.domain);
                same && other.since <= spelling.until && spelling.since <= other.until
            });
            assert!(twin.is_none(), "{spelling:?} is claimed twice");
            seen.push(spelling);
        }
    }
}
