//! An OpenID provider: what it says of itself (OpenID Connect Discovery 1.0), its keys, and the
//! tokens that it has signed.
//!
//! Keys are looked for anew every minute, and at once for a token whose key is not known, though
//! never more often than every few seconds: tokens cost nothing to make up. While the provider is
//! away the keys last known serve on for a day.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;

use super::Clock;
use super::caller::{Caller, Credential};
use super::claims::{Claims, Refused};
use super::config::{AccessConfig, OpenIdConfig, web_address};
use super::fetch::{Fetch, FetchError};
use super::token::{Key, TokenError, Wanted, check, expiry, keys};

/// Seconds after which the keys are looked for anew.
const FRESH_SECONDS: i64 = 60;

/// Seconds between two looks, whoever asks for them.
const LOOK_AT_MOST_EVERY_SECONDS: i64 = 4;

/// Seconds for which keys serve on while the provider is away.
const STALE_SECONDS: i64 = 24 * 60 * 60;

/// Why a token is nobody's.
#[derive(Debug, Error)]
pub enum ProviderError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the OpenID provider says that its issuer is `{said}`; the access file says `{configured}`")]
    OtherIssuer { said: String, configured: String },
    #[error("the OpenID provider's discovery document does not read: {0}")]
    Discovery(String),
    #[error("the OpenID provider has not answered yet")]
    NeverReached,
    #[error("the OpenID provider has not answered for a day, so its keys are taken no more")]
    TooStale,
}

/// What a provider says of itself, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Discovered {
    issuer: String,
    jwks_uri: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) end_session_endpoint: Option<String>,
}

/// What is known of a provider at one moment.
pub(super) struct Known {
    pub(super) discovered: Discovered,
    published: Value,
    keys: Vec<Key>,
    /// Counts the sets of keys that differed.
    generation: u64,
    looked_at: i64,
}

/// An OpenID provider.
pub struct Provider {
    config: Arc<AccessConfig>,
    pub(super) openid: OpenIdConfig,
    pub(super) fetch: Fetch,
    clock: Clock,
    known: ArcSwapOption<Known>,
    looking: Mutex<()>,
    last_look: AtomicI64,
    generations: AtomicU64,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.openid.issuer).finish_non_exhaustive()
    }
}

impl Provider {
    /// The provider of an access file; none where it names none. Nothing is asked of it yet.
    ///
    /// # Errors
    /// Where no connection could ever be made.
    pub fn new(config: Arc<AccessConfig>, clock: Clock) -> Result<Option<Self>, FetchError> {
        let Some(openid) = config.openid.clone() else { return Ok(None) };
        let provider = Self {
            config,
            openid,
            fetch: Fetch::new()?,
            clock,
            known: ArcSwapOption::empty(),
            looking: Mutex::new(()),
            last_look: AtomicI64::new(i64::MIN),
            generations: AtomicU64::new(0),
        };
        Ok(Some(provider))
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        (self.clock)().timestamp()
    }

    /// Tells two sets of keys apart: what was found genuine under one has to be looked at again
    /// under another.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generations.load(Ordering::Acquire)
    }

    /// Whoever bears a token of the provider that is for this service.
    ///
    /// # Errors
    /// What is wrong with the token or its bearer, and where the provider was never reached.
    pub async fn bearer(self: &Arc<Self>, token: &str) -> Result<Caller, ProviderError> {
        let claims = self.claims(token, self.openid.audience.as_slice()).await?;
        // An ID token says who signed in, to whoever led the sign-in; it is no ticket for others.
        if claims.contains_key("nonce") {
            return Err(TokenError::Audience.into());
        }
        let until = expiry(&claims).unwrap_or_default();
        Ok(self.config.caller(&claims, Credential::Token, until)?)
    }

    /// Whoever has just signed in by a browser, as the ID token says.
    ///
    /// # Errors
    /// As [`Provider::bearer`].
    pub(super) async fn signed_in(self: &Arc<Self>, id_token: &str, client_id: &str, nonce: &str) -> Result<Caller, ProviderError> {
        let claims = self.claims(id_token, &[client_id.to_owned()]).await?;
        if claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return Err(TokenError::Nonce.into());
        }
        // OpenID Connect Core 1.0, 3.1.3.7: whom it was issued to, where that is said.
        if claims.get("azp").is_some_and(|azp| azp.as_str() != Some(client_id)) {
            return Err(TokenError::Audience.into());
        }
        let until = self.now() + i64::from(self.openid.session_minutes) * 60;
        Ok(self.config.caller(&claims, Credential::Session, until)?)
    }

    async fn claims(self: &Arc<Self>, token: &str, audience: &[String]) -> Result<Claims, ProviderError> {
        let known = self.known().await?;
        let wanted = Wanted { issuer: &self.openid.issuer, audience, tenant: self.openid.tenant.as_deref(), now: self.now() };
        match check(token, &known.keys, wanted) {
            Err(TokenError::UnknownKey) => {}
            checked => return Ok(checked?),
        }
        // The provider may have begun to sign by another key.
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "the OpenID provider's keys cannot be looked for");
        }
        let known = self.known().await?;
        Ok(check(token, &known.keys, wanted)?)
    }

    /// What is known of the provider; it is asked where nothing is, and aside where that is old.
    pub(super) async fn known(self: &Arc<Self>) -> Result<Arc<Known>, ProviderError> {
        let Some(known) = self.known.load_full() else {
            self.look().await?;
            return self.known.load_full().ok_or(ProviderError::NeverReached);
        };
        match self.now() - known.looked_at {
            age if age > STALE_SECONDS => {
                self.look().await?;
                self.known.load_full().filter(|known| self.now() - known.looked_at <= STALE_SECONDS).ok_or(ProviderError::TooStale)
            }
            _ => {
                self.freshen(&known);
                Ok(known)
            }
        }
    }

    fn may_look(&self) -> bool {
        self.now().saturating_sub(self.last_look.load(Ordering::Acquire)) >= LOOK_AT_MOST_EVERY_SECONDS
    }

    /// Asks the provider, unless that was done just now. Those who come meanwhile wait for it.
    async fn look(&self) -> Result<(), ProviderError> {
        let _turn = self.looking.lock().await;
        if !self.may_look() {
            return Ok(());
        }
        let asked = self.ask().await;
        // Those who waited for this look take what came of it.
        self.last_look.store(self.now(), Ordering::Release);
        let (discovered, published) = asked?;
        let before = self.known.load();
        let same = before.as_ref().is_some_and(|before| before.published == published);
        let generation = if same { self.generation() } else { self.generation() + 1 };
        let known = Known { keys: keys(&published), discovered, published, generation, looked_at: self.now() };
        if !same {
            tracing::info!(issuer = self.openid.issuer, keys = known.keys.len(), "the OpenID provider's keys are taken");
        }
        self.generations.store(known.generation, Ordering::Release);
        self.known.store(Some(Arc::new(known)));
        Ok(())
    }

    async fn ask(&self) -> Result<(Discovered, Value), ProviderError> {
        let discovered = self.discover().await?;
        let published = self.fetch.json(&discovered.jwks_uri).await?;
        Ok((discovered, published))
    }

    /// Whether tokens that were found genuine are still believed; the keys are looked for anew aside
    /// where those known are old.
    pub fn believes(self: &Arc<Self>) -> bool {
        let Some(known) = self.known.load_full() else { return false };
        self.freshen(&known);
        self.now() - known.looked_at <= STALE_SECONDS
    }

    fn freshen(self: &Arc<Self>, known: &Known) {
        if self.now() - known.looked_at < FRESH_SECONDS || !self.may_look() || self.looking.try_lock().is_err() {
            return;
        }
        let provider = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = provider.look().await {
                tracing::warn!(%error, "the OpenID provider's keys cannot be looked for; those last known serve on");
            }
        });
    }

    async fn discover(&self) -> Result<Discovered, ProviderError> {
        let configured = &self.openid.issuer;
        let address = format!("{}/.well-known/openid-configuration", configured.trim_end_matches('/'));
        let document = self.fetch.json(&address).await?;
        let discovered: Discovered = serde_json::from_value(document).map_err(|error| ProviderError::Discovery(error.to_string()))?;
        if discovered.issuer != *configured {
            return Err(ProviderError::OtherIssuer { said: discovered.issuer, configured: configured.clone() });
        }
        let Discovered { issuer: _, jwks_uri, authorization_endpoint, token_endpoint, end_session_endpoint } = &discovered;
        let others = [authorization_endpoint, token_endpoint, end_session_endpoint].into_iter().flatten();
        for address in others.chain([jwks_uri]) {
            web_address("an address in it", address).map_err(ProviderError::Discovery)?;
        }
        Ok(discovered)
    }
}
