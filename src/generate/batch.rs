//! The rows that are decoded together: each leaves when it is finished, and waiting ones take the free places.

use candle_core::{D, Tensor};

use super::completion::Completion;
use super::options::Options;
use super::sampling;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::decoder::{Cache, Decoder, Held, Pass};
use crate::model::text::TextTokenizer;
use crate::random::Stream;

/// A row that waits to be taken in.
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    /// Its place among the prompts.
    pub index: usize,
    pub prompt: &'a [u32],
    /// What it is expected to write.
    pub draft: &'a [u32],
}

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

    /// Runs the prompts of new rows, each with its draft behind it, and takes the rows in beside those under way, written
    /// on as far as their drafts were right; returns those that are finished with that.
    pub fn admit(&mut self, waiting: &[Waiting<'a>]) -> Result<Vec<Row<'a>>> {
        let mut rows = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            let row = Row::new(self.model, waiting.index, waiting.prompt, self.options);
            // The token behind a whole draft is chosen and never run.
            let draft = waiting.draft.get(..row.limit.saturating_sub(1)).unwrap_or(waiting.draft);
            rows.push(Drafted { row, draft });
        }
        let longest = rows.iter().map(Drafted::len).max().unwrap_or(0);
        let mut ids = Vec::with_capacity(rows.len() * longest);
        let mut starts = Vec::with_capacity(rows.len());
        for drafted in &rows {
            let start = longest - drafted.len();
            ids.extend(std::iter::repeat_n(self.model.tokenizer().pad_id(), start));
            ids.extend_from_slice(drafted.row.prompt);
            ids.extend_from_slice(drafted.draft);
            starts.push(start);
        }
        let ids = Tensor::from_vec(ids, (rows.len(), longest), &self.model.device())?;
        let mut cache = self.decoder.cache(rows.len(), longest)?;
        let (finished, going) = self.advance(&ids, starts, &mut cache, rows)?;
        if !going.is_empty() {
            self.join(cache, going)?;
        }
        Ok(finished)
    }

    /// Puts the rows of a new cache that go on beside those under way, with room for what all of them may still write.
    fn join(&mut self, new: Cache, going: Vec<Going<'a>>) -> Result<()> {
        let held = |row| Held { row, dropped: 0 };
        let held: Vec<Held> = (0..self.rows.len()).map(held).collect();
        let (kept, rows): (Vec<Held>, Vec<Row>) =
            going.into_iter().map(|going| (going.held, going.row)).unzip();
        let mut parts: Vec<(&Cache, &[Held])> = Vec::new();
        if let Some(cache) = &self.cache {
            parts.push((cache, &held));
        }
        parts.push((&new, &kept));
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
        let rows = rows.into_iter().map(|row| Drafted { row, draft: &[] }).collect();
        let (finished, going) = self.advance(&ids, starts, &mut cache, rows)?;
        if !going.is_empty() {
            if !finished.is_empty() {
                let kept: Vec<usize> = going.iter().map(|going| going.held.row).collect();
                cache.keep_rows(&kept)?;
            }
            self.cache = Some(cache);
        }
        self.rows = going.into_iter().map(|going| going.row).collect();
        Ok(finished)
    }

    /// Runs `ids` (rows, time), at the end of each row its draft, and writes each row on: by the tokens of its draft that the
    /// model chooses too, and by the first that it chooses otherwise or after the draft.
    fn advance(
        &self,
        ids: &Tensor,
        starts: Vec<usize>,
        cache: &mut Cache,
        rows: Vec<Drafted<'a>>,
    ) -> Result<(Vec<Row<'a>>, Vec<Going<'a>>)> {
        let mut pass = Pass { starts, cache: Some(cache), dropout: None };
        let hidden = self.decoder.hidden(ids, &mut pass)?;
        let mut choices = Choices::new(self, hidden, &rows)?;
        let (mut finished, mut going) = (Vec::new(), Vec::new());
        for (place, Drafted { mut row, draft }) in rows.into_iter().enumerate() {
            let mut right = 0;
            let is_finished = loop {
                let id = choices.next(&row)?;
                let is_finished = row.push(id, self.model.tokenizer(), &self.options.stop)?;
                if is_finished || draft.get(right) != Some(&id) {
                    break is_finished;
                }
                right += 1;
            };
            let dropped = draft.len() - right;
            choices.skip(dropped);
            if is_finished {
                finished.push(row)
            } else {
                going.push(Going { row, held: Held { row: place, dropped } })
            }
        }
        Ok((finished, going))
    }
}

/// A row to run, and what it is expected to write next.
struct Drafted<'a> {
    row: Row<'a>,
    draft: &'a [u32],
}

impl Drafted<'_> {
    /// Tokens that a new row is run with.
    fn len(&self) -> usize {
        self.row.prompt.len() + self.draft.len()
    }
}

/// A row that is not finished, and where the cache has it.
struct Going<'a> {
    row: Row<'a>,
    held: Held,
}

/// Hidden states whose logits are made at once: with a large vocabulary all of a batch's drafts would be too many.
pub const PIECE: usize = 256;

/// What the model chooses at the end of each row and at each token of its draft, row by row.
struct Choices<'a, 'b> {
    batch: &'b Batch<'a>,
    /// (choices, width)
    hidden: Tensor,
    next: usize,
    /// The choices from `made_from` on whose logits have been looked at.
    made: Made,
    made_from: usize,
}

enum Made {
    Likeliest(Vec<u32>),
    Logits(Vec<Vec<f32>>),
}

impl<'a, 'b> Choices<'a, 'b> {
    /// Out of the hidden states (rows, time, width).
    fn new(batch: &'b Batch<'a>, hidden: Tensor, rows: &[Drafted]) -> Result<Self> {
        let (count, time, width) = hidden.dims3()?;
        let mut places = Vec::new();
        for (row, drafted) in rows.iter().enumerate() {
            let end = (row + 1) * time;
            places.extend((end - 1 - drafted.draft.len()..end).map(|place| place as u32));
        }
        let places = Tensor::new(places, hidden.device())?;
        let hidden = hidden.reshape((count * time, width))?.index_select(&places, 0)?;
        Ok(Self { batch, hidden, next: 0, made: Made::Likeliest(Vec::new()), made_from: 0 })
    }

    /// The next choice for the row at hand: the likeliest token, or a draw from the row's own stream.
    fn next(&mut self, row: &Row) -> Result<u32> {
        if self.next >= self.made_from + self.made.len() {
            self.make()?;
        }
        let place = self.next - self.made_from;
        self.next += 1;
        let lost = || Error::failed("a choice was lost while generating");
        match &mut self.made {
            Made::Likeliest(ids) => ids.get(place).copied().ok_or_else(lost),
            Made::Logits(all) => {
                let logits = std::mem::take(all.get_mut(place).ok_or_else(lost)?);
                let seen = row.prompt.iter().chain(&row.new);
                let stream = self.batch.stream.child(row.index as u64);
                let draw = stream.uniform(row.new.len() as u64);
                Ok(sampling::choose(logits, seen, self.batch.options, draw))
            }
        }
    }

    /// Passes over choices that nobody asks for.
    fn skip(&mut self, count: usize) {
        self.next += count;
    }

    fn make(&mut self) -> Result<()> {
        let count = PIECE.min(self.hidden.dim(0)?.saturating_sub(self.next));
        let hidden = self.hidden.narrow(0, self.next, count)?.contiguous()?;
        let logits = self.batch.decoder.logits(&hidden)?;
        self.made = if self.batch.options.is_greedy() {
            Made::Likeliest(logits.argmax(D::Minus1)?.to_vec1()?)
        } else {
            Made::Logits(logits.to_vec2()?)
        };
        self.made_from = self.next;
        Ok(())
    }
}

impl Made {
    fn len(&self) -> usize {
        match self {
            Self::Likeliest(ids) => ids.len(),
            Self::Logits(logits) => logits.len(),
        }
    }
}
