//! `embarca convert MODEL -o FILE`

use embarca::{Format, Model};
use embarca_data::atomic_write;

use crate::args::Convert;
use crate::engine::{input_names, is_plan, known_shapes, open_options, refusal};
use crate::failure::{Failure, Result};
use crate::json::Json;
use crate::show;

/// Writes a model in the format that the file's name tells.
pub fn run(args: &Convert) -> Result {
    let (path, out) = (args.model.as_path(), args.out.as_path());
    let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let format = match ending {
        "onnx" => Some(Format::Onnx),
        "tflite" => Some(Format::TfLite),
        "emb" => None,
        _ => {
            let what = format!("{}: the ending tells no format", out.display());
            return Err(Failure::refused(what).next("-o NAME.onnx, NAME.tflite or NAME.emb"));
        }
    };
    if is_plan(path)? {
        let failure = Failure::refused(format!("{} is a plan", path.display()));
        return Err(failure.next("embarca convert MODEL      takes the model that it came from"));
    }
    let model =
        Model::open_with(path, &open_options(&args.open)).map_err(|error| refusal(error, path))?;
    known_shapes(&args.open, &input_names(model.graph()))?;
    let bytes = match format {
        Some(format) => model.export(format),
        None => model.to_emb(),
    };
    let bytes = bytes.map_err(|error| {
        let gaps = matches!(error.kind, embarca::ErrorKind::Export(_));
        let failure = refusal(error, path);
        match gaps {
            true => failure.next("-o NAME.emb      the portable graph holds every model"),
            false => failure,
        }
    })?;
    atomic_write(out, &bytes)?;
    let name = format.map_or("the portable graph", Format::name);
    let left = format.map(|format| model.left_out(format)).unwrap_or_default();
    if args.json {
        let json = Json::object([
            ("file", out.display().to_string().into()),
            ("format", name.into()),
            ("bytes", bytes.len().into()),
            ("model_bytes", model.file_bytes().into()),
            ("left_out", left.join("; ").into()),
        ]);
        return show::print(&format!("{json}\n"));
    }
    let (out, size) = (out.display(), show::bytes(bytes.len() as u64));
    let from = show::bytes(model.file_bytes());
    let note = match left.is_empty() {
        true => String::new(),
        false => format!("note: {name} files are written without {}\n", left.join(", ")),
    };
    show::print(&format!(
        "{out}: {size}, {name} (from a model of {from})\n{note} next: embarca inspect {out}\n"
    ))
}
