//! `churn-risk watch` as an operator meets it: its log, its exit code, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use crate::support::lakes::Desk;

fn watch(desk: &Desk, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    command.args(["watch", "in", "--lake", "lake"]).args(arguments).current_dir(desk.path(""));
    command.env_remove("CHURN_RISK_LAKE").env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn once(desk: &Desk, code: i32) -> String {
    let Output { status, stderr, .. } = watch(desk, &["--once", "--every", "20ms"]).output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(code), "{stderr}");
    stderr
}

#[test]
fn one_round_imports_what_is_there_and_fails_where_a_file_was_refused() {
    let desk = Desk::new();
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\ns1,2025-05-02,C,h,-1,\n");
    desk.file("in/bad.csv", "what,is,this\n1,2,3\n");
    let log = once(&desk, 1);
    let line = log.lines().find(|line| line.contains("imported in")).unwrap_or_else(|| panic!("{log}"));
    for part in ["file=\"a.csv\"", "rows_kept=1", "rows_refused=1", "version=1", " s "] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert_eq!(log.lines().filter(|line| line.contains("bad.csv") && line.contains("refused")).count(), 1, "{log}");
    // Told once: the next round has nothing to do.
    assert_eq!(once(&desk, 0), "");
    desk.usage("in/b.csv", "s1,2025-05-03,C,h,1,\n");
    assert!(once(&desk, 0).contains("version=2"));
    assert_eq!(desk.version(), 2);
}

#[test]
fn a_folder_that_is_not_there_fails_one_round_and_a_span_must_be_one() {
    let desk = Desk::new();
    fs::create_dir_all(desk.lake()).expect("a folder");
    assert!(once(&desk, 1).contains("there is no folder in"));
    for (span, wanted) in [("10", "write 10s, 500ms, 5m or 2h"), ("0s", "at least 1ms"), ("99999999999999999h", "at most a week")] {
        let output = watch(&desk, &["--every", span]).output().expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && stderr.contains(wanted), "{stderr}");
    }
}

/// Reads the log until a line holds `part`.
#[track_caller]
fn await_line(log: &mut BufReader<ChildStderr>, part: &str) {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let read = log.read_line(&mut line).expect("a log");
        seen.push_str(&line);
        assert!(read > 0, "no {part} in:\n{seen}");
        if line.contains(part) {
            return;
        }
    }
}

#[cfg(unix)]
#[test]
fn it_watches_until_a_signal_comes_whatever_happens_to_the_folder() {
    let desk = Desk::new();
    desk.usage("in/a.csv", "s1,2025-05-01,C,h,1,\n");
    let mut child: Child = watch(&desk, &["--every", "20ms"]).spawn().expect("the program starts");
    let mut log = BufReader::new(child.stderr.take().expect("a log"));
    await_line(&mut log, "version=1");
    desk.file("in/bad.csv", "what,is,this\n1,2,3\n");
    await_line(&mut log, "bad.csv");
    fs::rename(desk.path("in"), desk.path("away")).expect("a name");
    await_line(&mut log, "there is no folder in");
    desk.usage("away/b.csv", "s1,2025-05-02,C,h,1,\n");
    fs::rename(desk.path("away"), desk.path("in")).expect("a name");
    await_line(&mut log, "is there again");
    await_line(&mut log, "version=2");
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(stopped.success());
    await_line(&mut log, "stopped");
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert_eq!(desk.version(), 2);
}
