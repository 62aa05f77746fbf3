//! The command line of `scripts/book`.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use mydocker_book::{build, checkout, figures, messages, serve};

/// Builds the book in both languages into book/out, and what belongs to that
#[derive(Parser)]
#[command(name = "book", bin_name = "scripts/book", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Build both editions; also without a command
    Build,
    /// Build both editions, serve them, and build anew when a file changes
    Serve {
        /// The address to listen on; only programs on this machine reach the default
        #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
        hostname: String,
        /// The port to listen on; 0 takes any free one
        #[arg(long, default_value_t = 3000)]
        port: u16,
    },
    /// Record the figures anew, as root
    Figures,
    /// Update po/zh-CN.po after a change of the English text
    Messages,
}

fn main() -> ExitCode {
    // What mdbook does not like of a page.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
    match execute(Cli::parse().command.unwrap_or(Command::Build)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("book: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<()> {
    match command {
        Command::Build => {
            build::build(&build::destination())?;
            println!("built: book/out/index.html, book/out/zh-CN/index.html");
        }
        Command::Serve { hostname, port } => {
            build::build(&build::destination())?;
            serve::serve(&hostname, port)?;
        }
        Command::Figures => {
            for (name, recording) in figures::record::all()? {
                fs::write(checkout::book().join(format!("figures/{name}.json")), recording)?;
                println!("recorded: book/figures/{name}.json");
            }
        }
        Command::Messages => {
            messages::update()?;
            let missing = messages::missing()?;
            println!("po/zh-CN.po: {} messages to translate or to check", missing.len());
        }
    }
    Ok(())
}
