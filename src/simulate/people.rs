//! Who owns what: customers, resellers, ids and names, all invented.

use rand_chacha::rand_core::Rng;

use super::Plan;
use super::life::Life;
use super::random::{Topic, pick, skewed, stream, uniform};
use crate::domain::{CustomerId, CustomerRow, IdError, SubscriptionId, SubscriptionRow};

/// ISO 3166 codes, the commonest first.
const COUNTRIES: [&str; 30] = [
    "US", "GB", "DE", "FR", "NL", "NO", "SE", "DK", "FI", "ES", "IT", "PL", "CH", "AT", "BE", "IE", "PT", "CZ", "RO", "GR", "CA", "AU",
    "NZ", "JP", "IN", "BR", "MX", "ZA", "AE", "SG",
];
/// Segments and products, each with the share up to which it is drawn.
const SEGMENTS: [(f64, &str); 4] = [(0.70, "SMB"), (0.85, "Enterprise"), (0.95, "Public"), (1.0, "Education")];
const PRODUCTS: [(f64, &str); 4] =
    [(0.75, "Azure plan"), (0.87, "Azure plan for DevTest"), (0.97, "Azure reserved instance"), (1.0, "Azure Government")];

const PLACES: [&str; 24] = [
    "Alder", "Birch", "Brook", "Cedar", "Cliff", "Copper", "Dale", "Ember", "Fjord", "Harbour", "Hazel", "Heath", "Iron", "Juniper",
    "Lake", "Linden", "Maple", "Meadow", "North", "Orchard", "Pine", "River", "Stone", "Willow",
];
const TRADES: [&str; 20] = [
    "Analytics",
    "Bakeries",
    "Bikes",
    "Brewing",
    "Clinics",
    "Dairy",
    "Energy",
    "Foods",
    "Freight",
    "Games",
    "Insurance",
    "Labs",
    "Legal",
    "Media",
    "Optics",
    "Outdoor",
    "Robotics",
    "Schools",
    "Textiles",
    "Tools",
];
const PURPOSES: [&str; 10] =
    ["production", "dev-test", "data-platform", "backup", "web-shop", "intranet", "reporting", "iot", "sandbox", "archive"];

/// A GUID of version 4 for a number.
pub(super) fn guid(plan: Plan, topic: Topic, number: u32) -> String {
    let mut random = stream(plan.seed(), topic, number);
    let (high, low) = (random.next_u64(), random.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// The customer of a subscription: a few own many, and some none.
pub(super) fn owner(plan: Plan, number: u32) -> u32 {
    let customers = usize::try_from(plan.customers()).unwrap_or(usize::MAX);
    let at = skewed(&mut stream(plan.seed(), Topic::Owner, number), customers, 1.5);
    u32::try_from(at).unwrap_or(0)
}

/// The row of a customer.
pub(super) fn customer(plan: Plan, number: u32) -> Result<CustomerRow, IdError> {
    let mut random = stream(plan.seed(), Topic::Customer, number);
    let (place, trade) = (PLACES[pick(&mut random, PLACES.len())], TRADES[pick(&mut random, TRADES.len())]);
    let country = COUNTRIES[skewed(&mut random, COUNTRIES.len(), 2.0)];
    let segment = choose(&SEGMENTS, uniform(&mut random));
    // One reseller for fifty customers.
    let reseller = pick(&mut random, usize::try_from(plan.customers() / 50).unwrap_or(0).max(1));
    Ok(CustomerRow {
        customer_id: CustomerId::parse(&guid(plan, Topic::CustomerId, number))?,
        name: Some(format!("{place} {trade} {number:05}")),
        country: Some(country.to_owned()),
        segment: Some(segment.to_owned()),
        reseller_id: Some(format!("R{reseller:05}")),
        reseller_name: Some(format!("{} Cloud Partners", PLACES[reseller % PLACES.len()])),
        told_on: None,
    })
}

/// The row of a subscription, as a source would export it on the last day.
pub(super) fn subscription(plan: Plan, number: u32, customer: u32, life: &Life) -> Result<SubscriptionRow, IdError> {
    let mut random = stream(plan.seed(), Topic::Product, number);
    let product = choose(&PRODUCTS, uniform(&mut random));
    let purpose = PURPOSES[skewed(&mut random, PURPOSES.len(), 1.5)];
    let id = SubscriptionId::parse(&guid(plan, Topic::SubscriptionId, number))?;
    let bare = SubscriptionRow::bare(id, CustomerId::parse(&guid(plan, Topic::CustomerId, customer))?);
    Ok(SubscriptionRow {
        name: Some(format!("{purpose}-{number:06}")),
        product: Some(product.to_owned()),
        created_on: Some(life.created()),
        auto_renew: Some(life.auto_renew()),
        term_end_on: Some(life.term_end(plan.until())),
        is_trial: Some(life.is_trial(plan.until())),
        ..bare
    })
}

/// The first choice whose share reaches `at`.
fn choose(choices: &[(f64, &'static str)], at: f64) -> &'static str {
    choices.iter().find(|(share, _)| at < *share).map_or("", |(_, choice)| choice)
}
