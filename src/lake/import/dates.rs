//! Dates as the sources write them, cut to the UTC day (FORMATS.md).

use crate::domain::{Day, DayError};

/// Reads `2018-05-27`, and the same followed by `T` or a space and a time of day with minutes,
/// seconds or up to 7 fraction digits, with `Z` or without a zone (then UTC).
///
/// # Errors
/// Any other form, days that do not exist, years outside 1970 to 2200.
pub(super) fn parse(text: &str) -> Result<Day, DayError> {
    match text.split_at_checked(10) {
        Some((day, "")) => Day::parse(day),
        Some((day, time)) if is_time(time) => Day::parse(day),
        _ => Err(DayError::Malformed(text.to_owned())),
    }
}

/// `T23:00`, ` 23:00:00`, `T23:00:00.1234567Z`.
fn is_time(text: &str) -> bool {
    let Some(time) = text.strip_prefix(['T', 't', ' ']) else { return false };
    let time = time.strip_suffix(['Z', 'z']).unwrap_or(time);
    let (clock, fraction) = time.split_once('.').map_or((time, None), |(clock, fraction)| (clock, Some(fraction)));
    let parts: Vec<&str> = clock.split(':').collect();
    let below = |part: &str, limit: u32| {
        part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u32>().is_ok_and(|number| number < limit)
    };
    let clock_fits = match parts.as_slice() {
        [hour, minute] => fraction.is_none() && below(hour, 24) && below(minute, 60),
        // A leap second is written as second 60.
        [hour, minute, second] => below(hour, 24) && below(minute, 60) && below(second, 61),
        _ => false,
    };
    clock_fits && fraction.is_none_or(|digits| digits.len() <= 7 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_the_sources_write_is_cut_to_its_day() {
        let forms = [
            "2018-05-27",
            "2018-05-27T00:00:00",
            "2018-05-27T23:59:59.1234567Z",
            "2018-05-27T23:59:59.",
            "2018-05-27 23:00:00",
            "2018-05-27T00:00Z",
        ];
        for form in forms {
            assert_eq!(parse(form).map(|day| day.to_string()), Ok("2018-05-27".to_owned()), "{form}");
        }
        for wrong in [
            "2018-05-27T",
            "2018-05-27T25:00",
            "2018-05-27T00:00:00.12345678",
            "2018-05-27x",
            "27/05/2018",
            "2018-05",
            "é018-05-27",
            "2018-05-2é",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
