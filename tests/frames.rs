//! Tests: frames.
