//! Costs on their way into the one reporting currency of a lake.
//!
//! Absent on purpose: rates of our own. They come with the import, and a cost in a currency that
//! nobody has told the rate of is refused.

use std::collections::BTreeMap;

use super::ImportError;
use super::generic::Row;
use super::rejects::{Kind, Refusal};
use crate::domain::{Currency, Exact, Rate};

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
    /// The last currency as its file spells it: files carry few.
    last: Option<(Vec<u8>, Conversion)>,
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
        let money = Self { is_told: reporting.is_some(), reporting, rates, last: None, failed: None };
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

    /// The cost of a row in the reporting currency. A row that names no currency is in it.
    pub(super) fn convert(&mut self, row: &Row<'_>, cost_column: usize, currency_column: usize) -> Result<Option<Exact>, Refusal> {
        let Some(cost) = row.amount(cost_column)? else { return Ok(None) };
        let Some(spelling) = row.bytes(currency_column) else { return Ok(Some(cost)) };
        let conversion = match &self.last {
            Some((last, conversion)) if *last == *spelling => conversion,
            _ => {
                let text = row.required(currency_column)?;
                let currency =
                    Currency::parse(&text).map_err(|error| row.refuse(currency_column, Kind::Currency, &text, error.to_string()))?;
                let conversion = self.conversion(currency);
                &self.last.insert((spelling.into_owned(), conversion)).1
            }
        };
        match conversion {
            Conversion::Same => Ok(Some(cost)),
            Conversion::At(rate) => {
                let beyond = || {
                    let text = row.required(cost_column).unwrap_or_default();
                    row.refuse(cost_column, Kind::Number, &text, "in the reporting currency it is beyond 9,000,000,000,000".to_owned())
                };
                rate.convert(cost).map(Some).ok_or_else(beyond)
            }
            Conversion::NoRate(currency) => {
                let reporting = self.reporting.as_ref().map_or("", Currency::as_str);
                let reason = format!("costs are kept in {reporting}: give the rate with --rate {currency}=<{reporting} for 1 {currency}>");
                Err(row.refuse(currency_column, Kind::NoRate, currency.as_str(), reason))
            }
        }
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
            self.failed = Some(ImportError::SeveralCurrencies { one: reporting, other: currency.clone() });
            return Conversion::NoRate(currency);
        }
        self.rates.get(&currency).map_or(Conversion::NoRate(currency), |rate| Conversion::At(*rate))
    }
}

/// What is wrong where the reporting currency itself has a rate that changes amounts.
fn own_rate(reporting: &Currency, rates: &BTreeMap<Currency, Rate>) -> Option<ImportError> {
    let changes = rates.get(reporting).is_some_and(|rate| !rate.is_one());
    changes.then(|| ImportError::OwnRate { reporting: reporting.clone() })
}
