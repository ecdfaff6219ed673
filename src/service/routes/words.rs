//! What several routes say in the same words: whose subscription, factors, levels, reasons.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::version::Version;
use crate::domain::{ChurnRisk, Day, Level, MicrosSum, State};
use crate::features::{FEATURES, Unit};
use crate::metrics::Cut;
use crate::model::{Factor, Standing, UnknownReason};
use crate::portfolio::{CustomerIx, Portfolio, SubscriptionIx};

use super::super::period::last_months;

/// Days over which "cost of 30 days" is summed, the as-of day included.
pub(super) const COST_DAYS: i32 = 30;

/// A customer, by id and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Customer)]
pub(in crate::service) struct Whose {
    #[schema(examples("2d6a43fa-9f5e-4a8e-8b1c-0b7a6a1d6d11"))]
    pub(in crate::service) customer_id: String,
    #[schema(examples("Iron Clinics 00680"))]
    pub(in crate::service) customer_name: Option<String>,
    #[schema(examples("DE"))]
    pub(in crate::service) country: Option<String>,
}

impl Whose {
    /// The name, or the id where there is none.
    pub(in crate::service) fn called(&self) -> &str {
        self.customer_name.as_deref().unwrap_or(&self.customer_id)
    }

    pub(super) fn of(portfolio: &Portfolio, customer: CustomerIx) -> Self {
        let customer = portfolio.customer(customer);
        Self { customer_id: customer.id.clone(), customer_name: customer.name.clone(), country: customer.country.clone() }
    }
}

/// A subscription and its customer, by id and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::service) struct Who {
    #[schema(examples("7e3c1f0a-52d4-4a53-9a3e-1f0f6a3b0c55"))]
    pub(in crate::service) subscription_id: String,
    pub(in crate::service) subscription_name: Option<String>,
    #[schema(examples("2d6a43fa-9f5e-4a8e-8b1c-0b7a6a1d6d11"))]
    pub(in crate::service) customer_id: String,
    #[schema(examples("Iron Clinics 00680"))]
    pub(in crate::service) customer_name: Option<String>,
    #[schema(examples("DE"))]
    pub(in crate::service) country: Option<String>,
    #[schema(examples("Azure plan"))]
    pub(in crate::service) product: Option<String>,
}

impl Who {
    /// The name of the subscription, or its id where there is none.
    pub(in crate::service) fn called(&self) -> &str {
        self.subscription_name.as_deref().unwrap_or(&self.subscription_id)
    }

    /// The name of the customer, or its id where there is none.
    pub(in crate::service) fn customer_called(&self) -> &str {
        self.customer_name.as_deref().unwrap_or(&self.customer_id)
    }

    pub(super) fn of(portfolio: &Portfolio, ix: SubscriptionIx) -> Self {
        let subscription = portfolio.subscription(ix);
        let Whose { customer_id, customer_name, country } = Whose::of(portfolio, subscription.customer);
        Self {
            subscription_id: subscription.id.to_string(),
            subscription_name: subscription.name.clone(),
            customer_id,
            customer_name,
            country,
            product: subscription.product.clone(),
        }
    }
}

/// A risk in words, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Judgement {
    /// The probability that it leaves within the horizon; null where it would be a guess.
    pub(in crate::service) risk: Option<ChurnRisk>,
    pub(in crate::service) level: Standpoint,
    /// Why there is no risk, for programs; null where there is one.
    #[schema(examples("too_young"))]
    pub(in crate::service) unknown_code: Option<&'static str>,
    pub(in crate::service) unknown_detail: Option<String>,
    /// The feature that pushes the risk most, up or down, in a sentence.
    pub(in crate::service) reason_1: Option<String>,
    pub(in crate::service) reason_2: Option<String>,
    pub(in crate::service) reason_3: Option<String>,
}

impl Judgement {
    pub(super) fn of(standing: Standing, factors: &[FactorRow]) -> Self {
        let mut reasons = factors.iter().map(|factor| factor.sentence.clone());
        let (risk, unknown) = match standing {
            Standing::Known { risk, .. } => (Some(risk), None),
            Standing::Unknown { reason: why } => (None, Some(reason(why))),
        };
        let (unknown_code, unknown_detail) = unknown.unzip();
        Self {
            risk,
            level: Standpoint::of(standing),
            unknown_code,
            unknown_detail,
            reason_1: reasons.next(),
            reason_2: reasons.next(),
            reason_3: reasons.next(),
        }
    }

    /// Of a subscription that could not be read.
    pub(super) fn unreadable(detail: Option<String>) -> Self {
        let unknown_code = Some("unreadable");
        Self {
            risk: None,
            level: Standpoint::Unknown,
            unknown_code,
            unknown_detail: detail,
            reason_1: None,
            reason_2: None,
            reason_3: None,
        }
    }
}

/// What goes with a subscription beside its risk.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Stakes {
    pub(in crate::service) created_on: Option<Day>,
    /// The last day with a quantity above 0; null where it was never used.
    pub(in crate::service) last_used_on: Option<Day>,
    /// Of the 30 days that end on the as-of day; null where the tables have no cost.
    pub(in crate::service) cost_30_days: Option<MicrosSum>,
    /// Of the twelve months that end on the as-of day.
    pub(in crate::service) cost_12_months: Option<MicrosSum>,
    /// Risk times the cost of 30 days; null without a risk.
    pub(in crate::service) cost_at_risk: Option<MicrosSum>,
    /// End of the running term as last recorded.
    pub(in crate::service) term_end_on: Option<Day>,
    pub(in crate::service) auto_renew: Option<bool>,
}

impl Stakes {
    /// On `as_of`, with the cost of 30 days where it is known already.
    pub(super) fn of(cut: &Cut<'_>, ix: SubscriptionIx, as_of: Day, standing: Option<Standing>, cost_30_days: Option<MicrosSum>) -> Self {
        let portfolio = cut.portfolio();
        let subscription = portfolio.subscription(ix);
        let cost_30_days = cost_30_days.unwrap_or_else(|| cut.cost(ix, as_of - (COST_DAYS - 1), as_of));
        Self {
            created_on: subscription.life.created(),
            last_used_on: cut.last_used(ix, as_of),
            cost_30_days: portfolio.has_cost().then_some(cost_30_days),
            cost_12_months: portfolio.has_cost().then(|| cost_12_months(cut, ix, as_of)),
            cost_at_risk: standing.and_then(|standing| at_risk_of(standing, cost_30_days)).filter(|_| portfolio.has_cost()),
            term_end_on: subscription.term_end_on,
            auto_renew: subscription.auto_renew,
        }
    }
}

/// The cost of the twelve months that end on `as_of`.
pub(super) fn cost_12_months(cut: &Cut<'_>, ix: SubscriptionIx, as_of: Day) -> MicrosSum {
    let year = last_months(12, as_of);
    cut.cost(ix, year.from(), year.to())
}

/// Risk times cost, rounded to a micro-unit; none without a risk.
pub(super) fn at_risk_of(standing: Standing, cost: MicrosSum) -> Option<MicrosSum> {
    let Standing::Known { risk, .. } = standing else { return None };
    Some(risked(risk, cost))
}

/// Risk times cost, rounded to a micro-unit.
pub(in crate::service) fn risked(risk: ChurnRisk, cost: MicrosSum) -> MicrosSum {
    #[expect(clippy::cast_possible_truncation, reason = "the product is no larger than the cost, which is an i128")]
    MicrosSum((risk.get() * cost.0 as f64).round() as i128)
}

/// One feature's push.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct FactorRow {
    #[schema(examples("days_since_usage"))]
    pub(in crate::service) feature: &'static str,
    pub(in crate::service) unit: Unit,
    /// Length of the feature's window; null where the whole life counts.
    pub(in crate::service) window_days: Option<u32>,
    /// Null where it is money that is kept from whoever asks.
    pub(in crate::service) value: Option<f64>,
    /// The training rows' median; null as the value is.
    pub(in crate::service) typical: Option<f64>,
    /// Log-odds over those of the typical value; above 0 towards leaving.
    pub(in crate::service) contribution: f64,
    #[schema(examples("no usage for 19 days; most subscriptions were used in the last 1"))]
    pub(in crate::service) sentence: String,
}

impl From<Factor> for FactorRow {
    fn from(factor: Factor) -> Self {
        Self {
            feature: factor.feature.name,
            unit: factor.feature.unit,
            window_days: factor.feature.window_days,
            value: Some(factor.value),
            typical: Some(factor.typical),
            contribution: factor.contribution,
            sentence: factor.sentence,
        }
    }
}

impl FactorRow {
    /// Every feature. Of a model that reads costs which are kept from whoever asks, those that are costs are
    /// one row: what each adds would give its value away.
    pub(super) fn all(factors: Vec<Factor>, version: &Version) -> Vec<Self> {
        let (kept, shown): (Vec<Self>, Vec<Self>) =
            factors.into_iter().map(Self::from).partition(|row| version.hides_volume() && row.unit == Unit::VolumePerDay);
        let together = (!kept.is_empty()).then(|| Self {
            feature: "volume",
            unit: Unit::VolumePerDay,
            window_days: None,
            value: None,
            typical: None,
            contribution: kept.iter().map(|row| row.contribution).sum(),
            sentence: "what it cost a day, which is kept from you".to_owned(),
        });
        shown.into_iter().chain(together).collect()
    }

    /// The strongest of those that may be shown.
    pub(super) fn strongest(most: usize, version: &Version, factors: impl FnOnce(usize) -> Vec<Factor>) -> Vec<Self> {
        if !version.hides_volume() {
            return factors(most).into_iter().map(Self::from).collect();
        }
        let rows = factors(FEATURES.len()).into_iter().map(Self::from).filter(|row: &Self| row.unit != Unit::VolumePerDay);
        rows.take(most).collect()
    }
}

/// A level, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::service) enum Standpoint {
    High,
    Medium,
    Low,
    /// Never `low` for want of data.
    Unknown,
}

impl Standpoint {
    pub(in crate::service) const NAMES: &[&str] = &["high", "medium", "low", "unknown"];

    /// In the order of the names.
    pub(in crate::service) const ALL: [Self; 4] = [Self::High, Self::Medium, Self::Low, Self::Unknown];

    /// The name.
    pub(in crate::service) const fn as_str(self) -> &'static str {
        match self {
            Self::High => Self::NAMES[0],
            Self::Medium => Self::NAMES[1],
            Self::Low => Self::NAMES[2],
            Self::Unknown => Self::NAMES[3],
        }
    }

    pub(super) fn of(standing: Standing) -> Self {
        match standing {
            Standing::Known { level, .. } => Self::at(level),
            Standing::Unknown { .. } => Self::Unknown,
        }
    }

    pub(super) const fn at(level: Level) -> Self {
        match level {
            Level::High => Self::High,
            Level::Medium => Self::Medium,
            Level::Low => Self::Low,
        }
    }
}

/// Why there is no risk: a word for programs, and a sentence.
pub(super) type Reason = (&'static str, String);

pub(super) fn reason(reason: UnknownReason) -> Reason {
    match reason {
        UnknownReason::TooYoung { days, least_days } => {
            ("too_young", format!("{days} days old; a risk needs {least_days} days of history"))
        }
        UnknownReason::NoUsageYet => ("no_usage_yet", "never used, and the model speaks of subscriptions in use".to_owned()),
        UnknownReason::Silent { days, window_days } => {
            ("silent", format!("not used for {days} days, and the model speaks of subscriptions used in the last {window_days}"))
        }
        UnknownReason::Gap { gap_days, of_days } => ("gap", format!("the feed has no row on {gap_days} of the last {of_days} days")),
        UnknownReason::NoCost => ("no_cost", "the model reads cost, and the tables have none".to_owned()),
        UnknownReason::NoModel => ("no_model", "there is no model".to_owned()),
    }
}

/// The word of [`reason`].
pub(in super::super) fn reason_code(why: UnknownReason) -> &'static str {
    reason(why).0
}

/// Why a subscription in this state has no risk.
pub(super) fn not_active(state: State, as_of: Day) -> Reason {
    let what = match state {
        State::None => "not created yet",
        State::Active => "active",
        State::Suspended => "suspended",
        State::Ended => "ended",
    };
    ("not_active", format!("{what} on {as_of}; only active subscriptions have a risk"))
}
