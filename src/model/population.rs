//! Of whom a model may speak: the same test for its training rows and for the ranking.

use super::{Label, Question};
use crate::domain::{Day, HorizonDays};
use crate::features::History;

/// Why a subscription is not among those that the question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Its first use is less than the least age ago.
    Younger { days: u32, least_days: u32 },
    /// No usage day at all, where a first or a recent one is asked for.
    NeverUsed,
    /// The last usage day is before the active window.
    Silent { days: u32, window_days: u32 },
}

impl Question {
    /// Days from an as-of day until its label is known.
    #[must_use]
    pub fn label_days(&self) -> i32 {
        let grace = if self.label == Label::Status { self.grace_days } else { 0 };
        i32::try_from(self.lead_days + self.horizon_days.get() + grace).unwrap_or(i32::MAX)
    }

    /// The same question at another horizon.
    #[must_use]
    pub fn at(&self, horizon_days: HorizonDays) -> Self {
        Self { horizon_days, ..self.clone() }
    }

    /// Whether the question is about this subscription on `as_of`; it must be active on it.
    ///
    /// # Errors
    /// Why it is not: too young, never used, silent already.
    pub fn admits(&self, history: &History<'_>, as_of: Day) -> Result<(), Outside> {
        if self.min_age_days > 0 {
            let begin = history.first_used(as_of).ok_or(Outside::NeverUsed)?;
            let days = u32::try_from(as_of - begin).unwrap_or(0);
            if days < self.min_age_days {
                return Err(Outside::Younger { days, least_days: self.min_age_days });
            }
        }
        let Some(window_days) = self.active_window_days else { return Ok(()) };
        let last = history.last_used(as_of).ok_or(Outside::NeverUsed)?;
        let days = u32::try_from(as_of - last).unwrap_or(0);
        if days < window_days { Ok(()) } else { Err(Outside::Silent { days, window_days }) }
    }
}
