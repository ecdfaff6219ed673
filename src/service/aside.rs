//! Work of more than some microseconds, away from the threads that answer, and little of it at a
//! time: what is begun together ends late together, and holds its memory all the while.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;

/// Pieces of work that share one processor. With fewer, short work would wait behind long.
const OF_PROCESSOR: usize = 4;

/// Longest wait for a turn. Whoever would wait longer is told so, rather than answered when they
/// have given up.
const TURN_WITHIN: Duration = Duration::from_secs(4);

/// The turns that work has in one service, in the order in which it came.
#[derive(Debug)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    within: Duration,
}

impl Turns {
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(2, NonZero::get);
        Self::of(OF_PROCESSOR * processors, TURN_WITHIN)
    }

    fn of(turns: usize, within: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(turns)), within }
    }
}

/// What `work` comes to.
///
/// # Errors
/// What it fails with; or where there is too much work before it.
pub(super) fn aside<T: Send + 'static>(
    request: &HttpRequest,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> impl Future<Output = Result<T, Problem>> {
    let turns = request.app_data::<web::Data<Turns>>().cloned();
    // From now on: the work of somebody who asked the same may have to fail first.
    let came = Instant::now();
    async move {
        let turns = turns.ok_or(Problem::Panicked)?;
        let turn = timeout_at(came + turns.within, Arc::clone(&turns.free).acquire_owned()).await;
        let turn = turn.map_err(|_| Problem::Overloaded)?;
        let done = web::block(move || {
            // It ends with the work, not with whoever waits for it.
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| Problem::Panicked)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use actix_web::rt;
    use actix_web::test::TestRequest;
    use futures::future::join;

    use super::*;

    #[test]
    fn whoever_would_wait_too_long_for_a_turn_is_told_so() {
        let turns = web::Data::new(Turns::of(1, Duration::from_millis(20)));
        let request = TestRequest::default().app_data(turns).to_http_request();
        let (end, ended) = mpsc::channel();
        let (long, short, next) = rt::System::new().block_on(async {
            let long = aside(&request, move || Ok(ended.recv()));
            let short = async {
                let refused = aside(&request, || Ok(())).await;
                end.send(7).expect("it waits");
                refused
            };
            let (long, short) = join(long, short).await;
            (long, short, aside(&request, || Ok(())).await)
        });
        assert_eq!(long.expect("its turn"), Ok(7));
        assert!(matches!(short, Err(Problem::Overloaded)));
        next.expect("the turn is free");
    }
}
