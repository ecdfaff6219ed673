//! POST /v1/score: risks for usage series that the request brings along.
//!
//! Each subscription is scored as it is read and then forgotten, by the kernel that ranks the
//! portfolio. Where one of them does not read, the body is gone through a second time, and the
//! others are scored beside what is wrong with it.
//!
//! Two libraries read the same types. sonic-rs is the faster; but it names an error with a piece
//! of the body over several lines, and calls itself to pass over a value that it refuses, so that
//! a deep one would end the process. So it is given nothing deep, and `serde_json` says what is
//! wrong.

use std::fmt;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::{ArrayBuilder, Schema};

use crate::domain::{Day, HorizonDays};

use super::super::aside::aside;
use super::super::body;
use super::super::endpoint::{About, Question, parameters};
use super::super::forms::{Form, JSON, RowWriter};
use super::super::guard;
use super::super::meta::Meta;
use super::super::openapi::{Route, Success, named};
use super::super::operation::Operation;
use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::problem::{Fault, Problem};
use super::super::state;
use super::super::version::Version;
use super::at_risk::{horizon, known_horizon};
use super::nesting;
use super::posted::{Bench, Posted};
use super::words::{FactorRow, Judgement};

/// Most subscriptions of one request.
const ITEMS_MAX: usize = 10_000;

/// Lists and objects within another up to here: three times what a subscription needs.
const DEPTH_MAX: usize = 18;

/// Bodies up to here are worked through on the thread that read them: some tens of microseconds.
const AT_ONCE_MAX_BYTES: usize = 16 << 10;

const AS_OF: Spec = Spec::new(
    "as_of",
    Kind::Day,
    "The day to stand on: nothing dated after it is read. The as-of day of the tables where nothing is said.",
)
.such_as("2026-10-31");
const FACTORS: Spec =
    Spec::new("factors", Kind::Whole { least: 0, most: 50 }, "How many of the strongest factors to tell of each; 3 where nothing is said.")
        .such_as("3");

/// Factors where nothing is said.
const FACTORS_DEFAULT: u32 = 3;

/// The day to stand on, and how much to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScoreQuery {
    as_of: Option<Day>,
    horizon: Option<HorizonDays>,
    factors: usize,
}

impl Query for ScoreQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        let (as_of, horizon) = (parameters.day(&AS_OF), horizon(parameters));
        let factors = parameters.whole(&FACTORS).unwrap_or(FACTORS_DEFAULT);
        Self { as_of, horizon, factors: usize::try_from(factors).unwrap_or(0) }
    }
}

/// Subscriptions to score.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"subscriptions": [{
    "id": "7e3c1f0a-52d4-4a53-9a3e-1f0f6a3b0c55",
    "created_on": "2025-11-03",
    "renewed_on": [],
    "series": [{
        "category": "Virtual Machines",
        "unit": "1 Hour",
        "from": "2026-10-18",
        "quantity": [24, 24, 24, 24, 21.5, null, null, 24, 24, 12, 6.25, 1, null, null],
        "cost": [2.3, 2.3, 2.3, 2.3, 2.06, null, null, 2.3, 2.3, 1.15, 0.6, 0.1, null, null],
    }],
}]})))]
#[expect(dead_code, reason = "it is read piece by piece; this is what the document says of the whole")]
struct ScoreRequest<'a> {
    #[serde(borrow)]
    #[schema(min_items = 1, max_items = 10_000)]
    subscriptions: Vec<Posted<'a>>,
}

/// The score of one subscription, in the place of the subscription in the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Score)]
struct ScoreRow {
    /// As the request has it; null where that does not read.
    id: Option<String>,
    /// Its `unknown_code` is `unreadable` where `errors` says what is wrong.
    #[serde(flatten)]
    judgement: Judgement,
    factors: Vec<FactorRow>,
    /// What is wrong with this subscription; empty where it was scored.
    errors: Vec<Fault>,
}

pub(super) fn route() -> Route {
    let mut schemas = Vec::new();
    let row = named::<ScoreRow>(&mut schemas);
    let body = named::<ScoreRequest<'_>>(&mut schemas);
    Route {
        about: About {
            path: "/v1/score",
            operation: Operation::Score,
            tag: "risk",
            summary: "Risks for usage series in the request",
            what: "Scores 1 to 10,000 subscriptions by the usage series that the request brings, with the kernel and the model that rank the portfolio; every day up to the day to stand on counts as one on which the feed spoke, each subscription is taken for its customer's only one, and what is usual is told by the tables in service. What is wrong with one subscription stands beside the scores of the others.",
            fails: &[503],
        },
        method: HttpMethod::Post,
        parameters: parameters::<ScoreQuery>(true, false),
        body: Some((JSON, body)),
        success: Success::Enveloped { data: Schema::from(ArrayBuilder::new().items(row).build()).into(), tabular: true },
        schemas,
        tagged: false,
        mount: || web::route().to(score),
    }
}

async fn score(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let Question { query, form, .. } = Question::<ScoreQuery>::read(&request, true, false)?;
    let limits = body::limits(&request);
    let bytes = body::json(&request, payload.into_inner(), limits.score_max_bytes, limits.score_deadline).await?;
    let version = state::of(&request)?.seen_by(&guard::caller(&request)?.view).await?;
    let small = bytes.len() <= AT_ONCE_MAX_BYTES && version.knows_usual(query.as_of);
    let work = move || answer(&version, query, form, &bytes);
    let body = if small { work()? } else { aside(&request, work).await? };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).content_type(form.content_type()).body(body))
}

fn answer(version: &Version, query: ScoreQuery, form: Form, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let loaded = version.needed_model()?;
    let Some(as_of) = query.as_of.or(version.tables().portfolio.as_of()) else {
        let detail = "is needed, since there are no tables that have an as-of day";
        return Err(Problem::ImpossibleParameters(vec![Fault::parameter(AS_OF.name, detail)]));
    };
    let head = known_horizon(query.horizon, loaded)?;
    let usual = version.usual(loaded, as_of);
    let scores_of = || Scores::new(Bench::new(loaded, head, as_of, usual), query.factors, form);
    let mut scores = scores_of()?;
    if !nesting::is_within(bytes, DEPTH_MAX) || read(bytes, &mut scores).is_err() {
        scores = scores_of()?;
        read_one_by_one(bytes, &mut scores).map_err(|error| Problem::BadBody(vec![Fault::parameter("body", error.to_string())]))?;
    }
    if scores.count == 0 || scores.count > ITEMS_MAX {
        let detail = format!("holds {} subscriptions; 1 to {ITEMS_MAX} can be scored at once", scores.count);
        return Err(Problem::BadBody(vec![Fault::parameter("subscriptions", detail)]));
    }
    scores.writer.finish(&Meta::standing_on(as_of).spoken_by(loaded).ahead(loaded, head))
}

fn read(bytes: &[u8], scores: &mut Scores<'_>) -> sonic_rs::Result<()> {
    let mut json = sonic_rs::Deserializer::from_slice(bytes);
    Body { one_by_one: false, scores }.deserialize(&mut json)?;
    json.end()
}

fn read_one_by_one(bytes: &[u8], scores: &mut Scores<'_>) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    Body { one_by_one: true, scores }.deserialize(&mut json)?;
    json.end()
}

/// One subscription, by the library that reads whole bodies; where it does not read, the other
/// says why.
fn read_one(raw: &str) -> serde_json::Result<Posted<'_>> {
    let quickly = nesting::is_within(raw.as_bytes(), DEPTH_MAX).then(|| sonic_rs::from_str(raw).ok()).flatten();
    quickly.map_or_else(|| serde_json::from_str(raw), Ok)
}

/// `{"subscriptions": [...]}`, scored as it is read.
struct Body<'s, 'm> {
    /// Read each subscription for itself, so that one which does not read leaves the others.
    one_by_one: bool,
    scores: &'s mut Scores<'m>,
}

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `subscriptions`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = false;
        while let Some(field) = map.next_key::<String>()? {
            if field != "subscriptions" {
                return Err(A::Error::unknown_field(&field, &["subscriptions"]));
            }
            if std::mem::replace(&mut seen, true) {
                return Err(A::Error::duplicate_field("subscriptions"));
            }
            map.next_value_seed(Items { one_by_one: self.one_by_one, scores: &mut *self.scores })?;
        }
        if seen { Ok(()) } else { Err(A::Error::missing_field("subscriptions")) }
    }
}

struct Items<'s, 'm> {
    one_by_one: bool,
    scores: &'s mut Scores<'m>,
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of subscriptions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while self.scores.count <= ITEMS_MAX {
            let written = if self.one_by_one {
                let Some(raw) = items.next_element::<&RawValue>()? else { return Ok(()) };
                match read_one(raw.get()) {
                    Ok(posted) => self.scores.posted(&posted),
                    Err(error) => self.scores.unreadable(raw.get(), &error),
                }
            } else {
                let Some(posted) = items.next_element::<Posted<'_>>()? else { return Ok(()) };
                self.scores.posted(&posted)
            };
            written.map_err(A::Error::custom)?;
        }
        if !self.one_by_one {
            return Err(A::Error::custom("more subscriptions than there may be"));
        }
        // One more than there may be: the rest is passed over, and the request refused.
        while items.next_element::<serde::de::IgnoredAny>()?.is_some() {
            self.scores.count += 1;
        }
        Ok(())
    }
}

/// The answer as it grows.
struct Scores<'m> {
    bench: Bench<'m>,
    factors: usize,
    writer: RowWriter,
    count: usize,
}

impl<'m> Scores<'m> {
    fn new(bench: Bench<'m>, factors: usize, form: Form) -> Result<Self, Problem> {
        Ok(Self { bench, factors, writer: RowWriter::new::<ScoreRow>(form)?, count: 0 })
    }

    fn posted(&mut self, posted: &Posted<'_>) -> Result<(), Problem> {
        let id = Some(posted.id.clone().into_owned());
        match self.bench.judge(posted, self.factors) {
            Ok((standing, factors)) => {
                let factors: Vec<FactorRow> = factors.into_iter().map(FactorRow::from).collect();
                self.write(&ScoreRow { id, judgement: Judgement::of(standing, &factors), factors, errors: Vec::new() })
            }
            Err(errors) => self.write(&unscored(id, errors)),
        }
    }

    /// A subscription that does not read.
    fn unreadable(&mut self, raw: &str, error: &serde_json::Error) -> Result<(), Problem> {
        #[derive(Deserialize)]
        struct Named {
            id: String,
        }
        let id = serde_json::from_str::<Named>(raw).ok().map(|named| named.id);
        let place = format!("subscriptions[{}]", self.count);
        self.write(&unscored(id, vec![Fault::parameter(&place, error.to_string())]))
    }

    fn write(&mut self, row: &ScoreRow) -> Result<(), Problem> {
        self.count += 1;
        self.writer.row(row)
    }
}

fn unscored(id: Option<String>, errors: Vec<Fault>) -> ScoreRow {
    let detail = errors.first().map(|fault| format!("{}: {}", fault.parameter.as_deref().unwrap_or("it"), fault.detail));
    ScoreRow { id, judgement: Judgement::unreadable(detail), factors: Vec::new(), errors }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each of the two libraries reads this body.
    fn read_by(body: &[u8]) -> (bool, bool) {
        let sonic = sonic_rs::from_slice::<ScoreRequest<'_>>(body).is_ok();
        (sonic, serde_json::from_slice::<ScoreRequest<'_>>(body).is_ok())
    }

    #[test]
    fn both_libraries_read_the_same_bodies() {
        let valid = br#"{"subscriptions": [{"id": "a\u00e9", "created_on": "2024-01-01", "renewed_on": ["2024-02-29"],
            "series": [{"category": "Storage", "unit": "GB", "from": "2024-01-01", "quantity": [0, 1.5, null, 2e3, -0.5], "cost": null}]}]}"#;
        assert_eq!(read_by(valid), (true, true));
        let mut refused = 0;
        for at in 0..valid.len() {
            for byte in (0..=u8::MAX).filter(|byte| *byte != valid[at]) {
                let mut body = valid.to_vec();
                body[at] = byte;
                let (sonic, serde) = read_by(&body);
                assert_eq!(sonic, serde, "byte {at}: {}", String::from_utf8_lossy(&body));
                refused += usize::from(!serde);
            }
            assert_eq!(read_by(&valid[..at]), (false, false), "the first {at} bytes");
        }
        assert!(refused > 10_000, "{refused}");
    }

    #[test]
    fn both_libraries_read_the_same_numbers_and_texts() {
        let numbers = [
            "1e400",
            "-1e400",
            "01",
            "-",
            "1.",
            ".5",
            "+1",
            "1e",
            "NaN",
            "18446744073709551616",
            "1e-400",
            "-0",
            "0.1e-7",
            "9007199254740993",
        ];
        let texts =
            ["\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\udc00\\ud800\"", "\"\\x\"", "\"\\u12\"", "\"\t\"", "\"\\u0000\"", "1", "null"];
        let about = |id: &str, number: &str| {
            format!(
                r#"{{"subscriptions":[{{"id":{id},"series":[{{"category":"C","unit":"U","from":"2024-01-01","quantity":[{number}]}}]}}]}}"#
            )
        };
        for body in numbers.iter().map(|number| about("\"a\"", number)).chain(texts.iter().map(|text| about(text, "1"))) {
            let (sonic, serde) = read_by(body.as_bytes());
            assert_eq!(sonic, serde, "{body}");
            let (Ok(mine), Ok(theirs)) = (sonic_rs::from_str::<ScoreRequest<'_>>(&body), serde_json::from_str::<ScoreRequest<'_>>(&body))
            else {
                continue;
            };
            assert_eq!(format!("{mine:?}"), format!("{theirs:?}"), "{body}");
        }
    }
}
