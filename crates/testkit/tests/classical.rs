//! Classical models of ONNX (`ai.onnx.ml`), with classes that texts or whole numbers name. What they
//! should say is what ONNX Runtime says.

use std::borrow::Cow;

use embarca_ir::build::build;
use embarca_ir::foreign::{
    AttrValue, ForeignDim, ForeignGraph, ForeignMeta, ForeignModel, ForeignNode, ForeignTensor,
    Format,
};
use embarca_ir::{Const, Model};
use embarca_num::DType;

type Attrs<'a> = &'a [(&'a str, AttrValue)];

fn texts(list: &[&str]) -> AttrValue {
    AttrValue::Texts(list.iter().map(|&text| text.to_owned()).collect())
}

fn text(text: &str) -> AttrValue {
    AttrValue::Text(text.to_owned())
}

fn ints(list: &[i64]) -> AttrValue {
    AttrValue::Ints(list.to_vec())
}

fn floats(list: &[f32]) -> AttrValue {
    AttrValue::Floats(list.to_vec())
}

/// A constant of texts, as readers lay it out.
fn text_data(list: &[&str]) -> Vec<u8> {
    let mut at = 4 * (list.len() + 2) as i32;
    let mut data = (list.len() as i32).to_le_bytes().to_vec();
    data.extend(at.to_le_bytes());
    for text in list {
        at += text.len() as i32;
        data.extend(at.to_le_bytes());
    }
    data.extend(list.concat().into_bytes());
    data
}

/// A model under construction; tensor 0 is the input `x`, f32 `[n, 2]`.
struct Draft {
    graph: ForeignGraph<'static>,
}

impl Draft {
    fn new() -> Self {
        let mut draft = Self { graph: ForeignGraph::default() };
        let dims = vec![ForeignDim::Named("n".to_owned()), ForeignDim::Known(2)];
        draft.tensor("x", Some(DType::F32), Some(dims), None);
        draft.graph.inputs = vec![0];
        draft
    }

    fn tensor(
        &mut self,
        name: &str,
        dtype: Option<DType>,
        dims: Option<Vec<ForeignDim>>,
        data: Option<Vec<u8>>,
    ) -> usize {
        self.graph.tensors.push(ForeignTensor {
            name: name.to_owned(),
            dtype,
            dims,
            quant: None,
            data: data.map(Cow::Owned),
            is_variable: false,
        });
        self.graph.tensors.len() - 1
    }

    fn texts(&mut self, list: &[&str]) -> usize {
        let dims = Some(vec![ForeignDim::Known(list.len() as u64)]);
        self.tensor("texts", Some(DType::Str), dims, Some(text_data(list)))
    }

    fn node(
        &mut self,
        domain: &str,
        op: &str,
        inputs: &[usize],
        outputs: usize,
        attrs: Attrs<'_>,
    ) -> Vec<usize> {
        let outputs: Vec<usize> = (0..outputs).map(|_| self.tensor("", None, None, None)).collect();
        self.graph.nodes.push(ForeignNode {
            op: op.to_owned(),
            domain: domain.to_owned(),
            version: if domain.is_empty() { 18 } else { 3 },
            name: String::new(),
            inputs: inputs.iter().copied().map(Some).collect(),
            blobs: Vec::new(),
            outputs: outputs.iter().copied().map(Some).collect(),
            attrs: attrs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        });
        outputs
    }

    fn ml(&mut self, op: &str, inputs: &[usize], outputs: usize, attrs: Attrs<'_>) -> Vec<usize> {
        self.node("ai.onnx.ml", op, inputs, outputs, attrs)
    }

    fn build(self, outputs: &[usize]) -> Result<Model, String> {
        self.build_named(outputs, &[])
    }

    /// With names of the classes in the file's metadata.
    fn build_named(mut self, outputs: &[usize], names: &[&str]) -> Result<Model, String> {
        self.graph.outputs = outputs.to_vec();
        let graphs = vec![self.graph];
        let labels = names.iter().map(|&name| name.to_owned()).collect();
        let meta = ForeignMeta { labels, ..ForeignMeta::default() };
        let model = ForeignModel { format: Format::Onnx, graphs, meta };
        let model = build(&model, &Default::default()).map_err(|error| error.to_string())?;
        embarca_ir::verify(&model).map_err(|error| error.to_string())?;
        Ok(model)
    }
}

const ROWS: [f32; 8] = [0.0, 0.0, 1.0, -1.0, -1.5, 0.5, 2.0, 2.0];

/// What the model says of [`ROWS`].
fn said(model: &Model) -> Vec<Const> {
    embarca_opt::eval(model, &[Const::from_f32(&[4, 2], &ROWS)]).unwrap()
}

/// The labels that output 0 says, by their names.
fn labels(model: &Model, answer: &Const) -> Vec<String> {
    let places = answer.to_i64().unwrap();
    places.into_iter().map(|place| model.meta.labels[place as usize].clone()).collect()
}

fn near(answer: &Const, expected: &[f32]) {
    let answer = answer.to_f64().unwrap();
    assert_eq!(answer.len(), expected.len());
    for (at, (is, should)) in answer.iter().zip(expected).enumerate() {
        assert!((is - f64::from(*should)).abs() < 1e-5, "{at}: {is} for {should}");
    }
}

const VECTORS: [f32; 10] = [-0.75, 0.75, 1.0, 0.0, 0.25, 0.75, -0.75, 1.75, -2.0, 2.0];
const WEIGHTS: [f32; 10] = [-1.75, 1.0, -0.25, 1.25, -0.5, -0.75, 0.75, 0.5, 1.5, -1.0];

/// Machines of three classes with 2, 1 and 2 vectors.
fn machines(kernel: &str, parameters: &[f32], chances: bool) -> Model {
    let mut attrs = vec![
        ("support_vectors", floats(&VECTORS)),
        ("coefficients", floats(&WEIGHTS)),
        ("rho", floats(&[0.25, -0.5, 0.125])),
        ("vectors_per_class", ints(&[2, 1, 2])),
        ("classlabels_strings", texts(&["cat", "dog", "cow"])),
        ("kernel_type", text(kernel)),
        ("kernel_params", floats(parameters)),
    ];
    if chances {
        attrs.push(("prob_a", floats(&[-1.5, -2.0, -1.0])));
        attrs.push(("prob_b", floats(&[0.1, -0.2, 0.3])));
    }
    let mut draft = Draft::new();
    let outputs = draft.ml("SVMClassifier", &[0], 2, &attrs);
    draft.build(&outputs).unwrap()
}

#[test]
fn machines_vote_for_one_of_three_classes() {
    type Case = (&'static str, [f32; 3], [&'static str; 4], [f32; 12]);
    let cases: [Case; 4] = [
        (
            "RBF",
            [0.5, 0.0, 3.0],
            ["dog", "cat", "dog", "cat"],
            [
                -0.32349324,
                -0.27754006,
                0.71736044,
                0.7338707,
                -0.074079685,
                0.21389373,
                -1.0439559,
                -0.73089504,
                0.46168703,
                0.28906876,
                -0.41881484,
                0.20731056,
            ],
        ),
        (
            "POLY",
            [0.5, 1.0, 3.0],
            ["dog", "cat", "cow", "cat"],
            [
                -0.75, 0.25, 1.125, 3.4921875, 2.5, 1.3125, -9.363281, -8.0078125, -14.375, 4.5,
                14.25, 15.125,
            ],
        ),
        (
            "SIGMOID",
            [0.25, 0.5, 3.0],
            ["dog", "cat", "dog", "cat"],
            [
                -0.21211717,
                -0.15341215,
                0.58711714,
                0.57794195,
                -0.04128567,
                0.5797664,
                -0.9730112,
                -0.43524584,
                0.5933016,
                0.0124906,
                0.44554192,
                1.1860712,
            ],
        ),
        (
            "LINEAR",
            [0.5, 0.0, 3.0],
            ["cat", "cat", "cow", "cat"],
            [0.25, -0.5, 0.125, 4.0, 0.25, 0.125, -3.875, -2.25, -0.875, 1.75, 3.5, 4.125],
        ),
    ];
    for (kernel, parameters, names, scores) in cases {
        let model = machines(kernel, &parameters, false);
        assert_eq!(model.meta.labels, ["cat", "dog", "cow"]);
        let answer = said(&model);
        assert_eq!(labels(&model, &answer[0]), names, "{kernel}");
        near(&answer[1], &scores);
    }
}

#[test]
fn chances_of_pairs_become_those_of_classes() {
    let model = machines("RBF", &[0.5, 0.0, 3.0], true);
    let answer = said(&model);
    assert_eq!(labels(&model, &answer[0]), ["dog", "cat", "dog", "cat"]);
    let expected = [
        0.23660699, 0.4523149, 0.3110781, 0.4341756, 0.22143123, 0.34439325, 0.10335829,
        0.48805478, 0.40858695, 0.28530115, 0.29638278, 0.418316,
    ];
    near(&answer[1], &expected);
    // Chances near 0 and 1 take other numbers of rounds.
    let answer = said(&machines("LINEAR", &[0.5, 0.0, 3.0], true));
    let expected = [
        0.2623935,
        0.29283765,
        0.44476897,
        0.6659607,
        0.06394298,
        0.27009645,
        0.005491957,
        0.23473105,
        0.759777,
        0.92482734,
        0.07402922,
        0.0011434315,
    ];
    near(&answer[1], &expected);
}

#[test]
fn machines_of_two_classes() {
    let attrs = [
        ("support_vectors", floats(&VECTORS)),
        ("coefficients", floats(&WEIGHTS[..5])),
        ("rho", floats(&[0.25])),
        ("vectors_per_class", ints(&[2, 3])),
        ("classlabels_ints", ints(&[4, 9])),
        ("kernel_type", text("RBF")),
        ("kernel_params", floats(&[0.5, 0.0, 3.0])),
        ("prob_a", floats(&[-1.5])),
        ("prob_b", floats(&[0.1])),
    ];
    let scores =
        [0.1285942, -0.1285942, -0.739971, 0.739971, 0.75522, -0.75522, -0.3165171, 0.3165171];
    let chances = [
        0.4270502, 0.57294977, 0.73301166, 0.26698843, 0.22567332, 0.7743268, 0.5921679, 0.4078321,
    ];
    for (len, expected) in [(7, scores), (9, chances)] {
        let mut draft = Draft::new();
        let outputs = draft.ml("SVMClassifier", &[0], 2, &attrs[..len]);
        let model = draft.build(&outputs).unwrap();
        assert_eq!(model.meta.labels, ["4", "9"]);
        let answer = said(&model);
        assert_eq!(answer[0].to_i64().unwrap(), [9, 4, 9, 4]);
        near(&answer[1], &expected);
    }
}

#[test]
fn machines_that_yield_numbers() {
    let attrs = [
        ("support_vectors", floats(&VECTORS)),
        ("coefficients", floats(&WEIGHTS[..5])),
        ("rho", floats(&[0.25])),
        ("n_supports", AttrValue::Int(5)),
        ("kernel_type", text("RBF")),
        ("kernel_params", floats(&[0.5, 0.0, 3.0])),
        ("one_class", AttrValue::Int(1)),
    ];
    let linear = [
        ("coefficients", floats(&[0.5, -1.0])),
        ("rho", floats(&[0.25])),
        ("kernel_type", text("LINEAR")),
        ("kernel_params", floats(&[0.0, 0.0, 0.0])),
    ];
    let cases: [(Attrs<'_>, [f32; 4]); 3] = [
        (&attrs[..6], [-0.12859416, 0.73997104, -0.75521994, 0.3165171]),
        (&attrs, [-1.0, 1.0, -1.0, 1.0]),
        (&linear, [0.25, 1.75, -1.0, -0.75]),
    ];
    for (attrs, expected) in cases {
        let mut draft = Draft::new();
        let outputs = draft.ml("SVMRegressor", &[0], 1, attrs);
        near(&said(&draft.build(&outputs).unwrap())[0], &expected);
    }
}

#[test]
fn one_score_for_two_classes() {
    let none = [0.75, 0.25, -0.75, 1.75, 2.0, -1.0, 1.75, -0.75];
    let logistic = [
        0.43782347, 0.5621765, 0.14804727, 0.85195273, 0.7310586, 0.26894142, 0.6791787, 0.3208213,
    ];
    for (transform, expected) in [("NONE", none), ("LOGISTIC", logistic)] {
        let mut draft = Draft::new();
        let attrs = [
            ("coefficients", floats(&[0.5, -1.0])),
            ("intercepts", floats(&[0.25])),
            ("classlabels_strings", texts(&["no", "yes"])),
            ("post_transform", text(transform)),
        ];
        let outputs = draft.ml("LinearClassifier", &[0], 2, &attrs);
        let model = draft.build(&outputs).unwrap();
        let answer = said(&model);
        assert_eq!(labels(&model, &answer[0]), ["yes", "yes", "no", "no"]);
        near(&answer[1], &expected);
    }
}

/// A tree whose leaves give a score to the second of two classes only: `x0 <= 0.5` the first.
#[test]
fn trees_of_one_score_for_two_classes() {
    let cases = [
        ([0.2, 0.9], "NONE", [0.8, 0.2, 0.1, 0.9]),
        ([0.2, 0.9], "SOFTMAX", [0.8, 0.2, 0.1, 0.9]),
        ([0.2, 0.9], "LOGISTIC", [0.450166, 0.549834, 0.28905, 0.71095]),
        ([-0.5, 0.9], "NONE", [0.5, -0.5, -0.9, 0.9]),
        ([-0.5, 0.9], "SOFTMAX", [0.5, -0.5, -0.9, 0.9]),
        ([-0.5, 0.9], "LOGISTIC", [0.6224593, 0.3775407, 0.28905, 0.71095]),
    ];
    for (weights, transform, expected) in cases {
        let attrs = [
            ("nodes_treeids", ints(&[0, 0, 0])),
            ("nodes_nodeids", ints(&[0, 1, 2])),
            ("nodes_featureids", ints(&[0, 0, 0])),
            ("nodes_values", floats(&[0.5, 0.0, 0.0])),
            ("nodes_modes", texts(&["BRANCH_LEQ", "LEAF", "LEAF"])),
            ("nodes_truenodeids", ints(&[1, 0, 0])),
            ("nodes_falsenodeids", ints(&[2, 0, 0])),
            ("class_treeids", ints(&[0, 0])),
            ("class_nodeids", ints(&[1, 2])),
            ("class_ids", ints(&[0, 0])),
            ("class_weights", floats(&weights)),
            ("classlabels_strings", texts(&["low", "high"])),
            ("post_transform", text(transform)),
        ];
        let mut draft = Draft::new();
        let outputs = draft.ml("TreeEnsembleClassifier", &[0], 2, &attrs);
        let model = draft.build(&outputs).unwrap();
        let answer = said(&model);
        assert_eq!(labels(&model, &answer[0]), ["low", "high", "low", "high"], "{transform}");
        near(&answer[1], &[expected, expected].concat());
    }
}

/// What scikit-learn's classifiers without an operator of their own end in: a list of names, of which
/// the greatest score takes one.
#[test]
fn texts_are_moved_compared_and_encoded() {
    let mut draft = Draft::new();
    let names = draft.texts(&["zebra", "ape"]);
    let attrs = [("axis", AttrValue::Int(1)), ("keepdims", AttrValue::Int(0))];
    let best = draft.node("", "ArgMax", &[0], 1, &attrs)[0];
    let said_by = draft.ml("ArrayFeatureExtractor", &[names, best], 1, &[])[0];
    let label = draft.node("", "Cast", &[said_by], 1, &[("to", AttrValue::Int(8))])[0];
    let ape = draft.texts(&["ape"]);
    let is_ape = draft.node("", "Equal", &[label, ape], 1, &[])[0];
    let attrs = [
        ("keys_strings", texts(&["ape", "zebra"])),
        ("values_int64s", ints(&[7, 8])),
        ("default_int64", AttrValue::Int(0)),
    ];
    let number = draft.ml("LabelEncoder", &[label], 1, &attrs)[0];
    let attrs = [("keys_int64s", ints(&[0])), ("values_strings", texts(&["ape"]))];
    let other = draft.ml("LabelEncoder", &[best], 1, &attrs)[0];
    let model = draft.build(&[label, is_ape, number, other]).unwrap();
    let answer = said(&model);
    assert_eq!(model.meta.labels, ["zebra", "ape"]);
    assert_eq!(labels(&model, &answer[0]), ["zebra", "zebra", "ape", "zebra"]);
    assert_eq!(answer[1].to_f64().unwrap(), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(answer[2].to_i64().unwrap(), [8, 8, 7, 8]);
    // What is not encoded is no class.
    assert_eq!(answer[3].to_i64().unwrap(), [1, 1, 2, 1]);
}

#[test]
fn columns_of_a_map_come_first_among_the_labels() {
    let mut draft = Draft::new();
    let names = draft.texts(&["b", "a"]);
    let attrs = [("axis", AttrValue::Int(1)), ("keepdims", AttrValue::Int(0))];
    let best = draft.node("", "ArgMax", &[0], 1, &attrs)[0];
    let label = draft.ml("ArrayFeatureExtractor", &[names, best], 1, &[])[0];
    let map = draft.ml("ZipMap", &[0], 1, &[("classlabels_strings", texts(&["a", "b"]))])[0];
    let model = draft.build(&[label, map]).unwrap();
    assert_eq!(model.meta.labels, ["a", "b"]);
    assert_eq!(labels(&model, &said(&model)[0]), ["b", "b", "a", "b"]);
}

/// A linear classifier of whole numbers or texts: its label and its scores.
fn classifier(draft: &mut Draft, x: usize, names: &AttrValue) -> [usize; 2] {
    let attribute = match names {
        AttrValue::Texts(_) => "classlabels_strings",
        _ => "classlabels_ints",
    };
    let attrs = [("coefficients", floats(&[0.5, -1.0, -0.5, 1.0])), (attribute, names.clone())];
    let outputs = draft.ml("LinearClassifier", &[x], 2, &attrs);
    [outputs[0], outputs[1]]
}

#[test]
fn columns_are_called_as_the_operator_that_answers_calls_them() {
    // One classifier behind another.
    let mut draft = Draft::new();
    let [_, inner] = classifier(&mut draft, 0, &texts(&["a", "b"]));
    let [label, scores] = classifier(&mut draft, inner, &texts(&["b", "a"]));
    let normal = draft.ml("Normalizer", &[scores], 1, &[("norm", text("L1"))])[0];
    let model = draft.build(&[label, normal]).unwrap();
    assert_eq!(model.meta.labels, ["b", "a"]);
    let answer = said(&model);
    assert_eq!(labels(&model, &answer[0]), ["b", "b", "a", "a"]);
    // What lies behind the last classifier has no classes.
    let mut draft = Draft::new();
    let [_, inner] = classifier(&mut draft, 0, &ints(&[0, 1]));
    let attrs = [("coefficients", floats(&[0.5, 1.0]))];
    let y = draft.ml("LinearRegressor", &[inner], 1, &attrs)[0];
    assert!(draft.build(&[y]).unwrap().meta.labels.is_empty());
    // Numbers that an encoder gives names.
    let mut draft = Draft::new();
    let [number, scores] = classifier(&mut draft, 0, &ints(&[0, 1]));
    let attrs = [("keys_int64s", ints(&[1, 0])), ("values_strings", texts(&["one", "none"]))];
    let label = draft.ml("LabelEncoder", &[number], 1, &attrs)[0];
    let model = draft.build(&[label, scores]).unwrap();
    assert_eq!(model.meta.labels, ["none", "one"]);
    assert_eq!(labels(&model, &said(&model)[0]), ["none", "none", "one", "one"]);
}

#[test]
fn metadata_may_not_contradict_the_classifier() {
    let model = |own: &AttrValue, names: &[&str]| {
        let mut draft = Draft::new();
        let outputs = classifier(&mut draft, 0, own);
        draft.build_named(&outputs, names)
    };
    for names in [["yes", "no"], ["p", "q"]] {
        let error = model(&texts(&["no", "yes"]), &names).unwrap_err();
        assert!(error.contains("its metadata calls the classes"), "{error}");
    }
    for own in [texts(&["no", "yes"]), ints(&[0, 1])] {
        assert_eq!(model(&own, &["no", "yes"]).unwrap().meta.labels, ["no", "yes"]);
    }
}

/// What a file does not name is called `_Unused`, as one of its texts may be.
#[test]
fn an_unknown_key_is_a_text_as_others() {
    let mut draft = Draft::new();
    let place = draft.node("", "Cast", &[0], 1, &[("to", AttrValue::Int(7))])[0];
    let attrs = [("keys_int64s", ints(&[0, 1])), ("values_strings", texts(&["a", "_Unused"]))];
    let name = draft.ml("LabelEncoder", &[place], 1, &attrs)[0];
    let attrs = [
        ("keys_strings", texts(&["a", "_Unused"])),
        ("values_floats", floats(&[1.0, 7.0])),
        ("default_float", AttrValue::Float(-5.0)),
    ];
    let y = draft.ml("LabelEncoder", &[name], 1, &attrs)[0];
    let model = draft.build(&[y]).unwrap();
    near(&said(&model)[0], &[1.0, 1.0, 7.0, 7.0, 7.0, 1.0, 7.0, 7.0]);
}

#[test]
fn vectors_of_other_features_are_refused() {
    for kernel in ["RBF", "LINEAR"] {
        let attrs = [
            ("n_supports", AttrValue::Int(2)),
            ("support_vectors", floats(&[1.0, 2.0])),
            ("coefficients", floats(&[1.0, 2.0])),
            ("rho", floats(&[0.5])),
            ("kernel_type", text(kernel)),
            ("kernel_params", floats(&[0.1, 0.0, 0.0])),
        ];
        let mut draft = Draft::new();
        let y = draft.ml("SVMRegressor", &[0], 1, &attrs);
        let error = draft.build(&y).unwrap_err();
        assert!(error.contains("support_vectors") && error.contains("features of each"), "{error}");
    }
}

#[test]
fn texts_are_no_numbers() {
    let join = |op: &str| {
        let mut draft = Draft::new();
        let names = draft.texts(&["one", "two"]);
        let y = draft.node("", op, &[names, names], 1, &[])[0];
        draft.build(&[y]).unwrap_err()
    };
    for op in ["Add", "StringConcat", "Less"] {
        let error = join(op);
        assert!(error.contains(op) && !error.contains("panick"), "{error}");
    }
    let mut draft = Draft::new();
    let names = draft.texts(&["1", "2"]);
    let y = draft.node("", "Cast", &[names], 1, &[("to", AttrValue::Int(1))])[0];
    let error = draft.build(&[y]).unwrap_err();
    assert!(error.contains("Cast of texts is not supported"), "{error}");
    let mut draft = Draft::new();
    draft.graph.tensors[0].dtype = Some(DType::Str);
    let y = draft.node("", "Identity", &[0], 1, &[])[0];
    let error = draft.build(&[y]).unwrap_err();
    assert!(error.contains("input 'x': takes texts"), "{error}");
    // Texts beside numbers, and numbers where texts belong.
    let mut draft = Draft::new();
    let names = draft.texts(&["1", "2"]);
    let y = draft.node("", "Concat", &[names, 0], 1, &[("axis", AttrValue::Int(0))])[0];
    assert!(draft.build(&[y]).unwrap_err().contains("Concat of texts"));
    // A constant whose texts are cut off.
    let mut draft = Draft::new();
    let names = draft.texts(&["one", "two"]);
    draft.graph.tensors[names].data.as_mut().unwrap().to_mut().truncate(18);
    let y = draft.node("", "Identity", &[names], 1, &[])[0];
    assert!(draft.build(&[y]).unwrap_err().contains("does not hold its texts"));
}
