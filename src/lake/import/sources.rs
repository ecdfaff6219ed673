//! The sources: one reader each, behind one small trait.

use std::fmt;

use super::aliases::FORMS;
use super::form::Form;
use super::intake::{At, Intake};
use super::row::{Fault, Row};
use super::{analytics, cost, daily_rated, focus, generic, insights, rest};

/// What the rows of a source mean.
pub(super) trait Source: fmt::Debug + Sync {
    /// Takes one row of a form in.
    ///
    /// # Errors
    /// Why the row is refused, or the whole import cannot go on.
    fn row(&self, form: &'static Form, row: &Row<'_>, at: At, intake: &mut Intake) -> Result<(), Fault>;
}

/// Every source by its name.
const SOURCES: [(&str, &dyn Source); 9] = [
    ("focus", &focus::Focus),
    ("daily-rated", &daily_rated::DailyRated),
    ("azure-cost", &cost::AzureCost),
    ("usage-analytics", &analytics::UsageAnalytics),
    ("subscription-analytics", &analytics::SubscriptionAnalytics),
    ("insights-azure-usage", &insights::AzureUsage),
    ("insights-subscriptions", &insights::Subscriptions),
    ("rest-subscriptions", &rest::RestSubscriptions),
    ("generic", &generic::Generic),
];

/// The names of the sources, as `--format` takes them.
pub fn source_names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name)
}

/// The forms of a source, or of all.
pub(super) fn forms(source: Option<&str>) -> Vec<&'static Form> {
    FORMS.iter().filter(|form| source.is_none_or(|name| form.source == name)).collect()
}

/// The reader of a form.
pub(super) fn reader(form: &Form) -> &'static dyn Source {
    SOURCES.iter().find(|(name, _)| *name == form.source).map_or(&generic::Generic, |(_, reader)| *reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_of_a_source_and_every_source_has_a_form() {
        assert!(FORMS.iter().all(|form| source_names().any(|name| name == form.source)));
        assert!(source_names().all(|name| !forms(Some(name)).is_empty()));
    }
}
