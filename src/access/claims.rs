//! From the claims of a token that was found genuine to whoever sent it.

use serde_json::{Map, Value};
use thiserror::Error;

use super::caller::{Caller, Credential, View};
use super::config::AccessConfig;
use super::role::{Role, RoleSet};
use super::scope::{Scope, ScopeError};

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// Why somebody who is known may nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("the token has no role that this service knows")]
    NoRole,
    #[error("this role is told nothing without a scope, and the token has none")]
    NoScope,
    #[error("the scope of the token does not read: {0}")]
    Scope(#[from] ScopeError),
    #[error("the provider left the groups out of the token, which its scope depends on; let it send those of the application alone")]
    GroupsLeftOut,
    #[error("the scope of the token does not read: `{0}` is neither a text nor a list of texts")]
    ScopeForm(String),
}

impl AccessConfig {
    /// Whoever has these claims.
    ///
    /// # Errors
    /// Where they have no role, or a scope that does not read: what cannot be read widens nothing.
    pub(super) fn caller(&self, claims: &Claims, by: Credential, until: i64) -> Result<Caller, Refused> {
        let roles_claim = self.openid.as_ref().map_or("roles", |openid| openid.roles_claim.as_str());
        let named = texts(claims.get(roles_claim)).unwrap_or_default();
        let roles: RoleSet = named.iter().filter_map(|name| self.role(name)).collect();
        if roles.is_empty() {
            return Err(Refused::NoRole);
        }
        let scope = self.scope_of(claims, &named, roles)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = text("oid").or_else(|| text("sub")).unwrap_or("?");
        let name = text("name").or_else(|| text("preferred_username")).map(str::to_owned);
        Ok(Caller { who: format!("user:{subject}"), name, by, roles, view: self.view(roles, scope), until: Some(until) })
    }

    /// What whoever has these roles and this scope may see.
    #[must_use]
    pub fn view(&self, roles: RoleSet, scope: Scope) -> View {
        let readers: RoleSet = roles.roles().filter(|role| *role != Role::Monitor).collect();
        let hiding: RoleSet = self.hide_money_from.iter().copied().collect();
        View { scope, money_hidden: readers.is_within(hiding) }
    }

    /// Whether these roles may see as much as this scope.
    ///
    /// # Errors
    /// Where they need a scope and have none.
    pub fn needs_scope(&self, roles: RoleSet, scope: &Scope) -> Result<(), Refused> {
        let required: RoleSet = self.scope.required_for.iter().copied().collect();
        if scope.is_everybody() && roles.is_within(required) { Err(Refused::NoScope) } else { Ok(()) }
    }

    /// The role that the provider calls by a name.
    fn role(&self, name: &str) -> Option<Role> {
        if self.roles.is_empty() { name.parse().ok() } else { self.roles.get(name).copied() }
    }

    fn scope_of(&self, claims: &Claims, named: &[&str], roles: RoleSet) -> Result<Scope, Refused> {
        let mut limits: Option<Vec<&str>> = None;
        let held = self.scope.claim.as_ref().and_then(|claim| Some((claim, claims.get(claim)?)));
        if let Some((claim, value)) = held {
            limits.get_or_insert_default().extend(texts(Some(value)).ok_or_else(|| Refused::ScopeForm(claim.clone()))?);
        }
        // Of somebody in many groups Entra ID sends where they can be asked for, and no groups.
        let left_out = claims.contains_key("hasgroups") || claims.get("_claim_names").is_some_and(|names| names.get("groups").is_some());
        if left_out && !self.scope.of.is_empty() {
            return Err(Refused::GroupsLeftOut);
        }
        let groups = texts(claims.get("groups")).unwrap_or_default();
        for of in named.iter().chain(&groups).filter_map(|value| self.scope.of.get(*value)) {
            limits.get_or_insert_default().extend(of.iter().map(String::as_str));
        }
        let scope = limits.map_or(Ok(Scope::Everybody), Scope::parse)?;
        self.needs_scope(roles, &scope)?;
        Ok(scope)
    }
}

/// The texts of a claim: those of a list, or the words of one text. None for anything else.
fn texts(claim: Option<&Value>) -> Option<Vec<&str>> {
    match claim? {
        Value::String(text) => Some(text.split_whitespace().collect()),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    const CONFIG: &str = r#"
hide_money_from = ["SalesAgent"]
[openid]
issuer = "https://b.example"
audience = "c"
[roles]
"App.Admin" = "GlobalAdmin"
"App.Sales" = "SalesAgent"
"App.Agent" = "AdminAgent"
"App.Watch" = "Monitor"
[scope]
claim = "churn"
required_for = ["SalesAgent"]
[scope.of]
"App.Contoso" = ["reseller:contoso"]
"g-7" = ["customer:c7"]
"#;

    fn caller(claims: &Value) -> Result<Caller, Refused> {
        let config = AccessConfig::parse(CONFIG, Path::new("access.toml")).expect("it reads");
        config.caller(claims.as_object().expect("an object"), Credential::Token, 9)
    }

    #[test]
    fn roles_go_by_the_names_that_the_file_gives_them() {
        let admin = caller(&json!({"sub": "s", "name": "Ada", "roles": ["App.Admin", "Other"]})).expect("an admin");
        assert_eq!((admin.who.as_str(), admin.name.as_deref(), admin.until), ("user:s", Some("Ada"), Some(9)));
        assert!(admin.roles.has(Role::GlobalAdmin) && admin.view.is_whole());
        for roles in [json!([]), json!(["GlobalAdmin"]), json!(7), json!(null), json!([7, "App.Admin"])] {
            assert_eq!(caller(&json!({"sub": "s", "roles": roles})), Err(Refused::NoRole), "{roles}");
        }
    }

    #[test]
    fn scopes_add_up_and_nothing_unreadable_widens_them() {
        let scope = |claims: Value| caller(&claims).map(|caller| caller.view.scope.to_string());
        assert_eq!(scope(json!({"roles": "App.Agent"})).as_deref(), Ok("everybody"));
        assert_eq!(scope(json!({"roles": "App.Agent", "churn": []})).as_deref(), Ok("nobody"));
        assert_eq!(scope(json!({"roles": "App.Agent", "churn": "customer:c1 reseller:r"})).as_deref(), Ok("reseller:r customer:c1"));
        assert_eq!(scope(json!({"roles": ["App.Sales", "App.Contoso"], "groups": ["g-7"]})).as_deref(), Ok("reseller:contoso customer:c7"));
        assert_eq!(scope(json!({"roles": "App.Sales"})), Err(Refused::NoScope));
        for churn in [json!("c1"), json!(["x:c1"])] {
            assert!(matches!(scope(json!({"roles": "App.Admin", "churn": churn})), Err(Refused::Scope(_))), "{churn}");
        }
        for churn in [json!(null), json!(true), json!({"customer": "c1"}), json!(["customer:c1", 7])] {
            assert!(matches!(scope(json!({"roles": "App.Admin", "churn": churn})), Err(Refused::ScopeForm(_))), "{churn}");
        }
    }

    #[test]
    fn groups_that_were_left_out_widen_nothing() {
        for claims in [json!({"roles": "App.Admin", "hasgroups": true}), json!({"roles": "App.Admin", "_claim_names": {"groups": "src1"}})]
        {
            assert_eq!(caller(&claims), Err(Refused::GroupsLeftOut));
        }
    }

    #[test]
    fn money_is_hidden_from_whoever_has_no_other_role() {
        let hidden = |roles: Value| caller(&json!({"roles": roles, "churn": "customer:c"})).expect("known").view.money_hidden;
        assert!(hidden(json!(["App.Sales"])) && hidden(json!(["App.Sales", "App.Watch"])));
        assert!(!hidden(json!(["App.Sales", "App.Agent"])));
    }
}
