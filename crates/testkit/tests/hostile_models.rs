//! Models that ask for more than their size justifies, or for what holds at some sizes only.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use embarca_cpu::{LoadOptions, Plan};
use embarca_ir::{Model, text};

fn model(symbols: &str, nodes: &str) -> Model {
    let text = format!("model v1 {symbols} graph main {{ {nodes} }}");
    text::parse(&text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn constants(model: &Model) -> usize {
    model.consts.iter().map(|data| data.data.len()).sum()
}

fn build(model: Model) -> Vec<u8> {
    let targets = vec![embarca_target::find("cpu").unwrap()];
    let options =
        embarca_compile::BuildOptions { targets, vectors: true, provenance: Default::default() };
    embarca_compile::build(model, &options).unwrap()
}

#[test]
fn a_reshape_holds_at_the_sizes_that_fit() {
    let plan = build(model(
        "symbol n [1, 2, 9]",
        "%0 = input f32[n,6] %1 = reshape(%0) {dims=[4, 3]} output %1",
    ));
    let plan = Plan::from_bytes(&plan, LoadOptions { threads: 1, ..LoadOptions::default() });
    let plan = plan.unwrap();
    for n in 1..5 {
        assert_eq!(plan.session_for(&[&[n, 6]]).is_ok(), n == 2, "{n} rows of 6 as 4 of 3");
    }
}

#[test]
fn constants_do_not_double_for_ever() {
    let mut nodes = "%0 = input f32[1] %1 = const #0 f32[2] [1.0, 2.0]".to_owned();
    for i in 1..29 {
        nodes += &format!(" %{} = concat(%{i}, %{i}) {{axis=0}}", i + 1);
    }
    let model = model("", &format!("{nodes} %30 = add(%0, %29) output %30"));
    let optimized = embarca_opt::optimize(model).unwrap();
    assert!(constants(&optimized) <= 9 << 20, "{} bytes", constants(&optimized));
}

#[test]
fn small_constants_do_not_grow_without_end() {
    let mut nodes = "%0 = input f32[1] %1 = const #0 f32[1] [1.0]".to_owned();
    for i in (2..1200).step_by(3) {
        let (a, b) = (i + 1, i + 2);
        nodes += &format!(" %{i} = expand(%1) {{dims=[16384]}}");
        nodes += &format!(" %{a} = clip(%{i}) {{min={i}.0, max=inf}}");
        nodes += &format!(" %{b} = add(%0, %{a}) output %{b}");
    }
    let optimized = embarca_opt::optimize(model("", &nodes)).unwrap();
    assert!(constants(&optimized) <= 9 << 20, "{} bytes", constants(&optimized));
}

#[test]
fn building_for_large_inputs_needs_no_room_for_them() {
    // 2^39 bytes, more than any machine that runs this test has.
    let clip = "%0 = input f32[64,65536,32768] %1 = clip(%0) {min=0.0, max=6.0} output %1";
    let targets = vec![embarca_target::find("cpu").unwrap()];
    let options =
        embarca_compile::BuildOptions { targets, vectors: true, provenance: Default::default() };
    assert!(embarca_compile::build(model("", clip), &options).is_err());
    // 4 GiB are within what kernels take, but are not spent on a test vector.
    let clip = "%0 = input f32[16,8192,8192] %1 = clip(%0) {min=0.0, max=6.0} output %1";
    assert!(build(model("", clip)).len() < 1 << 16);
}

#[test]
fn many_outputs_take_time_in_proportion() {
    // Views of one another, parts that lie side by side, and results of one input.
    let mut nodes = "%0 = input f32[1,4]".to_owned();
    let mut next = 1;
    for _ in 0..8000 {
        let [clipped, flat, twin, whole] = [next, next + 1, next + 2, next + 3];
        next += 4;
        write!(
            nodes,
            " %{clipped} = clip(%0) {{min={next}.0, max=inf}}
              %{flat} = reshape(%{clipped}) {{dims=[4]}} output %{flat}
              %{twin} = clip(%0) {{min=-inf, max={next}.0}}
              %{whole} = concat(%{twin}, %{twin}) {{axis=0}} output %{whole}",
        )
        .unwrap();
    }
    let model = model("", &nodes);
    let start = Instant::now();
    build(model);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
