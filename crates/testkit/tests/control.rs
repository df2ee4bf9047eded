//! Loops end, states outlive a run.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use embarca_compile::BuildOptions;
use embarca_cpu::{Limits, LoadOptions, Plan, RunError};
use embarca_ir::{Const, Model, text, verify};
use embarca_opt::EvalError;

fn model(graphs: &str) -> Model {
    let model = text::parse(&format!("model v1\n{graphs}"), &[]).unwrap();
    verify(&model).unwrap();
    model
}

fn plan(model: &Model) -> Plan {
    let targets = vec![embarca_target::find("cpu").unwrap()];
    let options = BuildOptions { targets, vectors: true, provenance: Default::default() };
    let bytes = embarca_compile::build(model.clone(), &options).unwrap();
    assert!(bytes == embarca_compile::build(model.clone(), &options).unwrap());
    Plan::from_bytes(&bytes, LoadOptions::default()).unwrap()
}

/// While true.
fn endless() -> Model {
    model(
        r#"
graph g {
  %0 "x" = input f32[2]
  %1 = while_loop(%0) {cond=graph(1), body=graph(2)}
  output %1 "y"
}
graph always {
  %0 = input f32[2]
  %1 = const #0 bool[] [true]
  output %1 "going"
}
graph same {
  %0 = input f32[2]
  output %0 "x"
}
"#,
    )
}

#[test]
fn a_loop_without_end_ends() {
    let model = endless();
    let fed = [Const::from_f32(&[2], &[1.0, 2.0])];
    assert!(matches!(embarca_opt::eval(&model, &fed), Err(EvalError::Endless { .. })));
    let mut session = plan(&model).session().unwrap();
    let limits = Limits { loop_steps: Some(1000), ..Limits::default() };
    assert!(matches!(session.run_limited(limits), Err(RunError::Endless { .. })));
    let deadline = Some(Instant::now() + Duration::from_millis(5));
    let limits = Limits { deadline, ..Limits::default() };
    assert!(matches!(session.run_limited(limits), Err(RunError::Stopped { .. })));
    let cancel = AtomicBool::new(true);
    let limits = Limits { cancel: Some(&cancel), ..Limits::default() };
    assert!(matches!(session.run_limited(limits), Err(RunError::Stopped { .. })));
}

#[test]
fn a_state_goes_from_run_to_run_until_it_is_reset() {
    let model = model(
        r#"
graph g {
  %0 "x" = input i32[1]
  %1 = state "sum" i32[1] #0 [10]
  %2 = compare(%0, %1) {holds=less}
  %3 = if_else(%2, %1, %0) {then=graph(1), otherwise=graph(2), dtypes=[i32], dims=[[1]]}
  next %1 = %3
  output %3 "y"
}
graph sum {
  %0 = input i32[1]
  %1 = input i32[1]
  %2 = add(%0, %1)
  output %2 "sum"
}
graph newer {
  %0 = input i32[1]
  %1 = input i32[1]
  output %1 "x"
}
"#,
    );
    let runs: Vec<Vec<Const>> =
        [1, 5, 40, 2].iter().map(|&x| vec![Const::from_i32(&[1], &[x])]).collect();
    let expected = [11, 16, 40, 42];
    let results = embarca_opt::eval::eval_sequence(&model, &runs).unwrap();
    let results: Vec<i64> = results.iter().map(|run| run[0].to_i64().unwrap()[0]).collect();
    assert_eq!(results, expected);
    let mut session = plan(&model).session().unwrap();
    for _ in 0..2 {
        for (run, expected) in runs.iter().zip(expected) {
            session.input_bytes(0).unwrap().copy_from_slice(&run[0].data);
            session.run().unwrap();
            assert_eq!(session.output::<i32>(0).unwrap(), [expected as i32]);
        }
        session.reset();
    }
}
