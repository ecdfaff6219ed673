//! Who reads a page: the language of its texts, and how numbers and days are written.
//!
//! Numbers follow the reader's own region (Unicode CLDR); a region belongs to a language of ours,
//! since a number in the manner of a third one would be misread.

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptLanguage, Header, Preference, Quality};
use chrono::Datelike;
use icu_decimal::DecimalFormatter;
use icu_decimal::input::Decimal;
use icu_decimal::options::DecimalFormatterOptions;
use icu_locale_core::Locale;
use maud::{Markup, html};

use super::texts::{EN, FR, Plural, Texts, fill};
use crate::domain::{Day, MICROS_PER_UNIT, Micros, MicrosSum};

/// A language that pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    French,
}

impl Language {
    pub(super) const NAMES: &[&str] = &["en", "fr"];

    /// In the order of the names.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::French];

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The name of the language in itself.
    pub(super) const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::French => "Français",
        }
    }

    const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &EN,
            Self::French => &FR,
        }
    }
}

/// Language and region, without what it takes to write in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tongue {
    language: Language,
    /// Two letters, as the reader's browser told them.
    region: Option<String>,
}

impl Tongue {
    /// The language that was chosen, or the one of ours that the reader likes best; English where
    /// none of ours is liked.
    pub(super) fn of(request: &HttpRequest, chosen: Option<Language>) -> Self {
        let accepted = AcceptLanguage::parse(request).map(|mut accepted| {
            accepted.0.retain(|one| one.quality > Quality::ZERO);
            accepted.ranked()
        });
        let accepted = accepted.unwrap_or_default();
        let mut liked = accepted.iter().filter_map(|one| match one {
            Preference::Specific(tag) => {
                let language = Language::ALL.into_iter().find(|language| language.code() == tag.primary_language())?;
                let region = tag.region().filter(|region| region.len() == 2).map(str::to_ascii_uppercase);
                Some(Self { language, region })
            }
            Preference::Any => None,
        });
        let found = liked.find(|one| chosen.is_none_or(|chosen| one.language == chosen));
        found.unwrap_or(Self { language: chosen.unwrap_or(Language::English), region: None })
    }

    /// `fr-CA`, as HTML has it.
    pub(super) fn tag(&self) -> String {
        self.region.as_ref().map_or_else(|| self.language.code().to_owned(), |region| format!("{}-{region}", self.language.code()))
    }
}

/// Whether more of a figure is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Good {
    Up,
    Down,
    Neither,
}

/// Writes for one reader.
pub(super) struct Reader {
    pub(super) language: Language,
    pub(super) t: &'static Texts,
    pub(super) tag: String,
    /// None where Unicode's data do not know the region; digits are then written as they are.
    numbers: Option<DecimalFormatter>,
    currency: Option<String>,
}

impl Reader {
    /// Writes costs in this currency (ISO 4217); none where no import told it.
    pub(super) fn new(tongue: &Tongue, currency: Option<&str>) -> Self {
        let tag = tongue.tag();
        let numbers = Locale::try_from_str(&tag)
            .ok()
            .and_then(|locale| DecimalFormatter::try_new(locale.into(), DecimalFormatterOptions::default()).ok());
        Self { language: tongue.language, t: tongue.language.texts(), tag, numbers, currency: currency.map(str::to_owned) }
    }

    /// `digits` after the point, or fewer where `fixed` is not asked for and they are 0.
    fn decimal(&self, micros: i128, digits: i16, fixed: bool) -> String {
        let mut decimal = Decimal::from(micros);
        decimal.multiply_pow10(-6);
        decimal.round(-digits);
        decimal.trim_end();
        if fixed {
            decimal.pad_end(-digits);
        }
        self.numbers.as_ref().map_or_else(|| decimal.to_string(), |numbers| numbers.format(&decimal).to_string())
    }

    /// A whole number as text.
    pub(super) fn whole(&self, number: impl Into<i128>) -> String {
        self.decimal(number.into() * i128::from(MICROS_PER_UNIT), 0, false)
    }

    /// A whole number, with its digits for programs.
    pub(super) fn count(&self, number: u64) -> Markup {
        html! { data value=(number) { (self.whole(number)) } }
    }

    /// A whole number that has a sign.
    pub(super) fn signed(&self, number: i64) -> Markup {
        html! { data value=(number) { @if number > 0 { "+" } (self.whole(number)) } }
    }

    /// A whole number whose sign says which side of a day it is on.
    pub(super) fn signed_plain(&self, number: i64) -> Markup {
        html! { data value=(number) { (self.whole(number)) } }
    }

    /// Decimal point and mark of thousands, as the drawing library takes them.
    pub(super) fn separators(&self) -> String {
        let written = self.decimal(11_111_500_000, 1, true);
        let marks: Vec<char> = written.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        [marks.last(), marks.first().filter(|_| marks.len() > 1)].into_iter().flatten().collect()
    }

    /// `3 days`, `1 day`.
    pub(super) fn counted(&self, number: u64, plural: Plural) -> String {
        let is_one = match self.language {
            Language::English => number == 1,
            Language::French => number <= 1,
        };
        fill(if is_one { plural.one } else { plural.other }, &[("n", &self.whole(number))])
    }

    /// A quantity: all of its digits below 1, fewer of larger ones.
    pub(super) fn quantity(&self, amount: MicrosSum) -> Markup {
        let digits = match amount.as_f64().abs() {
            size if size >= 1_000.0 => 0,
            size if size >= 1.0 => 2,
            _ => 6,
        };
        html! { data value=(amount) { (self.decimal(amount.0, digits, false)) } }
    }

    /// Money as text, without its currency: whole from 1,000 on.
    pub(super) fn money_text(&self, amount: MicrosSum) -> String {
        let digits = if amount.as_f64().abs() >= 999.5 { 0 } else { 2 };
        self.decimal(amount.0, digits, true)
    }

    /// Money without its currency, with all its digits for programs.
    pub(super) fn money(&self, amount: MicrosSum) -> Markup {
        html! { data value=(amount) { (self.money_text(amount)) } }
    }

    /// Money, or a dash where there is none.
    pub(super) fn maybe_money(&self, amount: Option<MicrosSum>) -> Markup {
        html! { @match amount { Some(amount) => (self.money(amount)), None => (self.nothing()) } }
    }

    /// The currency that a figure of money is in; nothing where nobody told it.
    pub(super) fn currency(&self) -> &str {
        self.currency.as_deref().unwrap_or_default()
    }

    /// `cost (EUR)`.
    pub(super) fn in_currency(&self, what: &str) -> String {
        self.currency.as_ref().map_or_else(|| what.to_owned(), |currency| format!("{what} ({currency})"))
    }

    /// A fraction as a percentage, as text.
    pub(super) fn percent_text(&self, fraction: f64, digits: i16) -> String {
        format!("{}{}", self.number_text(fraction * 100.0, digits), self.t.percent_sign)
    }

    /// A fraction as a percentage.
    pub(super) fn percent(&self, fraction: f64, digits: i16) -> Markup {
        html! { data value=(fraction) { (self.percent_text(fraction, digits)) } }
    }

    /// A fraction as a percentage, or a dash.
    pub(super) fn maybe_percent(&self, fraction: Option<f64>) -> Markup {
        html! { @match fraction { Some(fraction) => (self.percent(fraction, 1)), None => (self.nothing()) } }
    }

    /// A plain number of some digits, as text.
    pub(super) fn number_text(&self, number: f64, digits: i16) -> String {
        Micros::from_double(number).map_or_else(|| number.to_string(), |micros| self.decimal(i128::from(micros.0), digits, true))
    }

    /// A number with its sign; none of what is written as 0.
    pub(super) fn signed_text(&self, number: f64, digits: i16) -> String {
        let written = self.number_text(number.abs(), digits);
        let is_zero = !written.contains(|letter: char| ('1'..='9').contains(&letter));
        let sign = if is_zero {
            ""
        } else if number > 0.0 {
            "+"
        } else {
            "\u{2212}"
        };
        format!("{sign}{written}")
    }

    /// A plain number.
    pub(super) fn number(&self, number: f64, digits: i16) -> Markup {
        html! { data value=(number) { (self.number_text(number, digits)) } }
    }

    /// Growth against the period before: an arrow, a sign and a percentage.
    pub(super) fn growth(&self, growth: Option<f64>, good: Good) -> Markup {
        let Some(growth) = growth else {
            return html! { span.growth.none title=(self.t.no_growth) { span aria-hidden="true" { "\u{2013}" } span.unseen { (self.t.no_growth) } } };
        };
        let is_up = growth > 0.0;
        let news = match good {
            _ if growth == 0.0 => "even",
            Good::Neither => "even",
            Good::Up if is_up => "good",
            Good::Down if !is_up => "good",
            Good::Up | Good::Down => "bad",
        };
        let arrow = if growth == 0.0 {
            "\u{2192}"
        } else if is_up {
            "\u{25b2}"
        } else {
            "\u{25bc}"
        };
        html! {
            span class={ "growth " (news) } {
                span aria-hidden="true" { (arrow) " " }
                data value=(growth) { @if is_up { "+" } (self.percent_text(growth, i16::from(growth < 10.0))) }
            }
        }
    }

    /// What stands where there is no figure.
    pub(super) fn nothing(&self) -> Markup {
        html! { span.nothing { span aria-hidden="true" { "\u{2013}" } span.unseen { (self.t.none) } } }
    }

    /// `26 Nov 2026`, as text.
    pub(super) fn day_text(&self, day: Day) -> String {
        format!("{}\u{a0}{}", self.short_day(day), day.date().year())
    }

    /// `26 Nov`, as text.
    pub(super) fn short_day(&self, day: Day) -> String {
        let first = if day.date().day() == 1 && self.language == Language::French { "er" } else { "" };
        format!("{}{first}\u{a0}{}", day.date().day(), self.month_name(day))
    }

    /// `Nov 2026`, as text.
    pub(super) fn month_text(&self, day: Day) -> String {
        format!("{}\u{a0}{}", self.month_name(day), day.date().year())
    }

    fn month_name(&self, day: Day) -> &'static str {
        self.t.months[day.date().month0() as usize % 12]
    }

    /// A day.
    pub(super) fn day(&self, day: Day) -> Markup {
        html! { time datetime=(day) { (self.day_text(day)) } }
    }

    /// A month.
    pub(super) fn month(&self, day: Day) -> Markup {
        html! { time datetime=(day.date().format("%Y-%m")) { (self.month_text(day)) } }
    }

    /// The last day of use, or that there was none.
    pub(super) fn day_or_never(&self, day: Option<Day>) -> Markup {
        html! { @match day { Some(day) => (self.day(day)), None => (self.t.never) } }
    }

    /// A day, or a dash.
    pub(super) fn maybe_day(&self, day: Option<Day>) -> Markup {
        html! { @match day { Some(day) => (self.day(day)), None => (self.nothing()) } }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn tongue(accept: &str, chosen: Option<Language>) -> String {
        Tongue::of(&TestRequest::get().insert_header(("accept-language", accept)).to_http_request(), chosen).tag()
    }

    #[test]
    fn the_language_is_the_chosen_one_or_the_one_that_the_browser_likes_best() {
        for (accept, chosen, expected) in [
            ("fr-CA,fr;q=0.9,en;q=0.8", None, "fr-CA"),
            ("de-DE,de;q=0.9,fr;q=0.5,en;q=0.4", None, "fr"),
            ("en-GB;q=0.5,fr-CH;q=0.9", None, "fr-CH"),
            ("de", None, "en"),
            ("*", None, "en"),
            ("", None, "en"),
            ("fr;q=0,en-GB;q=0.1", None, "en-GB"),
            ("fr-FR,en-IN;q=0.3", Some(Language::English), "en-IN"),
            ("fr-FR", Some(Language::English), "en"),
            ("no such header !!", Some(Language::French), "fr"),
        ] {
            assert_eq!(tongue(accept, chosen), expected, "{accept}");
        }
    }

    #[test]
    fn numbers_are_written_as_the_region_writes_them() {
        let sum = MicrosSum(1_234_567_891_000);
        for (tag, whole, money) in [
            ("en", "1,234,568", "1,234,568"),
            ("en-IN", "12,34,568", "12,34,568"),
            ("fr", "1\u{202f}234\u{202f}568", "1\u{202f}234\u{202f}568"),
            ("fr-CA", "1\u{a0}234\u{a0}568", "1\u{a0}234\u{a0}568"),
        ] {
            let reader =
                Reader::new(&Tongue::of(&TestRequest::get().insert_header(("accept-language", tag)).to_http_request(), None), None);
            assert_eq!(reader.whole(1_234_568_i64), whole);
            assert_eq!(reader.money_text(sum), money);
        }
        let french = Reader::new(&Tongue { language: Language::French, region: None }, Some("EUR"));
        assert_eq!(french.money_text(MicrosSum(12_345_000)), "12,34", "half to even");
        assert_eq!(french.percent_text(0.1234, 1), "12,3\u{202f}%");
        assert_eq!(french.counted(0, french.t.days), "0 jour");
        assert_eq!(french.day_text(Day::parse("2026-02-03").expect("a day")), "3\u{a0}févr.\u{a0}2026");
        assert_eq!(french.in_currency("coût"), "coût (EUR)");
    }
}
