//! The one list of features: what each is, in words, and how it is told to a reader.
//!
//! Absent on purpose: the arithmetic, which is in the kernel. A model file names the hash of
//! this list and is refused on another, so a changed formula needs a changed text here.
//!
//! "The living" in a formula are the subscriptions of the portfolio that are active on the as-of
//! day and were used in the 28 days that end on it (see [`super::Usual`]).

use sha2::{Digest, Sha256};

use super::feature::{Family, Feature, Scale, Unit};

/// The windows, in days that end on the as-of day.
pub const WINDOWS: [u32; 5] = [7, 14, 28, 56, 84];

/// Days that the kernel reads for everything but recency and the whole life: the longest window.
pub const REACH_DAYS: u32 = 84;

/// Number of features, the width of every row.
pub const FEATURE_COUNT: usize = FEATURES.len();

/// SHA-256 over the declarative list: names, families, units, windows, scales and formulas.
/// Sentences are left out, because a better wording changes no number.
#[must_use]
pub fn hash() -> [u8; 32] {
    let mut hasher = Sha256::new();
    for feature in FEATURES {
        let line = format!(
            "{}\t{:?}\t{:?}\t{:?}\t{:?}\t{}\n",
            feature.name, feature.family, feature.unit, feature.window_days, feature.scale, feature.formula
        );
        hasher.update(line.as_bytes());
    }
    hasher.finalize().into()
}

/// Place of the feature called `name`. In a `const`, a name that is not in the list is a
/// compile error (the search runs past the end of it).
#[must_use]
pub const fn index(name: &str) -> usize {
    let mut at = 0;
    while !same(FEATURES[at].name, name) {
        at += 1;
    }
    at
}

/// String comparison that works in constants.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Volume a day over a window.
macro_rules! volume {
    ($days:literal) => {
        Feature {
            name: concat!("volume_", $days),
            family: Family::Level,
            unit: Unit::VolumePerDay,
            window_days: Some($days),
            scale: Scale::SignedLog { times: 1 },
            formula: concat!("volume of the last ", $days, " days over known days among them"),
            sentence: concat!("used {value} a day over the last ", $days, " days; typical is {typical}"),
            sentence_below: concat!("used only {value} a day over the last ", $days, " days; typical is {typical}"),
        }
    };
}

/// Share of days with use over a window.
macro_rules! active_share {
    ($days:literal) => {
        Feature {
            name: concat!("active_share_", $days),
            family: Family::Level,
            unit: Unit::Share,
            window_days: Some($days),
            scale: Scale::SignedLog { times: $days },
            formula: concat!("usage days of the last ", $days, " days over known days among them"),
            sentence: concat!("used on {value} of the last ", $days, " days; typical is {typical}"),
            sentence_below: concat!("used on only {value} of the last ", $days, " days; typical is {typical}"),
        }
    };
}

/// Slope of the log volume over a window, less the portfolio's own.
macro_rules! relative_slope {
    ($days:literal) => {
        Feature {
            name: concat!("volume_slope_", $days, "_relative"),
            family: Family::Trend,
            unit: Unit::Number,
            window_days: Some($days),
            scale: Scale::Straight,
            formula: concat!(
                "least-squares slope of ln(1 + volume of the day) on the day over the known days of the last ",
                $days,
                ", times ",
                $days,
                "; less its mean over the living"
            ),
            sentence: concat!("over the last ", $days, " days usage rises against the portfolio's (slope {value}; typical is {typical})"),
            sentence_below: concat!(
                "over the last ",
                $days,
                " days usage falls behind the portfolio's (slope {value}; typical is {typical})"
            ),
        }
    };
}

/// A number of the whole life against what is usual in the portfolio that day. Such numbers grow
/// with the length of the data, and a model would take the calendar for a cause.
const fn relative(name: &'static str, family: Family, formula: &'static str, sentence: &'static str, below: &'static str) -> Feature {
    Feature { name, family, unit: Unit::LogRatio, window_days: None, scale: Scale::Straight, formula, sentence, sentence_below: below }
}

/// The list, in the order of a row's values.
pub const FEATURES: &[Feature] = &[
    volume!(7),
    volume!(14),
    volume!(28),
    volume!(56),
    volume!(84),
    active_share!(7),
    active_share!(14),
    active_share!(28),
    active_share!(56),
    active_share!(84),
    relative(
        "usage_days_relative",
        Family::Level,
        "ln(1 + usage days up to the as-of day), less its mean over the living",
        "its days of use are {value} the usual number here; typical is {typical}",
        "its days of use are only {value} the usual number here; typical is {typical}",
    ),
    relative(
        "usage_share_life_relative",
        Family::Level,
        "ln((usage days + 1) / (known days since the first usage day + 7)), less its mean over the living",
        "over its whole life it was used at {value} the usual rate here; typical is {typical}",
        "over its whole life it was used at only {value} the usual rate here; typical is {typical}",
    ),
    relative(
        "volume_life_relative",
        Family::Level,
        "ln(1 + volume up to the as-of day), less its mean over the living",
        "its volume so far is {value} the usual one here; typical is {typical}",
        "its volume so far is only {value} the usual one here; typical is {typical}",
    ),
    Feature {
        name: "fading_use_28",
        family: Family::Level,
        unit: Unit::Number,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "sum over usage days of exp(-known days since then / 28)",
        sentence: "recent days of use, each counting less the longer ago, come to {value}; typical is {typical}",
        sentence_below: "recent days of use, each counting less the longer ago, come to only {value}; typical is {typical}",
    },
    relative(
        "fading_use_180_relative",
        Family::Level,
        "ln(1 + sum over usage days of exp(-known days since then / 180)), less its mean over the living",
        "its days of use, each counting less the longer ago, come to {value} the usual sum here; typical is {typical}",
        "its days of use, each counting less the longer ago, come to only {value} the usual sum here; typical is {typical}",
    ),
    Feature {
        name: "days_since_usage",
        family: Family::Recency,
        unit: Unit::Days,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "known days after the last usage day; after the day before creation where there is none",
        sentence: "no usage for {value} days; most subscriptions were used in the last {within}",
        sentence_below: "last used {value} days ago; most subscriptions were used in the last {within}",
    },
    Feature {
        name: "silence_against_usual",
        family: Family::Recency,
        unit: Unit::LogRatio,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "ln((days_since_usage + 1) / (mean known days from one usage day of the last 84 days to the next + 1)); \
                  with fewer than two usage days the mean is known days over usage days",
        sentence: "the present silence is {value} the usual gap between its days of use; typical is {typical}",
        sentence_below: "the present silence is only {value} the usual gap between its days of use; typical is {typical}",
    },
    Feature {
        name: "silence_surprise",
        family: Family::Recency,
        unit: Unit::Number,
        window_days: Some(84),
        scale: Scale::SignedLog { times: 1 },
        formula: "-days_since_usage ln(1 - (usage days of the last 84 days + 0.5) / (known days among them + 1))",
        sentence: "a silence this long is unusual for how often it is used (surprise {value}; typical is {typical})",
        sentence_below: "a silence this long is usual for how often it is used (surprise {value}; typical is {typical})",
    },
    Feature {
        name: "longer_silences",
        family: Family::Recency,
        unit: Unit::LogRatio,
        window_days: None,
        scale: Scale::Straight,
        formula: "ln((earlier silences longer than the present one + 0.5) / (earlier silences + 1)); a silence is the known days from one usage day to the next",
        sentence: "{value} its earlier silences were longer than the present one; typical is {typical}",
        sentence_below: "only {value} its earlier silences were longer than the present one; typical is {typical}",
    },
    relative(
        "longest_silence_relative",
        Family::Recency,
        "ln(1 + known days of the longest silence so far), less its mean over the living",
        "its longest silence was {value} the usual one here; typical is {typical}",
        "its longest silence was only {value} the usual one here; typical is {typical}",
    ),
    relative(
        "long_silences_relative",
        Family::Recency,
        "ln(1 + silences longer than 28 days for each 365 known days since the first usage day), less its mean over the living",
        "its long silences are {value} the usual number here; typical is {typical}",
        "its long silences are only {value} the usual number here; typical is {typical}",
    ),
    Feature {
        name: "volume_trend_7",
        family: Family::Trend,
        unit: Unit::LogRatio,
        window_days: Some(7),
        scale: Scale::Straight,
        formula: "ln((a + e) / (b + e)), a and b volume a known day of the last 7 days and of the 7 before, e a twentieth of volume_84; \
                  0 where either has no known day",
        sentence: "the last 7 days had {value} the usage of the 7 before; typical is {typical}",
        sentence_below: "the last 7 days had only {value} the usage of the 7 before; typical is {typical}",
    },
    Feature {
        name: "volume_trend_14",
        family: Family::Trend,
        unit: Unit::LogRatio,
        window_days: Some(14),
        scale: Scale::Straight,
        formula: "as volume_trend_7, of the last 14 days and the 14 before",
        sentence: "the last 14 days had {value} the usage of the 14 before; typical is {typical}",
        sentence_below: "the last 14 days had only {value} the usage of the 14 before; typical is {typical}",
    },
    Feature {
        name: "volume_trend_28",
        family: Family::Trend,
        unit: Unit::LogRatio,
        window_days: Some(28),
        scale: Scale::Straight,
        formula: "as volume_trend_7, of the last 28 days and the 28 before",
        sentence: "the last 28 days had {value} the usage of the 28 before; typical is {typical}",
        sentence_below: "the last 28 days had only {value} the usage of the 28 before; typical is {typical}",
    },
    Feature {
        name: "activity_change_14",
        family: Family::Trend,
        unit: Unit::ShareChange,
        window_days: Some(14),
        scale: Scale::Straight,
        formula: "share of known days with usage of the last 14 days less that of the 14 before; 0 where either has no known day",
        sentence: "days of use moved by {value} from one fortnight to the next; typical is {typical}",
        sentence_below: "days of use fell by {value} from one fortnight to the next; typical is {typical}",
    },
    Feature {
        name: "activity_change_28",
        family: Family::Trend,
        unit: Unit::ShareChange,
        window_days: Some(28),
        scale: Scale::Straight,
        formula: "share of known days with usage of the last 28 days less that of the 28 before; 0 where either has no known day",
        sentence: "days of use moved by {value} from the 28 days before to the last 28; typical is {typical}",
        sentence_below: "days of use moved by only {value} from the 28 days before to the last 28; typical is {typical}",
    },
    Feature {
        name: "activity_against_life",
        family: Family::Trend,
        unit: Unit::LogRatio,
        window_days: Some(28),
        scale: Scale::Straight,
        formula: "ln((active_share_28 + 0.01) / (usage_days_life over known days since its first day + 0.01))",
        sentence: "its rate of use in the last 28 days is {value} that of its whole life; typical is {typical}",
        sentence_below: "its rate of use in the last 28 days is only {value} that of its whole life; typical is {typical}",
    },
    Feature {
        name: "last_7_of_best_7",
        family: Family::Trend,
        unit: Unit::Share,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "volume of the last 7 days over the largest of any 7 consecutive days of the last 84, both a known day; 0 where that is 0",
        sentence: "the last 7 days reach {value} of its best week in 84 days; typical is {typical}",
        sentence_below: "the last 7 days reach only {value} of its best week in 84 days; typical is {typical}",
    },
    relative_slope!(28),
    relative_slope!(56),
    relative_slope!(84),
    Feature {
        name: "variation_84",
        family: Family::Variability,
        unit: Unit::Number,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "standard deviation over mean of the day's volume over the usage days of the last 84; 0 where the mean is not positive",
        sentence: "days of use differ much from each other (variation {value} over 84 days; typical is {typical})",
        sentence_below: "days of use differ little from each other (variation {value} over 84 days; typical is {typical})",
    },
    Feature {
        name: "longest_silence_84",
        family: Family::Variability,
        unit: Unit::Days,
        window_days: Some(84),
        scale: Scale::SignedLog { times: 1 },
        formula: "most consecutive known days without usage among the last 84",
        sentence: "its longest silence in 84 days was {value} days; typical is {typical}",
        sentence_below: "its longest silence in 84 days was only {value} days; typical is {typical}",
    },
    Feature {
        name: "weekend_share_84",
        family: Family::Variability,
        unit: Unit::Share,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "usage days of the last 84 days on Saturdays and Sundays over usage days among them; 2/7 where there are none",
        sentence: "{value} of its days of use were on weekends; typical is {typical}",
        sentence_below: "only {value} of its days of use were on weekends; typical is {typical}",
    },
    Feature {
        name: "categories_28",
        family: Family::Breadth,
        unit: Unit::Count,
        window_days: Some(28),
        scale: Scale::SignedLog { times: 1 },
        formula: "categories with usage in the last 28 days",
        sentence: "{value} categories used in 28 days; typical is {typical}",
        sentence_below: "only {value} categories used in 28 days; typical is {typical}",
    },
    Feature {
        name: "categories_change_28",
        family: Family::Breadth,
        unit: Unit::Number,
        window_days: Some(28),
        scale: Scale::Straight,
        formula: "categories with usage in the last 28 days less those with usage in the 28 before",
        sentence: "the number of categories in use moved by {value} in 28 days; typical is {typical}",
        sentence_below: "the number of categories in use moved by {value} in 28 days; typical is {typical}",
    },
    Feature {
        name: "categories_silent",
        family: Family::Breadth,
        unit: Unit::Count,
        window_days: Some(84),
        scale: Scale::SignedLog { times: 1 },
        formula: "categories with usage in the last 84 days and none in the last 28",
        sentence: "{value} categories have gone silent for 28 days; typical is {typical}",
        sentence_below: "only {value} categories have gone silent for 28 days; typical is {typical}",
    },
    Feature {
        name: "largest_share_84",
        family: Family::Breadth,
        unit: Unit::Share,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "largest category's part of the positive volume by category of the last 84 days; 1 where there is none",
        sentence: "{value} of its usage is in one category; typical is {typical}",
        sentence_below: "only {value} of its usage is in one category; typical is {typical}",
    },
    Feature {
        name: "entropy_84",
        family: Family::Breadth,
        unit: Unit::Number,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "-sum p ln p over the categories' parts p of the positive volume of the last 84 days",
        sentence: "usage is spread widely over categories (entropy {value}; typical is {typical})",
        sentence_below: "usage is concentrated on few categories (entropy {value}; typical is {typical})",
    },
    relative(
        "tenure_relative",
        Family::Life,
        "ln(1 + days from creation, or the first usage day where that is earlier, to the as-of day), less its mean over the living",
        "its age is {value} the usual one here; typical is {typical}",
        "its age is only {value} the usual one here; typical is {typical}",
    ),
    Feature {
        name: "young",
        family: Family::Life,
        unit: Unit::Flag,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "1 where it is younger than 84 days, so that longer windows are scaled to its age",
        sentence: "younger than 84 days",
        sentence_below: "older than 84 days",
    },
    Feature {
        name: "days_to_term_end",
        family: Family::Life,
        unit: Unit::Days,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "days from the as-of day to the last renewal plus the length of the term before it, at least 0; 0 before the first renewal",
        sentence: "{value} days to the end of the term; typical is {typical}",
        sentence_below: "only {value} days to the end of the term; typical is {typical}",
    },
    Feature {
        name: "has_term",
        family: Family::Life,
        unit: Unit::Flag,
        window_days: None,
        scale: Scale::Straight,
        formula: "1 where a renewal is known, 0 before the first",
        sentence: "it has been renewed before",
        sentence_below: "it has never been renewed",
    },
    Feature {
        name: "days_since_renewal",
        family: Family::Life,
        unit: Unit::Days,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "days since the last renewal; 0 before the first",
        sentence: "{value} days since the last renewal; typical is {typical}",
        sentence_below: "only {value} days since the last renewal; typical is {typical}",
    },
    Feature {
        name: "earlier_suspensions",
        family: Family::Life,
        unit: Unit::Count,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "times it was suspended, up to the as-of day",
        sentence: "suspended {value} times before; typical is {typical}",
        sentence_below: "suspended only {value} times before; typical is {typical}",
    },
    Feature {
        name: "siblings",
        family: Family::Customer,
        unit: Unit::Count,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "other subscriptions of the customer that are active on the as-of day; 0 where the customer is unknown",
        sentence: "the customer has {value} other active subscriptions; typical is {typical}",
        sentence_below: "the customer has only {value} other active subscriptions; typical is {typical}",
    },
    Feature {
        name: "siblings_trend_28",
        family: Family::Customer,
        unit: Unit::LogRatio,
        window_days: Some(28),
        scale: Scale::Straight,
        formula: "ln((a + 1) / (b + 1)), a and b usage days of the customer's other subscriptions in the last 28 days and the 28 before",
        sentence: "the customer's other subscriptions had {value} the days of use of the 28 days before; typical is {typical}",
        sentence_below: "the customer's other subscriptions had only {value} the days of use of the 28 days before; typical is {typical}",
    },
    Feature {
        name: "siblings_lost_90",
        family: Family::Customer,
        unit: Unit::Count,
        window_days: Some(90),
        scale: Scale::SignedLog { times: 1 },
        formula: "other subscriptions of the customer that ended in the last 90 days and are ended on the as-of day",
        sentence: "the customer left {value} other subscriptions in the last 90 days; typical is {typical}",
        sentence_below: "the customer left only {value} other subscriptions in the last 90 days; typical is {typical}",
    },
    Feature {
        name: "handed_over",
        family: Family::Customer,
        unit: Unit::Flag,
        window_days: None,
        scale: Scale::Straight,
        formula: "1 where another subscription, first used within 14 days of its last use, has 0.5 to 2 times its usual volume since",
        sentence: "its usage went over to another subscription of the customer",
        sentence_below: "no other subscription took its usage over",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_sentence_shows_the_value() {
        for (at, feature) in FEATURES.iter().enumerate() {
            assert_eq!(index(feature.name), at, "{} stands twice", feature.name);
            for sentence in [feature.sentence, feature.sentence_below] {
                assert!(feature.unit == Unit::Flag || feature.name == "has_term" || sentence.contains("{value}"), "{}", feature.name);
            }
        }
    }
}
