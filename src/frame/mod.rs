//! Tables: polars in, polars out.
