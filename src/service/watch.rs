//! Threads that look for newer tables and another model, and for another certificate, from time to time.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::listening::TlsFiles;
use super::state::State;
use crate::lake::Lake;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks for newer tables and another current model.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub(super) fn tables(state: State, every: Duration) -> io::Result<Self> {
        let mut lake = None;
        Self::start("tables", every, move || {
            // A store that was out of reach is there again by the next look.
            lake = lake.take().or_else(|| open(&state));
            state.look_around(lake.as_ref());
        })
    }

    /// Looks for another certificate.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub(super) fn certificate(tls: TlsFiles, every: Duration) -> io::Result<Self> {
        Self::start("certificate", every, move || tls.look())
    }

    fn start(name: &str, every: Duration, mut look: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while stopped.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                look();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn open(state: &State) -> Option<Lake> {
    let opened = state.source()?.open();
    opened.inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "newer tables are not looked for")).ok()
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A look that panicked has said so; the service goes on without it.
            let _ = thread.join();
        }
    }
}
