//! An OpenID provider on loopback: what it says of itself, its keys, and tokens that it signs, or
//! that somebody else would have signed. It serves two documents and nothing else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SigningKey};
use serde_json::{Value, json};

/// What tokens are for.
pub(crate) const AUDIENCE: &str = "api://churn-risk";
pub(crate) const TENANT: &str = "tenant-1";

/// A provider; it answers until the process ends.
pub(crate) struct Provider {
    address: SocketAddr,
    published: Arc<Mutex<Value>>,
    fetched: Arc<AtomicUsize>,
    rsa: KeyPair,
    ec: KeyPair,
}

impl Provider {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (rsa, ec) = keys();
        let published = Arc::new(Mutex::new(set(&rsa, &ec, "1")));
        let fetched = Arc::new(AtomicUsize::new(0));
        let (keys, count) = (Arc::clone(&published), Arc::clone(&fetched));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, address, &keys, &count);
            }
        });
        Self { address, published, fetched, rsa, ec }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often its keys were asked for.
    pub(crate) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    /// The access file of a service that knows it.
    pub(crate) fn access(&self) -> String {
        format!("[openid]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"\ntenant = \"{TENANT}\"\n", self.issuer())
    }

    /// Signs by other keys from now on.
    pub(crate) fn rotate(&mut self) {
        (self.rsa, self.ec) = keys();
        *self.published.lock().expect("nobody panicked") = set(&self.rsa, &self.ec, "2");
    }

    /// The claims of a good token of somebody with a role, at `now`.
    pub(crate) fn claims(&self, role: &str, now: i64) -> Value {
        json!({
            "iss": self.issuer(), "aud": AUDIENCE, "tid": TENANT, "sub": "s-1", "name": "Ada", "roles": [role],
            "iat": now, "nbf": now, "exp": now + 600,
        })
    }

    /// A token by RS256, or by ES256, under the key of that number.
    pub(crate) fn signed(&self, algorithm: &str, number: &str, claims: &Value) -> String {
        self.signed_with(&json!({"alg": algorithm, "typ": "JWT", "kid": format!("{algorithm}-{number}")}), algorithm, claims)
    }

    /// The same with another header than goes with the signature.
    pub(crate) fn signed_with(&self, header: &Value, algorithm: &str, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(header), encoded(claims));
        let signature = match algorithm {
            "RS256" => URL_SAFE_NO_PAD.encode(self.rsa.sign(text.as_bytes()).expect("a key that signs")),
            _ => jsonwebtoken::crypto::sign(text.as_bytes(), &ec_key(&self.ec), Algorithm::ES256).expect("a key that signs"),
        };
        format!("{text}.{signature}")
    }

    /// What somebody makes who takes the public RSA key for a shared secret.
    pub(crate) fn confused(&self, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(&json!({"alg": "HS256", "typ": "JWT", "kid": "RS256-1"})), encoded(claims));
        let secret = EncodingKey::from_secret(self.rsa.public_key_pem().as_bytes());
        let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &secret, Algorithm::HS256).expect("any secret signs");
        format!("{text}.{signature}")
    }
}

/// A token without a signature.
pub(crate) fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", encoded(&json!({"alg": "none", "typ": "JWT"})), encoded(claims))
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn keys() -> (KeyPair, KeyPair) {
    let key = |algorithm| KeyPair::generate_for(algorithm).expect("a key");
    (key(&PKCS_RSA_SHA256), key(&PKCS_ECDSA_P256_SHA256))
}

fn ec_key(key: &KeyPair) -> EncodingKey {
    EncodingKey::from_ec_der(&key.serialize_der())
}

fn set(rsa: &KeyPair, ec: &KeyPair, number: &str) -> Value {
    let (modulus, exponent) = rsa_parts(rsa.public_key_raw());
    let mut curve = serde_json::to_value(Jwk::from_encoding_key(&ec_key(ec), Algorithm::ES256).expect("a curve")).expect("JSON");
    curve["kid"] = json!(format!("ES256-{number}"));
    curve["use"] = json!("sig");
    let modulus = URL_SAFE_NO_PAD.encode(modulus);
    let rsa = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": format!("RS256-{number}"), "n": modulus, "e": URL_SAFE_NO_PAD.encode(exponent)});
    // Of a sort that nobody here knows, as providers publish them beside.
    json!({"keys": [{"kty": "AKP", "kid": "odd", "alg": "ML-DSA-44", "pub": "AAAA"}, rsa, curve]})
}

/// Modulus and exponent of an RSA key (RFC 8017, A.1.1): a sequence of two numbers.
fn rsa_parts(der: &[u8]) -> (&[u8], &[u8]) {
    fn element(der: &[u8]) -> (&[u8], &[u8]) {
        let (length, head) = match der[1] {
            short @ 0..0x80 => (usize::from(short), 2),
            long => {
                let bytes = usize::from(long & 0x7f);
                (der[2..2 + bytes].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + bytes)
            }
        };
        (&der[head..head + length], &der[head + length..])
    }
    let (sequence, _) = element(der);
    let (modulus, rest) = element(sequence);
    let (exponent, _) = element(rest);
    (modulus.strip_prefix(&[0]).unwrap_or(modulus), exponent)
}

fn answer(mut stream: TcpStream, address: SocketAddr, keys: &Mutex<Value>, fetched: &AtomicUsize) {
    let mut head = [0; 4096];
    let read = stream.read(&mut head).unwrap_or(0);
    let asked = String::from_utf8_lossy(&head[..read]).into_owned();
    let body = if asked.starts_with("GET /.well-known/openid-configuration ") {
        json!({
            "issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/keys"),
            "authorization_endpoint": format!("http://{address}/authorize"), "token_endpoint": format!("http://{address}/token"),
        })
    } else {
        fetched.fetch_add(1, Ordering::SeqCst);
        keys.lock().expect("nobody panicked").clone()
    };
    let body = body.to_string();
    // Whoever asked may have gone.
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}
