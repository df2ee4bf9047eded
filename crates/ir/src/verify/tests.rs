use super::*;
use crate::ids::{NodeId, SymbolId};
use crate::model::{Output, State};
use crate::samples;
use embarca_num::DType;

/// A sound model: `%0 = input`, `%1 = const`, `%2 = clip(%0)`, `%3 = softmax(%2)`, a state `%4`.
fn sound() -> Model {
    let text = "model v1 symbol n [1, 1, 8]
        graph main {
          %0 \"x\" = input f32[n,4]
          %1 = const #0 i8[3] q(axis 0: [0.5, 0.25, 1.0], 0) [1, 2, 3]
          %2 = clip(%0) {min=0.0, max=6.0} \"relu\" -> f32[n,4]
          %3 = softmax(%2) {axis=1, beta=1.0} -> f32[n,4]
          %4 = state \"h\" f32[2] #1 [0.0, 0.0]
          next %4 = %4
          output %3 \"y\"
        }";
    text::parse(text, &[]).unwrap()
}

#[test]
fn faults_are_named() {
    verify(&sound()).unwrap();
    type Spoil = fn(&mut Model);
    let cases: &[(Spoil, &str)] = &[
        (|m| m.graphs.clear(), "there is no main graph"),
        (|m| m.symbols.push(m.symbols[0].clone()), "two symbols are called \"n\""),
        (|m| m.symbols[0].max = 0, "symbol n: 1 <= 1 <= 0 is wrong"),
        (|m| m.consts[0].dims = vec![4], "constant #0: [4] elements of i8 are not 3 bytes"),
        (
            |m| m.consts[0].dims = vec![usize::MAX, 2],
            "constant #0: [18446744073709551615, 2] elements",
        ),
        (|m| m.consts[0].dims = vec![1; 9], "constant #0: it has 9 axes, more than 8"),
        (|m| m.graphs[0].inputs.clear(), "graph \"main\", %0 \"x\": Input(0) is another value"),
        (|m| m.graphs[0].inputs.push(ValueId(0)), "graph \"main\", input 1: %0 is not this input"),
        (
            |m| m.graphs[0].inputs.push(ValueId(77)),
            "graph \"main\", input 1: %77 is not this input",
        ),
        (
            |m| m.graphs[0].values[0].ty.dims[1] = Dim::Known(-4),
            "%0 \"x\": the dimension -4 is negative",
        ),
        (|m| m.graphs[0].values[0].ty.dims[1] = Dim::unknown(), "%0 \"x\": a dimension is unknown"),
        (
            |m| m.graphs[0].values[0].ty.dims[1] = Dim::symbol(SymbolId(9)),
            "%0 \"x\": symbol 9 does not exist",
        ),
        (|m| m.graphs[0].values[1].def = Def::Const(ConstId(9)), "%1: constant #9 does not exist"),
        (|m| m.graphs[0].values[1].ty.dtype = DType::U8, "%1: u8[3] holds a constant i8[3]"),
        (|m| quant(m).scales[1] = 0.0, "%1: the scale 0 is not a positive number"),
        (|m| quant(m).scales[1] = f32::NAN, "%1: the scale NaN is not a positive number"),
        (|m| quant(m).axis = Some(1), "%1: the scales run along axis 1, which does not exist"),
        (|m| quant(m).axis = None, "%1: 3 scales have no axis"),
        (|m| quant(m).zero_points.truncate(2), "%1: 3 scales have 2 zero points"),
        (
            |m| *quant(m) = Quant { scales: vec![1.0], zero_points: vec![0], axis: Some(0) },
            "%1: axis 0 has 1 scales, but 3 indices",
        ),
        (
            |m| m.graphs[0].nodes.swap(0, 1),
            "graph \"main\", node 0 (softmax): %2 is read before it is written",
        ),
        (
            |m| m.graphs[0].nodes[0].inputs[0] = Some(ValueId(50)),
            "graph \"main\", node 0 \"relu\" (clip): %50 does not exist",
        ),
        (|m| m.graphs[0].nodes[0].inputs[0] = None, "node 0 \"relu\" (clip): input 0 is missing"),
        (
            |m| m.graphs[0].nodes[0].outputs.push(ValueId(3)),
            "node 0 \"relu\" (clip): it yields 1 values, but lists 2",
        ),
        (
            |m| m.graphs[0].nodes[0].outputs[0] = ValueId(3),
            "node 0 \"relu\" (clip): %3 says it is Node(NodeId(1), 0)",
        ),
        (
            |m| m.graphs[0].values[3].def = Def::Node(NodeId(1), 1),
            "node 1 (softmax): %3 says it is Node(NodeId(1), 1)",
        ),
        (
            |m| m.graphs[0].values[2].ty.dtype = DType::F16,
            "node 0 \"relu\" (clip): output 0 is f32[s0,4], but %2 is f16[s0,4]",
        ),
        (
            |m| drop(m.graphs[0].nodes.pop()),
            "graph \"main\", %3: no node lists it among its outputs",
        ),
        (
            |m| {
                m.graphs[0].outputs.push(Output {
                    name: "z".to_owned(),
                    value: ValueId(9),
                    counted: None,
                })
            },
            "graph \"main\", output 1 \"z\": %9 does not exist",
        ),
        (
            |m| m.graphs[0].states[0].next = ValueId(0),
            "state 0 \"h\": it is f32[2], but its next value f32[s0,4]",
        ),
        (
            |m| m.graphs[0].states[0].initial = ConstId(7),
            "state 0 \"h\": constant #7 does not exist",
        ),
        (
            |m| m.graphs[0].states[0].initial = ConstId(0),
            "state 0 \"h\": it is f32[2], but its initial value i8[3]",
        ),
        (
            |m| {
                let other = State { value: ValueId(0), ..m.graphs[0].states[0].clone() };
                m.graphs[0].states.push(other);
            },
            "state 1 \"h\": %0 is not this state",
        ),
        (
            |m| m.graphs[0].values[0].known = Some([Dim::Known(1)].into()),
            "", // The number of elements is symbolic: any content may be it.
        ),
        (
            |m| m.graphs[0].values[4].known = Some([Dim::Known(1)].into()),
            "%4: 1 elements of f32[2] are known",
        ),
    ];
    for (index, (spoil, message)) in cases.iter().enumerate() {
        let mut model = sound();
        spoil(&mut model);
        let found = verify(&model).err().map_or_else(String::new, |error| error.to_string());
        let named = if message.is_empty() { found.is_empty() } else { found.contains(message) };
        assert!(named, "case {index}: {found:?} instead of {message:?}");
    }
}

fn quant(model: &mut Model) -> &mut Quant {
    model.graphs[0].values[1].ty.quant.as_mut().unwrap()
}

#[test]
fn cycles_are_faults() {
    let error = verify(&samples::with_cycle()).unwrap_err();
    assert!(error.reason.contains("before it is written"), "{error}");
}
