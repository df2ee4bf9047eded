//! Flatten: all axes before `axis` become one, all others become the second.

use super::prelude::*;

pub const SPELLINGS: &[Spelling] = &[Spelling::onnx("Flatten", 1), Spelling::caffe("Flatten")];
pub const U8_AS_I8: Option<&str> = Some("moves data");

pub fn import(node: &NodeView<'_>, b: &mut Builder<'_>) -> Result<Vec<ValueId>, ImportError> {
    let x = node.input(0)?;
    let dims = b.ty(x).dims.clone();
    let rank = dims.len();
    let start = node.int("axis", 1)?;
    if node.format == Format::Caffe {
        let (start, end) = (axis(start, rank)?, axis(node.int("end_axis", -1)?, rank)?);
        if end < start {
            return Err(ImportError::malformed("end_axis lies before axis").attribute("end_axis"));
        }
        let mut flat = dims[..start].to_vec();
        flat.push(dim::product(&dims[start..=end]));
        flat.extend_from_slice(&dims[end + 1..]);
        return one(b.reshape(x, flat)?);
    }
    // ONNX also allows `rank` itself: everything in the first axis.
    let start = if start == rank as i64 { rank } else { axis(start, rank)? };
    let flat = vec![dim::product(&dims[..start]), dim::product(&dims[start..])];
    one(b.reshape(x, flat)?)
}
