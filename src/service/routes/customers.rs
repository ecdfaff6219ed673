//! GET /v1/customers/top, /v1/customers/count and /v1/categories

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::MicrosSum;
use crate::metrics::{self, CategoryUse, CustomerCount, CustomerSlice, Filter, Measure, TopCustomer, TopError};

use super::super::endpoint::{About, Figures};
use super::super::meta::{Meta, Warning};
use super::super::operation::Operation;
use super::super::parameters::{Kind, Parameters, Query, Spec};
use super::super::period::AskedPeriod;
use super::super::problem::{Fault, Problem};
use super::super::version::Version;
use super::churn::FlowQuery;
use super::words::Whose;

const MEASURE: Spec = Spec::new(
    "measure",
    Kind::Choice(&["cost", "quantity"]),
    "What customers are ranked by: cost (where nothing is said), or the quantity of one category.",
)
.such_as("cost");
const UNIT: Spec = Spec::new("unit", Kind::Text, "Unit of the quantity; needed where the category has several.");
const LIMIT: Spec = Spec::new("limit", Kind::Whole { least: 1, most: 100 }, "How many customers; 5 where nothing is said.").such_as("5");

/// Customers where nothing is said.
const LIMIT_DEFAULT: u32 = 5;

/// A period, a measure, and the common filters.
#[derive(Debug, Clone)]
pub(in crate::service) struct TopQuery {
    period: AskedPeriod,
    measure: Measure,
    filter: Filter,
    limit: usize,
}

impl Query for TopQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        let by_quantity = parameters.choice(&MEASURE, &[false, true]).unwrap_or(false);
        let unit = parameters.one(&UNIT).map(|unit| unit.trim().to_owned());
        if unit.is_some() && !by_quantity {
            parameters.impossible(UNIT.name, "is for measure=quantity alone");
        }
        let measure = if by_quantity { Measure::Quantity { unit } } else { Measure::Cost };
        let limit = usize::try_from(parameters.whole(&LIMIT).unwrap_or(LIMIT_DEFAULT)).unwrap_or(usize::MAX);
        Self { period: AskedPeriod::parse(parameters), measure, filter: parameters.filter(), limit }
    }
}

/// The top customers of a period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TopCustomers)]
pub(in crate::service) struct TopAnswer {
    /// The unit of the quantities; null where cost is measured.
    pub(in crate::service) unit: Option<String>,
    /// The measure of all customers that the filter left.
    pub(in crate::service) total: MicrosSum,
    /// Customers whose measure is above 0.
    pub(in crate::service) customers: u64,
    pub(in crate::service) rows: Vec<TopRow>,
}

/// A customer among the top.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TopCustomer)]
pub(in crate::service) struct TopRow {
    /// 1 for the first.
    pub(in crate::service) rank: u64,
    #[serde(flatten)]
    pub(in crate::service) customer: Whose,
    /// Its cost or quantity in the period.
    pub(in crate::service) value: MicrosSum,
    /// `value / total`, a fraction.
    pub(in crate::service) share: Option<f64>,
    /// The same in the preceding period of equal length.
    pub(in crate::service) preceding: MicrosSum,
    /// `(value - preceding) / preceding`; null where the earlier is not above 0.
    pub(in crate::service) growth: Option<f64>,
    /// Its subscriptions with a usage day in the period.
    pub(in crate::service) subscriptions_used: u64,
}

/// Top customers.
#[derive(Debug)]
pub(in crate::service) struct Top;

impl Figures for Top {
    const ABOUT: About = About {
        path: "/v1/customers/top",
        operation: Operation::TopCustomers,
        tag: "metrics",
        summary: "Top customers of a category, or of all",
        what: "Customers by cost of the categories named (or of all), or by the quantity of one category and unit; each with its share of the whole, growth against the preceding period, and subscriptions used.",
        fails: &[],
    };
    type Query = TopQuery;
    type Answer = TopAnswer;
    type Row = TopRow;

    fn answer(version: &Version, query: &TopQuery) -> Result<(TopAnswer, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let top = metrics::top_customers(sight.portfolio, period, &query.filter, &query.measure, query.limit).map_err(|error| {
            let name = match error {
                TopError::OneCategory(_) => "category",
                TopError::UnitNeeded { .. } => UNIT.name,
            };
            Problem::ImpossibleParameters(vec![Fault::parameter(name, error.to_string())])
        })?;
        let row = |(rank, row): (u64, &TopCustomer)| TopRow {
            rank,
            customer: Whose::of(sight.portfolio, row.customer),
            value: row.value,
            share: row.share,
            preceding: row.preceding,
            growth: row.growth,
            subscriptions_used: row.subscriptions_used,
        };
        let rows = (1..).zip(&top.rows).map(row).collect();
        let mut meta = Meta::of(sight).about(sight, period);
        if query.measure == Measure::Cost {
            meta.warn(Warning::doubts_about_cost(sight.portfolio));
        }
        Ok((TopAnswer { unit: top.unit, total: top.total, customers: top.customers, rows }, meta))
    }

    fn rows(answer: &TopAnswer) -> &[TopRow] {
        &answer.rows
    }
}

/// How many customers there are.
#[derive(Debug)]
pub(in crate::service) struct Count;

impl Figures for Count {
    const ABOUT: About = About {
        path: "/v1/customers/count",
        operation: Operation::CustomerCount,
        tag: "metrics",
        summary: "New, lost, returned, net customers",
        what: "New: the first subscription ever was created in the period. Lost: had an active subscription on the day before, none at the end. Net is active at the end less active on the day before. In total and by bucket, each bucket by the same rule for itself.",
        fails: &[],
    };
    type Query = FlowQuery;
    type Answer = CustomerCount;
    type Row = CustomerSlice;

    fn answer(version: &Version, query: &FlowQuery) -> Result<(CustomerCount, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let count = metrics::customer_count(sight.portfolio, period, query.bucket, &query.filter);
        Ok((count, Meta::of(sight).about(sight, period).warned(Warning::doubts_about_lives(sight.portfolio))))
    }

    fn rows(answer: &CustomerCount) -> &[CustomerSlice] {
        &answer.buckets
    }
}

/// A period and the common filters.
#[derive(Debug, Clone)]
pub(in crate::service) struct PeriodQuery {
    pub(super) period: AskedPeriod,
    pub(super) filter: Filter,
}

impl Query for PeriodQuery {
    fn parse(parameters: &mut Parameters) -> Self {
        Self { period: AskedPeriod::parse(parameters), filter: parameters.filter() }
    }
}

/// What was used.
#[derive(Debug)]
pub(in crate::service) struct Categories;

impl Figures for Categories {
    const ABOUT: About = About {
        path: "/v1/categories",
        operation: Operation::Categories,
        tag: "metrics",
        summary: "Categories and units, with quantity, cost, customers",
        what: "Every (category, unit) with a row in the period: its quantity, its cost, and the customers with a usage day in it. Quantities are never added up over units.",
        fails: &[],
    };
    type Query = PeriodQuery;
    type Answer = Vec<CategoryUse>;
    type Row = CategoryUse;

    fn answer(version: &Version, query: &PeriodQuery) -> Result<(Vec<CategoryUse>, Meta), Problem> {
        let sight = version.sight()?;
        let period = query.period.resolve(sight.as_of);
        let mut meta = Meta::of(sight).about(sight, period);
        meta.warn(Warning::doubts_about_cost(sight.portfolio));
        Ok((metrics::categories(sight.portfolio, period, &query.filter), meta))
    }

    fn rows(answer: &Vec<CategoryUse>) -> &[CategoryUse] {
        answer
    }
}
