//! Answers that were given before, by the versions they stand on and by what was asked.
//!
//! Absent on purpose: failures, streams, and anything that could go stale: another version of
//! the tables or the model has another epoch, and its answers are others.

use std::hash::Hash;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use quick_cache::{Equivalent, Weighter, sync::Cache};

use super::codings::{Coded, Coding};
use super::problem::Problem;

/// Bytes of bodies that are kept. A page of 1,000 rows has about a megabyte.
const KEPT_MAX_BYTES: u64 = 32 << 20;

/// Answers kept, as the cache plans for them.
const KEPT_ABOUT: usize = 4_096;

/// Longest target and Accept header that make a key; longer ones are answered anew.
const KEY_MAX_BYTES: usize = 1 << 10;

/// The route that gave an answer, so that it is counted without looking it up again: the router
/// would match every pattern anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct GivenBy(pub(super) &'static str);

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answered {
    /// The route that gave it.
    route: &'static str,
    content_type: &'static str,
    tag: Tag,
    /// Headers that only some forms have: where the next page is, what a table cannot say of itself.
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    /// The body as it was sent to those who take it compressed.
    coded: Coded,
}

/// An entity tag: its text, and the header that holds it.
#[derive(Debug, Clone)]
pub(super) struct Tag(HeaderValue);

impl Tag {
    /// Weak, because gzip changes the bytes and not what they say.
    pub(super) fn weak(digest: u64) -> Self {
        // Hexadecimal digits in quotes are a header's value.
        Self(HeaderValue::try_from(format!("W/\"{digest:016x}\"")).unwrap_or(HeaderValue::from_static("W/\"\"")))
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Answered {
    pub(super) fn new(
        route: &'static str,
        content_type: &'static str,
        tag: Tag,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Self {
        Self { route, content_type, tag, headers, body: body.into(), coded: Coded::default() }
    }

    /// The response; without its body where the client has it already.
    ///
    /// # Errors
    /// Where the body cannot be compressed.
    pub(super) async fn respond(self: &Arc<Self>, request: &HttpRequest) -> Result<HttpResponse, Problem> {
        if has_tag(request, &self.tag) {
            return Ok(not_modified(self.route, &self.tag));
        }
        let coding = Coding::liked(request);
        let body = match coding {
            None => self.body.clone(),
            Some(coding) => match self.coded.made(coding) {
                Some(made) => made,
                None => self.code(coding).await?,
            },
        };
        let mut response = HttpResponse::Ok();
        if let Some(coding) = coding {
            response.insert_header(coding.header());
        }
        tell(&mut response, &self.tag).insert_header((header::CONTENT_TYPE, HeaderValue::from_static(self.content_type)));
        for (name, value) in &self.headers {
            response.insert_header((*name, value.as_str()));
        }
        Ok(marked(response.body(body), self.route))
    }

    async fn code(self: &Arc<Self>, coding: Coding) -> Result<Bytes, Problem> {
        let answer = Arc::clone(self);
        let made = web::block(move || answer.coded.make(coding, &answer.body)).await;
        made.map_err(|_| Problem::Panicked)?.map_err(Problem::Uncodable)
    }
}

/// The answer to a client that has the body already.
pub(super) fn not_modified(route: &'static str, tag: &Tag) -> HttpResponse {
    marked(tell(&mut HttpResponse::NotModified(), tag).finish(), route)
}

/// A response that says which route gave it.
pub(super) fn marked(mut response: HttpResponse, route: &'static str) -> HttpResponse {
    response.extensions_mut().insert(GivenBy(route));
    response
}

/// What every answer that stands on versions says of how it may be kept.
pub(super) fn tell<'r>(response: &'r mut HttpResponseBuilder, tag: &Tag) -> &'r mut HttpResponseBuilder {
    response
        .insert_header((header::ETAG, tag.0.clone()))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
        .insert_header((header::VARY, HeaderValue::from_static("accept, accept-encoding")))
}

/// Whether an `If-None-Match` header names `tag`, compared weakly.
pub(super) fn has_tag(request: &HttpRequest, tag: &Tag) -> bool {
    fn opaque(tag: &str) -> &str {
        tag.trim().trim_start_matches("W/")
    }
    let wanted = opaque(tag.text());
    let given = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|has| has.to_str().ok());
    given.flat_map(|has| has.split(',')).any(|one| one.trim() == "*" || opaque(one) == wanted)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    epoch: u64,
    target: Box<str>,
    accept: Box<str>,
}

/// A key that owns nothing.
#[derive(Debug, Hash)]
struct Wanted<'a> {
    epoch: u64,
    target: &'a str,
    accept: &'a str,
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.epoch == key.epoch && *self.target == *key.target && *self.accept == *key.accept
    }
}

impl<'a> Wanted<'a> {
    fn of(request: &'a HttpRequest, epoch: u64) -> Option<Self> {
        let target = request.uri().path_and_query()?.as_str();
        let mut accepts = request.headers().get_all(header::ACCEPT);
        let accept = accepts.next().map_or(Some(""), |accept| accept.to_str().ok())?;
        let fits = accepts.next().is_none() && target.len() + accept.len() <= KEY_MAX_BYTES;
        fits.then_some(Self { epoch, target, accept })
    }
}

#[derive(Debug, Clone)]
struct BodyBytes;

impl Weighter<Key, Arc<Answered>> for BodyBytes {
    fn weight(&self, key: &Key, answer: &Arc<Answered>) -> u64 {
        // All codings together take less than half of the body.
        (answer.body.len() * 3 / 2 + key.target.len() + key.accept.len() + 256) as u64
    }
}

/// The answers kept by one service.
#[derive(Debug)]
pub(super) struct Answers(Cache<Key, Arc<Answered>, BodyBytes>);

impl Answers {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(KEPT_ABOUT, KEPT_MAX_BYTES, BodyBytes))
    }

    /// The answer that was given to the same question before.
    pub(super) fn find(&self, request: &HttpRequest, epoch: u64) -> Option<Arc<Answered>> {
        self.0.get(&Wanted::of(request, epoch)?)
    }

    /// Keeps an answer for the next who asks.
    pub(super) fn keep(&self, request: &HttpRequest, epoch: u64, answer: &Arc<Answered>) {
        if let Some(Wanted { epoch, target, accept }) = Wanted::of(request, epoch) {
            self.0.insert(Key { epoch, target: target.into(), accept: accept.into() }, Arc::clone(answer));
        }
    }
}
