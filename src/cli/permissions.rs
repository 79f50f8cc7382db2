//! What whoever runs a script lets it do and take: the same options for every command that runs one.

use std::time::Duration;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::memory;
use crate::script::host::CALLS;

/// Calls within each other that may be asked for: their frames still fit the stack.
const MOST_CALLS: usize = 400;

/// A command with the options of whoever runs scripts.
pub fn with_permissions(command: Command) -> Command {
    let several = |name: &'static str, value: &'static str, help: &'static str| {
        let argument = Arg::new(name).long(name).value_name(value).help(help);
        argument.action(ArgAction::Append)
    };
    let read = "Let the script read below PATH, besides the working folder";
    let write = "Let the script write below PATH, besides the working folder";
    let library = "Take std/NAME from FOLDER/NAME.rhai where that exists";
    let hub = "Let the script take only REPOSITORY from the Hub: org/name or org/* [default: any]";
    let command = command
        .arg(several("allow-read", "PATH", read))
        .arg(several("allow-write", "PATH", write))
        .arg(several("library", "FOLDER", library))
        .arg(
            Arg::new("offline")
                .long("offline")
                .action(ArgAction::SetTrue)
                .help("Use only what is in the Hub's cache; no network"),
        )
        .arg(several("allow-hub", "REPOSITORY", hub).value_parser(ValueParser::new(repository)))
        .arg(
            Arg::new("threads")
                .long("threads")
                .value_name("N")
                .value_parser(clap::value_parser!(u16).range(1..=1024))
                .help("Threads to compute with; results do not depend on it [default: all cores]"),
        )
        .arg(
            Arg::new("device")
                .long("device")
                .value_name("DEVICE")
                .default_value("auto")
                .value_parser(ValueParser::new(device))
                .help("What models run on: auto, cpu, cuda:0"),
        );
    with_limits(command)
}

fn with_limits(command: Command) -> Command {
    let limit = |name: &'static str, value: &'static str, parser: ValueParser, help: String| {
        Arg::new(name).long(name).value_name(value).value_parser(parser).help(help)
    };
    let taken = "Memory the run may take, such as 8GiB [default: 80 % of what is free]";
    let time = "Time the script may take, such as 90s, 15min or 2h; at the prompt each cell [default: no end]";
    let operations =
        "Operations of the language the script may take, such as 1e9 [default: no end]";
    let depth = format!(
        "Calls within each other, up to {MOST_CALLS}, that a script may make [default: {CALLS}]"
    );
    command
        .arg(limit("memory", "SIZE", ValueParser::new(size), taken.to_string()))
        .arg(limit("max-time", "TIME", ValueParser::new(time_of), time.to_string()))
        .arg(limit("max-operations", "N", ValueParser::new(count), operations.to_string()))
        .arg(limit("max-depth", "N", ValueParser::new(calls), depth))
}

fn size(typed: &str) -> Result<u64, String> {
    memory::parse(typed).ok_or_else(|| "expected a size such as 8GiB or 300MiB".to_string())
}

/// "90", "90s", "15min", "2h", "1d": seconds where no unit is given.
fn time_of(typed: &str) -> Result<Duration, String> {
    let end = typed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(typed.len());
    let (number, unit) = typed.split_at(end);
    let unit = match unit {
        "" | "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => f64::NAN,
    };
    let seconds = number.trim().parse::<f64>().map_or(f64::NAN, |number| number * unit);
    let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| "expected a time such as 90s, 15min or 2h".to_string())
}

/// "1000000" or "1e6".
fn count(typed: &str) -> Result<u64, String> {
    let whole = typed.parse::<u64>().ok();
    let rounded = || {
        let number = typed.parse::<f64>().ok()?;
        // Up to 2^53 a number with an exponent is exactly what was typed.
        let is_whole = number.fract() == 0.0 && (1.0..9e15).contains(&number);
        is_whole.then_some(number as u64)
    };
    let count = whole.or_else(rounded).filter(|count| *count > 0);
    count.ok_or_else(|| "expected a whole number above 0, such as 1e9".to_string())
}

fn calls(typed: &str) -> Result<usize, String> {
    let calls = typed.parse::<usize>().ok().filter(|calls| (1..=MOST_CALLS).contains(calls));
    calls.ok_or_else(|| format!("expected a whole number from 1 to {MOST_CALLS}"))
}

fn repository(typed: &str) -> Result<String, String> {
    let is_name = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
    };
    match typed.split_once('/') {
        Some((organisation, name)) if is_name(organisation) && (name == "*" || is_name(name)) => {
            Ok(typed.to_string())
        }
        _ => {
            Err("expected a repository such as org/name, or org/* for all of one owner".to_string())
        }
    }
}

fn device(typed: &str) -> Result<String, String> {
    let cuda = typed.strip_prefix("cuda:").map(str::parse::<u16>);
    if typed == "auto" || typed == "cpu" || matches!(cuda, Some(Ok(_))) {
        Ok(typed.to_string())
    } else {
        Err("expected auto, cpu or cuda:0".to_string())
    }
}

/// What every command that runs scripts is told.
#[derive(Clone, Debug, Default)]
pub struct Common {
    pub allow_read: Vec<String>,
    pub allow_write: Vec<String>,
    pub library: Vec<String>,
    pub offline: bool,
    pub allow_hub: Vec<String>,
    pub threads: Option<u16>,
    /// Bytes.
    pub memory: Option<u64>,
    pub time: Option<Duration>,
    pub operations: Option<u64>,
    pub calls: Option<usize>,
    pub device: String,
}

impl Common {
    /// The words that hand on what narrows a run, to a program that runs it in its place.
    pub fn narrowing(&self) -> Vec<String> {
        let hub = self.allow_hub.iter().map(|repository| format!("--allow-hub={repository}"));
        let time = self.time.map(|time| format!("--max-time={}s", time.as_secs_f64()));
        let operations = self.operations.map(|most| format!("--max-operations={most}"));
        let calls = self.calls.map(|most| format!("--max-depth={most}"));
        let offline = self.offline.then(|| "--offline".to_string());
        hub.chain(time).chain(operations).chain(calls).chain(offline).collect()
    }

    pub fn of(matches: &ArgMatches) -> Self {
        let list = |name: &str| -> Vec<String> {
            let values = matches.get_many::<String>(name);
            values.into_iter().flatten().cloned().collect()
        };
        Self {
            allow_read: list("allow-read"),
            allow_write: list("allow-write"),
            library: list("library"),
            offline: matches.get_flag("offline"),
            allow_hub: list("allow-hub"),
            threads: matches.get_one::<u16>("threads").copied(),
            memory: matches.get_one::<u64>("memory").copied(),
            time: matches.get_one::<Duration>("max-time").copied(),
            operations: matches.get_one::<u64>("max-operations").copied(),
            calls: matches.get_one::<usize>("max-depth").copied(),
            device: matches.get_one::<String>("device").cloned().unwrap_or_default(),
        }
    }
}
