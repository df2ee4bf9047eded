//! Arrays, pictures, sounds and tables.

use std::io::Write;

use embarca_data::image::{Image, encode_png};
use embarca_data::zip;

use super::{Bomb, Reader};

pub(super) fn bombs() -> Vec<Bomb> {
    [arrays(), archives(), pictures(), sounds(), tables()].concat()
}

fn npy_of(major: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let len = header.len() as u32;
    let len = len.to_le_bytes();
    let len = if major == 1 { &len[..2] } else { &len[..] };
    [&b"\x93NUMPY"[..], &[major, 0], len, header.as_bytes(), data].concat()
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    npy_of(1, &header, data)
}

fn arrays() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Npy, name, stands_for, bytes, refusal)
    };
    let claims = |len: u32| [&b"\x93NUMPY\x02\0"[..], &len.to_le_bytes(), b"{}"].concat();
    vec![
        bomb(
            "nothing",
            "no bytes at all",
            vec![],
            "not an NPY file: it does not start with \\x93NUMPY",
        ),
        bomb(
            "magic alone",
            "tract PR 2766",
            b"\x93NUMPY".to_vec(),
            "the file ends inside the NPY header",
        ),
        bomb(
            "header of 4 GiB",
            "candle 3533",
            claims(u32::MAX),
            "an NPY header of 4294967295 bytes",
        ),
        bomb(
            "header past the end",
            "candle 3533",
            claims(9000),
            "the file ends inside the NPY header",
        ),
        bomb(
            "version 9",
            "a format of the future",
            npy_of(9, "{}", &[]),
            "NPY version 9; save as 1, 2 or 3",
        ),
        bomb(
            "dimensions wrap",
            "tract CVE-2026-55093",
            npy("'<f4'", "(4294967296, 4294967296)", &[0; 4]),
            "dimensions [4294967296, 4294967296] overflow",
        ),
        bomb(
            "a dimension beyond 64 bits",
            "triton CVE-2025-23323",
            npy("'<f4'", "(99999999999999999999,)", &[]),
            "header character 51: no axis length where the NPY header needs",
        ),
        bomb(
            "a terabyte",
            "burn 5651",
            npy("'<f4'", "(274877906944,)", &[0; 4]),
            "274877906944 elements, more than the limit of 268435456",
        ),
        bomb(
            "negative size",
            "triton CVE-2025-23335",
            npy("'<f4'", "(-1,)", &[0; 4]),
            "header character 51: no axis length where the NPY header needs",
        ),
        bomb(
            "content too short",
            "tract 2390",
            npy("'<f4'", "(4,)", &[0; 15]),
            "f32 [4] takes 16 bytes, the file holds 15",
        ),
        bomb(
            "content too long",
            "safetensors: no polyglots",
            npy("'<f4'", "(4,)", &[0; 17]),
            "f32 [4] takes 16 bytes, the file holds 17",
        ),
        bomb(
            "Python objects",
            "numpy allow_pickle: runs code",
            npy("'|O'", "(1,)", b"cos\nsystem\n(S'x'\ntR."),
            "NumPy element type '|O'; convert the array with astype to a",
        ),
        bomb(
            "records",
            "type confusion",
            npy("[('a', '<f4')]", "(1,)", &[0; 4]),
            "a NumPy record array; save each field as an array of its own",
        ),
        bomb(
            "an expression",
            "a header given to eval()",
            npy_of(1, "__import__('os').system('x')", &[]),
            "header character 0: no '{' where the NPY header needs one",
        ),
        bomb(
            "4,000 brackets",
            "triton CVE-2025-23325",
            npy("'<f4'", &"(".repeat(4000), &[]),
            "header character 51: no axis length where the NPY header needs",
        ),
        bomb(
            "4,000 axes",
            "tflm 3389",
            npy("'<f4'", &format!("({})", "1,".repeat(2000)), &[0; 4]),
            "header character 180: more than 64 axes where the NPY header",
        ),
        bomb(
            "element of 2^31 bytes",
            "triton CVE-2025-23331",
            npy("'<f2147483648'", "(1,)", &[0; 4]),
            "NumPy element type '<f2147483648'; convert the array with",
        ),
    ]
}

/// One entry of a ZIP archive that is written by hand.
struct Entry {
    name: &'static str,
    method: u16,
    flags: u16,
    crc: u32,
    size: u32,
    /// Packed bytes.
    content: Vec<u8>,
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// An archive whose directory names the one `entry` so many times.
fn archive(entry: &Entry, times: usize) -> Vec<u8> {
    let word = |value: usize| (value as u32).to_le_bytes();
    let head = |central: bool| {
        let mut head = if central { b"PK\x01\x02\x2d\0".to_vec() } else { b"PK\x03\x04".to_vec() };
        head.extend([0x2d, 0]);
        head.extend(entry.flags.to_le_bytes());
        head.extend(entry.method.to_le_bytes());
        head.extend([0; 4]);
        head.extend(entry.crc.to_le_bytes());
        head.extend(word(entry.content.len()));
        head.extend(entry.size.to_le_bytes());
        head.extend((entry.name.len() as u16).to_le_bytes());
        head.extend([0, 0]);
        if central {
            head.extend([0; 14]);
        }
        head.extend(entry.name.as_bytes());
        head
    };
    let local = [head(false), entry.content.clone()].concat();
    let directory = head(true).repeat(times);
    let count = (times as u16).to_le_bytes();
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend([count, count].concat());
    end.extend(word(directory.len()));
    end.extend(word(local.len()));
    end.extend([0, 0]);
    [local, directory, end].concat()
}

fn archives() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Npz, name, stands_for, bytes, refusal)
    };
    let entry = |method, size, content: &[u8]| Entry {
        name: "x.npy",
        method,
        flags: 0,
        crc: 0,
        size,
        content: content.to_vec(),
    };
    let zeros = deflated(&vec![0; 1 << 20]);
    let plain = entry(0, 4, b"data");
    let members = |list: &[(&str, Vec<u8>)]| {
        let list = list.iter().map(|(name, data)| (*name, data.as_slice()));
        zip::write(list, zip::Packing::Stored).expect("it is small")
    };
    let one = || npy("'|u1'", "(1,)", &[1]);
    vec![
        bomb("nothing", "no bytes at all", vec![], "not a ZIP archive, or its end is missing"),
        bomb(
            "no directory",
            "a download that broke off",
            b"PK\x03\x04".repeat(20),
            "not a ZIP archive, or its end is missing",
        ),
        bomb(
            "65,535 members in no bytes",
            "burn 5651",
            [&b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff"[..], &[0; 10]].concat(),
            "65535 members do not fit in a ZIP directory of 0 bytes",
        ),
        bomb(
            "a member of 4 GiB in 1 KiB",
            "triton: gzip bomb",
            archive(&entry(8, u32::MAX - 1, &zeros), 1),
            "member \"x.npy\": 4294967294 bytes, more than the limit of",
        ),
        bomb(
            "a member that unpacks to more",
            "triton: gzip bomb",
            archive(&entry(8, 100, &zeros), 1),
            "member \"x.npy\": the member unpacks to another size than the 100",
        ),
        bomb(
            "a stored member of another size",
            "onnx CVE-2024-27319",
            archive(&entry(0, 1 << 30, b"data"), 1),
            "member \"x.npy\": the member unpacks to another size than the",
        ),
        bomb(
            "1,000 members in one place",
            "overlapping ZIP members",
            archive(&Entry { crc: 0xa738_ea1c, ..entry(8, 1 << 20, &zeros) }, 1000),
            "member \"x.npy\": it overlaps another member",
        ),
        bomb(
            "damaged deflate data",
            "a stream that never ends",
            archive(&entry(8, 100, &[0xff; 64]), 1),
            "member \"x.npy\": damaged deflate data: corrupt deflate stream",
        ),
        bomb(
            "method 99",
            "an enum out of range",
            archive(&entry(99, 4, b"data"), 1),
            "member \"x.npy\": ZIP compression method 99; pack it with deflate",
        ),
        bomb(
            "encrypted",
            "a part that is silently skipped",
            archive(&Entry { flags: 1, ..entry(0, 4, b"data") }, 1),
            "member \"x.npy\": the member is encrypted; pack it without",
        ),
        bomb(
            "wrong checksum",
            "tensorrt: a modified engine that passes",
            archive(&plain, 1),
            "member \"x.npy\": damaged: its CRC is adf3f363, not 00000000",
        ),
        bomb(
            "a member that is no array",
            "type confusion",
            members(&[("x.npy", b"pickle".to_vec())]),
            "member \"x.npy\": not an NPY file: it does not start with",
        ),
        bomb(
            "one name twice",
            "the second definition wins silently",
            members(&[("x.npy", one()), ("x.npy", one())]),
            "member \"x.npy\": a second member of this name",
        ),
        bomb(
            "a path out of the folder",
            "onnx CVE-2024-5187",
            members(&[("../../x.npy", b"x".to_vec())]),
            "member \"../../x.npy\": not an NPY file: it does not start with",
        ),
    ]
}

/// A chunk of a PNG, its checksum right.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let crc = embarca_plan::crc32(&body);
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc.to_be_bytes()].concat()
}

/// A PNG of this size and kind, with `chunks` between its header and its end.
fn png(width: u32, height: u32, depth: u8, colour: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(b"IHDR", &[&sides[..], &[depth, colour, 0, 0, 0]].concat());
    [b"\x89PNG\r\n\x1a\n".to_vec(), header, chunks.concat(), chunk(b"IEND", &[])].concat()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// A JPEG that claims this size, with `rest` behind its frame header.
fn jpeg(width: u16, height: u16, rest: &[u8]) -> Vec<u8> {
    let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let frame = [&[0xff, 0xc0, 0, 11, 8][..], &sides, &[1, 1, 0x11, 0]].concat();
    [&[0xff, 0xd8][..], &frame, rest].concat()
}

/// A bitmap with this header and 16 bytes of pixels.
fn bmp(width: i32, height: i32, bits: u16, compression: u32, data_at: u32) -> Vec<u8> {
    let mut file = b"BM\0\0\0\0\0\0\0\0".to_vec();
    file.extend(data_at.to_le_bytes());
    file.extend(40u32.to_le_bytes());
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend([1, 0]);
    file.extend(bits.to_le_bytes());
    file.extend(compression.to_le_bytes());
    file.extend([0; 20]);
    file.extend([0; 16]);
    file
}

fn pictures() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Image, name, stands_for, bytes, refusal)
    };
    let idat = |raw: &[u8]| chunk(b"IDAT", &zlib(raw));
    let image = Image::new(2, 2, 1, vec![0; 4]).expect("the size fits");
    let mut damaged = encode_png(&image).expect("it is small");
    let at = damaged.len() - 16;
    damaged[at] ^= 1;
    let text = [&b"a\0\0"[..], &zlib(&vec![b'a'; 64 << 20])].concat();
    let end = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0xff, 0xd9];
    vec![
        bomb("nothing", "no bytes at all", vec![], "not an image: neither PNG, JPEG nor BMP"),
        bomb(
            "a program",
            "a file of another kind",
            b"\x7fELF\x02\x01\x01".to_vec(),
            "not an image: neither PNG, JPEG nor BMP",
        ),
        bomb(
            "PNG of 2^31 squared",
            "tract CVE-2026-55093",
            png(0x7fff_ffff, 0x7fff_ffff, 8, 0, &[]),
            "4611686014132420609 pixels, more than the limit of 64000000",
        ),
        bomb(
            "PNG of 2^32 squared",
            "tract CVE-2026-55093",
            png(u32::MAX, u32::MAX, 8, 0, &[]),
            "18446744065119617025 pixels, more than the limit of 64000000",
        ),
        bomb(
            "PNG of no width",
            "triton CVE-2025-23321",
            png(0, 1, 8, 0, &[idat(&[])]),
            "PNG: Invalid image dimensions",
        ),
        bomb(
            "PNG of 8000 squared in 100 bytes",
            "candle 3533",
            png(8000, 8000, 8, 2, &[idat(&[0; 100])]),
            "78 bytes cannot hold an image of 8000x8000; the file is cut off",
        ),
        bomb(
            "PNG of 3 bits",
            "an enum out of range",
            png(1, 1, 3, 0, &[idat(&[0; 2])]),
            "PNG: Invalid bit depth 3.",
        ),
        bomb(
            "PNG of colour 9",
            "an enum out of range",
            png(1, 1, 8, 9, &[idat(&[0; 2])]),
            "PNG: Invalid color type 9.",
        ),
        bomb(
            "PNG without pixels",
            "openvino PR 35607: absent parts",
            png(1, 1, 8, 0, &[]),
            "PNG: IDAT or fdAT chunk is missing.",
        ),
        bomb(
            "PNG without palette",
            "openvino PR 35607: absent parts",
            png(1, 1, 8, 3, &[idat(&[0; 2])]),
            "PNG: Missing palette of indexed image.",
        ),
        bomb(
            "PNG chunk of 4 GiB",
            "tract PR 2766",
            {
                let mut file = png(1, 1, 8, 0, &[]);
                file[33..37].copy_from_slice(&u32::MAX.to_be_bytes());
                file
            },
            "PNG: Chunk length wrong: ChunkType { type: IEND, critical",
        ),
        bomb(
            "PNG of a wrong checksum",
            "a picture that changed on the way",
            damaged,
            "PNG: CRC error: expected 0x781e6d35 have 0x791e6d35 while",
        ),
        bomb(
            "PNG whose rows end early",
            "tract 2390",
            png(40, 40, 8, 0, &[idat(&[0; 100])]),
            "PNG: IDAT or fDAT chunk does not have enough data for image.",
        ),
        bomb(
            "PNG with 64 MiB of text in 64 KiB and no pixels",
            "triton: gzip bomb",
            png(1, 1, 8, 0, &[chunk(b"zTXt", &text)]),
            "PNG: IDAT or fdAT chunk is missing.",
        ),
        bomb(
            "JPEG of 65,535 squared",
            "candle 3533",
            jpeg(65535, 65535, &end),
            "4294836225 pixels, more than the limit of 64000000",
        ),
        bomb(
            "JPEG of 8000 squared in 30 bytes",
            "candle 3533",
            jpeg(8000, 8000, &end),
            "27 bytes cannot hold an image of 8000x8000; the file is cut off",
        ),
        bomb(
            "JPEG of no height",
            "triton CVE-2025-23321",
            jpeg(8, 0, &end),
            "JPEG: Image width or height is set to zero, cannot continue",
        ),
        bomb(
            "JPEG without end",
            "a download that broke off",
            jpeg(8, 8, &end[..10]),
            "JPEG: the file is cut off; its end marker is missing",
        ),
        bomb(
            "JPEG without tables",
            "openvino PR 35607: absent parts",
            jpeg(8, 8, &end),
            "JPEG: Error parsing DQT segment. Reason:No quantization table",
        ),
        bomb(
            "JPEG segment of no length",
            "a parser that stands still",
            [&[0xff, 0xd8, 0xff, 0xe0, 0, 0][..], &[0; 20]].concat(),
            "JPEG: \"Found a marker with invalid length:0\\n\"",
        ),
        bomb(
            "JPEG of 100,000 fill bytes",
            "a parser that stands still",
            [&[0xff, 0xd8][..], &[0xff; 100_000]].concat(),
            "JPEG: I/O errors Not enough bytes, expected 1 but found 0",
        ),
        bomb(
            "BMP of 2^31 - 1 squared",
            "tract CVE-2026-55093",
            bmp(i32::MAX, i32::MAX, 24, 0, 54),
            "4611686014132420609 pixels, more than the limit of 64000000",
        ),
        bomb(
            "BMP of height i32::MIN",
            "triton CVE-2025-23335",
            bmp(1, i32::MIN, 24, 0, 54),
            "2147483647 pixels, more than the limit of 64000000",
        ),
        bomb(
            "BMP of negative width",
            "triton CVE-2025-23335",
            bmp(-1, 1, 24, 0, 54),
            "BMP: a size of -1x1",
        ),
        bomb(
            "BMP whose pixels lie behind it",
            "tensorrt: an overwritten field",
            bmp(2, 2, 24, 0, u32::MAX),
            "BMP: 0 bytes of pixels instead of 14; the file is cut off",
        ),
        bomb(
            "BMP of 8000 squared in 70 bytes",
            "candle 3533",
            bmp(8000, 8000, 24, 0, 54),
            "BMP: 16 bytes of pixels instead of 192000000; the file is cut",
        ),
        bomb(
            "BMP of 0 bits",
            "triton CVE-2025-23321",
            bmp(2, 2, 0, 0, 54),
            "BMP: 0 bits a pixel with compression 0; save it as PNG",
        ),
        bomb(
            "BMP in run lengths",
            "writes behind the row",
            bmp(2, 2, 8, 1, 54),
            "BMP: run-length compressed; save it uncompressed or as PNG",
        ),
        bomb(
            "BMP of palette index 255",
            "tflm 3389",
            {
                let mut file = bmp(2, 2, 8, 0, 70);
                file[46] = 1;
                file.extend([0xff; 16]);
                file
            },
            "BMP: colour 255 is not in the palette",
        ),
    ]
}

fn wav(format: u16, channels: u16, rate: u32, bits: u16, data_len: u32) -> Vec<u8> {
    let block = channels.wrapping_mul(bits / 8);
    let mut file = b"RIFF\x34\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(block.into()).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(data_len.to_le_bytes());
    file.extend([0; 16]);
    file
}

fn sounds() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes, refusal| {
        super::bomb(Reader::Wav, name, stands_for, bytes, refusal)
    };
    let float = |value: f32| {
        let mut file = wav(3, 1, 8000, 32, 16);
        let at = file.len() - 8;
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        file
    };
    vec![
        bomb("nothing", "no bytes at all", vec![], "not a WAV file: it does not start with RIFF"),
        bomb(
            "another kind",
            "a file of another kind",
            b"OggS\0\0\0\0".to_vec(),
            "not a WAV file: it does not start with RIFF",
        ),
        bomb(
            "no format",
            "openvino PR 35607: absent parts",
            b"RIFF\x04\0\0\0WAVE".to_vec(),
            "WAV: the file is cut off",
        ),
        bomb(
            "4 GiB of samples",
            "burn 5651",
            wav(1, 1, 8000, 16, 0xffff_fff0),
            "WAV: it declares 2147483640 samples and ends before them; save",
        ),
        bomb(
            "no channels",
            "triton CVE-2025-23321",
            wav(1, 0, 8000, 16, 16),
            "WAV: 0 channels at 8000 Hz",
        ),
        bomb(
            "65,535 channels",
            "triton CVE-2025-23323",
            wav(1, 65535, 8000, 16, 16),
            "WAV: 65535 channels at 8000 Hz",
        ),
        bomb("no rate", "triton CVE-2025-23321", wav(1, 1, 0, 16, 16), "WAV: 1 channels at 0 Hz"),
        bomb(
            "samples of 0 bits",
            "triton CVE-2025-23321",
            wav(1, 1, 8000, 0, 16),
            "WAV: samples of 0 bits in format 1; save it as 16-bit PCM",
        ),
        bomb(
            "samples of 65,535 bits",
            "triton CVE-2025-23323",
            wav(1, 1, 8000, 65535, 16),
            "WAV: samples of 65535 bits in format 1; save it as 16-bit PCM",
        ),
        bomb(
            "compressed",
            "a part that is silently skipped",
            wav(0x55, 1, 8000, 16, 16),
            "WAV: samples of 16 bits in format 85; save it as 16-bit PCM",
        ),
        bomb(
            "half a frame",
            "tract 2390",
            wav(1, 2, 8000, 16, 14),
            "WAV: 14 bytes of samples, 4 a moment; save the recording again",
        ),
        bomb("NaN", "a value that spreads", float(f32::NAN), "sample 2: WAV: not a finite number"),
        bomb(
            "infinity",
            "a value that spreads",
            float(f32::INFINITY),
            "sample 2: WAV: not a finite number",
        ),
        bomb(
            "a format of 4 GiB",
            "candle 3533",
            b"RIFF\x34\0\0\0WAVEfmt \xff\xff\xff\xff\0\0\0\0".to_vec(),
            "WAV: a format of 4294967295 bytes",
        ),
    ]
}

fn tables() -> Vec<Bomb> {
    let bomb = |name, stands_for, bytes: &[u8], refusal| {
        super::bomb(Reader::Csv, name, stands_for, bytes.to_vec(), refusal)
    };
    vec![
        bomb("nothing", "no bytes at all", b"", "the table has no numbers"),
        bomb(
            "a quote without end",
            "a parser that reads on",
            b"a,b\n\"1,2\n3,4\n",
            "line 2, column 1: a quote that does not end",
        ),
        bomb(
            "rows of other lengths",
            "onnxruntime 4585",
            b"1,2\n3\n",
            "line 2: 1 cells where the first line has 2",
        ),
        bomb(
            "not UTF-8",
            "text format",
            b"1,2\n\xff\xfe\n",
            "line 2: the table is not UTF-8 text; save it as UTF-8",
        ),
        bomb(
            "NaN",
            "a value that spreads",
            b"1,2\nnan,3\n",
            "line 2, column 1: the value is missing (\"nan\"); fill it in or",
        ),
        bomb(
            "a number beyond f64",
            "a value that spreads",
            b"1,2\n1e999,3\n",
            "line 2, column 1: \"1e999\" is not a finite number",
        ),
        bomb(
            "a formula",
            "a cell that runs code",
            b"1,2\n=cmd(),3\n",
            "line 2, column 1: \"=cmd()\" is not a number; remove the column",
        ),
        bomb(
            "2^19 columns",
            "one cell costs more memory than bytes",
            &b"1,".repeat(1 << 19),
            "line 1: more than 262144 cells",
        ),
        bomb(
            "zero bytes",
            "a name cut off by C",
            b"1,2\n\0,3\n",
            "line 2, column 1: \"\\0\" is not a number",
        ),
    ]
}
