//! The command line: one file a subcommand.

pub mod adapters;
pub mod verify;
