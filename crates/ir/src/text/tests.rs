use super::*;
use crate::samples::{self, Random};
use crate::{Model, verify};

fn parse_plain(text: &str) -> Result<Model, TextError> {
    parse(text, &[])
}

fn comes_back(model: &Model) {
    let Printed { text, blobs } = print(model);
    let read = parse(&text, &blobs).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // Not `==`: two NaN are the same here.
    assert_eq!(format!("{read:?}"), format!("{model:?}"), "{text}");
    assert_eq!(print(&read).text, text);
    // With hashes beside the blobs it is the same text for the parser.
    assert_eq!(format!("{:?}", parse(&dump(model), &blobs).unwrap()), format!("{model:?}"));
}

#[test]
fn every_construct_comes_back() {
    let model = samples::by_hand();
    verify(&model).unwrap();
    comes_back(&model);
}

#[test]
fn random_models_come_back() {
    for seed in 0..400 {
        let model = samples::random(seed, 12);
        verify(&model).unwrap_or_else(|error| panic!("{seed}: {error}\n{}", print(&model).text));
        comes_back(&model);
    }
}

#[test]
fn every_construct_reads_well() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/constructs.txt");
    let text = dump(&samples::by_hand());
    if std::env::var_os("EMBARCA_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, golden, "`cargo xtask bless` refreshes {}", path.display());
}

const HEAD: &str = "model v1 symbol n [1, 2, 3] graph g {";

#[test]
fn types_may_be_left_to_inference() {
    let text = format!("{HEAD} %1 = transpose(%0) {{perm=[1, 0]}} output %1 }}");
    let text = text.replace("%1 = t", "%0 = input f32[n + 1,4] // by hand\n %1 = t");
    let model = parse_plain(&text).unwrap();
    assert_eq!(tensor_type(&model.graphs[0].values[1].ty, &model.symbols), "f32[4,n + 1]");
}

#[test]
fn errors_have_places() {
    let cases = [
        ("", "1:1: expected 'model v1', found the end of the text"),
        ("model v2", "1:7: the graph text has version v2; this program reads v1"),
        ("model v1\n frobnicate", "2:2: expected 'symbol', 'const' or 'graph', found 'frobnicate'"),
        ("model v1", "1:9: a model has at least one graph"),
        ("G\n  %0 = input f33[1] }", "2:14: there is no element type 'f33'"),
        ("G\n  %0 = input f32[m] }", "2:18: there is no symbol 'm'"),
        ("G\n  %0 = input f32[1,1,1,1,1,1,1,1,1] }", "2:14: a tensor has at most 8 axes"),
        ("G\n  %0 = input f32[div(1, 0)] }", "2:18: the dimension divides by zero or is too large"),
        (
            "G\n  %0 = input f32[9223372036854775808] }",
            "2:18: 9223372036854775808 is not a whole number",
        ),
        ("G\n  %1 = input f32[1] }", "2:3: %0 is nowhere written, and values have no gaps"),
        ("G %0 = input f32[1]\n%0 = input f32[1] }", "2:1: %0 is written twice"),
        ("G\n  %0 = softmax(%1) }", "2:16: %1 is read before it is written"),
        ("G %0 = input f32[2]\n%1 = foo(%0) }", "2:6: there is no operator 'foo'"),
        ("G %0 = input f32[2]\n%1 = softmax(%0) }", "2:6: attribute 'axis' is missing"),
        (
            "G %0 = input f32[2]\n%1 = softmax(%0) {axis=5, beta=1.0} }",
            "2:6: softmax: axis 5 does not exist in rank 1",
        ),
        (
            "G %0 = input f32[2]\n%1 = softmax(%0) {axis=0, beta=1} }",
            "2:6: attribute 'beta' has the wrong kind of value",
        ),
        (
            "G %0 = input f32[2]\n%1 = softmax(%0) {axis=0, beta=1.0} -> f32[3] }",
            "2:1: %1 is f32[2], not f32[3]",
        ),
        (
            "G %0 = input f32[2]\n%1, %2 = softmax(%0) {axis=0, beta=1.0} }",
            "2:10: softmax yields 1 values here, not 2",
        ),
        (
            "G %0 = input f32[2]\n%1, %2 = softmax(%0) {axis=0, beta=1.0} -> f32[2] }",
            "2:10: 2 outputs have 1 types",
        ),
        (
            "G\n  %0 = const #0 f32[2] [1.0] }",
            "2:24: the content of #0 has another size than f32[2]",
        ),
        ("G\n  %0 = const #0 f32[2] @0 }", "2:24: the content of @0 is not at hand"),
        ("G\n  %0 = const #0 f32[2] }", "2:24: the content of #0 must follow"),
        ("G\n  %0 = const #1 f32[0] [] }", "2:28: constant #0 is nowhere given"),
        ("G\n  %0 = const #0 i8[1] [200] }", "2:24: 200 is not an i8"),
        ("G\n  %0 = state f32[0] #0 [] }", "2:27: state %0 of graph 0 has no 'next'"),
        ("G %0 = input f32[0]\n next %0 = %0 }", "2:15: %0 is not a state"),
        ("G\n  \"abc", "2:3: the string does not end on its line"),
        ("G\n  %99999999999 = input", "2:3: a number of 32 bits must follow"),
        ("model v1 symbol a [1,1,1]\nsymbol a [1,1,1]", "2:8: the symbol 'a' exists already"),
        ("model v1 symbol a\n[1,1]", "2:1: expected [smallest, preferred, largest]"),
    ];
    for (text, message) in cases {
        // A head of its own line, so that columns count from the case's own text.
        let text = match text.strip_prefix('G') {
            Some(rest) => format!("{HEAD}{rest}"),
            None => text.to_owned(),
        };
        let error = parse_plain(&text).unwrap_err().to_string();
        assert_eq!(error, message, "{text}");
    }
}

#[test]
fn hostile_texts_are_refused_quickly() {
    let deep = "(".repeat(100_000);
    let lists = "[".repeat(100_000);
    let many = "n*".repeat(50_000);
    let sums = (0..50_000).map(|i| format!("div(n, {}) + ", i + 2)).collect::<String>();
    let blob: std::sync::Arc<[u8]> = vec![0; 8 * 1024].into();
    let known: String = (0..20_000)
        .map(|i| format!("%{i} = const #0 i64[1024]{}\n", if i == 0 { "@0" } else { "" }))
        .collect();
    let scales: String =
        (0..20_000).map(|i| format!("%{i} = input f32[1] q(axis 0: @0, 0)\n")).collect();
    let texts = [
        format!("{HEAD} %0 = input f32[{deep}"),
        format!("{HEAD} %0 = input f32[{}", "min(".repeat(100_000)),
        format!("{HEAD} %0 = input f32[1] %1 = reshape(%0) {{dims={lists}"),
        format!("{HEAD} %0 = input f32[{many}n] output %0 }}"),
        format!("{HEAD} %0 = input f32[{sums}n] output %0 }}"),
        format!("{HEAD} {known} }}"),
        format!("{HEAD} {scales} }}"),
        format!("{HEAD} %0 = const #0 f32[99999999999,99999999999,99999999999] @0 }}"),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        assert!(parse(&text, std::slice::from_ref(&blob)).is_err());
        assert!(start.elapsed().as_secs() < 5, "{}", &text[..80]);
    }
}

#[test]
fn mutated_texts_never_panic() {
    let mut random = Random(7);
    let models = [samples::by_hand(), samples::random(5, 12), samples::random(11, 12)];
    for model in &models {
        let Printed { text, blobs } = print(model);
        let chars: Vec<char> = text.chars().collect();
        for _ in 0..1500 {
            let mut mutated = chars.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(mutated.len());
                match random.below(4) {
                    0 => mutated[at] = *random.pick(&chars),
                    1 => drop(mutated.remove(at)),
                    2 => {
                        mutated.insert(at, *random.pick(&['9', '-', '"', '[', '%', ',', '\\', '}']))
                    }
                    _ => mutated.truncate(at.max(1)),
                }
            }
            let mutated: String = mutated.into_iter().collect();
            if let Ok(model) = parse(&mutated, &blobs)
                && verify(&model).is_ok()
            {
                comes_back(&model);
            }
        }
    }
}

#[test]
fn meta_comes_back_alone() {
    let meta = samples::by_hand().meta;
    assert_eq!(parse_meta(&print_meta(&meta)).unwrap(), meta);
    assert_eq!(print_meta(&crate::Meta::default()), "");
    assert_eq!(parse_meta("oops").unwrap_err().to_string(), "1:1: unknown key 'oops'");
}

#[test]
fn outputs_that_are_counted_come_back() {
    let text = format!(
        "{HEAD} %0 = input i64[5] %1 = input i64[] output %0 \"found\" counted 0 by 1 output %1 \"n\" }}"
    );
    let model = parse_plain(&text).unwrap();
    assert_eq!(model.graphs[0].outputs[0].counted, Some((0, 1)));
    verify(&model).unwrap();
    comes_back(&model);
    let other = parse_plain(&text.replace("by 1", "by 0")).unwrap();
    assert!(verify(&other).is_err());
}
