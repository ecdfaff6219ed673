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
        Self::with_room(rows, columns, 0)
    }

    /// A matrix of zeros with the memory for `room` more columns.
    #[must_use]
    pub fn with_room(rows: usize, columns: usize, room: usize) -> Self {
        let mut values = Vec::with_capacity(rows * (columns + room));
        values.resize(rows * columns, 0.0);
        Self { rows, columns, values }
    }

    /// Some rows, in that order, with the memory for `room` more columns.
    #[must_use]
    pub fn pick(&self, rows: &[usize], room: usize) -> Self {
        let mut values = Vec::with_capacity(rows.len() * (self.columns + room));
        for column in 0..self.columns {
            let column = self.column(column);
            values.extend(rows.iter().map(|row| column[*row]));
        }
        Self { rows: rows.len(), columns: self.columns, values }
    }

    /// Puts a column at the end; its length is the number of rows.
    pub fn push_column(&mut self, column: impl Iterator<Item = f64>) {
        self.values.extend(column.take(self.rows));
        self.columns += 1;
        self.values.resize(self.rows * self.columns, 0.0);
    }

    /// Leaves out all columns but the first `columns`.
    pub fn keep_columns(&mut self, columns: usize) {
        self.columns = self.columns.min(columns);
        self.values.truncate(self.rows * self.columns);
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

    /// The risk of each row under coefficients for the first columns.
    #[must_use]
    pub fn risks(&self, coefficients: &[f64], intercept: f64) -> Vec<f64> {
        let log_odds = self.log_odds(coefficients, intercept);
        log_odds.into_iter().map(|log_odds| ChurnRisk::from_log_odds(log_odds).get()).collect()
    }

    /// The log-odds of each row under coefficients for the first columns.
    #[must_use]
    pub fn log_odds(&self, coefficients: &[f64], intercept: f64) -> Vec<f64> {
        let mut log_odds = vec![intercept; self.rows];
        for (column, coefficient) in coefficients.iter().enumerate() {
            for (sum, value) in log_odds.iter_mut().zip(self.column(column)) {
                *sum += coefficient * value;
            }
        }
        log_odds
    }
}
