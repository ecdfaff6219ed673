//! The one list of features: what each is, in words, and how it is told to a reader.
//!
//! Absent on purpose: the arithmetic, which is in the kernel. A model file names the hash of
//! this list and is refused on another, so a changed formula needs a changed text here.

use sha2::{Digest, Sha256};

use super::feature::{Family, Feature, Scale, Unit};

/// The windows, in days that end on the as-of day.
pub const WINDOWS: [u32; 5] = [7, 14, 28, 56, 84];

/// Days that the kernel reads for everything but recency and life: the longest window.
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

const fn volume(name: &'static str, window: u32, formula: &'static str, sentence: &'static str, below: &'static str) -> Feature {
    Feature {
        name,
        family: Family::Level,
        unit: Unit::VolumePerDay,
        window_days: Some(window),
        scale: Scale::SignedLog { times: 1 },
        formula,
        sentence,
        sentence_below: below,
    }
}

const fn share(name: &'static str, window: u32, formula: &'static str, sentence: &'static str, below: &'static str) -> Feature {
    Feature {
        name,
        family: Family::Level,
        unit: Unit::Share,
        window_days: Some(window),
        scale: Scale::SignedLog { times: window },
        formula,
        sentence,
        sentence_below: below,
    }
}

/// The list, in the order of a row's values.
pub const FEATURES: &[Feature] = &[
    volume(
        "volume_7",
        7,
        "volume of the last 7 days over known days among them",
        "used {value} a day over the last 7 days; typical is {typical}",
        "used only {value} a day over the last 7 days; typical is {typical}",
    ),
    volume(
        "volume_14",
        14,
        "volume of the last 14 days over known days among them",
        "used {value} a day over the last 14 days; typical is {typical}",
        "used only {value} a day over the last 14 days; typical is {typical}",
    ),
    volume(
        "volume_28",
        28,
        "volume of the last 28 days over known days among them",
        "used {value} a day over the last 28 days; typical is {typical}",
        "used only {value} a day over the last 28 days; typical is {typical}",
    ),
    volume(
        "volume_56",
        56,
        "volume of the last 56 days over known days among them",
        "used {value} a day over the last 56 days; typical is {typical}",
        "used only {value} a day over the last 56 days; typical is {typical}",
    ),
    volume(
        "volume_84",
        84,
        "volume of the last 84 days over known days among them",
        "used {value} a day over the last 84 days; typical is {typical}",
        "used only {value} a day over the last 84 days; typical is {typical}",
    ),
    share(
        "active_share_7",
        7,
        "usage days of the last 7 days over known days among them",
        "used on {value} of the last 7 days; typical is {typical}",
        "used on only {value} of the last 7 days; typical is {typical}",
    ),
    share(
        "active_share_14",
        14,
        "usage days of the last 14 days over known days among them",
        "used on {value} of the last 14 days; typical is {typical}",
        "used on only {value} of the last 14 days; typical is {typical}",
    ),
    share(
        "active_share_28",
        28,
        "usage days of the last 28 days over known days among them",
        "used on {value} of the last 28 days; typical is {typical}",
        "used on only {value} of the last 28 days; typical is {typical}",
    ),
    share(
        "active_share_56",
        56,
        "usage days of the last 56 days over known days among them",
        "used on {value} of the last 56 days; typical is {typical}",
        "used on only {value} of the last 56 days; typical is {typical}",
    ),
    share(
        "active_share_84",
        84,
        "usage days of the last 84 days over known days among them",
        "used on {value} of the last 84 days; typical is {typical}",
        "used on only {value} of the last 84 days; typical is {typical}",
    ),
    Feature {
        name: "usage_days_life",
        family: Family::Level,
        unit: Unit::Days,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "usage days up to the as-of day",
        sentence: "used on {value} days so far; typical is {typical}",
        sentence_below: "used on only {value} days so far; typical is {typical}",
    },
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
    Feature {
        name: "volume_slope_28",
        family: Family::Trend,
        unit: Unit::Number,
        window_days: Some(28),
        scale: Scale::Straight,
        formula: "least-squares slope of ln(1 + volume of the day) on the day over the known days of the last 28, times 28",
        sentence: "usage rises over the last 28 days (slope {value}; typical is {typical})",
        sentence_below: "usage falls behind over the last 28 days (slope {value}; typical is {typical})",
    },
    Feature {
        name: "volume_slope_56",
        family: Family::Trend,
        unit: Unit::Number,
        window_days: Some(56),
        scale: Scale::Straight,
        formula: "as volume_slope_28 over the last 56 days, times 56",
        sentence: "usage rises over the last 56 days (slope {value}; typical is {typical})",
        sentence_below: "usage falls behind over the last 56 days (slope {value}; typical is {typical})",
    },
    Feature {
        name: "volume_slope_84",
        family: Family::Trend,
        unit: Unit::Number,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "as volume_slope_28 over the last 84 days, times 84",
        sentence: "usage rises over the last 84 days (slope {value}; typical is {typical})",
        sentence_below: "usage falls behind over the last 84 days (slope {value}; typical is {typical})",
    },
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
    Feature {
        name: "tenure_days",
        family: Family::Life,
        unit: Unit::Days,
        window_days: None,
        scale: Scale::SignedLog { times: 1 },
        formula: "days from creation, or the first usage day where that is earlier, to the as-of day",
        sentence: "a customer's subscription for {value} days; typical is {typical}",
        sentence_below: "a customer's subscription for only {value} days; typical is {typical}",
    },
    Feature {
        name: "young",
        family: Family::Life,
        unit: Unit::Flag,
        window_days: Some(84),
        scale: Scale::Straight,
        formula: "1 where tenure_days is below 84, so that longer windows are scaled to the tenure",
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
        formula: "days since the last renewal; tenure_days before the first",
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
