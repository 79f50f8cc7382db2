//! Tests: generation.
