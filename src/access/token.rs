//! Whether a token is what it says: signed by a key of the provider, for us, now.
//!
//! Absent on purpose: where the keys come from, and what the bearer may do.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use thiserror::Error;

use super::claims::Claims;

/// Longest token that is looked at: three times what the largest providers give.
const TOKEN_MAX_BYTES: usize = 8 << 10;

/// Seconds by which two clocks may differ.
const LEEWAY_SECONDS: i64 = 30;

/// Most keys of a provider that are taken.
const KEYS_MAX: usize = 64;

/// Longest subject and name.
const TEXT_MAX_BYTES: usize = 256;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("the token is longer than {TOKEN_MAX_BYTES} bytes")]
    TooLong,
    #[error("the token is no signed JSON Web Token")]
    Malformed,
    #[error("the token is signed by a method that is not taken; RS256 and ES256 are")]
    Algorithm,
    #[error("the token is signed by a key that the provider does not publish")]
    UnknownKey,
    #[error("the signature of the token does not hold")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token does not hold yet")]
    NotYet,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token is of another tenant")]
    Tenant,
    #[error("the token answers another sign-in")]
    Nonce,
    #[error("the token says not whose it is")]
    Subject,
}

/// A key of the provider, and the one method that it signs by.
pub(super) struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    verifier: DecodingKey,
}

/// The keys of a set that sign by a method that is taken. Others are passed over, as providers
/// publish keys for other uses beside.
pub(super) fn keys(set: &Value) -> Vec<Key> {
    let listed = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    listed.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok()).filter_map(|key| signing(&key)).take(KEYS_MAX).collect()
}

fn signing(jwk: &Jwk) -> Option<Key> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return None,
    };
    let for_signing = jwk.common.public_key_use.as_ref().is_none_or(|its| *its == PublicKeyUse::Signature);
    let by_it = jwk.common.key_algorithm.is_none_or(|told| told.to_string() == format!("{algorithm:?}"));
    let verifier = DecodingKey::from_jwk(jwk).ok().filter(|_| for_signing && by_it)?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, verifier })
}

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'w> {
    pub(super) issuer: &'w str,
    /// One of these.
    pub(super) audience: &'w [String],
    pub(super) tenant: Option<&'w str>,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// The claims of a token that is what it says.
///
/// # Errors
/// What is wrong with it. What is checked first is said first, so that nothing is told of a token
/// whose signature does not hold.
pub(super) fn check(token: &str, keys: &[Key], wanted: Wanted<'_>) -> Result<Claims, TokenError> {
    if token.len() > TOKEN_MAX_BYTES {
        return Err(TokenError::TooLong);
    }
    if !is_plain(token) {
        return Err(TokenError::Malformed);
    }
    let header = decode_header(token).map_err(|_| TokenError::Algorithm)?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(TokenError::Algorithm);
    }
    let fits = |key: &&Key| key.algorithm == header.alg && (header.kid.is_none() || key.id == header.kid);
    let mut fitting = keys.iter().filter(fits);
    let key = fitting.next().ok_or(TokenError::UnknownKey)?;
    if header.kid.is_none() && fitting.next().is_some() {
        // Which of several keys it was, nobody says.
        return Err(TokenError::UnknownKey);
    }
    let mut validation = Validation::new(header.alg);
    // Times are held against the clock that we were given.
    validation.validate_exp = false;
    validation.set_issuer(&[wanted.issuer]);
    validation.set_audience(wanted.audience);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let claims = decode::<Claims>(token, &key.verifier, &validation).map_err(|error| reason(error.kind()))?.claims;
    if !claims.get("iss").is_some_and(Value::is_string) {
        return Err(TokenError::Issuer);
    }
    check_times(&claims, wanted.now)?;
    if wanted.tenant.is_some_and(|tenant| claims.get("tid").and_then(Value::as_str) != Some(tenant)) {
        return Err(TokenError::Tenant);
    }
    let fits =
        |name: &str| claims.get(name).is_none_or(|value| value.as_str().is_some_and(|text| (1..=TEXT_MAX_BYTES).contains(&text.len())));
    if !claims.contains_key("sub") || !["sub", "oid", "name", "preferred_username"].into_iter().all(fits) {
        return Err(TokenError::Subject);
    }
    Ok(claims)
}

/// Whether it has three parts, and a header that asks for nothing that we do not know of (RFC
/// 7515, 4.1.11).
fn is_plain(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, _, signature] = parts.as_slice() else { return false };
    let header = URL_SAFE_NO_PAD.decode(header).ok().and_then(|bytes| serde_json::from_slice::<Claims>(&bytes).ok());
    !signature.is_empty() && header.is_some_and(|header| !header.contains_key("crit"))
}

fn check_times(claims: &Claims, now: i64) -> Result<(), TokenError> {
    if expiry(claims).ok_or(TokenError::Malformed)? + LEEWAY_SECONDS <= now {
        return Err(TokenError::Expired);
    }
    for name in ["nbf", "iat"] {
        if claims.get(name).is_some_and(|from| seconds(from).is_none_or(|from| from - LEEWAY_SECONDS > now)) {
            return Err(TokenError::NotYet);
        }
    }
    Ok(())
}

/// When the token ends, in seconds since 1970.
pub(super) fn expiry(claims: &Claims) -> Option<i64> {
    claims.get("exp").and_then(seconds)
}

#[expect(clippy::cast_possible_truncation, reason = "a time beyond what an i64 holds is that far away all the same")]
fn seconds(value: &Value) -> Option<i64> {
    const FAR: f64 = 1e12;
    value.as_i64().filter(|at| (*at as f64).abs() < FAR).or_else(|| value.as_f64().filter(|at| at.abs() < FAR).map(|at| at as i64))
}

fn reason(kind: &jsonwebtoken::errors::ErrorKind) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => TokenError::Issuer,
        _ => TokenError::Malformed,
    }
}
