//! The access file: TOML that says who is known by whom, and what each may see.
//!
//! Absent on purpose: any secret. The client's secret comes from a file of its own or from the
//! environment, and is shown by nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use super::role::Role;
use super::scope::Scope;

/// Longest life of a session, in minutes: a day.
const SESSION_MAX_MINUTES: u32 = 24 * 60;

/// Why an access file is not taken.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{} does not read", path.display())]
    Unread { path: PathBuf, source: io::Error },
    #[error("{}, line {line}, column {column}: {message}", path.display())]
    Malformed { path: PathBuf, line: usize, column: usize, message: String },
    #[error("{}: {what}", path.display())]
    Wrong { path: PathBuf, what: String },
}

/// Who is known by whom, and what each may see.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// How a browser reaches the service, such as `https://churn.example.com`.
    pub public_url: Option<String>,
    /// Networks of the proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// Names under which the service is asked, beside that of `public_url` and of loopback.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whoever has these roles alone is told no costs.
    #[serde(default)]
    pub hide_money_from: Vec<Role>,
    pub openid: Option<OpenIdConfig>,
    /// What the provider calls a role; where there is nothing here, roles go by their own names.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
    #[serde(default)]
    pub scope: ScopeConfig,
    #[serde(default)]
    pub limits: LimitsConfig,
}

/// The OpenID provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenIdConfig {
    /// As its discovery document says it, to the letter.
    pub issuer: String,
    /// What bearer tokens are for: the `aud` of one is one of these.
    pub audience: OneOrMore,
    /// Of the sign-in by a browser; without one there are bearer tokens alone.
    pub client_id: Option<String>,
    /// A file that holds the client's secret and nothing else.
    pub client_secret_file: Option<PathBuf>,
    /// The `tid` of every token, where the provider serves many tenants.
    pub tenant: Option<String>,
    #[serde(default = "roles_claim")]
    pub roles_claim: String,
    /// What a browser's sign-in asks the provider for.
    #[serde(default = "asked_scopes")]
    pub scopes: String,
    /// After how long a browser has to sign in again.
    #[serde(default = "session_minutes")]
    pub session_minutes: u32,
    /// Set by [`AccessConfig::read`].
    #[serde(skip)]
    pub client_secret: Option<SecretString>,
}

fn roles_claim() -> String {
    "roles".to_owned()
}

fn asked_scopes() -> String {
    "openid profile".to_owned()
}

const fn session_minutes() -> u32 {
    60
}

/// A text, or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

/// Whose figures whoever may see.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeConfig {
    /// The claim that limits a token: `reseller:ID` or `customer:ID`, one or a list.
    pub claim: Option<String>,
    /// Whoever has these roles alone, and no scope, is refused.
    #[serde(default)]
    pub required_for: Vec<Role>,
    /// A value of the roles claim or of `groups`, and what it limits to.
    #[serde(default)]
    pub of: BTreeMap<String, Vec<String>>,
}

/// What one client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests a second of one caller, in the long run.
    pub requests_per_second: u32,
    /// Requests of one caller at once, beyond that.
    pub burst: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { requests_per_second: 100, burst: 400 }
    }
}

impl AccessConfig {
    /// Reads an access file and the secret that it names; `secret` is that of the environment.
    ///
    /// # Errors
    /// What does not read, or contradicts itself, with its line where there is one.
    pub fn read(path: &Path, secret: Option<SecretString>) -> Result<Self, ConfigError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| ConfigError::Unread { path, source }
        };
        let text = fs::read_to_string(path).map_err(unread(path))?;
        let mut config = Self::parse(&text, path)?;
        if let Some(openid) = &mut config.openid {
            openid.client_secret = secret;
            if let Some(file) = &openid.client_secret_file {
                let held = fs::read_to_string(file).map_err(unread(file))?;
                openid.client_secret = Some(held.trim().into());
            }
        }
        Ok(config)
    }

    /// The same of a text; `path` is what a fault is said to be in.
    ///
    /// # Errors
    /// As [`AccessConfig::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        // The library's own text would show the line, and a line may hold what is secret.
        let config: Self = toml::from_str(text).map_err(|error: toml::de::Error| {
            let (line, column) = place(text, error.span());
            ConfigError::Malformed { path: path.to_owned(), line, column, message: error.message().to_owned() }
        })?;
        config.check().map_err(|what| ConfigError::Wrong { path: path.to_owned(), what })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(public) = &self.public_url {
            let url = web_address("public_url", public)?;
            if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
                return Err(format!("public_url `{public}` has a path; the service answers at the root of a name of its own"));
            }
        }
        if let Some(openid) = &self.openid {
            openid.check()?;
            if openid.client_id.is_some() && self.public_url.is_none() {
                return Err(
                    "openid.client_id is given, and public_url is not: the provider has to know where to send a browser back".to_owned()
                );
            }
        }
        for (value, texts) in &self.scope.of {
            Scope::parse(texts.iter().map(String::as_str)).map_err(|error| format!("scope.of.\"{value}\": {error}"))?;
        }
        if self.limits.requests_per_second == 0 || self.limits.burst == 0 {
            return Err("limits.requests_per_second and limits.burst are at least 1".to_owned());
        }
        Ok(())
    }

    /// `public_url`, where it is given.
    #[must_use]
    pub fn public(&self) -> Option<Url> {
        self.public_url.as_deref().and_then(|public| Url::parse(public).ok())
    }
}

impl OpenIdConfig {
    fn check(&self) -> Result<(), String> {
        web_address("openid.issuer", &self.issuer)?;
        if self.audience.as_slice().is_empty() || self.audience.as_slice().iter().any(String::is_empty) {
            return Err("openid.audience is empty; without it every token of the provider would do".to_owned());
        }
        if !(1..=SESSION_MAX_MINUTES).contains(&self.session_minutes) {
            return Err(format!("openid.session_minutes is {}, and must be 1 to {SESSION_MAX_MINUTES}", self.session_minutes));
        }
        if !self.scopes.split_whitespace().any(|scope| scope == "openid") {
            return Err(format!("openid.scopes is `{}`, and must hold `openid`", self.scopes));
        }
        Ok(())
    }
}

/// An address over TLS, or of this machine.
pub(super) fn web_address(name: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{name} `{text}` is no address: {error}"))?;
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(format!("{name} `{text}` must begin with https://; http:// is for loopback addresses alone")),
    }
}

/// Line and column of the beginning of a span, from 1.
fn place(text: &str, span: Option<Range<usize>>) -> (usize, usize) {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        AccessConfig::parse(text, Path::new("access.toml")).expect_err(text).to_string()
    }

    #[test]
    fn an_example_reads() {
        let text = include_str!("../../deploy/access.toml");
        let config = AccessConfig::parse(text, Path::new("access.toml")).expect("the example reads");
        assert!(config.openid.is_some() && !config.trusted_proxies.is_empty() && !config.roles.is_empty());
    }

    #[test]
    fn faults_name_their_line_and_show_no_secret() {
        let text =
            "public_url = \"https://a.example\"\n[openid]\nissuer = \"https://b.example\"\naudience = \"c\"\nclient_secret = \"hush\"\n";
        let said = wrong(text);
        assert!(said.starts_with("access.toml, line 5, column 1: unknown field `client_secret`"), "{said}");
        assert!(!said.contains("hush"));
        assert!(wrong("hide_money_from = [\"Sales\"]").contains("line 1"));
    }

    #[test]
    fn what_contradicts_itself_is_said() {
        let openid = "[openid]\nissuer = \"https://b.example\"\naudience = \"c\"\n";
        for (text, what) in [
            ("public_url = \"http://a.example\"".to_owned(), "must begin with https://"),
            ("public_url = \"https://a.example/churn\"".to_owned(), "has a path"),
            (format!("{openid}client_id = \"d\""), "public_url is not"),
            (format!("{openid}session_minutes = 0"), "session_minutes is 0"),
            (format!("{openid}scopes = \"profile\""), "must hold `openid`"),
            ("[scope.of]\n\"A\" = [\"b\"]".to_owned(), "is no scope"),
            ("[limits]\nburst = 0".to_owned(), "at least 1"),
        ] {
            assert!(wrong(&text).contains(what), "{text}: {}", wrong(&text));
        }
    }
}
