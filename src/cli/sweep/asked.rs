//! What the command line asks of a sweep.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::arguments::{Common, with_permissions};
use crate::error::Result;
use crate::notebook::kept;
use crate::notebook::sweep::plan::{self, Axis, Plan, Task};
use crate::notebook::sweep::slurm::Settings;
use crate::script::parameters::Declared;
use crate::{files, place, plain};

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
            .arg(option(
                "slurm",
                "SETTINGS",
                "Run it as a job array of Slurm: partition=short,time=1:00:00,gres=gpu:1,array=%10",
            ))
            .arg(option(
                "part",
                "I/N",
                "Do a part of the sweep: every Nth of its runs from the Ith, counted from 0",
            ))
            .arg(
                Arg::new("dry-run")
                    .long("dry-run")
                    .action(ArgAction::SetTrue)
                    .help("List the runs, and run nothing"),
            ),
    )
}

/// `ebb sweep SCRIPT` with the script's parameters as options that take lists and ranges.
pub fn for_script(script: &str, declared: &[Declared]) -> Command {
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

/// The options that a sweep has itself: a script's parameter cannot have the name of one.
pub fn own_names() -> Vec<String> {
    command().get_arguments().filter_map(Arg::get_long).map(str::to_string).collect()
}

/// A sweep as it was asked for.
pub struct Asked {
    pub script: String,
    pub text: String,
    pub plan: Plan,
    pub folder: PathBuf,
    pub jobs: usize,
    pub common: Common,
    pub dry: bool,
    pub slurm: Option<Settings>,
    pub part: Option<String>,
}

/// Reads what the options say.
pub fn asked(
    script: &str,
    text: String,
    declared: &[Declared],
    matches: &ArgMatches,
) -> Result<Asked> {
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
    let defaults = declared.iter().chain((!has_seed).then_some(&seed));
    let defaults: Vec<(String, String)> = defaults
        .map(|parameter| (parameter.name.clone(), plan::as_typed(&parameter.default)))
        .collect();
    let tasks = plan::tasks(&axes, &defaults, matches.get_one::<usize>("sample").copied())?;
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
        defaults,
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
        slurm: matches
            .get_one::<String>("slurm")
            .map(|typed| Settings::parse(typed))
            .transpose()?,
        part: matches.get_one::<String>("part").cloned(),
    })
}

/// What is permitted, the limits of a run and the device, as words of a command line.
pub fn shared(common: &Common) -> Vec<String> {
    let mut words = vec![format!("--device={}", common.device)];
    words.extend(common.narrowing());
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

/// How a task stands.
pub fn status(sweep: &Path, task: &Task) -> String {
    let folder = plan::folder_of(sweep, task);
    match kept::facts(&folder) {
        Ok(facts) => kept::status(&folder, &facts),
        Err(_) => "missing".to_string(),
    }
}
