//! What a customer has committed to: reservations, savings plans and terms, each with an end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// What sort of commitment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommitmentKind {
    /// A quantity of one product, paid for in advance.
    Reservation,
    /// An amount of money an hour, for whatever product.
    SavingsPlan,
    /// The term of a subscription.
    Term,
}

impl CommitmentKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Reservation, Self::SavingsPlan, Self::Term];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reservation => "reservation",
            Self::SavingsPlan => "savings_plan",
            Self::Term => "term",
        }
    }

    /// Further spellings, as the sources have them: lower case, without blanks, `_` and `-`.
    const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Reservation => &["reservation", "reservations", "reservedinstance", "reservedinstances", "ri"],
            Self::SavingsPlan => &["savingsplan", "savingsplans", "sp"],
            Self::Term => &["term", "subscriptionterm", "commitmentterm"],
        }
    }
}

impl fmt::Display for CommitmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no kind of commitment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is none of reservation, savings_plan, term")]
pub struct UnknownCommitmentKind(pub String);

/// Case, blanks, `_` and `-` do not matter: `Savings Plan`, `savings_plan` and `SavingsPlan` are
/// one word. So are `reserved instance` and `RI` with `reservation`, `SP` with `savings_plan`,
/// `subscription term` and `commitment term` with `term`.
impl FromStr for CommitmentKind {
    type Err = UnknownCommitmentKind;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain: String =
            text.chars().filter(|letter| !letter.is_whitespace() && !matches!(letter, '_' | '-')).flat_map(char::to_lowercase).collect();
        let kind = Self::ALL.into_iter().find(|kind| kind.aliases().contains(&plain.as_str()));
        kind.ok_or_else(|| UnknownCommitmentKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_each_of_its_spellings_and_by_no_other() {
        for (kind, spellings) in [
            (CommitmentKind::Reservation, ["reservation", "Reservations", "Reserved Instance", "reserved-instances", "RI"]),
            (CommitmentKind::SavingsPlan, ["savings_plan", "Savings Plan", "SavingsPlan", "savings-plans", "SP"]),
            (CommitmentKind::Term, ["term", " TERM ", "subscription term", "Commitment_Term", "Subscription-Term"]),
        ] {
            for spelling in spellings {
                assert_eq!(spelling.parse(), Ok(kind), "{spelling}");
            }
            assert_eq!(kind.as_str().parse(), Ok(kind), "what is stored is read back");
        }
        for wrong in ["", "-", "r", "reserved", "plan", "savings", "terms and conditions"] {
            assert_eq!(wrong.parse::<CommitmentKind>(), Err(UnknownCommitmentKind(wrong.to_owned())), "{wrong}");
        }
    }
}
