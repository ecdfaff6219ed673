//! The port: connections, with or without TLS, each with deadlines in both directions, and no more
//! of them than the process has files for.
//!
//! actix-web's own server bounds the time of a request's head and of an idle connection. It waits
//! for ever for somebody who asks and does not read, so the streams below it are ours.
//!
//! Absent on purpose: what is answered.

mod ahead;
mod paced;
mod tls;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::body::{BoxBody, MessageBody};
use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::{Error, rt};
use socket2::SockRef;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::Limits;
use ahead::Ahead;
use paced::Paced;

pub use tls::{TlsError, TlsFiles};

/// Files that the process needs beside its connections: tables, models, logs.
const FILES_RESERVED: u64 = 96;

/// Most connections of one thread.
const CONNECTIONS_MAX: usize = 25_000;

/// Connections that the system holds ready for us.
const BACKLOG: i32 = 2_048;

/// Threads of one thread that answers, for work that blocks: each list that is written has one, and
/// needs another for a moment.
const BLOCKING_MAX: usize = 512;

/// How long a connection that is closed may still take what is on its way.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// How connections are taken.
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) workers: usize,
    pub(super) limits: Limits,
    pub(super) tls: Option<TlsFiles>,
}

/// A server of one application on an open port.
///
/// # Errors
/// Where the port cannot be listened on.
pub(super) fn server<F, I, S, B>(port: Port, listener: TcpListener, application: F) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let Port { workers, limits, tls } = port;
    SockRef::from(&listener).listen(BACKLOG)?;
    let acceptor = tls.map(|files| files.config()).transpose()?.map(TlsAcceptor::from);
    let answer = |error: S::Error| -> Response<BoxBody> { error.into().error_response().into() };
    let builder = Server::build()
        .workers(workers.max(1))
        .max_concurrent_connections(connections(workers))
        .worker_max_blocking_threads(BLOCKING_MAX)
        .shutdown_timeout(limits.stop_deadline.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let (acceptor, stopping) = (acceptor.clone(), stopping.clone());
        let http = HttpService::build()
            // Idle connections end with a stop, the others with their next answer.
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KeepAlive::Timeout(limits.keep_alive))
            .client_request_timeout(limits.head_deadline)
            .client_disconnect_timeout(CLOSED_WITHIN)
            // Which address it listens on, and whether by TLS, nothing of ours asks of it.
            .finish(map_config(application().into_factory().map_err(answer), |()| AppConfig::default()));
        fn_service(move |stream| accepted(stream, acceptor.clone(), limits)).and_then(http)
    })?;
    Ok(builder.run())
}

/// A connection whose reader has to keep up, with or without TLS.
type Connection = Ahead<Either<Paced<TcpStream>, Box<TlsStream<Paced<TcpStream>>>>>;

/// A connection that has begun, and the address at its other end.
async fn accepted(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    limits: Limits,
) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
    // Without it small answers wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let from = stream.peer_addr().ok();
    let stream = Paced::new(stream, limits.read_deadline);
    let connection = match acceptor {
        None => Either::Left(stream),
        Some(acceptor) => {
            let greeted = rt::time::timeout(limits.head_deadline, acceptor.accept(stream)).await;
            let greeted = greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            Either::Right(Box::new(greeted.inspect_err(|error| tracing::debug!(%error, "a connection did not come to TLS"))?))
        }
    };
    Ok((Ahead::new(connection), Protocol::Http1, from))
}

/// Connections of one thread, so that files are left for everything else.
fn connections(workers: usize) -> usize {
    let files = rlimit::Resource::NOFILE.get_soft().unwrap_or(1_024);
    let all = usize::try_from(files.saturating_sub(FILES_RESERVED).max(files / 4)).unwrap_or(usize::MAX);
    (all / workers.max(1)).clamp(1, CONNECTIONS_MAX)
}
