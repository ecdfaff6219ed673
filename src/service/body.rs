//! The bodies of requests: bounded in size and time.
//!
//! Absent on purpose: what is in one.

use std::io::Read;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest, rt};
use flate2::read::GzDecoder;
use futures::StreamExt;
use futures::future::LocalBoxFuture;

use super::Limits;
use super::aside::aside;
use super::places::{self, Places, Room};
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
        let room = places::of(request).map(Places::room);
        Box::pin(async move {
            match read(payload, announced, (limits.body_max_bytes, &mut room?), limits.body_deadline).await?.len() {
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
    of_type("application/json", request, payload, max_bytes, deadline).await
}

/// The fields of an HTML form, bounded as [`json`] is.
///
/// # Errors
/// As [`json`].
pub(super) async fn form(request: &HttpRequest, payload: Payload, max_bytes: u64, deadline: Duration) -> Result<Bytes, Problem> {
    of_type(FORM, request, payload, max_bytes, deadline).await
}

async fn of_type(
    wanted: &'static str,
    request: &HttpRequest,
    payload: Payload,
    max_bytes: u64,
    deadline: Duration,
) -> Result<Bytes, Problem> {
    is_of_type(wanted, request)?;
    let mut room = places::of(request)?.room();
    let bytes = read(payload, announced(request), (max_bytes, &mut room), deadline).await?;
    let (bytes, room) = plain(request, bytes, max_bytes, room).await?;
    Ok(Bytes::from_owner(Held { bytes, _room: room }))
}

/// A body, with its room for as long as somebody has it.
struct Held {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body that was meant, where it came compressed: within the same bound, of which nothing is
/// inflated beyond.
async fn plain(request: &HttpRequest, bytes: Bytes, max_bytes: u64, room: Room) -> Result<(Bytes, Room), Problem> {
    let coding = request.headers().get(header::CONTENT_ENCODING).map(|coding| coding.to_str().unwrap_or_default());
    match coding.map(str::trim) {
        None => Ok((bytes, room)),
        Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok((bytes, room)),
        Some(coding) if coding.eq_ignore_ascii_case("gzip") => aside(request, move || inflated(&bytes, max_bytes, room)).await,
        Some(coding) => Err(Problem::CodingNotTaken { coding: coding.chars().take(40).collect() }),
    }
}

/// Bytes that are inflated before room is made for more.
const INFLATED_BYTES: u64 = 1 << 20;

fn inflated(packed: &[u8], max_bytes: u64, mut room: Room) -> Result<(Bytes, Room), Problem> {
    let mut plain = Vec::new();
    let mut source = GzDecoder::new(packed);
    loop {
        let next = INFLATED_BYTES.min(max_bytes + 1 - plain.len() as u64);
        if source.by_ref().take(next).read_to_end(&mut plain).map_err(|_| Problem::BodyBroken)? == 0 {
            return Ok((plain.into(), room));
        }
        if plain.len() as u64 > max_bytes {
            return Err(Problem::BodyTooLarge { max_bytes });
        }
        room.hold(packed.len() + plain.len())?;
    }
}

/// The media type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

fn is_of_type(wanted: &'static str, request: &HttpRequest) -> Result<(), Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(Problem::WrongMediaType { wanted, content_type: content_type.to_owned() })
    }
}

/// Reads a body, so that the connection can go on; one that announces to be too large is not read.
async fn read(payload: Payload, announced: Option<u64>, (max_bytes, room): (u64, &mut Room), deadline: Duration) -> Result<Bytes, Problem> {
    if announced.is_some_and(|bytes| bytes > max_bytes) {
        return Err(Problem::BodyTooLarge { max_bytes });
    }
    // Never more than `max_bytes`, and memory that nothing is written to is none.
    let reserve = announced.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let began = Instant::now();
    // However much has come, the next part comes by then.
    let in_time =
        |so_far: usize| began + deadline.min(GRACE + Duration::from_secs(1) * u32::try_from(so_far / RATE_MIN_BYTES).unwrap_or(u32::MAX));
    gather(payload, (max_bytes, room), reserve, in_time)
        .await
        .map_err(|late| late.unwrap_or(Problem::BodyTooSlow { seconds: began.elapsed().as_secs() }))
}

/// A body that comes too slowly is given up after this. Its connection is closed within a second.
const GRACE: Duration = Duration::from_secs(4);

/// Bytes that have to come in each second, beyond that.
const RATE_MIN_BYTES: usize = 64 << 10;

/// The pieces of a body, each of which comes by the time that `in_time` tells.
///
/// # Errors
/// What is wrong with it; none where it is late.
async fn gather(
    mut payload: Payload,
    (max_bytes, room): (u64, &mut Room),
    reserve: usize,
    in_time: impl Fn(usize) -> Instant,
) -> Result<Bytes, Option<Problem>> {
    let mut body = BytesMut::new();
    let mut piece = Bytes::new();
    loop {
        let so_far = body.len() + piece.len();
        if so_far as u64 > max_bytes {
            return Err(Some(Problem::BodyTooLarge { max_bytes }));
        }
        room.hold(so_far)?;
        let next = rt::time::timeout(in_time(so_far).saturating_duration_since(Instant::now()), payload.next()).await.map_err(|_| None)?;
        match next.transpose().map_err(|_| Some(Problem::BodyBroken))? {
            // A body that came in one piece is not copied.
            None if body.is_empty() => return Ok(piece),
            Some(first) if so_far == 0 => piece = first,
            next => {
                body.reserve(if body.is_empty() { reserve.max(piece.len()) } else { 0 });
                body.extend_from_slice(&piece);
                match next {
                    Some(next) => piece = next,
                    None => return Ok(body.freeze()),
                }
            }
        }
    }
}
