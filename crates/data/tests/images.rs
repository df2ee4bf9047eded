//! Pictures against Pillow 12 and OpenCV 4; `data/make.py` made the files and the numbers.

use std::path::Path;

use embarca_data::image::{Filter, decode, encode_png};
use embarca_data::{DataLimits, ErrorKind, Image, npz, read_file};

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    read_file(&path, &DataLimits::default()).unwrap()
}

fn picture(name: &str) -> Image {
    decode(&file(name), &DataLimits::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The checksum of ZIP and PNG (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// The picture that `make.py` draws.
fn pattern(width: usize, height: usize, channels: usize) -> Image {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            pixels.extend((0..channels).map(|c| (x * x * 7 + y * 13 + c * 50 + x * y) as u8));
        }
    }
    Image::new(width, height, channels, pixels).unwrap()
}

const LOSSLESS: [(&str, usize, u32); 16] = [
    ("core.bmp", 3, 0x7788a6be),
    ("gray1.bmp", 1, 0xf8143c21),
    ("gray1.png", 1, 0xf8143c21),
    ("gray16.png", 1, 0x357af8d3),
    ("gray8.bmp", 1, 0x357af8d3),
    ("gray8.png", 1, 0x357af8d3),
    ("gray_alpha.png", 1, 0x357af8d3),
    ("palette4.bmp", 3, 0x4148798c),
    ("palette4.png", 3, 0xe9ff3ada),
    ("rgb16.png", 3, 0x7788a6be),
    ("rgb24.bmp", 3, 0x7788a6be),
    ("rgb565.bmp", 3, 0x208faad1),
    ("rgb8.png", 3, 0x7788a6be),
    ("rgba32.bmp", 3, 0x7788a6be),
    ("rgba8.png", 3, 0x7788a6be),
    ("top_down.bmp", 3, 0x7788a6be),
];

#[test]
fn lossless_files_decode_as_in_pillow() {
    for (name, channels, expected) in LOSSLESS {
        let image = picture(name);
        assert_eq!((image.width, image.height, image.channels), (13, 9, channels), "{name}");
        assert_eq!(crc(&image.pixels), expected, "{name}");
    }
}

#[test]
fn jpegs_decode_nearly_as_in_pillow() {
    for name in ["444", "420", "progressive", "gray", "turned"] {
        let image = picture(&format!("{name}.jpg"));
        let expected = picture(&format!("jpeg_{name}.png"));
        assert_eq!(
            (image.width, image.height, image.channels),
            (expected.width, expected.height, expected.channels)
        );
        let differences = image.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b));
        let worst = differences.max();
        assert!(worst <= Some(MOST), "{name}: {worst:?}");
    }
}

/// Units that a decoder may be away from libjpeg-turbo.
const MOST: u8 = 4;

#[test]
fn filters_equal_pillow_and_opencv() {
    #[rustfmt::skip]
    let cases = [
        (1, (5, 4), [0xc0576274, 0x57b467ad, 0x24c82fb0, 0x6b3ddad1]),
        (1, (40, 31), [0xe4040bab, 0x658d1b28, 0x08704732, 0x92adafad]),
        (1, (23, 9), [0x31839e6e, 0x0938e6da, 0x69ff0e72, 0x783b1295]),
        (1, (7, 17), [0xb901d9bd, 0x592d7812, 0xa4b2f03f, 0x81fa459e]),
        (1, (64, 3), [0x47084bb7, 0x63e410d4, 0xfe015963, 0x80861c6b]),
        (3, (5, 4), [0x60b49037, 0xc179d233, 0xc916b08b, 0x3835632e]),
        (3, (40, 31), [0xbcdee00e, 0x272b1fbf, 0x04effba2, 0x9d37204e]),
        (3, (23, 9), [0x503b17ba, 0x46d3dcfe, 0x4219d42a, 0x3eab688a]),
        (3, (7, 17), [0xf54facea, 0xcb0e1521, 0x79ff0694, 0x4dbea1f3]),
        (3, (64, 3), [0x93d69190, 0x8206c5b9, 0x67d0bca7, 0x08056115]),
    ];
    for (channels, (width, height), expected) in cases {
        for ((filter, name), expected) in Filter::ALL.into_iter().zip(expected) {
            let image = pattern(23, 17, channels);
            let image = image.resize(width, height, filter, &DataLimits::default()).unwrap();
            assert_eq!((image.width, image.height, image.channels), (width, height, channels));
            assert_eq!(crc(&image.pixels), expected, "{name} {channels} {width}x{height}");
        }
    }
    let half = pattern(24, 18, 3).resize(12, 9, Filter::CvLinear, &DataLimits::default());
    assert_eq!(crc(&half.unwrap().pixels), 0x757d2e36);
    assert_eq!(crc(&pattern(23, 17, 3).to_gray().pixels), 0xb5f4521b);
}

#[test]
fn png_round_trip() {
    for channels in [1, 3] {
        let image = pattern(23, 17, channels);
        let bytes = encode_png(&image).unwrap();
        assert_eq!(bytes, encode_png(&image).unwrap());
        assert_eq!(decode(&bytes, &DataLimits::default()).unwrap(), image);
    }
}

#[test]
fn limits_and_other_formats() {
    let limits = DataLimits { max_pixels: 13 * 9 - 1, ..DataLimits::default() };
    for name in ["rgb8.png", "444.jpg", "rgb24.bmp"] {
        let error = decode(&file(name), &limits).unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::TooLarge { what: "pixels", size: 117, limit: 116 }),
            "{name}: {error}"
        );
    }
    // Declares 60000 x 1000 pixels and holds next to nothing.
    let mut png = file("rgb8.png");
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0x03, 0xe8]);
    let crc = crc(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&crc);
    let mut jpeg = file("444.jpg");
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x03, 0xe8, 0xea, 0x60]);
    for (bytes, reason) in [
        (&png[..], "cannot hold an image of 60000x1000"),
        (&jpeg, "cannot hold an image of 60000x1000"),
        (b"GIF89a", "a GIF file; convert it"),
        (b"RIFF....WEBP", "a WebP file; convert it"),
        (b"hello", "neither PNG, JPEG nor BMP"),
        (b"", "neither PNG, JPEG nor BMP"),
        (b"BM", "ends inside its header"),
    ] {
        let message = decode(bytes, &DataLimits::default()).unwrap_err().to_string();
        assert!(message.contains(reason), "{message:?} lacks {reason:?}");
    }
    let mut rle = file("palette4.bmp");
    rle[30] = 2;
    let message = decode(&rle, &DataLimits::default()).unwrap_err().to_string();
    assert!(message.contains("run-length compressed; save it"), "{message}");
}

/// The last 20 bytes may be an end marker and checksums that no pixel needs.
#[test]
fn no_truncation_or_flip_panics() {
    let jpegs = ["444.jpg", "420.jpg", "progressive.jpg", "gray.jpg", "turned.jpg"];
    for name in LOSSLESS.map(|(name, ..)| name).into_iter().chain(jpegs) {
        let bytes = file(name);
        for end in (0..bytes.len() - 20).step_by(7) {
            assert!(decode(&bytes[..end], &DataLimits::default()).is_err(), "{name} {end}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            if let Ok(image) = decode(&bytes, &DataLimits::default()) {
                assert_eq!(image.pixels.len(), image.width * image.height * image.channels);
            }
        }
    }
}

/// The zoo's goldens hold what Pillow made of its pictures.
#[test]
fn zoo_inputs_are_reproduced() {
    let Some(zoo) = std::env::var_os("EMBARCA_ZOO") else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let limits = DataLimits::default();
    for (model, case, name, size, shift) in [
        ("mobilenet_v1_0.25_128_uint8", 0, "cat.bmp", 128, 0),
        ("mobilenet_v1_0.25_128_uint8", 1, "grace_hopper.png", 128, 0),
        ("mobilenet_v2_1.0_224_ptq", 1, "grace_hopper.png", 224, 0),
        ("vww_mobilenet_int8", 0, "grace_hopper.png", 96, 128),
        ("vww_mobilenet_int8", 3, "sunflower.png", 96, 128),
        ("movenet_lightning_ptq", 0, "squat.png", 192, 0),
        ("traffic_ssd_lstm_uint8", 2, "traffic_0003.png", 256, 0),
    ] {
        let golden = Path::new(&zoo).join("golden").join(format!("{model}.npz"));
        let arrays = npz::read(&read_file(&golden, &limits).unwrap(), &limits).unwrap();
        let key = format!("c{case}_in0");
        let golden = arrays.into_iter().find(|array| array.name.as_ref() == Some(&key)).unwrap();

        let bytes = read_file(&Path::new(&zoo).join("images").join(name), &limits).unwrap();
        let image = decode(&bytes, &limits).unwrap().to_rgb();
        let image = image.resize(size, size, Filter::Bilinear, &limits).unwrap();
        let pixels: Vec<u8> = image.pixels.iter().map(|&x| x.wrapping_sub(shift)).collect();
        assert!(golden.data == pixels, "{model} {key} {name}");
    }
}
