//! Rows of tables through a model: CSV, NPZ, NPY, or numbers on the command line, in windows where a
//! model takes several rows at once.

use std::path::Path;

use embarca::task::{Kind, Spec, TableSpec, TaskError, table};
use embarca_data::{Array, DataLimits, csv, npy, npz, read_file};

use crate::args;
use crate::engine::Engine;
use crate::failure::{Failure, Result};
use crate::items::{Item, Job};
use crate::show;

/// Names of first columns that count or date rows.
const COUNTING: [&str; 8] =
    ["", "date", "datetime", "id", "index", "time", "timestamp", "unnamed: 0"];

/// Numbers, row by row.
#[derive(Clone, Debug, PartialEq)]
enum Data {
    /// Rows that follow each other in time.
    Rows { columns: usize, values: Vec<f32> },
    /// Windows that are cut already.
    Windows { rows: usize, columns: usize, all: Vec<f32> },
}

impl Data {
    /// Whether a model whose input is `rows` times `columns` takes this with its axes exchanged.
    fn is_turned(&self, rows: usize, columns: usize) -> bool {
        rows != columns
            && match self {
                Self::Rows { columns: own, .. } => *own == rows && 1 < rows && 1 < columns,
                Self::Windows { rows: r, columns: c, .. } => (*r, *c) == (columns, rows),
            }
    }
}

/// Whether inputs are tables: numbers, CSV, or arrays that are not under the names of inputs.
pub fn concerns(args: &args::Run, engine: &Engine, described: bool) -> bool {
    let is_table = |path: &Path| {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("csv" | "tsv") => true,
            Some("txt") => described,
            Some("npy" | "npz") => {
                described || args.array.is_some() || holds_rows(path, args, engine)
            }
            _ => numbers(path).is_some(),
        }
    };
    args.inputs.iter().all(|path| is_table(path))
}

/// Whether arrays are rows rather than what the model's inputs are fed as it is: numbers in its own
/// integers, arrays of more axes, several inputs by name, and what `--out` writes the tensors of.
fn holds_rows(path: &Path, args: &args::Run, engine: &Engine) -> bool {
    let limits = DataLimits::default();
    let Ok(bytes) = read_file(path, &limits) else { return false };
    let arrays = match bytes.starts_with(b"\x93NUMPY") {
        true => npy::read(&bytes, &limits).map(|array| vec![array.named("in0")]),
        false => npz::read(&bytes, &limits),
    };
    let (Ok(arrays), inputs) = (arrays, engine.inputs()) else { return false };
    let find = |i: usize, port: &embarca::Port| {
        let named = |name: &str| arrays.iter().find(|array| array.name.as_deref() == Some(name));
        named(&port.name).or_else(|| named(&format!("in{i}")))
    };
    let fed: Option<Vec<&Array>> =
        inputs.iter().enumerate().map(|(i, port)| find(i, port)).collect();
    let Some(fed) = fed else { return true };
    let [(array, port)] = fed.into_iter().zip(inputs).collect::<Vec<_>>()[..] else { return false };
    let stored = port.quant.is_some() && array.dtype == port.dtype;
    !stored && (1..=3).contains(&array.dims.len()) && args.out.is_none()
}

/// `0.7` or `1,2.5,-3`, where no file is called so.
pub fn numbers(path: &Path) -> Option<Vec<f32>> {
    let text = path.to_str().filter(|_| !path.exists())?;
    let values = text.split(',').map(|cell| cell.trim().parse::<f32>().ok());
    values.collect::<Option<Vec<f32>>>().filter(|values| values.iter().all(|x| x.is_finite()))
}

/// Runs a model on rows.
pub fn run(args: &args::Run, engine: &Engine, spec: &Spec) -> Result {
    let mut spec = spec.clone();
    let mut of_table = spec.table.clone().unwrap_or_default();
    if args.array.is_some() {
        of_table.array.clone_from(&args.array);
    }
    let missing = || Failure::refused(format!("the model has no input {}", of_table.input));
    let port = engine.net().inputs.get(of_table.input).ok_or_else(missing)?;
    let find = |of_table: &_| table::window(of_table, port);
    let refused = |error: TaskError| {
        crate::task::refused(error.into(), &args.model, args.prepare.task.as_deref())
    };
    let mut window = find(&of_table).map_err(refused)?;
    let takes = [window.columns, window.rows * window.columns];
    let mut parts = Vec::new();
    for path in &args.inputs {
        parts.push((path, read(path, &of_table, &port.name, &takes)?));
    }
    // A row of the table need not be a whole input: several may follow each other in it.
    let free = of_table.length.is_none() && of_table.columns.is_empty() && window.rows == 1;
    if let Some((_, Data::Rows { columns, .. })) = parts.first()
        && free
        && *columns < window.columns
        && window.columns.is_multiple_of(*columns)
        && 1 < *columns
    {
        of_table.length = Some(window.columns / columns);
        window = find(&of_table).map_err(refused)?;
        show::note(&format!(
            "{} rows of {columns} columns make one input; length in [table] says so",
            window.rows
        ));
    }
    if let Some((_, data)) = parts.first()
        && of_table.axes.is_none()
        && data.is_turned(window.rows, window.columns)
    {
        of_table.axes = Some("columns-rows".to_owned());
        window = find(&of_table).map_err(refused)?;
        show::note("the model takes columns before rows; axes in [table] says so");
    }
    let step = of_table.step.unwrap_or(match spec.kind {
        Some(Kind::Anomaly) => 1,
        _ => window.rows,
    });
    spec.table = Some(of_table.clone());
    let staged = crate::task::around(engine, &args.model, &args.prepare, &spec)?;
    let mut cuts = Vec::new();
    for (path, data) in parts {
        let name = path.display().to_string();
        let cut = Cut::new(data, window, step.max(1)).map_err(|failure| failure.within(&name))?;
        cuts.push((name, cut));
    }
    let several = 1 < args.inputs.len();
    let many = 1 < cuts.iter().map(|(_, cut)| cut.count).sum::<usize>();
    let mut job = Job::new(args, engine, staged, many)?;
    for (name, cut) in &cuts {
        // One window at a time: those that overlap are many times their table.
        for (place, values) in (0..cut.count).map(|at| cut.window(at)) {
            let name = match (several, place.is_empty()) {
                (false, false) => place,
                (true, false) => format!("{name} {place}"),
                (_, true) => name.clone(),
            };
            let rows = Array::from_slice(&[window.rows, window.columns], &values)?;
            job.item(&Item { name, feeds: vec![("rows", rows)] })?;
        }
    }
    job.finish()
}

/// The numbers of an input.
fn read(path: &Path, spec: &TableSpec, input: &str, takes: &[usize]) -> Result<Data> {
    if let Some(values) = numbers(path) {
        return Ok(Data::Rows { columns: values.len(), values });
    }
    let limits = DataLimits::default();
    let bytes = read_file(path, &limits).map_err(|error| error.in_file(path))?;
    let in_file = |error: embarca_data::DataError| Failure::from(error.in_file(path));
    let shown = path.display();
    if bytes.starts_with(b"\x93NUMPY") {
        return of_array(&npy::read(&bytes, &limits).map_err(in_file)?);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let arrays = npz::read(&bytes, &limits).map_err(in_file)?;
        let called = |name: &str| arrays.iter().find(|array| array.name.as_deref() == Some(name));
        let fits = |array: &&Array| (2..=3).contains(&array.dims.len());
        let mut fitting = arrays.iter().filter(fits);
        let mut only = || fitting.next().filter(|_| fitting.next().is_none());
        let found = match &spec.array {
            Some(name) => called(name),
            None => called(input).or_else(|| called("in0")).or_else(&mut only),
        };
        let names: Vec<&str> = arrays.iter().filter_map(|array| array.name.as_deref()).collect();
        let names = names.join(", ");
        return match (found, &spec.array) {
            (Some(array), _) => of_array(array).map_err(|failure| failure.within(shown)),
            (None, Some(name)) => {
                Err(Failure::refused(format!("{shown}: there is no array '{name}', only {names}")))
            }
            (None, None) => {
                Err(Failure::refused(format!("{shown}: which array holds the rows? ({names})"))
                    .next("--array NAME      says which"))
            }
        };
    }
    let advice = "columns = ['a', 'b'] in [table] names those that the model takes";
    let rows = |table: csv::Table| Data::Rows {
        columns: table.columns,
        values: table.values.iter().map(|&x| x as f32).collect(),
    };
    if !spec.columns.is_empty() {
        let table = csv::read_columns(&bytes, &limits, &spec.columns);
        return table.map(rows).map_err(|error| in_file(error).next(advice));
    }
    // A first column that counts or dates the rows, and one too many at the end, which is a label.
    let left = std::cell::Cell::new((false, false));
    let table = csv::read_kept(&bytes, &limits, |names, of| {
        let first = names.and_then(|names| names.first());
        let is_counting = |name: &String| COUNTING.contains(&name.to_ascii_lowercase().as_str());
        let counted = 1 < of && !takes.contains(&of) && first.is_some_and(is_counting);
        let rest = of - usize::from(counted);
        let labelled = 1 < rest && !takes.contains(&rest) && takes.contains(&(rest - 1));
        left.set((counted, labelled));
        (usize::from(counted)..of - usize::from(labelled)).collect()
    });
    let table = table.map_err(|error| in_file(error).next(advice))?;
    let (counted, labelled) = left.get();
    if counted {
        show::note(&format!("{shown}: the first column counts rows and is left out"));
    }
    if labelled {
        show::note(&format!("{shown}: the last column is left out: it may be a label"));
    }
    Ok(rows(table))
}

/// Rows `[N, C]`, windows `[N, L, C]`, or one row `[C]`.
fn of_array(array: &Array) -> Result<Data> {
    let values = array.to_f32()?;
    Ok(match array.dims[..] {
        [columns] | [_, columns] => Data::Rows { columns, values },
        [_, rows, columns] if 0 < rows * columns => Data::Windows { rows, columns, all: values },
        _ => {
            let dims = show::dims(&array.dims);
            return Err(Failure::refused(format!("an array {dims} holds no rows")));
        }
    })
}

/// From column after column to row after row.
fn turn(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns).map(|i| values[i % columns * rows + i / columns]).collect()
}

/// How the windows of data are cut from it.
struct Cut {
    values: Vec<f32>,
    /// Values of a row, and those of them that are left out at its end.
    row: usize,
    skipped: usize,
    /// Rows of a window, and from one to the next.
    rows: usize,
    step: usize,
    /// Windows.
    count: usize,
    /// What a window is called with its number.
    word: &'static str,
    /// Rows and columns of windows that stand column after column.
    turned: Option<[usize; 2]>,
}

impl Cut {
    /// Windows of data that follow each other by `step` rows, which is at least 1.
    fn new(data: Data, window: table::Window, step: usize) -> Result<Self> {
        let table::Window { rows, columns, turned } = window;
        // Windows that are cut already are rows of which each is a window.
        let whole = |values: Vec<f32>, word, turned: bool| {
            let row = rows * columns;
            let count = values.len() / row.max(1);
            let turned = turned.then_some([rows, columns]);
            Self { values, row, skipped: 0, rows: 1, step: 1, count, word, turned }
        };
        let (given, values) = match data {
            Data::Windows { rows: r, columns: c, all } => {
                let exchanged = (r, c) == (columns, rows) && rows != columns;
                if r * c != rows * columns {
                    let what = format!("windows of {r}x{c}; the model takes {rows}x{columns}");
                    return Err(Failure::refused(what));
                }
                return Ok(whole(all, "window", exchanged));
            }
            Data::Rows { columns, values } => (columns, values),
        };
        let skipped = match given {
            _ if given == columns => 0,
            // What stands in one row may be all that the model takes.
            _ if given == rows * columns && 1 < rows => return Ok(whole(values, "row", turned)),
            _ if given == columns + 1 => 1,
            _ => {
                let takes = show::number(columns, "column");
                let what = format!("the model takes {takes}, the table has {given}");
                return Err(Failure::refused(what)
                    .next("columns = ['a', 'b'] in [table] names those that the model takes"));
            }
        };
        if skipped == 1 {
            show::note(&format!("column {given} is left out: it may be a label"));
        }
        let row = given.max(1);
        let all = values.len() / row;
        if all < rows {
            let given = show::number(all, "row");
            return Err(Failure::refused(format!("{given}, and the model takes {rows} at once")));
        }
        let count = (all - rows) / step + 1;
        let used = (count - 1) * step + rows;
        // A step over more rows than a window has leaves some out on purpose.
        if used < all && step <= rows {
            let left = match all - used {
                1 => format!("row {all} is"),
                _ => format!("rows {}-{all} are", used + 1),
            };
            show::note(&format!("{left} left out: the model takes {rows} at once"));
        }
        let word = match (all, rows) {
            (1, 1) => "",
            (_, 1) => "row",
            _ => "rows",
        };
        Ok(Self { values, row, skipped, rows, step, count, word, turned: None })
    }

    /// The window of a number, and its place.
    fn window(&self, number: usize) -> (String, Vec<f32>) {
        let at = number * self.step;
        let place = match self.word {
            "" => String::new(),
            "rows" => format!("rows {}-{}", at + 1, at + self.rows),
            word => format!("{word} {}", at + 1),
        };
        let rows = self.values.chunks_exact(self.row).skip(at).take(self.rows);
        let values = rows.flat_map(|row| &row[..self.row - self.skipped]).copied();
        match self.turned {
            None => (place, values.collect()),
            Some([rows, columns]) => (place, turn(&values.collect::<Vec<f32>>(), rows, columns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(rows: usize, columns: usize, turned: bool) -> table::Window {
        table::Window { rows, columns, turned }
    }

    fn rows(columns: usize, values: &[f32]) -> Data {
        Data::Rows { columns, values: values.to_vec() }
    }

    fn windows(data: Data, shape: table::Window, step: usize) -> Result<Vec<(String, Vec<f32>)>> {
        let cut = Cut::new(data, shape, step)?;
        Ok((0..cut.count).map(|number| cut.window(number)).collect())
    }

    #[test]
    fn windows_slide_over_rows() {
        let table = rows(2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let slid = windows(table.clone(), window(2, 2, false), 1).unwrap();
        assert_eq!(
            slid,
            [
                ("rows 1-2".to_owned(), vec![1.0, 2.0, 3.0, 4.0]),
                ("rows 2-3".to_owned(), vec![3.0, 4.0, 5.0, 6.0]),
            ]
        );
        let apart = windows(table.clone(), window(1, 1, false), 2).unwrap();
        assert_eq!(apart, [("row 1".to_owned(), vec![1.0]), ("row 3".to_owned(), vec![5.0])]);
        for (shape, part) in
            [(window(4, 2, false), "takes 4 at once"), (window(1, 5, false), "5 columns")]
        {
            let message = windows(table.clone(), shape, 1).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_row_may_hold_a_window() {
        let whole = rows(4, &[1.0, 2.0, 3.0, 4.0]);
        let cut = windows(whole.clone(), window(2, 2, false), 2).unwrap();
        assert_eq!(cut, [("row 1".to_owned(), vec![1.0, 2.0, 3.0, 4.0])]);
        // The table stands as the model takes it: column after column.
        let cut = windows(whole, window(2, 2, true), 2).unwrap();
        assert_eq!(cut, [("row 1".to_owned(), vec![1.0, 3.0, 2.0, 4.0])]);
    }

    #[test]
    fn arrays_are_rows_or_windows() {
        let array = |dims: &[usize]| {
            let len = dims.iter().product::<usize>();
            of_array(&Array::from_slice(dims, &vec![0.5f32; len]).unwrap())
        };
        assert_eq!(array(&[2, 3]).unwrap(), rows(3, &[0.5; 6]));
        let all = vec![0.5; 6];
        assert_eq!(array(&[2, 1, 3]).unwrap(), Data::Windows { rows: 1, columns: 3, all });
        assert!(array(&[1, 1, 1, 1]).is_err());
    }

    #[test]
    fn axes_are_told_by_the_data() {
        let all = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let data = Data::Windows { rows: 3, columns: 2, all };
        assert!(data.is_turned(2, 3) && !data.is_turned(3, 2));
        assert!(rows(2, &[]).is_turned(2, 3) && !rows(3, &[]).is_turned(2, 3));
        assert!(!rows(1, &[]).is_turned(1, 3));
        let cut = windows(data.clone(), window(2, 3, false), 1).unwrap();
        assert_eq!(cut[0].1, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        let cut = windows(data.clone(), window(3, 2, true), 1).unwrap();
        assert_eq!(cut[0].1, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(windows(data, window(2, 2, false), 1).is_err());
    }

    #[test]
    fn numbers_are_rows() {
        assert_eq!(numbers(Path::new("1, 2.5,-3")), Some(vec![1.0, 2.5, -3.0]));
        assert_eq!(numbers(Path::new("nan")), None);
        assert_eq!(numbers(Path::new("a.csv")), None);
    }
}
