//! Answers that were given before, by the versions they stand on and by what was asked.
//!
//! Absent on purpose: failures, streams, and anything that could go stale: another version of
//! the tables or the model has another epoch, and its answers are others.

use std::hash::Hash;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use quick_cache::{Equivalent, Weighter, sync::Cache};

use super::aside::aside;
use super::codings::{Coded, Coding};
use super::problem::Problem;

/// Bytes of bodies that are kept. A page of 1,000 rows has about a megabyte.
const KEPT_MAX_BYTES: u64 = 32 << 20;

/// Answers kept, as the cache plans for them.
const KEPT_ABOUT: usize = 4_096;

/// Longest target and form that make a key; longer ones are answered anew.
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
    /// Whether it is a page that another one comes after.
    goes_on: bool,
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
        Self { route, content_type, tag, headers, body: body.into(), goes_on: false, coded: Coded::default() }
    }

    /// The same as a page that another one comes after.
    pub(super) fn going_on(self) -> Self {
        Self { goes_on: true, ..self }
    }

    pub(super) const fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The response; without its body where the client has it already.
    ///
    /// # Errors
    /// Where the body cannot be compressed.
    pub(super) async fn respond(self: &Arc<Self>, request: &HttpRequest) -> Result<HttpResponse, Problem> {
        if has_tag(request, &self.tag) {
            let mut response = not_modified(self.route, &self.tag);
            let own = self.headers.iter().filter(|(name, _)| [header::VARY.as_str(), header::CACHE_CONTROL.as_str()].contains(name));
            for (name, value) in own.filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))) {
                response.headers_mut().insert(name, value);
            }
            return Ok(response);
        }
        let coding = Coding::liked(request);
        let body = match coding {
            None => self.body.clone(),
            Some(coding) => match self.coded.made(coding) {
                Some(made) => made,
                None => self.code(coding, request).await?,
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

    async fn code(self: &Arc<Self>, coding: Coding, request: &HttpRequest) -> Result<Bytes, Problem> {
        let answer = Arc::clone(self);
        self.coded.make(coding, aside(request, move || coding.code(&answer.body).map_err(Problem::Uncodable))).await
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

/// Whether a client wants the answer worked out anew (`Cache-Control: no-cache`).
pub(super) fn wants_anew(request: &HttpRequest) -> bool {
    request.headers().get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes() == b"no-cache")
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
    form: Box<str>,
}

/// A key that owns nothing.
#[derive(Debug, Hash)]
struct Wanted<'a> {
    epoch: u64,
    target: &'a str,
    form: &'a str,
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.epoch == key.epoch && *self.target == *key.target && *self.form == *key.form
    }
}

impl<'a> Wanted<'a> {
    /// The form is what the Accept header asks for.
    fn of(request: &'a HttpRequest, epoch: u64) -> Option<Self> {
        let mut accepts = request.headers().get_all(header::ACCEPT);
        let accept = accepts.next().map_or(Some(""), |accept| accept.to_str().ok())?;
        // Most libraries write out that they take anything.
        let accept = if accept == "*/*" { "" } else { accept };
        if accepts.next().is_some() { None } else { Self::in_form(request, epoch, accept) }
    }

    /// In a form that the route itself has chosen.
    fn in_form(request: &'a HttpRequest, epoch: u64, form: &'a str) -> Option<Self> {
        let target = request.uri().path_and_query()?.as_str();
        (target.len() + form.len() <= KEY_MAX_BYTES).then_some(Self { epoch, target, form })
    }
}

#[derive(Debug, Clone)]
struct BodyBytes;

impl Weighter<Key, Arc<Answered>> for BodyBytes {
    fn weight(&self, key: &Key, answer: &Arc<Answered>) -> u64 {
        // All codings together take less than half of the body.
        (answer.body.len() * 3 / 2 + key.target.len() + key.form.len() + 256) as u64
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

    /// The same in a form that the route has chosen, such as a language.
    pub(super) fn find_as(&self, request: &HttpRequest, epoch: u64, form: &str) -> Option<Arc<Answered>> {
        self.0.get(&Wanted::in_form(request, epoch, form)?)
    }

    /// The answer that `work` comes to, kept for the next who asks. Those who ask the same while
    /// it is worked out wait for it, rather than have it worked out once for each.
    ///
    /// # Errors
    /// What `work` fails with. Failures are not kept: the next of those who wait tries again.
    pub(super) async fn once(
        &self,
        request: &HttpRequest,
        epoch: u64,
        work: impl Future<Output = Result<Answered, Problem>>,
    ) -> Result<Arc<Answered>, Problem> {
        self.wanted_once(request, Wanted::of(request, epoch), work).await
    }

    /// The same in a form that the route has chosen.
    ///
    /// # Errors
    /// As [`Answers::once`].
    pub(super) async fn once_as(
        &self,
        request: &HttpRequest,
        epoch: u64,
        form: &str,
        work: impl Future<Output = Result<Answered, Problem>>,
    ) -> Result<Arc<Answered>, Problem> {
        self.wanted_once(request, Wanted::in_form(request, epoch, form), work).await
    }

    async fn wanted_once(
        &self,
        request: &HttpRequest,
        wanted: Option<Wanted<'_>>,
        work: impl Future<Output = Result<Answered, Problem>>,
    ) -> Result<Arc<Answered>, Problem> {
        let work = async { work.await.map(Arc::new) };
        let Some(wanted) = wanted else { return work.await };
        let key = Key { epoch: wanted.epoch, target: wanted.target.into(), form: wanted.form.into() };
        if !wants_anew(request) {
            return self.0.get_or_insert_async(&key, work).await;
        }
        let answered = work.await?;
        self.0.insert(key, Arc::clone(&answered));
        Ok(answered)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use actix_web::rt;
    use actix_web::test::TestRequest;
    use futures::executor::block_on;
    use futures::future::join_all;

    use super::*;

    fn answered(body: &[u8]) -> Answered {
        Answered::new("/", "text/plain", Tag::weak(1), Vec::new(), body.to_vec())
    }

    #[test]
    fn many_who_ask_the_same_have_it_worked_out_once() {
        let answers = Answers::new();
        let request = TestRequest::with_uri("/v1/summary").to_http_request();
        let worked = Cell::new(0);
        let ask = |fails: bool| {
            let worked = &worked;
            answers.once(&request, 1, async move {
                rt::task::yield_now().await;
                worked.set(worked.get() + 1);
                if fails { Err(Problem::Panicked) } else { Ok(answered(b"sums")) }
            })
        };
        let got = block_on(join_all([ask(true), ask(false), ask(false), ask(false)]));
        assert_eq!(got.iter().filter(|one| one.is_err()).count(), 1);
        assert!(got.iter().flatten().all(|one| *one.body == *b"sums"));
        assert_eq!(worked.get(), 2, "the failure, and the one that is kept");
        assert!(answers.find(&request, 1).is_some());
        assert!(answers.find(&request, 2).is_none());
    }

    #[test]
    fn an_answer_worked_out_anew_replaces_the_one_kept() {
        let answers = Answers::new();
        let kept = TestRequest::with_uri("/v1/summary").insert_header(("accept", "*/*")).to_http_request();
        let anew = TestRequest::with_uri("/v1/summary").insert_header(("cache-control", "no-cache")).to_http_request();
        for (request, body, expected) in [(&kept, b"a", b"a"), (&anew, b"b", b"b"), (&kept, b"c", b"b")] {
            let got = block_on(answers.once(request, 1, async { Ok(answered(body)) })).expect("worked out");
            assert_eq!(got.body.as_ref(), expected);
        }
    }
}
