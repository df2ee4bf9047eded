//! Texts and the bytes of files: where they come from, and how they become what stages take.

use std::io::{BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use embarca::task::{BytesSpec, Kind, Net, Pooling, Spec};
use embarca_data::{Array, DataLimits, csv, read_file};
use embarca_text::{Tokenizer, folder};

use crate::args;
use crate::engine::Engine;
use crate::failure::{Failure, Result};
use crate::items::{Item, Job};
use crate::show;

/// Tokens of a text where neither the model nor the tokenizer says how many it takes; BERT's number.
const LENGTH: usize = 512;

/// A text that comes line by line is refused beyond this many bytes a line.
const MOST_LINE: u64 = 1 << 20;

/// Reads a tokenizer.
pub fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let bytes = read_file(path, &DataLimits::default()).map_err(|error| error.in_file(path))?;
    let named = |error| Failure::refused(format!("{}: {error}", path.display()));
    Tokenizer::read(&bytes).map_err(named)
}

/// What lies beside a model, or one folder above it.
fn beside(model: &Path, name: &str) -> Option<PathBuf> {
    let folder = model.parent()?;
    let found = [folder.join(name), folder.join("..").join(name)];
    found.into_iter().find(|path| path.is_file())
}

/// Completes the description of a task that takes text: the tokenizer of the user, of the
/// description, or beside the model; class names and pooling from the files beside it.
pub fn equip(spec: &mut Spec, net: &Net, model: &Path, given: Option<&Path>) -> Result {
    let Some(text) = &mut spec.text else { return Ok(()) };
    // What a plan or a description has is complete.
    if given.is_none() && !text.data.is_empty() {
        return Ok(());
    }
    let found = given
        .map(Path::to_path_buf)
        .or_else(|| beside(model, "tokenizer.json"))
        .or_else(|| beside(model, "vocab.txt"));
    let Some(path) = found else {
        let what = format!("{} takes tokens, and there is no tokenizer", model.display());
        return Err(Failure::refused(what)
            .next("--tokenizer FILE      takes tokenizer.json or vocab.txt")
            .next("tokenizer.json beside the model is found"));
    };
    text.data = tokenizer(&path)?.json();
    let read = |name: &str| read_file(&beside(model, name)?, &DataLimits::default()).ok();
    if spec.kind == Some(Kind::Classification) && spec.labels.is_empty() {
        spec.labels =
            read("config.json").and_then(|bytes| folder::labels(&bytes)).unwrap_or_default();
    }
    let output = net.outputs.get(spec.outputs.first().copied().unwrap_or(0));
    let each = output.is_some_and(|port| port.dims.len() == 3);
    if spec.kind == Some(Kind::SentenceEmbedding) && spec.pooling.is_none() && each {
        spec.pooling = match read("1_Pooling/config.json").and_then(|bytes| folder::pooling(&bytes))
        {
            Some("cls") => Some(Pooling::Cls),
            Some("max") => Some(Pooling::Max),
            _ => None,
        };
    }
    Ok(())
}

/// Runs a model on texts.
pub fn run(args: &args::Run, engine: &Engine, spec: &Spec) -> Result {
    let text = spec.text.clone().unwrap_or_default();
    let damaged = |error| Failure::refused(format!("{}: {error}", args.model.display()));
    let tokenizer = Tokenizer::read(text.data.as_bytes()).map_err(damaged)?;
    let fixed = engine.inputs().iter().find_map(|port| *port.dims.last()?);
    let most = text.length.or(tokenizer.length()).unwrap_or(LENGTH).max(1);
    let most = fixed.map_or(most, |fixed| fixed.min(most));
    let pad = tokenizer.pad();
    let tokenizer = tokenizer.limited(most).map_err(damaged)?;
    let staged = crate::task::around(engine, &args.model, &args.prepare, spec)?;

    let mut lines = false;
    let mut texts: Vec<String> = Vec::new();
    for input in &args.inputs {
        match Source::of(input)? {
            Source::Stdin => lines = true,
            Source::Literal(text) => texts.push(text),
            Source::Table(path) => texts.extend(table(&path, args.column.as_deref())?),
            Source::Lines(path) => texts.extend(file(&path)?),
        }
    }
    if lines && 1 < args.inputs.len() {
        return Err(Failure::usage("standard input, -, is read alone"));
    }
    let mut job = Job::new(args, engine, staged, lines || 1 < texts.len())?;
    let mut cut = 0;
    let mut one = |text: String| -> Result {
        let tokens = tokenizer.encode(&text).map_err(|error| {
            let shown = crate::answers::shortened(&text, 60);
            Failure::refused(format!("{shown}: {error}"))
        })?;
        cut += usize::from(tokens.cut);
        let count = tokens.ids.len();
        let length = fixed.unwrap_or(count);
        let filled = |values: &[i32], with: i32| {
            let mut values = values.to_vec();
            values.resize(length, with);
            Array::from_slice(&[1, length], &values)
        };
        let positions: Vec<i32> = (0..).take(length).collect();
        let feeds = vec![
            ("tokens", filled(&tokens.ids, pad)?),
            ("mask", filled(&vec![1; count], 0)?),
            ("types", filled(&tokens.types, 0)?),
            ("positions", Array::from_slice(&[1, length], &positions)?),
        ];
        job.item(&Item { name: text, feeds })
    };
    if lines {
        let mut input = std::io::stdin().lock();
        while let Some(line) = line(&mut input)? {
            one(line)?;
        }
    }
    texts.into_iter().try_for_each(&mut one)?;
    if 0 < cut {
        let texts = show::number(cut, "text");
        show::note(&format!("{texts} cut after {most} tokens; length in [text] changes that"));
    }
    job.finish()
}

/// Where texts come from.
enum Source {
    Stdin,
    Literal(String),
    Table(PathBuf),
    Lines(PathBuf),
}

impl Source {
    fn of(input: &Path) -> Result<Self> {
        let text = input.to_string_lossy();
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let extension = input.extension().map(|extension| extension.to_ascii_lowercase());
        let extension = extension.as_ref().and_then(|extension| extension.to_str());
        let is_table = matches!(extension, Some("csv" | "tsv"));
        if !input.is_file() {
            // A text that only looks like a file's name is more likely a mistyped one.
            if (is_table || extension == Some("txt")) && !text.contains(' ') {
                return Err(Failure::refused(format!("{text}: there is no such file")));
            }
            return Ok(Self::Literal(text.into_owned()));
        }
        let path = input.to_path_buf();
        Ok(if is_table { Self::Table(path) } else { Self::Lines(path) })
    }
}

fn table(path: &Path, column: Option<&str>) -> Result<Vec<String>> {
    let limits = DataLimits::default();
    let read = read_file(path, &limits).and_then(|bytes| csv::read_texts(&bytes, &limits, column));
    let texts = read.map_err(|error| {
        Failure::from(error.in_file(path))
            .next("--column NAME      says where the text is; a number where columns have no names")
    })?;
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}

/// The lines of a file that hold something.
fn file(path: &Path) -> Result<Vec<String>> {
    let bytes = read_file(path, &DataLimits::default()).map_err(|error| error.in_file(path))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Failure::refused(format!("{}: no UTF-8 text", path.display())))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Failure::refused(format!("{}: there is no text in it", path.display())));
    }
    Ok(lines)
}

/// The next line that holds something.
fn line(input: &mut impl BufRead) -> Result<Option<String>> {
    loop {
        let mut bytes = Vec::new();
        input.by_ref().take(MOST_LINE).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() as u64 == MOST_LINE {
            return Err(Failure::refused(format!("a line of more than {MOST_LINE} bytes")));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::refused("standard input is no UTF-8 text"))?;
        if !text.trim().is_empty() {
            return Ok(Some(text.trim().to_owned()));
        }
    }
}

/// How far from an end of a file Magika looks for what is no white space.
const BLOCK: u64 = 4096;

/// The ends of a file as a model takes them.
fn ends(path: &Path, spec: &BytesSpec) -> Result<Array> {
    let named = |error| Failure::from(embarca_data::DataError::from(error).in_file(path));
    let mut file = std::fs::File::open(path).map_err(named)?;
    let len = file.metadata().map_err(named)?.len();
    let mut block = |at: u64, most: usize| {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))?;
        file.by_ref().take(BLOCK.max(most as u64)).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let first = block(0, spec.first).map_err(named)?;
    let last = block(len.saturating_sub(BLOCK.max(spec.last as u64)), spec.last).map_err(named)?;
    Ok(Array::from_slice(&[1, spec.first + spec.last], &joined(&first, &last, spec))?)
}

/// The beginning, filled up behind, then the end, filled up before.
fn joined(first: &[u8], last: &[u8], spec: &BytesSpec) -> Vec<i32> {
    // What Python calls white space in bytes.
    let blank = |byte: &&u8| spec.strip && matches!(**byte, b' ' | 9..=13);
    let first: Vec<i32> = first.iter().skip_while(blank).map(|&byte| byte.into()).collect();
    let skipped = last.iter().rev().take_while(blank).count();
    let last = &last[..last.len() - skipped];
    let last: Vec<i32> = last.iter().map(|&byte| byte.into()).collect();
    let mut all: Vec<i32> = first.into_iter().take(spec.first).collect();
    all.resize(spec.first, spec.pad);
    let kept = last.len().min(spec.last);
    all.resize(spec.first + spec.last - kept, spec.pad);
    all.extend_from_slice(&last[last.len() - kept..]);
    all
}

/// Runs a model on the bytes of files.
pub fn run_bytes(args: &args::Run, engine: &Engine, spec: &Spec) -> Result {
    let bytes = spec.bytes.clone().unwrap_or_default();
    let staged = crate::task::around(engine, &args.model, &args.prepare, spec)?;
    let mut job = Job::new(args, engine, staged, 1 < args.inputs.len())?;
    for path in &args.inputs {
        let feeds = vec![("bytes", ends(path, &bytes)?)];
        job.item(&Item { name: path.display().to_string(), feeds })?;
    }
    job.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_files_are_filled_up_where_they_are_short() {
        let spec = BytesSpec { first: 4, last: 3, ..BytesSpec::default() };
        let joined = |text: &str| joined(text.as_bytes(), text.as_bytes(), &spec);
        let pad = 256;
        assert_eq!(joined(" \tab\n"), [97, 98, 10, pad, 9, 97, 98]);
        assert_eq!(joined(""), [pad; 7]);
        assert_eq!(joined("abcdefgh"), [97, 98, 99, 100, 102, 103, 104]);
        let plain = BytesSpec { strip: false, ..spec.clone() };
        assert_eq!(super::joined(b" a", b"a ", &plain), [32, 97, pad, pad, pad, 97, 32]);
    }

    #[test]
    fn lines_of_standard_input() {
        let mut input = &b"one\n\n  two \r\nthree"[..];
        let mut lines = Vec::new();
        while let Some(line) = line(&mut input).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "two", "three"]);
        assert!(line(&mut &[b'a'; 1 << 20][..]).is_err());
    }

    #[test]
    fn mistyped_files_are_no_texts() {
        assert!(matches!(Source::of(Path::new("hello there")), Ok(Source::Literal(_))));
        assert!(matches!(Source::of(Path::new("see a.txt")), Ok(Source::Literal(_))));
        assert!(Source::of(Path::new("missing.txt")).is_err());
    }
}
