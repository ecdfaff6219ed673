//! What a feature is, and how its value is told to a reader.
//!
//! Absent on purpose: the features themselves, which stand in the catalogue.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a feature is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Level,
    Recency,
    Trend,
    Variability,
    Breadth,
    Life,
    /// The customer's other subscriptions.
    Customer,
}

/// In what a feature's value is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Days,
    /// Volume a day (see [`super::VolumeScale`]).
    VolumePerDay,
    /// A fraction in 0..=1.
    Share,
    /// A difference of two shares, in -1..=1.
    ShareChange,
    /// The natural logarithm of a ratio.
    LogRatio,
    /// A plain number.
    Number,
    Count,
    /// 0 or 1.
    Flag,
}

/// How a value is bent before it is clipped and standardised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    Straight,
    /// `sign(x) ln(1 + times |x|)`: for what spans orders of magnitude. `times` is 1, or the days
    /// of a window where the value is a share of them, so that 1 day in 28 differs from none.
    SignedLog {
        times: u32,
    },
}

/// One feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Feature {
    pub name: &'static str,
    pub family: Family,
    pub unit: Unit,
    /// Length of the window that ends on the as-of day; none where the whole life counts.
    pub window_days: Option<u32>,
    pub scale: Scale,
    /// The formula in words. Days are known days: feed gaps and days before creation are none.
    pub formula: &'static str,
    /// For a reader, where the value is at or above the typical one. `{value}` and `{typical}`
    /// stand for both, written in the feature's unit; `{within}` for the typical value, at least 1.
    pub sentence: &'static str,
    /// The same where the value is below the typical one.
    pub sentence_below: &'static str,
}

impl Feature {
    /// The value in this feature's unit, for a reader: `19`, `43 %`, `2.4 times`.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        match self.unit {
            Unit::Days | Unit::Count | Unit::Flag => plain(value.round()),
            Unit::VolumePerDay | Unit::Number => plain(value),
            Unit::Share => format!("{:.0} %", value * 100.0),
            Unit::ShareChange => format!("{:+.0} points", value * 100.0),
            Unit::LogRatio if value < 2_f64.ln() => format!("{:.0} %", value.exp() * 100.0),
            Unit::LogRatio => format!("{:.1} times", value.exp()),
        }
    }

    /// One plain sentence on `value` beside what is `typical` in the portfolio.
    #[must_use]
    pub fn tell(&self, value: f64, typical: f64) -> String {
        let above = if self.unit == Unit::Flag { value > 0.0 } else { value >= typical };
        let template = if above { self.sentence } else { self.sentence_below };
        let mut text = String::with_capacity(template.len() + 24);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            rest = after;
            match name {
                "value" => match (self.unit, self.show(value), before.strip_suffix("only ")) {
                    // "used on none of the days", where a share has nothing to show.
                    (Unit::Share, shown, Some(before)) if shown == "0 %" => text.extend([before, "none"]),
                    // "49 % of the usage before", but "2.4 times the usage before".
                    (Unit::LogRatio, shown, _) if shown.ends_with('%') => text.extend([before, &shown, " of"]),
                    (_, shown, _) => text.extend([before, &shown]),
                },
                "typical" => text.extend([before, &self.show(typical)]),
                _ => text.extend([before, &self.show(typical.max(1.0))]),
            }
        }
        text.push_str(rest);
        text
    }
}

/// Three significant digits, no exponent, no trailing zeros; `-0` is `0`.
fn plain(value: f64) -> String {
    let digits: usize = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let mut text = format!("{value:.digits$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { "0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use crate::features::catalogue::{FEATURES, index};

    #[test]
    fn a_factor_reads_as_one_plain_sentence() {
        let feature = &FEATURES[index("days_since_usage")];
        assert_eq!(feature.tell(19.0, 2.0), "no usage for 19 days; most subscriptions were used in the last 2");
        assert_eq!(feature.tell(3.0, 0.0), "no usage for 3 days; most subscriptions were used in the last 1");
        assert_eq!(FEATURES[index("active_share_28")].tell(0.25, 0.9), "used on only 25 % of the last 28 days; typical is 90 %");
        assert_eq!(FEATURES[index("young")].tell(0.0, 0.0), "older than 84 days");
        let trend = &FEATURES[index("volume_trend_7")];
        assert_eq!(trend.tell(0.4_f64.ln(), 0.0), "the last 7 days had only 40 % of the usage of the 7 before; typical is 100 %");
        assert_eq!(trend.tell(2.44_f64.ln(), 0.0), "the last 7 days had 2.4 times the usage of the 7 before; typical is 100 %");
        let age = &FEATURES[index("tenure_relative")];
        assert_eq!(age.tell(0.5_f64.ln(), 0.0), "its age is only 50 % of the usual one here; typical is 100 %");
        assert_eq!(age.tell(3_f64.ln(), 0.0), "its age is 3.0 times the usual one here; typical is 100 %");
        assert_eq!(FEATURES[index("active_share_14")].tell(0.0, 0.79), "used on none of the last 14 days; typical is 79 %");
    }
}
