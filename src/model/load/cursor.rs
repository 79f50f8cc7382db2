//! The bytes of a pickle from the beginning on: numbers, lines and texts as pickles write them.

/// What has been read of some bytes.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    pub position: usize,
}

impl<'a> Cursor<'a> {
    pub fn over(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or("it ends early")?;
        self.position += count;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    /// A number of so many bytes, the lowest first.
    pub fn number(&mut self, count: usize) -> Result<u64, String> {
        let bytes = self.take(count)?.iter().rev();
        Ok(bytes.fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// A signed number after the count of its bytes.
    pub fn long(&mut self) -> Result<i64, String> {
        let count = usize::from(self.byte()?);
        if count > 8 {
            return Err(format!("it has a number of {count} bytes"));
        }
        let number = self.number(count)?;
        let unused = 64 - 8 * count as u32;
        Ok(match count {
            0 => 0,
            _ => ((number << unused) as i64) >> unused,
        })
    }

    /// A text after its length, a number of `size` bytes.
    pub fn text(&mut self, size: usize) -> Result<String, String> {
        let length = self.number(size)?;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "it has a text that is not UTF-8".to_string())
    }

    /// What stands before the next line break.
    pub fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("it ends early")?;
        let line = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(line)
    }
}
