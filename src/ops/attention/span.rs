//! Which keys each query sees: padding on either side, and a window.

/// Which keys a query may see.
#[derive(Clone, Debug, Default)]
pub struct AttentionSpan {
    /// First real key of each row of a left-padded batch; empty when no row is padded.
    pub starts: Vec<usize>,
    /// One beyond the last real key of each row, where a query sees keys on both sides of it (an encoder's attention);
    /// empty where it sees none behind itself.
    pub ends: Vec<usize>,
    /// Sliding window of a query that sees none behind itself: a query at position p sees keys p − window + 1 ..= p.
    pub window: Option<usize>,
}

impl AttentionSpan {
    /// The keys that a query at key position `position` of batch row `row` sees.
    pub fn visible(&self, row: usize, position: usize) -> std::ops::Range<usize> {
        let start = self.starts.get(row).copied().unwrap_or(0);
        if let Some(end) = self.ends.get(row) {
            return start.min(*end)..*end;
        }
        let oldest = self.window.map_or(0, |window| (position + 1).saturating_sub(window));
        let end = position + 1;
        start.max(oldest).min(end)..end
    }
}
