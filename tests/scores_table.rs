//! The scores of whole portfolios are kept as they were issued: durably, once, found by
//! subscription, and without any effect on the version of the tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use churn_risk::domain::{ChurnRisk, HorizonDays, IssuedScore, Level, Period, PortfolioScoring, Score, ScoreStanding, ScoringHead};
use churn_risk::lake::{Lake, LakeError, ScoresError, ScoresReceipt};

use crate::support::lakes::{Desk, copy_folder, sentence};
use crate::support::worlds::{day, subscription_id};

fn horizon(days: u32) -> HorizonDays {
    HorizonDays::new(days).expect("a horizon")
}

fn scoring(as_of: &str, model_version: &str, table_version: u64) -> PortfolioScoring {
    PortfolioScoring { as_of: day(as_of), model_version: model_version.to_owned(), table_version, scored_on: day("2026-06-30") }
}

fn known(id: &str, days: u32, risk: f64, level: Level) -> Score {
    let standing = ScoreStanding::Known { risk: ChurnRisk::new(risk).expect("a risk"), level };
    Score { subscription_id: subscription_id(id), horizon_days: horizon(days), standing }
}

fn unknown(id: &str, days: u32, reason: &'static str) -> Score {
    Score { subscription_id: subscription_id(id), horizon_days: horizon(days), standing: ScoreStanding::Unknown { reason: reason.into() } }
}

fn some() -> Vec<Score> {
    vec![
        known("s1", 30, 0.1 + 0.2, Level::Medium),
        known("s1", 60, 1.0, Level::High),
        known("s2", 30, 0.0, Level::Low),
        unknown("s2", 60, "too_young"),
        unknown("s3", 30, "gap"),
        known("s3", 365, f64::MIN_POSITIVE, Level::Low),
    ]
}

/// Two horizons of so many subscriptions, whose risks are all different.
fn many(subscriptions: u32) -> impl Iterator<Item = Score> {
    (0..subscriptions).flat_map(move |number| {
        [30, 60].map(|days| known(&id(number), days, f64::from(number * 100 + days) / f64::from(subscriptions * 100), Level::Low))
    })
}

fn id(number: u32) -> String {
    format!("sub-{number:06}")
}

fn open(path: &Path) -> Lake {
    Lake::open(path).expect("a lake")
}

#[track_caller]
fn append(lake: &Lake, scoring: &PortfolioScoring, scores: impl IntoIterator<Item = Score>) -> ScoringHead {
    match lake.append_scores(scoring, scores) {
        Ok(ScoresReceipt::Recorded(head)) => head,
        Ok(known @ ScoresReceipt::AlreadyRecorded(_)) => panic!("{known:?}"),
        Err(error) => panic!("{}", sentence(&error)),
    }
}

#[track_caller]
fn scores_of(lake: &Lake, head: &ScoringHead) -> Vec<Score> {
    let rows = lake.scores_of(head).and_then(Iterator::collect);
    rows.unwrap_or_else(|error: LakeError| panic!("{}", sentence(&error)))
}

/// The Parquet files of the table, in the order of their names.
fn files(lake: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(lake.join("scores")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = listed.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect();
    files.sort();
    files
}

fn log_entry(lake: &Path, number: u64) -> PathBuf {
    lake.join(format!("scores/_delta_log/{number:020}.json"))
}

#[test]
fn scores_are_read_back_as_they_were_issued_by_whoever_opens_the_lake() {
    let desk = Desk::new();
    let lake = open(&desk.lake());
    assert_eq!(lake.scorings().expect("no table yet"), []);
    let june = append(&lake, &scoring("2026-06-29", "20260601-1", 7), some());
    let nobody = append(&lake, &scoring("2026-06-30", "20260601-1", 8), []);
    let may = append(&lake, &scoring("2026-05-31", "20260501-1", 3), some().into_iter().take(1));
    assert_eq!((june.rows, &june.horizons), (6, &vec![horizon(30), horizon(60), horizon(365)]));
    assert_eq!((nobody.rows, &nobody.horizons), (0, &Vec::new()));
    for lake in [&lake, &open(&desk.lake())] {
        assert_eq!(lake.scorings().expect("the log"), [may.clone(), june.clone(), nobody.clone()]);
        assert_eq!(scores_of(lake, &june), some());
        assert_eq!(scores_of(lake, &may), some()[..1]);
        assert_eq!(scores_of(lake, &nobody), []);
    }
    let never = ScoringHead { scoring: scoring("2026-06-29", "20260601-2", 7), ..june };
    assert_eq!(scores_of(&lake, &never), []);
}

#[test]
fn the_same_scoring_again_changes_nothing_and_no_score_is_asked_for() {
    let desk = Desk::new();
    let lake = open(&desk.lake());
    let head = append(&lake, &scoring("2026-06-29", "m", 7), some());
    let entries = || fs::read_dir(desk.lake().join("scores/_delta_log")).expect("a log").count();
    let before = (files(&desk.lake()), entries());
    // Scored again the next day, by another process.
    let again = PortfolioScoring { scored_on: day("2026-07-01"), ..head.scoring.clone() };
    let asked = std::iter::from_fn(|| panic!("a score was asked for"));
    let receipt = open(&desk.lake()).append_scores(&again, asked).expect("a receipt");
    assert_eq!(receipt, ScoresReceipt::AlreadyRecorded(head.clone()));
    assert_eq!((files(&desk.lake()), entries()), before);
    // Another model, other tables and another day are other scorings.
    for other in [scoring("2026-06-29", "n", 7), scoring("2026-06-29", "m", 8), scoring("2026-06-30", "m", 7)] {
        append(&lake, &other, some());
    }
    assert_eq!(lake.scorings().expect("the log").len(), 4);
    assert_eq!(scores_of(&lake, &head), some());
}

#[test]
fn what_cannot_be_kept_is_refused_and_leaves_nothing() {
    let desk = Desk::new();
    let lake = open(&desk.lake());
    let refused = |scoring: &PortfolioScoring, scores: Vec<Score>| {
        let error = lake.append_scores(scoring, scores).expect_err("nothing to keep");
        assert_eq!(lake.scorings().expect("the log"), []);
        error
    };
    let fine = scoring("2026-06-29", "m", 7);
    let (first, second) = (known("s1", 30, 0.5, Level::Low), known("s2", 30, 0.5, Level::Low));
    for scores in [vec![second.clone(), first.clone()], vec![known("s1", 60, 0.5, Level::Low), first.clone()], vec![first.clone(), first]] {
        let told = refused(&fine, scores).to_string();
        assert!(told.starts_with("the score of subscription s1 for 30 days does not come after"), "{told}");
    }
    assert!(matches!(refused(&scoring("2026-06-29", "", 7), some()), ScoresError::NoModelVersion));
    assert!(matches!(refused(&scoring("2026-06-29", "m", u64::MAX), some()), ScoresError::TableVersion(u64::MAX)));
    let past_the_last = PortfolioScoring { as_of: day("2200-12-31") + 1, ..fine.clone() };
    assert!(matches!(refused(&past_the_last, some()), ScoresError::Day(_)));
    let early = PortfolioScoring { scored_on: day("1970-01-01") - 1, ..fine.clone() };
    assert!(matches!(refused(&early, some()), ScoresError::Day(_)));
    assert_eq!(fs::read_dir(desk.lake().join("scores")).expect("a folder").count(), 0, "a file is left");
    append(&lake, &fine, some());
}

#[test]
fn a_subscriptions_history_is_found_in_every_row_group_of_every_scoring() {
    const SUBSCRIPTIONS: u32 = 20_000;
    let desk = Desk::new();
    let lake = open(&desk.lake());
    // Out of the order of their days, the middle one with a day of its own for the subscription.
    append(&lake, &scoring("2026-06-01", "m", 3), many(SUBSCRIPTIONS));
    append(&lake, &scoring("2026-04-01", "m", 1), many(SUBSCRIPTIONS));
    append(&lake, &scoring("2026-05-01", "m", 2), [unknown(&id(7), 30, "gap")]);
    let all: Vec<Score> = many(SUBSCRIPTIONS).collect();
    for lake in [&lake, &open(&desk.lake())] {
        // A row group ends after the first 6,144 subscriptions, another one after as many.
        for number in [0, 6_143, 6_144, 6_145, 12_287, 12_288, SUBSCRIPTIONS - 1] {
            let at = usize::try_from(number).expect("small") * 2;
            let expected = ["2026-04-01", "2026-06-01"].map(|as_of| {
                let scoring = scoring(as_of, "m", if as_of == "2026-04-01" { 1 } else { 3 });
                all[at..at + 2].iter().map(move |score| IssuedScore { scoring: scoring.clone(), score: score.clone() })
            });
            let history = lake.score_history(&subscription_id(&id(number)), None).expect("a history");
            assert_eq!(history, expected.into_iter().flatten().collect::<Vec<_>>(), "{number}");
        }
        let days = |within: Option<Period>| -> Vec<String> {
            let history = lake.score_history(&subscription_id(&id(7)), within).expect("a history");
            history.iter().map(|issued| format!("{} {}", issued.scoring.as_of, issued.score.horizon_days.get())).collect()
        };
        assert_eq!(days(None), ["2026-04-01 30", "2026-04-01 60", "2026-05-01 30", "2026-06-01 30", "2026-06-01 60"]);
        assert_eq!(days(Period::new(day("2026-05-01"), day("2026-05-31")).ok()), ["2026-05-01 30"]);
        for nobody in ["a", "sub-000006x", "sub-0061435", "z"] {
            assert_eq!(lake.score_history(&subscription_id(nobody), None).expect("a history"), [], "{nobody}");
        }
    }
    let head = &lake.scorings().expect("the log")[0];
    assert!(scores_of(&lake, head) == all, "every row group, one after the other");
}

#[test]
fn ids_and_model_versions_of_any_characters_come_back_as_they_were() {
    let desk = Desk::new();
    let lake = open(&desk.lake());
    let long = |last: char| format!("{}{last}", "ü".repeat(127));
    let top = "\u{10ffff}".repeat(64);
    let mut ids = vec!["a,\"b\"".to_owned(), "a/b=c%20d".to_owned(), "null".to_owned(), "漢字 🦀".to_owned(), long('a'), long('b'), top];
    ids.push("0a1b2c3d-1111-4222-8333-abcdefabcdef".to_owned());
    ids.push("0A1B-NO-GUID".to_owned());
    ids.sort();
    let scores: Vec<Score> = ids.iter().map(|id| known(id, 30, 0.25, Level::High)).collect();
    let models = ["a/b", "m=1,%2F", "mit Umläuten 🦀", "tab\tand\nline \"end\"", " "];
    for model in models {
        append(&lake, &scoring("2026-06-29", model, 7), scores.clone());
    }
    let other = open(&desk.lake());
    let mut heads: Vec<String> = other.scorings().expect("the log").into_iter().map(|head| head.scoring.model_version).collect();
    heads.sort();
    let mut expected = models.map(str::to_owned);
    expected.sort();
    assert_eq!(heads, expected);
    for head in other.scorings().expect("the log") {
        assert_eq!(scores_of(&other, &head), scores);
    }
    for id in &ids {
        let history = other.score_history(&subscription_id(id), None).expect("a history");
        assert!(history.len() == models.len() && history.iter().all(|issued| issued.score.subscription_id.as_str() == id), "{id}");
    }
    // The other case of a GUID is the same subscription.
    assert_eq!(other.score_history(&subscription_id("0A1B2C3D-1111-4222-8333-ABCDEFABCDEF"), None).expect("a history").len(), models.len());
}

#[test]
fn two_writers_at_once_lose_nothing_and_record_the_same_scoring_once() {
    let desk = Desk::new();
    thread::scope(|scope| {
        for who in ["a", "b"] {
            let desk = &desk;
            scope.spawn(move || {
                let lake = open(&desk.lake());
                for number in 0..6 {
                    append(&lake, &scoring("2026-06-29", who, number), some());
                    lake.append_scores(&scoring("2026-06-29", "both", number), some()).expect("recorded by one of them");
                }
            });
        }
    });
    let lake = open(&desk.lake());
    let heads = lake.scorings().expect("the log");
    for who in ["a", "b", "both"] {
        let mine: Vec<u64> = heads.iter().filter(|head| head.scoring.model_version == who).map(|head| head.scoring.table_version).collect();
        assert_eq!(mine, [0, 1, 2, 3, 4, 5], "{who}");
    }
    assert_eq!((heads.len(), files(&desk.lake()).len()), (18, 18));
    // By then the log has a checkpoint, and entries after it.
    assert!(desk.lake().join("scores/_delta_log/00000000000000000009.checkpoint.parquet").is_file());
    assert!(heads.iter().all(|head| scores_of(&lake, head) == some()));
}

#[test]
fn scorings_from_before_and_after_a_checkpoint_are_told_alike() {
    let desk = Desk::new();
    let lake = open(&desk.lake());
    let days: Vec<String> = (1..=25).map(|number| format!("2026-05-{number:02}")).collect();
    // Every fifth has no row, so its partition has a null.
    let scores = |number: usize| if number.is_multiple_of(5) { Vec::new() } else { some() };
    let heads: Vec<ScoringHead> =
        days.iter().enumerate().map(|(number, as_of)| append(&lake, &scoring(as_of, "m", 1), scores(number))).collect();
    let other = open(&desk.lake());
    assert_eq!(other.scorings().expect("the log"), heads);
    for (number, head) in heads.iter().enumerate() {
        assert_eq!(scores_of(&other, head), scores(number));
    }
    assert_eq!(other.score_history(&subscription_id("s1"), None).expect("a history").len(), 40);
}

#[test]
fn scores_do_not_change_the_version_of_the_tables_and_wait_for_no_import() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("a.csv", "s1,2026-06-01,C,h,1,\n")]);
    let lock = fs::OpenOptions::new().write(true).open(desk.lake().join("_writer.lock")).expect("the lease");
    lock.lock().expect("taken");
    let lake = open(&desk.lake());
    let before = (desk.version(), desk.rows(), lake.imports().expect("imports"));
    append(&lake, &scoring("2026-06-01", "m", 1), some());
    assert_eq!((desk.version(), desk.rows(), lake.imports().expect("imports")), before);
    assert_eq!(lake.newest_version().expect("a version"), Some(1));
}

/// What `churn-risk tables` says, and whether it succeeds.
fn tables(desk: &Desk, flags: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    let output = command.arg("tables").args(flags).arg("--lake").arg(desk.lake()).output().expect("the program starts");
    let told = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

/// The cells of the row of `scores` but for its bytes: Delta version, files, rows.
fn listed(desk: &Desk, flags: &[&str]) -> Vec<String> {
    let (is_fine, told) = tables(desk, flags);
    assert!(is_fine, "{told}");
    let row = told.lines().find(|line| line.contains(" scores ")).unwrap_or_else(|| panic!("{told}")).to_owned();
    let cells = row.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').filter(|cell| !cell.is_empty());
    cells.skip(1).take(3).map(str::to_owned).collect()
}

#[test]
fn the_list_of_tables_has_the_scores_and_a_lake_of_before_has_none() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("a.csv", "s1,2026-06-01,C,h,1,\n")]);
    assert!(!desk.lake().join("scores").exists());
    assert_eq!(open(&desk.lake()).scorings().expect("no table"), []);
    assert_eq!(open(&desk.lake()).score_history(&subscription_id("s1"), None).expect("no table"), []);
    for flags in [&[][..], &["--read"]] {
        assert_eq!(listed(&desk, flags), ["-", "0", "0"]);
    }
    assert!(!desk.lake().join("scores").exists(), "reading made a table");
    let lake = open(&desk.lake());
    append(&lake, &scoring("2026-06-01", "m", 1), some());
    append(&lake, &scoring("2026-06-02", "m", 1), some());
    for flags in [&[][..], &["--read"]] {
        assert_eq!(listed(&desk, flags), ["2", "2", "12"]);
    }
}

#[test]
fn every_flipped_bit_in_a_file_of_scores_is_found_and_the_other_scorings_are_read() {
    let desk = Desk::new();
    desk.accept(&[desk.usage("a.csv", "s1,2026-06-01,C,h,1,\n")]);
    let lake = open(&desk.lake());
    let whole_one = append(&lake, &scoring("2026-06-28", "m", 1), some());
    let head = append(&lake, &scoring("2026-06-29", "m", 1), some());
    let path = files(&desk.lake()).pop().expect("a file");
    let told = format!("{} of scores is damaged: its SHA-256 should be ", path.display());
    let whole = fs::read(&path).expect("a file");
    for byte in (0..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << (byte % 8);
        fs::write(&path, flipped).expect("a file");
        let lake = open(&desk.lake());
        let history = lake.score_history(&subscription_id("s2"), None).map(drop);
        for read in [lake.scores_of(&head).map(drop), history, lake.scores_census(true).map(drop)] {
            let error = read.expect_err("a flipped bit");
            assert!(matches!(error, LakeError::Checksum { .. }) && error.to_string().contains(&told), "{error:?}");
        }
        assert_eq!(scores_of(&lake, &whole_one), some());
    }
    let (is_fine, error) = tables(&desk, &["--read"]);
    assert!(!is_fine && error.contains(&told), "{error}");
    fs::remove_file(&path).expect("a file");
    let error = sentence(&open(&desk.lake()).scores_of(&head).expect_err("no file"));
    assert!(error.contains(path.to_str().expect("UTF-8")), "{error}");
    fs::write(&path, whole).expect("a file");
    assert_eq!(scores_of(&open(&desk.lake()), &head), some());
    assert!(tables(&desk, &["--read"]).0);
}

#[test]
fn a_damaged_log_entry_is_named_and_nothing_is_put_after_it() {
    let desk = Desk::new();
    let lake = open(&desk.lake());
    let heads = [append(&lake, &scoring("2026-06-28", "m", 1), some()), append(&lake, &scoring("2026-06-29", "m", 1), some())];
    let more = scoring("2026-06-30", "m", 1);
    for number in [1, 2] {
        let path = log_entry(&desk.lake(), number);
        let whole = fs::read_to_string(&path).expect("an entry");
        let line = whole.find('\n').expect("a line end");
        let mut damages = vec![
            String::new(),
            whole[..whole.len() / 2].to_owned(),
            whole[..line].to_owned(),
            whole[line + 1..].to_owned(),
            whole.replacen("{\"add\":", "{\"adc\":", 1),
        ];
        // What the log tells of a scoring without a look into its file.
        for (from, to) in
            [("\"2026-06-2", "\"2026-07-2"), ("\"model_version\":\"m\"", "\"model_version\":\"n\""), ("30,60,365", "30,60,360")]
        {
            assert!(whole.contains(from), "no {from} in {whole}");
            damages.push(whole.replace(from, to));
        }
        damages.push(whole.replace("\"table_version\":\"1\"", "\"table_version\":\"2\""));
        for damaged in damages {
            assert_ne!(damaged, whole);
            fs::write(&path, &damaged).expect("an entry");
            let lake = open(&desk.lake());
            let told = match lake.scorings() {
                // An earlier entry may lose what it says of itself: no later one needs that.
                Ok(told) => {
                    assert!(number == 1 && told == heads && !damaged.contains("commitInfo"), "{damaged}");
                    continue;
                }
                Err(error) => sentence(&error),
            };
            let refused = lake.append_scores(&more, some()).expect_err("a damaged log");
            for error in [told, sentence(&refused)] {
                assert!(error.contains(path.to_str().expect("UTF-8")), "{damaged}\n{error}");
            }
        }
        fs::write(&path, whole).expect("an entry");
        assert_eq!(open(&desk.lake()).scorings().expect("the log"), heads);
    }
    // Entries of earlier releases have a digest that does not speak of the number of rows; whoever
    // reads them does.
    let path = log_entry(&desk.lake(), 2);
    let whole = fs::read_to_string(&path).expect("an entry");
    fs::write(&path, whole.replace("\\\"numRecords\\\":6", "\\\"numRecords\\\":5")).expect("an entry");
    let error = open(&desk.lake()).scorings().expect_err("a changed entry");
    assert!(sentence(&error).contains(path.to_str().expect("UTF-8")), "{error}");
    let whole = whole.replace("churnRiskEntry", "a").replace("churnRiskSealed", "b");
    for rows in [5, 7] {
        fs::write(&path, whole.replace("\\\"numRecords\\\":6", &format!("\\\"numRecords\\\":{rows}"))).expect("an entry");
        let lake = open(&desk.lake());
        let head = lake.scorings().expect("the log").pop().expect("a scoring");
        assert_eq!(head.rows, rows);
        let error = lake.scores_of(&head).expect("the file").find_map(Result::err).map(|error| error.to_string()).expect("another number");
        assert!(error.contains(files(&desk.lake())[1].to_str().expect("UTF-8")) && error.contains("the log says"), "{error}");
    }
}

/// A name in the table's folder or log that is there after an append and was not before.
fn new_files(before: &Path, after: &Path) -> Vec<PathBuf> {
    let mut new = Vec::new();
    for folder in ["scores", "scores/_delta_log"] {
        for entry in fs::read_dir(after.join(folder)).expect("a folder") {
            let relative = Path::new(folder).join(entry.expect("an entry").file_name());
            if !before.join(&relative).exists() {
                new.push(relative);
            }
        }
    }
    new.sort();
    new
}

/// Files that are there when an append dies, and whether its commit is.
type Step<'a> = (Vec<(&'a Path, Vec<u8>)>, bool);

#[test]
fn an_append_that_died_at_any_step_leaves_the_scorings_before_it_and_the_next_one_works() {
    let desk = Desk::new();
    let (before, after) = (desk.path("before"), desk.path("after"));
    // The ninth commit after that of the table writes the checkpoint as well.
    let first: Vec<ScoringHead> = (1..=8).map(|number| append(&open(&before), &scoring("2026-06-01", "m", number), some())).collect();
    copy_folder(&before, &after);
    let next = scoring("2026-06-29", "m", 9);
    let last = append(&open(&after), &next, many(100));
    let new = new_files(&before, &after);
    let [seal, seal_of_hint, checkpoint, entry, hint, file] = &new[..] else { panic!("{new:?}") };
    assert!(checkpoint.ends_with("00000000000000000009.checkpoint.parquet") && hint.ends_with("_last_checkpoint"), "{new:?}");
    assert!([seal, seal_of_hint].iter().all(|name| name.extension().is_some_and(|ending| ending == "sha256")), "{new:?}");
    let bytes = |name: &Path| fs::read(after.join(name)).expect("a file");
    let half = |name: &Path| bytes(name)[..bytes(name).len() / 2].to_vec();
    let (unnamed, staged) = (Path::new("scores/.new.parquet.tmp"), Path::new("scores/_delta_log/.00000000000000000009.json.tmp"));
    // In the order of the steps: what is there when it dies, and whether the commit is.
    let steps: Vec<Step<'_>> = vec![
        (vec![(unnamed, Vec::new())], false),
        (vec![(unnamed, half(file))], false),
        (vec![(unnamed, bytes(file))], false),
        (vec![(file, bytes(file))], false),
        (vec![(file, bytes(file)), (staged, half(entry))], false),
        (vec![(file, bytes(file)), (staged, bytes(entry))], false),
        (vec![(file, bytes(file)), (staged, bytes(entry)), (entry, bytes(entry))], true),
        (vec![(file, bytes(file)), (entry, bytes(entry)), (checkpoint, bytes(checkpoint))], true),
        (vec![(file, bytes(file)), (entry, bytes(entry)), (checkpoint, bytes(checkpoint)), (seal, bytes(seal)), (hint, bytes(hint))], true),
    ];
    for (number, (left, is_committed)) in steps.into_iter().enumerate() {
        let lake = desk.path(&format!("lake-{number}"));
        copy_folder(&before, &lake);
        for (name, bytes) in left {
            fs::write(lake.join(name), bytes).expect("a file");
        }
        let expected: Vec<ScoringHead> = first.iter().cloned().chain(is_committed.then(|| last.clone())).collect();
        assert_eq!(open(&lake).scorings().expect("the log"), expected, "step {number}");
        let receipt = open(&lake).append_scores(&next, many(100)).expect("the same again");
        assert_eq!(matches!(receipt, ScoresReceipt::AlreadyRecorded(_)), is_committed, "step {number}");
        append(&open(&lake), &scoring("2026-06-30", "m", 10), some());
        let lake = open(&lake);
        assert_eq!(lake.scorings().expect("the log").len(), 10, "step {number}");
        assert!(first.iter().all(|head| scores_of(&lake, head) == some()), "step {number}");
        assert!(scores_of(&lake, &last).into_iter().eq(many(100)), "step {number}");
    }
}

#[test]
fn a_first_append_that_died_before_the_table_was_made_is_no_scoring() {
    let desk = Desk::new();
    let whole = desk.path("whole");
    append(&open(&whole), &scoring("2026-06-29", "m", 1), some());
    let file = files(&whole).pop().expect("a file");
    let made = fs::read(log_entry(&whole, 0)).expect("the entry that makes the table");
    for step in 0..4 {
        let lake = desk.path(&format!("lake-{step}"));
        fs::create_dir_all(lake.join("scores")).expect("a folder");
        fs::copy(&file, lake.join("scores").join(file.file_name().expect("a name"))).expect("a copy");
        if step > 0 {
            fs::create_dir(lake.join("scores/_delta_log")).expect("a folder");
        }
        if step > 1 {
            fs::write(lake.join("scores/_delta_log/.00000000000000000000.json.tmp"), &made[..made.len() / 2]).expect("a file");
        }
        if step > 2 {
            fs::write(log_entry(&lake, 0), &made).expect("a file");
        }
        assert_eq!(open(&lake).scorings().expect("the log"), [], "step {step}");
        let head = append(&open(&lake), &scoring("2026-06-29", "m", 1), some());
        assert_eq!(scores_of(&open(&lake), &head), some(), "step {step}");
    }
}
