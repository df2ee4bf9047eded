//! Reading Rust text just well enough for the checks: code apart from comments, literals and tests.

/// The text with comments and the inside of string and character literals turned into blanks.
/// Lines keep their numbers and columns.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' | b'b' if !follows_word(bytes, at) => raw_end(bytes, at).unwrap_or(at),
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |n| at + n)
}

fn block_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut i) = (0usize, at);
    while i + 1 < bytes.len() {
        match (bytes[i], bytes[i + 1]) {
            (b'/', b'*') => (depth, i) = (depth + 1, i + 2),
            (b'*', b'/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut i = at + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| is_word(bytes[before]))
}

/// The end of `r"..."`, `r#"..."#`, `br"..."`; `None` where no raw string starts.
fn raw_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut i = at + usize::from(bytes[at] == b'b');
    if bytes.get(i) != Some(&b'r') {
        return None;
    }
    i += 1;
    let hashes = bytes[i..].iter().take_while(|&&byte| byte == b'#').count();
    i += hashes;
    if bytes.get(i) != Some(&b'"') {
        return None;
    }
    i += 1;
    while i < bytes.len() {
        let tail = bytes.get(i + 1..i + 1 + hashes);
        if bytes[i] == b'"' && tail.is_some_and(|tail| tail.iter().all(|&byte| byte == b'#')) {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(bytes.len())
}

/// The end of a character literal; `at` itself for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes[(at + 3).min(bytes.len())..].iter().position(|&byte| byte == b'\'');
        return close.map_or(at, |n| at + 4 + n);
    }
    let width = match bytes.get(at + 1) {
        Some(lead) if *lead < 0x80 => 1,
        Some(lead) if *lead < 0xe0 => 2,
        Some(lead) if *lead < 0xf0 => 3,
        Some(_) => 4,
        None => return at,
    };
    if bytes.get(at + 1 + width) == Some(&b'\'') { at + 2 + width } else { at }
}

/// `code` (see [`code_only`]) with everything behind `#[cfg(test)]` turned into blanks: the item that
/// follows, up to its closing brace or semicolon.
pub fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_string();
    let mut from = 0;
    while let Some(start) = out[from..].find(MARK).map(|n| from + n) {
        let end = item_end(out.as_bytes(), start + MARK.len());
        let blank: String =
            out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        let width = blank.len();
        out.replace_range(start..end, &blank);
        from = start + width;
    }
    out
}

/// Where the item that starts at `at` ends.
fn item_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0usize;
    for (i, byte) in bytes.iter().enumerate().skip(at) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            b';' if depth == 0 => return i + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// The lines (counted from 1) on which `word` stands in `code`, not as a part of a longer word.
pub fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let stands = |line: &str| positions(line, word).next().is_some();
    code.lines().enumerate().filter(|(_, line)| stands(line)).map(|(i, _)| i + 1).collect()
}

/// The byte offsets at which `word` stands in `code`, not as a part of a longer word.
pub fn positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let after = bytes.get(at + word.len());
        !follows_word(bytes, at) && !after.is_some_and(|&byte| is_word(byte))
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || 0x80 <= byte
}

/// The text between the brace that follows `at` and its partner.
pub fn braces(code: &str, at: usize) -> Option<&str> {
    let open = at + code.get(at..)?.find('{')?;
    let end = item_end(code.as_bytes(), open);
    code.get(open + 1..end.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = r###"a /* b /* c */ d */ e // f
let s = "g \" h"; let r = r#"i " j"#; let c = '\''; let d = '"'; fn k<'l>(m: &'l str) {}
let o = '\u{1F600}'; let p = 'é'; q"###;
        let words: Vec<String> = code_only(text)
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(String::from)
            .collect();
        assert_eq!(words.join(" "), "a e let s let r let c let d fn k l m l str let o let p q");
        assert_eq!(code_only(text).lines().count(), text.lines().count());
    }

    #[test]
    fn tests_are_cut_out() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { {} } }\nfn c() {}\n#[cfg(test)]\nuse d;\nfn e() {}";
        let rest = without_tests(code);
        assert!(!rest.contains('b') && !rest.contains('d'));
        assert!(rest.contains('a') && rest.contains('c') && rest.contains('e'));
        assert_eq!(rest.lines().count(), code.lines().count());
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(lines_with("f32\nmyf32\nf32x4\n(f32)", "f32"), [1, 4]);
        assert_eq!(braces("x { a { b } c } d", 0), Some(" a { b } c "));
    }
}
