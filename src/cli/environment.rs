//! The environment, read here and nowhere else: the Hub's variables, folders of the user, colour and width.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use rustyline::DefaultEditor;

use crate::doorway::Roots;
use crate::hub::Settings;

/// Characters a line where no terminal says otherwise.
const WIDTH: usize = 100;

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn home() -> Option<PathBuf> {
    variable("HOME").or_else(|| variable("USERPROFILE")).map(PathBuf::from)
}

/// A program's folder: what its variable says, or a name in the user's cache folder.
fn cache_folder(named: &str, name: &str) -> Option<PathBuf> {
    if let Some(folder) = variable(named) {
        return Some(PathBuf::from(folder));
    }
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| home().map(|home| home.join(".cache")));
    cache.map(|cache| cache.join(name))
}

/// The folder of huggingface_hub.
fn hub_home() -> Option<PathBuf> {
    cache_folder("HF_HOME", "huggingface")
}

/// What the Hub's own tools read from the environment.
pub fn hub() -> Settings {
    let cache = variable("HF_HUB_CACHE").map(PathBuf::from);
    let token_file = variable("HF_TOKEN_PATH").map(PathBuf::from);
    let token_file = token_file.or_else(|| hub_home().map(|folder| folder.join("token")));
    let stored = || {
        let text = Roots::anywhere().text(&token_file?).ok()?;
        Some(text.trim().to_string()).filter(|token| !token.is_empty())
    };
    let told = |name: &str| {
        variable(name).is_some_and(|value| {
            matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on")
        })
    };
    Settings {
        cache: cache.or_else(|| hub_home().map(|folder| folder.join("hub"))),
        token: if told("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            None
        } else {
            variable("HF_TOKEN").map(|token| token.trim().to_string()).or_else(stored)
        },
        endpoint: variable("HF_ENDPOINT"),
        offline: told("HF_HUB_OFFLINE"),
        checkpoints: cache_folder("TORCH_HOME", "torch")
            .map(|folder| folder.join("hub").join("checkpoints")),
        only: None,
        locked: BTreeMap::new(),
    }
}

/// Where `cached` keeps things: EBB_CACHE, or `ebb` in the user's cache folder.
pub fn cache() -> Option<PathBuf> {
    let user = || {
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| home().map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("ebb"))
    };
    variable("EBB_CACHE").map(PathBuf::from).or_else(user)
}

/// Where the prompt's history is kept.
pub fn history_file() -> Option<PathBuf> {
    let data = variable("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| home().map(|home| home.join(".local").join("share")));
    data.map(|data| data.join("ebb").join("history.txt"))
}

/// Where Jupyter looks for what the user installed (its own rules: JUPYTER_DATA_DIR, else by the system).
pub fn jupyter_folder() -> Option<PathBuf> {
    let by_system = || {
        if cfg!(target_os = "macos") {
            return home().map(|home| home.join("Library").join("Jupyter"));
        }
        if cfg!(windows) {
            return variable("APPDATA").map(|data| PathBuf::from(data).join("jupyter"));
        }
        let data = variable("XDG_DATA_HOME").map(PathBuf::from);
        let data = data.or_else(|| home().map(|home| home.join(".local").join("share")));
        data.map(|data| data.join("jupyter"))
    };
    variable("JUPYTER_DATA_DIR").map(PathBuf::from).or_else(by_system)
}

/// The process that started this one, where that is Jupyter and still runs: it leaves its number in the environment.
pub fn jupyter() -> Option<u32> {
    let told = variable("JPY_PARENT_PID")?.parse::<u32>().ok()?;
    #[cfg(unix)]
    return Some(told).filter(|told| *told == std::os::unix::process::parent_id());
    #[cfg(not(unix))]
    Some(told)
}

/// Whether a terminal may be coloured (https://no-color.org).
pub fn colour_wanted() -> bool {
    variable("NO_COLOR").is_none() && variable("TERM").as_deref() != Some("dumb")
}

/// Characters that fit on a line: COLUMNS, else the terminal's width, else 100.
pub fn width() -> usize {
    let given = variable("COLUMNS").and_then(|columns| columns.parse::<usize>().ok());
    let measured = || {
        if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            Some(usize::from(DefaultEditor::new().ok()?.dimensions()?.0))
        } else {
            None
        }
    };
    given.or_else(measured).unwrap_or(WIDTH).clamp(40, 400)
}
