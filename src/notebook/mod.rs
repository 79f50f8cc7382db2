//! Cells, the run record, reports.
