//! Who may use whom: the modules among each other, and each foreign crate in its one home.

use super::Violation;
use super::source::{Source, Tree, leading_word, words};

/// What each module of the library may name, itself aside. What is not here is forbidden.
/// The binaries (`src/main.rs`, `src/cli/`, `src/config.rs`, `training/main.rs`), tests and
/// benches stand above all of them.
const MAY_USE: [(&str, &[&str]); 16] = [
    ("domain", &[]),
    ("progress", &[]),
    ("durable", &["domain"]),
    ("access", &["domain", "durable"]),
    ("signals", &[]),
    ("pull", &["domain", "progress", "durable"]),
    ("lake", &["domain", "progress", "durable"]),
    ("watch", &["domain", "progress", "durable", "lake"]),
    ("portfolio", &["domain", "progress", "lake"]),
    ("metrics", &["domain", "portfolio"]),
    ("features", &["domain", "portfolio"]),
    ("model", &["domain", "portfolio", "metrics", "features"]),
    ("plotly", &[]),
    ("service", &["domain", "progress", "durable", "access", "signals", "lake", "portfolio", "metrics", "features", "model", "plotly"]),
    ("simulate", &["domain"]),
    ("training", &["domain", "progress", "lake", "portfolio", "metrics", "features", "model", "plotly", "simulate"]),
];

/// Foreign crates by the names that code has for them, and the only places that may name them.
const HOMES: [(&[&str], &[&str]); 7] = [
    (&["datafusion", "deltalake", "deltalake_core", "ballista", "object_store", "parquet", "arrow"], &["src/lake"]),
    (&["bincode"], &["src/model/file.rs"]),
    (&["linfa", "linfa_logistic"], &["training/fit.rs"]),
    // A linear-algebra crate for the Cholesky solve; the other steps of Newton are ours.
    (&["linfa_linalg"], &["training/newton.rs", "training/fit.rs"]),
    // A plain service to measure ours beside is no part of the product, nor is the partner's side
    // of a pull, which tests play.
    (
        &["actix_web", "actix_http", "actix_rt", "actix_server", "actix_service"],
        &["src/service", "benches/peers/plain.rs", "tests/support/partner.rs"],
    ),
    (&["reqwest"], &["src/pull", "src/access/fetch.rs"]),
    // A test plays the provider, and signs as one.
    (&["jsonwebtoken", "oauth2"], &["src/access", "tests/support/provider.rs"]),
];

/// A module names only those that the table allows it.
pub(crate) fn modules_use_only_what_stands_below_them(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in tree.product() {
        let Some((module, allowed)) = module_of(source).and_then(|module| MAY_USE.iter().find(|(name, _)| *name == module)) else {
            continue;
        };
        for (at, name) in crate_paths(source) {
            let known = MAY_USE.iter().any(|(other, _)| *other == name) || name == "cli" || name == "config";
            if known && name != *module && !allowed.contains(&name) {
                found.push(Violation::new(source, at, format!("`{module}` uses `{name}`, which it may not (HOUSE.md, Who may use whom)")));
            }
        }
    }
    found
}

/// Every module of `src/lib.rs` has a row in the table, and stands below all that it uses.
pub(crate) fn the_library_lists_its_modules_in_reading_order(tree: &Tree) -> Vec<Violation> {
    let Some(lib) = tree.sources.iter().find(|source| source.path == "src/lib.rs") else { return Vec::new() };
    let mut found = Vec::new();
    let listed: Vec<(usize, &str)> = words(&lib.live, "mod").map(|at| (at, leading_word(lib.live[at + 3..].trim_start()))).collect();
    for (place, (at, name)) in listed.iter().enumerate() {
        if !MAY_USE.iter().any(|(module, _)| module == name) {
            found.push(Violation::new(lib, *at, format!("`{name}` has no row in the table of tests/tidy/directions.rs")));
        }
        for source in tree.product().filter(|source| module_of(source) == Some(*name)) {
            let later = crate_paths(source).into_iter().find(|(_, used)| listed[place + 1..].iter().any(|(_, later)| later == used));
            if let Some((at, used)) = later {
                found.push(Violation::new(source, at, format!("`{name}` uses `{used}`, which src/lib.rs lists after it")));
            }
        }
    }
    for word in ["fn", "struct", "enum", "use", "impl", "const"] {
        found.extend(
            words(&lib.live, word).map(|at| Violation::new(lib, at, "src/lib.rs lists the modules and holds nothing else".to_owned())),
        );
    }
    found
}

/// A foreign crate is named in its home alone, tests and benches included.
pub(crate) fn foreign_crates_stay_in_their_homes(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (names, homes) in HOMES {
        for source in tree.sources.iter().filter(|source| !source.is_under(homes)) {
            for name in names {
                found.extend(
                    crate_uses(source, name)
                        .map(|at| Violation::new(source, at, format!("`{name}` is named outside {}", homes.join(", ")))),
                );
            }
        }
    }
    found
}

/// Below the service nobody knows with which status something is answered. `pull` reads the
/// numbers that others answer with, as numbers.
pub(crate) fn status_codes_are_known_to_the_service_alone(tree: &Tree) -> Vec<Violation> {
    let below = |source: &&Source| !source.is_under(&["src/service", "src/main.rs", "src/cli"]);
    let mut found = Vec::new();
    for source in tree.product().filter(below) {
        for word in ["StatusCode", "HttpResponse", "ResponseError", "status_code"] {
            found.extend(words(&source.live, word).map(|at| Violation::new(source, at, format!("`{word}` below the service"))));
        }
    }
    found
}

/// Handlers are given one model for their whole request; the slot is held by the state.
pub(crate) fn no_handler_holds_the_slot(tree: &Tree) -> Vec<Violation> {
    let handlers = tree.sources.iter().filter(|source| source.is_under(&["src/service"]) && source.path != "src/service/state.rs");
    let slots = |source: &'_ Source| words(&source.live, "ModelSlot").collect::<Vec<_>>();
    handlers
        .flat_map(|source| {
            slots(source).into_iter().map(|at| Violation::new(source, at, "the slot is held outside src/service/state.rs".to_owned()))
        })
        .collect()
}

/// The module of the library that a source belongs to; none for binaries.
fn module_of(source: &Source) -> Option<&str> {
    if source.path == "training/main.rs" {
        return None;
    }
    if source.path.starts_with("training/") {
        return Some("training");
    }
    let module = source.path.strip_prefix("src/")?.split('/').next()?;
    Some(module.strip_suffix(".rs").unwrap_or(module))
}

/// First names of the paths into this crate: `crate::x`, `churn_risk::x`, and `super::x` where
/// the supers reach the root. Groups give each of their names.
fn crate_paths(source: &Source) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for root in ["crate::", "churn_risk::"] {
        for at in words(&source.live, root) {
            found.extend(first_names(&source.live, at + root.len()));
        }
    }
    for at in words(&source.live, "super::").filter(|at| !source.live[..*at].ends_with("super::")) {
        let supers = source.live[at..].split("super::").take_while(|between| between.is_empty()).count();
        if supers == depth(source, at) {
            found.extend(first_names(&source.live, at + supers * "super::".len()));
        }
    }
    found.sort_unstable();
    found
}

/// How many `super::` lead from a place to the root of the crate.
fn depth(source: &Source, at: usize) -> usize {
    let path = source.path.strip_prefix("src/").unwrap_or(&source.path);
    let file = path.split('/').count() - usize::from(path.ends_with("/mod.rs")) - usize::from(path == "lib.rs" || path == "main.rs");
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    // Braces that are open at this place, and whether an inline module opened them.
    let mut open: Vec<bool> = Vec::new();
    for (offset, byte) in source.live[..at].bytes().enumerate() {
        match byte {
            b'{' => {
                let before = |text: &'_ str| text.trim_end().rsplit(|letter: char| !is_word(letter)).next().unwrap_or("").len();
                let head = source.live[..offset].trim_end();
                let head = head[..head.len() - before(head)].trim_end();
                open.push(&head[head.len() - before(head)..] == "mod");
            }
            b'}' => drop(open.pop()),
            _ => {}
        }
    }
    file + open.into_iter().filter(|module| *module).count()
}

/// The name at a place, or the first name of each branch of the group there.
fn first_names(reading: &str, at: usize) -> Vec<(usize, &str)> {
    if !reading[at..].starts_with('{') {
        return vec![(at, leading_word(&reading[at..]))];
    }
    let mut found = Vec::new();
    let (mut depth, mut expected) = (0, true);
    for (offset, byte) in reading.bytes().enumerate().skip(at) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' => expected = depth == 1,
            byte if expected && depth == 1 && !byte.is_ascii_whitespace() => {
                found.push((offset, leading_word(&reading[offset..])));
                expected = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Places where a crate is named as a crate: at the head of a path, or in `use x;` and `use x as`.
fn crate_uses<'a>(source: &'a Source, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    words(&source.code, name).filter(move |at| {
        let before = source.code[..*at].trim_end();
        let after = source.code[at + name.len()..].trim_start();
        let heads_path = after.starts_with("::") && !before.ends_with("::") && !before.ends_with("mod");
        let renamed = (before.ends_with("use") || before.ends_with("crate")) && (after.starts_with(';') || after.starts_with("as "));
        heads_path || renamed
    })
}

#[cfg(test)]
mod tests {
    use super::super::fires;
    use super::*;

    #[test]
    fn a_metric_that_uses_the_model_is_seen() {
        fires(
            modules_use_only_what_stands_below_them,
            &[("src/metrics/churn.rs", "//! Churn.\nuse crate::model::ChurnModel;\n")],
            "src/metrics/churn.rs:2",
        );
        let group = "//! Churn.\nuse crate::{\n    domain::Day,\n    service::{problem, state},\n};\n";
        fires(modules_use_only_what_stands_below_them, &[("src/metrics/churn.rs", group)], "src/metrics/churn.rs:4");
    }

    #[test]
    fn a_way_round_by_super_is_seen() {
        let lake = [("src/lake/import/flow.rs", "//! Flow.\nuse super::super::super::portfolio::Portfolio;\n")];
        fires(modules_use_only_what_stands_below_them, &lake, "src/lake/import/flow.rs:2");
        let own = [("src/lake/import/flow.rs", "//! Flow.\nuse super::super::portfolio;\n")];
        assert_eq!(modules_use_only_what_stands_below_them(&Tree::of(&own)), []);
        let inline = [("src/lake/mod.rs", "//! Lake.\nmod inner {\n    use super::super::portfolio::Portfolio;\n}\n")];
        fires(modules_use_only_what_stands_below_them, &inline, "src/lake/mod.rs:3");
    }

    #[test]
    fn a_simulation_that_uses_more_than_the_domain_is_seen() {
        fires(
            modules_use_only_what_stands_below_them,
            &[("src/simulate/csv.rs", "//! x\nuse crate::progress::Progress;\n")],
            "src/simulate/csv.rs:2",
        );
    }

    #[test]
    fn a_library_module_that_uses_training_and_training_that_uses_the_service_are_seen() {
        fires(modules_use_only_what_stands_below_them, &[("src/model/mod.rs", "//! x\nuse crate::training::fit;\n")], "src/model/mod.rs:2");
        fires(
            modules_use_only_what_stands_below_them,
            &[("training/fit.rs", "//! x\nuse crate::service::problem;\n")],
            "training/fit.rs:2",
        );
        assert_eq!(modules_use_only_what_stands_below_them(&Tree::of(&[("src/cli/train.rs", "use churn_risk::training::train;\n")])), []);
    }

    #[test]
    fn a_library_in_another_order_is_seen() {
        let lib = ("src/lib.rs", "//! x\npub mod lake;\npub mod domain;\n");
        fires(
            the_library_lists_its_modules_in_reading_order,
            &[lib, ("src/lake/mod.rs", "//! x\nuse crate::domain::Day;\n")],
            "src/lake/mod.rs:2",
        );
        fires(
            the_library_lists_its_modules_in_reading_order,
            &[("src/lib.rs", "//! x\npub mod domain;\npub mod extras;\n")],
            "src/lib.rs:3",
        );
        fires(
            the_library_lists_its_modules_in_reading_order,
            &[("src/lib.rs", "//! x\npub mod domain;\npub use domain::Day;\n")],
            "src/lib.rs:3",
        );
    }

    #[test]
    fn a_foreign_crate_outside_its_home_is_seen() {
        for (path, line) in [
            ("src/portfolio/load.rs", "use datafusion::arrow::array::Int64Array;"),
            ("src/metrics/mod.rs", "use deltalake::DeltaTable;"),
            ("training/main.rs", "let store = object_store::local::LocalFileSystem::new();"),
            ("src/lib.rs", "extern crate ballista as engine;"),
            ("src/model/registry.rs", "bincode::config::legacy()"),
            ("training/newton.rs", "use linfa_logistic::LogisticRegression;"),
            ("training/matrix.rs", "use linfa::Dataset;"),
            ("training/matrix.rs", "use linfa_linalg::cholesky::Cholesky;"),
            ("src/main.rs", "#[actix_web::main]"),
            ("src/cli/pull.rs", "use reqwest::Client;"),
            ("tests/http.rs", "use actix_web::App;"),
        ] {
            fires(foreign_crates_stay_in_their_homes, &[(path, &format!("//! x\n{line}\n"))], &format!("{path}:2"));
        }
        let home = [("src/lake/tables.rs", "use deltalake::DeltaTable;"), ("src/metrics/a.rs", "// bincode::x\nlet linfa = \"linfa::y\";")];
        assert_eq!(foreign_crates_stay_in_their_homes(&Tree::of(&home)), []);
    }

    #[test]
    fn a_status_code_below_the_service_is_seen() {
        fires(
            status_codes_are_known_to_the_service_alone,
            &[("src/model/registry.rs", "//! x\nfn f() -> StatusCode {}\n")],
            "src/model/registry.rs:2",
        );
        assert_eq!(status_codes_are_known_to_the_service_alone(&Tree::of(&[("src/service/problem.rs", "fn f() -> StatusCode {}")])), []);
    }

    #[test]
    fn a_handler_that_holds_the_slot_is_seen() {
        fires(
            no_handler_holds_the_slot,
            &[("src/service/routes/risk.rs", "//! x\nfn f(slot: &ModelSlot) {}\n")],
            "src/service/routes/risk.rs:2",
        );
        assert_eq!(no_handler_holds_the_slot(&Tree::of(&[("src/service/state.rs", "struct State { model: ModelSlot }")])), []);
    }
}
