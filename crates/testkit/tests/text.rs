//! Every graph of the zoo, as imported and as optimized, is sound, comes back from its text and its
//! portable file, and can be drawn.

use embarca_ir::{Model, emb, picture, text, verify};
use embarca_testkit::zoo::{entries, folder};

fn check(model: &Model) -> Result<(), String> {
    verify(model).map_err(|error| format!("unsound: {error}"))?;
    let printed = text::print(model);
    let read = text::parse(&printed.text, &printed.blobs).map_err(|e| format!("text:{e}"))?;
    if read != *model {
        return Err("another model comes back from the text".to_owned());
    }
    let file = emb::write(model).map_err(|error| format!("write: {error}"))?;
    let read = emb::read(&file, emb::Limits::default()).map_err(|e| format!("read: {e}"))?;
    if read != *model {
        return Err("another model comes back from the file".to_owned());
    }
    let drawn = picture::html(model, &picture::PictureOptions::default());
    if drawn.ends_with("</html>\n") { Ok(()) } else { Err("the picture is cut off".to_owned()) }
}

#[test]
fn graphs_come_back() {
    let Some(folder) = folder() else {
        println!("skipped: EMBARCA_ZOO is not set");
        return;
    };
    let (mut checked, mut failures) = (0, Vec::new());
    for entry in entries(&folder).unwrap() {
        // What cannot be imported is for the tests of importing.
        let Ok(model) = embarca::Model::open(&entry.model) else { continue };
        let imported = model.into_graph();
        let optimized = embarca::prepare(imported.clone()).map_err(|error| error.to_string());
        let outcome = check(&imported)
            .map_err(|error| format!("imported: {error}"))
            .and_then(|()| check(&optimized?).map_err(|error| format!("optimized: {error}")));
        checked += 1;
        if let Err(error) = outcome {
            failures.push(format!("{}: {error}", entry.id));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(30 <= checked, "only {checked} models were imported");
}
