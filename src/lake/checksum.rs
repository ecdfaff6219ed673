//! The SHA-256 that every Parquet file of the tables carries in its own name.
//!
//! Parquet's pages carry no checksum here, and the parts of them that do not compress are stored as
//! they are, so a flipped bit would be read as another number. The name stands in the Delta log
//! as well, so what is compared is the log's word with the file's bytes.
//!
//! Absent on purpose: repairing. A damaged file is refused; a copy of it is somebody else's to
//! have.

use std::fs::File;
use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::domain::hex;
use crate::durable::hash_of;

/// What stands before the 64 digits in a file's name.
const MARK: &str = "-sha256-";

/// Hashes what passes through to `inner`.
#[derive(Debug)]
pub(super) struct Hashing<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// What was written to, and the digest of all of it in hexadecimal.
    pub(super) fn finish(self) -> (W, String) {
        (self.inner, hex(&self.hasher.finalize()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The name of a file with this digest.
pub(super) fn file_name(stem: &str, number: u32, digest: &str) -> String {
    format!("{stem}-{number}{MARK}{digest}.parquet")
}

/// The digest that a file's name tells; none for files of releases that told none.
pub(super) fn told_by(name: &str) -> Option<&str> {
    let (_, digest) = name.strip_suffix(".parquet")?.rsplit_once(MARK)?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_digest.then_some(digest)
}

/// The digest of some bytes, in hexadecimal.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest of what is left to read of a file, in hexadecimal. Memory is one piece.
pub(super) fn of_file(file: &File) -> io::Result<String> {
    hash_of(file, |_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_digest_that_it_was_given_and_other_names_tell_none() {
        let digest = of_bytes(b"some bytes");
        assert_eq!(told_by(&file_name("customers-00000001", 1, &digest)), Some(digest.as_str()));
        assert_eq!(told_by(&format!("month=2026-05/{}", file_name("usage-00000001", 2, &digest))), Some(digest.as_str()));
        for name in ["customers-00000001-1.parquet", "a-sha256-12.parquet", &format!("a-sha256-{}.parquet", digest.to_uppercase())] {
            assert_eq!(told_by(name), None, "{name}");
        }
    }

    #[test]
    fn what_passes_through_has_the_digest_of_its_bytes() {
        let mut hashing = Hashing::new(Vec::new());
        hashing.write_all(b"some ").and_then(|()| hashing.write_all(b"bytes")).expect("memory");
        assert_eq!(hashing.finish(), (b"some bytes".to_vec(), of_bytes(b"some bytes")));
    }
}
