//! One service, asked politely: tokens renewed, attempts bounded, `Retry-After` obeyed, answers of
//! bounded length, no redirect followed, no secret in a message.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use serde_json::Value;
use url::Url;

use super::address::shown;
use super::backoff::{ATTEMPTS_MAX, Backoff, retry_after, seconds};
use super::said::Hidden;
use super::secret::Secret;
use super::token::{Credentials, Token, default_scope};
use super::{Address, Clock, PullError, PullSetup};
use crate::domain::chain;
use crate::progress::Progress;

/// A service that takes longer to be reached, or says nothing for longer, is asked again.
const CONNECT_SECONDS: u64 = 30;
const SILENCE_SECONDS: u64 = 120;

/// Of the answers that say how something stands: tokens, operations, refusals.
pub(super) const ANSWER_MAX_BYTES: u64 = 1 << 20;

/// A service and what is known of it: the token, and what must not be shown.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    pub(super) api: Address,
    authority: Address,
    credentials: Credentials,
    scope: String,
    token: Option<Token>,
    hidden: Hidden,
    clock: Arc<dyn Clock>,
    /// In seconds from 1970-01-01 UTC, and as the operator has told it.
    ends_at: u64,
    deadline: Duration,
    backoff: Backoff,
    pub(super) progress: Progress,
}

/// A request. Its `Debug` is what may stand in a message.
pub(super) struct Ask {
    method: Method,
    url: Url,
    body: Option<(&'static str, Secret)>,
    /// Whether it carries the token: requests to the service do, those to storage do not.
    bearer: bool,
}

/// An answer, whatever its status but those that pass by themselves.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// Why an answer was not read to its end.
pub(super) enum Trouble {
    /// It may go well another time.
    Again(String),
    End(PullError),
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())
    }
}

impl Ask {
    pub(super) const fn get(url: Url) -> Self {
        Self { method: Method::GET, url, body: None, bearer: true }
    }

    pub(super) fn post(url: Url, body: &Value) -> Self {
        Self { method: Method::POST, url, body: Some(("application/json", Secret::new(body.to_string()))), bearer: true }
    }

    /// A file whose address is its own permission.
    pub(super) const fn storage(url: Url) -> Self {
        Self { method: Method::GET, url, body: None, bearer: false }
    }

    fn token(url: Url, form: Secret) -> Self {
        Self { method: Method::POST, url, body: Some(("application/x-www-form-urlencoded", form)), bearer: false }
    }

    /// What is asked, as it may stand in a message.
    pub(super) fn what(&self) -> String {
        format!("{} {}", self.method, shown(&self.url))
    }
}

impl Client {
    pub(super) fn new(setup: &PullSetup) -> Result<Self, PullError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("churn-risk/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .read_timeout(Duration::from_secs(SILENCE_SECONDS));
        if setup.api.is_loopback() {
            // A proxy cannot reach this machine; and where it speaks no TLS, a system without
            // certificates will do.
            builder = builder.no_proxy();
            if !setup.api.is_encrypted() {
                builder = builder.tls_certs_only([]);
            }
        }
        let http = builder.build().map_err(|error| PullError::Client { reason: chain(&error) })?;
        let mut hidden = Hidden::default();
        setup.credentials.secrets().for_each(|secret| hidden.add(secret));
        Ok(Self {
            http,
            api: setup.api.clone(),
            authority: setup.authority.clone(),
            credentials: setup.credentials.clone(),
            scope: setup.scope.clone().unwrap_or_else(|| default_scope(&setup.api.origin())),
            token: None,
            hidden,
            clock: Arc::clone(&setup.clock),
            ends_at: setup.clock.epoch_seconds().saturating_add(setup.deadline.as_secs()),
            deadline: setup.deadline,
            backoff: setup.backoff,
            progress: setup.progress,
        })
    }

    /// Asks, and reads the answer whole.
    pub(super) async fn answer(&mut self, ask: &Ask, max: u64) -> Result<Answer, PullError> {
        let (what, now) = (ask.what(), self.now());
        self.exchange(ask, async |response| read(response, &what, max, now).await).await
    }

    /// Asks, and has `read` read the answer, which may be a part of it when an attempt fails: it
    /// is called anew for each attempt.
    pub(super) async fn exchange<T>(
        &mut self,
        ask: &Ask,
        mut read: impl AsyncFnMut(Response) -> Result<T, Trouble>,
    ) -> Result<T, PullError> {
        let what = ask.what();
        let (mut attempts, mut renewed) = (0, false);
        loop {
            self.in_time(&what, Duration::ZERO)?;
            attempts += 1;
            let (reason, after) = match self.send(ask).await? {
                Err(reason) => (reason, None),
                Ok(response) if response.status().as_u16() == 401 && ask.bearer && !renewed => {
                    renewed = true;
                    attempts -= 1;
                    self.token = None;
                    continue;
                }
                Ok(response) if passes_by_itself(response.status().as_u16()) => {
                    let after = header(response.headers(), &RETRY_AFTER).and_then(|told| retry_after(&told, self.now()));
                    (format!("status {}", response.status().as_u16()), after)
                }
                Ok(response) => match read(response).await {
                    Ok(value) => return Ok(value),
                    Err(Trouble::End(error)) => return Err(error),
                    Err(Trouble::Again(reason)) => (self.hidden.clean(&reason), None),
                },
            };
            if attempts >= ATTEMPTS_MAX {
                return Err(PullError::Unanswered { what, attempts, reason });
            }
            let wait = after.unwrap_or_else(|| self.backoff.wait(attempts));
            self.progress.line(&format!("{what}: {reason}; again in {}", seconds(wait)));
            self.wait(&what, wait).await?;
        }
    }

    /// Sends once. The inner error is why nobody answered.
    async fn send(&mut self, ask: &Ask) -> Result<Result<Response, String>, PullError> {
        let mut request = self.http.request(ask.method.clone(), ask.url.clone());
        if ask.bearer {
            // A token is asked for as anything else is, through this very function.
            let token = Box::pin(self.fresh_token()).await?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
                .map_err(|_| PullError::Answer { what: "the token".to_owned(), reason: "no header can carry it".to_owned() })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value).header(ACCEPT, "application/json");
        }
        if let Some((kind, body)) = &ask.body {
            request = request.header(CONTENT_TYPE, *kind).body(body.reveal().to_owned());
        }
        Ok(request.send().await.map_err(|error| self.hidden.clean(&lost(error))))
    }

    async fn fresh_token(&mut self) -> Result<Secret, PullError> {
        if let Some(token) = self.token.as_ref().filter(|token| token.is_good(self.now())) {
            return Ok(token.secret.clone());
        }
        let url = self.authority.below(&[&self.credentials.tenant, "oauth2", "v2.0", "token"]);
        let ask = Ask::token(url, self.credentials.form(&self.scope));
        let answer = self.answer(&ask, ANSWER_MAX_BYTES).await?;
        let token = Token::read(&answer.body, self.now()).filter(|_| answer.status == 200);
        let Some(token) = token else {
            let said = if answer.status == 200 { ": the answer brings none".to_owned() } else { self.hidden.said(&answer.body) };
            return Err(PullError::NoToken { authority: self.authority.origin(), status: answer.status, said });
        };
        self.hidden.add(&token.secret);
        let secret = token.secret.clone();
        self.token = Some(token);
        Ok(secret)
    }

    /// Waits, unless the deadline would be over by then.
    pub(super) async fn wait(&self, what: &str, span: Duration) -> Result<(), PullError> {
        self.in_time(what, span)?;
        self.clock.wait(span).await;
        Ok(())
    }

    fn in_time(&self, what: &str, after: Duration) -> Result<(), PullError> {
        if self.now().saturating_add(after.as_secs()) < self.ends_at {
            return Ok(());
        }
        Err(PullError::Deadline { what: what.to_owned(), seconds: self.deadline.as_secs() })
    }

    /// Whether the deadline has gone by, for whoever reads a long answer.
    pub(super) fn alarm(&self, what: &str) -> impl Fn() -> Result<(), PullError> + use<> {
        let (clock, ends_at, seconds, what) = (Arc::clone(&self.clock), self.ends_at, self.deadline.as_secs(), what.to_owned());
        move || {
            if clock.epoch_seconds() < ends_at { Ok(()) } else { Err(PullError::Deadline { what: what.clone(), seconds }) }
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.epoch_seconds()
    }

    /// Hides a shared access signature in every message from here on: the whole, and the part of
    /// it that is the signature proper.
    pub(super) fn hide_signature(&mut self, signature: &Secret) {
        self.hidden.add(signature);
        for (name, value) in url::form_urlencoded::parse(signature.reveal().as_bytes()) {
            if name == "sig" {
                self.hidden.add(&Secret::new(value));
            }
        }
    }

    /// An answer that refuses, as an error.
    pub(super) fn refusal(&self, ask: &Ask, status: u16, body: &[u8]) -> PullError {
        PullError::Refused { what: ask.what(), status, said: self.hidden.said(body) }
    }

    pub(super) fn quoted(&self, words: &str) -> String {
        self.hidden.quoted(words)
    }
}

/// Statuses that say "later": timeouts, too many requests, and whatever is the service's fault.
const fn passes_by_itself(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

/// The answer and its body.
async fn read(response: Response, what: &str, max: u64, now: u64) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    let location = header(response.headers(), &LOCATION);
    let retry_after = header(response.headers(), &RETRY_AFTER).and_then(|told| retry_after(&told, now));
    Ok(Answer { status, location, retry_after, body: body(response, what, max).await? })
}

/// A body of bounded length.
pub(super) async fn body(mut response: Response, what: &str, max: u64) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Trouble::Again(lost(error)))? {
        if (body.len() + chunk.len()) as u64 > max {
            return Err(Trouble::End(PullError::TooLong { what: what.to_owned(), max }));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Why nobody answered, without the address: its query can be a signature.
pub(super) fn lost(error: reqwest::Error) -> String {
    chain(&error.without_url())
}
