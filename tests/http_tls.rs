//! TLS by the service itself, and a certificate that is renewed while it runs.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use churn_risk::model::{ModelSlot, Registry};
use churn_risk::service::{Service, ServiceConfig, State, TlsFiles};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::services::{Doorkeeper, forty};

/// How long a test waits for what the service does by itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// Writes a certificate and its key; returns the certificate.
fn issue(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.join("cert.pem"), cert.pem()).expect("room");
    fs::write(folder.join("key.pem"), signing_key.serialize_pem()).expect("room");
    cert.der().clone()
}

/// An answer over TLS to whoever trusts one certificate alone.
fn ask(address: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("protocols");
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

#[test]
fn a_renewed_certificate_comes_into_service_and_a_broken_one_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = issue(folder.path());
    let files = || TlsFiles::read(folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let state = State::new(forty().portfolio(), ModelSlot::new(Registry::open("no folder at all")));
    let config = ServiceConfig { look_every: Some(Duration::from_millis(20)), ..ServiceConfig::new(([127, 0, 0, 1], 0).into()) };
    let access = "public_url = \"https://localhost\"";
    let service = Service::guarded(config, Doorkeeper::new().guard(access), Some(files().expect("a pair")), state);
    let running = service.and_then(Service::start).expect("a free port");
    let answer = ask(running.address(), &first).expect("a trusted certificate");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("strict-transport-security: max-age="), "{answer}");
    // Without TLS nobody is answered.
    let mut plain = TcpStream::connect(running.address()).expect("it listens");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    let mut got = Vec::new();
    let _ = plain.read_to_end(&mut got);
    assert!(!got.starts_with(b"HTTP/"));
    fs::write(folder.path().join("cert.pem"), "broken").expect("room");
    thread::sleep(Duration::from_millis(200));
    ask(running.address(), &first).expect("the one in service stays");
    let second = issue(folder.path());
    let began = Instant::now();
    while ask(running.address(), &second).is_err() {
        assert!(began.elapsed() < PATIENCE, "the renewed certificate does not come into service");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(ask(running.address(), &first).is_err());
    running.stop().expect("an orderly end");
}

#[test]
fn what_is_no_pair_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    issue(folder.path());
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let other = folder.path().join("other");
    fs::create_dir(&other).expect("a folder");
    issue(&other);
    let refused = |certificate: &Path, key: &Path| TlsFiles::read(certificate, key).expect_err("no pair").to_string();
    assert!(refused(&certificate, &other.join("key.pem")).contains("do not go together"));
    assert!(refused(&key, &key).contains("holds no certificate in PEM form"));
    assert!(refused(&certificate, &certificate).contains("holds no private key in PEM form"));
    assert!(refused(&folder.path().join("absent"), &key).contains("does not read"));
}
