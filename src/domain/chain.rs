//! An error with its causes as text.

use std::error::Error;
use std::fmt::Write as _;

/// An error with all its sources, which do not print themselves.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
