//! `churn-risk import` and `churn-risk tables` as a person meets them: what they print, and the
//! exit code that a script sees.

use std::fs;
use std::process::{Command, Output};

use crate::support::lakes::Desk;

fn churn_risk(desk: &Desk, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    command.args(arguments).current_dir(desk.path("")).env_remove("CHURN_RISK_LAKE").output().expect("the program starts")
}

#[track_caller]
fn check(desk: &Desk, arguments: &[&str], code: i32) -> (String, String) {
    let output = churn_risk(desk, arguments);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn an_import_is_acknowledged_on_a_line_of_its_own_and_the_same_again_is_nothing_to_do() {
    let desk = Desk::new();
    desk.usage("in/usage_daily.csv", "s1,2025-05-01,C,h,1,\ns1,2025-05-04,C,h,1,\ns1,2025-05-05,C,h,-1,\n");
    desk.file("in/subscriptions.csv", "subscription_id,customer_id\ns1,c1\n");
    desk.file("in/readme.txt", "no table");
    let (stdout, stderr) = check(&desk, &["import", "in", "--lake", "lake"], 0);
    assert_eq!(stdout.lines().last(), Some("acked 1"));
    for line in [
        "refused: 1 rows, negative quantity",
        "  usage_daily.csv line 4, column quantity, value `-1`: a quantity cannot be negative",
        "gaps: 2 days without any usage row, from 2025-05-02 to 2025-05-03",
        "note: readme.txt is no table and was passed over",
    ] {
        assert!(stdout.lines().any(|seen| seen == line), "no `{line}` in:\n{stdout}");
    }
    assert!(stdout.contains("import-00000001.csv") && stdout.contains("2025-05-04"), "{stdout}");
    assert!(stderr.lines().any(|line| line == "reading rows 100 %"), "{stderr}");

    let (stdout, _) = check(&desk, &["import", "in", "--lake", "lake"], 0);
    assert_eq!(stdout.lines().last(), Some("nothing to do: every file was imported before; the tables stay at version 1"));
    assert!(!stdout.contains("acked"));
}

#[test]
fn a_refused_import_exits_with_1_and_acknowledges_nothing() {
    let desk = Desk::new();
    desk.usage("bad.csv", &"s1,2025-05-01,C,h,-1,\n".repeat(11));
    let (stdout, stderr) = check(&desk, &["import", "bad.csv", "--lake", "lake"], 1);
    assert_eq!(stdout, "");
    assert!(stderr.contains("error: 11 of 11 rows refused") && stderr.contains("refused-import-00000001.csv"), "{stderr}");
    check(&desk, &["import", "bad.csv", "--lake", "lake", "--max-rejects", "1"], 0);
    let (_, stderr) = check(&desk, &["import", "absent.csv", "--lake", "lake"], 1);
    assert!(stderr.contains("error: there is no file absent.csv"), "{stderr}");
}

#[test]
fn an_argument_that_makes_no_sense_exits_with_2() {
    let desk = Desk::new();
    desk.usage("a.csv", "s1,2025-05-01,C,h,1,\n");
    for (arguments, wanted) in [
        (["--max-rejects", "2"], "a share lies between 0 and 1"),
        (["--max-rejects", "NaN"], "a share lies between 0 and 1"),
        (["--memory", "1MiB"], "an import needs 128MiB at least"),
        (["--memory", "lots"], "write 512MiB or 2GiB"),
        (["--memory", "99999999999999GiB"], "128MiB"),
    ] {
        let (_, stderr) = check(&desk, &["import", "a.csv", "--lake", "lake", arguments[0], arguments[1]], 2);
        assert!(stderr.contains(wanted), "{stderr}");
    }
    check(&desk, &["import", "--lake", "lake"], 2);
    check(&desk, &["import", "a.csv"], 2);
    assert!(!desk.lake().exists());
}

#[test]
fn tables_lists_any_version_and_says_when_a_file_is_damaged() {
    let desk = Desk::new();
    let (_, stderr) = check(&desk, &["tables", "--lake", "lake"], 1);
    assert!(stderr.contains("there is no folder lake; `churn-risk import PATH... --lake lake` makes a lake"), "{stderr}");
    fs::create_dir(desk.lake()).expect("a folder");
    assert_eq!(check(&desk, &["tables", "--lake", "lake"], 0).0, "version 0: nothing was imported yet\n");
    desk.usage("a.csv", "s1,2025-05-01,C,h,1,\n");
    desk.usage("b.csv", "s1,2025-06-01,C,h,1,\ns1,2025-06-02,C,h,1,\n");
    check(&desk, &["import", "a.csv", "--lake", "lake"], 0);
    check(&desk, &["import", "b.csv", "--lake", "lake"], 0);
    assert!(check(&desk, &["tables", "--lake", "lake", "--read"], 0).0.starts_with("version 2\n"));
    assert!(check(&desk, &["tables", "--lake", "lake", "--as-of-version", "1"], 0).0.starts_with("version 1\n"));
    let (_, stderr) = check(&desk, &["tables", "--lake", "lake", "--as-of-version", "3"], 1);
    assert!(stderr.contains("no table version 3; the newest is 2"), "{stderr}");

    let (name, bytes) = desk.usage_files().into_iter().next().expect("a usage file");
    fs::write(desk.lake().join("usage_daily").join(&name), &bytes[..bytes.len() - 9]).expect("a file");
    let (_, stderr) = check(&desk, &["tables", "--lake", "lake", "--read"], 1);
    assert!(stderr.contains(&name), "{stderr}");
}

#[test]
#[cfg(unix)]
fn an_import_whose_messages_nobody_reads_is_still_made() {
    let desk = Desk::new();
    desk.usage("a.csv", "s1,2025-05-01,C,h,1,\n");
    // The shell closes standard error before it starts the program.
    let program = env!("CARGO_BIN_EXE_churn-risk");
    let script = format!("'{program}' import a.csv --lake lake 2>&-");
    let output = Command::new("sh").args(["-c", &script]).current_dir(desk.path("")).output().expect("a shell");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("acked 1\n"));
}

#[test]
fn two_imports_at_once_take_turns_and_both_are_there() {
    let desk = Desk::new();
    let children: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let file = desk.usage(&format!("{name}.csv"), &format!("{name},2025-05-01,C,h,1,\n"));
            let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
            command.arg("import").arg(file).arg("--lake").arg(desk.lake());
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().expect("the program starts")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("a child");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let ids: Vec<String> = desk.rows().usage.into_keys().map(|key| key.0).collect();
    assert_eq!((desk.version(), ids), (3, ["a", "b", "c"].map(str::to_owned).to_vec()));
}
