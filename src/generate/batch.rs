//! The rows that are decoded together: each leaves when it is finished, and waiting ones take the free places.

use candle_core::{D, Tensor};

use super::completion::Completion;
use super::options::Options;
use super::sampling;
use crate::error::Result;
use crate::model::Model;
use crate::model::decoder::{Cache, Decoder, Pass};
use crate::model::text::TextTokenizer;
use crate::random::Stream;

/// A row under way.
pub struct Row<'a> {
    /// Its place among the prompts.
    pub index: usize,
    prompt: &'a [u32],
    /// New tokens it may have: those asked for, or those left in the context. Its own, so that the rows beside it do
    /// not matter.
    limit: usize,
    new: Vec<u32>,
    /// The token chosen last, to be run next.
    next: u32,
    text: String,
}

impl<'a> Row<'a> {
    fn new(model: &Model, index: usize, prompt: &'a [u32], options: &Options) -> Self {
        // The last token is chosen and never run, so it needs no place in the context.
        let left = (model.config().max_position_embeddings + 1).saturating_sub(prompt.len());
        Self {
            index,
            prompt,
            limit: left.min(options.max_new_tokens),
            new: Vec::new(),
            next: 0,
            text: String::new(),
        }
    }

    /// Takes the next token; true when the row is finished.
    fn push(&mut self, id: u32, tokenizer: &TextTokenizer, stop: &[String]) -> Result<bool> {
        if tokenizer.end_ids().contains(&id) {
            self.text = tokenizer.decode_continuation(self.prompt, &self.new)?;
            return Ok(true);
        }
        self.next = id;
        self.new.push(id);
        let full = self.new.len() >= self.limit;
        if !full && stop.is_empty() {
            return Ok(false);
        }
        self.text = tokenizer.decode_continuation(self.prompt, &self.new)?;
        let places = stop.iter().filter_map(|stop| self.text.find(stop.as_str()));
        match places.min() {
            Some(place) => {
                self.text.truncate(place);
                Ok(true)
            }
            None => Ok(full),
        }
    }

    /// Tokens in the cache: all but the one to be run next.
    fn held(&self) -> usize {
        (self.prompt.len() + self.new.len()).saturating_sub(1)
    }

    /// Tokens it will have in the cache at most.
    fn most(&self) -> usize {
        self.prompt.len() + self.limit
    }

    pub fn finish(self) -> Completion {
        Completion { ids: self.new, text: self.text }
    }
}

/// The rows under way and their cache. All rows' last tokens stand side by side; shorter rows are padded on the left.
pub struct Batch<'a> {
    model: &'a Model,
    decoder: &'a Decoder,
    options: &'a Options,
    stream: Stream,
    rows: Vec<Row<'a>>,
    cache: Option<Cache>,
}

impl<'a> Batch<'a> {
    pub fn new(model: &'a Model, decoder: &'a Decoder, options: &'a Options) -> Self {
        Self {
            model,
            decoder,
            options,
            stream: Stream::new(options.seed, "sample"),
            rows: Vec::new(),
            cache: None,
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text of the only row so far, for people who read along.
    pub fn text(&self) -> Result<Option<String>> {
        match self.rows.as_slice() {
            [row] => {
                let tokenizer = self.model.tokenizer();
                Ok(Some(tokenizer.decode_continuation(row.prompt, &row.new)?))
            }
            _ => Ok(None),
        }
    }

    /// Runs the prompts of new rows and takes the rows in beside those under way; returns those that one token finished.
    pub fn admit(&mut self, prompts: &[(usize, &'a [u32])]) -> Result<Vec<Row<'a>>> {
        let longest = prompts.iter().map(|(_, prompt)| prompt.len()).max();
        let longest = longest.unwrap_or(0);
        let mut ids = Vec::with_capacity(prompts.len() * longest);
        let mut starts = Vec::with_capacity(prompts.len());
        let mut rows = Vec::with_capacity(prompts.len());
        for (index, prompt) in prompts {
            let start = longest - prompt.len();
            ids.extend(std::iter::repeat_n(self.model.tokenizer().pad_id(), start));
            ids.extend_from_slice(prompt);
            starts.push(start);
            rows.push(Row::new(self.model, *index, prompt, self.options));
        }
        let ids = Tensor::from_vec(ids, (rows.len(), longest), &self.model.device())?;
        let mut cache = self.decoder.cache(rows.len(), longest)?;
        let (finished, rows) = self.advance(&ids, starts, &mut cache, rows)?;
        let (kept, rows): (Vec<usize>, Vec<Row>) = rows.into_iter().unzip();
        if !rows.is_empty() {
            self.join(cache, &kept, rows)?;
        }
        Ok(finished)
    }

    /// Puts the kept rows of a new cache beside those under way, with room for what all of them may still write.
    fn join(&mut self, new: Cache, kept: &[usize], rows: Vec<Row<'a>>) -> Result<()> {
        let held: Vec<usize> = (0..self.rows.len()).collect();
        let mut parts: Vec<(&Cache, &[usize])> = Vec::new();
        if let Some(cache) = &self.cache {
            parts.push((cache, &held));
        }
        parts.push((&new, kept));
        let all = || self.rows.iter().chain(&rows);
        let filled = all().map(Row::held).max().unwrap_or(0);
        let left = all().map(|row| row.most() - row.held()).max().unwrap_or(0);
        self.cache = Some(Cache::join(&parts, filled, filled + left)?);
        self.rows.extend(rows);
        Ok(())
    }

    /// One token for every row; returns the rows that are finished with it.
    pub fn step(&mut self) -> Result<Vec<Row<'a>>> {
        let Some(mut cache) = self.cache.take() else {
            return Ok(Vec::new());
        };
        let rows = std::mem::take(&mut self.rows);
        let ids: Vec<u32> = rows.iter().map(|row| row.next).collect();
        let ids = Tensor::from_vec(ids, (rows.len(), 1), &self.model.device())?;
        let starts = rows.iter().map(|row| cache.len() - row.held()).collect();
        let (finished, rows) = self.advance(&ids, starts, &mut cache, rows)?;
        let (kept, rows): (Vec<usize>, Vec<Row>) = rows.into_iter().unzip();
        if !rows.is_empty() {
            if !finished.is_empty() {
                cache.keep_rows(&kept)?;
            }
            self.cache = Some(cache);
        }
        self.rows = rows;
        Ok(finished)
    }

    /// Runs `ids` (rows, time) and gives each row its next token: the rows that are finished with it, and the others with
    /// their places.
    #[allow(clippy::type_complexity)]
    fn advance(
        &self,
        ids: &Tensor,
        starts: Vec<usize>,
        cache: &mut Cache,
        rows: Vec<Row<'a>>,
    ) -> Result<(Vec<Row<'a>>, Vec<(usize, Row<'a>)>)> {
        let mut pass = Pass { starts, cache: Some(cache), dropout: None };
        let hidden = self.decoder.hidden(ids, &mut pass)?;
        let last = hidden.narrow(1, hidden.dim(1)? - 1, 1)?.squeeze(1)?;
        let logits = self.decoder.logits(&last.contiguous()?)?;
        let chosen = self.choose(&rows, &logits)?;
        let (mut finished, mut going) = (Vec::new(), Vec::new());
        for (place, (mut row, id)) in rows.into_iter().zip(chosen).enumerate() {
            if row.push(id, self.model.tokenizer(), &self.options.stop)? {
                finished.push(row)
            } else {
                going.push((place, row))
            }
        }
        Ok((finished, going))
    }

    /// The next token of each row: the likeliest, or a draw from the row's own stream.
    fn choose(&self, rows: &[Row], logits: &Tensor) -> Result<Vec<u32>> {
        if self.options.is_greedy() {
            return Ok(logits.argmax(D::Minus1)?.to_vec1()?);
        }
        let logits = logits.to_vec2::<f32>()?;
        let choices = rows.iter().zip(logits).map(|(row, logits)| {
            let seen = row.prompt.iter().chain(&row.new);
            let stream = self.stream.child(row.index as u64);
            let draw = stream.uniform(row.new.len() as u64);
            sampling::choose(logits, seen, self.options, draw)
        });
        Ok(choices.collect())
    }
}
