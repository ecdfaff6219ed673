//! The fit is scikit-learn's, whichever class is the rarer one.

use churn_risk::training::Matrix;
use churn_risk::training::fit::logistic;
use serde_json::Value;

const ROWS: usize = 2000;

/// The rows of `golden/logistic.py`: the matrix, and rows by rising score.
fn rows() -> (Matrix, Vec<usize>) {
    let mut state = 2026_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / 9_007_199_254_740_992.0
    };
    let mut x = Matrix::zeros(ROWS, 4);
    let mut scores = Vec::with_capacity(ROWS);
    for row in 0..ROWS {
        let drawn = [draw() - 0.5, draw() - 0.5, draw() - 0.5, draw() - 0.5];
        let values = [drawn[0], drawn[0] * 0.75 + drawn[1] * 0.25, drawn[2] * 10.0, drawn[3] * drawn[3]];
        x.set_row(row, &values);
        scores.push(3.0 * values[0] - 2.0 * values[1] + 0.25 * values[2] + values[3] + 2.0 * (draw() + draw() + draw() - 1.5));
    }
    let mut order: Vec<usize> = (0..ROWS).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    (x, order)
}

#[test]
fn coefficients_are_scikit_learns_with_churners_at_10_50_and_90_percent() {
    let golden: Value = serde_json::from_str(include_str!("golden/logistic.json")).expect("the golden file is JSON");
    let (x, order) = rows();
    for case in golden["cases"].as_array().expect("cases") {
        let percent = usize::try_from(case["churn_percent"].as_u64().expect("a number")).expect("small");
        let mut churned = vec![false; ROWS];
        for row in &order[ROWS - ROWS * percent / 100..] {
            churned[*row] = true;
        }
        let fitted = logistic(&x, &churned, case["alpha"].as_f64().expect("a number")).expect("well posed");
        let theirs = case["coefficients"].as_array().expect("a list").iter().chain([&case["intercept"]]);
        for (ours, theirs) in fitted.coefficients.iter().chain([&fitted.intercept]).zip(theirs) {
            let difference = (ours - theirs.as_f64().expect("a number")).abs();
            assert!(difference <= 1e-4, "{percent} % churners: {ours} is not {theirs}");
        }
    }
}

#[test]
fn labels_of_one_class_are_refused() {
    let (x, _) = rows();
    assert!(logistic(&x, &[false; ROWS], 1.0).is_err());
    assert!(logistic(&x, &[true; 3], 1.0).is_err());
}
