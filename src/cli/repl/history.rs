//! The prompt's history: one file that several prompts add to.

use std::path::PathBuf;

use rustyline::Editor;
use rustyline::history::DefaultHistory;

use super::helper::Typing;
use crate::cli::environment;
use crate::doorway::Roots;

/// Where inputs are kept; nowhere, if there is no place or what is there cannot be read.
pub struct Kept(Option<PathBuf>);

/// Hands the editor what was typed before. The second is said to the person: why there is no history.
pub fn load(editor: &mut Editor<Typing, DefaultHistory>) -> (Kept, Option<String>) {
    let Some(file) = environment::history_file() else {
        return (Kept(None), None);
    };
    // The first time there is no history yet.
    if Roots::anywhere().find(&file).is_ok()
        && let Err(error) = editor.load_history(&file)
    {
        let _ = editor.clear_history();
        let said = format!(
            "note: the history in {} cannot be read ({error}); it stays as it is, and what is typed now is not added to it",
            file.display()
        );
        return (Kept(None), Some(said));
    }
    (Kept(Some(file)), None)
}

impl Kept {
    /// Adds what was typed since, at once: a prompt that ends by a signal has kept it, and another one beside it too.
    pub fn add(&self, editor: &mut Editor<Typing, DefaultHistory>) {
        if let Some(file) = &self.0 {
            let made = file.parent().map(std::fs::create_dir_all);
            if matches!(made, Some(Ok(()))) {
                // A history that cannot be kept is no reason to stop.
                let _ = editor.append_history(file);
            }
        }
    }
}
