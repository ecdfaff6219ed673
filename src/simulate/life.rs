//! How one subscription lives: created, renewed, suspended and back, and gone, at the hazards
//! of `hazards.rs`.
//!
//! Absent on purpose: any look at usage. Usage follows the life (it fades before some of the
//! leavings), never the other way round, so the hazards stay known.

use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::Plan;
use super::habit::Habit;
use super::hazards::{HAZARDS, Known, per_day};
use super::random::{Topic, between, happens, stream, wait_days};
use crate::domain::{Day, Event, EventKind};

/// Days of a trial, and of a monthly term.
const MONTH_DAYS: i32 = 30;
/// Days of an annual term.
const YEAR_DAYS: i32 = 365;
/// Days before the first day in which the older subscriptions were created.
const PAST_DAYS: i32 = 1_095;
/// Days after the last day up to which leavings are drawn, so that usage fades at the end of
/// the data as it does in the middle.
const FUTURE_DAYS: i32 = 365;

/// Why a subscription leaves for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveKind {
    Cancelled,
    /// Suspended for want of payment and never back.
    Nonpayment,
    /// Not renewed at a term end.
    Expired,
    TrialOver,
    /// Usage moved into another subscription of the same customer: no churn (MODEL.md).
    Migrated,
}

impl LeaveKind {
    /// The word in the `reason` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Nonpayment => "nonpayment",
            Self::Expired => "expired",
            Self::TrialOver => "trial_over",
            Self::Migrated => "migrated",
        }
    }
}

/// The end of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leave {
    /// First day that it is not active and never is again.
    gone: Day,
    /// The day of the `ended` event: `gone`, or after a suspension a later one.
    ended: Day,
    kind: LeaveKind,
}

/// One subscription's life, past the last day of the plan too.
#[derive(Debug, Clone)]
pub(super) struct Life {
    created: Day,
    term_days: i32,
    auto_renew: bool,
    /// The day its trial ends, and whether it becomes paid then.
    trial: Option<(Day, bool)>,
    known: Known,
    /// Suspensions that it survives: `[suspended, reactivated)`, ascending.
    suspensions: Vec<(Day, Day)>,
    leave: Option<Leave>,
    /// Days over which usage fades before it leaves; 0 without warning.
    warning_days: i32,
    /// A fading that ends in nothing: first day and length.
    scare: (Day, i32),
    /// The day its successor is created, where it migrates.
    succeeded_on: Option<Day>,
}

/// A date on which usage may move into the next subscription, and the successor's creation.
#[derive(Debug, Clone, Copy)]
struct Migration {
    on: Day,
    succeeded_on: Day,
}

/// Whether the usage of the subscription before may move into this one. Never true of two
/// neighbours, so a predecessor is itself no successor.
pub(super) fn may_succeed(plan: Plan, number: u32) -> bool {
    let marked = |number| happens(&mut stream(plan.seed(), Topic::Succession, number), HAZARDS.successor_share);
    number > 0 && number < plan.subscriptions() && marked(number) && !marked(number - 1)
}

/// When the usage of `number` would move into the subscription after it. Days near the ends are
/// left out, so that both lives can be seen.
fn migration(plan: Plan, number: u32) -> Option<Migration> {
    let next = number.checked_add(1).filter(|next| may_succeed(plan, *next))?;
    let (first, last) = (plan.first_day() + 30, plan.until() - 15);
    if last < first {
        return None;
    }
    let mut random = stream(plan.seed(), Topic::Migration, next);
    let on = first + between(&mut random, 0, last - first);
    // The successor is in use within 14 days of the end (MODEL.md), so it is sold within 7.
    Some(Migration { on, succeeded_on: on + between(&mut random, 0, 7) })
}

impl Life {
    /// Draws the life of a subscription that succeeds no other.
    pub(super) fn draw_new(plan: Plan, number: u32, habit: &Habit) -> Self {
        let mut random = stream(plan.seed(), Topic::Life, number);
        let (first, until) = (plan.first_day(), plan.until());
        let older = happens(&mut random, HAZARDS.older_share);
        let created = if older { first - between(&mut random, 1, PAST_DAYS) } else { first + between(&mut random, 0, until - first) };
        let trial = happens(&mut random, HAZARDS.trial_share) && !older;
        let converts = happens(&mut random, HAZARDS.conversion_share);
        let trial = trial.then_some((created + MONTH_DAYS, converts));
        let migration = migration(plan, number).filter(|migration| created + MONTH_DAYS < migration.on && trial.is_none());
        Self::draw(plan, &mut random, habit, created, trial, migration)
    }

    /// Draws the life of a subscription that was created to take over another one's usage.
    pub(super) fn draw_successor(plan: Plan, number: u32, habit: &Habit, created: Day) -> Self {
        let mut random = stream(plan.seed(), Topic::Life, number);
        Self::draw(plan, &mut random, habit, created, None, None)
    }

    fn draw(
        plan: Plan,
        random: &mut ChaCha8Rng,
        habit: &Habit,
        created: Day,
        trial: Option<(Day, bool)>,
        migration: Option<Migration>,
    ) -> Self {
        let annual = happens(random, HAZARDS.annual_share);
        let auto_renew = happens(random, HAZARDS.auto_renew_share);
        let known = Known::of(annual, auto_renew, habit);
        let warned = happens(random, HAZARDS.warning_share);
        let warning_days = between(random, 30, 120);
        // Whoever was there before the first day had survived until then.
        let begin = created.max(plan.first_day() - 1);
        let scare = (begin + wait_days(random, per_day(HAZARDS.scares_per_year)), between(random, 30, 90));
        let mut life = Self {
            created,
            term_days: if annual { YEAR_DAYS } else { MONTH_DAYS },
            auto_renew,
            trial,
            known,
            suspensions: Vec::new(),
            leave: None,
            warning_days: 0,
            scare,
            succeeded_on: None,
        };
        let leave = life.draw_leave(random, begin, migration, plan.until() + FUTURE_DAYS);
        life.leave = leave.filter(|leave| leave.gone <= plan.until() + FUTURE_DAYS);
        let kind = life.leave.map(|leave| leave.kind);
        life.succeeded_on = migration.filter(|_| kind == Some(LeaveKind::Migrated)).map(|migration| migration.succeeded_on);
        if warned && !matches!(kind, None | Some(LeaveKind::Migrated | LeaveKind::TrialOver)) {
            life.warning_days = warning_days;
        }
        life
    }

    /// Lets the hazards run from `begin` on, until one ends the life or `horizon` is passed.
    /// They run on active days alone: a suspension stops the clock of the cancellation.
    fn draw_leave(&mut self, random: &mut ChaCha8Rng, begin: Day, migration: Option<Migration>, horizon: Day) -> Option<Leave> {
        let mut cancelled = begin + wait_days(random, self.known.cancelled_per_day);
        let mut expired =
            self.term_end_after(begin) + (wait_days(random, self.known.expiry_per_term_end) - 1).saturating_mul(self.term_days);
        let mut migration = migration.map(|migration| migration.on);
        let trial_over = self.trial.filter(|(_, converts)| !converts).map(|(end, _)| end);
        let mut from = begin;
        loop {
            let ends = [
                (Some(cancelled), LeaveKind::Cancelled),
                (Some(expired), LeaveKind::Expired),
                (migration, LeaveKind::Migrated),
                (trial_over, LeaveKind::TrialOver),
            ];
            let next = ends.into_iter().filter_map(|(on, kind)| Some((on?, kind))).min_by_key(|(on, _)| *on);
            let suspended = from + wait_days(random, self.known.suspended_per_day);
            let survives = happens(random, self.known.recovery_share);
            let (back, ended) = (suspended + between(random, 2, 30), suspended + between(random, 7, 44));
            if let Some((gone, kind)) = next.filter(|(on, _)| *on <= suspended) {
                return Some(Leave { gone, ended: gone, kind });
            }
            if suspended > horizon {
                return None;
            }
            // A trial that would end during the suspension is over with it.
            if !survives || trial_over.is_some_and(|end| end <= back) {
                return Some(Leave { gone: suspended, ended, kind: LeaveKind::Nonpayment });
            }
            self.suspensions.push((suspended, back));
            cancelled = cancelled + (back - suspended);
            migration = migration.filter(|on| back < *on);
            while expired <= back {
                expired = expired + self.term_days;
            }
            from = back;
        }
    }

    /// The first term end after `day`.
    fn term_end_after(&self, day: Day) -> Day {
        let base = match self.trial {
            Some((end, _)) if day < end => return end + self.term_days,
            Some((end, _)) => end,
            None => self.created,
        };
        base + ((day - base).div_euclid(self.term_days) + 1) * self.term_days
    }

    /// Every term end, ascending, without end.
    fn term_ends(&self) -> impl Iterator<Item = Day> {
        std::iter::successors(Some(self.term_end_after(self.created)), |end| Some(*end + self.term_days))
    }

    /// The events up to and including `until`, ascending.
    pub(super) fn events(&self, until: Day) -> Vec<Event> {
        let event = |on, kind, reason: &str| Event { on, kind, reason: (!reason.is_empty()).then(|| reason.to_owned()) };
        let mut events = vec![event(self.created, EventKind::Created, "")];
        let last_renewal = self.leave.map_or(until, |leave| until.min(leave.gone - 1));
        events.extend(self.term_ends().take_while(|end| *end <= last_renewal).map(|end| event(end, EventKind::Renewed, "")));
        for (suspended, back) in &self.suspensions {
            events.push(event(*suspended, EventKind::Suspended, LeaveKind::Nonpayment.as_str()));
            events.push(event(*back, EventKind::Reactivated, ""));
        }
        if let Some(leave) = self.leave {
            if leave.gone < leave.ended {
                events.push(event(leave.gone, EventKind::Suspended, leave.kind.as_str()));
            }
            events.push(event(leave.ended, EventKind::Ended, leave.kind.as_str()));
        }
        events.retain(|event| event.on <= until);
        events.sort();
        events
    }

    /// Active at the end of `day`.
    pub(super) fn is_active(&self, day: Day) -> bool {
        self.created <= day
            && self.leave.is_none_or(|leave| day < leave.gone)
            && !self.suspensions.iter().any(|(suspended, back)| (*suspended..*back).contains(&day))
    }

    /// What is left on `day` of its usual use, 1 being all; none where it is not active.
    pub(super) fn vigour(&self, day: Day) -> Option<f64> {
        if !self.is_active(day) {
            return None;
        }
        let fade = match self.leave {
            Some(leave) if self.warning_days > 0 => (f64::from(leave.gone - day) / f64::from(self.warning_days)).clamp(0.05, 1.0),
            _ => 1.0,
        };
        let (from, days) = self.scare;
        let into = f64::from(day - from) / f64::from(days);
        // Down to a fifth half-way, and back.
        let scare = if (0.0..1.0).contains(&into) { 1.0 - 0.8 * (1.0 - (2.0 * into - 1.0).abs()) } else { 1.0 };
        Some(fade.min(scare))
    }

    /// In a trial, which costs nothing.
    pub(super) fn is_free(&self, day: Day) -> bool {
        self.trial.is_some_and(|(end, _)| day < end)
    }

    /// A trial, or one that was never paid, as a source would mark it on `until`.
    pub(super) fn is_trial(&self, until: Day) -> bool {
        self.trial.is_some_and(|(end, converts)| !converts || until < end)
    }

    /// The end of the term that runs on `until`, or of the last one that ran.
    pub(super) fn term_end(&self, until: Day) -> Day {
        let running = self.leave.map_or(until, |leave| until.min(leave.gone - 1));
        match self.trial {
            Some((end, _)) if running < end => end,
            _ => self.term_end_after(running),
        }
    }

    pub(super) fn created(&self) -> Day {
        self.created
    }

    pub(super) fn auto_renew(&self) -> bool {
        self.auto_renew
    }

    pub(super) fn known(&self) -> Known {
        self.known
    }

    /// The day it is gone for good, and why.
    pub(super) fn left(&self) -> Option<(Day, LeaveKind)> {
        self.leave.map(|leave| (leave.gone, leave.kind))
    }

    /// First day of the fading that announces its leaving.
    pub(super) fn fades_from(&self) -> Option<Day> {
        self.leave.filter(|_| self.warning_days > 0).map(|leave| (leave.gone - self.warning_days).max(self.created))
    }

    /// The day its successor is created, where its usage moves into one.
    pub(super) fn succeeded_on(&self) -> Option<Day> {
        self.succeeded_on
    }
}
