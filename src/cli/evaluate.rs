//! `ebb -e CODE`: evaluates a line or two, shows the value, and keeps nothing.

use std::rc::Rc;

use clap::ArgMatches;

use super::arguments::Common;
use super::exit::{DONE, FAILED, STOPPED, USAGE};
use super::host::{host, listen};
use super::progress::Bars;
use super::screen::{Screen, Stream};
use super::watch;
use crate::error::Error;
use crate::notebook::runner::{self, Desk};
use crate::plain;
use crate::script::engine::Session;

/// Evaluates the code as one cell; with `--json` its value goes to standard output as one line, all else to standard error.
pub fn main(code: &str, matches: &ArgMatches) -> u8 {
    let bars = Bars::new();
    let json = matches.get_flag("json");
    let stream = if json { Stream::Error } else { Stream::Out };
    let screen = Screen::new(stream, bars.clone());
    let refuse = |error: &Error, code: u8| {
        screen.remark(&screen.style().error(error));
        code
    };
    let host = match host(&Common::of(matches), &bars) {
        Ok(host) => Rc::new(host),
        Err(error) => return refuse(&error, USAGE),
    };
    watch::over_time(&host.control);
    let desk = Desk::new(Box::new(screen.clone()), None);
    listen(&host, &desk);
    let mut session = Session::new(host, "-e");
    let value = match runner::one(&mut session, &desk, "", code) {
        Ok(value) => value,
        Err(error) => {
            screen.remark(&screen.style().script_error(&error));
            return if error.interrupted { STOPPED } else { FAILED };
        }
    };
    let out = Screen::new(Stream::Out, bars);
    if json {
        match value.to_json() {
            Ok(value) => out.write(&format!("{}\n", plain::json(&value))),
            Err(error) => return refuse(&error, FAILED),
        }
    }
    match out.trouble().or_else(|| screen.trouble()) {
        Some(error) => refuse(&error, FAILED),
        None => DONE,
    }
}
