//! How a command that runs on is ended: the first SIGINT or SIGTERM asks it to, the second insists.

use std::io;
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use churn_risk::progress::tell;
use churn_risk::signals::Signals;

/// What a shell reports of a program that SIGINT has ended.
const INTERRUPTED: i32 = 130;

/// Whether the command was asked to end.
#[derive(Debug)]
pub(crate) struct Stop {
    asked: Receiver<()>,
}

impl Stop {
    /// Listens from here on; what is under way at the first signal is finished first.
    ///
    /// # Errors
    /// Where no signal can be listened to.
    pub(crate) fn at_signals() -> io::Result<Self> {
        let (ask, asked) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _context = runtime.enter();
            Signals::new()?
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                signals.next().await;
                // Hung up, the channel says so for ever.
                drop(ask);
                tell("stopping after what is under way; a second signal stops at once");
                signals.next().await;
                process::exit(INTERRUPTED);
            });
        })?;
        Ok(Self { asked })
    }

    /// Whether it was asked by now.
    pub(crate) fn is_asked(&self) -> bool {
        self.within(Duration::ZERO)
    }

    /// Waits this long, or until it is asked; whether it was.
    pub(crate) fn within(&self, span: Duration) -> bool {
        self.asked.recv_timeout(span) != Err(RecvTimeoutError::Timeout)
    }
}
