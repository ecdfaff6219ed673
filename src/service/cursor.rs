//! Cursors of lists: opaque to clients, and bound to what they go on over.
//!
//! A cursor is base64 of: format, versions (8 bytes of a digest of table and model version),
//! query (8 bytes of a digest of the list and its parameters), the key of the last row that was
//! given, and the first 16 bytes of an HMAC-SHA-256 over all that. The key of the HMAC is drawn
//! when a service starts: a cursor that another service gave, or this one before its restart, is
//! as good as a forged one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::problem::{Fault, Problem};

const FORMAT: u8 = 2;
const BODY_BYTES: usize = 1 + 8 + 8 + KEY_BYTES;
const KEY_BYTES: usize = 8 + 16 + 4;
const SEAL_BYTES: usize = 16;

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

/// Where a row stands in its list: rows ascend by it, and no two share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) u64, pub(super) i128, pub(super) u32);

/// The last row that was given, of which list, over which versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) versions: Short,
    pub(super) query: Short,
    pub(super) after: Key,
}

/// The secret with which one service seals its cursors.
pub(super) struct Sealer([u8; 32]);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    pub(super) const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    fn mac(&self, body: &[u8]) -> Option<Hmac<Sha256>> {
        // A key of any length is one; 32 bytes are never refused.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(body);
        Some(mac)
    }

    /// The text of a cursor.
    pub(super) fn seal(&self, cursor: &Cursor) -> String {
        let mut bytes = Vec::with_capacity(BODY_BYTES + SEAL_BYTES);
        bytes.push(FORMAT);
        bytes.extend(cursor.versions);
        bytes.extend(cursor.query);
        bytes.extend(cursor.after.0.to_le_bytes());
        bytes.extend(cursor.after.1.to_le_bytes());
        bytes.extend(cursor.after.2.to_le_bytes());
        let seal: [u8; SEAL_BYTES] = self.mac(&bytes).map_or([0; SEAL_BYTES], |mac| first_bytes(&mac.finalize().into_bytes()));
        bytes.extend(seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor of a text; none for what this service did not seal.
    pub(super) fn open(&self, text: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, seal) = bytes.split_at_checked(BODY_BYTES)?;
        if seal.len() != SEAL_BYTES {
            return None;
        }
        self.mac(body)?.verify_truncated_left(seal).ok()?;
        let (format, rest) = body.split_first()?;
        let (versions, rest) = rest.split_first_chunk::<8>()?;
        let (query, rest) = rest.split_first_chunk::<8>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (second, third) = rest.split_first_chunk::<16>()?;
        let after = Key(u64::from_le_bytes(*first), i128::from_le_bytes(*second), u32::from_le_bytes(third.try_into().ok()?));
        (*format == FORMAT).then_some(Cursor { versions: *versions, query: *query, after })
    }

    /// The cursor of a parameter, for a list with this query.
    ///
    /// # Errors
    /// Where it is not ours, or of another list.
    pub(super) fn open_for(&self, text: &str, query: Short) -> Result<Cursor, Problem> {
        let wrong = |detail: &str| Problem::BadParameters(vec![Fault::parameter("cursor", detail)]);
        let cursor = self.open(text.trim()).ok_or_else(|| wrong("is no cursor that this service gave since it started"))?;
        if cursor.query == query { Ok(cursor) } else { Err(wrong("belongs to a list with other parameters")) }
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
        let sealer = Sealer::new([7; 32]);
        let cursor = Cursor { versions: [1; 8], query: [2; 8], after: Key(77, -5, 3) };
        let text = sealer.seal(&cursor);
        assert_eq!(sealer.open(&text), Some(cursor));
        for at in 0..text.len() {
            for other in ["A", "B", "-", "="] {
                let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                assert_eq!(sealer.open(&changed), (changed == text).then_some(cursor), "{changed}");
            }
        }
        for wrong in ["", "AA", "not a cursor", &text[1..], &format!("{text}AAAA")] {
            assert_eq!(sealer.open(wrong), None, "{wrong}");
        }
        assert_eq!(Sealer::new([8; 32]).open(&text), None, "another service's cursor");
    }
}
