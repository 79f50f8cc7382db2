//! `ebb sweep SCRIPT --PARAMETER VALUES`: every combination of a script's parameters, each a run of its own in a process of
//! its own, here or as a job array of Slurm. Called again it does what is missing: runs that are done stay, and those that did
//! not come to their end go on.

mod asked;
mod runner;
mod slurm;

use std::time::Duration;

use self::asked::{Asked, asked, for_script, own_names, shared, status};
use self::runner::Runner;
use self::slurm::Array;
use super::exit::{DONE, FAILED, STOPPED, USAGE, show_usage};
use super::host::host;
use super::progress::Bars;
use super::run;
use super::screen::{Screen, Stream};
use crate::control::Control;
use crate::display::Output;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::outcome::Item;
use crate::notebook::sweep::plan::{self, Plan};
use crate::notebook::sweep::{gather, slurm as of_slurm, table};
use crate::script::host::Host;
use crate::{files, folders, place, plain};

pub use self::asked::command;

/// How long is waited for another command that joins the same sweep.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads the words behind `ebb sweep` and runs what is missing.
pub fn main(words: &[String]) -> u8 {
    let bars = Bars::new();
    let screen = Screen::new(Stream::Out, bars.clone());
    let Some((script, rest)) = words.split_first().filter(|(first, _)| !first.starts_with('-'))
    else {
        let matches = command().no_binary_name(true).try_get_matches_from(words);
        return matches.map_or_else(
            |error| show_usage(&error),
            |_| {
                let error = Error::failed_with_hint(
                    "no script is named",
                    "ebb sweep SCRIPT --phi 0.05,0.1 --seed 0..3",
                );
                screen.remark(&screen.style().error(&error));
                USAGE
            },
        );
    };
    let (text, declared) = match run::parameters_of(script, &own_names()) {
        Ok(found) => found,
        Err(told) => {
            screen.remark(&told.drawn(&screen));
            return USAGE;
        }
    };
    let matches = match for_script(script, &declared).try_get_matches_from(rest) {
        Ok(matches) => matches,
        Err(error) => return show_usage(&error),
    };
    let done = asked(script, text, &declared, &matches).and_then(|asked| {
        if asked.dry {
            list(&screen, &asked, &bars).map(|()| DONE)
        } else {
            carry_out(asked, &screen, &bars)
        }
    });
    done.unwrap_or_else(|error| {
        screen.remark(&screen.style().error(&error));
        if matches!(error, Error::Interrupted) { STOPPED } else { FAILED }
    })
}

/// The runs, or with `--slurm` the batch script.
fn list(screen: &Screen, asked: &Asked, bars: &Bars) -> Result<()> {
    let count = asked.plan.tasks.len();
    if asked.slurm.is_some() {
        let host = host(&asked.common, bars)?;
        let roots = host.write_roots();
        screen.write(&array(asked, &host, &roots).script(count, usize::MAX)?.0);
        return Ok(());
    }
    for task in &asked.plan.tasks {
        let told = task.parameters.iter().map(|(name, value)| format!("--{name} {value}"));
        let told = told.collect::<Vec<_>>().join(" ");
        screen.write(&format!("{}\n", plain::one_line(&told)));
    }
    let folder = plain::one_line(&asked.folder.to_string_lossy());
    screen.write(&format!("{count} runs in {folder}\n"));
    Ok(())
}

/// The sweep as Slurm is asked for it.
fn array<'a>(asked: &'a Asked, host: &'a Host, roots: &'a Roots) -> Array<'a> {
    let mut words = vec!["sweep".to_string(), asked.script.clone(), "--jobs=1".to_string()];
    words.push(format!("--sweep-dir={}", asked.folder.display()));
    words.extend(shared(&asked.common));
    words.extend(asked.common.threads.map(|threads| format!("--threads={threads}")));
    words.extend(asked.common.memory.map(|bytes| format!("--memory={bytes}")));
    let name = asked.folder.file_name().and_then(|name| name.to_str()).unwrap_or("sweep");
    Array {
        sweep: &asked.folder,
        roots,
        control: &host.control,
        settings: asked.slurm.clone().unwrap_or_default(),
        name,
        words,
        working_folder: &host.working_folder,
    }
}

/// Joins the sweep that is in the folder already, if it is one of the same script.
fn joined(asked: &Asked, roots: &Roots, control: &Control) -> Result<Plan> {
    // Of several commands that join one sweep at once, each adds to what the others have added.
    let tasks = place::folder(roots, &plan::tasks_folder(&asked.folder))?.path().to_path_buf();
    let _held = loop {
        match folders::hold_now(&tasks) {
            Some(held) => break held,
            None => std::thread::sleep(PAUSE),
        }
        control.check()?;
    };
    let plan = match Plan::read(&asked.folder)? {
        None => asked.plan.clone(),
        Some(known) if known.script_sha256 == asked.plan.script_sha256 => {
            known.with(asked.plan.clone())
        }
        Some(_) => {
            return Err(Error::failed_with_hint(
                format!(
                    "the sweep in {} is one of another script, or of this one before it was changed",
                    asked.folder.display()
                ),
                "give another folder with --sweep-dir, or remove this one first",
            ));
        }
    };
    plan.write(roots, &asked.folder)?;
    let copy = asked.folder.join("script.rhai");
    files::write_bytes(roots, &copy, asked.text.as_bytes())?;
    Ok(plan)
}

fn carry_out(mut asked: Asked, screen: &Screen, bars: &Bars) -> Result<u8> {
    let host = host(&asked.common, bars)?;
    let roots = run::checked(&host, "--sweep-dir", &asked.folder.to_string_lossy())?.1;
    let plan = if asked.part.is_some() {
        known(&asked, &roots, &host.control)?
    } else {
        joined(&asked, &roots, &host.control)?
    };
    if let Some(part) = &asked.part {
        let places = of_slurm::of_part(part, plan.tasks.len())?;
        asked.plan.tasks =
            places.iter().filter_map(|place| plan.tasks.get(*place).cloned()).collect();
    }
    // A sweep that was widened knows the runs by the names that they were begun with.
    let own = asked.plan.tasks.iter().filter_map(|task| plan.same(task).cloned());
    asked.plan.tasks = own.collect();
    let (mut left, mut taken) = (Vec::new(), 0);
    for task in &asked.plan.tasks {
        match status(&asked.folder, task).as_str() {
            "done" => {}
            "running" => taken += 1,
            status => left.push((task.clone(), status != "missing")),
        }
    }
    let done = asked.plan.tasks.len() - left.len() - taken;
    let outcome = if asked.slurm.is_some() {
        in_slurm(&asked, &plan, &host, &roots, screen)
    } else {
        let under_way = Vec::new();
        Runner { asked: &asked, roots: &roots, control: &host.control, under_way }.run(left, done)
    };
    if taken > 0 && asked.slurm.is_none() {
        screen.remark(&format!(
            "note: {taken} runs are under way in another process and are left to it\n"
        ));
    }
    told(&asked, screen, outcome)
}

/// The sweep that this command does a part of. Others do theirs in its folder, so that one that is there is only read.
fn known(asked: &Asked, roots: &Roots, control: &Control) -> Result<Plan> {
    match Plan::read(&asked.folder)? {
        Some(plan) if plan.script_sha256 == asked.plan.script_sha256 => Ok(plan),
        Some(_) => Err(Error::failed(format!(
            "the script has changed since the sweep in {} was begun",
            asked.folder.display()
        ))),
        // Whoever comes first writes it down; all that come at once write the same.
        None => joined(asked, roots, control),
    }
}

/// Submits what is missing, or follows the job that is at it already.
fn in_slurm(asked: &Asked, plan: &Plan, host: &Host, roots: &Roots, screen: &Screen) -> Result<()> {
    let array = array(asked, host, roots);
    let done = || plan.tasks.iter().filter(|task| status(&asked.folder, task) == "done").count();
    if done() == plan.tasks.len() {
        return Ok(());
    }
    let job = match array.job()? {
        Some(job) => job,
        None => array.submit(plan.tasks.len())?,
    };
    screen.remark(&format!(
        "job {job} of Slurm; Ctrl-C leaves it to itself, and the same command follows it again\n"
    ));
    array.follow(&job, plan.tasks.len(), done)
}

/// Shows what there is now; whatever of this command's runs is not done makes it fail.
fn told(asked: &Asked, screen: &Screen, outcome: Result<()>) -> Result<u8> {
    let gathered = gather::read_all(&asked.folder)?;
    let show = |table| screen.write(&screen.style().item(&Item::Output(Output::Table(table))));
    if let Some(failures) = table::failures(&gathered) {
        show(failures);
    }
    show(table::summary(&gathered));
    let folder = plain::one_line(&asked.folder.to_string_lossy());
    screen.remark(&screen.style().dim(&format!("all of it: ebb gather {folder}\n")));
    outcome?;
    let names: Vec<&String> = asked.plan.tasks.iter().map(|task| &task.name).collect();
    let is_open = |row: &gather::Row| {
        names.contains(&&row.task.name) && row.status != "done" && row.status != "running"
    };
    Ok(if gathered.rows.iter().any(is_open) { FAILED } else { DONE })
}
