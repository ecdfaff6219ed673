//! Whose figures somebody may see: everybody's, or those of some resellers and customers.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::domain::CustomerId;

/// Whose figures somebody may see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    Everybody,
    Only(Arc<Members>),
}

/// Resellers and customers by id, each ascending and once. Nobody where both are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Members {
    resellers: Vec<String>,
    customers: Vec<String>,
}

/// A text that names no reseller and no customer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is no scope; one reads `reseller:ID` or `customer:ID`", .0.escape_debug())]
pub struct ScopeError(String);

impl Scope {
    /// Nobody's.
    #[must_use]
    pub fn nobody() -> Self {
        Self::Only(Arc::default())
    }

    /// Those of the resellers and customers that the texts name, `reseller:ID` or `customer:ID`.
    ///
    /// # Errors
    /// The first text that names neither: what cannot be read must not widen a scope.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, ScopeError> {
        let mut members = Members::default();
        for text in texts {
            let error = || ScopeError(text.chars().take(80).collect());
            let (kind, id) = text.trim().split_once(':').ok_or_else(error)?;
            let id = CustomerId::parse(id).map_err(|_| error())?.to_string();
            match kind {
                "reseller" => members.resellers.push(id),
                "customer" => members.customers.push(id),
                _ => return Err(error()),
            }
        }
        for ids in [&mut members.resellers, &mut members.customers] {
            ids.sort_unstable();
            ids.dedup();
        }
        Ok(Self::Only(Arc::new(members)))
    }

    #[must_use]
    pub const fn is_everybody(&self) -> bool {
        matches!(self, Self::Everybody)
    }

    /// Whether the figures of a customer, who has perhaps a reseller, may be seen.
    #[must_use]
    pub fn holds(&self, customer: &str, reseller: Option<&str>) -> bool {
        let Self::Only(members) = self else { return true };
        let within = |ids: &[String], id: &str| ids.binary_search_by(|one| one.as_str().cmp(id)).is_ok();
        within(&members.customers, customer) || reseller.is_some_and(|reseller| within(&members.resellers, reseller))
    }

    /// What it is made of, as [`Scope::parse`] reads it; nothing for everybody and nobody.
    pub fn texts(&self) -> Vec<String> {
        let Self::Only(members) = self else { return Vec::new() };
        let named = |kind: &'static str, ids: &'_ [String]| ids.iter().map(|id| format!("{kind}:{id}")).collect::<Vec<_>>();
        [named("reseller", &members.resellers), named("customer", &members.customers)].concat()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("everybody"),
            Self::Only(_) => {
                let texts = self.texts();
                f.write_str(&if texts.is_empty() { "nobody".to_owned() } else { texts.join(" ") })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_its_customers_and_those_of_its_resellers() {
        let scope = Scope::parse(["reseller:r1", "customer:c9", "reseller:r1"]).expect("both read");
        assert!(scope.holds("c1", Some("r1")) && scope.holds("c9", None) && scope.holds("c9", Some("r2")));
        assert!(!scope.holds("c1", None) && !scope.holds("r1", Some("c9")) && !scope.holds("c1", Some("r2")));
        assert_eq!(scope.texts(), ["reseller:r1", "customer:c9"]);
        assert!(Scope::Everybody.holds("c1", None) && !Scope::nobody().holds("c1", Some("r1")));
    }

    #[test]
    fn a_guid_is_the_same_in_either_case() {
        let scope = Scope::parse(["customer:AA0E8400-E29B-41D4-A716-446655440000"]).expect("a GUID");
        assert!(scope.holds("aa0e8400-e29b-41d4-a716-446655440000", None));
    }

    #[test]
    fn what_names_neither_is_refused() {
        for text in ["", "r1", "reseller:", "tenant:c1", "Reseller:r1"] {
            assert!(Scope::parse([text]).is_err(), "{text}");
        }
    }
}
