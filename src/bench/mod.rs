//! How fast this machine trains: named jobs, compared with ceilings measured in the same run.

mod ceiling;
mod jobs;
mod measure;
mod process;

pub use ceiling::{Ceilings, cpu_ceilings};
pub use jobs::{BenchJob, jobs, scale_jobs};
pub use measure::{Figures, measure};
pub use process::peak_bytes;
