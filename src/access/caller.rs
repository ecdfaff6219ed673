//! Whoever sends a request, once it is known who that is.

use super::role::RoleSet;
use super::scope::Scope;

/// By what somebody was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A loopback address without sign-in.
    Loopback,
    /// A token of the provider.
    Token,
    /// A key of the key file.
    Key,
    /// A browser that has signed in.
    Session,
}

/// What of the tables somebody may see. Two of the same view see the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View {
    pub scope: Scope,
    /// Whether costs are kept from them.
    pub money_hidden: bool,
}

impl View {
    /// All of it.
    pub const WHOLE: Self = Self { scope: Scope::Everybody, money_hidden: false };

    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::WHOLE
    }
}

/// Whoever sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// For the audit log, and for feedback: `user:SUBJECT`, `key:ID` or `local`.
    pub who: String,
    /// What a person is called, where that is known.
    pub name: Option<String>,
    pub by: Credential,
    pub roles: RoleSet,
    pub view: View,
    /// Seconds since 1970 from which it holds no more; none where it has no end.
    pub until: Option<i64>,
}

impl Caller {
    /// Whoever reaches a loopback address where nobody has to sign in.
    #[must_use]
    pub fn local() -> Self {
        Self { who: "local".to_owned(), name: None, by: Credential::Loopback, roles: RoleSet::EVERY, view: View::WHOLE, until: None }
    }
}
