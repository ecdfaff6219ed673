//! The bodies of requests: bounded in size and time.
//!
//! Absent on purpose: what is in one.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest, rt};
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
        let (announced, payload) = (announced(request), payload.take());
        Box::pin(async move {
            match read(payload, announced, limits.body_max_bytes, limits.body_deadline).await?.len() {
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

/// The length that a request announces of its body.
pub(super) fn announced(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok())
}

/// A JSON body of at most `max_bytes`, which has to come whole within `deadline`.
///
/// # Errors
/// Another media type, a body that is larger, slower, or broken.
pub(super) async fn json(request: &HttpRequest, payload: Payload, max_bytes: u64, deadline: Duration) -> Result<Bytes, Problem> {
    of_type("application/json", request)?;
    read(payload, announced(request), max_bytes, deadline).await
}

/// The fields of an HTML form, bounded as [`json`] is.
///
/// # Errors
/// As [`json`].
pub(super) async fn form(request: &HttpRequest, payload: Payload, max_bytes: u64, deadline: Duration) -> Result<Bytes, Problem> {
    of_type(FORM, request)?;
    read(payload, announced(request), max_bytes, deadline).await
}

/// The media type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

fn of_type(wanted: &'static str, request: &HttpRequest) -> Result<(), Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(Problem::WrongMediaType { wanted, content_type: content_type.to_owned() })
    }
}

/// Reads a body, so that the connection can go on; one that announces to be too large is not read.
async fn read(payload: Payload, announced: Option<u64>, max_bytes: u64, deadline: Duration) -> Result<Bytes, Problem> {
    if announced.is_some_and(|bytes| bytes > max_bytes) {
        return Err(Problem::BodyTooLarge { max_bytes });
    }
    // Never more than `max_bytes`, and memory that nothing is written to is none.
    let room = announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let gathered = rt::time::timeout(deadline, gather(payload, max_bytes, room)).await;
    gathered.map_err(|_| Problem::BodyTooSlow { seconds: deadline.as_secs() })?
}

async fn gather(mut payload: Payload, max_bytes: u64, room: usize) -> Result<Bytes, Problem> {
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(|_| Problem::BodyBroken)?;
    let mut body = BytesMut::new();
    let mut piece = first;
    loop {
        if (body.len() + piece.len()) as u64 > max_bytes {
            return Err(Problem::BodyTooLarge { max_bytes });
        }
        let next = payload.next().await.transpose().map_err(|_| Problem::BodyBroken)?;
        match next {
            // A body that came in one piece is not copied.
            None if body.is_empty() => return Ok(piece),
            next => {
                body.reserve(if body.is_empty() { room.max(piece.len()) } else { 0 });
                body.extend_from_slice(&piece);
                match next {
                    Some(next) => piece = next,
                    None => return Ok(body.freeze()),
                }
            }
        }
    }
}
