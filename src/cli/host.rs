//! What a session is handed by its door: permissions, folders, the Hub's settings, progress and the wish to stop.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::arguments::Common;
use super::environment;
use super::progress::Bars;
use super::{signals, watch};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::notebook::runner::Desk;
use crate::script::host::{self, Access, Host};

/// Hands every event of the session to the desk.
pub fn listen(host: &Rc<Host>, desk: &Rc<RefCell<Desk>>) {
    let desk = desk.clone();
    *host.listener.borrow_mut() = Box::new(move |event| desk.borrow_mut().hear(event));
}

/// A host from the command line.
pub fn host(common: &Common, bars: &Bars) -> Result<Host> {
    let working_folder = std::env::current_dir()
        .and_then(|folder| folder.canonicalize())
        .map_err(|error| Error::io("read", ".", error))?;
    if let Some(threads) = common.threads {
        // A second pool in one process cannot be had; the first one serves.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global();
    }
    let mut access = Access {
        read: vec![working_folder.clone()],
        write: vec![working_folder.clone()],
        offline: common.offline,
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
    let control = Control::new(bars.progress(), signals::listen());
    Ok(Host {
        control,
        access,
        device: common.device.clone(),
        library,
        hub: environment::hub(),
        cache: environment::cache().map(|folder| working_folder.join(folder)),
        ..Host::quiet(working_folder)
    })
}

/// The folder that a script stands in, where its own modules are looked for first.
pub fn script_folder(host: &Host, script: &str) -> Option<PathBuf> {
    let folder = Path::new(script).parent()?;
    host.working_folder.join(folder).canonicalize().ok()
}

fn existing(path: &str) -> Result<PathBuf> {
    Path::new(path).canonicalize().map_err(|error| Error::io("read", path, error))
}
