//! Dates as the sources write them, cut to the UTC day (FORMATS.md).

use crate::domain::{Day, DayError};

/// Reads `2018-05-27`, and the same followed by `T` or a space and a time of day with minutes,
/// seconds or up to 7 fraction digits, with `Z`, `+00:00` or without a zone (then
/// UTC).
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

/// Reads what [`parse`] reads, and `05/27/2018` as cost details have it: month, day, year.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_american(text: &str) -> Result<Day, DayError> {
    let malformed = || DayError::Malformed(text.to_owned());
    let (date, time) = text.split_once(' ').unwrap_or((text, ""));
    let Some((month, rest)) = date.split_once('/') else { return parse(text) };
    // A time of day, `12:00:00 AM` among them, says nothing about the day.
    let is_clock = time.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b' ' | b'A' | b'P' | b'M'));
    let (day, year) = rest.split_once('/').filter(|_| is_clock).ok_or_else(malformed)?;
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        let fits = digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| fits).ok_or_else(malformed)
    };
    let year = i32::try_from(number(year, 4..=4)?).map_err(|_| malformed())?;
    Day::from_ymd(year, number(month, 1..=2)?, number(day, 1..=2)?).map_err(|error| match error {
        DayError::Malformed(_) => malformed(),
        out_of_range @ DayError::OutOfRange(_) => out_of_range,
    })
}

/// Reads a month: `2018-05`, or any day of it.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_month(text: &str) -> Result<Day, DayError> {
    let day = if text.len() == 7 { Day::parse(&format!("{text}-01")) } else { parse_american(text) };
    day.map(Day::month_start).map_err(|error| match error {
        DayError::Malformed(_) => DayError::Malformed(text.to_owned()),
        out_of_range @ DayError::OutOfRange(_) => out_of_range,
    })
}

/// Whether a date is one of those that stand for none, as `9999-12-31`: past the years that a day
/// may lie in.
pub(super) fn is_never(text: &str) -> bool {
    let year =
        text.get(..4).filter(|_| text.as_bytes().get(4) == Some(&b'-')).or_else(|| text.split('/').nth(2).and_then(|rest| rest.get(..4)));
    year.is_some_and(|year| year.bytes().all(|byte| byte.is_ascii_digit()) && year > "2200")
}

/// `T23:00`, ` 23:00:00`, `T23:00:00.1234567Z`.
fn is_time(text: &str) -> bool {
    let Some(time) = text.strip_prefix(['T', 't', ' ']) else { return false };
    let time = time.strip_suffix(['Z', 'z']).or_else(|| time.strip_suffix("+00:00")).unwrap_or(time);
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
            "2018-05-27T00:00:00.12+00:00",
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

    #[test]
    fn american_dates_and_months_are_read_and_far_years_are_none() {
        let check = |seen: Result<Day, DayError>, wanted: &str| assert_eq!(seen.map(|day| day.to_string()), Ok(wanted.to_owned()));
        check(parse_american("09/04/2023"), "2023-09-04");
        check(parse_american("9/4/2023 12:00:00 AM"), "2023-09-04");
        check(parse_american("2023-09-04T00:00:00Z"), "2023-09-04");
        check(parse_month("2023-09"), "2023-09-01");
        check(parse_month("2023-09-17"), "2023-09-01");
        check(parse_month("9/17/2023"), "2023-09-01");
        for wrong in
            ["13/04/2023", "09/31/2023", "9/4/23", "9/4", "/9/2023", "9//2023", "9/4/2023 noon", "9-4-2023", "é/4/2023", "1/1/1900"]
        {
            assert!(parse_american(wrong).is_err() && parse_month(wrong).is_err(), "{wrong}");
        }
        assert!(is_never("9999-12-31") && is_never("9999-12-31T00:00:00Z") && is_never("12/31/9999") && is_never("2999-01-01"));
        assert!(!is_never("2026-12-31") && !is_never("99999") && !is_never("é") && !is_never(""));
    }
}
