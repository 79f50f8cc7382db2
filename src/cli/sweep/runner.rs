//! The runs of a sweep on this machine: each in a process of its own, some at a time.

use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use super::asked::{Asked, shared, status};
use crate::cli::signals;
use crate::control::Control;
use crate::doorway::Roots;
use crate::error::{Error, Result};
use crate::notebook::sweep::plan::{self, Task};
use crate::{files, memory};

/// How often the runs under way are looked at.
const EVERY: Duration = Duration::from_millis(20);
/// How long runs that are asked to stop may take to save what they have.
const PATIENCE: Duration = Duration::from_secs(30);

/// The runs of a sweep under way.
pub struct Runner<'a> {
    pub asked: &'a Asked,
    pub roots: &'a Roots,
    pub control: &'a Control,
    pub under_way: Vec<Child>,
}

impl Runner<'_> {
    /// Runs tasks, some at a time, until all are through or the user wants to stop.
    pub fn run(mut self, mut left: Vec<(Task, bool)>, done: usize) -> Result<()> {
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
                // Another command may have begun it meanwhile.
                let now = status(&self.asked.folder, &task);
                if now == "running" || now == "done" {
                    through += 1;
                    continue;
                }
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
        let (common, jobs) = (&self.asked.common, self.asked.jobs);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = common.threads.map_or_else(|| (cores / jobs).max(1), usize::from);
        let mut words = shared(common);
        words.push(format!("--threads={threads}"));
        if let Some(limit) = memory::limit() {
            words.push(format!("--memory={}", limit / jobs as u64));
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
