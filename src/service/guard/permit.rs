//! Whether whoever sent a request may do what it asks for; and the record of what is written, and
//! of what was refused.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, ResponseError, rt};

use super::super::boundary;
use super::super::dashboard;
use super::super::operation::{Allowed, Operation};
use super::super::problem::Problem;
use super::deeds::Told;
use super::identity::{Identity, Visitor};
use super::{Guard, of, sign_in};
use crate::access::{Credential, RoleSet};

/// The layer around one operation.
pub(in crate::service) async fn permit<B: MessageBody + 'static>(
    operation: Operation,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let visitor = request.extensions().get::<Visitor>().cloned();
    let (Some(visitor), Ok(guard)) = (visitor, of(request.request()).cloned()) else { return Err(Problem::Panicked.into()) };
    if let Err(problem) = guard.decide(operation, &visitor, request.request()) {
        let response = guard.refuse(operation, &visitor, request.request(), problem).await?;
        return Ok(request.into_response(boundary::said(response)).map_into_right_body());
    }
    if !operation.writes() || *request.method() != Method::POST {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    if let Err(wait) = guard.inner.rates.write(visitor.identity.who()) {
        return Err(Problem::TooMany { wait }.into());
    }
    let told = Told {
        who: visitor.identity.who().to_owned(),
        from: visitor.from.to_string(),
        what: operation.id(),
        about: request.path().to_owned(),
        result: String::new(),
    };
    // By itself, so that a client who goes away does not cut the record off.
    let written = rt::spawn(recorded(guard, told, request, next)).await;
    Ok(written.map_err(|_| Problem::Panicked)??.map_into_left_body())
}

/// Does a write between two records.
async fn recorded<B: MessageBody + 'static>(
    guard: Guard,
    told: Told,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    guard.inner.deeds.before(Told { result: "begun".to_owned(), ..told.clone() }).await?;
    let unknown = "unknown: the service ended, or failed, over it".to_owned();
    let ending = Ending { guard: guard.clone(), told: Some(Told { result: unknown, ..told }) };
    let outcome = next.call(request).await;
    let status = match &outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let result = if status.is_success() || status.is_redirection() { "done".to_owned() } else { format!("failed: {}", status.as_u16()) };
    ending.at_its_end(result).await;
    outcome
}

/// What is recorded at the end of a write, however it ends.
struct Ending {
    guard: Guard,
    told: Option<Told>,
}

impl Ending {
    async fn at_its_end(mut self, result: String) {
        if let Some(told) = self.told.take() {
            self.guard.inner.deeds.after(Told { result, ..told }).await;
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            let guard = self.guard.clone();
            rt::spawn(async move { guard.inner.deeds.after(told).await });
        }
    }
}

impl Guard {
    fn decide(&self, operation: Operation, visitor: &Visitor, request: &HttpRequest) -> Result<(), Problem> {
        let by = if let Identity::Known(caller) = &visitor.identity { Some(caller.by) } else { None };
        // What a browser adds by itself a page of another site can make it send.
        if !request.method().is_safe() && !matches!(by, Some(Credential::Token | Credential::Key)) {
            // Whoever says nothing of a page is no browser, unless there is a session.
            let is_ours = self.inner.hosts.sent_by_us(request.headers()).unwrap_or(by != Some(Credential::Session));
            if !is_ours {
                return Err(Problem::ForeignForm);
            }
        }
        let (roles, whole_only) = match operation.allowed() {
            Allowed::Anyone => return Ok(()),
            Allowed::Roles(roles) => (roles, false),
            Allowed::Unscoped(roles) => (roles, true),
        };
        let caller = match &visitor.identity {
            Identity::Known(caller) => caller,
            Identity::Nobody => return Err(Problem::Unknown { why: None }),
            Identity::Rejected(why) => return Err(Problem::Unknown { why: Some(why.clone()) }),
            Identity::Refused(refused) => return Err(Problem::NotAllowed { why: refused.to_string() }),
            Identity::Unclear(why) => return Err(Problem::NobodyCanTell { why: why.clone() }),
        };
        if !caller.roles.meets(roles) {
            return Err(Problem::NotAllowed { why: missing(roles, caller.roles) });
        }
        if whole_only && !caller.view.scope.is_everybody() {
            return Err(Problem::NotAllowed { why: "this is about all customers, and the scope is some of them".to_owned() });
        }
        Ok(())
    }

    /// The answer to somebody who may not: a browser that nobody has signed in by is led to do so.
    ///
    /// # Errors
    /// What a program is told.
    async fn refuse(
        &self,
        operation: Operation,
        visitor: &Visitor,
        request: &HttpRequest,
        problem: Problem,
    ) -> Result<HttpResponse, Problem> {
        let wants_page = accepts_html(request);
        let by_token = request.headers().contains_key(header::AUTHORIZATION);
        if self.has_flow() && wants_page && request.method().is_safe() && !by_token && matches!(problem, Problem::Unknown { .. }) {
            return Ok(sign_in::led_to_sign_in(target(request)));
        }
        if let Err(wait) = self.inner.rates.refusal(visitor.from) {
            self.inner.deeds.refused_unwritten();
            return Err(Problem::TooMany { wait });
        }
        self.inner.deeds.refused(refusal_of(operation, visitor, &problem)).await;
        if wants_page { Ok(dashboard::refusal(request, &problem)) } else { Err(problem) }
    }
}

fn refusal_of(operation: Operation, visitor: &Visitor, problem: &Problem) -> Told {
    Told {
        who: visitor.identity.who().to_owned(),
        from: visitor.from.to_string(),
        what: "denied",
        about: operation.id().to_owned(),
        result: format!("{}: {problem}", problem.status_code().as_u16()),
    }
}

fn missing(wanted: RoleSet, has: RoleSet) -> String {
    format!("this takes one of the roles {wanted}; the caller has {has}")
}

/// Path and query of a request.
fn target(request: &HttpRequest) -> &str {
    request.uri().path_and_query().map_or("/", |target| target.as_str())
}

/// Whether a person reads the answer, in a browser.
pub(in crate::service) fn accepts_html(request: &HttpRequest) -> bool {
    request.headers().get_all(header::ACCEPT).filter_map(|accept| accept.to_str().ok()).any(|accept| accept.contains("text/html"))
}
