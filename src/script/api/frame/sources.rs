//! What a name that scripts read stands for: a bundled data set, files of the disk, or files of a data set of the Hub.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;

use crate::aside::{self, aside};
use crate::doorway::Roots;
use crate::error::Result;
use crate::files::{sha256, sha256_of};
use crate::frame::read::{Format, ReadOptions};
use crate::frame::{bundled, read};
use crate::hub::{DataName, fetch_data};
use crate::script::host::{Event, Host};
use crate::script::lost;

/// A file of the table that a name stands for.
#[derive(Clone)]
pub struct Part {
    /// What errors and the run's record call it; its ending tells the format.
    pub name: String,
    /// Which of several files it is, where they are told apart by the column `file`.
    pub label: Option<String>,
    pub place: Place,
}

/// Where a file's bytes are.
#[derive(Clone)]
pub enum Place {
    Bundled(&'static [u8]),
    Disk(PathBuf, Roots),
}

/// The files that a name stands for, fetched where that is needed.
pub fn parts(host: &Host, path: &str) -> Result<Vec<Part>> {
    if let Some(name) = path.strip_prefix("ebb/") {
        let (file, bytes) = bundled::find(name)?;
        return Ok(vec![Part { name: file, label: None, place: Place::Bundled(bytes) }]);
    }
    match path.strip_prefix("hf/") {
        Some(name) => of_hub(host, name),
        None => of_disk(host, path),
    }
}

fn of_disk(host: &Host, path: &str) -> Result<Vec<Part>> {
    let roots = host.roots(path);
    let found = read::files_of(path, &host.working_folder, &roots, &host.control);
    let found = lost::file(host, path, found)?;
    let part = |file: &PathBuf| Part {
        name: file.display().to_string(),
        label: found.name_of(file),
        place: Place::Disk(file.clone(), roots.clone()),
    };
    Ok(found.files.iter().map(part).collect())
}

fn of_hub(host: &Host, name: &str) -> Result<Vec<Part>> {
    let settings = host.hub_settings();
    let asked = DataName::of(name);
    let is_data = |path: &str| read::format_of(path.as_ref()).is_ok();
    let data = fetch_data(&asked, is_data, &settings, &host.control)?;
    let part = |file: &String| Part {
        name: format!("hf/{}@{}:{file}", asked.repository, data.fetched.commit),
        label: (!data.is_one_table).then(|| file.clone()),
        place: Place::Disk(data.path(file), data.fetched.roots()),
    };
    Ok(data.names.iter().map(part).collect())
}

impl Part {
    /// The file as a table; the run hears of it, with its hash.
    pub fn read(&self, host: &Host, told: &ReadOptions) -> Result<DataFrame> {
        host.control.check()?;
        let (part, told) = (self.clone(), told.clone());
        let (hash, frame) = aside(move || {
            let name = PathBuf::from(&part.name);
            match &part.place {
                Place::Bundled(bytes) => Ok((sha256(bytes), read::parse_as(&name, bytes, &told))),
                Place::Disk(path, roots) if part.is_parquet() => {
                    let (hash, file) = hashed(&name, roots.open(path)?.file)?;
                    Ok((hash, read::parquet_as(&name, file, &told)))
                }
                Place::Disk(path, roots) => {
                    let bytes = roots.bytes(path)?;
                    Ok((sha256(&bytes), read::parse_as(&name, &bytes, &told)))
                }
            }
        })?;
        self.tell(host, hash);
        frame
    }

    /// Whether it is a parquet file that can be read part by part.
    pub fn is_parquet(&self) -> bool {
        matches!(read::format_of(self.name.as_ref()), Ok((Format::Parquet, false)))
    }

    /// Tells the run what was read.
    pub fn tell(&self, host: &Host, sha256: String) {
        host.tell(Event::Input { name: self.input(), sha256: Some(sha256) });
    }

    /// The name in the run's record.
    fn input(&self) -> String {
        match self.place {
            Place::Bundled(_) => {
                let stem = self.name.split('.').next().unwrap_or(&self.name);
                format!("ebb/{stem}")
            }
            Place::Disk(..) => self.name.clone(),
        }
    }
}

/// A file's hash, and the file.
pub fn hashed(name: &Path, mut file: File) -> Result<(String, File)> {
    let hash = sha256_of(&mut file, aside::check);
    let hash = hash.map_err(|error| error.about(&name.display().to_string()))?;
    Ok((hash, file))
}
