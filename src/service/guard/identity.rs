//! From the credentials of a request to whoever sent it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::super::places::Whose;
use super::{Doors, Guard};
use crate::access::{Caller, Credential, KeyFile, Provider, ProviderError, Refused};
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
pub(in crate::service) enum Given {
    Bearer(String),
    Session(String),
}

/// What is seen of who sent a request before anybody is asked.
pub(in crate::service) enum Seen {
    Known(Arc<Caller>),
    /// It is plain what they are.
    Plain(Identity),
    /// A credential that was not seen before.
    New {
        given: Given,
        digest: [u8; 32],
    },
}

impl Guard {
    /// What can be seen of who sent a request without asking the provider.
    pub(in crate::service) fn recognise(&self, request: &HttpRequest) -> Seen {
        let Some(doors) = &self.inner.doors else { return Seen::Known(Arc::new(Caller::local())) };
        let given = match doors.given(request) {
            Ok(Some(given)) => given,
            Ok(None) => return Seen::Plain(Identity::Nobody),
            Err(why) => return Seen::Plain(Identity::Rejected(why.to_owned())),
        };
        // A key is looked up each time: it may be revoked.
        if let Given::Bearer(text) = &given
            && KeyFile::is_key(text)
        {
            return match doors.by_key(text) {
                Identity::Known(caller) => Seen::Known(caller),
                other => Seen::Plain(other),
            };
        }
        let digest = given.digest();
        match doors.remembered(&digest) {
            Some(caller) => Seen::Known(caller),
            None => Seen::New { given, digest },
        }
    }

    /// Counts a request of a caller, or of an address of which no caller is known.
    ///
    /// # Errors
    /// When they may ask again.
    pub(in crate::service) fn counted(&self, seen: &Seen, from: IpAddr) -> Result<(), Duration> {
        match seen {
            Seen::Known(caller) => self.inner.rates.caller(&caller.who),
            Seen::Plain(_) | Seen::New { .. } => self.inner.rates.address(from),
        }
    }

    /// Whose place a request takes.
    pub(in crate::service) fn whose(&self, seen: &Seen, from: IpAddr) -> Whose {
        match seen {
            Seen::Known(caller) => self.own(caller),
            Seen::Plain(_) | Seen::New { .. } => Whose::Stranger(self.inner.rates.address_number(from)),
        }
    }

    /// Whose places are those of a caller.
    pub(in crate::service) fn own(&self, caller: &Caller) -> Whose {
        match caller.by {
            Credential::Loopback => Whose::Local,
            _ => Whose::Caller(self.inner.rates.number(caller.who.as_bytes())),
        }
    }

    /// Whoever sent a request.
    pub(in crate::service) async fn identify(&self, seen: Seen) -> Identity {
        match (seen, &self.inner.doors) {
            (Seen::Known(caller), _) => Identity::Known(caller),
            (Seen::Plain(identity), _) => identity,
            (Seen::New { given, digest }, Some(doors)) => doors.look_at(&given, digest).await,
            (Seen::New { .. }, None) => Identity::Nobody,
        }
    }
}

impl Given {
    /// What is found genuine as a token is none as a cookie, which browsers add by themselves.
    fn digest(&self) -> [u8; 32] {
        let (kind, text) = match self {
            Self::Bearer(text) => (b"b", text),
            Self::Session(text) => (b"s", text),
        };
        Sha256::new().chain_update(kind).chain_update(text.as_bytes()).finalize().into()
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
        let is_token = found.caller.by == Credential::Token;
        let believed = |provider: &Arc<Provider>| provider.generation() == found.generation && provider.believes();
        let same_keys = !is_token || self.provider.as_ref().is_some_and(believed);
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
            Ok(Some(caller)) => match self.config.needs_scope(caller.roles, &caller.view.scope) {
                Ok(()) => Identity::Known(Arc::new(caller)),
                Err(refused) => Identity::Refused(refused),
            },
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
