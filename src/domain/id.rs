//! Ids of customers, subscriptions and the like, in the one form in which they are compared.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The customer of a subscription that only a usage row has named (FORMATS.md, `generic`).
pub const UNKNOWN_CUSTOMER: &str = "unknown";

/// Longest id accepted, in bytes. Azure's own ids have 36; beyond 256 a column was mistaken
/// for an id, and the index of a portfolio would grow without bound.
const ID_MAX_BYTES: usize = 256;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    #[error("an id is empty")]
    Empty,
    #[error("an id has {0} bytes, more than {ID_MAX_BYTES}")]
    TooLong(usize),
    #[error("an id holds a control character")]
    Control,
}

/// Puts an id into its canonical form: trimmed, and lower-cased where it is a GUID. Every
/// other id is exact (METRICS.md, Settled).
fn canonical(text: &str) -> Result<String, IdError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(IdError::Empty);
    }
    if trimmed.len() > ID_MAX_BYTES {
        return Err(IdError::TooLong(trimmed.len()));
    }
    if trimmed.chars().any(char::is_control) {
        return Err(IdError::Control);
    }
    Ok(if is_guid(trimmed.as_bytes()) { trimmed.to_ascii_lowercase() } else { trimmed.to_owned() })
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_guid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The canonical form of `text`: trimmed, lower-cased where it is a GUID.
            ///
            /// # Errors
            /// Empty, longer than 256 bytes, or with a control character in it.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                canonical(text).map(Self)
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// One tenant: the party that owns subscriptions.
    CustomerId
}
id! {
    /// One Azure subscription.
    SubscriptionId
}
id! {
    /// One reservation, savings plan or term.
    CommitmentId
}
id! {
    /// One answer of a person to a risk.
    FeedbackId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_lower_cased_and_other_ids_are_exact() {
        let guid = SubscriptionId::parse(" 0A1B2C3D-1111-4222-8333-ABCDEFABCDEF ");
        assert_eq!(guid.map(|id| id.to_string()), Ok("0a1b2c3d-1111-4222-8333-abcdefabcdef".to_owned()));
        assert_eq!(SubscriptionId::parse("AAA-2013J-1").map(|id| id.to_string()), Ok("AAA-2013J-1".to_owned()));
        assert_eq!(CustomerId::parse("  "), Err(IdError::Empty));
        assert_eq!(CustomerId::parse("a\u{0}b"), Err(IdError::Control));
    }
}
