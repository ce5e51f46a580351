//! How fast this machine trains: named jobs, compared with ceilings measured in the same run.
//!
//! | module | what is in it |
//! |---|---|
//! | `jobs` | what is measured: networks, pictures, batches, and their floating-point operations |
//! | `measure` | milliseconds a step, and what follows from them |
//! | `process` | memory and processor time that the process has used |
//! | `ceiling` | what the machine can do at all: multiply-adds or a matrix product, a copy |

mod ceiling;
mod jobs;
mod measure;
mod process;

pub use ceiling::{Ceilings, cpu_ceilings};
pub use jobs::{BenchJob, Work, jobs, scale_jobs};
pub use measure::{Figures, measure};
pub use process::peak_bytes;
