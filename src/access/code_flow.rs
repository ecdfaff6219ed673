//! The authorization code flow with PKCE, by which a browser signs in (RFC 6749, RFC 7636, OpenID
//! Connect Core 1.0).
//!
//! Absent on purpose: cookies and redirects, which are the service's.

use std::sync::Arc;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

use super::caller::Caller;
use super::fetch::FetchError;
use super::provider::{Discovered, Provider, ProviderError};

/// Why a sign-in does not begin or does not end well.
#[derive(Debug, Error)]
pub enum FlowError {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("browsers cannot sign in here: the access file has no openid.client_id")]
    NoClient,
    #[error("the OpenID provider names no {0}, so browsers cannot sign in by it")]
    NoEndpoint(&'static str),
    #[error("the OpenID provider does not take the code: {0}")]
    CodeRefused(String),
    #[error("the OpenID provider gives no ID token")]
    NoIdToken,
}

/// A sign-in that has begun. All but the address is kept by the browser, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Where the browser goes.
    #[serde(skip)]
    pub address: String,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// What comes with an access token in answer to a code.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct WithIdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for WithIdToken {}

type OfCode = Client<
    BasicErrorResponse,
    StandardTokenResponse<WithIdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The sign-in of browsers by one provider.
#[derive(Debug)]
pub struct CodeFlow {
    provider: Arc<Provider>,
    client_id: String,
    redirect: RedirectUrl,
}

impl CodeFlow {
    /// `redirect` is the address to which the provider sends browsers back; none where the access
    /// file has no client.
    #[must_use]
    pub fn new(provider: Arc<Provider>, redirect: &Url) -> Option<Self> {
        let client_id = provider.openid.client_id.clone()?;
        Some(Self { provider, client_id, redirect: RedirectUrl::from_url(redirect.clone()) })
    }

    fn client(&self, discovered: &Discovered) -> Result<OfCode, FlowError> {
        let address = |name, address: &Option<String>| address.clone().ok_or(FlowError::NoEndpoint(name));
        let authorization = address("authorization_endpoint", &discovered.authorization_endpoint)?;
        let token = address("token_endpoint", &discovered.token_endpoint)?;
        let mut client = Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_uri(AuthUrl::new(authorization).map_err(|_| FlowError::NoEndpoint("authorization_endpoint"))?)
            .set_token_uri(TokenUrl::new(token).map_err(|_| FlowError::NoEndpoint("token_endpoint"))?)
            .set_redirect_uri(self.redirect.clone());
        if let Some(secret) = &self.provider.openid.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        Ok(client)
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// Where the provider was never reached, or does not do this.
    pub async fn start(&self) -> Result<Started, FlowError> {
        let known = self.provider.known().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random().into_secret();
        let client = self.client(&known.discovered)?;
        let asked = self.provider.openid.scopes.split_whitespace().map(|scope| Scope::new(scope.to_owned()));
        let (address, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(asked)
            .add_extra_param("nonce", nonce.clone())
            .set_pkce_challenge(challenge)
            .url();
        Ok(Started { address: address.into(), state: state.into_secret(), nonce, verifier: verifier.into_secret() })
    }

    /// Ends a sign-in: whoever the code stands for.
    ///
    /// # Errors
    /// Where the provider does not take the code, or what it gives is not for us.
    pub async fn finish(&self, started: &Started, code: String) -> Result<Caller, FlowError> {
        let known = self.provider.known().await?;
        let client = self.client(&known.discovered)?;
        let exchange = |request| self.provider.fetch.exchange(request);
        let request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(PkceCodeVerifier::new(started.verifier.clone()));
        let answer = request.request_async(&exchange).await.map_err(refused)?;
        let id_token = answer.extra_fields().id_token.as_ref().ok_or(FlowError::NoIdToken)?;
        Ok(self.provider.signed_in(id_token, &self.client_id, &started.nonce).await?)
    }

    /// Where a browser goes that signs out, to be sent on to `back`; none where the provider has
    /// no such place (OpenID Connect RP-Initiated Logout 1.0).
    pub async fn sign_out(&self, back: &Url) -> Option<Url> {
        let known = self.provider.known().await.ok()?;
        let mut address = Url::parse(known.discovered.end_session_endpoint.as_deref()?).ok()?;
        address.query_pairs_mut().append_pair("client_id", &self.client_id).append_pair("post_logout_redirect_uri", back.as_str());
        Some(address)
    }
}

/// Without what the provider was sent.
fn refused(error: RequestTokenError<FetchError, BasicErrorResponse>) -> FlowError {
    match error {
        RequestTokenError::Request(error) => FlowError::Provider(error.into()),
        RequestTokenError::ServerResponse(said) => FlowError::CodeRefused(said.error().to_string()),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => FlowError::CodeRefused("its answer does not read".to_owned()),
    }
}
