//! GET /v1/model/record

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;

use crate::domain::{Day, Feedback, Level, chain};
use crate::features::Kernel;
use crate::model::{FeedbackRecord, HeldAgainst, HorizonRecord, Labeller, LoadedModel, hindsight, hold};
use crate::portfolio::Portfolio;

use super::super::aside::aside;
use super::super::endpoint::{About, Envelope, parameters};
use super::super::guard;
use super::super::hidden::empty_money;
use super::super::meta::{Meta, Warning};
use super::super::openapi::{Route, Success, named};
use super::super::operation::Operation;
use super::super::parameters::{Nothing, Parameters};
use super::super::problem::{Fault, Problem};
use super::super::scores::{CostAtRisk, Issued, RecordOfModel};
use super::super::state;
use super::super::version::Version;
use super::plain_body;

/// The scores of every model as they were issued, and what came of them.
#[derive(Debug, Serialize, ToSchema)]
struct LiveRecord<'v> {
    /// Scorings of the whole portfolio that are recorded.
    scorings: u64,
    /// How much of them is measured, in words.
    sampling: &'static str,
    /// By model version.
    models: Vec<ModelRow<'v>>,
    /// What people said of risks; null where it does not read.
    feedback: Option<FeedbackRecord>,
}

/// Scores of one subscription on two days that are near are nearly the same row.
const SAMPLING: &str = "of each model the first scoring of each ISO week is taken, of the newest 53 weeks that have one; of more than 500,000 matured rows of a horizon, those of every second, fourth, ... subscription are measured";

/// What one model issued.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordOfModel)]
struct ModelRow<'v> {
    #[schema(examples("2026-08-28-5d0c7a1e"))]
    model_version: &'v str,
    /// All its scorings that are recorded, of which at most one a week is measured.
    scorings: u64,
    /// Rows of all of them, one for each subscription and horizon; null to a reader of some
    /// customers, since they are of all.
    rows: Option<u64>,
    first_as_of: Option<Day>,
    last_as_of: Option<Day>,
    /// Why its scores are not measured, such as a model that the registry does not hold any more;
    /// null where they are.
    not_measured: Option<&'v str>,
    /// By horizon; empty where they are not measured.
    horizons: &'v [HorizonRecord],
    /// At the first horizon, on the day of each scoring that is measured; empty where they are not
    /// measured, and where the tables have no cost.
    cost_at_risk: &'v [CostAtRisk],
}

impl<'v> ModelRow<'v> {
    fn of(record: &'v RecordOfModel, version: &Version) -> Self {
        let (not_measured, horizons, cost_at_risk) = match &record.measured {
            Ok(measured) => (None, measured.horizons.as_slice(), measured.cost_at_risk.as_slice()),
            Err(why) => (Some(why.as_str()), [].as_slice(), [].as_slice()),
        };
        Self {
            model_version: &record.model_version,
            scorings: record.heads.len() as u64,
            rows: (!version.is_scoped()).then(|| record.heads.iter().map(|head| head.rows).sum()),
            first_as_of: record.heads.first().map(|head| head.scoring.as_of),
            last_as_of: record.heads.last().map(|head| head.scoring.as_of),
            not_measured,
            horizons,
            cost_at_risk: if version.tables().portfolio.hides_cost() { &[] } else { cost_at_risk },
        }
    }
}

pub(super) fn route() -> Route {
    let mut schemas = Vec::new();
    let data = named::<LiveRecord<'static>>(&mut schemas);
    Route {
        about: About {
            path: "/v1/model/record",
            operation: Operation::ModelRecord,
            tag: "model",
            summary: "The live record: scores as they were issued, and what came of them",
            what: "Every scoring of the whole portfolio is kept. Once it is known who left, the scores are measured as they were issued, by the same figures as on the card, for each model and horizon; and what people said of risks is held against the labels. The tables are the judge: what is not known by their as-of day is pending.",
            fails: &[503],
        },
        method: HttpMethod::Get,
        parameters: parameters::<Nothing>(false, false),
        body: None,
        success: Success::Enveloped { data, tabular: false },
        schemas,
        tagged: false,
        mount: || web::route().to(record),
    }
}

async fn record(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request).finish()?;
    let version = state::of(&request)?.seen_by(&guard::caller(&request)?.view).await?;
    Ok(plain_body(aside(&request, move || answer(&version)).await?))
}

fn answer(version: &Version) -> Result<Vec<u8>, Problem> {
    let (sight, issued) = (version.sight()?, version.issued());
    if !issued.has_lake() {
        return Err(Problem::NotReady(vec![Fault::missing("the service has no lake in which scores are kept")]));
    }
    let records = version.record();
    let mut meta = Meta::at(version).hiding::<LiveRecord<'static>>(sight.portfolio);
    let unread = issued.unread.as_ref().map(|why| Warning::new("scores_unreadable", format!("the recorded scores do not read: {why}")));
    meta.warn(unread);
    meta.warn(nothing_matured(records));
    // Feedback comes at any time; the figures stand until the next version.
    let feedback = match issued.feedback() {
        Ok(mut feedback) => {
            let is_known = |given: &Feedback| sight.portfolio.find_subscription(given.subscription_id.as_str()).is_some();
            feedback.retain(|given| !version.is_scoped() || is_known(given));
            Some(held(version, version.priced(), issued, &feedback))
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the feedback does not read");
            meta.warn(Warning::new("feedback_unreadable", format!("the feedback does not read: {}", chain(&error))));
            None
        }
    };
    let models = records.iter().map(|record| ModelRow::of(record, version)).collect();
    let data = LiveRecord { scorings: issued.heads().len() as u64, sampling: SAMPLING, models, feedback };
    let told = if sight.portfolio.hides_cost() {
        serde_json::to_value(&data).and_then(|mut data| {
            empty_money(&mut data);
            serde_json::to_vec(&Envelope { data, meta })
        })
    } else {
        serde_json::to_vec(&Envelope { data, meta })
    };
    told.map_err(Problem::Unserialisable)
}

/// That no label is known yet, and when the first will be.
fn nothing_matured(records: &[RecordOfModel]) -> Option<Warning> {
    let horizons = || records.iter().flat_map(|record| record.measured.iter().flat_map(|measured| &measured.horizons));
    if horizons().any(|horizon| horizon.matured > 0) {
        return None;
    }
    let first = horizons().filter_map(|horizon| horizon.next_matures_on).min();
    let detail = first.map_or_else(
        || "no score that was recorded waits for its label; scores are recorded as tables and models come into service".to_owned(),
        |first| format!("no score that was recorded has a label yet; the first will have one with data up to {first}"),
    );
    Some(Warning::new("nothing_matured", detail))
}

/// A model that somebody spoke of the risks of.
struct Judge {
    loaded: LoadedModel,
    kernel: Kernel,
}

fn held(version: &Version, portfolio: &Portfolio, issued: &Issued, feedback: &[Feedback]) -> FeedbackRecord {
    let mut judges: BTreeMap<&str, Option<Judge>> = BTreeMap::new();
    for model in feedback.iter().filter_map(|given| given.model_version.as_deref()) {
        judges.entry(model).or_insert_with(|| {
            let current = version.model().filter(|loaded| loaded.model.version() == model).map(|loaded| (**loaded).clone());
            let loaded = current.or_else(|| issued.model(model).ok())?;
            Some(Judge { kernel: Kernel::new(portfolio, loaded.model.volume_scale()), loaded })
        });
    }
    let against = |given: &Feedback| {
        let judge = given.model_version.as_deref().and_then(|model| judges.get(model)?.as_ref());
        let (Some(judge), Some(ix)) = (judge, portfolio.find_subscription(given.subscription_id.as_str())) else {
            return HeldAgainst::Nothing;
        };
        let model = &judge.loaded.model;
        let seen = hindsight(&Labeller::new(portfolio, &judge.kernel, model.question()), ix, given.as_of);
        // Feedback is about the risk at the first horizon.
        HeldAgainst::Label { seen, called: given.risk.map(|risk| model.level(0, risk) != Level::Low) }
    };
    hold(feedback.iter().map(|given| (given, against(given))))
}
