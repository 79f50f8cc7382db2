//! The page in a bundle for whoever has no ebb: what it is, how it is run, what is inside and what must be fetched.

use serde_json::Value;

use super::layout::{EXPECTED, FILES, LIBRARY};
use super::manifest::Manifest;
use crate::plain;

/// What the page says of the run, in words.
pub struct About {
    pub title: String,
    /// Pairs such as "status" and "done".
    pub facts: Vec<(String, String)>,
}

/// The page as Markdown.
pub fn page(manifest: &Manifest, about: &About) -> String {
    let title = if about.title.is_empty() { &manifest.script } else { &about.title };
    let mut out = format!("# {}\n\n", plain_text(title));
    out.push_str(&format!(
        "This is a bundle of ebb {}: the script {}, what it reads, and what came of it when it was run. It is a plain zip \
         archive; nothing in it is compressed or hidden. `manifest.json` says the same as this page, for programs.\n\n",
        plain_text(&manifest.ebb),
        code(&manifest.script)
    ));
    out.push_str(&how(manifest));
    out.push_str("## The run\n\n| what | |\n| --- | --- |\n");
    for (name, value) in &about.facts {
        out.push_str(&format!("| {} | {} |\n", plain_text(name), code(value)));
    }
    for (name, value) in &manifest.parameters {
        out.push_str(&format!("| parameter {} | {} |\n", code(name), code(&typed(value))));
    }
    out.push_str(&inside(manifest));
    out.push_str(&besides(manifest));
    out
}

fn how(manifest: &Manifest) -> String {
    let given = manifest.parameters.iter();
    let given = given.map(|(name, value)| format!(" --{name} {}", quoted(&typed(value))));
    let given: String = given.collect();
    let given = plain::one_line(&given);
    let seed = if manifest.parameters.contains_key("seed") {
        String::new()
    } else {
        format!(" --seed {}", manifest.first_seed)
    };
    let has_library = manifest.entries.iter().any(|entry| entry.name.starts_with(LIBRARY));
    let library = if has_library { format!(" --library ../{LIBRARY}") } else { String::new() };
    format!(
        "## How to run it\n\nWith the archive as `x.ebb`:\n\n```\nebb verify x.ebb    # runs it again and says whether the results are the same\n\
         ebb run x.ebb       # runs it, with these parameters unless others are given\n```\n\nBoth unpack it into the folder `x`; the \
         script may read and write in `x/{FILES}` and nowhere else. Unpacked with any other program, the same is:\n\n```\ncd {FILES}\n\
         ebb run {}{given}{seed}{library}\n```\n\nWithout ebb: `{FILES}` holds the script and its inputs as text and tables, and \
         `{EXPECTED}report.html` shows in a browser what every cell gave.\n\n",
        plain::one_line(&quoted(&manifest.script)).replace('`', "'")
    )
}

fn inside(manifest: &Manifest) -> String {
    let mut out = format!(
        "\n## What is inside\n\n`{FILES}` is the folder that the script is run in, `{EXPECTED}` the run as it was kept: \
         `run.json` says with what it was run, `outputs.jsonl` and `outputs/` hold what its cells showed, `metrics.jsonl` what \
         it logged.\n\n| file | bytes | sha256 |\n| --- | --- | --- |\n"
    );
    for entry in &manifest.entries {
        let (name, hash) = (code(&entry.name), code(&entry.sha256));
        out.push_str(&format!("| {name} | {} | {hash} |\n", entry.bytes));
    }
    out
}

fn besides(manifest: &Manifest) -> String {
    let mut out = "\n## What must be fetched\n\n".to_string();
    if manifest.place.is_empty() && manifest.fetch.is_empty() {
        out.push_str("Nothing.\n");
    }
    for file in &manifest.place {
        out.push_str(&format!(
            "- a file to be put at {}: {} bytes, sha256 {}\n",
            code(&file.path),
            file.bytes,
            code(&file.sha256)
        ));
    }
    let hash = |hash: &Option<String>| match hash {
        Some(hash) => format!(" (sha256 {})", code(hash)),
        None => String::new(),
    };
    for thing in &manifest.fetch {
        let (name, hash) = (code(&thing.name), hash(&thing.sha256));
        out.push_str(&format!(
            "- {name}{hash}: ebb fetches it by itself, or takes it from the Hub's cache\n"
        ));
    }
    if !manifest.shipped.is_empty() {
        out.push_str("\nThese come with ebb:\n\n");
    }
    for thing in &manifest.shipped {
        out.push_str(&format!("- {}{}\n", code(&thing.name), hash(&thing.sha256)));
    }
    out
}

/// A parameter's value as one types it.
fn typed(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-/+,=:@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Text of others as code in Markdown, also within a table: nothing in it ends the code, the cell or the line.
fn code(text: &str) -> String {
    format!("`{}`", plain::one_line(text).replace('`', "'").replace('|', "\\|"))
}

/// Text of others as text in Markdown.
fn plain_text(text: &str) -> String {
    let mut out = String::new();
    for sign in plain::one_line(text).chars() {
        if "\\`*_[]<>|#&".contains(sign) {
            out.push('\\');
        }
        out.push(sign);
    }
    out
}
