//! GET /sign-in, GET /sign-in/callback, POST /sign-out, GET /signed-out: how a browser comes to
//! a session, and loses it.

use std::net::IpAddr;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use url::Url;
use utoipa::openapi::path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use super::super::body::NoBody;
use super::super::boundary;
use super::super::dashboard;
use super::super::endpoint::About;
use super::super::openapi::{Route, Success, text};
use super::super::operation::Operation;
use super::super::problem::Problem;
use super::deeds::Told;
use super::session::Begun;
use super::{CALLBACK, Doors, Guard, Visitor, of};
use crate::access::{Caller, CodeFlow, Credential, FlowError, ProviderError};
use crate::domain::chain;

const SIGN_IN: &str = "/sign-in";
const SIGN_OUT: &str = "/sign-out";
const SIGNED_OUT: &str = "/signed-out";

/// Longest address of a page that a sign-in leads back to.
const THEN_MAX_BYTES: usize = 1_500;

/// The routes of a service at which browsers sign in.
pub(in crate::service) fn routes() -> Vec<Route> {
    let route = |about: About, parameters: Vec<Parameter>, success, mount| Route {
        about,
        method: HttpMethod::Get,
        parameters,
        body: None,
        success,
        schemas: Vec::new(),
        tagged: false,
        mount,
    };
    let begin = About {
        path: SIGN_IN,
        operation: Operation::SignIn,
        tag: "sign-in",
        summary: "Sign in",
        what: "Leads the browser to the OpenID provider, and from there back to the page that was asked for.",
        fails: &[429, 503],
    };
    let end = About {
        path: CALLBACK,
        operation: Operation::SignInCallback,
        tag: "sign-in",
        summary: "Where the provider sends the browser back",
        what: "Takes the provider's code, begins the session, and leads to the page that was asked for.",
        fails: &[401, 403, 503],
    };
    let out = About {
        path: SIGN_OUT,
        operation: Operation::SignOut,
        tag: "sign-in",
        summary: "Sign out",
        what: "Ends the session, here and at the provider. A form of another site is refused.",
        fails: &[403],
    };
    let over = About {
        path: SIGNED_OUT,
        operation: Operation::SignedOut,
        tag: "sign-in",
        summary: "The page after signing out",
        what: "Says that the session is over, and where to sign in again.",
        fails: &[],
    };
    let page = || Success::Plain { media_type: "text/html", schema: text() };
    vec![
        route(begin, vec![asked("then", "The page to come back to.")], Success::SeeOther, || web::route().to(sign_in)),
        route(
            end,
            vec![asked("code", "What the provider gives for a sign-in."), asked("state", "Which sign-in it is for.")],
            Success::SeeOther,
            || web::route().to(callback),
        ),
        Route { method: HttpMethod::Post, ..route(out, Vec::new(), page(), || web::route().to(sign_out)) },
        route(over, Vec::new(), page(), || web::route().to(signed_out)),
    ]
}

fn asked(name: &str, what: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).max_length(Some(THEN_MAX_BYTES));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(schema))
        .build()
}

/// The first value of a parameter. Providers add parameters of their own, which say nothing here.
fn value(request: &HttpRequest, name: &str) -> Option<String> {
    url::form_urlencoded::parse(request.query_string().as_bytes()).find(|(one, _)| one == name).map(|(_, value)| value.into_owned())
}

/// A path and query of our own, whatever was asked for.
fn own_page(then: Option<String>) -> String {
    // Any other scheme would do: what matters is where the address leads from here.
    let base = Url::parse("http://own.invalid/");
    let led = then.filter(|then| then.len() <= THEN_MAX_BYTES && then.starts_with('/')).zip(base.ok()).and_then(|(then, base)| {
        let url = base.join(&then).ok().filter(|url| url.origin() == base.origin())?;
        Some(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
    });
    // A path of two slashes is the name of another host to a browser.
    led.filter(|led| !led.starts_with("//") && !led.starts_with(SIGN_IN)).unwrap_or_else(|| "/".to_owned())
}

fn flow(guard: &Guard) -> Result<(&Doors, &CodeFlow), Problem> {
    guard.inner.doors.as_ref().and_then(|doors| Some((doors, doors.flow.as_ref()?))).ok_or(Problem::NoSuchRoute)
}

fn led_to(address: &str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, address)).insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// To the sign-in, and from there to a page.
pub(super) fn led_to_sign_in(then: &str) -> HttpResponse {
    let then: String = url::form_urlencoded::byte_serialize(then.as_bytes()).collect();
    led_to(&format!("{SIGN_IN}?then={then}")).finish()
}

async fn sign_in(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (doors, flow) = flow(of(&request)?)?;
    let started = flow.start().await.map_err(|error| refused(&error))?;
    let address = started.address.clone();
    let begun = Begun::new(started, own_page(value(&request, "then")), doors.now());
    let cookie = doors.sessions.remember(&begun).ok_or(Problem::Panicked)?;
    Ok(led_to(&address).cookie(cookie).finish())
}

async fn callback(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guard = of(&request)?;
    let (doors, _) = flow(guard)?;
    let outcome = ended(&request, guard).await;
    let from = from(&request)?;
    let told = |who: &str, result: String| Told {
        who: who.to_owned(),
        from: from.to_string(),
        what: "sign-in",
        about: "browser".to_owned(),
        result,
    };
    match outcome {
        Ok((caller, then)) => {
            guard.inner.deeds.after(told(&caller.who, format!("done: {}, {}", caller.roles, caller.view.scope))).await;
            let cookie = doors.sessions.begin(&caller, doors.now()).ok_or_else(too_long)?;
            Ok(led_to(&then).cookie(cookie).cookie(doors.sessions.forget_sign_in()).finish())
        }
        Err(problem) => {
            if let Err(wait) = guard.inner.rates.refusal(from) {
                guard.inner.deeds.refused_unwritten();
                return Err(Problem::TooMany { wait });
            }
            guard.inner.deeds.refused(told("-", format!("refused: {problem}"))).await;
            let mut response = dashboard::refusal(&request, &problem);
            // A cookie of plain letters is always a header.
            let _ = response.add_cookie(&doors.sessions.forget_sign_in());
            Ok(boundary::said(response))
        }
    }
}

/// The address that a request comes from.
fn from(request: &HttpRequest) -> Result<IpAddr, Problem> {
    request.extensions().get::<Visitor>().map(|visitor| visitor.from).ok_or(Problem::Panicked)
}

/// Whoever has signed in, and the page that they asked for.
async fn ended(request: &HttpRequest, guard: &Guard) -> Result<(Caller, String), Problem> {
    let (doors, flow) = flow(guard)?;
    let not_begun = || Problem::Unknown { why: Some("this browser has begun no such sign-in, or more than ten minutes ago".to_owned()) };
    let begun = doors.sessions.begun(request, doors.now()).ok_or_else(not_begun)?;
    if value(request, "state").as_ref() != Some(&begun.started.state) {
        return Err(not_begun());
    }
    // However it ends, a state is for one sign-in.
    if !doors.sessions.is_first(&begun, doors.now()) {
        return Err(not_begun());
    }
    if value(request, "error").is_some() {
        return Err(Problem::NotAllowed { why: "the OpenID provider did not let the sign-in end".to_owned() });
    }
    let code = value(request, "code").ok_or_else(not_begun)?;
    let caller = flow.finish(&begun.started, code).await.map_err(|error| refused(&error))?;
    Ok((caller, begun.then))
}

fn too_long() -> Problem {
    Problem::NotAllowed { why: "the scope names more resellers and customers than a browser's cookie holds".to_owned() }
}

fn refused(error: &FlowError) -> Problem {
    match error {
        FlowError::Provider(ProviderError::Refused(refused)) => Problem::NotAllowed { why: refused.to_string() },
        FlowError::Provider(ProviderError::Token(error)) => Problem::Unknown { why: Some(error.to_string()) },
        FlowError::CodeRefused(_) => Problem::Unknown { why: Some(error.to_string()) },
        FlowError::Provider(_) | FlowError::NoClient | FlowError::NoEndpoint(_) | FlowError::NoIdToken => {
            tracing::error!(error = chain(error), "nobody can sign in");
            Problem::NobodyCanTell { why: "the OpenID provider is out of reach, or is not what it was set up as".to_owned() }
        }
    }
}

async fn sign_out(request: HttpRequest, _: NoBody) -> Result<HttpResponse, Problem> {
    let guard = of(&request)?;
    let (doors, flow) = flow(guard)?;
    let now = doors.now();
    let held = doors.sessions.text(&request).and_then(|text| doors.sessions.caller(&text, &doors.config, now));
    if let Some((caller, session)) = held.filter(|(caller, _)| caller.by == Credential::Session) {
        doors.sessions.end(session, caller.until.unwrap_or(i64::MAX), now);
        let told = Told {
            who: caller.who,
            from: from(&request)?.to_string(),
            what: "sign-out",
            about: "browser".to_owned(),
            result: "done".to_owned(),
        };
        guard.inner.deeds.after(told).await;
    }
    let back = doors.config.public().and_then(|public| public.join(SIGNED_OUT).ok());
    let onward = match &back {
        Some(back) => flow.sign_out(back).await,
        None => None,
    };
    // A page leads on, since a form of ours may be sent to nobody else, not by a redirect either.
    let mut response = dashboard::signed_out(&request, onward.as_ref().map(Url::as_str));
    // A cookie of plain letters is always a header.
    let _ = response.add_cookie(&doors.sessions.forget_session());
    Ok(response)
}

async fn signed_out(request: HttpRequest) -> Result<HttpResponse, Problem> {
    flow(of(&request)?)?;
    Ok(dashboard::signed_out(&request, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_pages_of_ours_alone() {
        let page = |then: &str| own_page(Some(then.to_owned()));
        assert_eq!(page("/subscriptions/s1?lang=fr"), "/subscriptions/s1?lang=fr");
        for then in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/.//evil.example",
            "\\\\evil.example",
            "javascript:alert(1)",
            "/sign-in",
            "",
            "evil",
        ] {
            assert_eq!(page(then), "/", "{then:?}");
        }
        assert_eq!(page("/a\r\nset-cookie: b=c"), "/aset-cookie:%20b=c");
    }
}
