//! Logistic regression by Newton's method: the optimum in a few passes over the rows.
//!
//! It minimises `sum over rows of log loss + alpha/2 |w|^2`, the intercept free. One pass gives
//! loss, gradient and the weighted Gram matrix together. Rows are cut into chunks whose number
//! depends on the rows alone, each chunk is summed in row order, and the chunks are added in
//! their order: any number of threads gives the same bits.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array2, ArrayView1, ArrayView2};
use thiserror::Error;

use super::fit::solve_positive_definite;
use super::matrix::Matrix;

/// Rows whose block of the matrix is read at once: 42 columns of 1,024 doubles are 344 KB, so a
/// block stays in the second-level cache for the three things that are done with it.
const BLOCK_ROWS: usize = 1024;

/// Rows of a block that are weighted at once. The product packs both of its sides into strips, and
/// rows that lie one after the other are packed with plain copies; turning columns into rows a
/// tile at a time keeps the tile's lines, 64 KB of 64 columns, near.
const TILE_ROWS: usize = 128;

/// Most chunks that are summed apart. More would let more threads work; 64 partial Gram matrices
/// of 42 columns are 0.9 MB.
const CHUNKS_MAX: usize = 64;

/// Rows from which on a fit begins with a part of them, and how many that part has. The part's
/// optimum is close enough to save about half of the passes over all rows.
const HEAD_START_FROM_ROWS: usize = 131_072;
const HEAD_START_ROWS: usize = 32_768;

/// Most steps. Newton's method needs about eight; past this the data are degenerate.
const STEPS_MAX: u32 = 50;

/// A step whose largest component is below this is the last. Convergence is quadratic, so what
/// remains after it is of the order of its square.
const LAST_STEP: f64 = 1e-6;

/// Why there is no optimum.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NewtonError {
    #[error("the curvature is not positive definite at step {step}")]
    Singular { step: u32 },
    #[error("no smaller loss was found at step {step}, and the gradient is still {gradient}")]
    Stuck { step: u32, gradient: f64 },
    #[error("no optimum after {STEPS_MAX} steps")]
    NotConverged,
}

/// The optimum, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Solution {
    pub coefficients: Vec<f64>,
    pub intercept: f64,
    /// Newton steps over all rows.
    pub steps: u32,
}

/// Finds the coefficients of least loss. `told` is told of the loss a row before each step over
/// all rows.
///
/// # Errors
/// Where the data are so degenerate that no optimum is found.
pub(super) fn solve(x: &Matrix, churned: &[bool], alpha: f64, told: &mut dyn FnMut(u32, f64)) -> Result<Solution, NewtonError> {
    let start = if x.rows() >= HEAD_START_FROM_ROWS {
        let step = x.rows() / HEAD_START_ROWS;
        let some: Vec<bool> = churned.iter().step_by(step).copied().collect();
        let part = x.every(step);
        // A part that holds too few of either class is no start; zero is one for any data.
        descend(&part, &some, alpha / step as f64, start_of(x.columns(), &some), &mut |_, _| ())
            .map_or_else(|_| start_of(x.columns(), churned), |(at, _)| at)
    } else {
        start_of(x.columns(), churned)
    };
    let (mut at, steps) = descend(x, churned, alpha, start, told)?;
    let intercept = at.pop().unwrap_or(0.0);
    Ok(Solution { coefficients: at, intercept, steps })
}

/// The same from coefficients (intercept last) that are near, in the same form.
///
/// # Errors
/// As [`solve`].
pub(super) fn solve_from(x: &Matrix, churned: &[bool], alpha: f64, start: Vec<f64>) -> Result<Vec<f64>, NewtonError> {
    descend(x, churned, alpha, start, &mut |_, _| ()).map(|(at, _)| at)
}

/// No coefficients, and the intercept that gives everyone the share of churners.
pub(super) fn start_of(columns: usize, churned: &[bool]) -> Vec<f64> {
    let churners = churned.iter().filter(|churned| **churned).count() as f64 + 0.5;
    let stayers = churned.len() as f64 + 1.0 - churners;
    let mut start = vec![0.0; columns];
    start.push((churners / stayers).ln());
    start
}

/// Newton steps from `at` (intercept last), each halved until the loss falls. `told` is told of the
/// loss a row, penalty included, before each step.
fn descend(
    x: &Matrix,
    churned: &[bool],
    alpha: f64,
    mut at: Vec<f64>,
    told: &mut dyn FnMut(u32, f64),
) -> Result<(Vec<f64>, u32), NewtonError> {
    let mut here = pass(x, churned, alpha, &at);
    for step in 1..=STEPS_MAX {
        told(step, here.loss / x.rows().max(1) as f64);
        let direction = here.newton_direction(alpha).ok_or(NewtonError::Singular { step })?;
        let move_by = |length: f64| -> Vec<f64> { at.iter().zip(&direction).map(|(at, by)| at - length * by).collect() };
        if direction.iter().all(|by| by.abs() < LAST_STEP) {
            return Ok((move_by(1.0), step));
        }
        let expected: f64 = here.gradient.iter().zip(&direction).map(|(gradient, by)| gradient * by).sum();
        let mut length = 1.0;
        loop {
            let candidate = move_by(length);
            let there = pass(x, churned, alpha, &candidate);
            // Armijo's test: at least a ten-thousandth of the fall that the slope promises. The
            // slack is the rounding of a sum of this size.
            if there.loss <= here.loss - 1e-4 * length * expected + 1e-13 * here.loss.abs() {
                at = candidate;
                here = there;
                break;
            }
            length /= 2.0;
            if length < 1e-10 {
                let gradient = here.gradient.iter().fold(0.0, |most: f64, each| most.max(each.abs()));
                return Err(NewtonError::Stuck { step, gradient });
            }
        }
    }
    Err(NewtonError::NotConverged)
}

/// Loss, gradient and Gram matrix at one point.
struct Pass {
    loss: f64,
    gradient: Vec<f64>,
    gram: Array2<f64>,
}

impl Pass {
    fn zero(width: usize) -> Self {
        Self { loss: 0.0, gradient: vec![0.0; width], gram: Array2::zeros((width, width)) }
    }

    fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        for (sum, each) in self.gradient.iter_mut().zip(&other.gradient) {
            *sum += each;
        }
        self.gram += &other.gram;
    }

    /// Solves `(Gram + alpha I) direction = gradient`; none where that is not positive definite.
    fn newton_direction(&self, alpha: f64) -> Option<Vec<f64>> {
        let width = self.gradient.len();
        let mut curvature = self.gram.clone();
        for feature in 0..width - 1 {
            curvature[[feature, feature]] += alpha;
        }
        solve_positive_definite(curvature, self.gradient.clone())
    }
}

/// One pass over all rows, by as many threads as the machine has.
fn pass(x: &Matrix, churned: &[bool], alpha: f64, at: &[f64]) -> Pass {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    pass_with(threads, x, churned, alpha, at)
}

fn pass_with(threads: usize, x: &Matrix, churned: &[bool], alpha: f64, at: &[f64]) -> Pass {
    let blocks = x.rows().div_ceil(BLOCK_ROWS);
    let chunk_rows = blocks.div_ceil(CHUNKS_MAX).max(1) * BLOCK_ROWS;
    let chunks = x.rows().div_ceil(chunk_rows);
    let threads = threads.min(chunks);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut room = Room::new(at.len());
        let mut done = Vec::new();
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            if chunk >= chunks {
                return done;
            }
            let rows = chunk * chunk_rows..((chunk + 1) * chunk_rows).min(x.rows());
            done.push((chunk, sum_chunk(x, churned, at, rows, &mut room)));
        }
    };
    let mut parts: Vec<(usize, Pass)> = if threads <= 1 {
        work()
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut parts = work();
            for worker in workers {
                match worker.join() {
                    Ok(part) => parts.extend(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            parts
        })
    };
    parts.sort_by_key(|(chunk, _)| *chunk);
    let mut total = Pass::zero(at.len());
    for (_, part) in &parts {
        total.add(part);
    }
    for (gradient, weight) in total.gradient.iter_mut().zip(&at[..at.len() - 1]) {
        total.loss += alpha / 2.0 * weight * weight;
        *gradient += alpha * weight;
    }
    total
}

/// The memory of one thread.
struct Room {
    /// Log-odds, then residuals, of a block's rows.
    residual: Vec<f64>,
    /// Square root of each row's weight.
    weight_root: Vec<f64>,
    /// The block's columns that are not zero, each row times its root, row after row; a column of
    /// ones (times the root) last.
    weighted: Vec<f64>,
    /// Columns that are not zero in the block.
    present: Vec<usize>,
}

impl Room {
    fn new(width: usize) -> Self {
        Self {
            residual: vec![0.0; BLOCK_ROWS],
            weight_root: vec![0.0; BLOCK_ROWS],
            weighted: vec![0.0; BLOCK_ROWS * width],
            present: Vec::with_capacity(width),
        }
    }
}

fn sum_chunk(x: &Matrix, churned: &[bool], at: &[f64], rows: std::ops::Range<usize>, room: &mut Room) -> Pass {
    let mut sum = Pass::zero(at.len());
    for from in rows.clone().step_by(BLOCK_ROWS) {
        let to = (from + BLOCK_ROWS).min(rows.end);
        sum_block(x, &churned[from..to], at, from, room, &mut sum);
    }
    sum
}

fn sum_block(x: &Matrix, churned: &[bool], at: &[f64], from: usize, room: &mut Room, sum: &mut Pass) {
    let rows = churned.len();
    let features = at.len() - 1;
    let residual = &mut room.residual[..rows];
    let weight_roots = &mut room.weight_root[..rows];
    // Indicators are zero in most blocks; a column that is adds nothing to any sum.
    room.present.clear();
    room.present.extend((0..features).filter(|feature| x.column(*feature)[from..from + rows].iter().any(|value| *value != 0.0)));
    residual.fill(at[features]);
    for feature in room.present.iter().copied() {
        for (log_odds, value) in residual.iter_mut().zip(&x.column(feature)[from..from + rows]) {
            *log_odds += at[feature] * value;
        }
    }
    for ((residual, weight_root), churned) in residual.iter_mut().zip(weight_roots.iter_mut()).zip(churned) {
        // With e = exp(-|z|), all of loss, probability and weight come without overflow.
        let log_odds = *residual;
        let tail = (-log_odds.abs()).exp();
        let probability = if log_odds >= 0.0 { 1.0 / (1.0 + tail) } else { tail / (1.0 + tail) };
        let target = f64::from(u8::from(*churned));
        sum.loss += log_odds.max(0.0) - target * log_odds + tail.ln_1p();
        *residual = probability - target;
        *weight_root = tail.sqrt() / (1.0 + tail);
    }
    let residuals = ArrayView1::from(&*residual);
    for feature in room.present.iter().copied() {
        sum.gradient[feature] += ArrayView1::from(&x.column(feature)[from..from + rows]).dot(&residuals);
    }
    sum.gradient[features] += residuals.sum();
    let width = room.present.len() + 1;
    weigh(x, &room.present, from, weight_roots, &mut room.weighted);
    room.present.push(features);
    let Ok(weighted) = ArrayView2::from_shape((rows, width), &room.weighted[..rows * width]) else { return };
    let part = weighted.t().dot(&weighted);
    for ((row, column), value) in part.indexed_iter() {
        sum.gram[[room.present[row], room.present[column]]] += value;
    }
}

/// Writes the columns that are `present`, and after them a column of ones, row after row from the
/// row `from` on, each row times its root.
fn weigh(x: &Matrix, present: &[usize], from: usize, roots: &[f64], weighted: &mut [f64]) {
    let width = present.len() + 1;
    for (number, (roots, tile)) in roots.chunks(TILE_ROWS).zip(weighted.chunks_mut(TILE_ROWS * width)).enumerate() {
        let first = from + number * TILE_ROWS;
        for (place, feature) in present.iter().copied().enumerate() {
            let column = &x.column(feature)[first..first + roots.len()];
            for ((weighted, value), root) in tile[place..].iter_mut().step_by(width).zip(column).zip(roots) {
                *weighted = value * root;
            }
        }
        for (weighted, root) in tile[width - 1..].iter_mut().step_by(width).zip(roots) {
            *weighted = *root;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four rows, one feature: churn rises with it. The optimum solves two equations in two
    /// unknowns, checked by putting it back into the gradient.
    #[test]
    fn the_gradient_is_zero_at_the_optimum() {
        let x = Matrix::from_columns(6, 2, vec![-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).expect("6 x 2");
        let churned = [false, false, true, false, true, true];
        let mut losses = Vec::new();
        let solution = solve(&x, &churned, 0.5, &mut |_, loss| losses.push(loss)).expect("well posed");
        let mut at = solution.coefficients.clone();
        at.push(solution.intercept);
        let there = pass(&x, &churned, 0.5, &at);
        assert!(there.gradient.iter().all(|slope| slope.abs() < 1e-10), "{:?}", there.gradient);
        assert_eq!(losses.len() as u64, u64::from(solution.steps));
        assert!(losses.is_sorted_by(|before, after| before >= after) && losses[0] > losses[1], "{losses:?}");
    }

    #[test]
    fn separable_rows_have_an_optimum_under_a_penalty() {
        let x = Matrix::from_columns(4, 1, vec![-1.0, -0.5, 0.5, 1.0]).expect("4 x 1");
        let solution = solve(&x, &[false, false, true, true], 1.0, &mut |_, _| ()).expect("the penalty bounds it");
        assert!(solution.coefficients[0] > 0.5 && solution.intercept.abs() < 1e-9);
    }

    /// Columns that are zero in whole blocks count as if they were summed.
    #[test]
    fn indicators_of_blocks_are_columns_like_others() {
        let rows = 3 * BLOCK_ROWS + 5;
        let value = |at: usize| ((at * 7919) % 10_007) as f64 / 10_007.0 - 0.5;
        let churned: Vec<bool> = (0..rows).map(|row| row % 5 == 0).collect();
        let indicator = |row: usize, part: usize| f64::from(u8::from(row / 1500 == part));
        let columns: Vec<f64> =
            (0..rows).map(value).chain((0..2).flat_map(|part| (0..rows).map(move |row| indicator(row, part)))).collect();
        let x = Matrix::from_columns(rows, 3, columns).expect("three columns");
        let at = [0.3, -0.2, 0.1, -1.5];
        let pass = pass_with(1, &x, &churned, 1.0, &at);
        let (mut gradient, mut gram) = ([0.0; 4], [[0.0; 4]; 4]);
        for (row, churned) in churned.iter().enumerate() {
            let values = [x.column(0)[row], x.column(1)[row], x.column(2)[row], 1.0];
            let log_odds: f64 = values.iter().zip(at).map(|(value, weight)| value * weight).sum();
            let probability = 1.0 / (1.0 + (-log_odds).exp());
            for one in 0..4 {
                gradient[one] += values[one] * (probability - f64::from(u8::from(*churned)));
                for other in 0..4 {
                    gram[one][other] += values[one] * values[other] * probability * (1.0 - probability);
                }
            }
        }
        for one in 0..4 {
            let penalty = if one < 3 { at[one] } else { 0.0 };
            assert!((pass.gradient[one] - gradient[one] - penalty).abs() < 1e-8);
            assert!((0..4).all(|other| (pass.gram[[one, other]] - gram[one][other]).abs() < 1e-8));
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let rows = 70 * BLOCK_ROWS + 17;
        let value = |at: usize| ((at * 7919) % 10_007) as f64 / 10_007.0 - 0.5;
        let x = Matrix::from_columns(rows, 3, (0..3 * rows).map(value).collect()).expect("three columns");
        let churned: Vec<bool> = (0..rows).map(|row| row % 7 == 0).collect();
        let [one, three] = [1, 3].map(|threads| pass_with(threads, &x, &churned, 1.0, &[0.3, -0.2, 0.1, -1.5]));
        assert_eq!(one.loss.to_bits(), three.loss.to_bits());
        assert_eq!((one.gradient, one.gram), (three.gradient, three.gram));
    }
}
