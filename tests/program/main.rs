//! The program as a user runs it, and the files that it writes and reads.
//!
//! One program for all of them, since linking takes longer than most tests.

mod bench;
mod blocks;
mod budget;
mod cli;
mod collect;
mod colours;
mod compare;
mod compress;
mod disk;
mod eval;
mod export;
mod export_page;
mod film;
mod grid;
mod hdr;
mod hostile;
mod inputs;
mod inspect;
mod keep;
mod mask;
mod muon;
#[cfg(unix)]
mod one_process;
mod pages;
mod refinements;
mod render;
mod render_limits;
mod resume;
mod running;
mod sampling;
mod scale;
mod scripts;
#[cfg(target_os = "linux")]
mod signals;
mod simple;
#[cfg(target_os = "linux")]
mod streams;
mod tiny_cuda_nn;
mod unfinished;

#[path = "../common/exported.rs"]
mod exported;
#[path = "../common/models.rs"]
mod models;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/rendering.rs"]
mod rendering;
#[path = "../common/runs.rs"]
mod runs;
#[path = "../common/simple_pictures.rs"]
mod simple_pictures;
#[path = "../common/skip.rs"]
mod skip;
#[path = "../common/small.rs"]
mod small;
