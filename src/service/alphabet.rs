//! Where customers and subscriptions stand in the order of their names.
//!
//! Absent on purpose: the rules of single languages. Names are compared letter by letter,
//! whatever their case.

use crate::portfolio::{CustomerIx, Portfolio, SubscriptionIx};

/// The places of all names of a portfolio, from 0; equal names share one. Whoever has no name
/// stands under the id.
#[derive(Debug)]
pub(super) struct Alphabet {
    customers: Vec<u32>,
    subscriptions: Vec<u32>,
}

impl Alphabet {
    pub(super) fn of(portfolio: &Portfolio) -> Self {
        let customers = portfolio.customers().iter().map(|customer| customer.name.as_deref().unwrap_or(&customer.id));
        let subscriptions =
            portfolio.subscriptions().iter().map(|subscription| subscription.name.as_deref().unwrap_or(subscription.id.as_str()));
        Self { customers: places(customers), subscriptions: places(subscriptions) }
    }

    pub(super) fn customer(&self, ix: CustomerIx) -> u32 {
        self.customers[ix.at()]
    }

    pub(super) fn subscription(&self, ix: SubscriptionIx) -> u32 {
        self.subscriptions[ix.at()]
    }
}

fn places<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u32> {
    let mut lower: Vec<(String, usize)> = names.map(str::to_lowercase).zip(0..).collect();
    lower.sort_unstable();
    let mut places = vec![0; lower.len()];
    let mut place = 0;
    for (at, (name, whose)) in lower.iter().enumerate() {
        place += u32::from(at > 0 && lower[at - 1].0 != *name);
        places[*whose] = place;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_share_a_place_whatever_their_case() {
        assert_eq!(places(["beta", "Alpha", "BETA", "gamma", "alpha"].into_iter()), [1, 0, 1, 2, 0]);
    }
}
