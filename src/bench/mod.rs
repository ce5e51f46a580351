//! How fast this machine trains: named jobs, compared with ceilings measured in the same run.
//!
//! | module | contents |
//! |---|---|
//! | `jobs` | the jobs: networks, pictures, batches, and their floating-point operations |
//! | `measure` | milliseconds per step, and derived figures |
//! | `process` | memory and processor time used by the process |
//! | `ceiling` | the machine's peak: multiply-adds or a matrix product, a copy |

mod ceiling;
mod jobs;
mod measure;
mod process;

pub use ceiling::{Ceilings, cpu_ceilings};
pub use jobs::{BenchJob, jobs, scale_jobs};
pub use measure::{Figures, measure};
pub use process::peak_bytes;
