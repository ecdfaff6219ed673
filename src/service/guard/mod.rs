//! Who is let in: from the address and the credentials of a request to whoever sent it, and
//! whether they may do what they ask for.
//!
//! Absent on purpose: which operations there are (`operation.rs`), what a role or a token is
//! (`access/`), and what anybody sees (`views.rs`).

mod deeds;
mod hosts;
mod identity;
mod permit;
mod rate;
mod session;
mod sign_in;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::RequestHead;
use actix_web::{HttpMessage, HttpRequest, web};
use thiserror::Error;

use super::problem::Problem;
use crate::access::{AccessConfig, AuditLog, Caller, Clock, CodeFlow, KeyFile, Provider, ProviderError};
use deeds::Deeds;
use hosts::Hosts;
use identity::Known;
use rate::Rates;
use session::Sessions;

pub(super) use hosts::Addressed;
pub(super) use identity::{Identity, Visitor};
pub(super) use permit::{accepts_html, permit};
pub(super) use sign_in::routes;

/// Where a provider sends a browser back.
pub(super) const CALLBACK: &str = "/sign-in/callback";

/// Why nobody could be let in.
#[derive(Debug, Error)]
pub enum GuardError {
    #[error("nobody could sign in: the access file names no [openid] provider, and there is no key file (--keys)")]
    NobodyCould,
    #[error("the OpenID provider cannot be asked")]
    Provider(#[from] ProviderError),
}

/// How a service lets people in. Clones are of one guard.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
    /// Whether the port ends TLS itself.
    ends_tls: bool,
    /// Whether it is for others than this machine, and does not.
    plain_to_others: bool,
}

struct Inner {
    doors: Option<Doors>,
    deeds: Deeds,
    hosts: Hosts,
    rates: Rates,
}

/// By what people and jobs are known.
struct Doors {
    config: Arc<AccessConfig>,
    provider: Option<Arc<Provider>>,
    flow: Option<CodeFlow>,
    keys: Option<KeyFile>,
    sessions: Sessions,
    known: Known,
    clock: Clock,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("signs_in", &self.inner.doors.is_some()).finish_non_exhaustive()
    }
}

impl Guard {
    /// Whoever reaches the service may everything: for loopback addresses alone. What is written is
    /// recorded where there is a log.
    #[must_use]
    pub fn open(audit: Option<AuditLog>) -> Self {
        Self::of(None, Deeds::new(audit), Hosts::of(&AccessConfig::default()), Rates::none())
    }

    /// Whoever signs in by the provider of the access file, or has a key of the key file.
    ///
    /// # Errors
    /// Where there is neither.
    pub fn new(config: AccessConfig, keys: Option<KeyFile>, audit: AuditLog, clock: Clock) -> Result<Self, GuardError> {
        let config = Arc::new(config);
        let provider = Provider::new(Arc::clone(&config), clock).map_err(ProviderError::from)?.map(Arc::new);
        if provider.is_none() && keys.is_none() {
            return Err(GuardError::NobodyCould);
        }
        let public = config.public();
        let callback = public.as_ref().and_then(|public| public.join(CALLBACK).ok());
        let flow = provider.clone().zip(callback).and_then(|(provider, callback)| CodeFlow::new(provider, &callback));
        let is_secure = public.is_some_and(|public| public.scheme() == "https");
        let (hosts, rates) = (Hosts::of(&config), Rates::of(config.limits));
        let doors = Doors { provider, flow, keys, sessions: Sessions::new(is_secure), known: Known::new(), clock, config };
        Ok(Self::of(Some(doors), Deeds::new(Some(audit)), hosts, rates))
    }

    fn of(doors: Option<Doors>, deeds: Deeds, hosts: Hosts, rates: Rates) -> Self {
        Self { inner: Arc::new(Inner { doors, deeds, hosts, rates }), ends_tls: false, plain_to_others: false }
    }

    /// The same at a port, which ends TLS itself or does not.
    ///
    /// # Errors
    /// Why it may not listen there (`InvalidInput`), in a sentence.
    pub(super) fn listening(self, address: SocketAddr, ends_tls: bool) -> io::Result<Self> {
        let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if address.ip().is_loopback() {
            return Ok(Self { ends_tls, plain_to_others: false, ..self });
        }
        let Some(doors) = &self.inner.doors else {
            return refused(format!(
                "{} is not a loopback address: without sign-in anyone who reaches it could read every customer's figures; \
                 bind 127.0.0.1 or [::1], or give an access file (--access) with an OpenID provider, or a key file (--keys)",
                address.ip()
            ));
        };
        if !ends_tls && doors.config.trusted_proxies.is_empty() {
            return refused(format!(
                "{} is not a loopback address: without TLS anyone on the way could read tokens and figures; \
                 give --tls-certificate and --tls-key, or name the proxy that ends TLS in trusted_proxies of the access file",
                address.ip()
            ));
        }
        Ok(Self { ends_tls, plain_to_others: !ends_tls, ..self })
    }

    /// Where a request comes from, and whether it asks for us.
    pub(super) fn addressed(&self, head: &RequestHead) -> Addressed {
        self.inner.hosts.look(head, self.signs_in(), self.plain_to_others)
    }

    /// Whether people sign in at all.
    #[must_use]
    pub fn signs_in(&self) -> bool {
        self.inner.doors.is_some()
    }

    /// Whether browsers can sign in.
    pub(super) fn has_flow(&self) -> bool {
        self.inner.doors.as_ref().is_some_and(|doors| doors.flow.is_some())
    }

    /// Where the service is reached by https alone.
    pub(super) fn is_secure(&self) -> bool {
        self.ends_tls || self.inner.doors.as_ref().is_some_and(|doors| doors.sessions.is_secure())
    }
}

/// The guard of the service that a request came to.
///
/// # Errors
/// Every service is built with one; without one nobody is let in.
pub(super) fn of(request: &HttpRequest) -> Result<&Guard, Problem> {
    request.app_data::<web::Data<Guard>>().map(|guard| guard.as_ref()).ok_or(Problem::Panicked)
}

/// Whoever sent a request. An operation that anyone may has none.
///
/// # Errors
/// Where nobody is known, so that a route that was left unguarded answers nobody.
pub(super) fn caller(request: &HttpRequest) -> Result<Arc<Caller>, Problem> {
    match request.extensions().get::<Visitor>() {
        Some(Visitor { identity: Identity::Known(caller), .. }) => Ok(Arc::clone(caller)),
        _ => Err(Problem::Unknown { why: None }),
    }
}
