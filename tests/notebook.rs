//! Tests: notebook.
