//! What the targets share: bytes that a fuzzer makes up, put where the importer would find them.
//!
//! Absent on purpose: assertions. A target looks for panics, overflows and reads beyond the end;
//! that the rows are right is what `tests/` is for.

use churn_risk::lake::fuzz::read_bytes;

/// Reads made-up rows below the header of an example, so that what is made up is a row and no header.
pub fn rows(name: &str, example: &[u8], body: &[u8]) {
    let end = example.iter().position(|byte| *byte == b'\n').map_or(example.len(), |at| at + 1);
    let mut file = Vec::with_capacity(end + body.len());
    file.extend_from_slice(&example[..end]);
    file.extend_from_slice(body);
    read_bytes(name, &file);
}

/// Reads a made-up file.
pub fn whole(name: &str, file: &[u8]) {
    read_bytes(name, file);
}
