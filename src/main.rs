//! The `roster` program: reads the command line and calls the library.

use clap::Parser;
use roster::cli::{Cli, run};
use roster::output::{CODE_OF_CLOSED, Closed};
use std::process::ExitCode;

/// It gives memory back after a burst; glibc's keeps what its arenas once held.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Reads FAILPOINTS; without the feature there is nothing to read and nothing to stop at.
    let _failpoints = fail::FailScenario::setup();
    match run(Cli::parse(), std::env::vars().collect()) {
        Ok(code) => code,
        Err(error) if error.is::<Closed>() => ExitCode::from(CODE_OF_CLOSED),
        Err(error) => {
            // One line: what failed, then why.
            eprintln!("roster: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}
