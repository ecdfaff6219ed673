//! The same version of the tables for somebody who may see a part of it: fewer customers, or no
//! costs. What is left out is not in the part at all, so no reader can come upon it by mistake.
//!
//! What is true of the feed stays: its days, and those without a row. A part whose customers went
//! silent must not take their silence for a hole in the feed.

use super::build::group_by_customer;
use super::index::UsageIndex;
use super::{Commitment, Customer, CustomerIx, Portfolio, Series, Subscription, SubscriptionIx, Usage};

impl Portfolio {
    /// The part of those customers whom `keeps` keeps, and of their subscriptions. Series that none
    /// of them used are gone.
    #[must_use]
    pub fn part(&self, keeps: impl Fn(&Customer) -> bool) -> Self {
        let kept: Vec<bool> = self.customers.iter().map(keeps).collect();
        let customer_places = places(&kept);
        let customer = |ix: CustomerIx| customer_places[ix.at()].map(CustomerIx);
        let kept_subscriptions: Vec<bool> = self.subscriptions.iter().map(|one| kept[one.customer.at()]).collect();
        let subscription_places = places(&kept_subscriptions);
        let subscription = |ix: SubscriptionIx| subscription_places[ix.at()].map(SubscriptionIx);
        let customers: Vec<Customer> = self.customers.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(one, _)| one.clone()).collect();
        let subscriptions: Vec<Subscription> =
            self.subscriptions.iter().filter_map(|one| Some(Subscription { customer: customer(one.customer)?, ..one.clone() })).collect();
        let (customer_start, by_customer) = group_by_customer(customers.len(), &subscriptions);
        let of: Vec<SubscriptionIx> = self.subscription_indices().filter(|ix| kept_subscriptions[ix.at()]).collect();
        let mut usage = self.usage.part(of.iter().map(|ix| self.places(*ix)));
        let series = usage.renumber(&self.series);
        let whose = |one: &Commitment| {
            let named = (one.customer.map(customer), one.subscription.map(subscription));
            // One that names an outsider as well is theirs too.
            match named {
                (None, None) | (Some(None), _) | (_, Some(None)) => None,
                (customer, subscription) => Some((customer.flatten(), subscription.flatten())),
            }
        };
        let commitments = self.commitments.iter().filter_map(|one| {
            let (customer, subscription) = whose(one)?;
            Some(Commitment { customer, subscription, ..one.clone() })
        });
        let part = Self {
            version: self.version,
            settle_days: self.settle_days,
            currency: self.currency.clone(),
            days: self.days,
            customers,
            subscriptions,
            customer_start,
            by_customer,
            series,
            usage,
            index: UsageIndex::default(),
            months: self.months.part(&of),
            gaps: self.gaps.clone(),
            data_errors: self.data_errors.iter().filter_map(|(ix, error)| Some((subscription(*ix)?, error.clone()))).collect(),
            commitments: commitments.collect(),
            cost_hidden: self.cost_hidden,
        };
        part.with_index()
    }

    /// The same without a single cost, as if no source had told one. Places are the same.
    #[must_use]
    pub fn without_cost(&self) -> Self {
        let Usage { start, day, series, quantity, cost, .. } = &self.usage;
        let usage = Usage {
            start: start.clone(),
            day: day.clone(),
            series: series.clone(),
            quantity: quantity.clone(),
            cost: vec![0; cost.len()],
            has_cost: false,
        };
        let blind = Self {
            version: self.version,
            settle_days: self.settle_days,
            currency: self.currency.clone(),
            days: self.days,
            customers: self.customers.clone(),
            subscriptions: self.subscriptions.clone(),
            customer_start: self.customer_start.clone(),
            by_customer: self.by_customer.clone(),
            series: self.series.clone(),
            usage,
            index: UsageIndex::default(),
            months: self.months.without_cost(),
            gaps: self.gaps.clone(),
            data_errors: self.data_errors.clone(),
            commitments: self.commitments.clone(),
            cost_hidden: true,
        };
        blind.with_index()
    }
}

/// Where what is kept goes.
pub(super) fn places(kept: &[bool]) -> Vec<Option<u32>> {
    let mut next = 0..;
    kept.iter().map(|kept| if *kept { next.next() } else { None }).collect()
}

impl Usage {
    /// The rows of some subscriptions.
    fn part(&self, of: impl Iterator<Item = std::ops::Range<usize>>) -> Self {
        let mut part = Self { start: vec![0], has_cost: self.has_cost, ..Self::default() };
        for rows in of {
            part.day.extend_from_slice(&self.day[rows.clone()]);
            part.series.extend_from_slice(&self.series[rows.clone()]);
            part.quantity.extend_from_slice(&self.quantity[rows.clone()]);
            part.cost.extend_from_slice(&self.cost[rows]);
            part.start.push(part.day.len() as u64);
        }
        part
    }

    /// Leaves only the series that a row names, in their order.
    fn renumber(&mut self, series: &[Series]) -> Vec<Series> {
        let mut used = vec![false; series.len()];
        for at in &self.series {
            used[usize::from(*at)] = true;
        }
        let places = places(&used);
        for at in &mut self.series {
            *at = places[usize::from(*at)].and_then(|place| u16::try_from(place).ok()).unwrap_or(*at);
        }
        series.iter().zip(used).filter(|(_, used)| *used).map(|(one, _)| one.clone()).collect()
    }
}
