//! Until the command line is there: `adapters` and `verify`.

use afterimage::cli::{adapters, verify};
use clap::Parser;

#[derive(Parser)]
enum Command {
    Adapters(adapters::AdaptersArgs),
    Verify(verify::VerifyArgs),
}

fn main() -> anyhow::Result<std::process::ExitCode> {
    match Command::parse() {
        Command::Adapters(args) => adapters::run(&args),
        Command::Verify(args) => verify::run(&args),
    }
}
