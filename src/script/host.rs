//! What the script functions share during a session: permissions, parameters, the seed, progress, and what was shown.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::control::Control;
use crate::display::Output;
use crate::doorway::{Found, Roots};
use crate::error::{Error, Result};
use crate::model::Remembered;
use crate::place;

/// Which paths a script may touch. Roots are canonical folders or files.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    /// No network at all.
    pub offline: bool,
    /// The repositories of the Hub that may be taken, `org/name` or `org/*`; any where nothing is said.
    pub hub: Option<Vec<String>>,
}

/// How far a script may go, beside its memory and its time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Operations of the language in all; without an end where nothing is said.
    pub operations: Option<u64>,
    /// Calls within each other.
    pub calls: usize,
}

/// Calls deep enough for most scripts, and far from the end of the stack.
pub const CALLS: usize = 64;

impl Default for Limits {
    fn default() -> Self {
        Self { operations: None, calls: CALLS }
    }
}

/// What a closure read, by name, with the hash of each.
pub type Inputs = Vec<(String, Option<String>)>;

/// A module that came from a file.
#[derive(Clone, Debug)]
pub struct ModuleFile {
    /// The hash of its text.
    pub sha256: String,
    /// Whether it may ask for a parameter: the word is in its text.
    pub asks_parameters: bool,
}

/// A parameter a script asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub value: serde_json::Value,
    pub default: serde_json::Value,
    pub doc: String,
}

/// What a script function tells the run that it is part of.
#[derive(Clone, Debug)]
pub enum Event {
    /// `show(value)`, or a plot made to be seen.
    Shown(Output),
    /// `print(text)`.
    Printed(String),
    /// `log(map)`: a line of the run's metrics.
    Metrics(serde_json::Map<String, serde_json::Value>),
    /// A file or model was read: its name, and its hash where it has one.
    Input { name: String, sha256: Option<String> },
    /// A finetuning ended: the model it began with, and its settings.
    Finetuned(serde_json::Value),
    /// Something worth a word that is not an error: rows left out, texts cut.
    Note(String),
}

/// What a model and whoever types have said to each other.
#[derive(Default)]
pub struct Conversation {
    pub model: Remembered,
    pub messages: Vec<serde_json::Value>,
}

/// The state behind the script functions of one session.
pub struct Host {
    pub control: Control,
    pub access: Access,
    pub limits: Limits,
    /// Operations of the language so far.
    pub operations: Cell<u64>,
    /// The folder of the script, where its own modules are looked for first.
    pub script_folder: Option<PathBuf>,
    /// Where relative paths start.
    pub working_folder: PathBuf,
    /// Values given on the command line, by parameter name, as typed.
    pub given: RefCell<Vec<(String, String)>>,
    /// Values that a record says the parameters had. They permit nothing: whoever wrote the record is not who runs it.
    pub recorded: RefCell<Vec<(String, String)>>,
    /// The run goes on: finetunings with a folder of checkpoints go on from there unless they say otherwise.
    pub resumes: bool,
    /// Parameters asked for so far.
    pub parameters: RefCell<Vec<Parameter>>,
    /// Finetunings so far: their logs in the run folder are numbered.
    pub finetunings: Cell<usize>,
    /// The session's seed: `seed(n)` sets it, functions with a `seed` option default to it.
    pub seed: Cell<u64>,
    /// "auto", "cpu" or "cuda:0".
    pub device: String,
    /// The run folder, when there is one.
    pub run_folder: Option<PathBuf>,
    /// Folders whose files override the embedded standard library, first one first.
    pub library: Vec<PathBuf>,
    /// The Hub's cache folder and token, handed in by the door.
    pub hub: crate::hub::Settings,
    /// Where `cached` keeps what it was given, handed in by the door; nothing is kept where it is `None`.
    pub cache: Option<PathBuf>,
    /// What was read since each `cached` began that is under way.
    pub heard: RefCell<Vec<Inputs>>,
    /// Modules that came from files.
    pub modules: RefCell<BTreeMap<String, ModuleFile>>,
    /// Notes that are told once, however often what they are about happens.
    pub told: RefCell<HashSet<String>>,
    /// The conversation under way: with which model, and what was said.
    pub conversation: RefCell<Conversation>,
    /// The script said `exit()`: nothing after it is run.
    pub left: Cell<bool>,
    /// Told of every event, in order.
    pub listener: RefCell<Box<dyn FnMut(Event)>>,
}

impl Host {
    /// A host for tests and examples: the given working folder is readable and writable, nothing is reported.
    pub fn quiet(working_folder: PathBuf) -> Self {
        let root = working_folder.canonicalize().unwrap_or_else(|_| working_folder.clone());
        Self {
            control: Control::silent(),
            access: Access {
                read: vec![root.clone()],
                write: vec![root.clone()],
                offline: true,
                hub: None,
            },
            limits: Limits::default(),
            operations: Cell::new(0),
            script_folder: None,
            working_folder: root,
            given: RefCell::default(),
            recorded: RefCell::default(),
            resumes: false,
            parameters: RefCell::default(),
            finetunings: Cell::new(0),
            seed: Cell::new(0),
            device: "cpu".to_string(),
            run_folder: None,
            library: Vec::new(),
            hub: crate::hub::Settings::default(),
            cache: None,
            heard: RefCell::default(),
            modules: RefCell::default(),
            told: RefCell::default(),
            conversation: RefCell::default(),
            left: Cell::new(false),
            listener: RefCell::new(Box::new(|_| {})),
        }
    }

    /// Tells the run about `event`.
    pub fn tell(&self, event: Event) {
        if let Event::Input { name, sha256 } = &event {
            for inputs in self.heard.borrow_mut().iter_mut() {
                inputs.push((name.clone(), sha256.clone()));
            }
        }
        (self.listener.borrow_mut())(event);
    }

    /// Tells the run about something, the first time.
    pub fn tell_once(&self, note: String) {
        if self.told.borrow_mut().insert(note.clone()) {
            self.tell(Event::Note(note));
        }
    }

    /// What the command line gave for a parameter, or else a record, as typed.
    pub fn given_value(&self, name: &str) -> Option<String> {
        let (given, recorded) = (self.given.borrow(), self.recorded.borrow());
        let found = given.iter().chain(recorded.iter()).find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    /// A folder that an option names, if it names one, as the script may read it, and the roots with it among them.
    pub fn with_folder(
        &self,
        named: Option<String>,
        roots: Roots,
    ) -> Result<(Option<PathBuf>, Roots)> {
        let Some(named) = named else {
            return Ok((None, roots));
        };
        let folder = self.readable(&named)?;
        let roots = roots.and([folder.clone()]);
        Ok((Some(folder), roots))
    }

    /// The absolute form of a path that a script wants to read, if it may.
    pub fn readable(&self, path: &str) -> Result<PathBuf> {
        self.found(path).map(|found| found.path().to_path_buf())
    }

    /// The file or folder at a path that a script wants to read, if it may.
    pub fn found(&self, path: &str) -> Result<Found> {
        let found = self.roots(path).find(&self.absolute(path));
        found.map_err(|error| error.about(path))
    }

    /// Where files may be read for a script that asks for `path`: where every script of the run may, and where the
    /// command line named this path.
    pub fn roots(&self, path: &str) -> Roots {
        let always = self.access.read.iter().chain(&self.access.write).cloned();
        let given = self.given.borrow();
        let granted = given.iter().filter_map(|(_, value)| self.granted(value, path));
        Roots::of(always.chain(granted))
    }

    /// What a parameter's value on the command line permits to a script that asks for `path`: itself, or the folder in
    /// front of its first wildcard, when the script uses that very value as a path or names something below it. A value
    /// may be a separator or a word as well, so "/" permits nothing, and a folder that the working folder is in nothing
    /// below it.
    fn granted(&self, value: &str, path: &str) -> Option<PathBuf> {
        let typed = normal_form(&self.absolute(value));
        let asked = normal_form(&self.absolute(path));
        if value.is_empty() || !asked.starts_with(&typed) {
            return None;
        }
        let in_front = |wild: usize| Some(value.get(..wild)?.rsplit_once('/')?.0);
        let root = match (typed.canonicalize(), value.find(['*', '?', '['])) {
            (Ok(real), _) => real,
            (Err(_), Some(wild)) => self.absolute(in_front(wild)?).canonicalize().ok()?,
            // That it is missing is for the script to hear.
            (Err(_), None) => real_form(&typed).ok()?,
        };
        let is_wide = self.working_folder.starts_with(&root);
        let usable = root.parent().is_some() && (!is_wide || asked == typed);
        usable.then_some(root)
    }

    /// What the Hub's client is told: what the environment says, and what the run may take.
    pub fn hub_settings(&self) -> crate::hub::Settings {
        let mut settings = self.hub.clone();
        settings.offline |= self.access.offline;
        settings.only = self.access.hub.clone();
        settings
    }

    /// All that a script may spend may be spent anew: a person typed another cell.
    pub fn restart(&self) {
        self.control.restart_time();
        self.operations.set(0);
    }

    /// Counts an operation of the language, and refuses the one after the last that there may be.
    pub fn count_operation(&self) -> Result<()> {
        let Some(most) = self.limits.operations else {
            return Ok(());
        };
        self.operations.set(self.operations.get() + 1);
        if self.operations.get() <= most {
            return Ok(());
        }
        Err(Error::failed_with_hint(
            format!("this needs more than the {most} operations that the script may take"),
            "does a loop go on without an end? --max-operations N, such as --max-operations 1e9, raises it",
        ))
    }

    /// Where scripts may write.
    pub fn write_roots(&self) -> Roots {
        Roots::of(self.access.write.iter().cloned())
    }

    /// The absolute form of a path that a script wants to write, if it may. The file need not exist yet.
    pub fn writable(&self, path: &str) -> Result<PathBuf> {
        place::check_name(Path::new(path))?;
        place::refuse_ours(Path::new(path))?;
        let full = normal_form(&self.absolute(path));
        let real = real_form(&full).map_err(|error| Error::io("write", path, error))?;
        if self.access.write.iter().any(|root| real.starts_with(root)) {
            Ok(full)
        } else {
            Err(Error::NotAllowed { operation: "write", path: PathBuf::from(path) })
        }
    }

    /// A path as the script's working folder completes it.
    pub fn absolute(&self, path: &str) -> PathBuf {
        self.working_folder.join(path)
    }
}

/// The path with links resolved as far as it exists. The nearest folder that exists decides: a link below an allowed
/// folder must not lead out of it.
pub fn real_form(path: &Path) -> std::io::Result<PathBuf> {
    let mut existing = path;
    while !existing.exists() {
        match existing.parent() {
            Some(parent) => existing = parent,
            None => break,
        }
    }
    let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
    let real = existing.canonicalize()?;
    Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
}

/// `a/./b/../c` → `a/c`, without asking the file system.
pub fn normal_form(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
