//! States that come as snapshots: what an export shows of a subscription becomes the events that
//! lead there.
//!
//! An export tells the state on its day and mostly not since when. So it is compared with the state
//! that the known events leave on that day, and where they differ, an event is added: on the day
//! that the export gives for it, or on the day of the export, marked as observed. Exports may come
//! in any order: an older one puts its event before the newer one's, which then says nothing new
//! and goes.

use std::collections::BTreeMap;

use crate::domain::{Day, Event, EventKind, State, SubscriptionId, SubscriptionRow, Timeline};
use crate::lake::small::{EventNote, Events};

/// The words of one source for states; none is a state in which nothing has begun yet.
type Vocabulary = &'static [(&'static str, Option<State>)];

const ACTIVE: Option<State> = Some(State::Active);
const SUSPENDED: Option<State> = Some(State::Suspended);
const ENDED: Option<State> = Some(State::Ended);

/// The words that each source has, in lower case. A new word is one more pair.
const VOCABULARIES: [(&str, Vocabulary); 5] = [
    ("subscription-analytics", &[("active", ACTIVE), ("suspended", SUSPENDED), ("deprovisioned", ENDED)]),
    (
        "insights-azure-usage",
        &[
            ("active", ACTIVE),
            ("open", ACTIVE),
            ("warned", ACTIVE),
            ("past due", ACTIVE),
            ("suspended", SUSPENDED),
            ("in grace period", SUSPENDED),
            ("inactive", SUSPENDED),
            ("closed", ENDED),
            ("disabled", ENDED),
            ("deprovisioned", ENDED),
            ("deleted", ENDED),
            ("cancelled", ENDED),
            ("canceled", ENDED),
            ("expired", ENDED),
            ("churned", ENDED),
        ],
    ),
    ("insights-subscriptions", &[("active", ACTIVE), ("churned", ENDED)]),
    (
        "rest-subscriptions",
        &[
            ("none", None),
            ("pending", None),
            ("active", ACTIVE),
            ("suspended", SUSPENDED),
            ("expired", ENDED),
            ("disabled", ENDED),
            ("deleted", ENDED),
        ],
    ),
    ("generic", &[("active", ACTIVE), ("suspended", SUSPENDED), ("ended", ENDED)]),
];

/// The state that a source's word means.
///
/// # Errors
/// A word that the source does not have; what it has is the reason.
pub(super) fn state(source: &str, word: &str) -> Result<Option<State>, String> {
    let words = VOCABULARIES.iter().find(|(name, _)| *name == source).map_or(&[][..], |(_, words)| words);
    let plain = word.trim().to_lowercase();
    let known = words.iter().find(|(name, _)| *name == plain).map(|(_, state)| *state);
    known.ok_or_else(|| {
        let all = words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        format!("`{word}` is no status that {source} is known to have; those are {all}")
    })
}

/// What one export shows of one subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Observation {
    /// The day of the export.
    pub(super) on: Day,
    pub(super) state: Option<State>,
    /// When it ended, where the export says so.
    pub(super) ended_on: Option<Day>,
    pub(super) renewed_on: Option<Day>,
    /// The source's word for the state, in lower case.
    pub(super) reason: Option<String>,
}

/// What the files of an import show.
pub(super) type Observations = BTreeMap<SubscriptionId, Vec<Observation>>;

/// Subscriptions that an export shows alive after the tables have seen them end.
#[derive(Debug, Default)]
pub(super) struct Contradictions {
    pub(super) count: u64,
    pub(super) first: Option<SubscriptionId>,
}

/// Adds the events that lead to what was observed.
pub(super) fn derive(
    observations: Observations,
    subscriptions: &BTreeMap<SubscriptionId, SubscriptionRow>,
    lifecycle: &mut BTreeMap<SubscriptionId, Events>,
) -> Contradictions {
    let mut contradictions = Contradictions::default();
    for (id, mut seen) in observations {
        seen.sort();
        seen.dedup();
        let row = subscriptions.get(&id);
        let created_on = row.and_then(|row| row.created_on);
        let events = lifecycle.entry(id.clone()).or_default();
        let mut contradicted = false;
        for observation in &seen {
            contradicted |= !observe(events, created_on, observation);
        }
        // What the newest export of an earlier import showed still holds.
        if let Some(known) = row.and_then(newest) {
            contradicted |= !observe(events, created_on, &known);
        }
        prune(events, created_on);
        if contradicted {
            contradictions.count += 1;
            contradictions.first.get_or_insert(id.clone());
        }
        if lifecycle.get(&id).is_some_and(BTreeMap::is_empty) {
            lifecycle.remove(&id);
        }
    }
    contradictions
}

/// What the tables keep of the newest export: its day, and its word in whatever vocabulary has it.
fn newest(row: &SubscriptionRow) -> Option<Observation> {
    let word = row.status.as_deref()?;
    let state = VOCABULARIES.iter().find_map(|(source, _)| state(source, word).ok())?;
    Some(Observation { on: row.status_on?, state, ended_on: None, renewed_on: None, reason: Some(word.to_lowercase()) })
}

/// The state that the newest export of a subscription showed.
pub(super) fn newest_state(row: &SubscriptionRow) -> Option<State> {
    newest(row)?.state
}

fn life(events: &Events, created_on: Option<Day>) -> Timeline {
    let all = events.iter().map(|((on, kind), _)| Event { on: *on, kind: *kind, reason: None });
    Timeline::build(created_on, all.collect()).0
}

/// The state at the end of a day, as far as the events tell; a life whose beginning nobody has told
/// is active until something happens.
fn state_at(events: &Events, created_on: Option<Day>, day: Day) -> State {
    let begins = created_on.is_some() || events.keys().any(|(_, kind)| *kind == EventKind::Created);
    let first = events.keys().next().map(|(on, _)| *on);
    let created = if begins { created_on } else { Some(first.map_or(day, |first| first.min(day) + -1)) };
    life(events, created).state_at(day)
}

/// Makes the events say what one export shows; false where they cannot.
fn observe(events: &mut Events, created_on: Option<Day>, seen: &Observation) -> bool {
    if let Some(on) = seen.renewed_on {
        events.entry((on, EventKind::Renewed)).or_default();
    }
    let Some(state) = seen.state else { return true };
    if let (State::Ended, Some(on)) = (state, seen.ended_on.filter(|on| *on <= seen.on)) {
        // A day that was told takes the place of one that was only observed.
        events.retain(|(_, kind), note| !(*kind == EventKind::Ended && note.is_observed));
        if !events.keys().any(|(_, kind)| *kind == EventKind::Ended) {
            events.insert((on, EventKind::Ended), EventNote { reason: seen.reason.clone(), is_observed: false });
        }
        return true;
    }
    let kind = match (state_at(events, created_on, seen.on), state) {
        (before, after) if before == after => return true,
        // Not created yet, by what is known: the export knows better than to be argued with, and
        // the creation that it told stands.
        (State::None, State::Active | State::None) | (_, State::None) => return true,
        (State::Ended, _) => return false,
        (_, State::Active) => EventKind::Reactivated,
        (_, State::Suspended) => EventKind::Suspended,
        (_, State::Ended) => EventKind::Ended,
    };
    let opposite = match kind {
        EventKind::Suspended => Some(EventKind::Reactivated),
        EventKind::Reactivated => Some(EventKind::Suspended),
        _ => None,
    };
    // On one day the two would cancel out; the export is of the day's end.
    if let Some(opposite) = opposite {
        events.remove(&(seen.on, opposite));
        if state_at(events, created_on, seen.on) == state {
            return true;
        }
    }
    events.insert((seen.on, kind), EventNote { reason: seen.reason.clone(), is_observed: true });
    true
}

/// Takes away observed events that say nothing new after an earlier one.
fn prune(events: &mut Events, created_on: Option<Day>) {
    let observed: Vec<(Day, EventKind)> = events.iter().filter(|(_, note)| note.is_observed).map(|(key, _)| *key).collect();
    for key in observed {
        let Some(note) = events.remove(&key) else { continue };
        let implied = match key.1 {
            EventKind::Suspended => State::Suspended,
            EventKind::Ended => State::Ended,
            _ => State::Active,
        };
        if state_at(events, created_on, key.0) != implied {
            events.insert(key, note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(on: i32, state: State) -> Observation {
        Observation { on: Day::from_epoch_days(on), state: Some(state), ended_on: None, renewed_on: None, reason: None }
    }

    fn told(orders: &[&[Observation]]) -> Vec<Vec<(i32, EventKind, bool)>> {
        let run = |imports: &&[Observation]| {
            let mut lifecycle = BTreeMap::new();
            let id = SubscriptionId::parse("s").expect("an id");
            let customer = crate::domain::CustomerId::parse("c").expect("an id");
            let mut row = SubscriptionRow { created_on: Some(Day::from_epoch_days(0)), ..SubscriptionRow::bare(id.clone(), customer) };
            for observation in *imports {
                if row.status_on < Some(observation.on) {
                    row.status_on = Some(observation.on);
                    row.status = observation.state.map(|state| format!("{state:?}"));
                }
                let rows = BTreeMap::from([(id.clone(), row.clone())]);
                derive(BTreeMap::from([(id.clone(), vec![observation.clone()])]), &rows, &mut lifecycle);
            }
            let events = lifecycle.remove(&id).unwrap_or_default();
            events.into_iter().map(|((on, kind), note)| (on.epoch_days(), kind, note.is_observed)).collect()
        };
        orders.iter().map(run).collect()
    }

    #[test]
    fn exports_in_any_order_come_to_the_same_events() {
        let (a, b, c) = (seen(10, State::Active), seen(20, State::Suspended), seen(30, State::Ended));
        let wanted = vec![(20, EventKind::Suspended, true), (30, EventKind::Ended, true)];
        let orders: [&[Observation]; 6] = [
            &[a.clone(), b.clone(), c.clone()],
            &[c.clone(), b.clone(), a.clone()],
            &[b.clone(), c.clone(), a.clone()],
            &[c.clone(), a.clone(), b.clone()],
            &[a.clone(), c.clone(), b.clone()],
            &[b.clone(), a.clone(), b, c, a],
        ];
        assert!(told(&orders).iter().all(|events| *events == wanted), "{:?}", told(&orders));
    }

    #[test]
    fn an_older_export_takes_the_place_of_what_a_newer_one_was_the_first_to_show() {
        let (early, late) = (seen(20, State::Suspended), seen(40, State::Suspended));
        assert_eq!(told(&[&[late.clone(), early.clone()], &[early, late]]), vec![vec![(20, EventKind::Suspended, true)]; 2]);
    }

    #[test]
    fn a_day_that_is_told_takes_the_place_of_one_that_was_observed() {
        let dated = Observation { ended_on: Some(Day::from_epoch_days(25)), ..seen(50, State::Ended) };
        let wanted = vec![vec![(25, EventKind::Ended, false)]; 2];
        assert_eq!(told(&[&[seen(30, State::Ended), dated.clone()], &[dated, seen(30, State::Ended)]]), wanted);
    }

    #[test]
    fn a_word_that_a_source_does_not_have_is_told_with_those_that_it_has() {
        assert_eq!(state("rest-subscriptions", " Suspended "), Ok(Some(State::Suspended)));
        assert_eq!(state("rest-subscriptions", "pending"), Ok(None));
        let reason = state("insights-subscriptions", "Paused").expect_err("no such word");
        assert!(reason.contains("`Paused`") && reason.ends_with("active, churned"), "{reason}");
    }
}
