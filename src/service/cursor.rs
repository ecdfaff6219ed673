//! Cursors of lists: opaque to clients, and bound to what they go on over.
//!
//! A cursor is base64 of: format, versions (8 bytes of a digest of table and model version),
//! query (8 bytes of a digest of the list and its parameters), offset, and the first 8 bytes of
//! the SHA-256 of all that. The sum keeps out garbage, not an adversary: a forged cursor opens
//! nothing but another place of a list that its forger may read anyway, and one without a
//! secret outlives a restart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::problem::{Fault, Problem};

const FORMAT: u8 = 1;
const BODY_BYTES: usize = 1 + 8 + 8 + 4;
const SUM_BYTES: usize = 8;

/// A digest cut to 8 bytes: it tells versions and queries apart, and keeps no secret.
pub(super) type Short = [u8; 8];

/// The digest of some texts, each with its length before it.
pub(super) fn short<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Short {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    first_bytes(&digest.finalize())
}

/// The place in a list at which its next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) versions: Short,
    pub(super) query: Short,
    pub(super) offset: u32,
}

impl Cursor {
    pub(super) fn encode(self) -> String {
        let mut bytes = Vec::with_capacity(BODY_BYTES + SUM_BYTES);
        bytes.push(FORMAT);
        bytes.extend(self.versions);
        bytes.extend(self.query);
        bytes.extend(self.offset.to_le_bytes());
        let sum: [u8; SUM_BYTES] = first_bytes(&Sha256::digest(&bytes));
        bytes.extend(sum);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// None for what no service gave.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, sum) = bytes.split_at_checked(BODY_BYTES)?;
        let expected: [u8; SUM_BYTES] = first_bytes(&Sha256::digest(body));
        let (format, rest) = body.split_first()?;
        let (versions, rest) = rest.split_first_chunk::<8>()?;
        let (query, offset) = rest.split_first_chunk::<8>()?;
        let offset = u32::from_le_bytes(offset.try_into().ok()?);
        (sum == expected && *format == FORMAT).then_some(Self { versions: *versions, query: *query, offset })
    }

    /// The place at which to go on in a list of these versions and this query.
    ///
    /// # Errors
    /// [`Problem::StaleCursor`] where the versions have changed, 400 where the query is another.
    pub(super) fn offset_in(self, versions: Short, query: Short) -> Result<usize, Problem> {
        if self.query != query {
            return Err(Problem::BadParameters(vec![Fault::parameter("cursor", "belongs to a list with other parameters")]));
        }
        if self.versions != versions {
            return Err(Problem::StaleCursor);
        }
        Ok(usize::try_from(self.offset).unwrap_or(usize::MAX))
    }
}

fn first_bytes<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_character_of_a_cursor_is_noticed() {
        let cursor = Cursor { versions: [1; 8], query: [2; 8], offset: 77 };
        let text = cursor.encode();
        assert_eq!(Cursor::decode(&text), Some(cursor));
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert_eq!(Cursor::decode(&changed), None, "{changed}");
        }
        for wrong in ["", "AA", "not a cursor", &text[1..], &format!("{text}AAAA")] {
            assert_eq!(Cursor::decode(wrong), None, "{wrong}");
        }
    }
}
