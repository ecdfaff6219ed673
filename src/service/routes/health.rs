//! GET /healthz: the process is up. GET /readyz: every route can answer.

use actix_web::HttpResponse;
use serde::Serialize;

use super::super::answer::{Envelope, Meta, plain};
use super::super::parameters::{Nothing, Valid};
use super::super::problem::Problem;
use super::super::state::{CurrentModel, CurrentPortfolio, Keeper};

#[derive(Debug, Serialize)]
struct Status {
    status: &'static str,
}

pub(super) async fn alive(_: Valid<Nothing>) -> Result<HttpResponse, Problem> {
    plain(&Envelope { data: Status { status: "up" }, meta: Meta::default() })
}

/// Takes the portfolio and the model last, so that all that is missing is told at once.
pub(super) async fn ready(
    _: Valid<Nothing>,
    keeper: Keeper,
    portfolio: Result<CurrentPortfolio, Problem>,
    model: Result<CurrentModel, Problem>,
) -> Result<HttpResponse, Problem> {
    let (Ok(portfolio), Ok(model)) = (portfolio, model) else { return Err(Problem::NotReady(keeper.missing())) };
    plain(&Envelope { data: Status { status: "ready" }, meta: Meta::of(&portfolio).spoken_by(&model) })
}
