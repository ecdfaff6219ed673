//! What a person says of a risk: right or wrong, left or stayed, and why.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::{ChurnRisk, Day, FeedbackId, SubscriptionId};

/// Longest note, in characters: two pages. Beyond it somebody sends a file.
const NOTE_MAX_CHARS: usize = 4_000;

/// A text that is none of the words it may be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{word}` is none of {words}")]
pub struct UnknownWord {
    pub word: String,
    /// The words that would be right.
    pub words: &'static str,
}

/// Whether the risk was right, in a person's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Right,
    Wrong,
}

/// What became of the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeenOutcome {
    Left,
    Stayed,
}

impl Verdict {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
        }
    }
}

impl SeenOutcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Stayed => "stayed",
        }
    }
}

impl FromStr for Verdict {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownWord { word: text.to_owned(), words: "right, wrong" };
        [Self::Right, Self::Wrong].into_iter().find(|one| one.as_str() == text).ok_or_else(unknown)
    }
}

impl FromStr for SeenOutcome {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownWord { word: text.to_owned(), words: "left, stayed" };
        [Self::Left, Self::Stayed].into_iter().find(|one| one.as_str() == text).ok_or_else(unknown)
    }
}

/// Why a text is no note.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    #[error("a note is empty")]
    Empty,
    #[error("a note has {0} characters, more than {NOTE_MAX_CHARS}")]
    TooLong(usize),
    #[error("a note holds a control character")]
    Control,
}

/// A remark of a person: trimmed, of 1 to 4,000 characters, line ends and tabs allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Note(String);

impl Note {
    /// # Errors
    /// Empty, longer than 4,000 characters, or with a control character other than line ends and
    /// tabs.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(NoteError::Empty);
        }
        let chars = trimmed.chars().count();
        if chars > NOTE_MAX_CHARS {
            return Err(NoteError::TooLong(chars));
        }
        if trimmed.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')) {
            return Err(NoteError::Control);
        }
        Ok(Self(trimmed.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One answer of a person to the risk of one subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// Chosen by whoever gives it, so that sending it again is known to be the same.
    pub feedback_id: FeedbackId,
    pub subscription_id: SubscriptionId,
    /// The day that the service's clock showed.
    pub given_on: Day,
    /// The day on which the risk stood.
    pub as_of: Day,
    /// The model that spoke; none where none did.
    pub model_version: Option<String>,
    /// The risk that the person saw; none where it was unknown.
    pub risk: Option<ChurnRisk>,
    pub verdict: Option<Verdict>,
    pub outcome: Option<SeenOutcome>,
    pub note: Option<Note>,
    /// Who gave it, in the words of the sign-in.
    pub given_by: Option<String>,
}

impl Feedback {
    /// Whether both say the same of the same subscription, by the same person. What the service
    /// adds (day, as-of day, model, risk) may have moved on between two sendings of one feedback.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.subscription_id == other.subscription_id
            && self.verdict == other.verdict
            && self.outcome == other.outcome
            && self.note == other.note
            && self.given_by == other.given_by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written_and_others_name_what_would_be_right() {
        assert_eq!(("right".parse(), "wrong".parse()), (Ok(Verdict::Right), Ok(Verdict::Wrong)));
        assert_eq!(("left".parse(), "stayed".parse()), (Ok(SeenOutcome::Left), Ok(SeenOutcome::Stayed)));
        let error = "maybe".parse::<Verdict>().expect_err("no verdict");
        assert_eq!(error.to_string(), "`maybe` is none of right, wrong");
        assert!("Left".parse::<SeenOutcome>().is_err());
    }

    #[test]
    fn a_note_has_words_and_an_end() {
        assert_eq!(Note::parse(" moved to\n\tanother cloud ").map(|note| note.to_string()), Ok("moved to\n\tanother cloud".to_owned()));
        assert_eq!(Note::parse(" \n"), Err(NoteError::Empty));
        assert_eq!(Note::parse("a\u{0}b"), Err(NoteError::Control));
        assert!(Note::parse(&"ä".repeat(4_000)).is_ok());
        assert_eq!(Note::parse(&"ä".repeat(4_001)), Err(NoteError::TooLong(4_001)));
    }
}
