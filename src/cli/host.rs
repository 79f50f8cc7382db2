//! What a session is handed by its door: permissions, folders, the Hub's settings, progress and the wish to stop.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments::Common;
use super::environment;
use super::progress::Bars;
use super::{signals, watch};
use crate::control::Control;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::runner::Desk;
use crate::place;
use crate::script::host::{self, Access, CALLS, Host, Limits};

/// Hands every event of the session to the desk.
pub fn listen(host: &Rc<Host>, desk: &Rc<RefCell<Desk>>) {
    let desk = desk.clone();
    *host.listener.borrow_mut() = Box::new(move |event| desk.borrow_mut().hear(event));
}

/// A host from the command line.
pub fn host(common: &Common, bars: &Bars) -> Result<Host> {
    let working_folder = here()?;
    if let Some(threads) = common.threads {
        // A second pool in one process cannot be had; the first one serves.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global();
    }
    let mut access = Access {
        read: vec![working_folder.clone()],
        write: vec![working_folder.clone()],
        offline: common.offline,
        hub: Some(common.allow_hub.clone()).filter(|only| !only.is_empty()),
    };
    for path in &common.allow_read {
        access.read.push(existing(path)?);
    }
    for path in &common.allow_write {
        let full = host::normal_form(&working_folder.join(path));
        access.write.push(host::real_form(&full).map_err(|error| Error::io("write", path, error))?);
    }
    let library = common.library.iter().map(|folder| existing(folder));
    let library = library.collect::<Result<Vec<PathBuf>>>()?;
    watch::begin(common.memory);
    let control = Control::new(bars.progress(), signals::listen()).within(common.time);
    Ok(Host {
        control,
        access,
        limits: Limits { operations: common.operations, calls: common.calls.unwrap_or(CALLS) },
        device: common.device.clone(),
        library,
        hub: environment::hub(),
        cache: environment::cache().map(|folder| working_folder.join(folder)),
        ..Host::quiet(working_folder)
    })
}

/// The folder that the program was started in.
pub fn here() -> Result<PathBuf> {
    std::env::current_dir()
        .and_then(|folder| folder.canonicalize())
        .map_err(|error| Error::io("read", ".", error))
}

/// The folder that a script stands in, where its own modules are looked for first.
pub fn script_folder(host: &Host, script: &str) -> Option<PathBuf> {
    let folder = Path::new(script).parent()?;
    host.working_folder.join(folder).canonicalize().ok()
}

fn existing(path: &str) -> Result<PathBuf> {
    Path::new(path).canonicalize().map_err(|error| Error::io("read", path, error))
}

/// The place of what the command line names, and the roots that it must lie below when it is written. Whoever types a path
/// outside the folders that may be written means it; one inside them that a link leads out of may be a trap of whoever made
/// the folder.
pub fn meant(
    working_folder: &Path,
    write: &[PathBuf],
    what: &str,
    path: &str,
    hint: &str,
) -> Result<(PathBuf, Roots)> {
    place::check_name(Path::new(path))?;
    let full = host::normal_form(&working_folder.join(path));
    let real = host::real_form(&full).map_err(|error| Error::io("write", path, error))?;
    let is_inside = |path: &Path| write.iter().any(|root| path.starts_with(root));
    if !is_inside(&full) {
        return Ok((full, Roots::anywhere()));
    }
    if !is_inside(&real) {
        return Err(Error::failed_with_hint(
            format!("{what}: {path} is a link that leads out of where the run may write"),
            hint,
        ));
    }
    Ok((full, Roots::of(write.iter().cloned())))
}

/// The same for a command that runs no script: what may be written is the working folder.
pub fn meant_here(what: &str, path: &str) -> Result<(PathBuf, Roots)> {
    let here = here()?;
    let roots = [here.clone()];
    meant(&here, &roots, what, path, "name the place that it leads to")
}
