//! `churn-train` as a person meets it: what it says of arguments that cannot be right.

use std::process::Command;

use crate::support::lakes::Desk;

/// Runs `churn-train` in the folder of `desk`; its message where it ends with `code`.
#[track_caller]
fn check(desk: &Desk, arguments: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-train"));
    let output = command.args(arguments).current_dir(desk.path("")).output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    stderr
}

#[test]
fn a_lake_that_is_not_there_is_told_from_one_that_is_empty() {
    let desk = Desk::new();
    let arguments = ["--lake", "laek", "--label", "silence", "--horizon", "30"];
    let message = check(&desk, &arguments, 1);
    assert!(message.contains("there is no folder laek; `churn-risk import PATH... --lake laek` makes a lake"), "{message}");
    std::fs::create_dir(desk.path("laek")).expect("a folder");
    check(&desk, &arguments, 3);
    assert!(!desk.path("models").exists());
}

#[test]
fn a_reason_of_churn_says_nothing_about_silence() {
    let desk = Desk::new();
    let message = check(&desk, &["--lake", ".", "--label", "silence", "--horizon", "30", "--churn-reason", "cancelled"], 1);
    assert!(message.contains("--churn-reason") && message.contains("--label status"), "{message}");
}
