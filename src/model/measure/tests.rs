//! Figures held against a hand, a known distortion, and the width that theory gives.

use super::*;

fn row(customer: u32, churned: bool) -> Outcome {
    Outcome { customer: CustomerIx(customer), churned, cost_30_days: Micros(10_000_000) }
}

/// Eight rows whose figures can be worked out by hand.
fn small() -> (Vec<Outcome>, Vec<f64>) {
    let churned = [true, false, true, true, false, false, false, false];
    let risks = vec![0.9, 0.8, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1];
    (churned.into_iter().zip(0..).map(|(churned, customer)| row(customer, churned)).collect(), risks)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn figures_are_those_of_a_hand_and_of_scikit_learn() {
    let (rows, risks) = small();
    let measured = measure(&rows, &[&risks]).of(0);
    // 15 pairs: the first leaver is before all 5, the second ties with one and is before 4, the
    // third is behind one.
    assert!(near(measured.roc_auc.value, (5.0 + 4.5 + 4.0) / 15.0));
    // Precision 1 at the first, 2/3 at the tie, 3/4 at the third.
    assert!(near(measured.pr_auc.value, (1.0 + 2.0 / 3.0 + 0.75) / 3.0));
    let brier = (0.01 + 0.64 + 0.04 + 0.25 + 0.16 + 0.09 + 0.04 + 0.01) / 8.0;
    assert!(near(measured.brier.value, brier) && near(measured.brier_skill.value, 1.0 - brier / (0.375 * 0.625)));
    assert!(near(measured.expected_churners, 4.0) && near(measured.expected_to_actual.value, 4.0 / 3.0));
    assert!(near(measured.actual_cost, 30.0) && near(measured.expected_cost, 40.0));
    assert!(measured.roc_auc.low <= measured.roc_auc.value && measured.roc_auc.value <= measured.roc_auc.high);
}

/// Risks of a known distortion: what happened follows half the log-odds that are told, less 1.
#[test]
fn slope_and_intercept_are_those_that_would_calibrate_the_risks() {
    let (mut rows, mut risks) = (Vec::new(), Vec::new());
    for step in 0..60_u32 {
        let log_odds = f64::from(step) / 10.0 - 3.0;
        let truth = 1.0 / (1.0 + (1.0 - 0.5 * log_odds).exp());
        for part in 0..400_u32 {
            rows.push(row(step * 400 + part, (f64::from(part) + 0.5) / 400.0 < truth));
            risks.push(1.0 / (1.0 + (-log_odds).exp()));
        }
    }
    let measured = measure(&rows, &[&risks, &vec![0.2; risks.len()]]);
    let (model, constant) = (measured.of(0), measured.of(1));
    assert!((model.calibration_slope.value - 0.5).abs() < 0.01 && (model.calibration_intercept.value + 1.0).abs() < 0.01);
    assert!(model.calibration_slope.low > 0.45 && model.calibration_slope.high < 0.55);
    assert!(model.calibration_slope.low < 0.5 && model.calibration_slope.high > 0.5);
    assert!(near(constant.calibration_slope.value, 0.0) && near(constant.roc_auc.value, 0.5));
    assert!(measured.gain(0, 1).log_loss.value.is_finite());
}

/// The interval of a mean of independent rows is the normal one, and rows of one customer that
/// always go together make it as wide as their number says.
#[test]
fn intervals_are_drawn_by_customer() {
    let risks = vec![0.3; 4_000];
    let apart: Vec<Outcome> = (0..4_000).map(|at| row(at, at % 10 < 3)).collect();
    let together: Vec<Outcome> = (0..4_000).map(|at| row(at / 40, (at / 40) % 10 < 3)).collect();
    let width = |rows: &[Outcome]| {
        let brier = measure(rows, &[&risks]).of(0).expected_to_actual;
        brier.high - brier.low
    };
    let expected = 2.0 * 1.96 * (0.7_f64 / 0.3 / 4_000.0).sqrt();
    assert!((width(&apart) / expected - 1.0).abs() < 0.25, "{} {expected}", width(&apart));
    assert!((width(&together) / expected / 40_f64.sqrt() - 1.0).abs() < 0.35);
}

#[test]
fn curves_end_with_everybody_and_never_cut_a_tie() {
    let (rows, risks) = small();
    let curves = Curves::of(&rows, &risks);
    let last = curves.cutoffs.last().expect("rows");
    assert_eq!((last.called, last.caught), (8, 3));
    assert!(near(last.cost_caught, 30.0));
    assert!(curves.cutoffs.iter().all(|at| at.called != 2), "two rows have a risk of 0.8");
    let rows_in = |bars: &[RiskBar]| bars.iter().map(|bar| bar.stayed + bar.left).sum::<u64>();
    assert_eq!((rows_in(&curves.histogram), curves.calibration.iter().map(|group| group.rows).sum::<u64>()), (8, 8));
}

use super::curves::RiskBar;
