//! Event files that TensorBoard draws: the scalars of a training, a record per step.
//!
//! A file is a TFRecord file (<https://www.tensorflow.org/tutorials/load_data/tfrecord>): each record has its length, a masked
//! CRC-32C of the length, the bytes, and a masked CRC-32C of the bytes. The bytes are an `Event` of
//! `tensorflow/core/util/event.proto` in protocol buffers' wire format, of which a scalar needs three kinds of field.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;

/// What the first event of a file says.
const VERSION: &str = "brain.Event:2";
/// Files that may begin in one second in one folder.
const MOST: usize = 10_000;

/// Writes one event file. Dropping it writes what is still held back.
pub struct EventWriter {
    path: PathBuf,
    out: BufWriter<File>,
}

impl EventWriter {
    /// Begins a new file in `folder` below the roots, which is made where it is not there; `wall_time` is in seconds since 1970.
    pub fn create(roots: &Roots, folder: &Path, wall_time: f64) -> Result<Self> {
        for number in 0..MOST {
            // TensorBoard looks for "tfevents" and reads a folder's files in the order of their names.
            let name = format!("events.out.tfevents.{:010}.ebb.{number}", wall_time as u64);
            let path = folder.join(name);
            if let Some(file) = files::create_new(roots, &path)? {
                let out = BufWriter::new(file);
                let mut writer = Self { path, out };
                let mut event = Vec::new();
                put_double(&mut event, 1, wall_time);
                put_bytes(&mut event, 3, VERSION.as_bytes());
                writer.record(&event)?;
                writer.flush()?;
                return Ok(writer);
            }
        }
        Err(Error::failed(format!(
            "{} has {MOST} event files of one second already",
            folder.display()
        )))
    }

    /// The file that is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The scalars of one step, each under its name ("train/loss"); they are kept as f32, as TensorBoard keeps them.
    pub fn scalars(&mut self, step: u64, wall_time: f64, values: &[(&str, f64)]) -> Result<()> {
        let mut summary = Vec::new();
        for (name, value) in values {
            let mut one = Vec::new();
            put_bytes(&mut one, 1, name.as_bytes());
            put_float(&mut one, 2, *value as f32);
            put_bytes(&mut summary, 1, &one);
        }
        let mut event = Vec::new();
        put_double(&mut event, 1, wall_time);
        if step != 0 {
            // A number that is 0 is left out, as protocol buffers do.
            put_varint(&mut event, 2 << 3);
            put_varint(&mut event, step);
        }
        put_bytes(&mut event, 5, &summary);
        self.record(&event)
    }

    /// Hands over what is held back, so that a TensorBoard that is looking on sees it.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|error| Error::io("write", &self.path, error))
    }

    fn record(&mut self, bytes: &[u8]) -> Result<()> {
        let length = (bytes.len() as u64).to_le_bytes();
        let parts: [&[u8]; 4] =
            [&length, &masked_crc(&length).to_le_bytes(), bytes, &masked_crc(bytes).to_le_bytes()];
        self.out.write_all(&parts.concat()).map_err(|error| Error::io("write", &self.path, error))
    }
}

/// The checksum of a TFRecord: CRC-32C, turned by fifteen bits and moved on, so that checksums of checksums differ.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A number in groups of seven bits, the lowest first, each but the last with its top bit set.
fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field of eight bytes (wire type 1).
fn put_double(out: &mut Vec<u8>, field: u64, value: f64) {
    put_varint(out, field << 3 | 1);
    out.extend(value.to_le_bytes());
}

/// A field of a length and so many bytes (wire type 2): a text or a message.
fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// A field of four bytes (wire type 5).
fn put_float(out: &mut Vec<u8>, field: u64, value: f32) {
    put_varint(out, field << 3 | 5);
    out.extend(value.to_le_bytes());
}
