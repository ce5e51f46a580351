//! What runs on a GPU, or on a software driver: kernels one by one, whole steps, and the program's runs.
//!
//! One program for all of them, since linking takes longer than most tests.

mod cli;
mod conformance;
mod errors;
mod export;
#[cfg(feature = "faults")]
mod faults;
mod fused;
mod grid;
mod huge;
mod measuring;
mod muon;
mod networks;
mod reflection;
#[cfg(feature = "faults")]
mod refused;
mod render;
mod run;
mod streaming;
mod training;

#[cfg(not(feature = "faults"))]
#[path = "no_faults.rs"]
mod faults;

mod device;
#[path = "../common/exported.rs"]
mod exported;
mod job;
mod lockstep;
#[path = "../common/models.rs"]
mod models;
#[path = "../common/program.rs"]
#[cfg_attr(not(feature = "faults"), expect(dead_code, reason = "only what failed is resumed"))]
mod program;
#[path = "../common/runs.rs"]
#[expect(dead_code, reason = "the undisturbed run is the CPU's")]
mod runs;
#[path = "../common/simple_pictures.rs"]
mod simple_pictures;
#[path = "../common/skip.rs"]
mod skip;
