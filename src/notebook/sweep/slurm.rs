//! A sweep as a Slurm job array: a batch script that people can read, in which each element of the array does its part of the
//! sweep's runs, stops before its time is over, and goes on in a later life.

use crate::error::{Error, Result};

/// Seconds before the time limit at which an element is told to stop.
const BEFORE: u32 = 120;
/// How often an element that ran out of time goes on by itself.
const LIVES: u32 = 3;

/// What is asked of Slurm: the options of sbatch by name, and how the array is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `partition`, `time`, `gres`, … as sbatch takes them; an empty value is a flag.
    pub options: Vec<(String, String)>,
    /// Elements that may run at once.
    pub at_once: Option<u32>,
    /// Elements in all, where they are to be fewer than the runs.
    pub elements: Option<usize>,
    pub before: Option<u32>,
}

/// Options that the script sets itself.
const OURS: [&str; 8] =
    ["array", "job-name", "output", "error", "open-mode", "requeue", "no-requeue", "chdir"];

impl Settings {
    /// Reads `partition=short,time=1:00:00,gres=gpu:1,array=20%5,signal=60`: `array` is the number of elements, how many at
    /// once behind `%`, or both; `signal` the seconds before the time limit.
    pub fn parse(typed: &str) -> Result<Self> {
        let mut settings = Self::default();
        for piece in typed.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let wrong = |expected: &str| {
                Error::invalid(format!("`{name}` of --slurm"), expected, format!("{value:?}"))
            };
            match name {
                "array" => {
                    let (elements, at_once) = value.split_once('%').unwrap_or((value, ""));
                    let expected = "a number of elements, %N for how many at once, or both: 20%5";
                    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0);
                    settings.elements = match elements {
                        "" => None,
                        text => Some(number(text).ok_or_else(|| wrong(expected))? as usize),
                    };
                    settings.at_once = match at_once {
                        "" => None,
                        text => Some(number(text).ok_or_else(|| wrong(expected))?),
                    };
                }
                "signal" => {
                    let seconds =
                        value.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
                    settings.before =
                        Some(seconds.ok_or_else(|| wrong("seconds before the time limit"))?);
                }
                _ => settings.add(name, value)?,
            }
        }
        Ok(settings)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<()> {
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        // They stand in lines of a shell script, which a value must not leave.
        let is_plain =
            value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/=+*@[]&|()".contains(c));
        if !is_name || OURS.contains(&name) {
            let why = if is_name { "is set by the sweep itself" } else { "is no option of sbatch" };
            return Err(Error::failed(format!("`{name}` of --slurm {why}")));
        }
        if !is_plain {
            return Err(Error::invalid(
                format!("`{name}` of --slurm"),
                "letters, digits and signs such as - : / =",
                format!("{value:?}"),
            ));
        }
        self.options.push((name.to_string(), value.to_string()));
        Ok(())
    }
}

/// Into how many parts the runs are cut: one each, fewer where Slurm takes no array of so many elements or fewer are asked
/// for.
pub fn parts(runs: usize, settings: &Settings, largest: usize) -> usize {
    runs.min(settings.elements.unwrap_or(runs)).min(largest).max(1)
}

/// What an element does: the words behind `ebb`, but for its part.
pub struct Work<'a> {
    pub name: &'a str,
    pub program: &'a str,
    /// The working folder, and the folder that the elements' logs go to.
    pub folder: &'a str,
    pub logs: &'a str,
    /// `sweep SCRIPT --sweep-dir …`.
    pub words: &'a [String],
}

/// The batch script of an array of `parts` elements.
pub fn script(work: &Work, settings: &Settings, parts: usize) -> String {
    let at_once = settings.at_once.map_or(String::new(), |count| format!("%{count}"));
    let mut lines = vec![
        "#!/bin/bash".to_string(),
        "# A sweep of ebb. Each element of the array does its part of the runs, one after another."
            .to_string(),
        format!("#SBATCH --job-name={}", job_name(work.name)),
        format!("#SBATCH --array=0-{}{at_once}", parts.saturating_sub(1)),
        format!("#SBATCH --chdir={}", directive(work.folder)),
        format!("#SBATCH --output={}/%A_%a.log", directive(work.logs)),
        "#SBATCH --open-mode=append".to_string(),
        "#SBATCH --requeue".to_string(),
        format!("#SBATCH --signal=B:USR1@{}", settings.before.unwrap_or(BEFORE)),
    ];
    for (name, value) in &settings.options {
        let value = if value.is_empty() { String::new() } else { format!("={value}") };
        lines.push(format!("#SBATCH --{name}{value}"));
    }
    let words: Vec<String> = work.words.iter().map(|word| quoted(word)).collect();
    lines.push(format!(
        "
# Shortly before the time limit the run under way is stopped: it keeps a checkpoint, and this element queues itself again,
# {LIVES} times at most. A preempted or lost element is queued again by Slurm. What is done stays done.
stop() {{ kill -INT \"$worker\" 2>/dev/null; wait \"$worker\"; }}
again() {{
    stop
    if [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {LIVES} ]; then
        scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"
    fi
    exit 0
}}
trap again USR1
trap 'stop; exit 143' TERM INT

{} {} \"--part=${{SLURM_ARRAY_TASK_ID}}/{parts}\" &
worker=$!
wait \"$worker\"",
        quoted(work.program),
        words.join(" ")
    ));
    lines.join("\n") + "\n"
}

/// A name that stands in the queue.
fn job_name(name: &str) -> String {
    let plain =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    format!("ebb-{}", plain.take(60).collect::<String>())
}

/// A path in a line of directives, which Slurm reads with quotes and without a shell.
fn directive(path: &str) -> String {
    if path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) {
        path.to_string()
    } else {
        format!("\"{}\"", path.replace(['"', '\n', '\r', '\\'], "_"))
    }
}

/// A word as the shell takes it for itself.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The places of the runs that a part has: `2/5` has every fifth from the third.
pub fn of_part(typed: &str, runs: usize) -> Result<Vec<usize>> {
    let wrong =
        || Error::invalid("--part", "a part and how many there are: 0/5", format!("{typed:?}"));
    let (part, parts) = typed.split_once('/').ok_or_else(wrong)?;
    let (part, parts): (usize, usize) =
        (part.parse().map_err(|_| wrong())?, parts.parse().map_err(|_| wrong())?);
    if part >= parts {
        return Err(wrong());
    }
    Ok((part..runs).step_by(parts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_what_would_leave_their_line_is_refused() {
        let settings = Settings::parse(
            "partition=short, time=1:00:00,gres=gpu:1,array=20%5,exclusive,signal=60",
        )
        .unwrap();
        assert_eq!(settings.options.len(), 4);
        assert_eq!(
            (settings.elements, settings.at_once, settings.before),
            (Some(20), Some(5), Some(60))
        );
        assert_eq!(Settings::parse("array=%3").unwrap().at_once, Some(3));
        for wrong in [
            "time=1\n#SBATCH",
            "array=0",
            "array=x",
            "output=x",
            "time=`id`",
            "signal=0",
            "Time=1",
            "wckey=a b",
        ] {
            assert!(Settings::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_script_can_be_read_and_its_words_are_quoted() {
        let settings = Settings::parse("partition=short,array=%2").unwrap();
        let words = ["sweep", "it's x.rhai", "--sweep-dir", "sweeps/x"].map(str::to_string);
        let work = Work {
            name: "a b",
            program: "/bin/ebb",
            folder: "/home/a b",
            logs: "/home/logs",
            words: &words,
        };
        let text = script(&work, &settings, 4);
        for line in [
            "#SBATCH --job-name=ebb-a-b\n",
            "#SBATCH --array=0-3%2\n",
            "#SBATCH --chdir=\"/home/a b\"\n",
            "#SBATCH --partition=short\n",
            "#SBATCH --signal=B:USR1@120\n",
            "/bin/ebb sweep 'it'\\''s x.rhai' --sweep-dir sweeps/x \"--part=${SLURM_ARRAY_TASK_ID}/4\" &\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn parts_are_no_more_than_slurm_takes_and_every_run_is_in_one() {
        let settings = Settings::default();
        assert_eq!(
            (parts(100, &settings, 1001), parts(100, &settings, 30), parts(0, &settings, 30)),
            (100, 30, 1)
        );
        assert_eq!(parts(100, &Settings::parse("array=7").unwrap(), 1001), 7);
        let mut all: Vec<usize> =
            (0..7).flat_map(|part| of_part(&format!("{part}/7"), 20).unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
        assert!(of_part("7/7", 20).is_err() && of_part("x", 20).is_err());
    }
}
