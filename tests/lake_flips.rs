//! No file of a lake can change unnoticed: whichever byte flips, `verify` tells it, and what is read
//! is as it was or is refused. Every single byte of tables and logs is tried where they are
//! written (`src/lake/verify/tests.rs`); here it is every file that a lake has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use churn_risk::domain::{
    ChurnRisk, Feedback, FeedbackId, HorizonDays, Level, PortfolioScoring, Score, ScoreStanding, SubscriptionId, Verdict,
};
use churn_risk::lake::{Lake, VacuumRequest, VerifyScope};
use churn_risk::portfolio::{Portfolio, load};
use churn_risk::progress::Progress;

use crate::support::lakes::{Desk, Rows, rows};
use crate::support::worlds::{day, subscription_id};

/// Bytes that are tried in each file, from its first to its last.
const PLACES: usize = 3;

/// Files of one sort in a folder that are tried, from the first to the last: of a log's entries,
/// the one that made the table, one among the others, and the newest.
const OF_A_SORT: usize = 3;

fn answer(number: usize) -> Feedback {
    Feedback {
        feedback_id: FeedbackId::parse(&format!("f{number}")).expect("an id"),
        subscription_id: subscription_id("s1"),
        given_on: day("2026-06-30"),
        as_of: day("2026-06-01"),
        model_version: None,
        risk: None,
        verdict: Some(Verdict::Right),
        outcome: None,
        note: None,
        given_by: None,
    }
}

fn score(id: &SubscriptionId) -> Score {
    let standing = ScoreStanding::Known { risk: ChurnRisk::new(0.5).expect("a risk"), level: Level::High };
    Score { subscription_id: id.clone(), horizon_days: HorizonDays::new(30).expect("a horizon"), standing }
}

/// A lake with something in every table, checkpoints of its logs, and versions that are gone.
fn everything() -> Desk {
    let desk = Desk::new();
    for number in 1..=9 {
        desk.accept(&[
            desk.usage(&format!("{number}.csv"), &format!("s{number},2026-0{}-01,C,h,1,\n", 4 + number % 3)),
            desk.file(&format!("customers-{number}.csv"), format!("customer_id\nc{number}\n")),
            desk.file(&format!("lifecycle-{number}.csv"), format!("subscription_id,on,event\ns{number},2026-03-01,created\n")),
            desk.file(&format!("terms-{number}.csv"), format!("commitment_id,kind,ends_on\nt{number},term,2026-12-31\n")),
        ]);
    }
    let lake = Lake::open(&desk.lake()).expect("a lake");
    (0..9).for_each(|number| drop(lake.give_feedback(&answer(number)).expect("an answer")));
    for table_version in [8, 9] {
        let (as_of, scored_on) = (day("2026-06-01"), day("2026-06-30"));
        let scoring = PortfolioScoring { as_of, model_version: "m".to_owned(), table_version, scored_on };
        lake.append_scores(&scoring, ["s1", "s2"].map(|id| score(&subscription_id(id)))).expect("a scoring");
    }
    lake.compact().expect("tables");
    let vacuum = |keep_days| {
        lake.vacuum(&VacuumRequest { keep_days, today: day("2026-07-01"), dry_run: false }, Progress::Silent).expect("a lake");
    };
    vacuum(0);
    desk.accept(&[desk.usage("10.csv", "s10,2026-06-02,C,h,1,\n")]);
    // Of what no version names nobody reads a byte.
    vacuum(30);
    desk
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Some files of each folder and ending, or name without one.
fn sorts(lake: &Path) -> BTreeMap<(PathBuf, String), Vec<PathBuf>> {
    let mut paths = Vec::new();
    files(lake, &mut paths);
    paths.sort();
    let mut sorts: BTreeMap<_, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        let sort = path.extension().or(path.file_name()).expect("a name").to_string_lossy().into_owned();
        sorts.entry((path.parent().expect("a folder").to_path_buf(), sort)).or_default().push(path);
    }
    for paths in sorts.values_mut() {
        let last = paths.len() - 1;
        let mut places: Vec<usize> = (0..OF_A_SORT).map(|number| number * last / (OF_A_SORT - 1)).collect();
        places.dedup();
        *paths = places.into_iter().map(|place| paths[place].clone()).collect();
    }
    sorts
}

/// What a reader is given of a lake, all or nothing.
fn read(lake: &Path) -> Option<(Portfolio, Vec<Feedback>, usize)> {
    let portfolio = load(lake, 0).ok()?;
    let lake = Lake::open(lake).ok()?;
    Some((portfolio, lake.feedback().ok()?, lake.score_history(&subscription_id("s1"), None).ok()?.len()))
}

#[test]
fn whichever_file_changes_it_is_told_and_nobody_is_given_it() {
    let desk = everything();
    let lake = desk.lake();
    let (whole, held): (_, Rows) = (read(&lake).expect("a lake"), rows(&lake, None));
    let faults = || Lake::open(&lake).and_then(|lake| lake.verify(VerifyScope::All, Progress::Silent)).map(|read| read.faults);
    assert_eq!(faults().expect("a version"), []);
    let sorts = sorts(&lake);
    for wanted in ["json", "parquet", "sha256", "_last_checkpoint", "bin"] {
        assert!(sorts.keys().any(|(_, sort)| sort == wanted), "no {wanted} among {:?}", sorts.keys());
    }
    for path in sorts.into_values().flatten() {
        let bytes = fs::read(&path).expect("a file");
        let is_cache = path.starts_with(lake.join("_cache"));
        for place in (0..PLACES).filter(|_| !bytes.is_empty()) {
            let at = place * (bytes.len() - 1) / (PLACES - 1);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (place % 8);
            fs::write(&path, flipped).expect("a file");
            // A damaged cache is thrown away, and the tables are read.
            assert!(is_cache || faults().map_or(true, |faults| !faults.is_empty()), "{} byte {at} is not told", path.display());
            let given = read(&lake);
            assert!(given.is_none_or(|given| given == whole), "{} byte {at} is given to a reader", path.display());
        }
        fs::write(&path, bytes).expect("a file");
    }
    assert_eq!((read(&lake).expect("a lake"), rows(&lake, None)), (whole, held));
    assert_eq!(faults().expect("a version"), []);
}
