//! The command line: one file per subcommand.

#[cfg(feature = "gpu")]
mod adapters;
mod bench;
mod collect;
mod compare;
mod completions;
mod compress;
mod compressed;
mod display;
mod eval;
mod export;
mod film;
mod inspect;
mod model;
mod render;
mod signals;
mod stdio;
mod train;
#[cfg(feature = "gpu")]
mod verify;

use crate::output::{finish, harmless, written};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about, propagate_version = true, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Memorise a picture with a coordinate network
    Train(Box<train::TrainArgs>),
    /// Compare encodings, sizes and optimisers on pictures, side by side
    Compare(Box<compare::CompareArgs>),
    Render(render::RenderArgs),
    Eval(eval::EvalArgs),
    Inspect(inspect::InspectArgs),
    Compress(compress::CompressArgs),
    Film(film::FilmArgs),
    Export(Box<export::ExportArgs>),
    #[cfg(feature = "gpu")]
    /// List the GPU adapters of this machine
    Adapters(adapters::AdaptersArgs),
    #[cfg(feature = "gpu")]
    /// Check on this machine that every kernel computes correctly
    Verify(verify::VerifyArgs),
    /// Train a network for each of many pictures, into few files with an index
    Collect(Box<collect::CollectArgs>),
    Bench(bench::BenchArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// The program: parses the command line, of which the first argument is the program's name, runs it, and prints the
/// error. It takes over signals and the log, so it is called once in a process.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    finish(run(args).unwrap_or_else(|error| match error.downcast_ref::<signals::Stopped>() {
        Some(stopped) => {
            eprint_line!("{stopped}");
            signals::exit_code()
        }
        None => {
            eprint_line!("error: {error:#}");
            ExitCode::FAILURE
        }
    }))
}

fn run(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return Ok(explain(&error)),
    };
    let level = match &cli.command {
        Command::Train(args) => args.verbosity.log_level(),
        Command::Compare(args) => args.verbosity.log_level(),
        Command::Collect(args) => args.verbosity.log_level(),
        _ => "warn",
    };
    // Logs of graphics drivers and wgpu are only useful to their developers.
    let filter = format!("off,afterimage={level}");
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(filter))
        .format(|out, record| {
            let text = record.args().to_string();
            let (level, style) = (record.level(), out.default_level_style(record.level()));
            writeln!(out, "[{style}{level:<5}{style:#} {}] {}", record.target(), harmless(&text))
        })
        .init();
    match cli.command {
        Command::Train(args) => train::run(*args),
        Command::Compare(args) => compare::run(*args),
        Command::Render(args) => render::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Compress(args) => compress::run(&args),
        Command::Film(args) => film::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        #[cfg(feature = "gpu")]
        Command::Adapters(args) => adapters::run(&args),
        #[cfg(feature = "gpu")]
        Command::Verify(args) => verify::run(&args),
        Command::Collect(args) => collect::run(*args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Prints the help or the version, or what is wrong with the command line.
fn explain(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        // An argument may be the name of a file.
        eprint_line!("{}", error.render().to_string().trim_end());
        return ExitCode::from(2);
    }
    written(error.print());
    ExitCode::SUCCESS
}
