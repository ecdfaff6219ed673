//! From the credentials of a request to whoever sent it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::{Doors, Guard};
use crate::access::{Caller, KeyFile, Provider, ProviderError, Refused};
use crate::domain::chain;

/// Credentials that are remembered as found genuine.
const REMEMBERED: usize = 10_000;

/// Longest text of a credential: a token beyond it is refused unread.
const CREDENTIAL_MAX_BYTES: usize = 16 << 10;

/// Whoever sent a request, as far as their credentials tell.
#[derive(Debug, Clone)]
pub(in crate::service) enum Identity {
    Known(Arc<Caller>),
    /// Without any credentials.
    Nobody,
    /// With credentials that hold not, or no more.
    Rejected(String),
    /// Known, and without a role or a scope that could be read.
    Refused(Refused),
    /// Nobody can tell: the provider or the key file is out of reach.
    Unclear(String),
}

/// Who sent a request, and from where.
#[derive(Debug, Clone)]
pub(in crate::service) struct Visitor {
    pub(in crate::service) identity: Identity,
    pub(in crate::service) from: IpAddr,
}

/// A credential that was found genuine.
#[derive(Debug)]
struct Remembered {
    caller: Arc<Caller>,
    /// Of the provider's keys, for a token.
    generation: u64,
    /// Of a session.
    session: Option<String>,
}

/// What was found genuine, by its SHA-256: the credentials themselves are kept nowhere.
pub(super) struct Known(Cache<[u8; 32], Arc<Remembered>>);

impl Known {
    pub(super) fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

/// How a credential is given.
enum Given {
    Bearer(String),
    Session(String),
}

impl Guard {
    /// Whoever sent a request that comes from `from`.
    ///
    /// # Errors
    /// When they may ask again, where they ask too often.
    pub(in crate::service) async fn identify(&self, request: &HttpRequest, from: IpAddr) -> Result<Identity, Duration> {
        let Some(doors) = &self.0.doors else { return Ok(Identity::Known(Arc::new(Caller::local()))) };
        let given = match doors.given(request) {
            Ok(given) => given,
            Err(why) => {
                self.0.rates.address(from)?;
                return Ok(Identity::Rejected(why.to_owned()));
            }
        };
        let Some(given) = given else {
            self.0.rates.address(from)?;
            return Ok(Identity::Nobody);
        };
        let (Given::Bearer(text) | Given::Session(text)) = &given;
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if let Some(caller) = doors.remembered(&digest) {
            self.0.rates.caller(&caller.who)?;
            return Ok(Identity::Known(caller));
        }
        // What is not known yet costs more to look at.
        self.0.rates.address(from)?;
        let identity = doors.look_at(&given, digest).await;
        if let Identity::Known(caller) = &identity {
            self.0.rates.caller(&caller.who)?;
        }
        Ok(identity)
    }
}

impl Doors {
    pub(super) fn now(&self) -> i64 {
        (self.clock)().timestamp()
    }

    /// The credentials of a request: a bearer token counts before a cookie, which browsers add by
    /// themselves.
    fn given(&self, request: &HttpRequest) -> Result<Option<Given>, &'static str> {
        let mut authorizations = request.headers().get_all(header::AUTHORIZATION);
        if let Some(authorization) = authorizations.next() {
            if authorizations.next().is_some() {
                return Err("there are two Authorization headers");
            }
            let text = authorization.to_str().map_err(|_| "the Authorization header is no plain text")?;
            let bearer = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let (_, token) = bearer.ok_or("the Authorization header must read `Bearer` and a token or key")?;
            if token.len() > CREDENTIAL_MAX_BYTES {
                return Err("the token is too long");
            }
            return Ok(Some(Given::Bearer(token.trim().to_owned())));
        }
        Ok(self.sessions.text(request).map(Given::Session))
    }

    /// Whoever a credential is of that was found genuine before and still is.
    fn remembered(&self, digest: &[u8; 32]) -> Option<Arc<Caller>> {
        let found = self.known.0.get(digest)?;
        let holds = found.caller.until.is_none_or(|until| self.now() < until);
        let same_keys = self.provider.as_ref().is_none_or(|provider| provider.generation() == found.generation);
        let ended = found.session.as_ref().is_some_and(|id| self.sessions.has_ended(id));
        if holds && same_keys && !ended {
            return Some(Arc::clone(&found.caller));
        }
        self.known.0.remove(digest);
        None
    }

    async fn look_at(&self, given: &Given, digest: [u8; 32]) -> Identity {
        let generation = self.provider.as_ref().map_or(0, |provider| provider.generation());
        match given {
            // A key is looked up each time: it may be revoked.
            Given::Bearer(text) if KeyFile::is_key(text) => self.by_key(text),
            Given::Bearer(text) => {
                let Some(provider) = &self.provider else { return Identity::Rejected("only API keys are taken here".to_owned()) };
                let identity = by_token(provider, text).await;
                if let Identity::Known(caller) = &identity {
                    // The keys as they were before: where they changed meanwhile, it is looked at again.
                    let remembered = Remembered { caller: Arc::clone(caller), generation, session: None };
                    self.known.0.insert(digest, Arc::new(remembered));
                }
                identity
            }
            Given::Session(text) => match self.sessions.caller(text, &self.config, self.now()) {
                Some((caller, session)) => {
                    let caller = Arc::new(caller);
                    let remembered = Remembered { caller: Arc::clone(&caller), generation, session: Some(session) };
                    self.known.0.insert(digest, Arc::new(remembered));
                    Identity::Known(caller)
                }
                None => Identity::Rejected("the session is over".to_owned()),
            },
        }
    }

    fn by_key(&self, text: &str) -> Identity {
        let Some(keys) = &self.keys else { return Identity::Rejected("no API keys are taken here".to_owned()) };
        match keys.caller(text, &self.config, (self.clock)()) {
            Ok(Some(caller)) => Identity::Known(Arc::new(caller)),
            Ok(None) => Identity::Rejected("the API key is unknown, revoked or expired".to_owned()),
            Err(error) => {
                tracing::error!(error = chain(&error), "API keys cannot be looked up");
                Identity::Unclear("API keys cannot be looked up".to_owned())
            }
        }
    }
}

async fn by_token(provider: &Arc<Provider>, text: &str) -> Identity {
    match provider.bearer(text).await {
        Ok(caller) => Identity::Known(Arc::new(caller)),
        Err(ProviderError::Token(error)) => Identity::Rejected(error.to_string()),
        Err(ProviderError::Refused(refused)) => Identity::Refused(refused),
        Err(error) => {
            tracing::error!(error = chain(&error), "tokens cannot be looked at");
            Identity::Unclear("the OpenID provider is out of reach".to_owned())
        }
    }
}

impl Identity {
    /// Whom the audit log names.
    pub(super) fn who(&self) -> &str {
        match self {
            Self::Known(caller) => &caller.who,
            _ => "-",
        }
    }
}
