//! A thread that looks for newer tables and another model from time to time.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::state::State;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to look `every` so often.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub(super) fn start(state: State, every: Duration) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let lake = state.source().and_then(|source| match source.open() {
                Ok(lake) => Some(lake),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "newer tables are not looked for");
                    None
                }
            });
            while stopped.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                state.look_around(lake.as_ref());
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
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
