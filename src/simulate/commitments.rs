//! Reservations and savings plans with known ends, as customers hold them beside their
//! subscriptions.
//!
//! Absent on purpose: any bearing on a life. A commitment neither keeps a subscription nor makes
//! it leave, so the hazards stay known; and terms, which the subscriptions record themselves.

use super::Plan;
use super::life::Life;
use super::people::guid;
use super::random::{Topic, between, happens, skewed, stream};
use crate::domain::{CommitmentId, CommitmentKind, CommitmentRow, CustomerId, Day, IdError, MICROS_PER_UNIT, Micros, SubscriptionId};

/// Subscriptions that have bought a commitment.
const SHARE: f64 = 0.2;
/// Of those, the ones whose commitment is a reservation.
const RESERVATION_SHARE: f64 = 0.7;
/// Commitments that are shared by all subscriptions of the customer, and so name none.
const SHARED_SHARE: f64 = 0.25;
/// Commitments that run for three years; the others run for one.
const THREE_YEARS_SHARE: f64 = 0.3;

const YEAR_DAYS: i32 = 365;

const RESERVED: [&str; 6] = [
    "Reserved VM D4s v5",
    "Reserved VM E8s v5",
    "Reserved VM B2ms",
    "Reserved SQL vCore",
    "Reserved Blob 100 TB",
    "Reserved App Service P1v3",
];

/// The commitment that a subscription has bought, where it has.
pub(super) fn commitment(plan: Plan, number: u32, customer: u32, life: &Life) -> Result<Option<CommitmentRow>, IdError> {
    let mut random = stream(plan.seed(), Topic::Commitment, number);
    if !happens(&mut random, SHARE) {
        return Ok(None);
    }
    let reserved = happens(&mut random, RESERVATION_SHARE);
    let shared = happens(&mut random, SHARED_SHARE);
    let days = if happens(&mut random, THREE_YEARS_SHARE) { 3 * YEAR_DAYS } else { YEAR_DAYS };
    let product = RESERVED[skewed(&mut random, RESERVED.len(), 1.5)];
    let quantity = 1 + i64::try_from(skewed(&mut random, 20, 3.0)).unwrap_or(0);
    // Bought while the subscription lived: one that is long gone has left no commitment behind
    // that is still of interest.
    let last = life.left().map_or(plan.until(), |(on, _)| plan.until().min(on));
    let bought_on: Day = life.created() + between(&mut random, 0, last - life.created());
    Ok(Some(CommitmentRow {
        commitment_id: CommitmentId::parse(&guid(plan, Topic::CommitmentId, number))?,
        subscription_id: if shared { None } else { Some(SubscriptionId::parse(&guid(plan, Topic::SubscriptionId, number))?) },
        customer_id: Some(CustomerId::parse(&guid(plan, Topic::CustomerId, customer))?),
        product: Some(if reserved { product } else { "Savings plan for compute" }.to_owned()),
        kind: if reserved { CommitmentKind::Reservation } else { CommitmentKind::SavingsPlan },
        quantity: Some(Micros(quantity * MICROS_PER_UNIT)),
        ends_on: Some(bought_on + days),
    }))
}
