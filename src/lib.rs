//! Trains coordinate networks (x, y) -> colour to memorise pictures, on any GPU through wgpu or on
//! the CPU, with its own forward pass, backward pass and optimisers.
//!
//! | module | contents |
//! |---|---|
//! | [`picture`] | loading, saving, resizing pictures; PSNR and SSIM |
//! | [`config`] | a whole run as one value; defaults and checks |
//! | [`model`] | what is computed, as data: encoding, network, loss, optimiser, sample order |
//! | [`job`] | what a backend is given: the job, and the device |
//! | [`environment`] | environment variables about devices |
//! | [`causes`] | errors as one sentence |
//! | [`clock`] | the source of time |
//! | [`names`] | named values |
//! | [`backend`] | the CPU, or WGSL kernels on a GPU |
//! | [`trainer`] | the training loop |
//! | [`model_file`] | a trained network as a file |
//! | [`run`] | the run folder |
//! | [`compress`] | pictures as small files |
//! | [`compare`] | grids of runs and their results side by side |
//! | [`rates`] | compressed pictures beside those of other codecs |
//! | [`collect`] | a network for each of many pictures, in few files |
//! | [`render`] | a trained model as a picture of any size |
//! | [`mod@bench`] | how fast this machine trains |
//! | [`report`] | curves, strips, films |
//! | `cli` | the command line, with the feature of that name |
//!
//! Everything that may wait for a device is a future. [`block_on`] waits for one; in a browser the event loop drives
//! it, step by step with [`trainer::Trainer::advance`]. Below [`run`] no thread is started except those that compute,
//! no file is opened that was not named, and only [`job::DeviceOptions::from_env`] reads the environment.
//!
//! A training step runs in `Pass::train` of `backend/cpu/network.rs` on the CPU; on the GPU it is the plan recorded in
//! [`backend::gpu`].
//!
//! ```
//! use afterimage::{backend, block_on, config::Config, picture, trainer::{Position, Trainer}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = picture::load("assets/astronaut.png".as_ref())?;
//! let picture = std::sync::Arc::new(picture::resize(&file, 32, 32));
//! let config: Config = toml::from_str("training.epochs = 50\ndevice.backend = 'cpu'")?;
//! let run = config.resolve(&picture, None)?;
//! let job = run.job(picture.clone());
//! let mut backend = block_on(backend::open(&run.device, job, || run.initial_params()))?.backend;
//! let mut trainer = Trainer::new(&run, &picture, backend.as_mut(), Position::default());
//! block_on(trainer.run(&mut ()))?;
//! let result = block_on(trainer.evaluate(true))?;
//! assert!(result.train.psnr() > 20.0);
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("out.png");
//! picture::save_png(&result.picture.unwrap(), &path)?;
//! # Ok(())
//! # }
//! ```

// The command line names the library as other programs do.
#[cfg(feature = "cli")]
extern crate self as afterimage;

#[cfg(feature = "cli")]
#[macro_use]
mod output;

pub mod atomic_write;
pub mod backend;
pub mod bench;
pub mod causes;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod collect;
pub mod compare;
pub mod compress;
pub mod config;
pub mod environment;
pub mod export;
pub mod job;
pub mod model;
pub mod model_file;
pub mod names;
pub mod picture;
pub mod rates;
mod read_file;
pub mod render;
pub mod report;
pub mod run;
pub mod trainer;
pub mod tune;

/// Waits for a future on this thread: the simplest way to call async functions outside a browser.
pub use pollster::block_on;
