//! Tests: expressions.
