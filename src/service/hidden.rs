//! What is kept from whoever asks, told beside the answer that lacks it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The fields of the interface that hold money, or would give it away.
const MONEY_FIELDS: [&str; 9] = [
    "cost",
    "usage_cost",
    "cost_30_days",
    "cost_12_months",
    "cost_at_risk",
    "flow",
    // Sums over all customers, or steps from one to the next, on the card and in the live record.
    "expected_cost",
    "actual_cost",
    "cost_caught",
];

/// Empties every field of a value that holds money.
pub(super) fn empty_money(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
            if MONEY_FIELDS.contains(&name.as_str()) {
                *value = Value::Null;
            } else {
                empty_money(value);
            }
        }),
        Value::Array(list) => list.iter_mut().for_each(empty_money),
        _ => {}
    }
}

/// A field that is null because it is kept from whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Hidden {
    #[schema(examples("cost_30_days"))]
    pub(super) field: &'static str,
    #[schema(examples("the roles of whoever asks are told no costs"))]
    pub(super) reason: &'static str,
}

/// The money that an answer of this type has fields for.
pub(super) fn money_in<T: ToSchema>() -> Vec<Hidden> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    let mut named = BTreeSet::new();
    for (_, schema) in schemas {
        if let Ok(schema) = serde_json::to_value(schema) {
            properties(&schema, &mut named);
        }
    }
    of_money(|field| named.contains(field))
}

fn of_money(has: impl Fn(&str) -> bool) -> Vec<Hidden> {
    let hidden = |field| Hidden { field, reason: "the roles of whoever asks are told no costs" };
    MONEY_FIELDS.into_iter().filter(|field| has(field)).map(hidden).collect()
}

/// The names of all properties in a schema.
fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(own)) = fields.get("properties") {
                into.extend(own.keys().cloned());
            }
            fields.values().for_each(|value| properties(value, into));
        }
        Value::Array(list) => list.iter().for_each(|value| properties(value, into)),
        _ => {}
    }
}
