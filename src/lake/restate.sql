-- As rollup.sql, over a month that the lake has rows of. A subscription-day that the import
-- names is replaced whole; every other stored row stays. `key >> 16` drops the category and
-- unit, and leaves the (subscription, day).
SELECT key, quantity_micros(sum(quantity), key) AS quantity, cost_micros(sum(cost), key) AS cost, TRUE AS of_import
FROM staged
GROUP BY key
UNION ALL
SELECT stored.key, stored.quantity, stored.cost, FALSE
FROM stored
LEFT ANTI JOIN staged ON stored.key >> 16 = staged.key >> 16
ORDER BY key
