//! Sweeps: a script run once for every combination of its parameters, each in a run folder of its own, and what came of
//! them all gathered into one table and one page.

pub mod gather;
pub mod plan;
pub mod slurm;
pub mod student;
pub mod table;
