//! The library without the program: formulas, gradients, pictures, and which module imports which.
//!
//! One program for all of them, since linking takes longer than most tests.

mod colours;
mod exr_and_radiance_files;
mod fits;
mod golden;
mod gradients;
mod imports;
mod jpeg_files;
mod memory;
mod picture_files;
mod picture_formats;
mod positions;
mod properties;
mod report_outputs;
mod run_model_file;
mod same_bits;
mod several_pictures;
mod tiff_files;
