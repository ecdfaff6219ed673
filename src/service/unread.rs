//! Bodies that nobody reads to their end.
//!
//! Of a body in chunks actix-web reads on after an early answer, until it ends, if it does. It
//! leaves alone what somebody still holds, and then closes the connection; so such a body is held
//! for as long as that takes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::rt;
use actix_web::web::Bytes;
use futures::Stream;

/// Longer than it takes to send an answer and close.
const HELD: Duration = Duration::from_secs(5);

/// Sees to it that a connection is closed whose request's body was not read to its end.
pub(super) fn closes_unread(request: &mut ServiceRequest) {
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        let body = Body { payload: request.take_payload(), has_ended: false };
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
    }
}

struct Body {
    payload: Payload,
    has_ended: bool,
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.payload).poll_next(cx);
        self.has_ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.has_ended {
            let payload = std::mem::replace(&mut self.payload, Payload::None);
            rt::spawn(async move {
                rt::time::sleep(HELD).await;
                drop(payload);
            });
        }
    }
}
