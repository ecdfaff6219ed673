//! A flipped bit in a file of the lake is found, never read; and what is damaged in a table's log
//! is told by the name of its file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use churn_risk::domain::Day;
use churn_risk::lake::{Lake, LakeError};
use churn_risk::portfolio::{LoadError, load};
use churn_risk::simulate::{Plan, write_csv};

use crate::support::lakes::{Desk, rows, sentence, snapshot};

const TABLES: [&str; 6] = ["customers", "subscriptions", "lifecycle", "usage_daily", "commitments", "imports"];

/// Flipped bits that are tried in each file; every one must be found, so more of them would only
/// take longer.
const FLIPS: u64 = 200;

/// A lake of a small made-up partner.
fn lake() -> Desk {
    let desk = Desk::new();
    let until = Day::parse("2026-06-20").expect("a day");
    write_csv(Plan::new(25, 60, 11, until).expect("in bounds"), &desk.path("in"), |_| ()).expect("a folder");
    desk.accept(&[desk.path("in")]);
    desk
}

/// The Parquet files of a table, in the order of their names.
fn files(desk: &Desk, table: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![desk.lake().join(table)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("_delta_log") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "parquet") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The first Parquet file of a table.
fn file(desk: &Desk, table: &str) -> PathBuf {
    files(desk, table).into_iter().next().expect("a file")
}

/// Places all over a file of so many bytes, the same for every run.
fn bits(bytes: usize, count: u64) -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).map(move |_| {
        // Knuth's MMIX generator; its high bits are good enough to scatter places.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 20).expect("44 bits") % (bytes * 8)
    })
}

/// The whole bytes, and copies of them with one bit flipped each.
fn flipped(path: &Path, count: u64) -> (Vec<u8>, impl Iterator<Item = Vec<u8>>) {
    let whole = fs::read(path).expect("a file");
    let bytes = whole.clone();
    let flipped = bits(bytes.len(), count).map(move |bit| {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    });
    (whole, flipped)
}

/// The error that names the file, both digests, and what to do.
#[track_caller]
fn is_told(error: &str, table: &str, path: &Path) {
    let wanted = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit('-').next()).expect("a digest");
    let part = match table {
        "usage_daily" => format!("usage_daily, {}", path.parent().and_then(Path::file_name).expect("a month").display()).replace('=', " "),
        other => other.to_owned(),
    };
    let start = format!("{} of {part} is damaged: its SHA-256 should be {wanted} and is ", path.display());
    assert!(error.contains(&start), "no `{start}` in: {error}");
    assert!(error.contains("restore the file from a copy of the lake, or import the source files again into a new lake"), "{error}");
}

fn refused(desk: &Desk) -> String {
    let _ = fs::remove_dir_all(desk.lake().join("_cache"));
    let error = load(&desk.lake(), 0).expect_err("a damaged lake");
    assert!(matches!(error, LoadError::Lake(_)), "{error:?}");
    sentence(&error)
}

fn churn_risk(arguments: &[&str], desk: &Desk) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    command.args(arguments).arg("--lake").arg(desk.lake()).output().expect("the program starts")
}

#[track_caller]
fn fails(arguments: &[&str], desk: &Desk) -> String {
    let output = churn_risk(arguments, desk);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn reads(desk: &Desk) -> String {
    let output = churn_risk(&["tables", "--read"], desk);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_flipped_bit_in_any_file_of_the_tables_is_found() {
    let desk = lake();
    let opened = snapshot(&desk.lake(), None).expect("a version");
    opened.census(true).expect("whole files");
    for table in TABLES {
        for path in files(&desk, table) {
            let (whole, flipped) = flipped(&path, FLIPS);
            for bytes in flipped {
                fs::write(&path, bytes).expect("a file");
                let found = if table == "imports" {
                    Lake::open(&desk.lake()).and_then(|lake| lake.imports()).map(drop)
                } else {
                    opened.census(true).map(drop)
                };
                let error = found.expect_err("a flipped bit");
                assert!(matches!(error, LakeError::Checksum { .. }), "{error:?}");
                is_told(&error.to_string(), table, &path);
            }
            fs::write(&path, whole).expect("a file");
        }
    }
    opened.census(true).expect("whole files again");
    assert!(!reads(&desk).contains("checksum"), "every file has one");
}

#[test]
fn no_portfolio_is_built_from_a_flipped_bit_and_no_service_starts() {
    let desk = lake();
    let whole_portfolio = load(&desk.lake(), 0).expect("a portfolio");
    for table in TABLES {
        for path in files(&desk, table) {
            let (whole, flipped) = flipped(&path, 4);
            for bytes in flipped {
                fs::write(&path, bytes).expect("a file");
                is_told(&refused(&desk), table, &path);
            }
            fs::write(&path, whole).expect("a file");
        }
        let path = file(&desk, table);
        let (whole, mut flipped) = flipped(&path, 1);
        fs::write(&path, flipped.next().expect("one")).expect("a file");
        is_told(&fails(&["serve", "--bind", "127.0.0.1:0"], &desk), table, &path);
        is_told(&fails(&["tables", "--read"], &desk), table, &path);
        fs::write(&path, whole).expect("a file");
    }
    assert_eq!(load(&desk.lake(), 0).expect("a portfolio"), whole_portfolio);
}

#[test]
fn a_damaged_month_is_not_restated_and_nothing_is_committed() {
    let desk = lake();
    let before = desk.rows();
    let month = desk.lake().join("usage_daily/month=2026-05");
    let path = files(&desk, "usage_daily").into_iter().find(|path| path.starts_with(&month)).expect("a month");
    let (whole, flipped) = flipped(&path, 8);
    let late = desk.usage("late.csv", "someone-new,2026-05-20,Storage,1 GB,1,\n");
    for bytes in flipped {
        fs::write(&path, bytes).expect("a file");
        is_told(&desk.refuse(std::slice::from_ref(&late)), "usage_daily", &path);
    }
    // Another month can be restated: no row of the damaged one is read for that.
    desk.accept(&[desk.usage("june.csv", "someone-new,2026-06-20,Storage,1 GB,1,\n")]);
    fs::write(&path, whole).expect("a file");
    assert!(rows(&desk.lake(), Some(1)) == before);
    assert_eq!(desk.version(), 2);
    desk.accept(&[late]);
    assert_eq!(desk.rows().usage.len(), before.usage.len() + 2);
}

#[test]
fn a_damaged_small_table_keeps_every_import_out() {
    let desk = lake();
    let more = desk.file("more.csv", "customer_id\nsomeone-new\n");
    for table in ["customers", "subscriptions", "lifecycle", "commitments", "imports"] {
        let path = file(&desk, table);
        let (whole, mut flipped) = flipped(&path, 1);
        fs::write(&path, flipped.next().expect("one")).expect("a file");
        is_told(&desk.refuse(std::slice::from_ref(&more)), table, &path);
        fs::write(&path, whole).expect("a file");
        assert_eq!(desk.version(), 1);
    }
    desk.accept(&[more]);
}

/// Makes the lake one of a release that gave its files no checksum, and its commits no word on
/// the files that they leave. Returns how many files that are.
fn without_checksums(desk: &Desk) -> usize {
    let mut renamed = 0;
    for table in TABLES {
        let entries: Vec<PathBuf> = (0..2).map(|number| entry(desk, table, number)).collect();
        for path in files(desk, table) {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let (stem, _) = name.split_once("-sha256-").expect("a checksum in the name");
            let bare = format!("{stem}.parquet");
            for entry in &entries {
                let text = fs::read_to_string(entry).expect("an entry").replace(name, &bare);
                let (start, end) = text.split_once(",\"churnRiskFiles\":\"").map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
                let unsealed =
                    format!("{start}{}", end.map_or("", |end| &end[65..])).replace("churnRiskEntry", "a").replace("churnRiskSealed", "b");
                fs::write(entry, unsealed).expect("an entry");
            }
            fs::rename(&path, path.with_file_name(bare)).expect("a file");
            renamed += 1;
        }
    }
    renamed
}

#[test]
fn files_without_a_checksum_are_read_as_before_and_counted() {
    let desk = lake();
    let (before, portfolio) = (desk.rows(), load(&desk.lake(), 0).expect("a portfolio"));
    let renamed = without_checksums(&desk);
    assert!(renamed >= 8, "{renamed} files");
    fs::remove_dir_all(desk.lake().join("_cache")).expect("a cache");
    assert!(desk.rows() == before);
    assert_eq!(load(&desk.lake(), 0).expect("a portfolio"), portfolio);
    let told = reads(&desk);
    assert!(told.contains(&format!("\n{renamed} files carry no checksum")), "{told}");
    assert!(!String::from_utf8_lossy(&churn_risk(&["tables"], &desk).stdout).contains("checksum"), "nobody asked");
    // What is written from here on has one, and goes together with what has none.
    desk.accept(&[desk.usage("late.csv", "someone-new,2026-05-20,Storage,1 GB,1,\n")]);
    assert_eq!(desk.rows().usage.len(), before.usage.len() + 1);
    let told = reads(&desk);
    // A month, the subscriptions and the imports were written anew.
    assert!(told.contains(&format!("\n{} files carry no checksum", renamed - 3)), "{told}");
    let usage = files(&desk, "usage_daily").into_iter().find(|path| path.to_string_lossy().contains("usage-00000002")).expect("a month");
    fs::write(&usage, &fs::read(&usage).expect("a file")[1..]).expect("a file");
    is_told(&refused(&desk), "usage_daily", &usage);
}

fn entry(desk: &Desk, table: &str, number: u64) -> PathBuf {
    desk.lake().join(table).join(format!("_delta_log/{number:020}.json"))
}

#[track_caller]
fn is_named(error: &str, path: &Path) {
    assert!(error.contains(path.to_str().expect("UTF-8")), "no {} in: {error}", path.display());
}

/// Every way in which a log entry may be damaged, with what each leaves of it.
fn damages(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let lines = whole.split(|byte| *byte == b'\n').count();
    assert!(lines > 1, "a commit without a file");
    let first_line = whole.iter().position(|byte| *byte == b'\n').expect("a line end");
    let garbled = |at: usize, byte: u8| {
        let mut bytes = whole.to_vec();
        bytes[at] = byte;
        bytes
    };
    vec![
        ("cut to nothing", Vec::new()),
        ("cut in a line", whole[..whole.len() * 2 / 3].to_vec()),
        ("cut at the end of a line", whole[..first_line].to_vec()),
        ("without its first line", whole[first_line + 1..].to_vec()),
        ("zeros", vec![0; whole.len()]),
        ("no UTF-8", garbled(20, 0xff)),
        ("no JSON", garbled(0, b'[')),
        ("a file that is not named", {
            let text = String::from_utf8(whole.to_vec()).expect("UTF-8");
            text.replacen("{\"add\":", "{\"adc\":", 1).into_bytes()
        }),
        ("a file of another length", {
            let text = String::from_utf8(whole.to_vec()).expect("UTF-8");
            text.replacen("\"size\":", "\"size\":1", 1).into_bytes()
        }),
    ]
}

#[test]
fn a_damaged_log_entry_is_named_wherever_the_tables_are_opened() {
    let desk = lake();
    for table in TABLES {
        let path = entry(&desk, table, 1);
        let whole = fs::read(&path).expect("an entry");
        for (damage, bytes) in damages(&whole) {
            fs::write(&path, &bytes).expect("an entry");
            is_named(&refused(&desk), &path);
            let error = Lake::open(&desk.lake()).and_then(|lake| lake.snapshot(None)).expect_err(damage);
            assert!(matches!(error, LakeError::Log { .. }), "{table}, {damage}: {error:?}");
        }
        fs::write(&path, bytes_of_half(&whole)).expect("an entry");
        is_named(&fails(&["tables"], &desk), &path);
        is_named(&desk.refuse(&[desk.file("more.csv", "customer_id\nsomeone-new\n")]), &path);
        fs::write(&path, whole).expect("an entry");
        // The entry that made the table.
        let path = entry(&desk, table, 0);
        let whole = fs::read(&path).expect("an entry");
        fs::write(&path, bytes_of_half(&whole)).expect("an entry");
        is_named(&refused(&desk), &path);
        fs::write(&path, whole).expect("an entry");
    }
    load(&desk.lake(), 0).expect("a portfolio");
    fs::remove_dir_all(desk.lake().join("lifecycle")).expect("a folder");
    is_named(&refused(&desk), &desk.lake().join("lifecycle/_delta_log"));
}

fn bytes_of_half(whole: &[u8]) -> Vec<u8> {
    whole[..whole.len() / 2].to_vec()
}

#[test]
fn a_damaged_entry_among_others_and_a_damaged_checkpoint_are_named() {
    let desk = Desk::new();
    for number in 1..=12 {
        desk.accept(&[desk.usage(&format!("{number}.csv"), &format!("s1,2025-{number:02}-01,C,h,1,\n"))]);
    }
    let before = desk.rows();
    for (table, least) in [("usage_daily", 8), ("imports", 4)] {
        // 9 is the checkpoint, 12 is the newest.
        let path = entry(&desk, table, 11);
        let whole = fs::read(&path).expect("an entry");
        let mut met = 0;
        for (damage, bytes) in damages(&whole) {
            fs::write(&path, &bytes).expect("an entry");
            match Lake::open(&desk.lake()).and_then(|lake| lake.snapshot(None)) {
                // An entry may lose what no later version needs: what it says of itself, or, in the
                // log of imports, a file that the next entry takes away.
                Ok(_) => assert!(desk.rows() == before, "{table}, {damage}: read and not the same"),
                Err(error) => {
                    is_named(&sentence(&error), &path);
                    met += 1;
                }
            }
        }
        assert!(met >= least, "{table}: {met}");
        fs::write(&path, whole).expect("an entry");
        assert_eq!(desk.version(), 12);
    }
    let checkpoint = desk.lake().join("usage_daily/_delta_log/00000000000000000009.checkpoint.parquet");
    let (whole, flipped) = flipped(&checkpoint, 120);
    let mut met = 0;
    for bytes in flipped {
        fs::write(&checkpoint, bytes).expect("a checkpoint");
        match Lake::open(&desk.lake()).and_then(|lake| lake.snapshot(None)) {
            Ok(_) => assert!(desk.rows() == before, "a flipped bit was read"),
            Err(error) => {
                let told = sentence(&error);
                assert!(told.contains("usage_daily") && told.contains("_delta_log"), "{told}");
                met += 1;
            }
        }
    }
    assert!(met > 10, "{met} of the flipped bits were met");
    fs::write(&checkpoint, whole).expect("a checkpoint");
}
