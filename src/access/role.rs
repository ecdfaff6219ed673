//! The roles: those of a partner's own portal, and one for a machine that watches the process.
//!
//! Absent on purpose: what each may do, which is told beside the operations.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What somebody is at the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    GlobalAdmin,
    UserManagementAdmin,
    AdminAgent,
    SalesAgent,
    /// A machine that reads the counters of the process, and nothing of any customer.
    Monitor,
}

/// No role has this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{name}` is no role; they are {}", Role::ALL.map(Role::name).join(", "))]
pub struct UnknownRole {
    name: String,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::GlobalAdmin, Self::UserManagementAdmin, Self::AdminAgent, Self::SalesAgent, Self::Monitor];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GlobalAdmin => "GlobalAdmin",
            Self::UserManagementAdmin => "UserManagementAdmin",
            Self::AdminAgent => "AdminAgent",
            Self::SalesAgent => "SalesAgent",
            Self::Monitor => "Monitor",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole { name: name.to_owned() })
    }
}

/// Any number of roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RoleSet(u8);

impl RoleSet {
    /// Every role, as whoever sits at a loopback address without sign-in has it.
    pub const EVERY: Self = Self::of(&Role::ALL);

    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < roles.len() {
            bits |= roles[at].bit();
            at += 1;
        }
        Self(bits)
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether both have a role in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every role here is one of `other`.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Its roles, in the order of [`Role::ALL`].
    pub fn roles(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl FromIterator<Role> for RoleSet {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), |set, role| Self(set.0 | role.bit()))
    }
}

impl fmt::Display for RoleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.roles().map(Role::name).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_the_roles_it_was_made_of() {
        let set = RoleSet::of(&[Role::SalesAgent, Role::GlobalAdmin]);
        assert_eq!(set.roles().collect::<Vec<_>>(), [Role::GlobalAdmin, Role::SalesAgent]);
        assert!(set.meets(RoleSet::of(&[Role::SalesAgent])) && !set.meets(RoleSet::of(&[Role::Monitor])));
        assert!(set.is_within(RoleSet::EVERY) && !RoleSet::EVERY.is_within(set) && RoleSet::default().is_empty());
        assert_eq!(Role::ALL.map(|role| role.name().parse()), Role::ALL.map(Ok));
        assert!("globaladmin".parse::<Role>().is_err());
    }
}
