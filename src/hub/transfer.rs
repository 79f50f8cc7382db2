//! One file from the Hub into the cache: continued where an earlier try ended, checked, and only then given its name.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::cache::{Repository, make_parent};
use super::client::{Client, Facts, Trouble, pause};
use crate::control::Control;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;

/// Tries in a row that bring nothing, before the user is asked to try again.
const TRIES: u32 = 5;
/// Bytes of the first piece that is asked for; each is twice the one before, up to the largest. Between two pieces
/// stands a look at whether to stop, and what has come is kept.
const FIRST: u64 = 1 << 18;
const LARGEST: u64 = 1 << 26;
/// Bytes hashed at a time.
const BLOCK: usize = 1 << 20;

/// What is fetched, and where it goes.
pub struct Transfer<'a> {
    pub client: &'a Client,
    pub kept: &'a Repository,
    pub commit: &'a str,
    pub file: &'a str,
    /// What to call the file: "model.safetensors of org/name".
    pub name: String,
    pub facts: &'a Facts,
    pub control: &'a Control,
}

impl Transfer<'_> {
    /// Fetches the file unless its bytes are in the cache; `report` hears how many of them are there.
    pub fn run(
        &self,
        report: &mut impl FnMut(u64),
        told: &impl Fn(Trouble) -> Error,
    ) -> Result<()> {
        let _lock = self.kept.lock(&self.facts.etag, self.control)?;
        let blob = self.kept.blob(&self.facts.etag);
        if self.kept.has(&blob) {
            report(self.facts.size);
            return Ok(());
        }
        let partial = self.kept.partial(&self.facts.etag);
        make_parent(&partial)?;
        let failed = |error| Error::io("write", &partial, error);
        let mut file =
            OpenOptions::new().create(true).append(true).open(&partial).map_err(failed)?;
        let mut have = file.metadata().map_err(failed)?.len();
        if have > self.facts.size {
            file.set_len(0).map_err(failed)?;
            have = 0;
        }
        let (mut size, mut tries) = (FIRST, 0);
        while have < self.facts.size {
            report(have);
            self.control.check()?;
            let end = (have + size).min(self.facts.size);
            match self.client.bytes(self.commit, self.file, have..end) {
                Ok(bytes) => {
                    let came = bytes.len() as u64;
                    if came == self.facts.size && came != end - have {
                        // The server gives no parts: this is all of it.
                        file.set_len(0).map_err(failed)?;
                        have = 0;
                    } else if came != end - have {
                        return Err(self
                            .refused(format!("{came} bytes where {} were asked for", end - have)));
                    }
                    file.write_all(&bytes).map_err(failed)?;
                    have += came;
                    size = (2 * size).min(LARGEST);
                    tries = 0;
                }
                Err(trouble) if trouble.passes() => {
                    tries += 1;
                    if tries == TRIES {
                        return Err(self.came_short(have, told(trouble)));
                    }
                    size = FIRST;
                    pause(tries, self.control)?;
                }
                Err(trouble) => return Err(told(trouble)),
            }
        }
        report(have);
        if let Err(error) = self.check(&partial) {
            // Whatever was wrong would be wrong again, so nothing of it is continued.
            if !matches!(error, Error::Interrupted) {
                let _ = std::fs::remove_file(&partial);
            }
            return Err(error);
        }
        std::fs::rename(&partial, &blob).map_err(|error| Error::io("write", &blob, error))
    }

    fn came_short(&self, have: u64, reason: Error) -> Error {
        Error::failed_with_hint(
            format!(
                "{} did not come whole: {have} of {} bytes are here; {reason}",
                self.name, self.facts.size
            ),
            "try again: it goes on from where it ended",
        )
    }

    /// The SHA-256 of the file, where the Hub names it: the ETag of what is in its large storage.
    fn check(&self, partial: &Path) -> Result<()> {
        let etag = self.facts.etag.to_lowercase();
        let mut file = Roots::anywhere().open(partial)?.file;
        if etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit()) {
            let mut hasher = Sha256::new();
            let mut piece = vec![0; BLOCK];
            loop {
                self.control.check()?;
                let read =
                    file.read(&mut piece).map_err(|error| Error::io("read", partial, error))?;
                if read == 0 {
                    break;
                }
                hasher.update(piece.get(..read).unwrap_or_default());
            }
            let ours = files::hex(&hasher.finalize());
            if ours != etag {
                return Err(self.refused(format!("bytes of SHA-256 {ours}")));
            }
        }
        file.sync_all().map_err(|error| Error::io("write", partial, error))
    }

    fn refused(&self, got: String) -> Error {
        let facts = self.facts;
        Error::invalid(
            format!("fetching {}", self.name),
            format!("{} bytes with the ETag {}", facts.size, facts.etag),
            got,
        )
        .with_hint(
            "nothing of it was kept; try again, and if it happens again tell the server's owner",
        )
    }
}
