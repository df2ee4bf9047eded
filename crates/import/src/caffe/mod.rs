//! Caffe: a net as text (`.prototxt`) and its weights (`.caffemodel`).
//!
//! What comes out is what Caffe itself would run in phase TEST, level 0, without stages:
//!
//! - Layers of the older layouts (V0, V1, net-level `input`) are brought to the current one.
//! - `include` and `exclude` rules are applied. Losses, measures and what is computed from labels
//!   alone are removed, so that a net written for training yields its predictions; a layer that
//!   reads samples becomes an input of one sample where its shape follows from the file, and is
//!   refused with advice where it does not.
//! - Each write of a blob is a tensor of its own, also where a layer works in place. The last one
//!   bears the blob's name; an earlier one is called `blob@layer`. `Split` disappears.
//! - The graph's outputs are the blobs that nothing reads, sorted by name, which is Caffe's order.
//!
//! A node's `op` is the layer's type and its attributes are the fields of the layer's own
//! parameter message (`convolution_param`, ...), named as in `caffe.proto`:
//!
//! - A field that the file does not set is absent: dossiers know the defaults.
//! - `repeated` fields are lists even when they hold one element; truth values are 0 or 1;
//!   enumerators are texts (`MAX`, `SUM`).
//! - A `BlobShape` is a list of integers under the field's name (`shape`); other messages inside
//!   (`nms_param`) are flattened into the same list.
//! - Fillers, engines and other fields that no answer depends on are left out.
//! - A field of an unknown branch keeps its name; its kind follows from how the value looks.
//!
//! Learned blobs are constants named `layer:0`, `layer:1`, ... with the shapes that the current
//! format gives them: the four axes of old files lose leading ones where the layer's type says so.

mod attrs;
mod blobs;
mod graph;
mod params;
mod schema;
mod typed;
mod upgrade;

use embarca_ir::foreign::ForeignModel;

use crate::ImportLimits;
use crate::caffe::blobs::Blob;
use crate::caffe::graph::Weights;
use crate::caffe::typed::{Message, Value};
use crate::caffe::upgrade::Net;
use crate::error::{ReadError, shown};
use crate::limits::Budget;
use crate::wire::{protobuf, prototxt};

/// Reads a net in text form with the weights of a caffemodel, if one is given. Weights that are
/// stored as packed 32-bit floats, as Caffe writes them, stay borrowed.
///
/// # Errors
/// Names the line of the text or the layer that cannot be read, and what to do about it.
pub fn read<'a>(
    prototxt: &[u8],
    caffemodel: Option<&'a [u8]>,
    limits: &ImportLimits,
) -> Result<ForeignModel<'a>, ReadError> {
    let length = prototxt.len().saturating_add(caffemodel.map_or(0, <[u8]>::len));
    let mut budget = Budget::new(limits, length)?;
    let mut net = net_from_text(prototxt, &mut budget)?;
    let weights = match caffemodel {
        Some(bytes) => {
            weights(bytes, &mut budget).map_err(|error| error.within(|| "caffemodel".into()))?
        }
        None => take_blobs(&mut net)
            .map(|(name, blobs)| (name, blobs.into_iter().map(Blob::into_owned).collect()))
            .collect(),
    };
    graph::build(net, weights, caffemodel.is_some(), &mut budget)
}

/// Reads a caffemodel on its own: it holds the net that it was trained as, too.
///
/// # Errors
/// As [`read`]; in addition what a net for training does not say (input shapes, often) and fields
/// of unknown branches of Caffe, which only the text form names.
pub fn read_binary<'a>(
    caffemodel: &'a [u8],
    limits: &ImportLimits,
) -> Result<ForeignModel<'a>, ReadError> {
    let mut budget = Budget::new(limits, caffemodel.len())?;
    refuse_hdf5(caffemodel)?;
    let wire = protobuf::Message::new(caffemodel, limits.nesting);
    let proto = typed::from_binary(wire, &schema::NET, &mut budget)?;
    let mut net = upgrade::upgrade(proto, &mut budget)?;
    if net.layers.iter().all(|layer| layer.tops.is_empty()) {
        let what = "the caffemodel holds weights only: pass the prototxt, with these as \
                    `--weights W.caffemodel`";
        return Err(ReadError::unsupported(what));
    }
    let weights = take_blobs(&mut net).collect();
    graph::build(net, weights, true, &mut budget)
}

fn net_from_text<'t>(text: &'t [u8], budget: &mut Budget<'_>) -> Result<Net<'t>, ReadError> {
    // A field of a real net takes twenty bytes and more; the tree takes about sixty for each.
    let text_limits = prototxt::TextLimits {
        nesting: usize::try_from(budget.limits.nesting).unwrap_or(usize::MAX),
        fields: (1usize << 15).saturating_add(text.len() / 24),
    };
    let block = prototxt::parse(text, &text_limits).map_err(|error| {
        let place = error.at.to_string();
        let error = match error.is_limit {
            true => ReadError::over_limit(error.what),
            false => ReadError::malformed(error.what),
        };
        error.within(|| place)
    })?;
    let proto = typed::from_text(block, Some(&schema::NET), budget)?;
    upgrade::upgrade(proto, budget)
}

/// Moves the blobs out of the net's layers, with the names of the layers.
fn take_blobs<'n, 'a: 'n>(
    net: &'n mut Net<'a>,
) -> impl Iterator<Item = (String, Vec<Blob<'a>>)> + use<'n, 'a> {
    net.layers
        .iter_mut()
        .filter(|layer| !layer.blobs.is_empty())
        .map(|layer| (layer.name.clone(), std::mem::take(&mut layer.blobs)))
}

/// The learned blobs of a caffemodel of any age.
fn weights<'a>(bytes: &'a [u8], budget: &mut Budget<'_>) -> Result<Weights<'a>, ReadError> {
    refuse_hdf5(bytes)?;
    let wire = protobuf::Message::new(bytes, budget.limits.nesting);
    let proto = typed::from_binary(wire, &schema::NET_WEIGHTS, budget)?;
    let mut weights = Weights::new();
    for (_, value) in proto.fields {
        let Value::Message(mut layer) = value else {
            continue;
        };
        // V0 keeps name and blobs one message further in.
        if let Some((_, Value::Message(inner))) =
            layer.fields.iter_mut().find(|(name, _)| *name == "layer")
        {
            layer = std::mem::take(inner);
        }
        let name = layer.text("name").unwrap_or_default().to_owned();
        let blobs = layer_blobs(layer, budget)
            .map_err(|error| error.within(|| format!("layer '{}'", shown(&name))))?;
        if !blobs.is_empty() {
            budget.items::<(String, Vec<Blob<'_>>)>(1)?;
            weights.insert(name, blobs);
        }
    }
    Ok(weights)
}

fn layer_blobs<'a>(
    layer: Message<'a>,
    budget: &mut Budget<'_>,
) -> Result<Vec<Blob<'a>>, ReadError> {
    let mut blobs = Vec::new();
    for (name, value) in layer.fields {
        if let ("blobs", Value::Message(blob)) = (name, value) {
            let index = blobs.len();
            let blob = Blob::read(blob, budget);
            blobs.push(blob.map_err(|error| error.within(|| format!("blob {index}")))?);
        }
    }
    Ok(blobs)
}

fn refuse_hdf5(bytes: &[u8]) -> Result<(), ReadError> {
    match bytes.starts_with(b"\x89HDF\r\n") {
        true => Err(ReadError::unsupported(
            "weights in HDF5 are not read: load them in Caffe and save a binary caffemodel",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
