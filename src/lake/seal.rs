//! The SHA-256 that every entry of a log carries in itself, and that every checkpoint has beside
//! it, so that no byte of a log can change without being found.
//!
//! An entry is written with 64 zeros where its digest will stand; the digest is of the entry with
//! these zeros in it. Nothing more is written for that, so an entry is there with its seal or
//! not at all. A checkpoint is Parquet of deltalake's making: its digest stands in a hidden file.
//!
//! Absent on purpose: entries of earlier releases and of other programs. They have no seal, and are
//! taken as they are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use deltalake::logstore::object_store::PutPayload;
use memchr::memmem;
use serde_json::Value;

use super::checksum;
use super::durable::replace_file;

/// The key of the digest in `commitInfo`.
const SEAL_KEY: &str = "churnRiskEntry";

/// A second key, so that a change in the name of the first does not make the entry one without a
/// seal.
const SEALED_KEY: &str = "churnRiskSealed";

const DIGITS: usize = 64;

/// What a commit says in its `commitInfo`, to be sealed when it is written.
pub(super) fn blank() -> [(String, Value); 2] {
    [(SEAL_KEY.to_owned(), "0".repeat(DIGITS).into()), (SEALED_KEY.to_owned(), true.into())]
}

/// Puts the digest where the zeros stand; what has no place for one stays as it is.
pub(super) fn seal(payload: PutPayload) -> PutPayload {
    let mut bytes: Vec<u8> = payload.iter().flat_map(|part| part.iter().copied()).collect();
    let Some(place) = place_of_seal(&bytes).filter(|place| bytes[place.clone()].iter().all(|digit| *digit == b'0')) else { return payload };
    let digest = checksum::of_bytes(&bytes);
    bytes[place].copy_from_slice(digest.as_bytes());
    bytes.into()
}

fn position(bytes: &[u8], wanted: &str) -> Option<usize> {
    memmem::find(bytes, wanted.as_bytes())
}

/// Where the digits of the seal stand in an entry.
fn place_of_seal(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = format!("\"{SEAL_KEY}\":\"");
    let from = position(bytes, &start)? + start.len();
    (bytes.get(from + DIGITS) == Some(&b'"')).then_some(from..from + DIGITS)
}

/// Compares an entry with its seal; what is wrong with it, where something is.
pub(super) fn breach(bytes: &[u8]) -> Option<String> {
    let is_sealed = [SEAL_KEY, SEALED_KEY].into_iter().any(|key| position(bytes, key).is_some());
    let Some(place) = place_of_seal(bytes) else { return is_sealed.then(|| "it has lost its own SHA-256".to_owned()) };
    let mut unsealed = bytes.to_vec();
    unsealed[place.clone()].fill(b'0');
    let found = checksum::of_bytes(&unsealed);
    let wanted = String::from_utf8_lossy(&bytes[place]);
    (wanted != found).then(|| format!("its SHA-256 should be {wanted} and is {found}"))
}

/// The file of a log that names its newest checkpoint.
pub(super) const NEWEST_CHECKPOINT: &str = "_last_checkpoint";

/// The name of the file with the digest of another: hidden, so no reader of the log takes it for one.
pub(super) fn name_beside(name: &str) -> String {
    format!(".{name}.sha256")
}

/// Whether what stands beside a file tells the digest of these bytes.
pub(super) fn tells(seal: &[u8], name: &str, bytes: &[u8]) -> bool {
    seal == line(Path::new(name), bytes).as_bytes()
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(name_beside(&name))
}

/// What stands there of some bytes.
fn line(path: &Path, bytes: &[u8]) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{}  {name}\n", checksum::of_bytes(bytes))
}

/// Writes the digest of a file beside it, durably.
pub(super) fn seal_file(path: &Path) -> io::Result<()> {
    replace_file(&beside(path), line(path, &fs::read(path)?).as_bytes())
}

/// Takes the digest of a file away, before the file is replaced: dying in between must not leave
/// the digest of another.
pub(super) fn unseal_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(beside(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Compares a file with the digest beside it; what is wrong, where something is. A file without
/// one is taken as it is, and so is one that was replaced while it was looked at.
pub(super) fn breach_of_file(path: &Path) -> io::Result<Option<String>> {
    let seal = || match fs::read(beside(path)) {
        Ok(seal) => Ok(Some(seal)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let Some(before) = seal()? else { return Ok(None) };
    let wanted = line(path, &fs::read(path)?);
    let is_breach = before != wanted.as_bytes() && seal()?.as_ref() == Some(&before);
    Ok(is_breach.then(|| format!("{} does not tell its SHA-256, which is {}", beside(path).display(), &wanted[..DIGITS])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Vec<u8> {
        let [(key, zeros), (mark, yes)] = blank();
        let text = format!("{{\"commitInfo\":{{\"timestamp\":17,\"{mark}\":{yes},\"{key}\":{zeros}}}}}\n{{\"add\":{{\"path\":\"a\"}}}}");
        seal(text.into_bytes().into()).iter().flat_map(|part| part.to_vec()).collect()
    }

    #[test]
    fn every_flipped_bit_of_a_sealed_entry_is_found() {
        let whole = sealed();
        assert_eq!(breach(&whole), None);
        assert!(!String::from_utf8_lossy(&whole).contains("00000000"), "sealed");
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(breach(&flipped).is_some(), "bit {bit}");
        }
        for end in 0..whole.len() {
            let cut = &whole[..end];
            assert!(breach(cut).is_some() || !String::from_utf8_lossy(cut).contains("churnRiskSealed"), "cut at {end}");
        }
    }

    #[test]
    fn an_entry_without_a_place_for_a_seal_stays_as_it_is() {
        let bytes = b"{\"commitInfo\":{\"timestamp\":17}}".to_vec();
        let written: Vec<u8> = seal(bytes.clone().into()).iter().flat_map(|part| part.to_vec()).collect();
        assert_eq!((breach(&bytes), written), (None, bytes));
    }
}
