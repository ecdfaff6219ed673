//! `churn-train` as a person meets it: what it says of arguments that cannot be right.

use std::process::Command;

use churn_risk::model::Registry;
use churn_risk::progress::Progress;
use churn_risk::training::train;

use crate::support::lakes::Desk;
use crate::training_flow::{leavers, request};

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

/// What `churn-train` says on its standard output, where it ends with `code`.
#[track_caller]
pub(crate) fn said(desk: &Desk, arguments: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_churn-train"));
    let output = command.args(arguments).current_dir(desk.path("")).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn models_are_listed_shown_compared_promoted_taken_back_and_verified() {
    let desk = Desk::new();
    assert_eq!(said(&desk, &["list"], 0), "no models in models\n");
    let registry = Registry::open(desk.path("models"));
    let portfolio = leavers().portfolio();
    let versions = [Some(1.0), Some(50.0)].map(|alpha| {
        let asked = churn_risk::training::TrainRequest { alpha, ..request() };
        let trained = train(&portfolio, &asked, None, Progress::Silent).expect("enough rows");
        registry.publish(&trained.model, &trained.model_bin, &trained.card).expect("written");
        trained.model.version().to_owned()
    });
    let [one, other] = versions.each_ref().map(String::as_str);
    let force = ["--force", "--by", "me", "--why", "two rows of nothing"];
    said(&desk, &[&["promote", one][..], &force].concat(), 0);
    said(&desk, &[&["promote", other][..], &force].concat(), 0);
    let listed = said(&desk, &["list"], 0);
    let row = listed.lines().find(|line| line.contains(other)).expect("a row");
    assert!(row.contains("in service") && row.contains("30 days") && row.contains("status"), "{row}");
    assert!(!listed.lines().any(|line| line.contains(one) && line.contains("in service")));

    let compared = said(&desk, &["compare", one, other], 0);
    assert!(compared.contains("both were tested on the same rows") && compared.contains("calibration error"), "{compared}");
    let shown = said(&desk, &["show"], 0);
    assert!(shown.contains(&format!("model {other}")) && shown.contains("forced by me: two rows of nothing"), "{shown}");

    assert!(said(&desk, &["rollback"], 0).contains(&format!("model {one} is in service again, in the place of {other}")));
    assert!(check(&desk, &["rollback"], 1).contains("nothing was in service before"));
    assert!(said(&desk, &["show", one], 0).contains("as a way back"));

    assert_eq!(said(&desk, &["verify"], 0).lines().filter(|line| line.ends_with(": sound")).count(), 2);
    // A card that says more than was measured, and a list of features that is gone.
    let card = desk.path("models").join(one).join("card.json");
    let measured = std::fs::read_to_string(&card).expect("published");
    let boasting = measured.replace("\"grade\": \"", "\"grade\":  \"");
    assert_ne!(boasting, measured);
    std::fs::write(&card, boasting).expect("written");
    assert!(said(&desk, &["verify"], 4).contains(&format!("{one}: model {one} was altered: card.json is not as it was written")));
    std::fs::write(&card, measured).expect("written");
    let features = desk.path("models").join(one).join("features.json");
    let told = std::fs::read(&features).expect("published");
    std::fs::remove_file(&features).expect("a file");
    assert!(said(&desk, &["verify"], 4).contains("features.json is missing"));
    std::fs::write(&features, told).expect("written");
    assert_eq!(said(&desk, &["verify"], 0).lines().count(), 2);

    let path = desk.path("models").join(other).join("model.bin");
    let bytes = std::fs::read(&path).expect("published");
    std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
    assert!(said(&desk, &["verify"], 4).contains(&format!("{other}: model {other} is refused: the file is torn")));
    assert!(said(&desk, &["list"], 0).contains("is refused"));
    check(&desk, &["promote", other, "--force"], 2);
}
