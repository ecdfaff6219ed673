#!/usr/bin/env python3
"""Writes logistic.json: scikit-learn's coefficients on rows that training_fit.rs makes by the same
integer arithmetic (Knuth's MMIX generator, the high 53 bits as a fraction). Run once, with scikit-learn 1.9."""
import json, numpy as np, sklearn
from sklearn.linear_model import LogisticRegression

N, state = 2000, 2026

def draw():
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 11) / 2**53

X, score = np.empty((N, 4)), np.empty(N)
for i in range(N):
    a, b, c, d = draw() - 0.5, draw() - 0.5, draw() - 0.5, draw() - 0.5
    X[i] = [a, a * 0.75 + b * 0.25, c * 10.0, d * d]
    score[i] = 3.0 * X[i, 0] - 2.0 * X[i, 1] + 0.25 * X[i, 2] + X[i, 3] + 2.0 * (draw() + draw() + draw() - 1.5)
order = np.argsort(score, kind="stable")
out = {"sklearn": sklearn.__version__, "cases": []}
for percent in (10, 50, 90):
    y = np.zeros(N, dtype=int)
    y[order[N - N * percent // 100:]] = 1
    for alpha in (1.0, 0.1):
        fit = LogisticRegression(C=1 / alpha, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y)
        out["cases"].append({"churn_percent": percent, "alpha": alpha, "intercept": float(fit.intercept_[0]), "coefficients": fit.coef_[0].tolist()})
json.dump(out, open("logistic.json", "w"), indent=1)
