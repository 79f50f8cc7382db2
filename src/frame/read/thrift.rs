//! Thrift's compact protocol (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>), as far as
//! it takes to say whether a parquet footer can be what it says: a list may tell of 2^31 entries in seven bytes, and a
//! reader that takes memory for them first ends the program.

/// How deep structs and lists may lie in each other; parquet's own lie some 8 deep.
const DEEPEST: usize = 32;
/// What is said of bytes that are no struct.
const MALFORMED: &str = "its footer is no parquet footer";

/// Refuses bytes that are no struct, or one whose lists and texts say that they are longer than the bytes that follow.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    let mut walk = Walk { rest: bytes };
    walk.fields(0)
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.rest.split_first().ok_or(MALFORMED)?;
        self.rest = rest;
        Ok(*first)
    }

    fn skip(&mut self, count: u64) -> Result<(), String> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.rest = self.rest.get(count..).ok_or_else(|| {
            format!("its footer tells of {count} bytes where {} follow", self.rest.len())
        })?;
        Ok(())
    }

    /// A number of as many bytes as it takes, seven bits each.
    fn number(&mut self) -> Result<u64, String> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(MALFORMED.to_string())
    }

    /// The fields of a struct, to its end.
    fn fields(&mut self, depth: usize) -> Result<(), String> {
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            // The field's number stands in front, where it is not told by its distance from the one before.
            if head >> 4 == 0 {
                self.number()?;
            }
            match head & 0x0f {
                // A flag's value is its type.
                1 | 2 => {}
                kind => self.value(kind, depth)?,
            }
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("its footer is nested more than {DEEPEST} deep"));
        }
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let length = self.number()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let short = u64::from(head >> 4);
                let count = if short == 15 { self.number()? } else { short };
                self.entries(count, |walk| walk.value(head & 0x0f, depth + 1))
            }
            11 => {
                let count = self.number()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                self.entries(count, |walk| {
                    walk.value(kinds >> 4, depth + 1)?;
                    walk.value(kinds & 0x0f, depth + 1)
                })
            }
            12 => self.fields(depth + 1),
            _ => Err(MALFORMED.to_string()),
        }
    }

    fn entries(
        &mut self,
        count: u64,
        entry: impl Fn(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        if count > self.rest.len() as u64 {
            return Err(format!(
                "its footer tells of {count} entries where {} bytes follow",
                self.rest.len()
            ));
        }
        (0..count).try_for_each(|_| entry(self))
    }
}
