//! Tables with aligned columns.

use super::{Caps, columns_of};

/// Blanks between columns.
const GAP: usize = 2;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a header.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let columns = columns.into_iter().map(|(name, align)| (name.to_owned(), align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty, those beyond the last column are left out.
    pub fn row<T: ToString>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        let cells = cells.into_iter().take(self.columns.len());
        self.rows.push(cells.map(|cell| cell.to_string()).collect());
        self
    }

    /// The table as lines of text. On a terminal that is too narrow, the widest text column is
    /// cut with an ellipsis; into a file everything goes.
    pub fn render(&self, caps: &Caps) -> String {
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let rows = self.rows.iter().map(|row| columns_of(&cell(row, column)));
                let header = self.columns.get(column).map_or(0, |(name, _)| columns_of(name));
                rows.max().unwrap_or(0).max(header)
            })
            .collect();
        if caps.terminal {
            let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let texts = widths.iter_mut().zip(&self.columns);
            let texts = texts.filter(|(_, (_, align))| *align == Align::Left);
            if let Some((width, _)) = texts.max_by_key(|(width, _)| **width) {
                *width =
                    width.saturating_sub(total.saturating_sub(caps.columns)).max(8.min(*width));
            }
        }

        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let rule = if caps.unicode { "─" } else { "-" };
        let rules: Vec<String> = widths.iter().map(|&width| rule.repeat(width)).collect();
        let mut out = String::new();
        for row in [&header, &rules].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (column, ((_, align), &width)) in self.columns.iter().zip(&widths).enumerate() {
                let text = shortened(&cell(row, column), width, caps);
                let blanks = width.saturating_sub(columns_of(&text));
                let (before, after) = if *align == Align::Left { (0, blanks) } else { (blanks, 0) };
                line.extend(std::iter::repeat_n(' ', before));
                line.push_str(&text);
                line.extend(std::iter::repeat_n(' ', after + GAP));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// The text, cut to a width.
fn shortened(text: &str, width: usize, caps: &Caps) -> String {
    if columns_of(text) <= width {
        return text.to_owned();
    }
    let ellipsis = if caps.unicode { "…" } else { "..." };
    let mut out = String::new();
    for c in text.chars() {
        let next = columns_of(&out) + columns_of(c.encode_utf8(&mut [0; 4]));
        if width < next + columns_of(ellipsis) {
            break;
        }
        out.push(c);
    }
    out + ellipsis
}

#[cfg(test)]
mod tests {
    use super::super::tests::PLAIN;
    use super::*;

    fn table() -> Table {
        let mut table =
            Table::new([("layer", Align::Left), ("ms", Align::Right), ("", Align::Left)]);
        table.row(["convolution of the stem", "12.5", "x"]);
        table.row(["小馆", "0.1"]);
        table
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            table().render(&PLAIN),
            "layer                      ms\n\
             -----------------------  ----  -\n\
             convolution of the stem  12.5  x\n\
             小馆                      0.1\n"
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_text() {
        let caps = Caps { terminal: true, unicode: true, columns: 20, ..PLAIN };
        assert_eq!(
            table().render(&caps),
            "layer          ms\n\
             ───────────  ────  ─\n\
             convolutio…  12.5  x\n\
             小馆          0.1\n"
        );
        let caps = Caps { columns: 1, ..caps };
        assert!(table().render(&caps).contains("convolu…  12.5  x"));
        assert_eq!(Table::new([]).render(&caps), "\n\n");
    }
}
