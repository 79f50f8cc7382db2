//! The archive: zip (APPNOTE.TXT of PKWARE, version 6.3.3) in one form only. Entries are stored and follow each other without a gap, in the
//! order of their names, then comes the directory, then its end. What deviates is refused, so that no two readers can see
//! different things in one archive, and nothing in it can be larger than itself.

use std::collections::BTreeMap;

use flate2::Crc;

use super::layout::LARGEST;
use super::names::{self, shown};
use crate::error::{Error, Result};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// What stands before the end where the sizes are those of zip64.
const ZIP64_END: u32 = 0x0706_4b50;
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
const ZIP64_END_BYTES: usize = 20;

/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
/// Encrypted, strongly encrypted, or with a directory that is.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const STREAMED: u16 = 1 << 3;
/// Version 2.0, made on Unix, so that the upper half of the attributes is a mode.
const VERSION: u16 = 20;
const UNIX: u16 = 3 << 8;
/// A regular file that its owner writes and everybody reads.
const MODE: u32 = 0o100_644;
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
/// Midnight of 1 January 1980, where zip's time begins.
const TIME: u16 = 0;
const DATE: u16 = 1 << 5 | 1;
const ZIP64_EXTRA: u16 = 1;

/// Entries of an archive at most.
const MOST: usize = 10_000;

/// The archive of these entries.
///
/// # Errors
/// Where a name is none, or it is too much for a plain zip archive.
pub fn write(entries: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    names::check(entries.keys().map(String::as_str))?;
    let too_much = || {
        Error::failed_with_hint(
            format!("a bundle holds at most {} bytes in {MOST} files", LARGEST),
            "leave large inputs out of it with --largest or --most: they are then named with their hashes",
        )
    };
    if entries.len() > MOST {
        return Err(too_much());
    }
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let offset = u32::try_from(out.len()).map_err(|_| too_much())?;
        let size = u32::try_from(bytes.len()).ok().filter(|size| *size < u32::MAX);
        let common = common(name, bytes, size.ok_or_else(too_much)?);
        out.extend(LOCAL.to_le_bytes());
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(bytes);
        directory.extend(CENTRAL.to_le_bytes());
        directory.extend((UNIX | VERSION).to_le_bytes());
        directory.extend(&common);
        // No comment, the first disk, no attributes within.
        directory.extend([0; 6]);
        directory.extend((MODE << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let offset = u32::try_from(out.len()).map_err(|_| too_much())?;
    let count = u16::try_from(entries.len()).map_err(|_| too_much())?;
    out.extend(&directory);
    out.extend(END.to_le_bytes());
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(u32::try_from(directory.len()).map_err(|_| too_much())?.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend([0; 2]);
    if out.len() as u64 > LARGEST { Err(too_much()) } else { Ok(out) }
}

/// What both headers of an entry say: version, flags, method, time, date, checksum, the two sizes and the two lengths.
fn common(name: &str, bytes: &[u8], size: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for number in [VERSION, UTF8, 0, TIME, DATE] {
        out.extend(number.to_le_bytes());
    }
    out.extend(checksum(bytes).to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(size.to_le_bytes());
    // The check of names leaves 1024 bytes.
    out.extend((name.len() as u16).to_le_bytes());
    out.extend([0; 2]);
    out
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Bytes that are read one number after another.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let part = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| {
            Error::failed(format!(
                "it is cut short, or broken: byte {} is its last",
                self.bytes.len()
            ))
        })?;
        self.at += count;
        Ok(part)
    }

    fn u16(&mut self) -> Result<u16> {
        let bytes = self.take(2)?.try_into().unwrap_or_default();
        Ok(u16::from_le_bytes(bytes))
    }

    fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?.try_into().unwrap_or_default();
        Ok(u32::from_le_bytes(bytes))
    }
}

/// What a header says of an entry.
#[derive(PartialEq, Eq)]
struct Header<'a> {
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u32,
    size: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

/// An entry in the directory.
struct Listed<'a> {
    name: &'a str,
    header: Header<'a>,
    comment: usize,
    attributes: u32,
    offset: usize,
}

fn refused<T>(name: &str, what: &str) -> Result<T> {
    Err(Error::failed(format!("the entry {} {what}", shown(name))))
}

fn zip64<T>() -> Result<T> {
    Err(Error::failed("it has sizes in the manner of zip64, which no bundle has"))
}

/// The entries of an archive, all of it checked.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, &[u8]>> {
    let (count, directory, end) = find_directory(bytes)?;
    let mut reader = Reader { bytes: bytes.get(..end).unwrap_or_default(), at: directory };
    let mut listed = Vec::new();
    for _ in 0..count {
        listed.push(list(&mut reader)?);
    }
    if reader.at != end {
        return Err(Error::failed("there is something between its directory and its end"));
    }
    names::check(listed.iter().map(|entry| entry.name))?;
    let mut found = BTreeMap::new();
    let mut reader = Reader { bytes: bytes.get(..directory).unwrap_or_default(), at: 0 };
    let mut before = "";
    for entry in &listed {
        check(entry)?;
        if entry.name < before {
            return refused(entry.name, "is not in the order of names");
        }
        before = entry.name;
        found.insert(entry.name.to_string(), content(entry, &mut reader)?);
    }
    if reader.at != directory {
        return Err(Error::failed("there is something between its entries and its directory"));
    }
    Ok(found)
}

/// How many entries there are, where their directory begins and where it ends.
fn find_directory(bytes: &[u8]) -> Result<(usize, usize, usize)> {
    let end = bytes.len().checked_sub(END_BYTES);
    let is_end =
        |at: &usize| bytes.get(*at..).is_some_and(|rest| rest.starts_with(&END.to_le_bytes()));
    let Some(end) = end.filter(is_end) else {
        return Err(Error::failed(
            "it does not end as a bundle does: it is cut short, something stands behind it, or it is another kind of file",
        ));
    };
    let before = end.checked_sub(ZIP64_END_BYTES).and_then(|at| bytes.get(at..end));
    if before.is_some_and(|before| before.starts_with(&ZIP64_END.to_le_bytes())) {
        return zip64();
    }
    let mut reader = Reader { bytes, at: end + 4 };
    let (disk, first, here, count) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
    let (size, offset, comment) = (reader.u32()?, reader.u32()?, reader.u16()?);
    if count == u16::MAX || size == u32::MAX || offset == u32::MAX {
        return zip64();
    }
    if (disk, first) != (0, 0) || here != count {
        return Err(Error::failed("it is a part of an archive in several parts"));
    }
    if comment != 0 {
        return Err(Error::failed("it has a comment, which no bundle has"));
    }
    let count = usize::from(count);
    if count > MOST {
        return Err(Error::failed(format!(
            "it says that it has {count} entries, at most {MOST} are read"
        )));
    }
    let (size, offset) = (size as usize, offset as usize);
    if offset.checked_add(size) != Some(end) || size < count * CENTRAL_BYTES {
        return Err(Error::failed("its directory is not where its end says"));
    }
    Ok((count, offset, end))
}

fn header<'a>(reader: &mut Reader<'a>) -> Result<(Header<'a>, usize, usize)> {
    let _version = reader.u16()?;
    let (flags, method) = (reader.u16()?, reader.u16()?);
    let _time_and_date = reader.u32()?;
    let (checksum, packed, size) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let (name, extra) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
    Ok((Header { flags, method, checksum, packed, size, name: &[], extra: &[] }, name, extra))
}

fn list<'a>(reader: &mut Reader<'a>) -> Result<Listed<'a>> {
    if reader.u32()? != CENTRAL {
        return Err(Error::failed("its directory is broken"));
    }
    let _made_by = reader.u16()?;
    let (mut header, name, extra) = header(reader)?;
    let comment = usize::from(reader.u16()?);
    let (_disk, _within) = (reader.u16()?, reader.u16()?);
    let (attributes, offset) = (reader.u32()?, reader.u32()? as usize);
    header.name = reader.take(name)?;
    header.extra = reader.take(extra)?;
    reader.take(comment)?;
    let name = std::str::from_utf8(header.name)
        .map_err(|_| Error::failed("a name in its directory is not UTF-8 text"))?;
    Ok(Listed { name, header, comment, attributes, offset })
}

/// Refuses an entry that is no plain, stored file.
fn check(entry: &Listed) -> Result<()> {
    let Header { flags, method, packed, size, extra, .. } = entry.header;
    let has_zip64 = extra.starts_with(&ZIP64_EXTRA.to_le_bytes());
    let kind = entry.attributes >> 16 & KIND;
    let what = if flags & ENCRYPTED != 0 {
        "is encrypted"
    } else if has_zip64 || packed == u32::MAX || size == u32::MAX {
        return zip64();
    } else if method != 0 {
        "is compressed: those of a bundle are stored as they are, so that nothing is larger than it looks"
    } else if flags & STREAMED != 0 {
        "has its size behind its bytes, which no bundle has"
    } else if flags & !UTF8 != 0 {
        "has flags that no bundle has"
    } else if kind == LINK {
        "is a link"
    } else if kind != REGULAR && kind != 0 {
        "is no regular file"
    } else if packed != size {
        "is stored and has two sizes"
    } else if !extra.is_empty() || entry.comment != 0 {
        "has extra fields or a comment, which no bundle has"
    } else {
        return Ok(());
    };
    refused(entry.name, what)
}

/// The bytes of an entry, which must begin where those of the one before it end.
fn content<'a>(entry: &Listed, reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    if entry.offset != reader.at {
        return refused(entry.name, "lies over another one, or behind a gap");
    }
    if reader.bytes.len().saturating_sub(reader.at) < LOCAL_BYTES || reader.u32()? != LOCAL {
        return refused(entry.name, "is not where the directory says");
    }
    let (mut header, name, extra) = header(reader)?;
    header.name = reader.take(name)?;
    header.extra = reader.take(extra)?;
    if header != entry.header {
        return refused(entry.name, "is another one in the directory than where it stands");
    }
    let size = header.size as usize;
    if reader.bytes.len().saturating_sub(reader.at) < size {
        return refused(entry.name, &format!("says that it has {size} bytes, more than there are"));
    }
    let bytes = reader.take(size)?;
    if checksum(bytes) == header.checksum {
        Ok(bytes)
    } else {
        refused(entry.name, "is damaged: its bytes have another checksum (CRC-32)")
    }
}
