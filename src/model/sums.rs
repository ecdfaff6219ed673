//! `SHA256SUMS` of a version's folder: what was written, so that an altered card or a lost list of
//! features is found. It is what `sha256sum -c` reads.
//!
//! Absent on purpose: a guard against whoever rewrites both the files and their sums.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::domain::hex;

/// The file, in the folder of a version.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The content of the file for files of these names and bytes.
pub(super) fn of(files: &[(&str, &[u8])]) -> String {
    let lines: Vec<String> = files.iter().map(|(name, bytes)| format!("{}  {name}", hex(&Sha256::digest(bytes)))).collect();
    lines.join("\n") + "\n"
}

/// What is wrong with the files of a folder, in a sentence; nothing where all are as they were
/// written, or where the folder was written before there were sums.
pub(super) fn wrong(folder: &Path) -> io::Result<Option<String>> {
    let sums = match fs::read_to_string(folder.join(SUMS)) {
        Ok(sums) => sums,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for line in sums.lines() {
        let Some((sum, name)) = line.split_once("  ").filter(|(_, name)| !name.contains(['/', '\\'])) else {
            return Ok(Some(format!("`{line}` of {SUMS} is no checksum")));
        };
        match fs::read(folder.join(name)) {
            Ok(bytes) if hex(&Sha256::digest(&bytes)) == sum => {}
            Ok(_) => return Ok(Some(format!("{name} is not as it was written: its SHA-256 is not the one in {SUMS}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(format!("{name} is missing"))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
