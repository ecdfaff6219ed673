//! Killed at any moment, an import is in the tables whole or not at all, and the same command
//! again completes it. `.ci/crash` tries the same at every single system call.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use churn_risk::domain::Day;
use churn_risk::portfolio::load;
use churn_risk::simulate::{Plan, write_csv};

use crate::support::lakes::{Desk, Rows, committed, copy_folder, rows, version};

/// The files of a made-up partner: a day of use in every month from March on, long past.
fn partner(desk: &Desk, folder: &str, seed: u64) -> PathBuf {
    let until = Day::parse("2025-06-20").expect("a day");
    let dir = desk.path(folder);
    write_csv(Plan::new(60, 100, seed, until).expect("in bounds"), &dir, |_| ()).expect("a folder");
    fs::remove_file(dir.join("_truth.csv")).and_then(|()| fs::remove_file(dir.join("simulate.json"))).expect("files");
    dir
}

/// A lake with one import in it, the files of a second, and the rows before and after that.
struct Case {
    desk: Desk,
    lake: PathBuf,
    second: PathBuf,
    before: Rows,
    after: Rows,
}

impl Case {
    fn new() -> Self {
        let desk = Desk::new();
        let (first, second) = (partner(&desk, "first", 1), partner(&desk, "second", 2));
        desk.accept(&[first]);
        let lake = desk.path("begun");
        copy_folder(&desk.lake(), &lake);
        let before = desk.rows();
        desk.accept(std::slice::from_ref(&second));
        let after = desk.rows();
        assert_ne!(before, after);
        Self { desk, lake, second, before, after }
    }

    /// A copy of the lake as it was before the second import.
    fn fresh(&self, name: &str) -> PathBuf {
        let lake = self.desk.path(name);
        copy_folder(&self.lake, &lake);
        lake
    }
}

fn start_import(files: &Path, lake: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    command.arg("import").arg(files).arg("--lake").arg(lake);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// When an import is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as it has told this many lines of progress.
    Line(usize),
    /// As soon as a file of the lake is there whose path begins like this.
    File(&'static str),
}

/// From the first look at the files to the commit point and beyond it.
const MOMENTS: [Moment; 18] = [
    Moment::File("_staging"),
    Moment::Line(1),
    Moment::File("_staging/2025-03-01.arrow"),
    Moment::Line(2),
    Moment::File("customers/customers-00000002-1"),
    Moment::File("subscriptions/subscriptions-00000002-1"),
    Moment::File("commitments/commitments-00000002-1"),
    Moment::File("usage_daily/month=2025-03/usage-00000002-1"),
    Moment::Line(3),
    Moment::Line(4),
    Moment::File("usage_daily/month=2025-06/usage-00000002-1"),
    Moment::Line(6),
    Moment::File("customers/_delta_log/00000000000000000002.json"),
    Moment::File("lifecycle/_delta_log/00000000000000000002.json"),
    Moment::File("commitments/_delta_log/00000000000000000002.json"),
    Moment::File("usage_daily/_delta_log/00000000000000000002.json"),
    Moment::File("imports/imports-00000002-1"),
    Moment::File("imports/_delta_log/00000000000000000002.json"),
];

/// Whether there is a file whose path begins so: those of the tables end in a checksum.
fn is_there(start: &Path) -> bool {
    let name = start.file_name().expect("a name").to_string_lossy();
    let mut entries = fs::read_dir(start.parent().expect("a folder")).into_iter().flatten().filter_map(Result::ok);
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with(&*name))
}

/// Runs the import until the moment, kills it there, and returns what it had printed.
fn kill_at(moment: Moment, files: &Path, lake: &Path) -> String {
    let mut child = start_import(files, lake);
    match moment {
        Moment::Line(count) => {
            let progress = BufReader::new(child.stderr.take().expect("a pipe"));
            progress.lines().take(count).for_each(|line| drop(line.expect("a line")));
        }
        // Bounded by the life of the child: it makes the file, or ends.
        Moment::File(name) => {
            while child.try_wait().expect("a child").is_none() && !is_there(&lake.join(name)) {
                std::thread::yield_now();
            }
        }
    }
    child.kill().expect("a child");
    let mut printed = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut printed).expect("text");
    child.wait().expect("a child");
    printed
}

fn is_acknowledged(printed: &str) -> bool {
    printed.lines().any(|line| line.starts_with("acked "))
}

#[test]
fn an_import_killed_at_any_moment_is_there_whole_or_not_at_all_and_again_completes_it() {
    let case = Case::new();
    let mut cut_short = 0;
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        let lake = case.fresh(&format!("lake-{number}"));
        let acknowledged = is_acknowledged(&kill_at(moment, &case.second, &lake));
        let left = rows(&lake, None);
        if acknowledged {
            assert!(left == case.after, "{moment:?}: acknowledged and not there");
        } else {
            cut_short += 1;
            assert!(left == case.before || left == case.after, "{moment:?}: neither before nor after");
        }
        assert!(rows(&lake, Some(1)) == case.before, "{moment:?}: version 1 has changed");
        let again = start_import(&case.second, &lake).wait_with_output().expect("a child");
        assert!(again.status.success(), "{moment:?}: {}", String::from_utf8_lossy(&again.stderr));
        assert!(rows(&lake, None) == case.after, "{moment:?}: again did not complete it");
        assert_eq!(version(&lake), 2);
        assert!(!lake.join("_staging").exists(), "{moment:?}: something is left in the staging area");
    }
    assert!(cut_short >= 8, "only {cut_short} imports were cut short: the moments are not what they seem");
}

#[test]
fn a_first_import_killed_half_way_leaves_an_empty_lake_that_the_next_one_fills() {
    let desk = Desk::new();
    let first = partner(&desk, "first", 1);
    desk.accept(std::slice::from_ref(&first));
    let whole = desk.rows();
    for (number, moment) in
        [Moment::Line(2), Moment::File("customers/_delta_log/00000000000000000000.json"), Moment::File("usage_daily/_delta_log")]
            .into_iter()
            .enumerate()
    {
        let lake = desk.path(&format!("lake-{number}"));
        let acknowledged = is_acknowledged(&kill_at(moment, &first, &lake));
        let left = rows(&lake, None);
        assert!(left == whole || !acknowledged && left == Rows::default(), "{moment:?}");
        assert_eq!(load(&lake, 0).expect("a portfolio").usage_rows(), left.usage.len());
        assert!(start_import(&first, &lake).wait_with_output().expect("a child").status.success());
        assert!(rows(&lake, None) == whole, "{moment:?}");
    }
}

/// Puts what an import writes before its commit point over a lake: everything but the row of
/// `imports`, and with it a torn file and a staging area.
fn leave_dead_import(case: &Case, lake: &Path) {
    for table in ["customers", "subscriptions", "lifecycle", "usage_daily", "commitments"] {
        copy_folder(&case.desk.lake().join(table), &lake.join(table));
    }
    fs::write(lake.join("usage_daily/month=2025-05/usage-00000002-2.parquet"), b"PAR1 torn").expect("a file");
    fs::write(lake.join("usage_daily/month=2025-05/.new.parquet.tmp"), b"PAR1 torn, and longer than what will be written").expect("a file");
    fs::write(lake.join("imports/imports-00000002-1.parquet"), b"").expect("a file");
    fs::write(lake.join("imports/.new.parquet.tmp"), b"PAR1").expect("a file");
    fs::write(lake.join("imports/_delta_log/.00000000000000000002.json.77.tmp"), b"{").expect("a file");
    fs::create_dir_all(lake.join("_staging/spill")).expect("a folder");
    fs::write(lake.join("_staging/2025-05-01.arrow"), b"torn").expect("a file");
}

#[test]
fn what_a_dead_import_left_is_seen_by_no_reader_and_taken_back_by_the_next() {
    let case = Case::new();
    let lake = case.fresh("lake-dead");
    leave_dead_import(&case, &lake);
    assert_eq!(version(&lake), 1);
    assert!(rows(&lake, None) == case.before, "a reader sees the dead import");
    assert_eq!(load(&lake, 0).expect("a portfolio").usage_rows(), case.before.usage.len());

    let again = start_import(&case.second, &lake).wait_with_output().expect("a child");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(rows(&lake, None) == case.after, "the same import again");
    assert!(rows(&lake, Some(1)) == case.before);
}

#[test]
fn another_import_than_the_dead_one_holds_nothing_of_it() {
    let case = Case::new();
    let clean = Desk::new();
    let files = |desk: &Desk| {
        let usage = "8b7a64fd-4a3e-44eb-a8e7-6bd3d2ac7b45,2025-06-01,Storage,1 GB,1,\n\
            8b7a64fd-4a3e-44eb-a8e7-6bd3d2ac7b45,2025-07-01,Storage,1 GB,1,\n";
        [desk.usage("third.csv", usage)]
    };
    clean.accept(&[partner(&clean, "first", 1)]);
    clean.accept(&files(&clean));

    let desk = Desk::new();
    copy_folder(&case.lake, &desk.lake());
    leave_dead_import(&case, &desk.lake());
    let report = desk.accept(&files(&desk));
    assert_eq!(committed(&report).import_id, 2);
    assert!(desk.rows() == clean.rows());
    desk.accept(&[case.second]);
    assert_eq!(desk.version(), 3);
}
