//! How to write on: the limits and the way tokens are chosen.

use crate::error::{Error, Result};

/// Options of a generation. The default is greedy.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub max_new_tokens: usize,
    /// Strings that end a row; the text is cut before the first of them.
    pub stop: Vec<String>,
    /// Rows decoded together. It changes the speed, never the text.
    pub batch_size: usize,
    /// 0 takes the likeliest token; above 0 divides the logits before sampling.
    pub temperature: f64,
    /// Sample among so many likeliest tokens only; 0 is all.
    pub top_k: usize,
    /// Sample among the likeliest tokens that together reach this probability only.
    pub top_p: f64,
    /// Divides (where positive, else multiplies) the logits of tokens already there (Keskar et al. 2019); 1 is none.
    pub repetition_penalty: f64,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_new_tokens: 100,
            stop: Vec::new(),
            batch_size: 32,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

impl Options {
    /// Whether no draw is needed.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0 && self.repetition_penalty == 1.0
    }

    /// Refuses settings that make no sense.
    pub fn check(&self) -> Result<()> {
        let rule = |holds: bool, name: &str, expected: &str, got: String| {
            if holds {
                Ok(())
            } else {
                Err(Error::invalid(format!("option `{name}` of generate"), expected, got))
            }
        };
        rule(self.max_new_tokens > 0, "max_new_tokens", "at least 1", "0".to_string())?;
        rule(self.batch_size > 0, "batch_size", "at least 1", "0".to_string())?;
        rule(
            (0.0..=1e3).contains(&self.temperature),
            "temperature",
            "a number from 0 to 1000",
            self.temperature.to_string(),
        )?;
        rule(
            self.top_p > 0.0 && self.top_p <= 1.0,
            "top_p",
            "a number above 0 and at most 1",
            self.top_p.to_string(),
        )?;
        rule(
            self.repetition_penalty > 0.0 && self.repetition_penalty <= 1e3,
            "repetition_penalty",
            "a number above 0 and at most 1000",
            self.repetition_penalty.to_string(),
        )?;
        rule(
            self.stop.iter().all(|stop| !stop.is_empty()),
            "stop",
            "strings that are not empty",
            "an empty one".to_string(),
        )
    }
}
