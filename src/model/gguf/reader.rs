//! Reading a header in order, from a file of which nothing is known but its length.

use crate::model::load::source::Bytes;

/// Bytes that are fetched at a time.
const WINDOW: usize = 1 << 20;

/// Gives numbers and texts in order. Errors are the end of a sentence about the file.
pub struct Reader<'a> {
    bytes: &'a Bytes,
    /// Part of the file, and where it begins.
    window: Vec<u8>,
    first: u64,
    position: u64,
}

type Why<T> = Result<T, String>;

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, window: Vec::new(), first: 0, position: 0 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.bytes.len()
    }

    /// Whether `count` things of `least` bytes each can still come.
    pub fn expect(&self, count: u64, least: u64, what: &str) -> Why<()> {
        let left = self.len().saturating_sub(self.position);
        if count.checked_mul(least).is_some_and(|bytes| bytes <= left) {
            Ok(())
        } else {
            Err(format!("it announces {count} {what} and has {left} bytes left"))
        }
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Why<&[u8]> {
        self.expect(count as u64, 1, "bytes")?;
        let offset = self.position.saturating_sub(self.first) as usize;
        let held = self.position >= self.first && offset.saturating_add(count) <= self.window.len();
        let offset = if held {
            offset
        } else {
            let left = self.len().saturating_sub(self.position);
            let length = (WINDOW.max(count) as u64).min(left) as usize;
            self.window = self
                .bytes
                .at(self.position, length)
                .map_err(|error| format!("it cannot be read: {error}"))?;
            self.first = self.position;
            0
        };
        self.position += count as u64;
        let taken = self.window.get(offset..offset.saturating_add(count));
        taken.ok_or_else(|| "it ends early".to_string())
    }

    /// The bytes of a number, the lowest first.
    pub fn number<const N: usize>(&mut self) -> Why<[u8; N]> {
        let bytes = self.take(N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| "it ends early".to_string())
    }

    pub fn u32(&mut self) -> Why<u32> {
        Ok(u32::from_le_bytes(self.number()?))
    }

    pub fn u64(&mut self) -> Why<u64> {
        Ok(u64::from_le_bytes(self.number()?))
    }

    /// A text behind its length.
    pub fn text(&mut self, what: &str) -> Why<String> {
        let length = self.u64()?;
        self.expect(length, 1, &format!("bytes of {what}"))?;
        let bytes = self.take(length as usize)?.to_vec();
        String::from_utf8(bytes).map_err(|_| format!("{what} is not UTF-8"))
    }
}
