//! A bundle that a command names in the place of a script or a run: it is unpacked into a folder of its name, and its script
//! is run there.
//!
//! Whoever made it is a stranger: the script may read and write in that folder, and what else it may stands on the command
//! line of whoever runs it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::host::here;
use super::resume::typed_parameters;
use crate::bundle::{Bundle, ENDING, EXPECTED, FILES, LIBRARY};
use crate::error::{Error, Result};
use crate::notebook::kept::Kept;
use crate::script::host::Host;

/// Whether a name is that of a bundle.
pub fn is_bundle(name: &str) -> bool {
    name.ends_with(ENDING)
}

/// A bundle that was unpacked.
pub struct Site {
    folder: PathBuf,
    bundle: Bundle,
}

impl Site {
    /// Unpacks a bundle into the folder of its name where the program was started: `studies/x.ebb` into `x`.
    pub fn unpack(bundle: Bundle, name: &str) -> Result<Self> {
        let stem = Path::new(name).file_stem().unwrap_or_default();
        if stem == ENDING || stem.is_empty() {
            return Err(Error::failed_with_hint(
                format!("the bundle {name} has no name that a folder could have"),
                "give it one, such as x.ebb",
            ));
        }
        let folder = bundle.unpack(&here()?.join(stem))?;
        Ok(Self { folder, bundle })
    }

    /// The folder that the script is run in.
    pub fn working_folder(&self) -> PathBuf {
        self.folder.join(FILES.trim_end_matches('/'))
    }

    /// The run that the bundle was made of.
    pub fn expected(&self) -> PathBuf {
        self.folder.join(EXPECTED.trim_end_matches('/'))
    }

    /// Names the inputs of a run in the bundle's folder as the bundle does, so that it can be compared with the expected one.
    pub fn rename(&self, run: &mut Kept) {
        let working = self.working_folder();
        let inputs = run.facts["inputs"].as_array_mut().into_iter().flatten();
        for input in inputs {
            let name = input["name"].as_str().map(PathBuf::from).unwrap_or_default();
            let inner = name.strip_prefix(&working).or_else(|_| name.strip_prefix(&self.folder));
            if let Ok(inner) = inner {
                input["name"] = inner.display().to_string().into();
            }
        }
        run.places.push((working.display().to_string(), "HERE".to_string()));
    }

    /// Moves a session to the bundle's folder: it is the working folder, and the only one that is permitted without a word.
    /// Parameters are those of the record where the command line gives none.
    pub fn settle(&self, host: &mut Host) {
        let manifest = &self.bundle.manifest;
        let working = self.working_folder();
        let before = std::mem::replace(&mut host.working_folder, working.clone());
        for roots in [&mut host.access.read, &mut host.access.write] {
            // The first one is where the program was started.
            if let Some(first) = roots.first_mut().filter(|first| **first == before) {
                first.clone_from(&working);
            }
        }
        let script = working.join(&manifest.script);
        host.script_folder = script.parent().map(Path::to_path_buf);
        if manifest.entries.iter().any(|entry| entry.name.starts_with(LIBRARY)) {
            host.library.push(self.folder.join(LIBRARY.trim_end_matches('/')));
        }
        host.recorded = RefCell::new(typed_parameters(&manifest.parameters));
        host.seed.set(manifest.first_seed);
        host.hub.locked = manifest.locked();
    }
}
