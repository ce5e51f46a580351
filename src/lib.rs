//! Trains coordinate networks (x, y) -> colour to memorise pictures.

pub mod backend;
pub mod cli;
pub mod model;
pub mod picture;
