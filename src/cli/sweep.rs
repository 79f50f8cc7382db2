//! `ebb sweep SCRIPT --PARAMETER VALUES`: every combination of a script's parameters, each a run of its own in a process of
//! its own. Called again it does what is missing: runs that are done stay, and those that did not come to their end go on.

use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::arguments::{Common, with_permissions};
use super::exit::{DONE, FAILED, STOPPED, USAGE, show_usage};
use super::host::host;
use super::progress::Bars;
use super::run;
use super::screen::{Screen, Stream};
use super::signals;
use crate::control::Control;
use crate::display::Output;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::kept;
use crate::notebook::outcome::Item;
use crate::notebook::sweep::gather;
use crate::notebook::sweep::plan::{self, Axis, Plan, Task};
use crate::notebook::sweep::table;
use crate::script::parameters::Declared;
use crate::{files, memory, place, plain};

/// How often the runs under way are looked at.
const EVERY: Duration = Duration::from_millis(20);
/// How long runs that are asked to stop may take to save what they have.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where sweeps are unless another place is named.
const FOLDER: &str = "sweeps";

/// What the command line takes, for the program's help; the parameters are the script's.
pub fn command() -> Command {
    with_own_options(Command::new("sweep"))
        .about("Run a script for every combination of its parameters")
        .override_usage("ebb sweep SCRIPT [--PARAMETER VALUES]... [OPTIONS]")
        .arg(Arg::new("SCRIPT").help("A .rhai file"))
}

fn with_own_options(command: Command) -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    with_permissions(
        command
            .arg(
                option("sample", "N", "Draw N of the combinations, the same ones every time")
                    .value_parser(clap::value_parser!(usize)),
            )
            .arg(
                option(
                    "jobs",
                    "N",
                    "Runs at once; they share the cores and the memory [default: the cores]",
                )
                .value_parser(clap::value_parser!(u16).range(1..=1024)),
            )
            .arg(option("sweep-dir", "FOLDER", "Keep the sweep in FOLDER [default: sweeps/SCRIPT]"))
            .arg(
                Arg::new("dry-run")
                    .long("dry-run")
                    .action(ArgAction::SetTrue)
                    .help("List the runs, and run nothing"),
            ),
    )
}

/// `ebb sweep SCRIPT` with the script's parameters as options that take lists and ranges.
fn for_script(script: &str, declared: &[Declared]) -> Command {
    let mut command = Command::new("sweep")
        .bin_name(format!("ebb sweep {}", plain::one_line(script)))
        .no_binary_name(true)
        .next_help_heading("Parameters");
    for parameter in declared {
        let values = Arg::new(parameter.name.clone())
            .long(parameter.name.clone())
            .value_name("VALUES")
            .allow_hyphen_values(true)
            .action(ArgAction::Append)
            .help(format!("{} [default: {}]", plain::printable(&parameter.doc), parameter.default));
        command = command.arg(values);
    }
    if !declared.iter().any(|parameter| parameter.name == "seed") {
        let help = "The seed of everything random [default: 0]";
        command = command.arg(
            Arg::new("seed").long("seed").value_name("VALUES").action(ArgAction::Append).help(help),
        );
    }
    let about = "Values are lists (0.05,0.1) and, for whole numbers, ranges (0..5 is 0 to 4); `\\,` is a comma.";
    with_own_options(command.next_help_heading("Options")).after_help(about)
}

/// A sweep as it was asked for.
struct Asked {
    script: String,
    text: String,
    plan: Plan,
    folder: PathBuf,
    jobs: usize,
    common: Common,
    dry: bool,
}

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
    let (text, declared) = match run::parameters_of(script) {
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
            list(&screen, &asked).map(|()| DONE)
        } else {
            carry_out(asked, &screen, &bars)
        }
    });
    done.unwrap_or_else(|error| {
        screen.remark(&screen.style().error(&error));
        if matches!(error, Error::Interrupted) { STOPPED } else { FAILED }
    })
}

fn asked(script: &str, text: String, declared: &[Declared], matches: &ArgMatches) -> Result<Asked> {
    let mut axes = Vec::new();
    let seed =
        Declared { name: "seed".to_string(), default: 0.into(), doc: String::new(), line: 0 };
    let has_seed = declared.iter().any(|parameter| parameter.name == "seed");
    for parameter in declared.iter().chain((!has_seed).then_some(&seed)) {
        let Some(typed) = matches.get_many::<String>(&parameter.name) else { continue };
        let mut values: Vec<String> = Vec::new();
        for typed in typed {
            for value in plan::values(&parameter.name, typed, &parameter.default)? {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        axes.push(Axis { name: parameter.name.clone(), values });
    }
    let tasks = plan::tasks(&axes, matches.get_one::<usize>("sample").copied())?;
    let stem = Path::new(script).file_stem().unwrap_or_default().to_string_lossy().to_string();
    let folder = matches
        .get_one::<String>("sweep-dir")
        .map_or_else(|| Path::new(FOLDER).join(stem), PathBuf::from);
    place::check_name(&folder)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = matches.get_one::<u16>("jobs").map_or(cores, |jobs| usize::from(*jobs));
    let plan = Plan {
        script: script.to_string(),
        script_sha256: files::sha256(text.as_bytes()),
        axes,
        tasks,
    };
    Ok(Asked {
        script: script.to_string(),
        text,
        folder,
        jobs: jobs.clamp(1, plan.tasks.len().max(1)),
        plan,
        common: Common::of(matches),
        dry: matches.get_flag("dry-run"),
    })
}

fn list(screen: &Screen, asked: &Asked) -> Result<()> {
    for task in &asked.plan.tasks {
        let told = task.parameters.iter().map(|(name, value)| format!("--{name} {value}"));
        let told = told.collect::<Vec<_>>().join(" ");
        screen.write(&format!("{}\n", plain::one_line(&told)));
    }
    let count = asked.plan.tasks.len();
    screen
        .write(&format!("{count} runs in {}\n", plain::one_line(&asked.folder.to_string_lossy())));
    Ok(())
}

/// Joins the sweep that is in the folder already, if it is one of the same script.
fn joined(asked: &Asked, roots: &Roots) -> Result<Plan> {
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
    place::folder(roots, &plan::tasks_folder(&asked.folder))?;
    plan.write(roots, &asked.folder)?;
    let copy = asked.folder.join("script.rhai");
    files::write_bytes(roots, &copy, asked.text.as_bytes())?;
    Ok(plan)
}

fn carry_out(asked: Asked, screen: &Screen, bars: &Bars) -> Result<u8> {
    let host = host(&asked.common, bars)?;
    let roots = run::checked(&host, "--sweep-dir", &asked.folder.to_string_lossy())?.1;
    joined(&asked, &roots)?;
    let mut left = Vec::new();
    let mut taken = 0;
    for task in &asked.plan.tasks {
        match status(&asked.folder, task).as_str() {
            "done" => {}
            "running" => taken += 1,
            status => left.push((task.clone(), status != "missing")),
        }
    }
    let done = asked.plan.tasks.len() - left.len() - taken;
    let outcome =
        Runner { asked: &asked, roots: &roots, control: &host.control, under_way: Vec::new() }
            .run(left, done);
    let gathered = gather::read_all(&asked.folder)?;
    let show = |table| screen.write(&screen.style().item(&Item::Output(Output::Table(table))));
    if let Some(failures) = table::failures(&gathered) {
        show(failures);
    }
    show(table::summary(&gathered));
    let folder = plain::one_line(&asked.folder.to_string_lossy());
    if taken > 0 {
        screen.remark(&format!(
            "note: {taken} runs are under way in another process and are left to it\n"
        ));
    }
    screen.remark(&screen.style().dim(&format!("all of it: ebb gather {folder}\n")));
    outcome?;
    let names: Vec<&String> = asked.plan.tasks.iter().map(|task| &task.name).collect();
    let is_open = |row: &gather::Row| {
        names.contains(&&row.task.name) && row.status != "done" && row.status != "running"
    };
    Ok(if gathered.rows.iter().any(is_open) { FAILED } else { DONE })
}

fn status(sweep: &Path, task: &Task) -> String {
    let folder = plan::folder_of(sweep, task);
    match kept::facts(&folder) {
        Ok(facts) => kept::status(&folder, &facts),
        Err(_) => "missing".to_string(),
    }
}

/// The runs of a sweep under way.
struct Runner<'a> {
    asked: &'a Asked,
    roots: &'a Roots,
    control: &'a Control,
    under_way: Vec<Child>,
}

impl Runner<'_> {
    /// Runs tasks, some at a time, until all are through or the user wants to stop.
    fn run(mut self, mut left: Vec<(Task, bool)>, done: usize) -> Result<()> {
        left.reverse();
        let total = self.asked.plan.tasks.len() as u64;
        let mut progress = self.control.begin("sweep", total, "runs");
        progress.resumed(done as u64);
        let (mut through, mut failed) = (done, 0);
        while !left.is_empty() || !self.under_way.is_empty() {
            if self.control.check().is_err() {
                self.stop();
                return Err(Error::Interrupted);
            }
            while self.under_way.len() < self.asked.jobs
                && let Some((task, resumes)) = left.pop()
            {
                match self.spawn(&task, resumes) {
                    Ok(child) => self.under_way.push(child),
                    Err(error) => {
                        self.stop();
                        return Err(error);
                    }
                }
            }
            self.under_way.retain_mut(|child| match child.try_wait() {
                Ok(None) => true,
                ended => {
                    through += 1;
                    failed += usize::from(!matches!(ended, Ok(Some(status)) if status.success()));
                    false
                }
            });
            let remark = if failed > 0 { format!("{failed} failed") } else { String::new() };
            progress.update(through as u64, &remark);
            std::thread::sleep(EVERY);
        }
        Ok(())
    }

    /// A run in a process of its own; what it prints goes into a file beside its folder.
    fn spawn(&self, task: &Task, resumes: bool) -> Result<Child> {
        let folder = plan::folder_of(&self.asked.folder, task);
        let log = plan::tasks_folder(&self.asked.folder).join(format!("{}.log", task.name));
        let told = files::replaced(self.roots, &log)?;
        let also = told.try_clone().map_err(|error| Error::io("write", &log, error))?;
        let program =
            std::env::current_exe().map_err(|error| Error::io("find", "the program", error))?;
        let mut process = Process::new(program);
        process.arg("run");
        if resumes {
            process.arg("--resume").arg(&folder);
        } else {
            process.arg(&self.asked.script).arg("--run-dir").arg(&folder);
        }
        for (name, value) in &task.parameters {
            process.arg(format!("--{name}={value}"));
        }
        process.args(self.options());
        process.stdin(Stdio::null()).stdout(told).stderr(also);
        // Ctrl-C is heard here and handed on once: a second signal would end a run at once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut process, 0);
        process.spawn().map_err(|error| Error::io("start", "a run of the sweep", error))
    }

    /// What the runs are permitted and what each may take: as this command line says, shared among those at once.
    fn options(&self) -> Vec<String> {
        let common = &self.asked.common;
        let jobs = self.asked.jobs;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = common.threads.map_or_else(|| (cores / jobs).max(1), usize::from);
        let mut words = vec![format!("--threads={threads}"), format!("--device={}", common.device)];
        if let Some(limit) = memory::limit() {
            words.push(format!("--memory={}", limit / jobs as u64));
        }
        if common.offline {
            words.push("--offline".to_string());
        }
        let lists = [
            ("allow-read", &common.allow_read),
            ("allow-write", &common.allow_write),
            ("library", &common.library),
        ];
        for (name, paths) in lists {
            words.extend(paths.iter().map(|path| format!("--{name}={path}")));
        }
        words
    }

    /// Asks the runs under way to stop, and ends those that do not.
    fn stop(&mut self) {
        self.under_way.iter().for_each(signals::ask_to_stop);
        let begun = Instant::now();
        while !self.under_way.is_empty() && begun.elapsed() < PATIENCE {
            self.under_way.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            std::thread::sleep(EVERY);
        }
        for child in &mut self.under_way {
            // One that has ended meanwhile cannot be ended any more.
            let _ = child.kill();
            let _ = child.wait();
        }
        self.under_way.clear();
    }
}
