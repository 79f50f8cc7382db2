//! The command line: the program's own options, and for `ebb run` the script's parameters beside them.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

pub use super::permissions::{Common, with_permissions};
use crate::notebook::cells::{self, Cell};
use crate::plain::{one_line, printable};
use crate::script::parameters::Declared;
use crate::script::typed;

const ABOUT: &str =
    "Explore, run and share experiments on how language models learn and forget unsafe examples";

/// The program with its prompt and `run`, which is read by [`Run::read`], since its options depend on the script.
pub fn program() -> Command {
    let evaluate = Arg::new("evaluate")
        .short('e')
        .long("evaluate")
        .value_name("CODE")
        .allow_hyphen_values(true)
        .help("Evaluate CODE and show its value; nothing is kept");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .requires("evaluate")
        .help("With -e: print the value as one JSON line, everything else on standard error");
    with_permissions(Command::new("ebb").arg(evaluate).arg(json))
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .long_about(format!("{ABOUT}.\n\nWithout a command it opens a prompt, with these options."))
        .override_usage("ebb [OPTIONS]\n       ebb COMMAND")
        .args_conflicts_with_subcommands(true)
        .subcommand(
            Command::new("run")
                .about("Run a script, show its results and keep a record")
                .override_usage("ebb run SCRIPT [--PARAMETER VALUE]... [OPTIONS]"),
        )
        .subcommand(with_permissions(
            Command::new("repl")
                .about("Open a prompt (the same as ebb alone), after a script if one is named")
                .arg(Arg::new("SCRIPT").help("A .rhai file to run first; its variables stay")),
        ))
}

/// `ebb run` without a script: for its help, and to say that a script is missing.
pub fn run_without_script() -> Command {
    let command = Command::new("run")
        .bin_name("ebb run")
        .no_binary_name(true)
        .about("Run a script, show its results and keep a record")
        .after_help("`ebb run SCRIPT --help` lists the parameters of a script.")
        .override_usage("ebb run SCRIPT [--PARAMETER VALUE]... [OPTIONS]")
        .arg(Arg::new("SCRIPT").required(true).help("A .rhai file"));
    with_own_options(command)
}

fn with_own_options(command: Command) -> Command {
    let file = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    with_permissions(
        command
            .arg(
                Arg::new("json").long("json").action(ArgAction::SetTrue).help(
                    "Print the last value as one JSON line, everything else on standard error",
                ),
            )
            .arg(file("report", "FILE", "Also write the report to FILE: .html, .md, .ipynb"))
            .arg(file(
                "resume",
                "RUN",
                "In place of SCRIPT: go on with a run that failed, was stopped or was killed",
            ))
            .arg(file(
                "run-dir",
                "FOLDER",
                "Keep the record in FOLDER [default: runs/DATE-SCRIPT-N]",
            )),
    )
}

/// The names of the options that `ebb run` has itself; a script's parameter cannot have one of them.
pub fn own_names() -> Vec<String> {
    let command = run_without_script();
    let names = command.get_arguments().filter_map(Arg::get_long);
    names.map(str::to_string).chain(["help".to_string()]).collect()
}

/// Where the script stands among the words behind `ebb run`: the first that is neither an option nor an option's value.
pub fn script_position(words: &[String]) -> Option<usize> {
    let command = run_without_script();
    let takes_value = |word: &str| {
        command.get_arguments().any(|argument| {
            argument.get_long() == word.strip_prefix("--") && argument.get_action().takes_values()
        })
    };
    let mut index = 0;
    while let Some(word) = words.get(index) {
        if !word.starts_with('-') {
            return Some(index);
        }
        index += if takes_value(word) { 2 } else { 1 };
    }
    None
}

/// What was asked of `ebb run`, apart from the script.
pub struct Run {
    pub json: bool,
    pub report: Option<String>,
    pub run_folder: Option<String>,
    pub seed: Option<u64>,
    pub common: Common,
    /// Parameters given, as typed.
    pub given: Vec<(String, String)>,
}

impl Run {
    /// Reads the words behind the script.
    pub fn read(
        script: &str,
        cells: &[Cell],
        declared: &[Declared],
        words: &[String],
    ) -> Result<Self, clap::Error> {
        let command = with_help(with_own_options(for_script("run", script, cells, declared)));
        let matches = command.try_get_matches_from(words)?;
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let own_seed = !declared.iter().any(|parameter| parameter.name == "seed");
        Ok(Self {
            json: matches.get_flag("json"),
            report: text("report"),
            run_folder: text("run-dir"),
            seed: if own_seed { matches.get_one::<u64>("seed").copied() } else { None },
            given: given(&matches, declared),
            common: Common::of(&matches),
        })
    }
}

/// What `ebb check` is asked to do.
#[derive(Clone, Debug)]
pub struct Check {
    pub json: bool,
    /// Values of parameters, as typed.
    pub given: Vec<(String, String)>,
    pub common: Common,
}

impl Check {
    /// Reads the words behind the script. Where its parameters are not known, since it does not parse, their values pass.
    pub fn read(
        script: &str,
        cells: &[Cell],
        declared: &[Declared],
        words: &[String],
        are_known: bool,
    ) -> Result<Self, clap::Error> {
        let json = Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Say what was found as one JSON line");
        let command =
            with_help(with_permissions(for_script("check", script, cells, declared).arg(json)));
        let matches = command.ignore_errors(!are_known).try_get_matches_from(words)?;
        let (given, common) = (given(&matches, declared), Common::of(&matches));
        Ok(Self { json: matches.get_flag("json"), given, common })
    }
}

/// What was typed for the script's parameters.
fn given(matches: &ArgMatches, declared: &[Declared]) -> Vec<(String, String)> {
    let given = declared.iter().filter_map(|parameter| {
        let value = matches.get_one::<String>(&parameter.name)?;
        Some((parameter.name.clone(), value.clone()))
    });
    given.collect()
}

/// `ebb run SCRIPT`, or another verb, with the script's parameters as options.
fn for_script(verb: &str, script: &str, cells: &[Cell], declared: &[Declared]) -> Command {
    let script = one_line(script);
    let usage = if declared.is_empty() {
        format!("ebb {verb} {script} [OPTIONS]")
    } else {
        format!("ebb {verb} {script} [PARAMETERS] [OPTIONS]")
    };
    let mut command = Command::new("run")
        .bin_name(format!("ebb {verb} {script}"))
        .no_binary_name(true)
        .disable_help_flag(true)
        .override_usage(usage)
        .next_help_heading("Parameters");
    if let Some((title, text)) = cells::introduction(cells) {
        let about = match (title.is_empty(), text.is_empty()) {
            (true, _) => text,
            (false, true) => title,
            (false, false) => format!("{title}\n\n{text}"),
        };
        command = command.about(printable(&flowing(&about)));
    }
    for parameter in declared {
        command = command.arg(argument(parameter));
    }
    command = command.next_help_heading("Options");
    if !declared.iter().any(|parameter| parameter.name == "seed") {
        command = command.arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .value_parser(clap::value_parser!(u64))
                .help("The seed of everything random [default: 0]"),
        );
    }
    command
}

fn with_help(command: Command) -> Command {
    command.arg(
        Arg::new("help").long("help").short('h').action(ArgAction::Help).help("Print this help"),
    )
}

/// Prose with the lines of each paragraph joined, so that they can be broken anew. Lists and indented lines stay.
fn flowing(text: &str) -> String {
    let mut out = String::new();
    let mut joins = false;
    for line in text.lines() {
        let begins = line.is_empty() || line.starts_with([' ', '-', '*', '|', '#']);
        if !out.is_empty() {
            out.push(if joins && !begins { ' ' } else { '\n' });
        }
        out.push_str(line);
        joins = !line.is_empty() && !line.starts_with([' ', '|', '#']);
    }
    out
}

fn argument(parameter: &Declared) -> Arg {
    let default = parameter.default.clone();
    let check = move |typed: &str| match typed::read_value("", typed, &default) {
        Ok(_) => Ok(typed.to_string()),
        Err(_) => Err(format!("expected {}", typed::kind(&default))),
    };
    let shown = match &parameter.default {
        serde_json::Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    };
    let doc = if parameter.doc.is_empty() {
        String::new()
    } else {
        format!("{} ", printable(&parameter.doc))
    };
    let argument = Arg::new(parameter.name.clone())
        .long(parameter.name.clone())
        .value_parser(ValueParser::new(check))
        .help(format!("{doc}[default: {shown}]"))
        .action(ArgAction::Set);
    let argument = if parameter.name.contains('_') {
        argument.alias(parameter.name.replace('_', "-"))
    } else {
        argument
    };
    match &parameter.default {
        serde_json::Value::Bool(_) => {
            argument.num_args(0..=1).default_missing_value("true").value_name("true|false")
        }
        serde_json::Value::Number(number) => argument
            .allow_hyphen_values(true)
            .value_name(if number.is_f64() { "NUMBER" } else { "INTEGER" }),
        _ => argument.allow_negative_numbers(true).value_name("TEXT"),
    }
}
