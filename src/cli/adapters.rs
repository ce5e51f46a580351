#[derive(clap::Args)]
pub(super) struct AdaptersArgs {}
pub(super) fn run(_: &AdaptersArgs) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
