-- Many meter rows become one row a (subscription, day, category, unit): sums in exact decimals,
-- rounded half-even once. `key` packs the four columns of one month into a number that sorts
-- as they do (engine.rs). The rows come in its order (sorted.rs), so that neither grouping nor
-- the result needs a sort.
SELECT key, quantity_micros(sum(quantity), key) AS quantity, cost_micros(sum(cost), key) AS cost
FROM staged
GROUP BY key
ORDER BY key
