//! The audit log: who did what, when, and what came of it. Lines of JSON that are only ever
//! appended, each with the SHA-256 of the line before it, and beside them a head file with the
//! number of lines and the hash of the last: a line that is changed or taken away is found.
//!
//! A line is on disk before [`AuditLog::record`] returns, so what may not be done without a record
//! is done after it.
//!
//! Absent on purpose: anything secret, and reading of single lines.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::Clock;
use crate::domain::hex;
use crate::durable::{FILE_MODE, create_dirs, lock, replace_file};

/// What stands in the first line for the line before it.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Longest text of a line, in characters; what is longer is cut.
const TEXT_MAX_CHARS: usize = 300;

/// Why nothing was recorded.
#[derive(Debug, Error)]
pub enum AuditError {
    #[error("the audit log in {} cannot be written", folder.display())]
    Unwritten { folder: PathBuf, source: io::Error },
    #[error("the audit log in {} is not as it was left: {what}; `churn-risk audit verify` tells where", folder.display())]
    Damaged { folder: PathBuf, what: String },
}

/// What somebody did, or was kept from.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'d> {
    /// `user:SUBJECT`, `key:ID`, `os:NAME`, `local`, or `-` where nobody knows.
    pub who: &'d str,
    /// The address that it came from; none for a command.
    pub from: Option<&'d str>,
    /// Such as `sign-in`, `denied`, `feedback`, `import`.
    pub what: &'d str,
    /// What it was about: an operation, an id.
    pub about: &'d str,
    /// `begun`, `done`, or why not.
    pub result: &'d str,
}

/// Whoever runs this process, for the audit log: `os:NAME`, as their surroundings name them.
#[must_use]
pub fn os_user() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    // What they are called they could say themselves; their number the system tells.
    let number = fs::metadata("/proc/self").map_or_else(|_| "?".to_owned(), |own| own.uid().to_string());
    format!("os:{}#{number}", named.as_deref().unwrap_or("?"))
}

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    n: u64,
    at: String,
    who: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    what: String,
    about: String,
    result: String,
    /// SHA-256 of the line before it.
    before: String,
}

/// Where the log ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    lines: u64,
    bytes: u64,
    /// SHA-256 of the last line.
    sha256: String,
}

impl Head {
    fn of_nothing() -> Self {
        Self { lines: 0, bytes: 0, sha256: NOTHING_BEFORE.to_owned() }
    }

    /// The head after one more line, given without its end.
    fn after(&self, line: &[u8]) -> Self {
        Self { lines: self.lines + 1, bytes: self.bytes + line.len() as u64 + 1, sha256: hex(&Sha256::digest(line)) }
    }
}

/// An audit log, in a folder of its own. Any number of processes may write to one.
#[derive(Debug, Clone)]
pub struct AuditLog {
    folder: PathBuf,
    clock: Clock,
}

impl AuditLog {
    /// The log in `folder`, which is made at the first record.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>, clock: Clock) -> Self {
        Self { folder: folder.into(), clock }
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends one line, durably.
    ///
    /// # Errors
    /// Where it cannot be written, or the log does not end as its head says: nothing was recorded.
    pub fn record(&self, deed: Deed<'_>) -> Result<(), AuditError> {
        let unwritten = |source| AuditError::Unwritten { folder: self.folder.clone(), source };
        create_dirs(&self.folder).map_err(unwritten)?;
        let _lock = lock(&self.folder.join("audit.lock"), || ()).map_err(unwritten)?;
        let mut file = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(lines_of(&self.folder)).map_err(unwritten)?;
        let head = self.head(&file)?;
        let line = serde_json::to_vec(&line(&head, deed, (self.clock)())).map_err(|error| unwritten(error.into()))?;
        let written = [line.as_slice(), b"\n"].concat();
        if let Err(error) = file.write_all(&written).and_then(|()| file.sync_data()) {
            // Part of a line may be there; where it cannot be taken back, the next record does.
            let _ = file.set_len(head.bytes);
            return Err(unwritten(error));
        }
        self.set_head(&head.after(&line)).map_err(unwritten)
    }

    /// Does something that may not be done without a record: `begun` is written before, and what came of
    /// it after, as `told` has it.
    ///
    /// # Errors
    /// Where the first record cannot be written, so nothing was done; or the second.
    pub fn around<T, E: Display>(
        &self,
        deed: Deed<'_>,
        work: impl FnOnce() -> Result<T, E>,
        told: impl FnOnce(&T) -> String,
    ) -> Result<Result<T, E>, AuditError> {
        self.record(Deed { result: "begun", ..deed })?;
        let outcome = work();
        let result = outcome.as_ref().map_or_else(|error| format!("failed: {error}"), told);
        self.record(Deed { result: &result, ..deed })?;
        Ok(outcome)
    }

    fn set_head(&self, head: &Head) -> io::Result<()> {
        replace_file(&head_of(&self.folder), &serde_json::to_vec(head)?)
    }

    /// Where the log ends. A line that its writer died over before the head told of it is taken in
    /// where it is whole, and off where it is not: nobody was told that it is there.
    fn head(&self, file: &File) -> Result<Head, AuditError> {
        let damaged = |what: &str| AuditError::Damaged { folder: self.folder.clone(), what: what.to_owned() };
        let unwritten = |source| AuditError::Unwritten { folder: self.folder.clone(), source };
        let bytes = file.metadata().map_err(unwritten)?.len();
        let mut head = match fs::read(head_of(&self.folder)) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| damaged("its head does not read"))?,
            // Of the first line, or of a writer that died over it; else it was taken away, which shows below.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Head::of_nothing(),
            Err(error) => return Err(unwritten(error)),
        };
        if bytes == head.bytes {
            return Ok(head);
        }
        if bytes < head.bytes {
            return Err(damaged("it is shorter than its head says"));
        }
        let text = fs::read(lines_of(&self.folder)).map_err(unwritten)?;
        let rest = usize::try_from(head.bytes).ok().and_then(|at| text.get(at..)).unwrap_or_default();
        let mut rest = rest.split_inclusive(|byte| *byte == b'\n');
        let added = rest.next().unwrap_or_default();
        match added.strip_suffix(b"\n") {
            None => file.set_len(head.bytes).map_err(unwritten)?,
            Some(line) if rest.next().is_none() && follows(&head, line).is_ok() => {
                head = head.after(line);
                self.set_head(&head).map_err(unwritten)?;
            }
            Some(_) => return Err(damaged("lines follow that its head does not know of")),
        }
        Ok(head)
    }
}

fn lines_of(folder: &Path) -> PathBuf {
    folder.join("audit.jsonl")
}

fn head_of(folder: &Path) -> PathBuf {
    folder.join("audit.head")
}

fn line(head: &Head, deed: Deed<'_>, now: DateTime<Utc>) -> Line {
    let text = |text: &str| text.chars().take(TEXT_MAX_CHARS).collect::<String>();
    Line {
        n: head.lines + 1,
        at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
        who: text(deed.who),
        from: deed.from.map(text),
        what: text(deed.what),
        about: text(deed.about),
        result: text(deed.result),
        before: head.sha256.clone(),
    }
}

/// Whether a line is the one after a head, in words where it is not.
fn follows(head: &Head, line: &[u8]) -> Result<(), String> {
    let read: Line = serde_json::from_slice(line).map_err(|error| format!("it does not read: {error}"))?;
    if read.n != head.lines + 1 {
        return Err(format!("it says that it is line {}", read.n));
    }
    if read.before != head.sha256 {
        return Err("the line before it is not the one that it followed".to_owned());
    }
    Ok(())
}

/// What is wrong with an audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// From 1; none where it is about the end.
    pub line: Option<u64>,
    pub what: String,
}

/// What looking through an audit log came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    pub lines: u64,
    /// SHA-256 of the last line: whoever writes it down elsewhere can hold it against the log later.
    pub last: String,
    /// The first fault; what stands after it proves nothing.
    pub fault: Option<AuditFault>,
}

/// Looks through a whole log, which must hold the line that a hash written down before is of.
///
/// # Errors
/// Where a file of it cannot be read at all.
pub fn verify(folder: &Path, holds: Option<&str>) -> io::Result<AuditVerdict> {
    let _lock = lock(&folder.join("audit.lock"), || ())?;
    let mut lines = BufReader::new(File::open(lines_of(folder))?);
    let (mut head, mut fault) = (Head::of_nothing(), None);
    let told: Option<Head> = fs::read(head_of(folder)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    // A writer may have died over one line after the head.
    let mut beyond = (told.as_ref() == Some(&head)).then_some(0);
    let mut is_held = holds.is_none();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let at = Some(head.lines + 1);
        let Some(whole) = line.strip_suffix(b"\n") else {
            fault = Some(AuditFault { line: at, what: "it is cut off".to_owned() });
            break;
        };
        if let Err(what) = follows(&head, whole) {
            fault = Some(AuditFault { line: at, what });
            break;
        }
        head = head.after(whole);
        beyond = beyond.map(|lines| lines + 1).or((told.as_ref() == Some(&head)).then_some(0));
        is_held |= holds == Some(&head.sha256);
        line.clear();
    }
    if fault.is_none() && beyond.is_none_or(|lines| lines > 1) {
        let what = told.map_or_else(
            || "audit.head is gone, or does not read".to_owned(),
            |told| {
                format!("audit.head says that there are {} lines with another end: lines at the end were changed or removed", told.lines)
            },
        );
        fault = Some(AuditFault { line: None, what });
    }
    if fault.is_none() && !is_held {
        fault =
            Some(AuditFault { line: None, what: "no line has the hash that was written down: the log was made anew, or cut".to_owned() });
    }
    Ok(AuditVerdict { lines: head.lines, last: head.sha256, fault })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).expect("a moment")
    }

    fn deed(about: &str) -> Deed<'_> {
        Deed { who: "user:a", from: Some("127.0.0.1"), what: "feedback", about, result: "done" }
    }

    fn log_of(lines: usize) -> (tempfile::TempDir, AuditLog) {
        let dir = tempfile::tempdir().expect("a folder");
        let log = AuditLog::at(dir.path().join("audit"), clock);
        for line in 0..lines {
            log.record(deed(&format!("s{line}"))).expect("room");
        }
        (dir, log)
    }

    fn fault(log: &AuditLog) -> Option<AuditFault> {
        verify(log.folder(), None).expect("it reads").fault
    }

    #[test]
    fn a_line_that_is_changed_removed_moved_or_added_is_found() {
        let (_dir, log) = log_of(5);
        let path = lines_of(log.folder());
        let text = fs::read_to_string(&path).expect("it is there");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((fault(&log), lines.len()), (None, 5));
        let joined = |lines: &[&str]| lines.join("\n") + "\n";
        let mut wrong = Vec::new();
        for at in 0..5 {
            let mut fewer = lines.clone();
            fewer.remove(at);
            wrong.push(joined(&fewer));
            let mut twice = lines.clone();
            twice.insert(at, lines[at]);
            wrong.push(joined(&twice));
            let other = lines[at].replace("user:a", "user:b");
            let mut changed = lines.clone();
            changed[at] = &other;
            wrong.push(joined(&changed));
        }
        wrong.push(joined(&[lines[1], lines[0], lines[2], lines[3], lines[4]]));
        wrong.push(text.trim_end().to_owned());
        wrong.push(String::new());
        for wrong in &wrong {
            fs::write(&path, wrong).expect("it can be written");
            assert!(fault(&log).is_some(), "{wrong}");
        }
        fs::write(&path, &text).expect("it can be written");
        assert_eq!(fault(&log), None);
        fs::remove_file(head_of(log.folder())).expect("it was there");
        assert!(fault(&log).is_some(), "without its head the end proves nothing");
        assert!(log.record(deed("s")).is_err(), "and nothing is added to it");
    }

    #[test]
    fn every_single_byte_counts() {
        let (_dir, log) = log_of(3);
        let path = lines_of(log.folder());
        let text = fs::read(&path).expect("it is there");
        for at in 0..text.len() {
            let mut other = text.clone();
            other[at] ^= 1;
            fs::write(&path, &other).expect("it can be written");
            assert!(fault(&log).is_some(), "byte {at}");
        }
    }

    #[test]
    fn a_writer_that_died_leaves_a_log_that_goes_on() {
        let (_dir, log) = log_of(2);
        let (path, head) = (lines_of(log.folder()), head_of(log.folder()));
        let before = fs::read(&head).expect("a head");
        log.record(deed("s2")).expect("room");
        // Dead between the line and the head.
        fs::write(&head, &before).expect("it can be written");
        assert_eq!(fault(&log), None, "a whole line after the head");
        log.record(deed("s3")).expect("room");
        let verdict = verify(log.folder(), None).expect("it reads");
        assert_eq!((verdict.lines, verdict.fault), (4, None));
        // Dead within a line.
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(b"{\"n\":5,\"at").expect("room");
        log.record(deed("s4")).expect("room");
        let verdict = verify(log.folder(), None).expect("it reads");
        assert_eq!((verdict.lines, verdict.fault), (5, None));
    }

    #[test]
    fn a_full_disk_is_told_and_leaves_no_part_of_a_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let log = AuditLog::at(dir.path(), clock);
        std::os::unix::fs::symlink("/dev/full", lines_of(dir.path())).expect("a link");
        let error = log.record(deed("s")).expect_err("no room");
        assert!(matches!(error, AuditError::Unwritten { .. }), "{error}");
    }

    #[test]
    fn nothing_in_a_line_makes_another_line() {
        let (_dir, log) = log_of(0);
        log.record(deed("a\n{\"n\":2}\r\u{2028}\u{1b}[31m")).expect("room");
        log.record(deed(&"x".repeat(10_000))).expect("room");
        let text = fs::read_to_string(lines_of(log.folder())).expect("it is there");
        assert_eq!(text.lines().count(), 2);
        assert!(text.len() < 2_000 && !text.contains('\u{1b}'));
    }

    #[test]
    fn many_writers_make_one_chain() {
        let (_dir, log) = log_of(0);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let log = &log;
                scope.spawn(move || (0..10).for_each(|n| log.record(deed(&format!("{writer}-{n}"))).expect("room")));
            }
        });
        let verdict = verify(log.folder(), None).expect("it reads");
        assert_eq!((verdict.lines, verdict.fault), (40, None));
    }
}
