//! What the rendering of a chat template writes, and which of it stands between the template's marks.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Bytes that one rendering may write.
pub const LONGEST: usize = 1 << 24;

/// What a rendering writes between the template's marks.
#[derive(Default)]
pub struct Marks {
    /// One rendering at a time.
    rendering: Mutex<()>,
    written: AtomicUsize,
    /// Where each marked text begins, and the text.
    texts: Mutex<Vec<(usize, String)>>,
}

impl Marks {
    /// Notes a marked text, which is written next.
    pub fn note(&self, text: String) -> String {
        if let Ok(mut texts) = self.texts.lock() {
            texts.push((self.written.load(Ordering::Relaxed), text.clone()));
        }
        text
    }

    /// Waits until no other rendering is under way; the next one waits until the guard is dropped.
    pub fn alone(&self) -> Option<MutexGuard<'_, ()>> {
        self.rendering.lock().ok()
    }

    /// Forgets the rendering before.
    pub fn forget(&self) {
        self.written.store(0, Ordering::Relaxed);
        self.taken();
    }

    /// The marked texts so far.
    pub fn taken(&self) -> Vec<(usize, String)> {
        let texts = self.texts.lock();
        texts.map_or_else(|_| Vec::new(), |mut texts| std::mem::take(&mut *texts))
    }
}

/// A writer that takes no more than [`LONGEST`] bytes, and says how many it took.
pub struct Bounded<'a> {
    bytes: Vec<u8>,
    marks: &'a Marks,
}

impl<'a> Bounded<'a> {
    pub fn new(marks: &'a Marks) -> Self {
        let bytes = Vec::new();
        Self { bytes, marks }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > LONGEST {
            return Err(std::io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(bytes);
        self.marks.written.store(self.bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
