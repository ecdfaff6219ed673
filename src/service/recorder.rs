//! A thread that appends the scoring of each version that comes into service, after it came, and works
//! out what the pages would wait for.
//!
//! Absent on purpose: anything that a request waits for. A scoring that cannot be kept is tried
//! again at the next look; the service goes on.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::state::State;

/// The thread; it ends when this is dropped, after the scoring that it is at.
#[derive(Debug)]
pub(super) struct Recorder {
    state: State,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Begins with the version in service.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub(super) fn start(state: State) -> io::Result<Self> {
        let (wake, woken) = mpsc::channel();
        let own = state.clone();
        let thread = thread::Builder::new().name("scores".to_owned()).spawn(move || {
            own.record_scores();
            own.check_scores();
            own.prepare();
            while woken.recv().is_ok() {
                // Wakes that came meanwhile are about the version that is looked at next.
                while woken.try_recv().is_ok() {}
                own.record_scores();
                own.prepare();
            }
        })?;
        state.wake_with(Some(wake));
        Ok(Self { state, thread: Some(thread) })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.state.wake_with(None);
        if let Some(thread) = self.thread.take() {
            // An append that panicked has said so; the service goes on without it.
            let _ = thread.join();
        }
    }
}
