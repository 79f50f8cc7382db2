//! `ebb kernel install`: tells Jupyter about this program, in the user's folder or below a prefix.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use jupyter_protocol::JupyterKernelspec;

use crate::cli::arguments::Common;
use crate::cli::environment;
use crate::cli::exit::DONE;
use crate::cli::progress::Bars;
use crate::cli::screen::{Screen, Stream};
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::files;

/// What Jupyter calls the kernel's folder.
const NAME: &str = "ebb";

pub fn main(options: &ArgMatches) -> Result<u8> {
    let data = match options.get_one::<String>("prefix") {
        Some(prefix) => absolute(prefix)?.join("share").join("jupyter"),
        None => environment::jupyter_folder().ok_or_else(|| {
            Error::failed_with_hint(
                "the user's folder for Jupyter is not known: no home folder is set",
                "name a folder: ebb kernel install --prefix FOLDER",
            )
        })?,
    };
    let file = data.join("kernels").join(NAME).join("kernel.json");
    let text = serde_json::to_string_pretty(&specification(&Common::of(options))?)
        .map_err(|error| Error::failed(format!("the kernel's description: {error}")))?;
    files::write_bytes(&Roots::anywhere(), &file, format!("{text}\n").as_bytes())?;
    let screen = Screen::new(Stream::Out, Bars::new());
    screen.write(&format!("Jupyter knows the kernel `{NAME}` now: {}\n", file.display()));
    Ok(DONE)
}

/// How Jupyter starts the kernel: this program where it is now, with the permissions that were given.
fn specification(common: &Common) -> Result<JupyterKernelspec> {
    let program = std::env::current_exe()
        .map_err(|error| Error::failed(format!("where this program is: {error}")))?;
    let mut words = vec![program.display().to_string(), "kernel".to_string(), "run".to_string()];
    for (option, paths) in [
        ("--allow-read", &common.allow_read),
        ("--allow-write", &common.allow_write),
        ("--library", &common.library),
    ] {
        for path in paths {
            words.extend([option.to_string(), absolute(path)?.display().to_string()]);
        }
    }
    words.extend(common.narrowing());
    let numbers = [("--threads", common.threads.map(u64::from)), ("--memory", common.memory)];
    for (option, number) in numbers {
        if let Some(number) = number {
            words.extend([option.to_string(), number.to_string()]);
        }
    }
    if common.device != "auto" {
        words.extend(["--device".to_string(), common.device.clone()]);
    }
    words.push("{connection_file}".to_string());
    Ok(JupyterKernelspec {
        argv: words,
        display_name: "ebb".to_string(),
        language: "rhai".to_string(),
        metadata: Some(std::collections::HashMap::new()),
        // Messages reach the kernel on every system, and where it runs on another machine.
        interrupt_mode: Some("message".to_string()),
        env: Some(std::collections::HashMap::new()),
    })
}

fn absolute(path: &str) -> Result<PathBuf> {
    std::path::absolute(Path::new(path)).map_err(|error| Error::io("find", path, error))
}
