//! What long work tells a person: a bar on a terminal, plain lines in a pipe, or nothing.
//!
//! Absent on purpose: any effect on the work. A stage can be dropped unfinished.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

/// Where progress goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Standard error: a bar where it is a terminal, a line each quarter where it is not.
    Shown,
    Silent,
}

/// What a stage counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Items,
}

/// One piece of long work, with a known amount to do.
#[derive(Debug)]
pub struct Stage {
    what: String,
    total: u64,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Bar(ProgressBar),
    /// Done so far, and the next quarter to be told.
    Lines(Mutex<(u64, u64)>),
    Silent,
}

/// Prints a command's own output. A reader that has closed the pipe (`| head`) wants no more: that is
/// no failure, and the work that was done stays acknowledged by the exit code.
///
/// # Errors
/// Where standard output takes nothing for any other reason.
pub fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Tells a person something on standard error. One that is closed, or full, keeps nobody from
/// the work.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

impl Progress {
    /// Begins a stage of `total` units.
    #[must_use]
    pub fn stage(self, what: &str, total: u64, unit: Unit) -> Stage {
        let form = match self {
            Self::Silent => Form::Silent,
            Self::Shown if std::io::stderr().is_terminal() => {
                let template = match unit {
                    Unit::Bytes => "{msg:24} [{bar:32}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
                    Unit::Items => "{msg:24} [{bar:32}] {pos}/{len} {eta}",
                };
                let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
                Form::Bar(ProgressBar::new(total).with_style(style).with_message(what.to_owned()))
            }
            Self::Shown => Form::Lines(Mutex::new((0, 0))),
        };
        Stage { what: what.to_owned(), total, form }
    }

    /// A line of its own, above a bar if there is one.
    pub fn line(self, text: &str) {
        if self == Self::Shown {
            tell(text);
        }
    }
}

impl Stage {
    /// Counts `units` more as done.
    pub fn advance(&self, units: u64) {
        match &self.form {
            Form::Bar(bar) => bar.inc(units),
            Form::Lines(state) => {
                let Ok(mut state) = state.lock() else { return };
                state.0 += units;
                let quarter = (state.0 * 4).checked_div(self.total).unwrap_or(4).min(4);
                if quarter >= state.1 && quarter > 0 {
                    tell(&format!("{} {} %", self.what, quarter * 25));
                    state.1 = quarter + 1;
                }
            }
            Form::Silent => {}
        }
    }

    /// Ends the stage.
    pub fn finish(self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish();
        }
    }
}
