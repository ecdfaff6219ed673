//! What is asked of the OpenID provider: bounded in time and size, and no redirect followed.

use std::time::Duration;

use oauth2::http::{Request, Response};
use reqwest::{Client, redirect};
use serde_json::Value;
use thiserror::Error;

/// Within this an answer has to have come whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// Largest answer; key sets of the largest providers have some 20 KiB.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// Why the provider does not answer.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("the OpenID provider does not answer: {0}")]
    Unreachable(String),
    #[error("the OpenID provider answers {path} with status {status}")]
    Status { path: String, status: u16 },
    #[error("the OpenID provider answers with more than {ANSWER_MAX_BYTES} bytes")]
    TooLarge,
    #[error("the OpenID provider answers {path} with something else than JSON")]
    NotJson { path: String },
}

/// A client for one provider.
#[derive(Debug, Clone)]
pub(super) struct Fetch(Client);

impl Fetch {
    /// # Errors
    /// Where the system has no certificates to begin with.
    pub(super) fn new() -> Result<Self, FetchError> {
        let client = Client::builder().timeout(ANSWER_WITHIN).connect_timeout(CONNECTED_WITHIN).redirect(redirect::Policy::none());
        client.build().map(Self).map_err(|error| unreachable(&error))
    }

    /// The JSON at an address.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) async fn json(&self, address: &str) -> Result<Value, FetchError> {
        let response = self.0.get(address).send().await.map_err(|error| unreachable(&error))?;
        let (path, status) = (response.url().path().to_owned(), response.status().as_u16());
        if status != 200 {
            return Err(FetchError::Status { path, status });
        }
        serde_json::from_slice(&whole(response).await?).map_err(|_| FetchError::NotJson { path })
    }

    /// One exchange of OAuth 2.
    ///
    /// # Errors
    /// Where the provider does not answer.
    pub(super) async fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        let (parts, body) = request.into_parts();
        let asked = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        let response = asked.send().await.map_err(|error| unreachable(&error))?;
        let mut answer = Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.extend(response.headers().clone());
        }
        let body = whole(response).await?;
        answer.body(body).map_err(|error| FetchError::Unreachable(error.to_string()))
    }
}

async fn whole(mut response: reqwest::Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + piece.len() > ANSWER_MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// In words, without the address: one of the code flow could hold a code.
fn unreachable(error: &reqwest::Error) -> FetchError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    FetchError::Unreachable(if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() })
}
