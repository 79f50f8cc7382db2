//! `ebb sweep … --slurm SETTINGS`: the sweep as a job array of Slurm, submitted, followed and gathered. Nothing but sbatch, squeue,
//! scontrol and the shared file system is used; what is known of a job stands in the sweep's folder.

use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use crate::control::Control;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::sweep::slurm::{self, Settings, Work};
use crate::{files, place};

/// The folder of scripts and logs, and the file that names the job.
const FOLDER: &str = "slurm";
const JOB: &str = "job";
/// How often the queue is asked.
const EVERY: Duration = Duration::from_secs(2);
/// Elements of an array where Slurm does not say how many it takes.
const LARGEST: usize = 1000;

/// A sweep's part in Slurm.
pub struct Array<'a> {
    pub sweep: &'a Path,
    pub roots: &'a Roots,
    pub control: &'a Control,
    pub settings: Settings,
    pub name: &'a str,
    /// What an element's `ebb` is given, but for its part.
    pub words: Vec<String>,
    pub working_folder: &'a Path,
}

impl Array<'_> {
    /// The batch script for so many runs.
    pub fn script(&self, runs: usize, largest: usize) -> Result<(String, usize)> {
        let parts = slurm::parts(runs, &self.settings, largest);
        let program =
            std::env::current_exe().map_err(|error| Error::io("find", "the program", error))?;
        let logs = self.working_folder.join(self.sweep).join(FOLDER);
        let work = Work {
            name: self.name,
            program: &program.to_string_lossy(),
            folder: &self.working_folder.to_string_lossy(),
            logs: &logs.to_string_lossy(),
            words: &self.words,
        };
        Ok((slurm::script(&work, &self.settings, parts), parts))
    }

    /// The job that is under way for this sweep, if there is one.
    ///
    /// # Errors
    /// Where Slurm does not answer: then it is not known, and a second array would do everything twice.
    pub fn job(&self) -> Result<Option<String>> {
        let sweep = Roots::really(self.sweep);
        let text = Roots::below(&sweep).text(&sweep.join(FOLDER).join(JOB));
        let job = text.map_or_else(|_| String::new(), |text| text.trim().to_string());
        if job.is_empty() || !job.chars().all(|digit| digit.is_ascii_digit()) {
            return Ok(None);
        }
        Ok((queued(&job)? > 0).then_some(job))
    }

    /// Submits the array; where Slurm takes no array of that many elements, one of half as many.
    pub fn submit(&self, runs: usize) -> Result<String> {
        let folder = self.sweep.join(FOLDER);
        place::folder(self.roots, &folder)?;
        let mut largest = largest_array();
        loop {
            let (script, parts) = self.script(runs, largest)?;
            let path = folder.join("sweep.sh");
            files::write_bytes(self.roots, &path, script.as_bytes())?;
            let submitted =
                told("sbatch", &["--parsable".to_string(), path.to_string_lossy().to_string()]);
            match submitted {
                Ok(text) => {
                    let job = text.trim().split(';').next().unwrap_or_default().to_string();
                    files::write_bytes(
                        self.roots,
                        &folder.join(JOB),
                        format!("{job}\n").as_bytes(),
                    )?;
                    return Ok(job);
                }
                // The limits of a user or of a partition are in no place that can be asked.
                Err(error) if parts > 1 && is_limit(&error) => largest = parts / 2,
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the job has left the queue; `done` says how many runs are done.
    pub fn follow(&self, job: &str, total: usize, done: impl Fn() -> usize) -> Result<()> {
        let mut progress = self.control.begin("sweep", total as u64, "runs");
        progress.resumed(done() as u64);
        let mut unknown = 0;
        loop {
            self.control.check()?;
            match queued(job) {
                Ok(0) => {
                    progress.update(done() as u64, "");
                    return Ok(());
                }
                Ok(count) => {
                    unknown = 0;
                    progress.update(
                        done() as u64,
                        &format!("{count} elements of job {job} in the queue"),
                    );
                }
                // A controller that is away for a while comes back.
                Err(error) => {
                    unknown += 1;
                    if unknown > 30 {
                        return Err(error);
                    }
                }
            }
            for _ in 0..EVERY.as_millis() / 50 {
                self.control.check()?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn is_limit(error: &Error) -> bool {
    let text = error.to_string();
    ["Invalid job array", "MaxArraySize", "limit", "Limit"].iter().any(|word| text.contains(word))
}

/// Elements of a job that are in the queue, running ones too.
fn queued(job: &str) -> Result<usize> {
    let words = ["--noheader", "--array", "--jobs", job, "--format", "%T"].map(str::to_string);
    match told("squeue", &words) {
        Ok(text) => Ok(text.lines().filter(|line| !line.trim().is_empty()).count()),
        // Long after its end the controller has forgotten a job.
        Err(error) if error.to_string().contains("Invalid job id") => Ok(0),
        Err(error) => Err(error),
    }
}

/// One less than the array size that Slurm says is its largest.
fn largest_array() -> usize {
    let config = told("scontrol", &["show".to_string(), "config".to_string()]).unwrap_or_default();
    let line = config.lines().find(|line| line.starts_with("MaxArraySize"));
    let size = line.and_then(|line| line.split_once('=')?.1.trim().parse::<usize>().ok());
    size.map_or(LARGEST, |size| size.saturating_sub(1).max(1))
}

/// What a program of Slurm's prints.
fn told(program: &str, words: &[String]) -> Result<String> {
    let output = Process::new(program).args(words).output().map_err(|error| {
        Error::failed_with_hint(
            format!("{program} cannot be started: {error}"),
            "--slurm is for machines from which Slurm takes jobs; --dry-run shows the batch script anywhere",
        )
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).to_string());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_string();
    Err(Error::failed(format!("{program} refused: {why}")))
}
