//! The NPZ format of NumPy: a ZIP archive of [NPY](crate::npy) members.

use std::collections::HashSet;

use crate::zip::{self, Packing};
use crate::{Array, DataError, DataLimits, Result, npy};

/// Reads all arrays, in the order of the archive, under their names without `.npy`.
///
/// # Errors
/// A damaged archive or member, a member that is no array, or the same name twice; the error
/// names the member.
pub fn read(bytes: &[u8], limits: &DataLimits) -> Result<Vec<Array>> {
    let mut names = HashSet::new();
    zip::read(bytes, limits)?
        .into_iter()
        .map(|member| {
            let mut parse = || {
                let name = member.name.strip_suffix(".npy").unwrap_or(&member.name);
                if !names.insert(name.to_owned()) {
                    return Err(DataError::malformed("a second member of this name"));
                }
                Ok(npy::read(&member.data, limits)?.named(name))
            };
            parse().map_err(|error: DataError| error.at(format_args!("member {:?}", member.name)))
        })
        .collect()
}

/// Writes arrays in order; those without name become `arr_0`, `arr_1`, ... by their position.
/// The same arrays give the same bytes; [`Packing::Stored`] gives the bytes of `numpy.savez`.
///
/// # Errors
/// An array that NPY cannot hold, the same name twice, or more than 4 GiB.
pub fn write(arrays: &[Array], packing: Packing) -> Result<Vec<u8>> {
    let mut names = HashSet::new();
    let mut members = Vec::with_capacity(arrays.len());
    for (i, array) in arrays.iter().enumerate() {
        let name = array.name.clone().unwrap_or_else(|| format!("arr_{i}"));
        if !names.insert(name.clone()) {
            return Err(DataError::argument(format!("two arrays are named {name:?}")));
        }
        let bytes = npy::write(array).map_err(|error| error.at(format_args!("array {name:?}")))?;
        members.push((format!("{name}.npy"), bytes));
    }
    zip::write(members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), packing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.savez(f, a=numpy.arange(3, dtype='f4'))`, NumPy 2.4.
    fn golden() -> Vec<u8> {
        let mut golden = b"PK\x03\x04-\0\0\0\0\0\0\0!\0\xb6\x8c\x86S\xff\xff\xff\xff\xff\xff\xff\
            \xff\x05\0\x14\0a.npy\x01\0\x10\0\x8c\0\0\0\0\0\0\0\x8c\0\0\0\0\0\0\0\x93NUMPY\x01\0v\
            \0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
            .to_vec();
        golden.resize(55 + 127, b' ');
        golden.extend_from_slice(
            b"\n\0\0\0\0\0\0\x80?\0\0\0@PK\x01\x02-\x03-\0\0\0\0\0\0\0!\0\xb6\x8c\x86S\x8c\0\0\0\
            \x8c\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0a.npyPK\x05\x06\0\0\0\0\x01\0\x01\
            \x003\0\0\0\xc3\0\0\0\0\0",
        );
        golden
    }

    #[test]
    fn golden_bytes_of_numpy_savez() {
        let array = Array::from_slice(&[3], &[0f32, 1.0, 2.0]).unwrap().named("a");
        assert_eq!(write(std::slice::from_ref(&array), Packing::Stored).unwrap(), golden());
        assert_eq!(read(&golden(), &DataLimits::default()).unwrap(), [array]);
    }

    #[test]
    fn names_and_order_are_kept() {
        let arrays = ["z", "a/b", "\u{e9}"]
            .map(|name| Array::from_slice(&[2], &[name.len() as i64, -1]).unwrap().named(name));
        for packing in [Packing::Stored, Packing::Deflated] {
            let bytes = write(&arrays, packing).unwrap();
            assert_eq!(bytes, write(&arrays, packing).unwrap());
            assert_eq!(read(&bytes, &DataLimits::default()).unwrap(), arrays);
        }
        let unnamed = Array::from_slice(&[], &[1u8]).unwrap();
        let bytes = write(&[unnamed.clone(), unnamed], Packing::Stored).unwrap();
        let names = read(&bytes, &DataLimits::default()).unwrap().into_iter().map(|a| a.name);
        assert_eq!(names.flatten().collect::<Vec<_>>(), ["arr_0", "arr_1"]);
    }

    #[test]
    fn refusals_name_the_member() {
        for (members, reason) in [
            (vec![("x.txt", &b"hello"[..])], "member \"x.txt\": not an NPY file"),
            (vec![("x.npy", b"\x93NUMPY\x01\0")], "member \"x.npy\": the file ends inside"),
        ] {
            let bytes = zip::write(members, Packing::Stored).unwrap();
            let message = read(&bytes, &DataLimits::default()).unwrap_err().to_string();
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
        let array = Array::from_slice(&[], &[1u8]).unwrap().named("x");
        let npy = npy::write(&array).unwrap();
        let twice = zip::write([("x.npy", &npy[..]), ("x", &npy)], Packing::Stored).unwrap();
        let message = read(&twice, &DataLimits::default()).unwrap_err().to_string();
        assert_eq!(message, "member \"x\": a second member of this name");
        assert!(write(&[array.clone(), array], Packing::Stored).is_err());
    }
}
