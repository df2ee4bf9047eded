//! Why a task is refused.

use std::fmt;

use embarca_ir::ShapeError;

/// Why a task does not become stages: by blame, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError {
    /// What is wrong, and where.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// The key of a description that is wrong, with its table: `kind`, `picture.fit`; may be empty.
    pub key: String,
    /// Whether it is a defect of Embarca.
    pub is_bug: bool,
}

impl TaskError {
    /// The description is wrong, or does not fit the model.
    pub fn spec(message: impl Into<String>) -> Self {
        let (hint, key) = (String::new(), String::new());
        Self { message: message.into(), hint, key, is_bug: false }
    }

    /// The value of a key is none of those that it may have.
    pub(crate) fn choice(key: &str, given: &str, known: &[&str]) -> Self {
        let name = key.rsplit('.').next().unwrap_or(key);
        let near = nearest(given, known.iter().copied());
        let near = near.map_or_else(String::new, |near| format!(" (is '{near}' meant?)"));
        let message = format!("{name} = '{given}' is not known{near}");
        let list = match known {
            [others @ .., last] if !others.is_empty() => {
                format!("{} and {last}", others.join(", "))
            }
            known => known.join(", "),
        };
        Self::spec(message).hint(format!("{list} are")).key(key)
    }

    /// The same with what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The same with the key that is wrong.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self }
    }

    /// The same with the line where a description states the key that is wrong.
    #[must_use]
    pub fn placed(mut self, description: &str) -> Self {
        if let Some(line) = line_of(description, &self.key) {
            self.message = format!("line {line}: {}", self.message);
        }
        self.key.clear();
        self
    }
}

/// The line, from 1, where TOML states a key; that of its table where only that is found.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let table = key.rsplit_once('.').map(|(table, _)| table);
    let (mut current, mut header) = (String::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let name = line.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
        if line.starts_with('[') && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            current = name.to_owned();
            header = header.or((table == Some(name) || key == name).then_some(number));
        } else if let Some((name, _)) = line.split_once('=') {
            let name = name.trim().trim_matches(['"', '\'']);
            let own = match current.is_empty() {
                true => name.to_owned(),
                false => format!("{current}.{name}"),
            };
            if own == key || (current.is_empty() && table == Some(name)) {
                return Some(number);
            }
        }
    }
    header
}

/// The word that was probably meant.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = 1 + given.chars().count().min(64) / 4;
    let near = known.map(|word| (distance(given, word), word));
    near.filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|n| n.1)
}

/// Letters that are to be put in, taken out or exchanged to make one word of another (Levenshtein 1965).
/// Words of more than 64 letters are like none.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if 64 < a.len().max(b.len()) {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let kept = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = kept.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_bug {
            f.write_str("this is a defect of Embarca: ")?;
        }
        f.write_str(&self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.hint) }
    }
}

impl std::error::Error for TaskError {}

/// Stages are made of operators that fit; where one does not, dimensions of the model contradict
/// the description.
impl From<ShapeError> for TaskError {
    fn from(error: ShapeError) -> Self {
        Self::spec(format!("the task does not fit the model: {}", error.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_lines() {
        let text =
            "kind = \"pose\"\nskeleton = [\n  [0, 1],\n]\n\n[picture]\nfit = 'x'\n\n[events]\n";
        for (key, line) in [
            ("kind", Some(1)),
            ("skeleton", Some(2)),
            ("picture.fit", Some(7)),
            ("picture.mean", Some(6)),
            ("events.gap", Some(9)),
            ("sound.rate", None),
            ("", None),
        ] {
            assert_eq!(line_of(text, key), line, "{key}");
        }
        assert_eq!(line_of("picture = { fit = 'x' }", "picture.fit"), Some(1));
        assert_eq!(line_of("picture.fit = 'x'", "picture.fit"), Some(1));
    }

    #[test]
    fn mistyped_words_are_guessed() {
        let known = ["stretch", "letterbox", "corner", "crop"];
        for (given, near) in [
            ("strech", Some("stretch")),
            ("corp", Some("crop")),
            ("letter-box", Some("letterbox")),
            ("fill", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), near, "{given}");
        }
        let error = TaskError::choice("picture.fit", "strech", &known).to_string();
        let wanted = "fit = 'strech' is not known (is 'stretch' meant?); stretch, letterbox, corner \
                      and crop are";
        assert_eq!(error, wanted);
    }
}
