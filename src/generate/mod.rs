//! Batched decoding: cache, stopping, sampling.
