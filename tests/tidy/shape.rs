//! How the tree looks: what there must be, how long it may be, what it may be called.

use super::Violation;
use super::source::{Tree, item_end, leading_word, words};

/// Lines of a file and of a function: what a reader holds in mind at once.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of ARCHITECTURE.md: a map longer than this is read by nobody.
const MAP_LINES_MAX: usize = 200;
/// Bytes of a committed file: history keeps it for ever.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a reader who knows HOUSE.md looks for: files, and folders by their ending slash.
const ROOMS: [&str; 30] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE",
    "deny.toml",
    "clippy.toml",
    "rustfmt.toml",
    ".ci/run",
    "src/main.rs",
    "src/lib.rs",
    "src/domain/",
    "src/lake/schema.rs",
    "src/lake/tables.rs",
    "src/lake/engine.rs",
    "src/lake/import/",
    "src/lake/rollup.sql",
    "src/portfolio/",
    "src/metrics/",
    "src/features/catalogue.rs",
    "src/features/kernel.rs",
    "src/model/file.rs",
    "src/model/registry.rs",
    "src/model/slot.rs",
    "src/simulate/",
    "src/service/problem.rs",
    "training/main.rs",
    "models/README.md",
    "tests/main.rs",
];

/// The parts that HOUSE.md names are where it says.
pub(crate) fn every_room_is_there(tree: &Tree) -> Vec<Violation> {
    let there = |room: &str| tree.plain.iter().any(|file| file.path == room || room.ends_with('/') && file.path.starts_with(room));
    ROOMS.into_iter().filter(|room| !there(room)).map(|room| Violation::of_file(room, "HOUSE.md names it and it is not there")).collect()
}

/// Files and functions stay short enough to be read.
pub(crate) fn files_and_functions_are_short(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in &tree.sources {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            found.push(Violation::of_file(&source.path, &format!("{lines} lines are more than {FILE_LINES_MAX}")));
        }
        for at in words(&source.code, "fn") {
            let name = leading_word(source.code[at + 2..].trim_start());
            let lines = source.code[at..item_end(&source.code, at)].lines().count();
            if !name.is_empty() && lines > FUNCTION_LINES_MAX {
                found.push(Violation::new(source, at, format!("`{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}")));
            }
        }
    }
    let map = tree.file("ARCHITECTURE.md").and_then(|file| file.text.as_ref()).map_or(0, |text| text.lines().count());
    if map > MAP_LINES_MAX {
        found.push(Violation::of_file("ARCHITECTURE.md", &format!("{map} lines are more than {MAP_LINES_MAX}")));
    }
    found
}

/// Nothing large is committed: data is made or fetched, never kept here.
pub(crate) fn nothing_large_is_committed(tree: &Tree) -> Vec<Violation> {
    let large = tree.plain.iter().filter(|file| file.bytes > FILE_BYTES_MAX);
    large.map(|file| Violation::of_file(&file.path, &format!("{} bytes are more than {FILE_BYTES_MAX}", file.bytes))).collect()
}

/// Every module says at its head what it is for.
pub(crate) fn every_module_says_what_it_is_for(tree: &Tree) -> Vec<Violation> {
    let silent = tree.sources.iter().filter(|source| !source.text.trim_start().starts_with("//! "));
    silent.map(|source| Violation::new(source, 0, "a module begins with `//!`: what it is for, and what is absent".to_owned())).collect()
}

/// What is left undone has an issue, or is not mentioned.
pub(crate) fn what_is_left_undone_has_an_issue(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in &tree.sources {
        for mark in ["TODO", "FIXME", "XXX", "HACK"] {
            let bare = words(&source.comments, mark).filter(|at| {
                let issue = source.comments[at + mark.len()..].strip_prefix("(#").map(leading_word);
                !issue.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
            });
            found.extend(bare.map(|at| Violation::new(source, at, format!("a {mark} without an issue: write {mark}(#12)"))));
        }
    }
    found
}

/// Names that say nothing: whatever is called so has no purpose that its author could name.
pub(crate) fn names_say_something(tree: &Tree) -> Vec<Violation> {
    const PARTS: [&str; 6] = ["manager", "helper", "helpers", "util", "utils", "misc"];
    const TYPE_ENDINGS: [&str; 2] = ["data", "info"];
    const VERBS: [&str; 2] = ["handle", "process"];
    let mut found = Vec::new();
    for source in &tree.sources {
        for keyword in ["struct", "enum", "trait", "type", "mod", "fn", "const"] {
            for at in words(&source.code, keyword) {
                let rest = &source.code[at + keyword.len()..];
                let name = if rest.starts_with(' ') { leading_word(rest.trim_start()) } else { "" };
                let parts = parts(name);
                let is_type = matches!(keyword, "struct" | "enum" | "trait" | "type");
                let empty = parts.iter().find(|part| PARTS.contains(&part.as_str()));
                let ending = parts.last().filter(|part| is_type && TYPE_ENDINGS.contains(&part.as_str()));
                let verb = parts.first().filter(|part| keyword == "fn" && VERBS.contains(&part.as_str()));
                found.extend(
                    empty
                        .or(ending)
                        .or(verb)
                        .map(|part| Violation::new(source, at, format!("`{name}`: `{part}` says nothing (STYLE.md, Names)"))),
                );
            }
        }
        let files = source.path.trim_end_matches(".rs").split('/').flat_map(parts).find(|part| PARTS.contains(&part.as_str()));
        found.extend(files.map(|part| Violation::of_file(&source.path, &format!("`{part}` says nothing (STYLE.md, Names)"))));
    }
    found
}

/// The words of a name, lower-cased: of `UsageInfo`, `usage` and `info`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter == '-' || letter.is_uppercase() {
            parts.push(String::new());
        }
        if let (true, Some(part)) = (letter.is_alphanumeric(), parts.last_mut()) {
            part.extend(letter.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::super::fires;
    use super::*;

    #[test]
    fn a_missing_room_is_seen() {
        let all: Vec<String> =
            ROOMS.iter().map(|room| if room.ends_with('/') { format!("{room}mod.rs") } else { (*room).to_owned() }).collect();
        let files = |without: usize| -> Vec<(&str, &str)> {
            all.iter().enumerate().filter(|(at, _)| *at != without).map(|(_, path)| (path.as_str(), "")).collect()
        };
        assert_eq!(every_room_is_there(&Tree::of(&files(ROOMS.len()))), []);
        for (at, room) in ROOMS.iter().enumerate() {
            fires(every_room_is_there, &files(at), &format!("{room}:1"));
        }
    }

    #[test]
    fn a_long_file_function_or_map_is_seen() {
        let lines = |count: usize| "//! x\n".repeat(count);
        fires(files_and_functions_are_short, &[("tests/a.rs", &lines(501))], "tests/a.rs:1");
        assert_eq!(files_and_functions_are_short(&Tree::of(&[("tests/a.rs", &lines(500)), ("ARCHITECTURE.md", &lines(200))])), []);
        fires(files_and_functions_are_short, &[("ARCHITECTURE.md", &lines(201))], "ARCHITECTURE.md:1");
        let function = |body: usize| format!("//! x\nfn f(\n    a: [u8; 3],\n) {{\n{}}}\nfn g();\n", "    let b = \"}\";\n".repeat(body));
        fires(files_and_functions_are_short, &[("src/a.rs", &function(67))], "src/a.rs:2");
        assert_eq!(files_and_functions_are_short(&Tree::of(&[("src/a.rs", &function(66))])), []);
    }

    #[test]
    fn a_large_file_is_seen() {
        let large = "x".repeat((1 << 20) + 1);
        fires(nothing_large_is_committed, &[("data/usage.csv", &large)], "data/usage.csv:1");
        assert_eq!(nothing_large_is_committed(&Tree::of(&[("data/usage.csv", &large[1..])])), []);
    }

    #[test]
    fn a_module_without_a_head_is_seen() {
        fires(every_module_says_what_it_is_for, &[("src/a.rs", "use std::fmt;\n//! x\n")], "src/a.rs:1");
        fires(every_module_says_what_it_is_for, &[("tests/b.rs", "/// x\nfn f() {}\n")], "tests/b.rs:1");
    }

    #[test]
    fn work_left_undone_without_an_issue_is_seen() {
        for comment in ["// TODO: later", "/// FIXME(me): x", "let a = 1; // HACK", "/* XXX(#) */"] {
            fires(what_is_left_undone_has_an_issue, &[("src/a.rs", &format!("//! x\n{comment}\n"))], "src/a.rs:2");
        }
        assert_eq!(what_is_left_undone_has_an_issue(&Tree::of(&[("src/a.rs", "// TODO(#12): later\nlet a = \"TODO\";")])), []);
    }

    #[test]
    fn a_name_that_says_nothing_is_seen() {
        for line in [
            "struct LakeManager;",
            "mod utils {",
            "fn import_helper() {}",
            "enum UsageInfo {}",
            "type RowData = u8;",
            "fn handle_row() {}",
            "fn process() {}",
        ] {
            fires(names_say_something, &[("src/a.rs", &format!("//! x\n{line}\n"))], "src/a.rs:2");
        }
        fires(names_say_something, &[("src/lake/helpers.rs", "//! x\n")], "src/lake/helpers.rs:1");
        let fine = "struct DataError; fn information() {} struct HandleBars; let helper = 1;";
        assert_eq!(names_say_something(&Tree::of(&[("src/a.rs", fine)])), []);
    }
}
