//! The tree as text: each Rust file with its comments and strings set apart, so that a rule
//! reads code where it means code and comments where it means comments.
//!
//! Absent on purpose: a parser. Rules ask for words, braces and attributes; a lexer of strings
//! and comments is all that takes, and it reads a file that does not compile too.

use std::path::Path;
use std::process::Command;

/// One Rust file in three readings of equal length, so that a place in one is that of all.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Comments and the insides of strings blanked.
    pub(crate) code: String,
    /// As `code`, and items under `#[cfg(test)]` blanked too.
    pub(crate) live: String,
    /// Comments alone.
    pub(crate) comments: String,
}

/// A file that is no Rust source.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// None where it is no text.
    pub(crate) text: Option<String>,
}

/// Everything that is committed.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    pub(crate) plain: Vec<Plain>,
}

impl Tree {
    /// The files that git holds at `root`, as they stand in the work tree.
    pub(crate) fn read(root: &Path) -> Self {
        let listed = Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root).output();
        let listed = listed.expect("git is at hand").stdout;
        let mut tree = Self::default();
        for name in String::from_utf8_lossy(&listed).split('\0').filter(|name| !name.is_empty()) {
            let Ok(bytes) = std::fs::read(root.join(name)) else { continue };
            tree.add(name, bytes);
        }
        tree.blank_test_files();
        assert!(tree.sources.len() > 10, "{} holds too little to be the tree", root.display());
        tree
    }

    /// A tree of these files alone.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add(path, text.as_bytes().to_vec());
        }
        tree.blank_test_files();
        tree
    }

    /// A file that its parent declares under `#[cfg(test)]` has nothing live in it.
    fn blank_test_files(&mut self) {
        let declared = |source: &Source| -> Vec<String> {
            let folder = source.path.strip_suffix("/mod.rs").or(source.path.strip_suffix(".rs")).unwrap_or("").to_owned();
            let names = source.code.split("#[cfg(test)]").skip(1).filter_map(|after| after.trim_start().strip_prefix("mod "));
            names
                .filter(|name| name[leading_word(name).len()..].starts_with(';'))
                .map(|name| format!("{folder}/{}.rs", leading_word(name)))
                .collect()
        };
        let test_files: Vec<String> = self.sources.iter().flat_map(declared).collect();
        for source in self.sources.iter_mut().filter(|source| test_files.contains(&source.path)) {
            source.live = String::from_utf8_lossy(&blank(source.live.as_bytes())).into_owned();
        }
    }

    fn add(&mut self, path: &str, bytes: Vec<u8>) {
        let (path, size) = (path.to_owned(), bytes.len() as u64);
        let text = String::from_utf8(bytes).ok();
        match text {
            Some(text) if Path::new(&path).extension().is_some_and(|ending| ending == "rs") => {
                self.sources.push(Source::new(&path, text.clone()));
                self.plain.push(Plain { path, bytes: size, text: Some(text) });
            }
            text => self.plain.push(Plain { path, bytes: size, text }),
        }
    }

    /// Sources of the product: what is shipped, without tests and benches.
    pub(crate) fn product(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_under(&["src", "training"]))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&Plain> {
        self.plain.iter().find(|file| file.path == path)
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: String) -> Self {
        let (code, comments) = set_apart(&text);
        let live = without_tests(&code);
        Self { path: path.to_owned(), text, code, live, comments }
    }

    /// Whether it lies in one of these folders, or is one of these files.
    pub(crate) fn is_under(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || self.path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/')))
    }

    /// The line, from 1, of a place in any of the readings.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }
}

/// Splits a text into code and comments, each blanked where it is the other.
fn set_apart(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let (mut code, mut comments) = (blank(bytes), blank(bytes));
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"//") {
            let end = at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            comments[at..end].copy_from_slice(&bytes[at..end]);
            at = end;
        } else if rest.starts_with(b"/*") {
            let end = at + text[at..].find("*/").map_or(rest.len(), |end| end + 2);
            comments[at..end].copy_from_slice(&bytes[at..end]);
            at = end;
        } else if let Some(len) = literal(rest, at.checked_sub(1).map(|before| bytes[before])) {
            // The quotes stay, so that `("...")` is still an argument.
            code[at] = b'"';
            code[at + len - 1] = b'"';
            at += len;
        } else {
            code[at] = bytes[at];
            at += 1;
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(code), text(comments))
}

/// As long as `bytes`, with line breaks alone. Text outside ASCII becomes a blank a byte, so a
/// place in one reading is that of all.
fn blank(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect()
}

/// Length of the string or character at the start of `rest`; none where there is none.
fn literal(rest: &[u8], before: Option<u8>) -> Option<usize> {
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let prefix = rest.iter().take_while(|byte| matches!(byte, b'b' | b'c')).count();
    if !in_word && rest.get(prefix) == Some(&b'r') {
        let hashes = rest[prefix + 1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(prefix + 1 + hashes) == Some(&b'"') {
            let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
            let start = prefix + hashes + 2;
            let end = rest[start..].windows(close.len()).position(|window| window == close)?;
            return Some(start + end + close.len());
        }
    }
    let start = if in_word { 0 } else { prefix };
    match rest.get(start)? {
        b'"' => quoted(&rest[start + 1..], b'"').map(|len| start + 1 + len),
        // A lifetime has no closing quote after one character.
        b'\'' if rest.get(start + 1) == Some(&b'\\') => quoted(&rest[start + 1..], b'\'').map(|len| start + 1 + len),
        b'\'' => {
            let end = (2..=5).find(|len| rest.get(start + len) == Some(&b'\''))?;
            let inside = std::str::from_utf8(&rest[start + 1..start + end]).ok()?;
            (inside.chars().count() == 1).then_some(start + end + 1)
        }
        _ => None,
    }
}

/// Bytes up to and including the closing quote.
fn quoted(rest: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Blanks each item that stands under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut live = code.as_bytes().to_vec();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let end = item_end(code, at);
        let blanked = blank(&live[at..end]);
        live[at..end].copy_from_slice(&blanked);
    }
    String::from_utf8_lossy(&live).into_owned()
}

/// The place after the item that begins at `at`: its closing brace, or its semicolon.
pub(crate) fn item_end(code: &str, at: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
        if byte == b'}' && depth <= 0 {
            return offset + 1;
        }
    }
    code.len()
}

/// Places of a word in a reading: not as a part of a longer one.
pub(crate) fn words<'a>(reading: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    reading.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).map(|before| reading.as_bytes()[before]);
        let after = reading.as_bytes().get(at + word.len()).copied();
        let ends_open = word.bytes().last().is_some_and(is_word);
        let begins_open = word.bytes().next().is_some_and(is_word);
        !(begins_open && before.is_some_and(is_word) || ends_open && after.is_some_and(is_word))
    })
}

/// The word that begins at the start of `text`.
pub(crate) fn leading_word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_tests_are_told_from_code() {
        let text = "let a = \"x.unwrap()\"; // panic!\nlet b = r#\"static\"#; let c = '\"'; fn f<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests { fn g() { x.unwrap(); } }\nfn h() {}\n";
        let source = Source::new("src/x.rs", text.to_owned());
        assert!(!source.code.contains("panic!") && !source.code.contains("static") && source.code.contains("fn f<'a>"));
        assert!(source.comments.contains("panic!") && !source.comments.contains("let"));
        assert!(source.code.contains("x.unwrap()") && !source.live.contains("unwrap") && source.live.contains("fn h()"));
        assert_eq!((source.code.len(), source.live.len(), source.comments.len()), (text.len(), text.len(), text.len()));
        assert_eq!(source.line(text.find("fn h").unwrap()), 5);
    }

    #[test]
    fn words_are_whole_ones() {
        assert_eq!(words("linfa_logistic::x linfa::y my_linfa", "linfa").collect::<Vec<_>>(), [18]);
        assert_eq!(words("a.unwrap() b.unwrap_or(c)", ".unwrap()").collect::<Vec<_>>(), [1]);
    }
}
