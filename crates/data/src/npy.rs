//! The NPY format of NumPy, versions 1 to 3
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use embarca_num::DType;

use crate::array::bounded_len;
use crate::{Array, DataError, DataLimits, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// A longer header describes a record type, which is refused anyway.
const MAX_HEADER: usize = 1 << 16;

/// Most axes that NumPy itself allows.
const MAX_RANK: usize = 64;

/// Reads one array. Big-endian and Fortran-ordered files come out little-endian and row-major.
///
/// # Errors
/// A damaged file, one that is shorter or longer than its header says, or an element type that
/// is not a number (strings, records, Python objects).
pub fn read(bytes: &[u8], limits: &DataLimits) -> Result<Array> {
    let short = || DataError::malformed("the file ends inside the NPY header");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| {
        DataError::malformed("not an NPY file: it does not start with \\x93NUMPY")
    })?;
    let (&[major, _minor], rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (header_len, rest) = match major {
        1 => {
            let (len, rest) = rest.split_first_chunk().ok_or_else(short)?;
            (usize::from(u16::from_le_bytes(*len)), rest)
        }
        2 | 3 => {
            let (len, rest) = rest.split_first_chunk().ok_or_else(short)?;
            (usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX), rest)
        }
        _ => return Err(DataError::unsupported(format!("NPY version {major}; save as 1, 2 or 3"))),
    };
    if MAX_HEADER < header_len {
        return Err(DataError::malformed(format!("an NPY header of {header_len} bytes")));
    }
    let (header, data) = rest.split_at_checked(header_len).ok_or_else(short)?;
    let header = std::str::from_utf8(header)
        .map_err(|_| DataError::malformed("the NPY header is not text"))?;
    let Header { descr, fortran, dims } = Header::parse(header)?;

    let (dtype, big_endian) = parse_descr(&descr)?;
    let len = bounded_len(dtype, &dims, limits)?;
    if data.len() != len {
        return Err(DataError::malformed(format!(
            "{dtype} {dims:?} takes {len} bytes, the file holds {}",
            data.len()
        )));
    }
    let mut data = if fortran { to_row_major(data, dtype.size(), &dims) } else { data.to_vec() };
    if big_endian {
        for word in data.chunks_exact_mut(word_size(dtype)) {
            word.reverse();
        }
    }
    if dtype == DType::Bool {
        data.iter_mut().for_each(|x| *x = u8::from(*x != 0));
    }
    Array::new(dtype, &dims, data)
}

/// Writes one array; for NumPy's own types the bytes are those of `numpy.save`.
///
/// Types narrower than a byte become `int8` / `uint8`; bf16 and the 8-bit floats become raw
/// `V2` / `V1`, as in `numpy.save` of an `ml_dtypes` array (view it there to compute).
///
/// # Errors
/// An array of strings, or dimensions that do not fit the data.
pub fn write(array: &Array) -> Result<Vec<u8>> {
    let descr = match array.dtype {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::F16 => "<f2",
        DType::U8 | DType::U4 | DType::U2 => "|u1",
        DType::I8 | DType::I4 | DType::I2 => "|i1",
        DType::U16 => "<u2",
        DType::I16 => "<i2",
        DType::U32 => "<u4",
        DType::I32 => "<i4",
        DType::U64 => "<u8",
        DType::I64 => "<i8",
        DType::Bool => "|b1",
        DType::C64 => "<c8",
        DType::C128 => "<c16",
        DType::Bf16 => "<V2",
        DType::F8E4M3Fn
        | DType::F8E4M3Fnuz
        | DType::F8E5M2
        | DType::F8E5M2Fnuz
        | DType::F4E2M1
        | DType::F8E8M0 => "<V1",
        DType::Str => {
            return Err(DataError::unsupported("NPY output of strings; write them as text"));
        }
    };
    if crate::array::byte_len(array.dtype, &array.dims) != Some(array.data.len()) {
        return Err(DataError::argument(format!(
            "{} {:?} does not fit {} bytes",
            array.dtype,
            array.dims,
            array.data.len()
        )));
    }
    let mut shape = array.dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    if array.dims.len() == 1 {
        shape.push(',');
    }
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // NumPy leaves room for the first axis to grow to 21 digits, then aligns the data to 64.
    if let Some(first) = array.dims.first() {
        header.extend(std::iter::repeat_n(' ', 21usize.saturating_sub(first.to_string().len())));
    }
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', 64 - unpadded % 64));
    header.push('\n');

    let header_len = u16::try_from(header.len())
        .map_err(|_| DataError::argument(format!("{} axes", array.dims.len())))?;
    let mut out = Vec::with_capacity(MAGIC.len() + 4 + header.len() + array.data.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[1, 0]);
    out.extend_from_slice(&header_len.to_le_bytes());
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(&array.data);
    Ok(out)
}

/// The type behind a NumPy `descr`, and whether its bytes are reversed.
fn parse_descr(descr: &str) -> Result<(DType, bool)> {
    let (order, name) = descr.split_at_checked(1).unwrap_or(("", ""));
    let dtype = match name {
        "b1" => DType::Bool,
        "i1" => DType::I8,
        "u1" => DType::U8,
        "i2" => DType::I16,
        "u2" => DType::U16,
        "i4" => DType::I32,
        "u4" => DType::U32,
        "i8" => DType::I64,
        "u8" => DType::U64,
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        "c8" => DType::C64,
        "c16" => DType::C128,
        _ => {
            return Err(DataError::unsupported(format!(
                "NumPy element type '{descr}'; convert the array with astype to a number type"
            )));
        }
    };
    match order {
        "<" | "|" | "=" => Ok((dtype, false)),
        ">" => Ok((dtype, true)),
        _ => Err(DataError::malformed(format!("byte order of NumPy element type '{descr}'"))),
    }
}

/// Bytes of the unit that endianness reverses: half a complex number.
fn word_size(dtype: DType) -> usize {
    match dtype {
        DType::C64 => 4,
        DType::C128 => 8,
        _ => dtype.size().max(1),
    }
}

/// Reorders elements whose first axis is the fastest.
fn to_row_major(data: &[u8], size: usize, dims: &[usize]) -> Vec<u8> {
    let mut strides = Vec::with_capacity(dims.len());
    let mut stride = size;
    for &dim in dims {
        strides.push(stride);
        stride *= dim;
    }
    let mut out = Vec::with_capacity(data.len());
    let mut index = vec![0; dims.len()];
    let mut from = 0;
    while let Some(element) = data.get(from..from + size) {
        out.extend_from_slice(element);
        let mut axis = dims.len();
        loop {
            if axis == 0 {
                return out;
            }
            axis -= 1;
            index[axis] += 1;
            from += strides[axis];
            if index[axis] < dims[axis] {
                break;
            }
            from -= strides[axis] * dims[axis];
            index[axis] = 0;
        }
    }
    out
}

/// The Python dictionary at the start of the file.
struct Header {
    descr: String,
    fortran: bool,
    dims: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self> {
        let mut scan = Scanner { text, at: 0 };
        let (mut descr, mut fortran, mut dims) = (None, None, None);
        scan.expect('{')?;
        while !scan.eat('}') {
            let key = scan.string()?;
            scan.expect(':')?;
            match key {
                "descr" if scan.peek() == Some('[') => {
                    return Err(DataError::unsupported(
                        "a NumPy record array; save each field as an array of its own",
                    ));
                }
                "descr" => descr = Some(scan.string()?.to_owned()),
                "fortran_order" => fortran = Some(scan.boolean()?),
                "shape" => dims = Some(scan.tuple()?),
                _ => return Err(scan.error(&format!("key '{key}'"))),
            }
            if !scan.eat(',') {
                scan.expect('}')?;
                break;
            }
        }
        match (descr, fortran, dims) {
            (Some(descr), Some(fortran), Some(dims)) => Ok(Self { descr, fortran, dims }),
            _ => Err(DataError::malformed("the NPY header lacks descr, fortran_order or shape")),
        }
    }
}

/// Reads the few Python literals that an NPY header holds.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or("");
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn peek(&mut self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        if self.eat(wanted) { Ok(()) } else { Err(self.error(&format!("no '{wanted}'"))) }
    }

    fn string(&mut self) -> Result<&'a str> {
        let quote = self.peek().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or_else(|| self.error("no string"))?;
        let rest = self.rest().get(1..).unwrap_or("");
        let end = rest.find(quote).ok_or_else(|| self.error("no end of the string"))?;
        self.at += end + 2;
        Ok(rest.get(..end).unwrap_or(""))
    }

    fn boolean(&mut self) -> Result<bool> {
        for (name, value) in [("True", true), ("False", false)] {
            if self.rest().starts_with(name) {
                self.at += name.len();
                return Ok(value);
            }
        }
        Err(self.error("neither True nor False"))
    }

    fn tuple(&mut self) -> Result<Vec<usize>> {
        let mut dims = Vec::new();
        self.expect('(')?;
        while !self.eat(')') {
            let rest = self.rest();
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let dim = rest.get(..digits).and_then(|digits| digits.parse().ok());
            dims.push(dim.ok_or_else(|| self.error("no axis length"))?);
            self.at += digits;
            if MAX_RANK < dims.len() {
                return Err(self.error("more than 64 axes"));
            }
            // Python 2 wrote long integers as `3L`.
            self.eat('L');
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(dims)
    }

    fn error(&self, what: &str) -> DataError {
        DataError::malformed(format!("{what} where the NPY header needs one"))
            .at(format_args!("header character {}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&[1, 0]);
        out.extend_from_slice(&(header.len() as u16).to_le_bytes());
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(data);
        out
    }

    fn dict(descr: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    #[test]
    fn golden_bytes_of_numpy_save() {
        // numpy.save(f, numpy.array([[1, -2]], '<i2')), NumPy 2.4.
        let mut golden = b"\x93NUMPY\x01\x00v\x00{'descr': '<i2', 'fortran_order': False, \
            'shape': (1, 2), }"
            .to_vec();
        golden.resize(127, b' ');
        golden.extend_from_slice(b"\n\x01\x00\xfe\xff");

        let array = Array::from_slice(&[1, 2], &[1i16, -2]).unwrap();
        assert_eq!(write(&array).unwrap(), golden);
        assert_eq!(read(&golden, &DataLimits::default()).unwrap(), array);
    }

    #[test]
    fn every_rank_and_type_round_trips() {
        for dtype in DType::ALL.into_iter().filter(|&dtype| dtype != DType::Str) {
            for dims in [&[][..], &[0], &[3], &[2, 0, 5], &[1, 2, 3, 2]] {
                let len = crate::array::byte_len(dtype, dims).unwrap();
                let data = (0..len).map(|i| (i % 2) as u8).collect();
                let array = Array::new(dtype, dims, data).unwrap();
                let bytes = write(&array).unwrap();
                let data_at = bytes.len() - len;
                assert_eq!(data_at % 64, 0);
                match read(&bytes, &DataLimits::default()) {
                    Ok(back) => {
                        assert_eq!((&back.data, &back.dims), (&array.data, &array.dims));
                        let same = matches!(dtype, DType::U4 | DType::I4 | DType::U2 | DType::I2)
                            != (back.dtype == dtype);
                        assert!(same, "{dtype}");
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("type '<V"), "{dtype}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn order_and_endianness() {
        // [[1, 2, 3], [4, 5, 6]], the first axis fastest, big-endian.
        let bytes = npy(&dict(">u2", "True", "(2, 3)"), &[0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6]);
        let array = read(&bytes, &DataLimits::default()).unwrap();
        assert_eq!(array.to_vec::<u16>().unwrap(), [1, 2, 3, 4, 5, 6]);

        let complex: Vec<u8> = (0..8).collect();
        let array = read(&npy(&dict(">c8", "False", "()"), &complex), &DataLimits::default());
        assert_eq!(array.unwrap().data, [3, 2, 1, 0, 7, 6, 5, 4]);

        let array = read(&npy(&dict("|b1", "True", "(3L,)"), &[0, 2, 1]), &DataLimits::default());
        assert_eq!(array.unwrap().data, [0, 1, 1]);
        assert!(
            read(&npy(&dict("<f4", "True", "(0, 3)"), &[]), &DataLimits::default())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn refusals() {
        for (bytes, reason) in [
            (npy(&dict("<f4", "False", "(2,)"), &[0; 7]), "takes 8 bytes, the file holds 7"),
            (npy(&dict("<f4", "False", "(2,)"), &[0; 9]), "takes 8 bytes, the file holds 9"),
            (npy(&dict("<U4", "False", "(2,)"), &[0; 32]), "type '<U4'; convert"),
            (npy(&dict("|O", "False", "()"), &[]), "type '|O'; convert"),
            (npy(&dict("", "False", "()"), &[]), "type ''; convert"),
            (npy(&dict("!f4", "False", "()"), &[0; 4]), "byte order"),
            (npy(&dict("<f4", "Maybe", "()"), &[0; 4]), "neither True nor False"),
            (npy(&dict("<f4", "False", "(-1,)"), &[]), "no axis length"),
            (npy(&dict("<f4", "False", "(99999999999999999999,)"), &[]), "no axis length"),
            (npy(&dict("<f4", "False", "(9999999999, 9999999999)"), &[]), "overflow"),
            (npy(&dict("<f4", "False", "(999999999,)"), &[]), "more than the limit"),
            (npy("{'descr': [('a', '<f4')]}", &[]), "record array"),
            (npy("{'descr': '<f4'}", &[]), "lacks"),
            (npy("{'descr': '<f4", &[]), "no end of the string"),
            (npy("{'\u{e9}': 1}", &[]), "key"),
            (npy(&format!("{{'shape': ({})}}", "1,".repeat(65)), &[]), "64 axes"),
            (b"\x93NUMPY\x09\x00".to_vec(), "version 9"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "header of 4294967295 bytes"),
            (b"PK\x03\x04".to_vec(), "not an NPY file"),
        ] {
            let message = read(&bytes, &DataLimits::default()).unwrap_err().to_string();
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
    }

    #[test]
    fn no_truncation_or_flip_panics() {
        let array = Array::from_slice(&[2, 3], &[0.5f32; 6]).unwrap();
        let bytes = write(&array).unwrap();
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], &DataLimits::default()).is_err());
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                let _ = read(&bytes, &DataLimits::default());
            }
        }
    }
}
