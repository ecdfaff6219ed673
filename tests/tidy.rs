//! HOUSE.md as a test: what the tree must be and must not hold, read from the tree itself.
//!
//! Each rule is a function from the tree to its violations, and stands beside tests that prove
//! it fires on a planted one. `.ci/break-tidy` plants one violation of each rule in a copy of
//! this very tree and shows that the test below fails on it.

mod absences;
mod directions;
mod shape;
mod source;

use std::fmt;
use std::path::PathBuf;

use source::{Source, Tree};

/// A place that breaks a rule, and the sentence that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    sentence: String,
}

impl Violation {
    /// At a place in any reading of a source.
    fn new(source: &Source, at: usize, sentence: String) -> Self {
        Self { path: source.path.clone(), line: source.line(at), sentence }
    }

    /// Of a whole file.
    fn of_file(path: &str, sentence: &str) -> Self {
        Self { path: path.to_owned(), line: 1, sentence: sentence.to_owned() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.sentence)
    }
}

type Rule = fn(&Tree) -> Vec<Violation>;

/// Every rule, by the promise that it keeps.
const RULES: [(&str, Rule); 18] = [
    ("modules use only what stands below them", directions::modules_use_only_what_stands_below_them),
    ("the library lists its modules in reading order", directions::the_library_lists_its_modules_in_reading_order),
    ("foreign crates stay in their homes", directions::foreign_crates_stay_in_their_homes),
    ("status codes are known to the service alone", directions::status_codes_are_known_to_the_service_alone),
    ("no handler holds the slot", directions::no_handler_holds_the_slot),
    ("nothing is static", absences::nothing_is_static),
    ("clocks are read in main alone", absences::clocks_are_read_in_main_alone),
    ("pure modules are pure", absences::pure_modules_are_pure),
    ("nothing panics on purpose", absences::nothing_panics_on_purpose),
    ("no test is skipped and no lint is silenced", absences::no_test_is_skipped_and_no_lint_is_silenced),
    ("feature vectors come from the kernel alone", absences::feature_vectors_come_from_the_kernel_alone),
    ("a score takes a feature vector alone", absences::a_score_takes_a_feature_vector_alone),
    ("every room is there", shape::every_room_is_there),
    ("files and functions are short", shape::files_and_functions_are_short),
    ("nothing large is committed", shape::nothing_large_is_committed),
    ("every module says what it is for", shape::every_module_says_what_it_is_for),
    ("what is left undone has an issue", shape::what_is_left_undone_has_an_issue),
    ("names say something", shape::names_say_something),
];

/// The tree under test. `TIDY_ROOT` names another one, for `.ci/break-tidy`.
fn root() -> PathBuf {
    std::env::var_os("TIDY_ROOT").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

#[test]
fn the_tree_keeps_every_rule_of_the_house() {
    let tree = Tree::read(&root());
    let mut broken = Vec::new();
    for (promise, rule) in RULES {
        broken.extend(rule(&tree).into_iter().map(|violation| format!("{violation}\n    (rule: {promise})")));
    }
    assert!(broken.is_empty(), "{} violations:\n{}", broken.len(), broken.join("\n"));
}

/// Checks that a rule sees a violation at `place` (`path:line`) in a tree of these files, and
/// nothing else.
#[track_caller]
fn fires(rule: Rule, files: &[(&str, &str)], place: &str) {
    let seen: Vec<String> = rule(&Tree::of(files)).iter().map(|violation| format!("{}:{}", violation.path, violation.line)).collect();
    assert_eq!(seen, [place], "{files:?}");
}
