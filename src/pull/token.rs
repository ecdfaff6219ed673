//! Tokens of the Microsoft identity platform: asked for with what the environment holds, and again
//! before they expire.
//!
//! The client credentials flow is enough for Microsoft Graph. Partner Center's pages say of its
//! analytics that they take the credentials of a user alone; a refresh token of one, which is how
//! its secure application model stands in for a person, is used where it is given.

use serde::Deserialize;
use serde_json::Value;

use super::secret::Secret;

/// A token is not used in its last five minutes, or in the second half of a shorter life: a
/// request that is under way when it expires would be refused.
const MARGIN_MAX_SECONDS: u64 = 300;

/// What a token lives where its answer does not say: the least that the platform gives.
const LIFE_SECONDS: u64 = 3_600;

/// Who the program is. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Directory (tenant) of the partner: an id or a domain.
    pub tenant: String,
    /// Id of the registered application.
    pub client_id: String,
    pub client_secret: Secret,
    /// Of a user, where the service takes no application alone.
    pub refresh_token: Option<Secret>,
}

/// A token and when to ask for another.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: Secret,
    renew_at: u64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
}

impl Credentials {
    /// The form that asks for a token.
    pub(super) fn form(&self, scope: &str) -> Secret {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.client_id);
        form.append_pair("client_secret", self.client_secret.reveal());
        form.append_pair("scope", scope);
        match &self.refresh_token {
            Some(token) => form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.reveal()),
            None => form.append_pair("grant_type", "client_credentials"),
        };
        Secret::new(form.finish())
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [&self.client_secret].into_iter().chain(&self.refresh_token)
    }
}

impl Token {
    /// Reads the answer that brings a token; none where it brings none.
    pub(super) fn read(body: &[u8], now: u64) -> Option<Self> {
        let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
        // A header carries no others.
        if answer.access_token.is_empty() || !answer.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        // Some versions of the endpoint give the number as text.
        let text = answer.expires_in.as_str().and_then(|text| text.parse().ok());
        let life = answer.expires_in.as_u64().or(text).unwrap_or(LIFE_SECONDS);
        let renew_at = now.saturating_add(life.saturating_sub(MARGIN_MAX_SECONDS.min(life / 2)));
        Some(Self { secret: Secret::new(answer.access_token), renew_at })
    }

    pub(super) const fn is_good(&self, now: u64) -> bool {
        now < self.renew_at
    }
}

/// What a token is asked for, where nobody says.
pub(super) fn default_scope(origin: &str) -> String {
    format!("{origin}/.default")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        for (expires, good_for) in [("3600", 3_300), ("\"3599\"", 3_299), ("60", 30), ("0", 0), ("null", 3_300), ("-5", 3_300)] {
            let body = format!(r#"{{"access_token":"t0","expires_in":{expires}}}"#);
            let token = Token::read(body.as_bytes(), 1_000).unwrap();
            assert!(!token.is_good(1_000 + good_for), "{expires}");
            assert!(good_for == 0 || token.is_good(1_000 + good_for - 1), "{expires}");
        }
        for body in [r#"{"access_token":""}"#, r#"{"access_token":"a\r\nb"}"#, r#"{"token":"t"}"#, "", "[]"] {
            assert!(Token::read(body.as_bytes(), 0).is_none(), "{body}");
        }
    }

    #[test]
    fn a_user_is_asked_for_where_one_is_given() {
        let mut credentials =
            Credentials { tenant: "t".to_owned(), client_id: "c".to_owned(), client_secret: Secret::new("a&b=c"), refresh_token: None };
        let form = "client_id=c&client_secret=a%26b%3Dc&scope=s&grant_type=client_credentials";
        assert_eq!(credentials.form("s").reveal(), form);
        credentials.refresh_token = Some(Secret::new("r"));
        assert!(credentials.form("s").reveal().ends_with("&grant_type=refresh_token&refresh_token=r"));
        assert!(!format!("{credentials:?}").contains("a&b"), "{credentials:?}");
    }
}
