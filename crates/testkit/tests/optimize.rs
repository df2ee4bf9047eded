//! The optimizer ends on every model of the zoo, soon and at rest.

use std::time::{Duration, Instant};

use embarca_ir::{text, verify};
use embarca_testkit::zoo::{entries, folder};

/// Far above what a model takes, and far below what a pass of quadratic cost takes.
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn the_zoo_is_optimized_soon_and_at_rest() {
    let Some(folder) = folder() else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let only = std::env::var("EMBARCA_ONLY").ok();
    for entry in entries(&folder).unwrap() {
        if only.as_ref().is_some_and(|only| !entry.id.contains(only.as_str())) {
            continue;
        }
        // What cannot be imported is the business of another test.
        let Ok(model) = embarca::Model::open(&entry.model) else { continue };
        let model = model.into_graph();
        let before = model.main().nodes.len();
        let start = Instant::now();
        let optimized = embarca_opt::optimize(model).unwrap();
        let took = start.elapsed();
        let after = optimized.main().nodes.len();
        println!("{}: {before} nodes to {after} in {took:.0?}", entry.id);
        verify(&optimized).unwrap();
        let again = embarca_opt::optimize(optimized.clone()).unwrap();
        assert_eq!(text::dump(&again), text::dump(&optimized), "{} is not at rest", entry.id);
        assert!(took < LIMIT, "{} takes {took:?}", entry.id);
    }
}
