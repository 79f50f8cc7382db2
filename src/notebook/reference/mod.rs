//! The reference: every function by topic, with what its examples really show, as one page or as Markdown.

pub mod examples;
pub mod html;
pub mod markdown;
pub mod parts;
pub mod pieces;
mod unit;

use std::rc::Rc;
use std::time::{Duration, Instant};

use self::examples::Trial;
use self::parts::{Chapter, Entry, Module, Reference};
use crate::control::Control;
use crate::error::Result;
use crate::script::assist::reference::{self, Function};
use crate::script::host::Host;

/// How long examples are run in all. What has not begun by then is shown without its output, and that is said.
const LONGEST: Duration = Duration::from_secs(300);

/// Puts the reference together and runs its examples.
pub fn make(control: &Control) -> Result<Reference> {
    let began = Instant::now();
    let mut made = described()?;
    let mut units = unit::units(&mut made.chapters);
    let total = units.len();
    let mut task = control.begin("reference", u64::try_from(total).unwrap_or(u64::MAX), "examples");
    let mut failed = Vec::new();
    let mut ran = 0;
    for (done, unit) in units.iter_mut().enumerate() {
        control.check()?;
        task.update(u64::try_from(done).unwrap_or(u64::MAX), &unit.name);
        if began.elapsed() > LONGEST {
            failed.push(format!("{}: not run, time was up", unit.name));
            unit.leave("This was not run: the time for examples was up.");
            continue;
        }
        let mut trial = Trial::begin(control)?;
        for code in &mut unit.codes {
            ran += 1;
            let (shown, error) = trial.run(code.text);
            *code.items = shown;
            failed.extend(error.map(|error| format!("{}: {error}", unit.name)));
        }
        control.check()?;
    }
    drop(task);
    drop(units);
    Ok(Reference { ran, failed, seconds: began.elapsed().as_secs_f64(), ..made })
}

/// The reference, its examples not yet run.
fn described() -> Result<Reference> {
    let folder = examples::folder()?;
    let host = Rc::new(Host::quiet(folder.path().to_path_buf()));
    let entry = |function: Function| Entry {
        doc: pieces::pieces(&function.doc),
        example: pieces::code(&function.example),
        function,
    };
    let module = |module: reference::Module| Module {
        path: module.path,
        page: pieces::pieces(&module.page),
        entries: module.functions.into_iter().map(entry).collect(),
    };
    let chapter = |chapter: reference::Chapter| Chapter {
        page: pieces::pieces(&chapter.page),
        name: chapter.name,
        title: chapter.title,
        entries: chapter.functions.into_iter().map(entry).collect(),
        modules: chapter.modules.into_iter().map(module).collect(),
    };
    let chapters = reference::chapters(&host).into_iter().map(chapter).collect();
    Ok(Reference { chapters, ..Reference::default() })
}
