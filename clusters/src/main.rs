//! The program `stablekey-clusters`; see the library.

#![allow(clippy::print_stderr)]

use clap::{Parser, Subcommand};
use stablekey_clusters::{Error, Options, child, supervisor, us_eu};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Real Kubernetes control planes, for tests and to try things on.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one cluster until standard input ends; print its address as a line of JSON
    Serve {
        /// Name of the cluster, and of its context in the kubeconfig
        #[arg(long, default_value = "local")]
        name: String,
        /// Folder of kube-apiserver, etcd and kubectl; built if absent
        #[arg(long)]
        binaries: Option<PathBuf>,
        /// Also run those controllers of kube-controller-manager that work without nodes
        #[arg(long)]
        controllers: bool,
        /// Additional flag for kube-apiserver
        #[arg(long = "apiserver-flag", allow_hyphen_values = true)]
        apiserver_flags: Vec<String>,
    },
    /// Execute a program that is killed when its parent ends
    #[command(hide = true)]
    Child {
        parent: i32,
        program: OsString,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run two clusters with examples/us-eu in them, until Ctrl-C
    UsEu,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve { name, binaries, controllers, apiserver_flags } => {
            return supervisor::serve(&Options { name, controllers, apiserver_flags }, binaries);
        }
        Command::Child { parent, program, arguments } => Err(Error::Io {
            what: program.to_string_lossy().into_owned(),
            cause: child::become_server(parent, &program, &arguments),
        }),
        Command::UsEu => us_eu::run_until_stopped(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
