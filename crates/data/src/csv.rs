//! Tables of numbers as text: CSV and its relatives.

use crate::{Array, DataError, DataLimits, Result};

/// A table of finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The names of the columns, when the first line holds names.
    pub header: Option<Vec<String>>,
    /// Numbers in a row.
    pub columns: usize,
    /// The numbers, row by row.
    pub values: Vec<f64>,
}

impl Table {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    /// The numbers of one row.
    pub fn row(&self, row: usize) -> Option<&[f64]> {
        let start = row.checked_mul(self.columns)?;
        self.values.get(start..start.checked_add(self.columns)?)
    }

    /// The table as an array `[rows, columns]` of f32, rounded to nearest.
    ///
    /// # Errors
    /// The fields contradict each other.
    pub fn to_array(&self) -> Result<Array> {
        let values: Vec<f32> = self.values.iter().map(|&x| x as f32).collect();
        Array::from_slice(&[self.rows(), self.columns], &values)
    }
}

/// What separates cells.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Delimiter {
    Char(char),
    /// One or more blanks or tabs.
    Blanks,
    /// Nothing: one cell per line.
    None,
}

/// In the order in which they are tried.
const DELIMITERS: [Delimiter; 4] =
    [Delimiter::Char('\t'), Delimiter::Char(';'), Delimiter::Char(','), Delimiter::Blanks];

/// What other programs write for a value they do not have.
const MISSING: [&str; 9] = ["", "na", "n/a", "nan", "null", "none", "nil", "?", "-"];

/// Most cells in a row: a cell takes more memory than its two bytes in the file.
const MAX_COLUMNS: usize = 1 << 18;

/// Reads a table.
///
/// The delimiter (tab, semicolon, comma or blanks) is the first that splits the first two lines
/// into as many cells. The first line is a header when none of its cells is a number. Cells may
/// stand in double quotes, with `""` for a quote. Blank lines and lines that start with `#` are
/// skipped. A decimal point is a point.
///
/// # Errors
/// Naming line and column: a row of another length, a missing value, a cell that is not a finite
/// number, a quote that does not end. Also text that is not UTF-8, and a table without numbers.
pub fn read(bytes: &[u8], limits: &DataLimits) -> Result<Table> {
    read_columns(bytes, limits, &[])
}

/// Reads the columns of these names, in this order; all of them when there are no names. What
/// stands in other columns need be no number.
///
/// # Errors
/// As [`read`], and when a name is missing.
pub fn read_columns(bytes: &[u8], limits: &DataLimits, names: &[String]) -> Result<Table> {
    read_some(bytes, limits, names, |_, of| (0..of).collect())
}

/// As [`read`], of the columns alone whose places `kept` yields, from the names of all (where the first line
/// holds names) and their number. What stands in others need be no number.
///
/// # Errors
/// As [`read`].
pub fn read_kept(
    bytes: &[u8],
    limits: &DataLimits,
    kept: impl Fn(Option<&[String]>, usize) -> Vec<usize>,
) -> Result<Table> {
    read_some(bytes, limits, &[], kept)
}

fn read_some(
    bytes: &[u8],
    limits: &DataLimits,
    names: &[String],
    kept: impl Fn(Option<&[String]>, usize) -> Vec<usize>,
) -> Result<Table> {
    let text = text_of(bytes, limits)?;
    let delimiter = detect(text, &DELIMITERS, false)?;
    let mut chosen = Vec::new();

    let mut table = Table { header: None, columns: 0, values: Vec::new() };
    let mut records = Records::new(text, delimiter);
    let mut first = true;
    while let Some(record) = records.next()? {
        let Record { line, cells } = record;
        let at = |column: usize| format!("line {line}, column {}", column + 1);
        if first {
            first = false;
            table.columns = cells.len();
            let named = cells.iter().any(|cell| !cell.trim().is_empty());
            if named && cells.iter().all(|cell| cell.trim().parse::<f64>().is_err()) {
                let header: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
                chosen = match names {
                    [] => kept(Some(&header), header.len()),
                    names => choose(&header, names)?,
                };
                table.header = Some(header);
                continue;
            }
            chosen = kept(None, cells.len());
            if !names.is_empty() {
                let what = "the first line does not name the columns";
                return Err(DataError::malformed(what).at(format_args!("line {line}")));
            }
        }
        if cells.len() != table.columns {
            return Err(DataError::malformed(format!(
                "{} cells where the first line has {}",
                cells.len(),
                table.columns
            ))
            .at(format_args!("line {line}")));
        }
        limits.elements((table.values.len() + cells.len()) as u64)?;
        let mut push = |column: usize| -> Result<()> {
            let cell = cells.get(column).map_or("", |cell| cell.trim());
            table.values.push(number(cell).map_err(|error| error.at(at(column)))?);
            Ok(())
        };
        chosen.iter().copied().try_for_each(&mut push)?;
    }
    if table.values.is_empty() {
        return Err(DataError::malformed("the table has no numbers"));
    }
    table.columns = chosen.len();
    table.header = table.header.map(|header| {
        let name = |&place: &usize| header.get(place).cloned().unwrap_or_default();
        chosen.iter().map(name).collect()
    });
    Ok(table)
}

fn text_of<'a>(bytes: &'a [u8], limits: &DataLimits) -> Result<&'a str> {
    limits.bytes(bytes.len() as u64)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes.iter().take(error.valid_up_to()).filter(|&&b| b == b'\n').count() + 1;
        DataError::malformed("the table is not UTF-8 text; save it as UTF-8")
            .at(format_args!("line {line}"))
    })
}

/// The places of columns in a header.
fn choose(header: &[String], names: &[String]) -> Result<Vec<usize>> {
    let place = |name: &String| {
        let found = header.iter().position(|own| own == name);
        found.ok_or_else(|| {
            let shown: Vec<&str> = header.iter().take(20).map(String::as_str).collect();
            let shown = shown.join(", ");
            DataError::malformed(format!("there is no column '{name}', only {shown}"))
        })
    };
    names.iter().map(place).collect()
}

/// Columns of these names are taken for text where nobody says which one is.
const TEXTS: [&str; 5] = ["text", "sentence", "message", "content", "review"];

/// Reads a column of text: by its name, by its number from 1, or the only one, or the one that is
/// called `text`, `sentence`, `message`, `content` or `review`. A column that is told by a number has
/// no name in the first line.
///
/// Tabs, semicolons and commas separate cells. Between tabs a quote is a letter like others, unless
/// it stands on both sides of a cell. Yields the texts with their lines.
///
/// # Errors
/// Naming the line: a row of another length, a quote that does not end. Also text that is not UTF-8,
/// and a column that is not there.
pub fn read_texts(
    bytes: &[u8],
    limits: &DataLimits,
    column: Option<&str>,
) -> Result<Vec<(usize, String)>> {
    let text = text_of(bytes, limits)?;
    let delimiter = detect(text, &DELIMITERS[..3], true)?;
    let mut records = Records { comments: false, plain: true, ..Records::new(text, delimiter) };
    let number = column.and_then(|column| column.parse::<usize>().ok()).filter(|&n| 0 < n);
    let mut found = number.map(|number| number - 1);
    let mut columns = 0;
    let mut texts = Vec::new();
    while let Some(Record { line, mut cells }) = records.next()? {
        if columns == 0 {
            columns = cells.len();
            let named = |name: &str| cells.iter().position(|cell| cell.trim() == name);
            let guess = || {
                let called = |cell: &String| {
                    let cell = cell.trim().to_ascii_lowercase();
                    TEXTS.contains(&cell.as_str())
                };
                cells.iter().position(called)
            };
            let header = match (found, column) {
                (Some(_), _) => None,
                (None, Some(name)) => Some(named(name)),
                (None, None) if columns == 1 && guess().is_none() => {
                    found = Some(0);
                    None
                }
                (None, None) => Some(guess()),
            };
            if let Some(place) = header {
                let names: Vec<&str> = cells.iter().take(20).map(|cell| cell.trim()).collect();
                let names = names.join(", ");
                let what = match column {
                    Some(name) => format!("there is no column '{name}', only {names}"),
                    None => format!("which of the {columns} columns holds the text? ({names})"),
                };
                found = Some(place.ok_or_else(|| DataError::malformed(what))?);
                continue;
            }
        }
        if cells.len() != columns {
            let what = format!("{} cells where the first line has {columns}", cells.len());
            return Err(DataError::malformed(what).at(format_args!("line {line}")));
        }
        limits.elements(texts.len() as u64 + 1)?;
        let Some(place) = found.filter(|&place| place < columns) else {
            let what = format!("there is no column {}, only {columns}", found.unwrap_or(0) + 1);
            return Err(DataError::malformed(what));
        };
        texts.push((line, cells.swap_remove(place).trim().to_owned()));
    }
    if texts.is_empty() {
        return Err(DataError::malformed("the table has no rows"));
    }
    Ok(texts)
}

fn number(cell: &str) -> Result<f64> {
    if MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing)) {
        return Err(DataError::malformed(if cell.is_empty() {
            "the value is missing; fill it in or remove the row".into()
        } else {
            format!("the value is missing (\"{cell}\"); fill it in or remove the row")
        }));
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(DataError::malformed(format!("\"{cell}\" is not a finite number"))),
        Err(_) if cell.replacen(',', ".", 1).parse::<f64>().is_ok() => Err(DataError::malformed(
            format!("\"{cell}\" has a decimal comma; write {}", cell.replacen(',', ".", 1)),
        )),
        Err(_) => Err(DataError::malformed(format!(
            "\"{}\" is not a number; remove the column or encode it as numbers",
            cell.chars().take(40).collect::<String>().escape_debug()
        ))),
    }
}

fn detect(text: &str, delimiters: &[Delimiter], plain: bool) -> Result<Delimiter> {
    let split = |delimiter| -> Result<(Vec<String>, Option<usize>)> {
        let mut records = Records { plain, ..Records::new(text, delimiter) };
        let first = records.next()?.map_or_else(Vec::new, |record| record.cells);
        Ok((first, records.next()?.map(|record| record.cells.len())))
    };
    let mut fallback = Delimiter::None;
    for &delimiter in delimiters {
        let (first, second) = split(delimiter)?;
        if first.len() < 2 {
            continue;
        }
        if second.is_none_or(|len| len == first.len()) {
            return Ok(delimiter);
        }
        // Blanks in a single name are no delimiter; in a line of numbers they are.
        let numbers = first.iter().all(|cell| cell.trim().parse::<f64>().is_ok());
        if fallback == Delimiter::None && (delimiter != Delimiter::Blanks || numbers) {
            fallback = delimiter;
        }
    }
    Ok(fallback)
}

struct Record {
    /// Where it starts, from 1.
    line: usize,
    cells: Vec<String>,
}

/// Splits text into records; a quoted cell may span lines.
struct Records<'a> {
    text: &'a str,
    line: usize,
    delimiter: Delimiter,
    /// Whether a line that starts with `#` is none.
    comments: bool,
    /// Whether quotes between tabs are letters.
    plain: bool,
}

impl<'a> Records<'a> {
    fn new(text: &'a str, delimiter: Delimiter) -> Self {
        Self { text, line: 1, delimiter, comments: true, plain: false }
    }

    fn next(&mut self) -> Result<Option<Record>> {
        loop {
            if self.text.is_empty() {
                return Ok(None);
            }
            let (head, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
            let head = head.trim();
            let comment = self.comments && head.starts_with('#');
            if !head.is_empty() && !comment {
                return self.record().map(Some);
            }
            self.text = rest;
            self.line += 1;
        }
    }

    /// A line of cells between tabs, each as it is.
    fn tabbed(&mut self) -> Result<Record> {
        let start = self.line;
        let (head, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
        self.text = rest;
        self.line += 1;
        let cells: Vec<String> = head.split('\t').take(MAX_COLUMNS + 1).map(unquoted).collect();
        if MAX_COLUMNS < cells.len() {
            return Err(DataError::malformed(format!("more than {MAX_COLUMNS} cells"))
                .at(format_args!("line {start}")));
        }
        Ok(Record { line: start, cells })
    }

    fn record(&mut self) -> Result<Record> {
        if self.plain && self.delimiter == Delimiter::Char('\t') {
            return self.tabbed();
        }
        let start = self.line;
        let mut cells = Vec::new();
        let mut cell = String::new();
        let mut chars = self.text.char_indices().peekable();
        let mut quoted = false;
        let mut end = self.text.len();
        while let Some((at, c)) = chars.next() {
            if quoted {
                match c {
                    '"' if chars.next_if(|&(_, next)| next == '"').is_some() => cell.push('"'),
                    '"' => quoted = false,
                    _ => {
                        self.line += usize::from(c == '\n');
                        cell.push(c);
                    }
                }
                continue;
            }
            if MAX_COLUMNS < cells.len() {
                return Err(DataError::malformed(format!("more than {MAX_COLUMNS} cells"))
                    .at(format_args!("line {start}")));
            }
            let separates = match self.delimiter {
                Delimiter::Char(delimiter) => c == delimiter,
                Delimiter::Blanks => matches!(c, ' ' | '\t'),
                Delimiter::None => false,
            };
            if c == '\n' {
                end = at + 1;
                break;
            } else if separates && self.delimiter == Delimiter::Blanks {
                // A run of blanks ends one cell, and before the first there is none.
                if !cell.is_empty() {
                    cells.push(std::mem::take(&mut cell));
                }
            } else if separates {
                cells.push(std::mem::take(&mut cell));
            } else if c == '"' && cell.trim().is_empty() {
                cell.clear();
                quoted = true;
            } else {
                cell.push(c);
            }
        }
        if quoted {
            return Err(DataError::malformed("a quote that does not end")
                .at(format_args!("line {start}, column {}", cells.len() + 1)));
        }
        if self.delimiter != Delimiter::Blanks || !cell.trim().is_empty() {
            cells.push(cell);
        }
        self.text = self.text.get(end..).unwrap_or("");
        self.line += 1;
        Ok(Record { line: start, cells })
    }
}

/// A cell without the quotes around it.
fn unquoted(cell: &str) -> String {
    let cell = cell.trim_end_matches('\r');
    match cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(inner) if !inner.replace("\"\"", "").contains('"') => inner.replace("\"\"", "\""),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        read(text.as_bytes(), &DataLimits::default()).unwrap()
    }

    #[test]
    fn dialects() {
        let values = [1.5, -2.0, 3e3, 0.25];
        for (text, header) in [
            ("1.5,-2\n3e3,.25\n", None),
            ("\u{feff}1.5,-2\r\n3e3,.25", None),
            ("1.5;-2\n\n3e3;.25\n\n", None),
            ("1.5\t-2\n3e3\t.25\n", None),
            ("  1.5   -2\n3e3 \t .25  \n", None),
            ("# made by hand\n1.5, -2\n# in between\n3e3, +.25\n", None),
            ("\"1.5\",\"-2\"\n\"3e3\",\"0.25\"\n", None),
            ("a,b\n1.5,-2\n3e3,.25\n", Some(["a", "b"])),
            (",b c\n1.5,-2\n3e3,.25\n", Some(["", "b c"])),
            (
                "\"x, \"\"y\"\"\";\"two\nlines\"\n1.5;-2\n3e3;.25\n",
                Some(["x, \"y\"", "two\nlines"]),
            ),
        ] {
            let table = table(text);
            assert_eq!(table.values, values, "{text:?}");
            assert_eq!((table.columns, table.rows()), (2, 2), "{text:?}");
            assert_eq!(table.header, header.map(|names| names.map(String::from).to_vec()));
            assert_eq!(table.row(1), Some(&values[2..]));
            assert_eq!(table.row(2), None);
        }
    }

    #[test]
    fn single_columns_and_rows() {
        assert_eq!(table("sepal length\n5\n6\n").values, [5.0, 6.0]);
        assert_eq!(table("5\n6").columns, 1);
        assert_eq!(table("5 6").columns, 2);
        assert_eq!(table("1,2,3").to_array().unwrap().dims, [1, 3]);
    }

    #[test]
    fn refusals_name_the_place() {
        for (text, message) in [
            ("1,2\n3\n", "line 2: 1 cells where the first line has 2"),
            ("1 2\n3\n", "line 2: 1 cells where the first line has 2"),
            ("a,b\n#\n1,2\n3,4,5\n", "line 4: 3 cells where the first line has 2"),
            ("1,2\n3,\n", "line 2, column 2: the value is missing; fill it in or remove the row"),
            (
                "1,2\n3,NaN\n",
                "line 2, column 2: the value is missing (\"NaN\"); fill it in or remove the row",
            ),
            ("1,2\n-inf,4\n", "line 2, column 1: \"-inf\" is not a finite number"),
            ("1;2\n3;4,5\n", "line 2, column 2: \"4,5\" has a decimal comma; write 4.5"),
            (
                "1,red\n2,blue\n",
                "line 1, column 2: \"red\" is not a number; remove the column or encode it as \
                 numbers",
            ),
            ("1,\"2\n3,4\n", "line 1, column 2: a quote that does not end"),
            ("a,b\n", "the table has no numbers"),
            ("# nothing\n\n", "the table has no numbers"),
        ] {
            let error = read(text.as_bytes(), &DataLimits::default()).unwrap_err();
            assert_eq!(error.to_string(), message, "{text:?}");
        }
        let message = read(b"1\n\xff\n", &DataLimits::default()).unwrap_err().to_string();
        assert_eq!(message, "line 2: the table is not UTF-8 text; save it as UTF-8");
        let message = read(&[b','; 1 << 21], &DataLimits::default()).unwrap_err().to_string();
        assert_eq!(message, "line 1: more than 262144 cells");
        let limits = DataLimits { max_elements: 3, ..DataLimits::default() };
        assert!(read(b"1,2\n3,4\n", &limits).is_err());
    }

    #[test]
    fn columns_are_chosen_by_name() {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let read = |text: &str, chosen: &[&str]| {
            read_columns(text.as_bytes(), &DataLimits::default(), &names(chosen))
        };
        let table = read("day,x,y\nmon,1,2\ntue,3,4\n", &["y", "x"]).unwrap();
        assert_eq!((table.columns, table.values), (2, vec![2.0, 1.0, 4.0, 3.0]));
        let middle = |text: &str| {
            let kept =
                |names: Option<&[String]>, of| (usize::from(names.is_some())..of - 1).collect();
            let table = read_kept(text.as_bytes(), &DataLimits::default(), kept)?;
            Ok::<_, DataError>((table.header, table.columns, table.values))
        };
        let numbers = vec![1.0, 2.0, 3.0, 4.0];
        let header = Some(vec!["x".to_owned(), "y".to_owned()]);
        let want = (header, 2, numbers.clone());
        assert_eq!(middle("day,x,y,kind\n1 May,1,2,a\n2 May,3,4,b\n").unwrap(), want);
        assert_eq!(middle("1,2,a\n3,4,b\n").unwrap(), (None, 2, numbers));
        assert!(middle("1,a,b\n").unwrap_err().to_string().contains("line 1, column 2"));
        let message = read("a,b\n1,2\n", &["c"]).unwrap_err().to_string();
        assert_eq!(message, "there is no column 'c', only a, b");
        assert!(read("1,2\n", &["c"]).unwrap_err().to_string().contains("name the columns"));
    }

    #[test]
    fn texts_are_read() {
        let read = |text: &str, column: Option<&str>| {
            let found = read_texts(text.as_bytes(), &DataLimits::default(), column)?;
            Ok::<_, DataError>(found.into_iter().map(|(_, text)| text).collect::<Vec<_>>())
        };
        for (text, column, want) in [
            ("label,text\n1,\"a, b\"\n0,#c\n", None, ["a, b", "#c"]),
            ("label,words\n1,\"a, b\"\n0,#c\n", Some("words"), ["a, b", "#c"]),
            ("ham\t\"a, b\nspam\t#c\n", Some("2"), ["\"a, b", "#c"]),
            ("ham\t\"a, \"\"b\"\nspam\t#c\r\n", Some("2"), ["a, \"b", "#c"]),
            ("#a b\n\nc d\n", None, ["#a b", "c d"]),
            ("Sentence\na b\nc\n", None, ["a b", "c"]),
        ] {
            assert_eq!(read(text, column).unwrap(), want, "{text:?}");
        }
        for (text, column, part) in [
            ("a,b\n1,2\n", None, "which of the 2 columns holds the text? (a, b)"),
            ("a,b\n1,2\n", Some("c"), "no column 'c'"),
            ("a,b\n1,2\n", Some("3"), "no column 3, only 2"),
            ("a,b\n1,2\n3\n", Some("1"), "line 3: 1 cells"),
            ("text\n", None, "no rows"),
        ] {
            let error = read(text, column).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
