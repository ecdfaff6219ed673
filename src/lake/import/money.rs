//! Costs on their way into the one reporting currency of a lake.
//!
//! Absent on purpose: rates of our own. They come with the import, and a cost in a currency that
//! nobody has told the rate of is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::ImportError;
use super::rejects::{Kind, Refusal};
use super::row::Row;
use crate::domain::{Currency, Exact, Rate};

/// Where a form tells a cost, and in which currency. A source may tell one cost in several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Priced {
    pub(super) amount: usize,
    pub(super) currency: CurrencyOf,
    /// A column with what one unit of the amount's own currency is worth in `currency`.
    pub(super) rate: Option<usize>,
}

/// What tells the currency of a cost.
#[derive(Debug, Clone, Copy)]
pub(super) enum CurrencyOf {
    Column(usize),
    /// The name of the cost's column.
    Usd,
}

impl Priced {
    pub(super) const fn in_column(amount: usize, currency: usize) -> Self {
        Self { amount, currency: CurrencyOf::Column(currency), rate: None }
    }

    pub(super) const fn in_usd(amount: usize) -> Self {
        Self { amount, currency: CurrencyOf::Usd, rate: None }
    }
}

/// How a cost becomes one in the reporting currency.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Conversion {
    Same,
    At(Rate),
    NoRate(Currency),
}

/// The reporting currency of an import, and what other currencies are worth in it.
#[derive(Debug)]
pub(super) struct Money {
    reporting: Option<Currency>,
    /// Whether the operator or the lake has told the reporting currency. Where neither has, the
    /// first that the files carry is it, and must stay the only one.
    is_told: bool,
    rates: BTreeMap<Currency, Rate>,
    /// Currencies as the files spell them, of which there are few.
    spelt: Vec<(Vec<u8>, Conversion)>,
    /// Why the import as a whole cannot go on.
    failed: Option<ImportError>,
}

impl Money {
    /// `of_lake` is the reporting currency so far, `told` the one that the operator names.
    ///
    /// # Errors
    /// Where the two differ, or the reporting currency has a rate other than 1.
    pub(super) fn new(of_lake: Option<Currency>, told: Option<Currency>, rates: BTreeMap<Currency, Rate>) -> Result<Self, ImportError> {
        if let (Some(lake), Some(told)) = (&of_lake, &told)
            && lake != told
        {
            return Err(ImportError::OtherCurrency { lake: lake.clone(), told: told.clone() });
        }
        let reporting = of_lake.or(told);
        let failed = reporting.as_ref().and_then(|currency| own_rate(currency, &rates));
        let money = Self { is_told: reporting.is_some(), reporting, rates, spelt: Vec::new(), failed: None };
        failed.map_or(Ok(money), Err)
    }

    /// The currency of every cost of the lake, this import included; none where nobody tells it.
    pub(super) const fn reporting(&self) -> Option<&Currency> {
        self.reporting.as_ref()
    }

    /// The same where it is the files that have told it.
    pub(super) fn adopted(&self) -> Option<&Currency> {
        self.reporting.as_ref().filter(|_| !self.is_told)
    }

    /// What the import fails with, once.
    pub(super) const fn take_failure(&mut self) -> Option<ImportError> {
        self.failed.take()
    }

    /// The cost of a row in the reporting currency: the first of `told` that is in it, otherwise the
    /// first that a rate makes so. A first cost without a currency is in the reporting one.
    pub(super) fn cost(&mut self, row: &Row<'_>, told: &[Priced]) -> Result<Option<Exact>, Refusal> {
        let mut foreign: Option<(Conversion, Exact, &Priced)> = None;
        for (at, priced) in told.iter().enumerate() {
            let Some(cost) = row.amount(priced.amount)? else { continue };
            let Some(conversion) = self.conversion_of(row, priced.currency)? else {
                if at == 0 {
                    return Ok(Some(cost));
                }
                continue;
            };
            let conversion = conversion.clone();
            let Some(cost) = own_currency(row, priced, cost)? else { continue };
            match (conversion, &foreign) {
                (Conversion::Same, _) => return Ok(Some(cost)),
                (conversion @ Conversion::At(_), None | Some((Conversion::NoRate(_), ..))) | (conversion, None) => {
                    foreign = Some((conversion, cost, priced));
                }
                _ => {}
            }
        }
        match foreign {
            None | Some((Conversion::Same, ..)) => Ok(None),
            Some((Conversion::At(rate), cost, priced)) => rate.convert(cost).map(Some).ok_or_else(|| beyond(row, priced.amount)),
            Some((Conversion::NoRate(currency), _, priced)) => Err(self.no_rate(row, &currency, priced)),
        }
    }

    /// How costs become the reporting currency's; none where the row does not name their own.
    fn conversion_of(&mut self, row: &Row<'_>, currency: CurrencyOf) -> Result<Option<&Conversion>, Refusal> {
        let spelling = match currency {
            CurrencyOf::Usd => Cow::Borrowed(b"USD".as_slice()),
            CurrencyOf::Column(column) => match row.bytes(column) {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        let known = self.spelt.iter().position(|(spelt, _)| *spelt == *spelling);
        let at = match (known, currency) {
            (Some(at), _) => at,
            (None, currency) => {
                let parsed = match currency {
                    CurrencyOf::Usd => Currency::parse("USD").map_err(|error| (0, String::new(), error)),
                    CurrencyOf::Column(column) => {
                        let text = row.required(column)?;
                        Currency::parse(&text).map_err(|error| (column, text.into_owned(), error))
                    }
                };
                let parsed = parsed.map_err(|(column, text, error)| row.refuse(column, Kind::Currency, &text, error.to_string()))?;
                let conversion = self.conversion(parsed);
                self.spelt.push((spelling.into_owned(), conversion));
                self.spelt.len() - 1
            }
        };
        Ok(self.spelt.get(at).map(|(_, conversion)| conversion))
    }

    fn no_rate(&mut self, row: &Row<'_>, currency: &Currency, priced: &Priced) -> Refusal {
        let reporting = self.reporting.as_ref().map_or("", Currency::as_str);
        let reason = format!("costs are kept in {reporting}: give the rate with --rate {currency}=<{reporting} for 1 {currency}>");
        let column = match priced.currency {
            CurrencyOf::Column(column) => column,
            CurrencyOf::Usd => priced.amount,
        };
        let refusal = row.refuse(column, Kind::NoRate, currency.as_str(), reason);
        if let (false, Some(one)) = (self.is_told, &self.reporting) {
            self.failed = Some(ImportError::SeveralCurrencies { one: one.clone(), other: currency.clone() });
        }
        refusal
    }

    fn conversion(&mut self, currency: Currency) -> Conversion {
        let Some(reporting) = self.reporting.clone() else {
            self.failed = own_rate(&currency, &self.rates);
            self.reporting = Some(currency);
            return Conversion::Same;
        };
        if currency == reporting {
            return Conversion::Same;
        }
        if !self.is_told {
            return Conversion::NoRate(currency);
        }
        self.rates.get(&currency).map_or(Conversion::NoRate(currency), |rate| Conversion::At(*rate))
    }
}

/// The amount in the currency that its cost is told in, by the rate on the row where there is one.
fn own_currency(row: &Row<'_>, priced: &Priced, cost: Exact) -> Result<Option<Exact>, Refusal> {
    let Some(column) = priced.rate else { return Ok(Some(cost)) };
    let Some(rate) = row.amount(column)? else { return Ok(None) };
    cost.times(rate).map(Some).ok_or_else(|| beyond(row, priced.amount))
}

fn beyond(row: &Row<'_>, column: usize) -> Refusal {
    let text = row.required(column).unwrap_or_default();
    row.refuse(column, Kind::Number, &text, "in the reporting currency it is beyond 9,000,000,000,000".to_owned())
}

/// What is wrong where the reporting currency itself has a rate that changes amounts.
fn own_rate(reporting: &Currency, rates: &BTreeMap<Currency, Rate>) -> Option<ImportError> {
    let changes = rates.get(reporting).is_some_and(|rate| !rate.is_one());
    changes.then(|| ImportError::OwnRate { reporting: reporting.clone() })
}
