//! The signals that ask a program to end: SIGINT and SIGTERM where there are such.
//!
//! Absent on purpose: what to do about them, which is the caller's.

use std::io;

use tokio::signal;

/// Listens from its making on.
#[cfg(unix)]
#[derive(Debug)]
pub struct Signals {
    interrupt: signal::unix::Signal,
    terminate: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Within a runtime of tokio.
    ///
    /// # Errors
    /// Where no signal can be listened to.
    pub fn new() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Listens while it waits.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// # Errors
    /// Never here.
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for Ctrl-C.
    pub async fn next(&mut self) {
        // One that cannot be listened to never comes.
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
