//! One test binary, one module a promise: DataFusion is linked once.

mod simulate;
