//! `afterimage completions`: shell completion scripts.

use clap::CommandFactory;
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(
    after_help = "Example: afterimage completions bash > ~/.local/share/bash-completion/completions/afterimage"
)]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "afterimage", &mut script);
    print_line!("{}", String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
