//! How the lists of subscriptions are searched, and by which column they are ordered.
//!
//! Absent on purpose: which columns a list has.

use super::super::cursor::Key;
use super::super::parameters::{Kind, Parameters, Spec};
use crate::portfolio::{Portfolio, SubscriptionIx};

const SEARCH: Spec = Spec::new(
    "search",
    Kind::Text,
    "Keeps the rows of which the id or the name, of customer or subscription, holds this, whatever its case.",
)
.such_as("clinic");

/// A text that is looked for; nothing finds everything.
#[derive(Debug, Clone, Default)]
pub(in crate::service) struct Search(Option<String>);

impl Search {
    /// `search`.
    pub(super) fn parse(parameters: &mut Parameters) -> Self {
        Self(parameters.text(&SEARCH).map(|text| text.to_lowercase()))
    }

    /// Whether the subscription or its customer is called so.
    pub(super) fn finds(&self, portfolio: &Portfolio, ix: SubscriptionIx) -> bool {
        let Some(wanted) = &self.0 else { return true };
        let subscription = portfolio.subscription(ix);
        let customer = portfolio.customer(subscription.customer);
        let texts = [Some(customer.id.as_str()), customer.name.as_deref(), Some(subscription.id.as_str()), subscription.name.as_deref()];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(wanted))
    }
}

/// A column, and whether its largest values come first. What has no value comes last either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) struct Order<C> {
    pub(super) column: C,
    pub(super) descending: bool,
}

impl<C> Order<C> {
    pub(super) const fn up(column: C) -> Self {
        Self { column, descending: false }
    }

    pub(super) const fn down(column: C) -> Self {
        Self { column, descending: true }
    }

    /// The place of a row with this value in the column; rows of equal values stand by id.
    pub(super) fn place(&self, value: Option<i128>, ix: SubscriptionIx) -> Key {
        match value {
            Some(value) => Key(0, if self.descending { -value } else { value }, ix.0),
            None => Key(1, 0, ix.0),
        }
    }
}
