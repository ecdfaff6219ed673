//! Lifecycle events, and the end-of-day states that they leave (METRICS.md, Words and Settled).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::Day;

/// What happened to a subscription. The order of the variants is the order in which events of
/// one day apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    Created,
    Renewed,
    Reactivated,
    Suspended,
    Ended,
}

impl EventKind {
    /// All kinds, in the order in which they apply.
    pub const ALL: [Self; 5] = [Self::Created, Self::Renewed, Self::Reactivated, Self::Suspended, Self::Ended];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Renewed => "renewed",
            Self::Reactivated => "reactivated",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is none of created, renewed, reactivated, suspended, ended")]
pub struct UnknownEvent(pub String);

impl FromStr for EventKind {
    type Err = UnknownEvent;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text.trim())).ok_or_else(|| UnknownEvent(text.to_owned()))
    }
}

/// One event of one subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    pub on: Day,
    pub kind: EventKind,
    /// Why, in the source's words (`cancelled`, `nonpayment`, `completed`); none where it says nothing.
    pub reason: Option<String>,
}

/// What a subscription is at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Before its creation.
    None,
    Active,
    Suspended,
    /// Cancelled, expired, deleted or disabled: deprovisioned for good.
    Ended,
}

/// What makes an event meaningless. Such an event is counted and has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataErrorKind {
    BeforeCreation,
    SecondCreation,
    AfterEnd,
}

/// An event without effect, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    pub event: Event,
    pub kind: DataErrorKind,
}

/// A day at whose end the state differs from that of the day before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub on: Day,
    pub state: State,
    /// The reason of the event that caused it.
    pub reason: Option<String>,
}

/// A step out of `active`, for `suspended` or `ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprovisioning<'a> {
    pub on: Day,
    /// [`State::Suspended`] or [`State::Ended`].
    pub to: State,
    pub reason: Option<&'a str>,
}

/// One subscription's life: its end-of-day states and its renewals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    changes: Vec<Change>,
    renewals: Vec<Day>,
}

impl Timeline {
    /// Applies `events`, in any order, to a subscription created on `created_on`; a `created`
    /// event wins over `created_on`. Returns the life and the events that had no effect.
    #[must_use]
    pub fn build(created_on: Option<Day>, mut events: Vec<Event>) -> (Self, Vec<DataError>) {
        events.sort();
        events.dedup_by(|later, earlier| later.on == earlier.on && later.kind == earlier.kind);
        if let (Some(on), false) = (created_on, events.iter().any(|event| event.kind == EventKind::Created)) {
            let at = events.partition_point(|event| event.on < on);
            events.insert(at, Event { on, kind: EventKind::Created, reason: None });
        }
        let mut life = Self::default();
        let mut errors = Vec::new();
        let mut state = State::None;
        for today in events.chunk_by(|a, b| a.on == b.on) {
            life.apply_day(today, &mut state, &mut errors);
        }
        (life, errors)
    }

    /// Applies the events of one day, in their order.
    fn apply_day(&mut self, today: &[Event], state: &mut State, errors: &mut Vec<DataError>) {
        let before = *state;
        let has = |kind| today.iter().any(|event| event.kind == kind);
        let cancel_out = has(EventKind::Suspended) && has(EventKind::Reactivated);
        let mut reason = None;
        for event in today {
            let refused = match (event.kind, *state) {
                (EventKind::Created, State::None) => None,
                (_, State::None) => Some(DataErrorKind::BeforeCreation),
                (_, State::Ended) => Some(DataErrorKind::AfterEnd),
                (EventKind::Created, _) => Some(DataErrorKind::SecondCreation),
                _ => None,
            };
            if let Some(kind) = refused {
                errors.push(DataError { event: event.clone(), kind });
                continue;
            }
            let next = match event.kind {
                EventKind::Renewed => {
                    self.renewals.push(event.on);
                    continue;
                }
                EventKind::Suspended | EventKind::Reactivated if cancel_out => continue,
                EventKind::Created | EventKind::Reactivated => State::Active,
                EventKind::Suspended => State::Suspended,
                EventKind::Ended => State::Ended,
            };
            if next != *state {
                *state = next;
                reason.clone_from(&event.reason);
            }
        }
        if let (Some(first), true) = (today.first(), *state != before) {
            self.changes.push(Change { on: first.on, state: *state, reason });
        }
    }

    /// Rebuilds a life from parts that [`Timeline::changes`] and [`Timeline::renewals`] gave.
    #[must_use]
    pub fn from_parts(changes: Vec<Change>, renewals: Vec<Day>) -> Self {
        Self { changes, renewals }
    }

    /// The days at whose end the state differs from the day before, ascending.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Days with a renewal, ascending, each once.
    #[must_use]
    pub fn renewals(&self) -> &[Day] {
        &self.renewals
    }

    /// The day of creation; none for a life without one.
    #[must_use]
    pub fn created(&self) -> Option<Day> {
        self.changes.first().map(|change| change.on)
    }

    /// The state at the end of `day`, from what happened up to and including it.
    #[must_use]
    pub fn state_at(&self, day: Day) -> State {
        // A life has few changes, and the day asked for is mostly after the last of them.
        self.changes.iter().rev().find(|change| change.on <= day).map_or(State::None, |change| change.state)
    }

    /// Active at the end of at least one day of `from..=to`.
    #[must_use]
    pub fn active_within(&self, from: Day, to: Day) -> bool {
        self.state_at(from) == State::Active
            || self.changes.iter().any(|change| from < change.on && change.on <= to && change.state == State::Active)
    }

    /// Days on which it left `active` for `suspended` or `ended`, ascending. A second step
    /// (suspended, then ended) is none; creation and end on one day is one.
    pub fn deprovisionings(&self) -> impl Iterator<Item = Deprovisioning<'_>> {
        self.changes.iter().enumerate().filter_map(|(at, change)| {
            let before = at.checked_sub(1).map_or(State::None, |previous| self.changes[previous].state);
            let left = matches!(before, State::Active | State::None) && change.state != State::Active;
            left.then_some(Deprovisioning { on: change.on, to: change.state, reason: change.reason.as_deref() })
        })
    }

    /// Days on which it came back from `suspended` to `active`, ascending.
    pub fn recoveries(&self) -> impl Iterator<Item = Day> {
        self.changes
            .windows(2)
            .filter_map(|pair| (pair[0].state == State::Suspended && pair[1].state == State::Active).then_some(pair[1].on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Day {
        Day::from_epoch_days(number)
    }

    fn life(events: &[(i32, EventKind)]) -> (Timeline, Vec<DataError>) {
        Timeline::build(None, events.iter().map(|(on, kind)| Event { on: day(*on), kind: *kind, reason: None }).collect())
    }

    #[test]
    fn a_suspension_that_ends_is_one_deprovisioning() {
        let (life, errors) = life(&[(1, EventKind::Created), (5, EventKind::Suspended), (9, EventKind::Ended)]);
        assert!(errors.is_empty());
        assert_eq!(life.deprovisionings().map(|left| (left.on, left.to)).collect::<Vec<_>>(), [(day(5), State::Suspended)]);
        assert_eq!((life.state_at(day(0)), life.state_at(day(4)), life.state_at(day(9))), (State::None, State::Active, State::Ended));
    }

    #[test]
    fn suspension_and_reactivation_on_one_day_cancel_out() {
        let (life, _) = life(&[(1, EventKind::Created), (5, EventKind::Suspended), (5, EventKind::Reactivated)]);
        assert_eq!(life.state_at(day(5)), State::Active);
        assert_eq!(life.deprovisionings().count() + life.recoveries().count(), 0);
    }

    #[test]
    fn created_and_ended_on_one_day_was_sold_and_left_and_never_active() {
        let (life, _) = life(&[(3, EventKind::Ended), (3, EventKind::Created)]);
        assert_eq!(life.created(), Some(day(3)));
        assert_eq!(life.deprovisionings().count(), 1);
        assert!(!life.active_within(day(0), day(9)));
    }

    #[test]
    fn events_outside_a_life_are_errors_without_effect() {
        let events = [
            (0, EventKind::Renewed),
            (1, EventKind::Created),
            (2, EventKind::Created),
            (4, EventKind::Ended),
            (5, EventKind::Reactivated),
            (6, EventKind::Renewed),
        ];
        let (life, errors) = life(&events);
        let kinds: Vec<_> = errors.iter().map(|error| error.kind).collect();
        assert_eq!(kinds, [DataErrorKind::BeforeCreation, DataErrorKind::SecondCreation, DataErrorKind::AfterEnd, DataErrorKind::AfterEnd]);
        assert!(life.renewals().is_empty());
        assert_eq!(life.state_at(day(9)), State::Ended);
    }

    #[test]
    fn a_created_event_wins_over_the_recorded_day() {
        let event = Event { on: day(7), kind: EventKind::Created, reason: None };
        assert_eq!(Timeline::build(Some(day(3)), vec![event]).0.created(), Some(day(7)));
        assert_eq!(Timeline::build(Some(day(3)), Vec::new()).0.created(), Some(day(3)));
    }
}
