//! The bodies of requests: bounded in size and time.
//!
//! Absent on purpose: what is in one.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, rt, web};
use futures::StreamExt;
use futures::future::LocalBoxFuture;

use super::Limits;
use super::problem::Problem;

/// The proof that a request came without a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoBody;

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limits = limits(request);
        let payload = payload.take();
        Box::pin(async move {
            let read = rt::time::timeout(limits.body_deadline, count(payload, limits.body_max_bytes)).await;
            match read.map_err(|_| Problem::BodyTooSlow { seconds: limits.body_deadline.as_secs() })?? {
                0 => Ok(Self),
                _ => Err(Problem::BodyNotTaken),
            }
        })
    }
}

/// The bounds of the service that a request came to.
pub(super) fn limits(request: &HttpRequest) -> Limits {
    request.app_data::<web::Data<Limits>>().map_or(Limits::STANDARD, |limits| *limits.get_ref())
}

/// Reads a body of unannounced length up to `max_bytes`, so that the connection can go on.
async fn count(mut payload: Payload, max_bytes: u64) -> Result<u64, Problem> {
    let mut bytes = 0_u64;
    while let Some(chunk) = payload.next().await {
        bytes += chunk.map_err(|_| Problem::BodyBroken)?.len() as u64;
        if bytes > max_bytes {
            return Err(Problem::BodyTooLarge { max_bytes });
        }
    }
    Ok(bytes)
}
