//! HTTP: routes, and what every answer and every failure looks like. Only home of actix-web.
//!
//! Absent on purpose: arithmetic (`metrics/`, `model/`), files, a clock, static state (two
//! services run in one process).

mod alphabet;
mod aside;
mod body;
mod boundary;
mod cache;
mod codings;
mod counters;
mod cursor;
mod dashboard;
mod endpoint;
mod forms;
mod guard;
mod hidden;
mod listening;
mod meta;
mod openapi;
mod operation;
mod parameters;
mod period;
mod places;
mod problem;
mod recorder;
mod routes;
mod scores;
mod source;
mod state;
mod unread;
mod version;
mod views;
mod watch;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, rt, web};
use futures::future::{Either, select};

use aside::Turns;
use listening::Port;
use places::Places;
use recorder::Recorder;
use watch::Watch;

use crate::signals::Signals;

pub use guard::{Guard, GuardError};
pub use listening::{TlsError, TlsFiles};
pub use source::TableSource;
pub use state::State;
pub use version::Tables;

/// What a request may cost before anything of it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest body, in bytes, of all routes but one; a larger one is not read.
    pub body_max_bytes: u64,
    /// Largest body of series to score: 10,000 subscriptions with some 6 KiB each.
    pub score_max_bytes: u64,
    /// Within this a body to score must have come whole.
    pub score_deadline: Duration,
    /// Within this a body must have come whole, and a second later its connection is closed. actix-web bounds the time of a head alone.
    pub body_deadline: Duration,
    /// Within this a head must have come whole.
    pub head_deadline: Duration,
    /// Within this a request must be answered, its body included.
    pub request_deadline: Duration,
    /// Within this whoever asked must take what they are given, or the next part of it.
    pub read_deadline: Duration,
    /// How long an idle connection stays open.
    pub keep_alive: Duration,
    /// Requests that are answered at the same time; what comes beyond is sent away.
    pub requests_max: usize,
    /// Lists that are written at the same time, each as fast as its reader reads; a quarter of one caller.
    pub lists_max: usize,
    /// Longest path with its query, in bytes: some 150 filter values of GUIDs.
    pub target_max_bytes: usize,
    /// How long requests in flight may go on after a stop.
    pub stop_deadline: Duration,
}

impl Limits {
    /// The bounds in service.
    pub const STANDARD: Self = Self {
        body_max_bytes: 64 << 10,
        score_max_bytes: 64 << 20,
        score_deadline: Duration::from_secs(30),
        body_deadline: Duration::from_secs(4),
        head_deadline: Duration::from_secs(5),
        request_deadline: Duration::from_mins(1),
        read_deadline: Duration::from_secs(28),
        keep_alive: Duration::from_secs(28),
        requests_max: 256,
        lists_max: 32,
        target_max_bytes: 8 << 10,
        stop_deadline: Duration::from_secs(30),
    };
}

/// How to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Where to listen; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Threads that answer; figures are computed on threads of their own.
    pub workers: usize,
    pub limits: Limits,
    /// How often newer tables and another current model are looked for; none for only on request.
    pub look_every: Option<Duration>,
    /// Whether the scores of each version that comes into service are appended to the lake.
    pub score_history: bool,
}

impl ServiceConfig {
    /// A service on `bind` with the standard bounds and two threads.
    #[must_use]
    pub const fn new(bind: SocketAddr) -> Self {
        Self { bind, workers: 2, limits: Limits::STANDARD, look_every: None, score_history: true }
    }
}

/// What works beside those that answer; it ends when this is dropped.
#[derive(Debug)]
struct Threads {
    _tables: Option<Watch>,
    _certificate: Option<Watch>,
    _recorder: Option<Recorder>,
}

/// How often a renewed certificate is looked for where tables are looked for on request alone.
const CERTIFICATE_EVERY: Duration = Duration::from_mins(1);

/// What mounts the routes of each thread.
type Routes = fn(&Guard, &mut web::ServiceConfig);

/// A service whose port is open: connections wait until it runs.
#[derive(Debug)]
pub struct Service {
    config: ServiceConfig,
    state: State,
    guard: Guard,
    tls: Option<TlsFiles>,
    listener: TcpListener,
    address: SocketAddr,
}

impl Service {
    /// Opens the port of a service that lets anyone in who reaches it, on a loopback address.
    ///
    /// # Errors
    /// As [`Service::guarded`].
    pub fn open(config: ServiceConfig, state: State) -> io::Result<Self> {
        Self::guarded(config, Guard::open(None), None, state)
    }

    /// Opens the port of a service, with TLS where there is a certificate.
    ///
    /// # Errors
    /// An address that others reach without sign-in, or without TLS at either end of a proxy
    /// (`InvalidInput`, with a sentence); or one that cannot be bound.
    pub fn guarded(config: ServiceConfig, guard: Guard, tls: Option<TlsFiles>, state: State) -> io::Result<Self> {
        let guard = guard.listening(config.bind, tls.is_some())?;
        let listener = TcpListener::bind(config.bind)?;
        let address = listener.local_addr()?;
        Ok(Self { config, state, guard, tls, listener, address })
    }

    /// The address with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGTERM or SIGINT; requests in flight are answered first, unless a second
    /// signal comes.
    ///
    /// # Errors
    /// Where the runtime or the listener fails.
    pub fn run(self) -> io::Result<()> {
        tracing::info!(address = %self.address, "serving");
        let _threads = self.threads()?;
        rt::System::new().block_on(async {
            let server = self.server(routes::configure)?;
            let insisted = stop_at_signals(server.handle())?;
            match select(pin!(server), pin!(insisted)).await {
                Either::Left((ended, _)) => ended,
                // Dropping the server drops what is in flight.
                Either::Right(((), _)) => Ok(()),
            }
        })
    }

    /// Serves on a thread of its own until [`Running::stop`], and leaves signals alone.
    ///
    /// # Errors
    /// Where the thread, the runtime or the listener fails.
    pub fn start(self) -> io::Result<Running> {
        self.start_with(routes::configure)
    }

    fn start_with(self, routes: Routes) -> io::Result<Running> {
        let address = self.address;
        let threads = self.threads()?;
        let (tell, told) = mpsc::channel();
        let thread = thread::Builder::new().name("service".to_owned()).spawn(move || {
            rt::System::new().block_on(async {
                let server = match self.server(routes) {
                    Ok(server) => server,
                    Err(error) => {
                        // Nobody listens only where the starter is gone.
                        let _ = tell.send(Err(error));
                        return Ok(());
                    }
                };
                let _ = tell.send(Ok(server.handle()));
                server.await
            })
        })?;
        let handle = told.recv().map_err(io::Error::other)??;
        Ok(Running { address, handle, thread, _threads: threads })
    }

    fn threads(&self) -> io::Result<Threads> {
        let recorder = self.config.score_history.then(|| Recorder::start(self.state.clone())).transpose()?;
        let every = self.config.look_every;
        let tables = every.map(|every| Watch::tables(self.state.clone(), every)).transpose()?;
        let certificate = self.tls.clone().map(|tls| Watch::certificate(tls, every.unwrap_or(CERTIFICATE_EVERY))).transpose()?;
        Ok(Threads { _tables: tables, _certificate: certificate, _recorder: recorder })
    }

    fn server(self, routes: Routes) -> io::Result<Server> {
        let Self { config, state, guard, tls, listener, .. } = self;
        let limits = config.limits;
        let (places, turns) = (web::Data::new(Places::new(limits.requests_max, limits.lists_max)), web::Data::new(Turns::new()));
        let application = move || {
            App::new()
                .app_data(web::Data::new(state.clone()))
                .app_data(web::Data::new(limits))
                .app_data(web::Data::new(guard.clone()))
                .app_data(places.clone())
                .app_data(turns.clone())
                .configure(|mounted| routes(&guard, mounted))
                .default_service(web::to(routes::no_such_route))
                .wrap(Compress::default())
                .wrap(from_fn(boundary::boundary))
        };
        listening::server(Port { workers: config.workers, limits, tls }, listener, application)
    }
}

/// Stops gracefully at the first signal; ready at the second. actix-web's own handling drops
/// the requests in flight at SIGINT, which is what a person at a terminal sends.
///
/// # Errors
/// Where no signal can be listened to; listening begins before this returns.
fn stop_at_signals(handle: ServerHandle) -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::new()?;
    Ok(async move {
        signals.next().await;
        tracing::info!("stopping: requests in flight are answered first");
        // The command is sent by the call; the future only waits for the end of it.
        drop(handle.stop(true));
        signals.next().await;
        tracing::info!("stopping at once");
    })
}

/// A service on a thread of its own.
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<io::Result<()>>,
    _threads: Threads,
}

impl Running {
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and asks the threads to end once requests in flight are
    /// answered; returns at once.
    pub fn begin_stop(&self) {
        // The command is sent by the call; the future only waits for the end of it.
        drop(self.handle.stop(true));
    }

    /// Stops gracefully, and waits for it.
    ///
    /// # Errors
    /// What the server ended with.
    pub fn stop(self) -> io::Result<()> {
        self.begin_stop();
        self.thread.join().map_err(|_| io::Error::other("the service's thread panicked"))?
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Opens the port and serves until SIGTERM or SIGINT.
///
/// # Errors
/// As [`Service::open`] and [`Service::run`].
pub fn run(config: ServiceConfig, state: State) -> io::Result<()> {
    Service::open(config, state)?.run()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::model::{ModelSlot, Registry};
    use crate::portfolio::{PortfolioBuilder, SmallTables};

    /// Routes that panic where ours must not.
    fn panicking(_: &Guard, config: &mut web::ServiceConfig) {
        config
            .route("/panics", web::get().to(async || -> &'static str { panic!("a handler that panics") }))
            .route(
                "/panics-aside",
                web::get().to(async || -> Result<&'static str, problem::Problem> {
                    web::block(|| panic!("work that panics")).await.map_err(|_| problem::Problem::Panicked)
                }),
            )
            .route("/lives", web::get().to(async || "lives"));
    }

    fn empty() -> State {
        let portfolio = PortfolioBuilder::new(0, 0, SmallTables::default()).seal().expect("nothing").finish();
        State::new(portfolio, ModelSlot::new(Registry::open("no folder at all")))
    }

    fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("the service listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    #[test]
    fn a_panic_reaches_the_client_as_a_problem_and_the_process_lives() {
        let config = ServiceConfig { workers: 1, ..ServiceConfig::new(([127, 0, 0, 1], 0).into()) };
        let running = Service::open(config, empty()).and_then(|service| service.start_with(panicking)).expect("a free port");
        for path in ["/panics", "/panics-aside"] {
            for _ in 0..3 {
                let answer = ask(running.address(), path);
                assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
                assert!(answer.contains("content-type: application/problem+json"), "{answer}");
                assert!(answer.contains(&format!("\"instance\":\"{path}\"")) && !answer.contains("that panics"), "{answer}");
            }
        }
        assert!(ask(running.address(), "/lives").ends_with("lives"));
        running.stop().expect("an orderly end");
    }

    #[test]
    fn an_address_that_others_reach_is_refused_with_a_sentence() {
        for bind in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0"] {
            let error = Service::open(ServiceConfig::new(bind.parse().expect("an address")), empty()).expect_err("not loopback");
            assert!(error.to_string().contains("is not a loopback address"), "{error}");
        }
    }
}
