//! The commitments of the tables, with places in the portfolio for ids.

use super::{Commitment, Customer, CustomerIx, Subscription, SubscriptionIx};
use crate::domain::CommitmentRow;

/// The commitments, ascending by id. `customers` and `subscriptions` ascend by id and hold
/// everyone whom a commitment names.
pub(super) fn interned(mut rows: Vec<CommitmentRow>, customers: &[Customer], subscriptions: &[Subscription]) -> Vec<Commitment> {
    rows.sort_by(|a, b| a.commitment_id.cmp(&b.commitment_id));
    let place = |found: Result<usize, usize>| found.ok().and_then(|at| u32::try_from(at).ok());
    rows.into_iter()
        .map(|row| {
            let subscription = row.subscription_id.as_ref().and_then(|id| place(subscriptions.binary_search_by(|one| one.id.cmp(id))));
            let named = row.customer_id.as_ref().map(|id| customers.binary_search_by(|one| one.id.as_str().cmp(id.as_str())));
            let owner = subscription.and_then(|at| subscriptions.get(at as usize)).map(|subscription| subscription.customer);
            Commitment {
                id: row.commitment_id,
                kind: row.kind,
                customer: named.and_then(place).map(CustomerIx).or(owner),
                subscription: subscription.map(SubscriptionIx),
                product: row.product,
                quantity: row.quantity,
                ends_on: row.ends_on,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{PortfolioBuilder, SmallTables};
    use crate::domain::{CommitmentId, CommitmentKind, CommitmentRow, CustomerId, SubscriptionId, UNKNOWN_CUSTOMER};

    fn row(id: &str, subscription: Option<&str>, customer: Option<&str>) -> CommitmentRow {
        CommitmentRow {
            commitment_id: CommitmentId::parse(id).expect("an id"),
            subscription_id: subscription.map(|id| SubscriptionId::parse(id).expect("an id")),
            customer_id: customer.map(|id| CustomerId::parse(id).expect("an id")),
            product: None,
            kind: CommitmentKind::Reservation,
            quantity: None,
            ends_on: None,
        }
    }

    #[test]
    fn a_commitment_keeps_whom_it_names_though_no_other_table_knows_them() {
        let commitments = vec![row("r3", None, None), row("r1", Some("s1"), Some("c1")), row("r2", Some("s2"), None)];
        let tables = SmallTables { commitments, ..SmallTables::default() };
        let portfolio = PortfolioBuilder::new(1, 0, tables).seal().expect("small").finish();
        let customer = |ix| portfolio.customer(ix).id.as_str();
        let seen: Vec<_> = portfolio
            .commitments()
            .iter()
            .map(|one| {
                let subscription = one.subscription.map(|ix| portfolio.subscription(ix).id.as_str());
                (one.id.as_str(), subscription, one.customer.map(customer))
            })
            .collect();
        assert_eq!(seen, [("r1", Some("s1"), Some("c1")), ("r2", Some("s2"), Some(UNKNOWN_CUSTOMER)), ("r3", None, None)]);
        assert!(portfolio.subscriptions().iter().all(|one| one.life.created().is_none()));
    }
}
