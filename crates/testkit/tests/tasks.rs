//! What people see in the pictures of the zoo is what models with their tasks say.

use std::path::PathBuf;

use embarca::task::{PictureSpec, Spec, recognize};
use embarca::{Feed, LoadOptions, Model, OpenOptions, Pipeline, Plan, Src, Staged, Ty};
use embarca_data::{DataLimits, Image, image, labels};
use embarca_num::DType;

fn zoo() -> Option<PathBuf> {
    std::env::var_os("EMBARCA_ZOO").map(PathBuf::from)
}

fn picture(path: &str) -> Option<Image> {
    let bytes = std::fs::read(zoo()?.join("images").join(path)).ok()?;
    Some(image::decode(&bytes, &DataLimits::default()).ok()?.to_rgb())
}

fn names(file: &str) -> Option<Vec<String>> {
    let bytes = std::fs::read(zoo()?.join("labels").join(file)).ok()?;
    labels::read(&bytes, &DataLimits::default()).ok()
}

/// A model with its task, in memory.
fn staged(model: &str, names: Option<Vec<String>>, change: impl Fn(&mut Spec)) -> Staged {
    let model = Model::open(zoo().unwrap().join("models").join(model)).unwrap();
    let mut net = model.net();
    net.labels = names.unwrap_or(net.labels);
    let mut spec = recognize(&net, true).expect("a task that is recognized");
    change(&mut spec);
    let plan = model.plan(LoadOptions::default()).unwrap();
    embarca::staged(&plan, &net, &spec).unwrap()
}

fn run(pipeline: &mut Pipeline, picture: &Image) {
    let dims = [1, picture.height as u32, picture.width as u32, 3];
    let tensor = Src { ty: Ty { dtype: DType::U8, dims: &dims }, data: &picture.pixels };
    pipeline.run(&[Feed { name: "picture", tensor }]).unwrap();
}

fn floats(pipeline: &Pipeline, name: &str) -> Vec<f32> {
    let bytes = pipeline.output(name).unwrap_or_else(|| panic!("no {name}")).data;
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn integers(pipeline: &Pipeline, name: &str) -> Vec<i32> {
    let bytes = pipeline.output(name).unwrap_or_else(|| panic!("no {name}")).data;
    bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
}

#[test]
fn classes_are_those_that_people_see() {
    if zoo().is_none() {
        return;
    }
    let plain = |_: &mut Spec| {};
    let imagenet = || names("imagenet_1001.txt");
    let crop = |spec: &mut Spec| {
        spec.picture = Some(PictureSpec {
            fit: Some("crop".into()),
            short: Some(256),
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
            ..PictureSpec::default()
        });
    };
    let cases: [(&str, Option<Vec<String>>, &dyn Fn(&mut Spec), &[(&str, &str)]); 7] = [
        (
            "mobilenet_v2_1.0_224_ptq.tflite",
            imagenet(),
            &plain,
            &[
                ("cat.bmp", "Egyptian cat"),
                ("grace_hopper.png", "military uniform"),
                ("parrot.jpg", "macaw"),
                ("sunflower.png", "daisy"),
            ],
        ),
        ("mobilenet_v1_0.25_128_uint8.tflite", imagenet(), &plain, &[("parrot.jpg", "macaw")]),
        (
            "vww_mobilenet_int8.tflite",
            names("vww.txt"),
            &plain,
            &[
                ("grace_hopper.png", "person"),
                ("squat.png", "person"),
                ("cat.bmp", "no person"),
                ("sunflower.png", "no person"),
            ],
        ),
        ("vww_mobilenet_f32.tflite", names("vww.txt"), &plain, &[("cat.bmp", "no person")]),
        (
            "person_detect_int8.tflite",
            names("person_detect.txt"),
            &plain,
            &[("grace_hopper.png", "person")],
        ),
        (
            "mnist_lstm_int8.tflite",
            Some((0..10).map(|i| i.to_string()).collect()),
            &plain,
            &[("mnist_sample0.png", "0"), ("mnist_sample3.png", "3")],
        ),
        ("doc_orientation_lcnet.onnx", None, &crop, &[("ocr_text_det.jpg", "0")]),
    ];
    for (model, names, change, pictures) in cases {
        let mut staged = staged(model, names, change);
        for (path, truth) in pictures {
            run(&mut staged.pipeline, &picture(path).unwrap());
            let best = integers(&staged.pipeline, "classes")[0] as usize;
            assert_eq!(staged.task.labels[best], *truth, "{model} on {path}");
        }
    }
}

/// The share of two boxes that both cover.
fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let side = |k: usize| (a[k + 2].min(b[k + 2]) - a[k].max(b[k])).max(0.0);
    let area = |b: [f32; 4]| (b[2] - b[0]) * (b[3] - b[1]);
    let common = side(0) * side(1);
    common / (area(a) + area(b) - common)
}

#[test]
fn boxes_lie_where_people_see_things() {
    if zoo().is_none() {
        return;
    }
    let hopper: &[(&str, [f32; 4])] = &[("", [173.5, 121.4, 358.2, 333.0])];
    let faces: &[(&str, [f32; 4])] = &[
        ("", [130.8, 80.2, 222.1, 203.3]),
        ("", [260.2, 47.0, 347.1, 168.2]),
        ("", [438.7, 118.1, 489.2, 184.5]),
    ];
    let bus: &[(&str, [f32; 4])] =
        &[("bus", [148.0, 224.0, 779.0, 732.0]), ("person", [51.0, 398.0, 223.0, 908.0])];
    let coco = || names("coco_80.txt");
    for (model, names, path, truths, least) in [
        ("ultraface_rfb_320_onnx.onnx", None, "grace_hopper.png", hopper, 0.7),
        ("ultraface_rfb_320_onnx.onnx", None, "face.jpg", faces, 0.9),
        ("ultraface_rfb_320_caffe.prototxt", None, "face.jpg", faces, 0.9),
        ("blazeface_short_f16.tflite", None, "grace_hopper.png", hopper, 0.4),
        ("blazeface_short_f16.tflite", None, "face.jpg", faces, 0.4),
        ("yolov8n_faces_320.onnx", None, "face.jpg", faces, 0.4),
        ("nanodet_m_416.onnx", coco(), "bus.jpg", bus, 0.8),
        ("nanodet_m_416.onnx", coco(), "cat.bmp", &[("cat", [0.0; 4])], 0.0),
    ] {
        let mut staged = staged(model, names, |_| {});
        run(&mut staged.pipeline, &picture(path).unwrap());
        let pipeline = &staged.pipeline;
        let (corners, classes) = (floats(pipeline, "boxes"), integers(pipeline, "classes"));
        let count = integers(pipeline, "count")[0] as usize;
        let found: Vec<([f32; 4], &str)> = corners
            .as_chunks::<4>()
            .0
            .iter()
            .zip(classes)
            .take(count)
            .map(|(corners, class)| (*corners, staged.task.labels[class as usize].as_str()))
            .collect();
        for (label, truth) in truths {
            let fits = |(corners, name): &([f32; 4], &str)| {
                (label.is_empty() || label == name) && least <= overlap(*corners, *truth)
            };
            assert!(found.iter().any(fits), "{model} on {path}: {label} {truth:?} in {found:?}");
        }
    }
}

#[test]
fn masks_points_and_words_are_those_that_people_see() {
    if zoo().is_none() {
        return;
    }
    // The mask that its authors published agrees with 96.4 % of the net's pixels.
    let model = "deeplabv3_mnv2_dm05_pascal_uint8.tflite";
    let mut deeplab = staged(model, names("pascal_voc_21.txt"), |_| {});
    run(&mut deeplab.pipeline, &picture("bird_segmentation.png").unwrap());
    let truth = picture("bird_segmentation_mask.png").unwrap();
    let mask = deeplab.pipeline.output("mask").unwrap().data;
    let pairs = mask.iter().zip(truth.pixels.chunks(3));
    let same = pairs.filter(|(a, b)| **a == b[0]).count();
    assert!(0.96 < same as f64 / mask.len() as f64, "{same} of {}", mask.len());

    // Keypoints that the reference is sure of, as shares of the picture: id, x, y.
    let mut movenet = staged("movenet_lightning_ptq.tflite", None, |_| {});
    let squat = picture("squat.png").unwrap();
    run(&mut movenet.pipeline, &squat);
    let points = floats(&movenet.pipeline, "points");
    let path = zoo().unwrap().join("labels/movenet_squat_reference.csv");
    let reference = std::fs::read_to_string(path).unwrap();
    let mut sure = 0;
    for line in reference.lines().skip(1) {
        let cells: Vec<f32> = line.split(',').map(|cell| cell.trim().parse().unwrap()).collect();
        let [_, _, id, score, x, y] = cells[..] else { panic!("{line}") };
        let [found_x, found_y, found] = points.as_chunks::<3>().0[id as usize];
        if 0.5 < score && 0.5 < found {
            let far = |a: f32, b: f32| 0.04 < (a - b).abs();
            let (x_, y_) = (found_x / squat.width as f32, found_y / squat.height as f32);
            assert!(!far(x, x_) && !far(y, y_), "{line}: {x_} {y_}");
            sure += 1;
        }
    }
    assert!(5 <= sure, "{sure} sure points");

    let model = "ppocr_v6_tiny_rec.onnx";
    let mut reader = staged(model, names("ppocr_v6_tiny_chars.txt"), |_| {});
    for (path, text) in [
        ("ocr_text_rec.jpg", "韩国小馆"),
        (
            "ocr_en_rec.jpg",
            "To facilitate the shot type analysis in videos, we collect MovieShots, a large-scale",
        ),
    ] {
        run(&mut reader.pipeline, &picture(path).unwrap());
        let count = integers(&reader.pipeline, "count")[0] as usize;
        let characters = integers(&reader.pipeline, "characters");
        let read = characters.iter().take(count);
        let read: String = read.map(|&class| reader.task.labels[class as usize].as_str()).collect();
        assert_eq!(read, text);
    }

    let mut finder = staged("ppocr_v6_tiny_det.onnx", None, |_| {});
    run(&mut finder.pipeline, &picture("ocr_text_det.jpg").unwrap());
    assert_eq!(integers(&finder.pipeline, "count"), [15]);

    let mut larger = staged("wechat_qr_sr.prototxt", None, |_| {});
    run(&mut larger.pipeline, &picture("mnist_sample3.png").unwrap());
    // The net's file gives its input 224 pixels a side.
    let dims = [2 * 224 - 1, 2 * 224 - 1, 1];
    assert_eq!(larger.pipeline.output("enlarged").unwrap().ty.dims, dims);
}

#[test]
fn a_plan_answers_as_its_model() {
    if zoo().is_none() {
        return;
    }
    let path = zoo().unwrap().join("models/ultraface_rfb_320_onnx.onnx");
    let model = Model::open(path).unwrap();
    let spec = recognize(&model.net(), false).unwrap();
    let targets = ["x86-64", "aarch64", "cpu"];
    let bytes = model.build_task(&targets, Some(&spec)).unwrap();
    assert_eq!(bytes, model.build_task(&targets, Some(&spec)).unwrap());
    let plan = Plan::from_bytes(&bytes, LoadOptions::default()).unwrap();
    let mut stored = Pipeline::of(&plan).unwrap().unwrap();
    let mut made = staged("ultraface_rfb_320_onnx.onnx", None, |_| {});
    let face = picture("face.jpg").unwrap();
    run(&mut stored, &face);
    run(&mut made.pipeline, &face);
    for name in ["boxes", "scores", "classes", "count"] {
        let (a, b) = (stored.output(name).unwrap(), made.pipeline.output(name).unwrap());
        assert_eq!((a.ty, a.data), (b.ty, b.data), "{name}");
    }
    // The model keeps its own interface.
    assert_eq!(plan.inputs()[0].dims, [Some(1), Some(3), Some(240), Some(320)]);
    assert!(stored.set("score", 0.9999) && !stored.set("nothing", 1.0));
    run(&mut stored, &face);
    assert!(integers(&stored, "count")[0] < integers(&made.pipeline, "count")[0]);
}

#[test]
fn described_tasks_answer_as_well() {
    if zoo().is_none() {
        return;
    }
    let hopper = picture("grace_hopper.png").unwrap();
    let face = hopper.crop(173, 121, 185, 212).unwrap();
    let corner = hopper.crop(0, 0, 100, 100).unwrap();
    let line = picture("ocr_en_rec.jpg").unwrap();
    let turned = Image {
        pixels: line.pixels.as_chunks::<3>().0.iter().rev().flatten().copied().collect(),
        ..line.clone()
    };
    let crop = include_str!("../../../examples/tasks/face-crop.toml");
    let direction = include_str!("../../../examples/tasks/text-direction.toml");
    for (model, text, picture, truth) in [
        ("mtcnn_onet.prototxt", crop, &face, "face"),
        ("mtcnn_onet.prototxt", crop, &corner, "no face"),
        ("mtcnn_rnet.prototxt", crop, &face, "face"),
        ("mtcnn_rnet.prototxt", crop, &corner, "no face"),
        ("ppocr_cls.onnx", direction, &line, "0"),
        ("ppocr_cls.onnx", direction, &turned, "180"),
    ] {
        let mut staged = staged(model, Some(vec!["a".into(), "b".into()]), |spec| {
            *spec = Spec::from_toml(text).unwrap();
        });
        run(&mut staged.pipeline, picture);
        let best = integers(&staged.pipeline, "classes")[0] as usize;
        assert_eq!(staged.task.labels[best], truth, "{model}");
    }
}

#[test]
fn letterboxed_pictures_have_their_answers_in_place() {
    if zoo().is_none() {
        return;
    }
    let letterbox = |spec: &mut Spec| {
        let picture = spec.picture.get_or_insert_with(PictureSpec::default);
        (picture.fit, picture.size) = (Some("letterbox".into()), Some([513, 513]));
    };
    let model = "deeplabv3_mnv2_dm05_pascal_uint8.tflite";
    let mut deeplab = staged(model, names("pascal_voc_21.txt"), letterbox);
    let bird = picture("bird_segmentation.png").unwrap().crop(0, 60, 513, 363).unwrap();
    let truth = picture("bird_segmentation_mask.png").unwrap().crop(0, 60, 513, 363).unwrap();
    run(&mut deeplab.pipeline, &bird);
    let mask = deeplab.pipeline.output("mask").unwrap();
    assert_eq!(mask.ty.dims, [363, 513]);
    let pairs = mask.data.iter().zip(truth.pixels.chunks(3));
    let same = pairs.filter(|(a, b)| (**a == 0) == (b[0] == 0)).count();
    assert!(0.93 < same as f64 / mask.data.len() as f64, "{same} of {}", mask.data.len());

    // The same lines, in a frame that the page does not fill.
    let mut plain = staged("ppocr_v6_tiny_det.onnx", None, |_| {});
    let mut boxed = staged("ppocr_v6_tiny_det.onnx", None, |spec| {
        letterbox(spec);
        spec.picture.as_mut().unwrap().size = Some([640, 640]);
    });
    let page = picture("ocr_text_det.jpg").unwrap();
    let quads = |staged: &mut Staged| {
        run(&mut staged.pipeline, &page);
        let count = integers(&staged.pipeline, "count")[0] as usize;
        floats(&staged.pipeline, "quads").as_chunks::<8>().0[..count].to_vec()
    };
    let (plain, boxed) = (quads(&mut plain), quads(&mut boxed));
    let bounds = |quad: &[f32; 8]| [quad[0], quad[1], quad[4], quad[5]];
    let found =
        |quad: &[f32; 8]| boxed.iter().any(|other| 0.6 < overlap(bounds(quad), bounds(other)));
    let same = plain.iter().filter(|quad| found(quad)).count();
    assert!(12 <= same, "{same} of {}", plain.len());
}

#[test]
fn windows_of_one_scale_find_faces() {
    if zoo().is_none() {
        return;
    }
    let shapes = vec![("data".to_owned(), vec![1, 3, 72, 50])];
    let options = OpenOptions { shapes, ..OpenOptions::default() };
    let path = zoo().unwrap().join("models/mtcnn_pnet.prototxt");
    let model = Model::open_with(path, &options).unwrap();
    let spec = recognize(&model.net(), true).unwrap();
    let plan = model.plan(LoadOptions::default()).unwrap();
    let mut staged = embarca::staged(&plan, &model.net(), &spec).unwrap();
    run(&mut staged.pipeline, &picture("face.jpg").unwrap());
    let boxes = floats(&staged.pipeline, "boxes");
    let count = integers(&staged.pipeline, "count")[0] as usize;
    let faces =
        [[130.8, 80.2, 222.1, 203.3], [260.2, 47.0, 347.1, 168.2], [438.7, 118.1, 489.2, 184.5]];
    for truth in faces {
        // The first of three nets proposes; the others would move the boxes.
        let fits = |corners: &[f32; 4]| 0.5 < overlap(*corners, truth);
        assert!(boxes.as_chunks::<4>().0[..count].iter().any(fits), "{truth:?} in {boxes:?}");
    }
}

#[test]
fn codes_are_found() {
    if zoo().is_none() {
        return;
    }
    for (path, truth) in [
        ("qr_scene_a.png", [40.0, 210.0, 190.0, 360.0]),
        ("qr_scene_b.png", [200.0, 60.0, 320.0, 180.0]),
    ] {
        let mut staged = staged("wechat_qr_detect.prototxt", None, |_| {});
        run(&mut staged.pipeline, &picture(path).unwrap());
        assert_eq!(integers(&staged.pipeline, "count"), [1]);
        let corners = *floats(&staged.pipeline, "boxes").first_chunk::<4>().unwrap();
        // The net leaves out the quiet zone, which the truth holds.
        assert!(0.6 < overlap(corners, truth), "{path}: {corners:?}");
    }
}

/// Pictures `[N, height, width, channels]` of an archive.
fn pictures(file: &str, name: &str, places: &[usize]) -> Vec<Image> {
    let bytes = std::fs::read(zoo().unwrap().join("data").join(file)).unwrap();
    let arrays = embarca_data::npz::read(&bytes, &DataLimits::default()).unwrap();
    let array = arrays.iter().find(|array| array.name.as_deref() == Some(name)).unwrap();
    let (height, width) = (array.dims[1], array.dims[2]);
    let channels = array.dims.get(3).copied().unwrap_or(1);
    let len = height * width * channels;
    let pixels = |&at: &usize| array.data[at * len..][..len].to_vec();
    let image = |pixels| Image::new(width, height, channels, pixels).unwrap().to_rgb();
    places.iter().map(pixels).map(image).collect()
}

#[test]
fn small_nets_know_the_samples_of_their_data_sets() {
    if zoo().is_none() {
        return;
    }
    let best = |staged: &mut Staged, picture: &Image| {
        run(&mut staged.pipeline, picture);
        integers(&staged.pipeline, "classes")[0]
    };
    let places: Vec<usize> = (0..10).map(|class| class * 100).collect();
    let photos = pictures("cifar10_subset.npz", "test_x", &places);
    for (model, golden) in [
        ("ic_resnet8_f32.tflite", "ic_resnet8_f32.npz"),
        ("ic_resnet8_int8.tflite", "ic_resnet8_int8.npz"),
    ] {
        let bytes = std::fs::read(zoo().unwrap().join("golden").join(golden)).unwrap();
        let arrays = embarca_data::npz::read(&bytes, &DataLimits::default()).unwrap();
        let raw = |spec: &mut Spec| {
            let of = spec.picture.get_or_insert_with(PictureSpec::default);
            (of.mean, of.std) = (vec![0.0], vec![1.0]);
        };
        let mut staged = staged(model, names("cifar10.txt"), raw);
        for (case, photo) in photos.iter().enumerate() {
            let name = format!("c{case}_out0");
            let scores = arrays.iter().find(|array| array.name.as_deref() == Some(&name)).unwrap();
            let scores = scores.to_f32().unwrap();
            let want = (0..10).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
            assert_eq!(best(&mut staged, photo), want.unwrap() as i32, "{model} on {case}");
        }
    }
    let digits = pictures("mnist_4k.npz", "test_x", &[3, 10, 0, 2, 6, 1, 21, 12, 8, 38]);
    let names_of = Some((0..10).map(|i| i.to_string()).collect());
    let mut lenet = staged("lenet_mnist_caffe.prototxt", names_of, |_| {});
    for (digit, picture) in digits.iter().enumerate() {
        assert_eq!(best(&mut lenet, picture), digit as i32);
    }
    // The two files hold the net's own i8 input as bytes.
    let mut persons = staged("person_detect_int8.tflite", names("person_detect.txt"), |_| {});
    for (path, truth) in [("tflm_person.bmp", "person"), ("tflm_no_person.bmp", "no person")] {
        let mut picture = picture(path).unwrap();
        picture.pixels.iter_mut().for_each(|byte| *byte ^= 0x80);
        let class = best(&mut persons, &picture) as usize;
        assert_eq!(persons.task.labels[class], truth, "{path}");
    }
}
