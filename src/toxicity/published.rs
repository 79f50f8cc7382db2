//! The checkpoints that the detoxify package publishes, by the names that it gives them
//! (<https://github.com/unitaryai/detoxify>).

use std::path::Path;

use crate::error::{Error, Result};

/// A published checkpoint.
pub struct Published {
    pub name: &'static str,
    /// The release that it is a file of.
    release: &'static str,
    /// Its file, named with the first digits of its SHA-256.
    pub file: &'static str,
}

const RELEASES: &str = "https://github.com/unitaryai/detoxify/releases/download";

pub const ALL: [Published; 5] = [
    Published { name: "original", release: "v0.1-alpha", file: "toxic_original-c1212f89.ckpt" },
    Published { name: "unbiased", release: "v0.3-alpha", file: "toxic_debiased-c7548aa0.ckpt" },
    Published {
        name: "multilingual",
        release: "v0.4-alpha",
        file: "multilingual_debiased-0b549669.ckpt",
    },
    Published { name: "original-small", release: "v0.1.2", file: "original-albert-0e1d6498.ckpt" },
    Published { name: "unbiased-small", release: "v0.1.2", file: "unbiased-albert-c8519128.ckpt" },
];

/// The published checkpoint of a name.
pub fn find(name: &str) -> Option<&'static Published> {
    ALL.iter().find(|published| published.name == name)
}

/// Whether Detoxify publishes a classifier under a name.
pub fn is_published(name: &str) -> bool {
    find(name).is_some()
}

impl Published {
    pub fn address(&self) -> String {
        format!("{RELEASES}/{}/{}", self.release, self.file)
    }

    /// The error of a checkpoint that is not where torch.hub, and so the package, keeps it.
    pub fn missing(&self, folder: Option<&Path>) -> Error {
        let place = match folder {
            Some(folder) => format!("put it into {}", folder.display()),
            None => "put it anywhere".to_string(),
        };
        Error::failed_with_hint(
            format!(
                "the checkpoint {} of Detoxify's `{}` is not on this machine",
                self.file, self.name
            ),
            format!(
                "fetch {} and {place}, or give its path: load_detoxify(\"…/{}\")",
                self.address(),
                self.file
            ),
        )
    }

    /// Refuses a file whose hash does not begin as its name says.
    pub fn check_hash(&self, sha256: &str) -> Result<()> {
        let digits = self.file.rsplit(['-', '.']).nth(1).unwrap_or_default();
        if sha256.starts_with(digits) {
            return Ok(());
        }
        Err(Error::invalid(
            format!("reading {}", self.file),
            format!("a SHA-256 that begins with {digits}, as the package publishes it"),
            sha256,
        )
        .with_hint(format!("fetch it again from {}", self.address())))
    }
}
