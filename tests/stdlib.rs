//! Tests: stdlib.
