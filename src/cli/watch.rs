//! `churn-risk watch`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use churn_risk::lake::{ImportReport, Outcome, import};
use churn_risk::progress::Progress;
use churn_risk::watch::{Landed, Look, Taken, Watch};
use clap::Args;

use super::import::{IntakeArguments, told};
use super::stop::Stop;

#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Folder in which exports land. A file replaces the days that an older one told, so what
    /// tells of one day belongs in one file; names that begin with `.` or `_` or end in .tmp,
    /// .part or .crdownload are passed over, and so are folders
    dir: PathBuf,
    #[command(flatten)]
    intake: IntakeArguments,
    /// From one look at the folder to the next: 10s, 500ms, 5m. A file is read once two looks
    /// have seen the same size and time of change
    #[arg(long, default_value = "10s", value_parser = super::span)]
    every: Duration,
    /// Look twice, import what is there, and end: 1 where a file was refused
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(arguments: &WatchArguments) -> anyhow::Result<ExitCode> {
    super::log_to_stderr();
    let stop = Stop::at_signals()?;
    let mut watch = Watch::open(&arguments.dir, arguments.intake.home(), &arguments.intake.settings()?)?;
    let mut told = String::new();
    if arguments.once {
        watch.look()?;
        if stop.within(arguments.every) {
            return Ok(ExitCode::SUCCESS);
        }
        let Look::Present { landed, growing, .. } = watch.look()? else {
            bail!("there is no folder {}", arguments.dir.display());
        };
        if growing > 0 {
            tracing::info!(files = growing, "still growing; left for the next time");
        }
        let failed = take_all(&mut watch, arguments, &landed, &stop)?;
        return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    tracing::info!(folder = %arguments.dir.display(), every = ?arguments.every, "watching");
    loop {
        // A folder or a disk that fails is told once, and looked at again.
        match round(&mut watch, arguments, &stop) {
            Ok(()) => told.clear(),
            Err(error) => {
                let words = format!("{error:#}");
                if words != told {
                    tracing::warn!("{words}; looking again every {:?}", arguments.every);
                    told = words;
                }
            }
        }
        if stop.within(arguments.every) {
            tracing::info!("stopped");
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn round(watch: &mut Watch, arguments: &WatchArguments, stop: &Stop) -> anyhow::Result<()> {
    let dir = arguments.dir.display();
    match watch.look()? {
        Look::Absent { first: true } => tracing::warn!("there is no folder {dir}; waiting for it"),
        Look::Absent { first: false } => {}
        Look::Present { back, landed, .. } => {
            if back {
                tracing::info!("the folder {dir} is there again");
            }
            take_all(watch, arguments, &landed, stop)?;
        }
    }
    Ok(())
}

/// Imports files in turn, until it is asked to stop. Whether one of them could not be.
fn take_all(watch: &mut Watch, arguments: &WatchArguments, landed: &[Landed], stop: &Stop) -> anyhow::Result<bool> {
    let mut failed = false;
    for file in landed {
        if stop.is_asked() {
            break;
        }
        let request = arguments.intake.request(vec![file.path().to_path_buf()], Progress::Silent)?;
        let begun = Instant::now();
        let name = file.name();
        let told = |taken: &Taken| if let Taken::Imported(report) = taken { told(report) } else { "not imported".to_owned() };
        let taken = arguments.intake.audit().around("import", &name, || watch.take(file, |_| import(&request)), told)??;
        failed |= tell_of(&name, &taken, begun.elapsed());
    }
    Ok(failed)
}

/// One line of log a file. Whether it could not be imported.
fn tell_of(file: &str, taken: &Taken, took: Duration) -> bool {
    let cause = |error: &dyn Error| error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    match taken {
        Taken::Imported(report) => tell_imported(file, report, took),
        Taken::Refused(error) => {
            tracing::warn!(file, "refused, and not read again before its bytes change: {error}{}", cause(error));
            return true;
        }
        Taken::RefusedBefore { twin } => tracing::warn!(file, "holds the same bytes as {twin}, which was refused; not read"),
        Taken::Later { error, told: false } => {
            tracing::warn!(file, "not imported, and tried again: {error}{}", cause(error));
            return true;
        }
        Taken::Later { told: true, .. } => return true,
        Taken::MovedOn => tracing::debug!(file, "changed while it was looked at"),
    }
    false
}

fn tell_imported(file: &str, report: &ImportReport, took: Duration) {
    let seconds = format!("{:.1}", took.as_secs_f64());
    let notes = report.warnings.len();
    match &report.outcome {
        Outcome::Committed(record) => tracing::info!(
            file,
            rows_kept = record.rows_kept,
            rows_refused = record.rows_refused,
            version = record.import_id,
            notes,
            "imported in {seconds} s"
        ),
        Outcome::Unchanged { version } => tracing::info!(file, version, "imported before; nothing to do"),
    }
}
