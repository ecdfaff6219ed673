//! Certificate and key, read anew when they change: a renewed certificate needs no restart.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::domain::chain;
use crate::durable::content_hash;

/// Why a certificate is not taken.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("{} does not read", path.display())]
    Unread { path: PathBuf, source: io::Error },
    #[error("{} holds no {what} in PEM form", path.display())]
    NotPem { path: PathBuf, what: &'static str },
    #[error("the certificate in {} and the key in {} do not go together: {why}", certificate.display(), key.display())]
    Apart { certificate: PathBuf, key: PathBuf, why: rustls::Error },
}

/// Certificate and key of a service. Clones are of one pair.
#[derive(Clone)]
pub struct TlsFiles(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    in_service: ArcSwap<Loaded>,
}

struct Loaded {
    /// SHA-256 of both files.
    seen: [String; 2],
    pair: Arc<CertifiedKey>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles").field("certificate", &self.0.certificate).finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// Reads a chain of certificates and its private key, both PEM.
    ///
    /// # Errors
    /// Where either does not read, or they do not go together.
    pub fn read(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let loaded = load(&certificate, &key)?;
        Ok(Self(Arc::new(Inner { certificate, key, in_service: ArcSwap::from_pointee(loaded) })))
    }

    /// Takes the files where they have changed; a pair that does not read is told to the log, and
    /// the one in service stays.
    pub(in crate::service) fn look(&self) {
        let Inner { certificate, key, in_service } = &*self.0;
        if seen(certificate, key).is_ok_and(|seen| seen == in_service.load().seen) {
            return;
        }
        match load(certificate, key) {
            Ok(loaded) => {
                in_service.store(Arc::new(loaded));
                tracing::info!(certificate = %certificate.display(), "another certificate came into service");
            }
            Err(error) => tracing::error!(error = chain(&error), "the certificate in service stays"),
        }
    }

    /// What the port is opened with.
    ///
    /// # Errors
    /// Where the library does not know its own protocols.
    pub(super) fn config(&self) -> io::Result<Arc<ServerConfig>> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Resolver(self.clone())));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[derive(Debug)]
struct Resolver(TlsFiles);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.0.in_service.load().pair))
    }
}

fn seen(certificate: &Path, key: &Path) -> Result<[String; 2], TlsError> {
    let hash = |path: &Path| content_hash(path).map_err(|source| TlsError::Unread { path: path.to_owned(), source });
    Ok([hash(certificate)?, hash(key)?])
}

fn load(certificate: &Path, key: &Path) -> Result<Loaded, TlsError> {
    let read = |path: &Path| fs::read(path).map_err(|source| TlsError::Unread { path: path.to_owned(), source });
    let seen = seen(certificate, key)?;
    let (certificates, private) = (read(certificate)?, read(key)?);
    let not_pem = |path: &Path, what| TlsError::NotPem { path: path.to_owned(), what };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&certificates).collect::<Result<_, _>>().map_err(|_| not_pem(certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(not_pem(certificate, "certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&private).map_err(|_| not_pem(key, "private key"))?;
    let apart = |why| TlsError::Apart { certificate: certificate.to_owned(), key: key.to_owned(), why };
    let pair = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(apart)?;
    Ok(Loaded { seen, pair: Arc::new(pair) })
}
