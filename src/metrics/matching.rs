//! What two sequences share, as Python's difflib finds it (Ratcliff and Obershelp's way): the longest run that both have, then the
//! longest runs before and behind it. The benchmarks that compare sentences token by token are defined by it.

use std::collections::HashMap;

/// From this length on, difflib leaves symbols out that are frequent in the second sequence.
const LONG: usize = 200;

/// The places of equal items in both sequences, in order.
pub fn shared(one: &[u32], other: &[u32]) -> Vec<(usize, usize)> {
    let known = places(other);
    let mut found = Vec::new();
    // Parts that are still to be looked through: a range of each sequence.
    let mut open = vec![(0, one.len(), 0, other.len())];
    while let Some((low, high, other_low, other_high)) = open.pop() {
        let part = Part { one, other, low, high, other_low, other_high };
        let (begin, other_begin, length) = part.longest(&known);
        if length == 0 {
            continue;
        }
        found.extend((0..length).map(|step| (begin + step, other_begin + step)));
        open.push((low, begin, other_low, other_begin));
        open.push((begin + length, high, other_begin + length, other_high));
    }
    found.sort_unstable();
    found
}

/// Where each symbol stands, without those that are frequent in a long sequence.
fn places(other: &[u32]) -> HashMap<u32, Vec<usize>> {
    let mut known: HashMap<u32, Vec<usize>> = HashMap::new();
    for (place, symbol) in other.iter().enumerate() {
        known.entry(*symbol).or_default().push(place);
    }
    if other.len() >= LONG {
        let most = other.len() / 100 + 1;
        known.retain(|_, places| places.len() <= most);
    }
    known
}

/// A range of each sequence.
struct Part<'a> {
    one: &'a [u32],
    other: &'a [u32],
    low: usize,
    high: usize,
    other_low: usize,
    other_high: usize,
}

impl Part<'_> {
    /// The longest run that both ranges have: where it begins in each, and its length. Of equally long ones the first.
    fn longest(&self, known: &HashMap<u32, Vec<usize>>) -> (usize, usize, usize) {
        let (mut begin, mut other_begin, mut length) = (self.low, self.other_low, 0);
        // How long a run ends at each place of the second sequence.
        let mut lengths: HashMap<usize, usize> = HashMap::new();
        for place in self.low..self.high {
            let mut next = HashMap::new();
            let symbol = self.one.get(place);
            for other in symbol.and_then(|symbol| known.get(symbol)).into_iter().flatten() {
                if !(self.other_low..self.other_high).contains(other) {
                    continue;
                }
                let before = other.checked_sub(1).and_then(|before| lengths.get(&before));
                let run = before.copied().unwrap_or(0) + 1;
                next.insert(*other, run);
                if run > length {
                    (begin, other_begin, length) = (place + 1 - run, other + 1 - run, run);
                }
            }
            lengths = next;
        }
        // Frequent symbols begin no run, but they lengthen one.
        while begin > self.low
            && other_begin > self.other_low
            && self.one.get(begin - 1) == self.other.get(other_begin - 1)
        {
            (begin, other_begin, length) = (begin - 1, other_begin - 1, length + 1);
        }
        while begin + length < self.high
            && other_begin + length < self.other_high
            && self.one.get(begin + length) == self.other.get(other_begin + length)
        {
            length += 1;
        }
        (begin, other_begin, length)
    }
}
