//! The matrix of a fit, column after column: the solvers read it by columns (HOUSE.md).

use ndarray::{ArrayView2, ShapeBuilder};

use crate::domain::ChurnRisk;

/// Rows by columns, stored column-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// A matrix of zeros.
    #[must_use]
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// Column-major values; none where their number is not `rows` times `columns`.
    #[must_use]
    pub fn from_columns(rows: usize, columns: usize, values: Vec<f64>) -> Option<Self> {
        (rows.checked_mul(columns) == Some(values.len())).then_some(Self { rows, columns, values })
    }

    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// One column.
    #[must_use]
    pub fn column(&self, column: usize) -> &[f64] {
        &self.values[column * self.rows..(column + 1) * self.rows]
    }

    /// Every column, to be written.
    pub fn columns_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_exact_mut(self.rows.max(1))
    }

    /// Writes one row.
    pub fn set_row(&mut self, row: usize, values: &[f64]) {
        for (column, value) in values.iter().enumerate() {
            self.values[column * self.rows + row] = *value;
        }
    }

    /// One row, gathered from the columns.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f64> {
        (0..self.columns).map(move |column| self.values[column * self.rows + row])
    }

    /// Every `step`-th row.
    #[must_use]
    pub fn every(&self, step: usize) -> Self {
        let values: Vec<f64> = (0..self.columns).flat_map(|column| self.column(column).iter().step_by(step).copied()).collect();
        Self { rows: self.rows.div_ceil(step), columns: self.columns, values }
    }

    /// The same memory as an ndarray view in column-major order; none of a matrix so large that
    /// its length does not fit an `isize`.
    #[must_use]
    pub fn view(&self) -> Option<ArrayView2<'_, f64>> {
        ArrayView2::from_shape((self.rows, self.columns).f(), &self.values).ok()
    }

    /// The risk of each row under coefficients for these columns.
    #[must_use]
    pub fn risks(&self, coefficients: &[f64], intercept: f64) -> Vec<f64> {
        let mut log_odds = vec![intercept; self.rows];
        for (column, coefficient) in coefficients.iter().enumerate() {
            for (sum, value) in log_odds.iter_mut().zip(self.column(column)) {
                *sum += coefficient * value;
            }
        }
        log_odds.into_iter().map(|log_odds| ChurnRisk::from_log_odds(log_odds).get()).collect()
    }
}
