//! Files that other programs wrote: the zoo's arrays, recordings, tables and label lists.

use std::path::{Path, PathBuf};

use embarca_data::audio::{Method, decode_wav};
use embarca_data::zip::Packing;
use embarca_data::{DataLimits, csv, digits, labels, npz, read_file};
use embarca_num::DType;

fn zoo() -> Option<PathBuf> {
    let zoo = std::env::var_os("EMBARCA_ZOO");
    if zoo.is_none() {
        println!("skipped: EMBARCA_ZOO is not set");
    }
    zoo.map(PathBuf::from)
}

fn bytes(path: &Path) -> Vec<u8> {
    read_file(path, &DataLimits::default()).unwrap()
}

#[test]
fn arrays() {
    let (Some(zoo), limits) = (zoo(), DataLimits::default()) else { return };
    for (file, count, name, dtype, dims) in [
        ("data/digits8x8.npz", 2, "x", DType::U8, &[1797, 8, 8][..]),
        ("data/ts_ItalyPowerDemand.npz", 4, "train_x", DType::F32, &[67, 1, 24]),
        ("golden/hello_world_int8.npz", 12, "c0_in0", DType::I8, &[1, 1]),
        ("ops/seanet_golden.npz", 142, "add0_in0", DType::I16, &[320]),
    ] {
        let arrays = npz::read(&bytes(&zoo.join(file)), &limits).unwrap();
        assert_eq!(arrays.len(), count, "{file}");
        let array = arrays.iter().find(|array| array.name.as_deref() == Some(name)).unwrap();
        assert_eq!((array.dtype, &array.dims[..]), (dtype, dims), "{file}");
        for packing in [Packing::Stored, Packing::Deflated] {
            let again = npz::write(&arrays, packing).unwrap();
            assert_eq!(npz::read(&again, &limits).unwrap(), arrays, "{file}");
        }
    }
    let arrays = npz::read(&bytes(&zoo.join("data/digits8x8.npz")), &limits).unwrap();
    assert_eq!(arrays[0].data, digits::load().images);
    assert_eq!(arrays[1].data, digits::load().labels);
}

#[test]
fn recordings() {
    let (Some(zoo), limits) = (zoo(), DataLimits::default()) else { return };
    for (file, rate, count) in
        [("yes_1000ms.wav", 16000, 16000), ("three_notes_22050.wav", 22050, 43844)]
    {
        let audio = decode_wav(&bytes(&zoo.join("audio").join(file)), &limits).unwrap();
        assert_eq!((audio.rate, audio.samples.len()), (rate, count), "{file}");
        let pcm = audio.pcm16.as_ref().unwrap();
        let exact = pcm.iter().map(|&x| f32::from(x) / 32768.0);
        assert!(audio.samples.iter().copied().eq(exact), "{file}");
        let slow = audio.at_rate(8000, Method::Polyphase, &limits).unwrap();
        assert!((slow.seconds() - audio.seconds()).abs() < 1e-3, "{file}");
    }
}

#[test]
fn tables() {
    let (Some(zoo), limits) = (zoo(), DataLimits::default()) else { return };
    for (file, rows, columns, first, last_name) in [
        ("iris.csv", 150, 5, 5.1, "target"),
        ("breast_cancer.csv", 569, 31, 17.99, "target"),
        ("diabetes.csv", 442, 11, 0.038076, "target"),
    ] {
        let table = csv::read(&bytes(&zoo.join("data").join(file)), &limits).unwrap();
        assert_eq!(
            (table.rows(), table.columns, table.values[0]),
            (rows, columns, first),
            "{file}"
        );
        assert_eq!(table.header.unwrap().last().unwrap(), last_name, "{file}");
    }
    let path = zoo.join("data/anomaly_daphnet_s06r02.csv");
    let message = csv::read(&bytes(&path), &limits).unwrap_err().in_file(&path).to_string();
    let end = "s06r02.csv: line 2, column 1: \"1970-01-01 00:04:40.000\" is not a number; remove the \
               column or encode it as numbers";
    assert!(message.ends_with(end), "{message}");
}

#[test]
fn label_lists() {
    let (Some(zoo), limits) = (zoo(), DataLimits::default()) else { return };
    for (file, count, at, label) in [
        ("imagenet_1001.txt", 1001, 282, "tabby, tabby cat"),
        ("coco_80.txt", 80, 79, "toothbrush"),
        ("doc_orientation.txt", 4, 1, "90"),
        // A blank line and two lines of prose follow the 21 classes: whoever knows the net cuts.
        ("pascal_voc_21.txt", 24, 20, "tvmonitor"),
        ("ppocr_v6_tiny_chars.txt", 6906, 1, "!"),
    ] {
        let labels = labels::read(&bytes(&zoo.join("labels").join(file)), &limits).unwrap();
        assert_eq!(labels.len(), count, "{file}");
        assert_eq!(labels[at], label, "{file}");
    }
}
