"""Fits a model of churn-train again with scikit-learn, from its features alone, and compares.

    churn-train features --lake LAKE --label status --as-of DAYS --scale-until LAST --out features.parquet
    churn-train --lake LAKE --models models --label status --horizon 30 --train-days DAYS --test-days ...
    python training/refit.py features.parquet models/VERSION

DAYS are the training days, LAST is the last of them. Needs pandas, pyarrow and scikit-learn. It ends with an error where a
coefficient differs by more than 1e-4. What it does is what training/README.md says: transform, anchor,
levels of time, penalty, level of the latest rows.
"""

import json
import sys

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

LIGHT = 10.0
LEVELS_MAX = 24
LATEST_DAYS = 180
TOLERANCE = 1e-4


def nearest_rank(values, q):
    # Half away from zero, as Rust rounds; numpy rounds half to even.
    return np.sort(values)[int(np.floor(q * (len(values) - 1) + 0.5))]


def transformed(values, scale):
    low, high = nearest_rank(values, 0.01), nearest_rank(values, 0.99)
    if low >= high:
        low, high = values.min(), values.max()
    if isinstance(scale, dict):
        bend = lambda x: np.sign(x) * np.log1p(scale["signed_log"]["times"] * np.abs(x))
        values, low, high = bend(values), bend(low), bend(high)
    values = np.clip(values, low, high)
    deviation = values.std()
    if deviation <= 1e-9 * max(abs(values.mean()), 1.0):
        deviation = 1.0
    return (values - values.mean()) / deviation


def main(features, folder):
    rows = pd.read_parquet(features)
    catalogue = json.load(open(f"{folder}/features.json"))
    card = json.load(open(f"{folder}/card.json"))
    names = [feature["name"] for feature in catalogue]
    x = np.column_stack([transformed(rows[f["name"]].to_numpy(float), f["scale"]) for f in catalogue])
    recency = names.index("days_since_usage")

    design = x.copy()
    design[:, recency] *= LIGHT
    days = np.unique(rows["as_of"])
    levels = min(len(days), LEVELS_MAX)
    if levels > 1:
        level = np.searchsorted(days, rows["as_of"]) * levels // len(days)
        design = np.column_stack([design, LIGHT * (level[:, None] == np.arange(levels))])
    alpha = card["fit"]["alpha"]
    fit = LogisticRegression(C=1 / alpha, solver="newton-cholesky", tol=1e-10, max_iter=200).fit(design, rows["label"])
    coefficients = fit.coef_[0][: len(names)].copy()
    coefficients[recency] *= LIGHT

    # The level under which the latest rows' mean risk is their share of churners.
    as_of = pd.to_datetime(rows["as_of"])
    latest = ((as_of.max() - as_of).dt.days < LATEST_DAYS).to_numpy()
    log_odds, churned = (x @ coefficients)[latest], rows["label"].to_numpy(float)[latest]
    low, high = -log_odds.mean() - 40, -log_odds.mean() + 40
    for _ in range(60):
        middle = (low + high) / 2
        if (1 / (1 + np.exp(-log_odds - middle))).sum() < churned.sum():
            low = middle
        else:
            high = middle
    calibration = card["fit"]["calibration"]
    if calibration and calibration["kept"]:
        coefficients *= calibration["slope"]

    ours = np.array([feature["coefficients"][0] for feature in card["features"]])
    worst = np.abs(ours - coefficients).max()
    print(f"{len(rows)} rows, {len(names)} features, alpha {alpha:g}: largest difference of a coefficient {worst:.2e}")
    largest = np.argsort(-np.abs(ours))[:5]
    for at in largest:
        print(f"  {names[at]:32} ours {ours[at]:+.6f}  scikit-learn {coefficients[at]:+.6f}")
    if not worst <= TOLERANCE:
        sys.exit(f"a coefficient differs by {worst:.2e}, more than {TOLERANCE:g}")
    print(f"intercept by scikit-learn's coefficients {(low + high) / 2:+.6f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
