//! Trains coordinate networks (x, y) -> colour to memorise pictures.

pub mod atomic_write;
pub mod backend;
pub mod model;
pub mod picture;
pub mod report;
pub mod run;
