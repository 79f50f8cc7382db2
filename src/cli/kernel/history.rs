//! What was run in this session, for a console that asks for it.

use glob::Pattern;
use jupyter_protocol::{HistoryEntry, HistoryReply, HistoryRequest};

/// A kernel has one session, which it calls the first.
const SESSION: usize = 1;

#[derive(Default)]
pub struct History(Vec<(usize, String)>);

impl History {
    pub fn add(&mut self, count: usize, code: &str) {
        self.0.push((count, code.to_string()));
    }

    pub fn reply(&self, request: &HistoryRequest) -> HistoryReply {
        let size = |number: i32| usize::try_from(number).unwrap_or(0);
        let (mut found, output, most): (Vec<&(usize, String)>, bool, usize) = match request {
            HistoryRequest::Range { start, stop, output, .. } => {
                // A stop of nought is the end, as where none was said.
                let last = if *stop > 0 { size(*stop) } else { usize::MAX };
                let within = |count: usize| count >= size(*start) && count < last;
                let found = self.0.iter().filter(|(count, _)| within(*count)).collect();
                (found, *output, usize::MAX)
            }
            HistoryRequest::Tail { n, output, .. } => (self.0.iter().collect(), *output, size(*n)),
            HistoryRequest::Search { pattern, output, n, .. } => {
                let pattern = Pattern::new(pattern).ok();
                let matches = |code: &str| pattern.as_ref().is_some_and(|p| p.matches(code));
                let found = self.0.iter().filter(|(_, code)| matches(code)).collect();
                (found, *output, size(*n))
            }
        };
        found.drain(..found.len().saturating_sub(most));
        let entry = |(count, code): &(usize, String)| {
            if output {
                // Outputs are with the notebook; only inputs are kept here.
                HistoryEntry::InputOutput(SESSION, *count, (code.clone(), String::new()))
            } else {
                HistoryEntry::Input(SESSION, *count, code.clone())
            }
        };
        HistoryReply::new(found.into_iter().map(entry).collect())
    }
}
