//! Tests: plots.
