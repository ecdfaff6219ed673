//! What must not be in the code: state outside of values, clocks, effects in pure modules,
//! ways to panic, ways round a lint or a test.

use super::Violation;
use super::source::{Source, Tree, item_end, leading_word, words};

/// Modules whose answers follow from their arguments alone.
const PURE: [&str; 3] = ["src/domain", "src/metrics", "src/features"];

/// Where a wall clock may be read: where the operator's world begins.
const CLOCK: [&str; 3] = ["src/main.rs", "src/cli", "training/main.rs"];

/// Where elapsed time may be measured besides: deadlines and latencies are no dates, but in a
/// module whose output must be the same bytes each time even a duration is chance.
const STOPWATCH: [&str; 2] = ["src/service", "src/progress.rs"];

/// Two services run in one process, so nothing is static. Constants are `const`.
pub(crate) fn nothing_is_static(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in tree.product() {
        let statics = words(&source.live, "static").filter(|at| !source.live[..*at].ends_with('\''));
        found.extend(statics.map(|at| Violation::new(source, at, "a static: state lives in values, a constant is `const`".to_owned())));
        for word in ["thread_local!", "lazy_static!"] {
            found.extend(words(&source.live, word).map(|at| Violation::new(source, at, format!("`{word}` is static state"))));
        }
    }
    found
}

/// "Today" is an argument below main.
pub(crate) fn clocks_are_read_in_main_alone(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in tree.product().filter(|source| !source.is_under(&CLOCK)) {
        for word in ["SystemTime::now", "Utc::now", "Local::now", "Utc::today", "UNIX_EPOCH.elapsed"] {
            found.extend(
                words(&source.live, word).map(|at| Violation::new(source, at, format!("`{word}` below main: pass the day as an argument"))),
            );
        }
        if !source.is_under(&STOPWATCH) {
            let stopwatch = words(&source.live, "Instant::now");
            found.extend(
                stopwatch.map(|at| Violation::new(source, at, "`Instant::now` where the same input must give the same bytes".to_owned())),
            );
        }
    }
    found
}

/// No I/O, no waiting, no clock, no chance, no memory of earlier calls in the pure modules.
pub(crate) fn pure_modules_are_pure(tree: &Tree) -> Vec<Violation> {
    const WORDS: [&str; 24] = [
        "async",
        "await",
        "tokio",
        "futures",
        "rand",
        "rand_chacha",
        "rand_distr",
        "SystemTime",
        "Instant",
        "Utc",
        "Local",
        "println!",
        "eprintln!",
        "print!",
        "dbg!",
        "Mutex",
        "RwLock",
        "RefCell",
        "Cell",
        "OnceCell",
        "OnceLock",
        "LazyLock",
        "LazyCell",
        "parking_lot",
    ];
    const STD: [&str; 7] = ["fs", "io", "net", "env", "process", "thread", "time"];
    let mut found = Vec::new();
    for source in tree.product().filter(|source| source.is_under(&PURE)) {
        let atomics = words(&source.live, "atomic").map(|at| (at, "atomic"));
        let named = WORDS.iter().flat_map(|word| words(&source.live, word).map(move |at| (at, *word)));
        found.extend(named.chain(atomics).map(|(at, word)| Violation::new(source, at, format!("`{word}` in a pure module"))));
        for at in words(&source.live, "std::") {
            let rest = &source.live[at + 5..];
            let group = if rest.starts_with('{') { &rest[..item_end(rest, 0)] } else { leading_word(rest) };
            let effect = STD.iter().find(|name| words(group, name).next().is_some());
            found.extend(effect.map(|name| Violation::new(source, at, format!("`std::{name}` in a pure module"))));
        }
    }
    found
}

/// Failure is a value: a panic ends a request or an import for a reason that nobody reads.
pub(crate) fn nothing_panics_on_purpose(tree: &Tree) -> Vec<Violation> {
    const WAYS: [&str; 8] = [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err(", "panic!", "todo!", "unimplemented!", "unreachable!"];
    let mut found = Vec::new();
    for source in tree.product() {
        for way in WAYS {
            found.extend(words(&source.live, way).map(|at| Violation::new(source, at, format!("`{way}` outside tests: return an error"))));
        }
    }
    found
}

/// A test that is not run, or passes by failing, promises nothing; a lint is met or expected
/// with a reason, which itself fails once the lint has nothing to say.
pub(crate) fn no_test_is_skipped_and_no_lint_is_silenced(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in &tree.sources {
        let attribute = |at: &usize| source.code[..*at].trim_end().ends_with(['[', ',', '(']);
        for (word, instead) in
            [("ignore", "mend or remove it"), ("should_panic", "assert on the error"), ("allow", "use `expect` with a reason")]
        {
            let places = words(&source.code, word).filter(attribute).filter(|at| {
                let after = source.code[at + word.len()..].trim_start();
                let silences = word == "allow" && after.starts_with('(');
                let skips = word != "allow" && after.starts_with([']', '=', '(', ',', ')']) && attribute_head(&source.code, *at);
                silences && attribute_head(&source.code, *at) || skips
            });
            found.extend(places.map(|at| Violation::new(source, at, format!("`{word}`: {instead}"))));
        }
        for at in words(&source.code, "expect").filter(|at| attribute_head(&source.code, *at)) {
            let end = source.code[at..].find(']').map_or(source.code.len(), |end| at + end);
            if words(&source.code[at..end], "reason").next().is_none() {
                found.push(Violation::new(source, at, "a lint is expected without a reason".to_owned()));
            }
        }
    }
    found
}

/// Whether a place lies in an attribute, `#[...]` or `#![...]`.
fn attribute_head(code: &str, at: usize) -> bool {
    let before = &code[..at];
    let Some(open) = before.rfind("#[").max(before.rfind("#![")) else { return false };
    !before[open..].contains(']')
}

/// One constructor: the kernel is the only place where a row of features comes from.
pub(crate) fn feature_vectors_come_from_the_kernel_alone(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut made = Vec::new();
    for source in tree.product() {
        for at in words(&source.live, "FeatureVector") {
            let before = source.live[..at].trim_end();
            let after = source.live[at + "FeatureVector".len()..].trim_start();
            if before.ends_with("struct") {
                let attributes = &before[before.rfind([';', '}']).map_or(0, |end| end + 1)..];
                let open = ["Deserialize", "Default", "Decode"].into_iter().find(|word| words(attributes, word).next().is_some());
                found
                    .extend(open.map(|word| Violation::new(source, at, format!("`FeatureVector` derives `{word}`, a second constructor"))));
                if after.starts_with("(pub") {
                    found.push(Violation::new(source, at, "`FeatureVector` has a public field".to_owned()));
                }
                continue;
            }
            if before.ends_with("impl") {
                let body = &source.live[at..item_end(&source.live, at)];
                let selves = words(body, "Self").filter(|inside| builds(&body[inside + 4..]) && !is_type(&body[..*inside]));
                made.extend(selves.map(|inside| (source, at + inside)));
            } else if builds(after) && !is_type(before) {
                made.push((source, at));
            }
        }
    }
    let elsewhere = made.iter().filter(|(source, _)| source.path != "src/features/kernel.rs");
    found.extend(elsewhere.map(|(source, at)| Violation::new(source, *at, "a `FeatureVector` is made outside the kernel".to_owned())));
    let in_kernel = made.iter().filter(|(source, _)| source.path == "src/features/kernel.rs").skip(1);
    found.extend(in_kernel.map(|(source, at)| Violation::new(source, *at, "a second place makes a `FeatureVector`".to_owned())));
    found
}

/// Whether a name that follows this stands as a type: `-> Name {`, `for Name {`.
fn is_type(before: &str) -> bool {
    ["for", "->"].iter().any(|head| before.trim_end().ends_with(head))
}

/// Whether what follows a type's name makes a value of it.
fn builds(after: &str) -> bool {
    after.trim_start().starts_with(['(', '{'])
}

/// `ChurnModel::score` takes a row of the kernel and nothing else.
pub(crate) fn a_score_takes_a_feature_vector_alone(tree: &Tree) -> Vec<Violation> {
    let scores = |source: &&Source| source.is_under(&["src/model"]) && source.live.contains("impl ChurnModel");
    let mut found = Vec::new();
    for source in tree.product().filter(scores) {
        for at in words(&source.live, "fn score") {
            let rest = &source.live[at + "fn score".len()..];
            let arguments: String =
                rest.chars().skip(1).take_while(|letter| *letter != ')').filter(|letter| !letter.is_whitespace()).collect();
            let one = arguments.strip_prefix("&self,").and_then(|rest| rest.trim_end_matches(',').split_once(':'));
            if one.is_none_or(|(name, kind)| kind != "&FeatureVector" || name.contains(',')) {
                found.push(Violation::new(source, at, format!("`score` takes `{arguments}` and not one `&FeatureVector`")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fires;
    use super::*;

    #[test]
    fn a_static_is_seen() {
        let cases = [
            "static COUNT: u32 = 1;",
            "pub static mut COUNT: u32 = 1;",
            "static CACHE: OnceLock<u8> = OnceLock::new();",
            "thread_local! {}",
        ];
        for case in cases {
            fires(nothing_is_static, &[("src/service/state.rs", &format!("//! x\n{case}\n"))], "src/service/state.rs:2");
        }
        let fine = "fn f(x: &'static str) {}\n#[cfg(test)]\nmod tests { static X: u8 = 1; }\n// a static word\n";
        assert_eq!(nothing_is_static(&Tree::of(&[("src/model/mod.rs", fine)])), []);
    }

    #[test]
    fn a_clock_below_main_is_seen() {
        for case in ["SystemTime::now()", "chrono::Utc::now()", "Local::now()", "std::time::Instant::now()"] {
            fires(clocks_are_read_in_main_alone, &[("src/lake/tables.rs", &format!("//! x\nlet t = {case};\n"))], "src/lake/tables.rs:2");
        }
        let fine = [("src/cli/mod.rs", "let t = Utc::now();"), ("src/service/boundary.rs", "let t = Instant::now();")];
        assert_eq!(clocks_are_read_in_main_alone(&Tree::of(&fine)), []);
        fires(clocks_are_read_in_main_alone, &[("src/service/state.rs", "let t = Utc::now();")], "src/service/state.rs:1");
    }

    #[test]
    fn an_effect_in_a_pure_module_is_seen() {
        for case in [
            "use std::fs::File;",
            "use std::{collections::HashMap, io};",
            "async fn f() {}",
            "use tokio::task;",
            "let t = Instant::now();",
            "use rand_chacha::ChaCha8Rng;",
            "use std::sync::Mutex;",
            "use std::sync::atomic::AtomicU64;",
            "println!();",
            "cache: RefCell<u8>,",
        ] {
            fires(pure_modules_are_pure, &[("src/metrics/churn.rs", &format!("//! x\n{case}\n"))], "src/metrics/churn.rs:2");
            fires(pure_modules_are_pure, &[("src/features/kernel.rs", &format!("//! x\n{case}\n"))], "src/features/kernel.rs:2");
        }
        assert_eq!(pure_modules_are_pure(&Tree::of(&[("src/lake/a.rs", "use std::fs;"), ("src/metrics/b.rs", "use std::fmt;")])), []);
    }

    #[test]
    fn a_panic_outside_tests_is_seen() {
        for case in ["x.unwrap();", "x\n    .expect(\"y\");", "panic!(\"y\")", "todo!()", "unimplemented!()", "unreachable!()"] {
            let line = 2 + case.matches('\n').count();
            fires(
                nothing_panics_on_purpose,
                &[("training/fit.rs", &format!("//! x\nlet y = {case}\n"))],
                &format!("training/fit.rs:{line}"),
            );
        }
        let tests = [("src/simulate/mod.rs", "#[cfg(test)]\nmod tests;\n"), ("src/simulate/tests.rs", "x.unwrap();")];
        let fine = [tests[0], tests[1], ("src/a.rs", "x.unwrap_or(1); // panic!\n#[cfg(test)]\nmod t { fn f() { x.unwrap(); } }")];
        assert_eq!(nothing_panics_on_purpose(&Tree::of(&fine)), []);
    }

    #[test]
    fn a_skipped_test_and_a_silenced_lint_are_seen() {
        for case in [
            "#[ignore]",
            "#[ignore = \"slow\"]",
            "#[should_panic]",
            "#[should_panic(expected = \"x\")]",
            "#[allow(dead_code)]",
            "#![allow(clippy::all)]",
            "#[cfg_attr(test, allow(unused))]",
            "#[expect(dead_code)]",
        ] {
            fires(no_test_is_skipped_and_no_lint_is_silenced, &[("tests/a.rs", &format!("//! x\n{case}\nfn f() {{}}\n"))], "tests/a.rs:2");
        }
        let fine = "#[expect(dead_code, reason = \"y\")]\nfn allow(ignore: u8) { policy.allow(ignore); }\n// #[allow(x)]\n";
        assert_eq!(no_test_is_skipped_and_no_lint_is_silenced(&Tree::of(&[("src/a.rs", fine)])), []);
    }

    #[test]
    fn a_second_constructor_of_feature_vectors_is_seen() {
        let kernel = ("src/features/kernel.rs", "pub struct FeatureVector([f64; 2]);\nfn a() -> FeatureVector { FeatureVector(row) }\n");
        assert_eq!(feature_vectors_come_from_the_kernel_alone(&Tree::of(&[kernel])), []);
        fires(
            feature_vectors_come_from_the_kernel_alone,
            &[kernel, ("src/model/file.rs", "let x = FeatureVector { values };")],
            "src/model/file.rs:1",
        );
        let twice = format!("{}impl FeatureVector {{\n    fn b() -> Self {{\n        Self(row)\n    }}\n}}\n", kernel.1);
        fires(feature_vectors_come_from_the_kernel_alone, &[("src/features/kernel.rs", &twice)], "src/features/kernel.rs:5");
        let derived = "#[derive(Debug, Deserialize)]\npub struct FeatureVector([f64; 2]);\n";
        fires(feature_vectors_come_from_the_kernel_alone, &[("src/features/kernel.rs", derived)], "src/features/kernel.rs:2");
        let public = "pub struct FeatureVector(pub [f64; 2]);\n";
        fires(feature_vectors_come_from_the_kernel_alone, &[("src/features/kernel.rs", public)], "src/features/kernel.rs:1");
    }

    #[test]
    fn a_score_of_anything_else_is_seen() {
        let score = |arguments: &str| format!("impl ChurnModel {{\n    pub fn score({arguments}) -> ChurnRisk {{}}\n}}\n");
        fires(a_score_takes_a_feature_vector_alone, &[("src/model/mod.rs", &score("&self, row: &[f64]"))], "src/model/mod.rs:2");
        fires(
            a_score_takes_a_feature_vector_alone,
            &[("src/model/mod.rs", &score("&self, row: &FeatureVector, day: Day"))],
            "src/model/mod.rs:2",
        );
        assert_eq!(a_score_takes_a_feature_vector_alone(&Tree::of(&[("src/model/mod.rs", &score("&self, row: &FeatureVector"))])), []);
    }
}
