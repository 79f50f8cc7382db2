//! The doors: one file a command. Only here: terminal, exit codes, environment, home folder.
