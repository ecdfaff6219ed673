//! Sessions of browsers: a cookie that nobody but this service can read or make, AES-256-GCM under
//! a key that is drawn at the start. After a restart people sign in anew, which a provider that
//! knows them does without asking.
//!
//! Absent on purpose: a table of sessions. Only those that were ended early are remembered, until
//! they would have ended by themselves.

use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, CookieJar, Key, SameSite};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::access::{AccessConfig, Caller, Credential, Role, Scope, Started};
use crate::domain::hex;

/// Longest cookie that browsers keep, with some room for its attributes.
const COOKIE_MAX_BYTES: usize = 3_900;

/// How long a sign-in may take, in seconds.
pub(super) const SIGN_IN_SECONDS: i64 = 600;

/// What the cookie of a session holds.
#[derive(Debug, Serialize, Deserialize)]
struct Held {
    /// Tells sessions apart.
    id: String,
    who: String,
    name: Option<String>,
    roles: Vec<Role>,
    /// As [`Scope::parse`] reads it; none for everybody.
    scope: Option<Vec<String>>,
    until: i64,
}

/// What the cookie of a sign-in that has begun holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) started: Started,
    /// The page that was asked for.
    pub(super) then: String,
    until: i64,
}

impl Begun {
    pub(super) const fn new(started: Started, then: String, now: i64) -> Self {
        Self { started, then, until: now + SIGN_IN_SECONDS }
    }
}

/// The sessions of one service.
pub(super) struct Sessions {
    key: Key,
    is_secure: bool,
    /// Those that were ended, and until when they would have held.
    ended: Mutex<HashMap<String, i64>>,
}

impl Sessions {
    pub(super) fn new(is_secure: bool) -> Self {
        Self { key: Key::generate(), is_secure, ended: Mutex::new(HashMap::new()) }
    }

    pub(super) const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The prefix keeps other names of the same domain from setting it.
    const fn session_name(&self) -> &'static str {
        if self.is_secure { "__Host-churn-risk" } else { "churn-risk" }
    }

    const fn sign_in_name(&self) -> &'static str {
        if self.is_secure { "__Host-churn-risk-sign-in" } else { "churn-risk-sign-in" }
    }

    /// The sealed text of a request's session, where it has one.
    pub(super) fn text(&self, request: &HttpRequest) -> Option<String> {
        request.cookie(self.session_name()).map(|cookie| cookie.value().to_owned()).filter(|text| !text.is_empty())
    }

    /// Whoever a sealed text is of, and the number of its session; none where it is none of ours,
    /// or holds no more.
    pub(super) fn caller(&self, text: &str, config: &AccessConfig, now: i64) -> Option<(Caller, String)> {
        let held: Held = self.unseal(self.session_name(), text)?;
        if held.until <= now || self.has_ended(&held.id) {
            return None;
        }
        let scope = held.scope.map_or(Some(Scope::Everybody), |texts| Scope::parse(texts.iter().map(String::as_str)).ok())?;
        let roles = held.roles.into_iter().collect();
        let view = config.view(roles, scope);
        Some((Caller { who: held.who, name: held.name, by: Credential::Session, roles, view, until: Some(held.until) }, held.id))
    }

    pub(super) fn has_ended(&self, id: &str) -> bool {
        self.ended.lock().contains_key(id)
    }

    /// The cookie of a new session; none where it would be longer than browsers keep.
    pub(super) fn begin(&self, caller: &Caller, now: i64) -> Option<Cookie<'static>> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        let until = caller.until?;
        let scope = (!caller.view.scope.is_everybody()).then(|| caller.view.scope.texts());
        let roles = caller.roles.roles().collect();
        let held = Held { id: hex(&id), who: caller.who.clone(), name: caller.name.clone(), roles, scope, until };
        self.seal(self.session_name(), &held, until - now)
    }

    /// Ends a session before its time. Whether it had not ended yet.
    pub(super) fn end(&self, id: String, until: i64, now: i64) -> bool {
        let mut ended = self.ended.lock();
        ended.retain(|_, until| *until > now);
        ended.insert(id, until).is_none()
    }

    /// Whether this is the first end of a sign-in that has begun.
    pub(super) fn is_first(&self, begun: &Begun, now: i64) -> bool {
        self.end(format!("sign-in {}", begun.started.state), begun.until, now)
    }

    /// The cookie of a sign-in that has begun.
    pub(super) fn remember(&self, begun: &Begun) -> Option<Cookie<'static>> {
        self.seal(self.sign_in_name(), begun, SIGN_IN_SECONDS)
    }

    /// The sign-in that a request goes on with.
    pub(super) fn begun(&self, request: &HttpRequest, now: i64) -> Option<Begun> {
        let cookie = request.cookie(self.sign_in_name())?;
        let begun: Begun = self.unseal(self.sign_in_name(), cookie.value())?;
        (begun.until > now).then_some(begun)
    }

    /// A cookie that takes away that of a sign-in.
    pub(super) fn forget_sign_in(&self) -> Cookie<'static> {
        self.cookie(self.sign_in_name(), String::new(), 0)
    }

    /// A cookie that takes away that of a session.
    pub(super) fn forget_session(&self) -> Cookie<'static> {
        self.cookie(self.session_name(), String::new(), 0)
    }

    fn cookie(&self, name: &'static str, value: String, seconds: i64) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            // Strict would lose the session on the way back from the provider.
            .same_site(SameSite::Lax)
            .max_age(CookieAge::seconds(seconds))
            .finish()
    }

    fn seal(&self, name: &'static str, held: &impl Serialize, seconds: i64) -> Option<Cookie<'static>> {
        let text = serde_json::to_string(held).ok()?;
        let mut jar = CookieJar::new();
        jar.private_mut(&self.key).add(Cookie::new(name, text));
        let value = jar.get(name)?.value().to_owned();
        (value.len() <= COOKIE_MAX_BYTES).then(|| self.cookie(name, value, seconds))
    }

    fn unseal<T: DeserializeOwned>(&self, name: &'static str, text: &str) -> Option<T> {
        let mut jar = CookieJar::new();
        jar.add_original(Cookie::new(name, text.to_owned()));
        serde_json::from_str(jar.private(&self.key).get(name)?.value()).ok()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::access::{RoleSet, View};

    fn ada() -> Caller {
        Caller {
            who: "user:ada".to_owned(),
            name: Some("Ada".to_owned()),
            by: Credential::Session,
            roles: RoleSet::of(&[Role::SalesAgent]),
            view: View { scope: Scope::parse(["reseller:r1"]).expect("a scope"), money_hidden: false },
            until: Some(100),
        }
    }

    #[test]
    fn a_session_holds_until_it_is_over_or_ended() {
        let (sessions, config) = (Sessions::new(true), AccessConfig::default());
        let cookie = sessions.begin(&ada(), 0).expect("short enough");
        assert!(cookie.name().starts_with("__Host-") && cookie.secure() == Some(true) && cookie.http_only() == Some(true));
        let caller = |now| sessions.caller(cookie.value(), &config, now);
        let (known, id) = caller(99).expect("it holds");
        assert_eq!(known, ada());
        assert!(caller(100).is_none(), "it is over");
        sessions.end(id, 100, 50);
        assert!(caller(51).is_none(), "it was ended");
    }

    #[test]
    fn nobody_else_reads_or_makes_one() {
        let (sessions, config) = (Sessions::new(false), AccessConfig::default());
        let cookie = sessions.begin(&ada(), 0).expect("short enough");
        let text = cookie.value();
        let sealed = STANDARD.decode(text).expect("base64");
        assert!(!sealed.windows(8).any(|part| part == b"user:ada"));
        assert!(Sessions::new(false).caller(text, &config, 1).is_none());
        for at in 0..text.len() {
            let mut other = text.to_owned().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).expect("ASCII");
            // The last letter of base64 may hold bits that say nothing.
            assert!(other == text || at + 2 >= text.len() || sessions.caller(&other, &config, 1).is_none(), "byte {at}");
        }
        // What one cookie holds is no other cookie's.
        assert!(sessions.unseal::<Held>(sessions.sign_in_name(), text).is_none());
    }

    #[test]
    fn a_scope_that_no_browser_could_keep_is_told() {
        let mut caller = ada();
        caller.view.scope =
            Scope::parse((0..300).map(|at| format!("customer:{at:036}")).collect::<Vec<_>>().iter().map(String::as_str)).expect("a scope");
        assert!(Sessions::new(false).begin(&caller, 0).is_none());
    }
}
