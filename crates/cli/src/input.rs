//! From files to tensors: pictures, sounds, tables, arrays.

use std::path::Path;

use embarca::Port;
use embarca_data::{Array, DataLimits, audio, csv, npy, npz, read_file};
use embarca_num::DType;

use crate::args::Prepare;
use crate::engine::{Engine, dims_of};
use crate::failure::{Failure, Result};
use crate::{pictures, rows, show, task};

/// One set of inputs.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The file, with the row where it has several.
    pub name: String,
    /// One array per input.
    pub arrays: Vec<Array>,
}

/// What a file becomes.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// In the order of the file.
    pub samples: Vec<Sample>,
    /// What was assumed, with the flags that change it.
    pub notes: Vec<String>,
}

/// Which kind of file, by its first bytes and, for text, its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Picture,
    Sound,
    Npy,
    Npz,
    Table,
}

fn kind(path: &Path, bytes: &[u8]) -> Option<Kind> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if pictures::is_picture(bytes) {
        return Some(Kind::Picture);
    }
    if starts(b"RIFF") {
        return Some(Kind::Sound);
    }
    if starts(b"\x93NUMPY") {
        return Some(Kind::Npy);
    }
    if starts(b"PK\x03\x04") {
        return Some(Kind::Npz);
    }
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    matches!(extension.as_str(), "csv" | "tsv" | "txt").then_some(Kind::Table)
}

/// Reads one file for a model with these inputs.
pub fn load(path: &Path, engine: &Engine, model: &Path, prepare: &Prepare) -> Result<Loaded> {
    let ports = engine.inputs();
    let limits = DataLimits::default();
    if let Some(values) = rows::numbers(path) {
        let values = values.into_iter().map(f64::from).collect::<Vec<f64>>();
        let table = csv::Table { header: None, columns: values.len(), values };
        let name = path.display().to_string();
        let [port] = ports else { return Err(several(&name, ports)) };
        let (arrays, notes) = self::table(&table, port)?;
        let samples =
            arrays.into_iter().map(|array| Sample { name: name.clone(), arrays: vec![array] });
        return Ok(Loaded { samples: samples.collect(), notes });
    }
    let bytes = read_file(path, &limits)?;
    let name = path.display().to_string();
    let in_file = |error: embarca_data::DataError| Failure::from(error.in_file(path));
    if bytes.is_empty() {
        return Err(Failure::refused(format!("{name}: the file is empty")));
    }
    let Some(kind) = kind(path, &bytes) else {
        return Err(Failure::refused(format!(
            "{name}: not a PNG, JPEG, BMP, WAV, CSV, NPY or NPZ file"
        )));
    };
    if kind == Kind::Npz {
        let arrays = tensors(ports, npz::read(&bytes, &limits).map_err(in_file)?, false)?;
        return Ok(Loaded { samples: vec![Sample { name, arrays }], notes: Vec::new() });
    }
    if kind == Kind::Picture {
        let mut staged = task::for_pictures(engine, model, prepare)?;
        let arrays = pictures::arrays(&mut staged, engine, path)?;
        return Ok(Loaded { samples: vec![Sample { name, arrays }], notes: staged.task.notes });
    }
    let [port] = ports else { return Err(several(&name, ports)) };
    let mut loaded = Loaded::default();
    match kind {
        Kind::Sound => {
            let sound = audio::decode_wav(&bytes, &limits).map_err(in_file)?;
            let (array, notes) = self::sound(&sound, port)?;
            loaded.samples.push(Sample { name, arrays: vec![array] });
            loaded.notes = notes;
        }
        Kind::Npy => {
            let array = npy::read(&bytes, &limits).map_err(in_file)?;
            let (array, notes) = fitted(array, port)?;
            loaded.samples.push(Sample { name, arrays: vec![array] });
            loaded.notes = notes;
        }
        Kind::Table => {
            let table = csv::read(&bytes, &limits).map_err(in_file)?;
            let (arrays, notes) =
                self::table(&table, port).map_err(|failure| failure.within(&name))?;
            let many = 1 < arrays.len();
            for (i, array) in arrays.into_iter().enumerate() {
                let name = if many { format!("{name} row {}", i + 1) } else { name.clone() };
                loaded.samples.push(Sample { name, arrays: vec![array] });
            }
            loaded.notes = notes;
        }
        Kind::Npz | Kind::Picture => {}
    }
    Ok(loaded)
}

/// The refusal of one file for several inputs.
fn several(name: &str, ports: &[Port]) -> Failure {
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    let (count, names) = (ports.len(), names.join(", "));
    Failure::refused(format!("{name}: one file, but the model has {count} inputs: {names}"))
        .next("embarca run MODEL --tensors in.npz      feeds all of them")
}

/// Real numbers as elements of an input: quantized where it is, rounded where it holds integers.
pub fn stored(port: &Port, dims: &[usize], real: impl Iterator<Item = f32>) -> Result<Array> {
    let whole = |low: f32, high: f32| {
        let (scale, zero) = port.quant.unwrap_or((1.0, 0));
        move |x: f32| ((x / scale).round_ties_even() + zero as f32).clamp(low, high)
    };
    Ok(match port.dtype {
        DType::F32 => Array::from_slice(dims, &real.collect::<Vec<f32>>())?,
        DType::F64 => Array::from_slice(dims, &real.map(f64::from).collect::<Vec<f64>>())?,
        DType::I8 => {
            let values = real.map(whole(-128.0, 127.0)).map(|x| x as i8);
            Array::from_slice(dims, &values.collect::<Vec<i8>>())?
        }
        DType::U8 => {
            let values = real.map(whole(0.0, 255.0)).map(|x| x as u8);
            Array::from_slice(dims, &values.collect::<Vec<u8>>())?
        }
        DType::I16 => {
            let values = real.map(whole(-32768.0, 32767.0)).map(|x| x as i16);
            Array::from_slice(dims, &values.collect::<Vec<i16>>())?
        }
        DType::I32 => {
            let values = real.map(whole(i32::MIN as f32, i32::MAX as f32)).map(|x| x as i32);
            Array::from_slice(dims, &values.collect::<Vec<i32>>())?
        }
        DType::I64 => {
            let values = real.map(whole(i64::MIN as f32, i64::MAX as f32)).map(|x| x as i64);
            Array::from_slice(dims, &values.collect::<Vec<i64>>())?
        }
        other => {
            let what = format!("input '{}' takes {other}, which pictures do not become", port.name);
            return Err(Failure::refused(what).next("--tensors in.npz feeds it raw numbers"));
        }
    })
}

/// The arrays of an NPZ file in the order of the inputs: by name, or `in0`, `in1`, ...; with
/// `positional` by `in0`, `in1`, ... only, or else in the order of the file.
pub fn tensors(ports: &[Port], arrays: Vec<Array>, positional: bool) -> Result<Vec<Array>> {
    let find = |name: &str| arrays.iter().find(|array| array.name.as_deref() == Some(name));
    let numbered = |i: usize| find(&format!("in{i}"));
    let found: Vec<Option<&Array>> = ports
        .iter()
        .enumerate()
        .map(|(i, port)| match find(&port.name) {
            Some(array) if !positional => Some(array),
            _ => numbered(i),
        })
        .collect();
    if let Some(found) = found.iter().copied().collect::<Option<Vec<_>>>() {
        return Ok(found.into_iter().cloned().collect());
    }
    if positional && arrays.len() == ports.len() && found.iter().all(Option::is_none) {
        return Ok(arrays);
    }
    let list = |names: Vec<String>| names.join(", ");
    let wanted =
        list(ports.iter().map(|port| format!("{} {}", port.name, dims_of(port))).collect());
    let given = list(arrays.iter().map(|array| array.name.clone().unwrap_or_default()).collect());
    Err(Failure::refused(format!("the model takes {wanted}; the file holds {given}"))
        .next("numpy.savez('in.npz', in0=..., in1=...)      names them by position")
        .next("--positional      takes them in the order of the file"))
}

/// An array for an input: leading axes of length 1 may be missing, element types are converted where
/// that is harmless.
fn fitted(array: Array, port: &Port) -> Result<(Array, Vec<String>)> {
    let mut notes = Vec::new();
    let mut dims = array.dims.clone();
    while dims.len() < port.dims.len() {
        dims.insert(0, 1);
    }
    if array.dtype == port.dtype {
        return Ok((Array::new(array.dtype, &dims, array.data)?, notes));
    }
    let is_real = matches!(array.dtype, DType::F64 | DType::F32 | DType::F16 | DType::Bf16);
    let harmless = match (port.quant.is_some(), port.dtype) {
        (true, _) => is_real,
        (false, DType::F32 | DType::F64) => true,
        (false, _) => !is_real,
    };
    if !harmless {
        let (given, wanted) = (array.dtype, port.dtype);
        return Err(Failure::refused(format!("the array holds {given}, the input takes {wanted}")));
    }
    let verb = if port.quant.is_some() { "quantized" } else { "converted" };
    notes.push(format!("{} values are {verb} to {}", array.dtype, port.dtype));
    let real = array.to_f32()?;
    Ok((stored(port, &dims, real.into_iter())?, notes))
}

/// Samples of a recording for an input with one axis of time.
fn sound(sound: &audio::Audio, port: &Port) -> Result<(Array, Vec<String>)> {
    // An open axis in front of others is a batch.
    let time = match port.dims.as_slice() {
        [None, rest @ ..] if !rest.is_empty() => rest,
        dims => dims,
    };
    let long = time.iter().filter(|dim| dim.is_none_or(|dim| 1 < dim)).count();
    let takes_samples = matches!(port.dtype, DType::F32 | DType::I16);
    if !takes_samples || long != 1 {
        return Err(Failure::refused(format!(
            "input '{}' takes features ({} {}), the file holds {} samples of sound",
            port.name,
            port.dtype,
            dims_of(port),
            sound.samples.len()
        ))
        .next("embarca run MODEL --tensors in.npz      feeds features computed elsewhere"));
    }
    let mut notes = vec![format!("{} samples a second, as in the file", sound.rate)];
    let before = port.dims.len() - time.len();
    let at = time.iter().position(|dim| dim.is_none_or(|dim| 1 < dim)).map(|at| before + at);
    let given = sound.samples.len();
    let wanted = at.and_then(|at| port.dims.get(at).copied().flatten()).unwrap_or(given);
    if wanted < given {
        notes.push(format!("only the first {wanted} of {given} samples are fed"));
    } else if given < wanted {
        notes.push(format!("{given} samples are followed by silence up to {wanted}"));
    }
    let length = |(i, dim): (usize, &Option<usize>)| {
        if Some(i) == at { wanted } else { dim.unwrap_or(1) }
    };
    let dims: Vec<usize> = port.dims.iter().enumerate().map(length).collect();
    let silence = std::iter::repeat(0.0f32);
    let samples = sound.samples.iter().copied().chain(silence).take(wanted);
    let array = match (port.dtype, port.quant) {
        (DType::I16, None) => {
            let values = samples.map(|x| (x * 32768.0).round().clamp(-32768.0, 32767.0) as i16);
            Array::from_slice(&dims, &values.collect::<Vec<i16>>())?
        }
        _ => stored(port, &dims, samples)?,
    };
    Ok((array, notes))
}

/// The rows of a table as samples, or the whole table as one.
fn table(table: &csv::Table, port: &Port) -> Result<(Vec<Array>, Vec<String>)> {
    let dims: Vec<usize> = port.preferred.clone();
    let item: usize = dims.iter().product();
    let real = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let array = |values: &[f64]| stored(port, &dims, real(values).into_iter());
    let mut notes = Vec::new();
    if table.values.len() == item && table.columns != item {
        return Ok((vec![array(&table.values)?], notes));
    }
    if table.columns == item + 1 {
        let label = table.header.as_ref().and_then(|header| header.last());
        let label = label.map_or_else(|| "the last column".into(), |name| format!("'{name}'"));
        notes.push(format!(
            "{label} is left out: {} columns for {}",
            table.columns,
            show::number(item, "number")
        ));
    } else if table.columns != item {
        return Err(Failure::refused(format!(
            "input '{}' is {}: {} a row; the table has {} of {}",
            port.name,
            dims_of(port),
            show::number(item, "number"),
            show::number(table.rows(), "row"),
            table.columns
        ))
        .next("leave out other columns; the last one may be a label"));
    }
    let rows = (0..table.rows()).filter_map(|row| table.row(row)?.get(..item));
    Ok((rows.map(array).collect::<Result<_>>()?, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, dtype: DType, dims: &[Option<usize>], quant: Option<(f32, i32)>) -> Port {
        let preferred = dims.iter().map(|dim| dim.unwrap_or(1)).collect();
        Port { name: name.into(), dtype, dims: dims.to_vec(), preferred, quant }
    }

    #[test]
    fn arrays_find_their_inputs() {
        let ports =
            [port("a", DType::F32, &[Some(1)], None), port("b", DType::F32, &[Some(1)], None)];
        let array = |name: &str, x: f32| Array::from_slice(&[1], &[x]).unwrap().named(name);
        let run = |arrays: Vec<Array>, positional| {
            let found = tensors(&ports, arrays, positional)?;
            Ok::<_, Failure>(
                found.iter().map(|array| array.as_f32().unwrap()[0]).collect::<Vec<_>>(),
            )
        };
        let by_name = vec![array("b", 2.0), array("a", 1.0)];
        assert_eq!(run(by_name.clone(), false).unwrap(), [1.0, 2.0]);
        assert_eq!(run(by_name, true).unwrap(), [2.0, 1.0]);
        let numbered = vec![array("in1", 2.0), array("in0", 1.0)];
        assert_eq!(run(numbered.clone(), false).unwrap(), [1.0, 2.0]);
        assert_eq!(run(numbered, true).unwrap(), [1.0, 2.0]);
        let message = run(vec![array("a", 1.0), array("c", 1.0)], false).unwrap_err().to_string();
        assert!(message.contains("the file holds a, c"), "{message}");
        assert!(run(vec![array("in0", 1.0), array("c", 1.0)], true).is_err());
    }

    #[test]
    fn rows_become_samples() {
        let read = |text: &str| csv::read(text.as_bytes(), &DataLimits::default()).unwrap();
        let x = port("x", DType::I8, &[Some(1), Some(2)], Some((0.5, -1)));
        let (arrays, notes) = table(&read("a,b,class\n1,2,0\n-1,100,1\n"), &x).unwrap();
        assert_eq!(arrays.len(), 2);
        assert_eq!(arrays[1].as_i8().unwrap(), [-3, 127]);
        assert!(notes[0].contains("'class'"));
        let whole = port("x", DType::F32, &[Some(1), Some(3), Some(2)], None);
        assert_eq!(table(&read("1,2\n3,4\n5,6\n"), &whole).unwrap().0[0].dims, [1, 3, 2]);
        assert!(table(&read("1,2\n3,4\n"), &whole).is_err());
    }

    #[test]
    fn sounds_are_cut_or_filled() {
        let short = audio::Audio { rate: 8000, samples: vec![0.5, -1.0], pcm16: None };
        let (array, notes) =
            sound(&short, &port("x", DType::I16, &[Some(1), Some(3)], None)).unwrap();
        assert_eq!(array.to_vec::<i16>().unwrap(), [16384, -32768, 0]);
        assert_eq!(notes.len(), 2);
        let open = port("x", DType::F32, &[None, None], None);
        assert_eq!(sound(&short, &open).unwrap().0.dims, [1, 2]);
        let batch = port("x", DType::F32, &[None, Some(4), Some(1)], None);
        assert_eq!(sound(&short, &batch).unwrap().0.dims, [1, 4, 1]);
        let features = port("x", DType::F32, &[Some(1), Some(49), Some(10), Some(1)], None);
        assert!(sound(&short, &features).unwrap_err().to_string().contains("features"));
    }

    #[test]
    fn arrays_are_converted_where_it_is_harmless() {
        let array = Array::from_slice(&[2], &[0.5f64, 1.0]).unwrap();
        let x = port("x", DType::F32, &[Some(1), Some(2)], None);
        let (fit, notes) = fitted(array.clone(), &x).unwrap();
        assert_eq!((fit.dims, notes.len()), (vec![1, 2], 1));
        let ids = port("x", DType::I64, &[Some(2)], None);
        assert!(fitted(array, &ids).is_err());
    }
}
