//! What a run leaves on the disk.

pub mod model_file;
