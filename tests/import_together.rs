//! Two imports at once: one waits for the other, both land, and nothing is lost.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use churn_risk::lake::{Lake, VerifyScope};
use churn_risk::progress::Progress;

use crate::support::lakes::{Desk, rows, version};

/// How often two are started at the same moment.
const ROUNDS: usize = 50;

/// Rounds over one lake before the next begins with an empty one: its log grows, and reading it
/// would be most of the work.
const ROUNDS_OF_A_LAKE: usize = 10;

fn start(file: &Path, lake: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-risk"));
    command.arg("import").arg(file).arg("--lake").arg(lake);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// A row of one's own, and one that both restate.
fn files(desk: &Desk, round: usize) -> [PathBuf; 2] {
    ["a", "b"].map(|name| {
        let rows = format!("{name}-{round},2026-02-0{},C,h,1,\nshared,2026-02-01,C,h,{},\n", 1 + round % 9, round * 2 + name.len());
        desk.usage(&format!("{round}-{name}.csv"), &rows)
    })
}

#[test]
fn two_imports_at_once_both_land_in_every_round() {
    let desk = Desk::new();
    for round in 0..ROUNDS {
        let lake = desk.path(&format!("lake-{}", round / ROUNDS_OF_A_LAKE));
        let in_lake = round % ROUNDS_OF_A_LAKE;
        let before = version(&lake);
        let children = files(&desk, round).map(|file| start(&file, &lake));
        let mut acknowledged: Vec<String> = Vec::new();
        for child in children {
            let output = child.wait_with_output().expect("a child");
            assert!(output.status.success(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            acknowledged.extend(stdout.lines().filter(|line| line.starts_with("acked ")).map(str::to_owned));
        }
        acknowledged.sort_by_key(|line| (line.len(), line.clone()));
        assert_eq!(acknowledged, [format!("acked {}", before + 1), format!("acked {}", before + 2)], "round {round}");
        let held = rows(&lake, None);
        assert_eq!((version(&lake), held.usage.len()), (before + 2, 2 * (in_lake + 1) + 1), "round {round}");
    }
    for number in 0..ROUNDS / ROUNDS_OF_A_LAKE {
        let lake = Lake::open(&desk.path(&format!("lake-{number}"))).expect("a lake");
        let read = lake.verify(VerifyScope::All, Progress::Silent).expect("a version");
        assert_eq!((read.versions.len(), read.faults), (2 * ROUNDS_OF_A_LAKE, Vec::new()));
    }
}
