//! `ebb kernel`: the notebook's engine for Jupyter. Messages are taken in on a thread of their own (`sockets.rs`), answered one
//! after another on the session's thread (`requests.rs`), and what cells show is published as they show it (`front.rs`).

mod answers;
mod front;
mod history;
mod install;
mod lines;
mod media;
mod progress;
mod publisher;
mod requests;
mod sockets;

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};
use jupyter_protocol::ConnectionInfo;

use super::arguments::{Common, with_permissions};
use super::draw::Style;
use super::exit::{FAILED, USAGE};
use super::{environment, screen};
use crate::cli::progress::Bars;
use crate::doorway::Roots;
use crate::error::{Error, Result};

/// What the command line takes: options given to `install` are those that Jupyter starts the kernel with.
pub fn command() -> Command {
    let user = Arg::new("user")
        .long("user")
        .action(ArgAction::SetTrue)
        .conflicts_with("prefix")
        .help("Install for the present user [default]");
    let prefix = Arg::new("prefix")
        .long("prefix")
        .value_name("FOLDER")
        .help("Install below FOLDER, such as that of a Python environment");
    let install = Command::new("install").about("Tell Jupyter about the kernel");
    let run = Command::new("run").about("Serve a notebook through a connection file");
    let file = Arg::new("FILE").required(true).help("The connection file that Jupyter wrote");
    Command::new("kernel")
        .about("Use ebb in Jupyter: JupyterLab, Notebook, VS Code, nbclient")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_permissions(install.arg(user).arg(prefix)))
        .subcommand(with_permissions(run.arg(file)))
}

/// Reads which of the kernel's two commands is meant.
pub fn main(matches: &ArgMatches) -> u8 {
    let result = match matches.subcommand() {
        Some(("install", options)) => install::main(options),
        Some(("run", options)) => run(options),
        _ => Ok(USAGE),
    };
    result.unwrap_or_else(|error| {
        let screen = screen::Screen::new(screen::Stream::Error, Bars::new());
        let style = Style { width: environment::width(), colour: false };
        screen.remark(&style.error(&error));
        FAILED
    })
}

fn run(options: &ArgMatches) -> Result<u8> {
    let file = options.get_one::<String>("FILE").cloned().unwrap_or_default();
    let connection = connection(Path::new(&file))?;
    requests::serve(&Common::of(options), connection)
}

/// What a connection file says. A kernel runs whatever it is sent, so one that could not tell its user from a stranger is
/// not opened.
fn connection(file: &Path) -> Result<ConnectionInfo> {
    let text = Roots::anywhere().text(file)?;
    let connection: ConnectionInfo = serde_json::from_str(&text).map_err(|error| {
        Error::malformed(file, Some(error.line()), format!("not a connection file: {error}"))
    })?;
    if connection.signature_scheme != "hmac-sha256" {
        let scheme = format!("`{}`", connection.signature_scheme);
        return Err(Error::invalid(
            "signature_scheme of the connection file",
            "`hmac-sha256`",
            scheme,
        ));
    }
    if connection.key.is_empty() {
        return Err(Error::failed_with_hint(
            "the connection file has no key, so that anyone who reaches its ports could run code here",
            "let Jupyter write the connection file, or put a secret text under \"key\"",
        ));
    }
    Ok(connection)
}
