//! `stablekey completions`.

use super::CommandFailure;
use super::complete::{self, SHELLS};
use super::output::Output;
use crate::near_miss::what_there_is;
use clap::Args;
use std::path::Path;

/// Print the script that completes commands and names in a shell
///
/// Completes commands, options, and the tenants, stable keys, integrations, steps and components of the project at hand,
/// also after -C DIR. The shells are bash, zsh, fish, powershell and elvish; kubectl is for the plugin `kubectl
/// stablekey`. Write the line of your shell into its start-up file:
///
///   source <(stablekey completions bash)    # ~/.bashrc
///   source <(stablekey completions zsh)     # ~/.zshrc, after compinit
///   stablekey completions fish | source     # ~/.config/fish/config.fish
///   stablekey completions powershell | Out-String | Invoke-Expression
///
/// Examples:
///   stablekey completions bash
///   stablekey completions kubectl
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    /// The shell: bash, zsh, fish, powershell, elvish, or kubectl
    #[arg(value_name = "SHELL")]
    shell: String,
}

impl Completions {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let name = self.shell.to_ascii_lowercase();
        let Some(shell) = SHELLS.completer(&name) else {
            let message = format!("there is no shell {}", self.shell);
            return Err(CommandFailure::new(message, what_there_is(&name, SHELLS.names())));
        };
        let script = complete::script(shell, &program())
            .map_err(|error| CommandFailure::new(format!("the script cannot be written: {error}"), "report it"))?;
        output.bytes(&script)?;
        Ok(0)
    }
}

/// How the shell finds the program: by its name where the shell found it so, else by its path.
fn program() -> String {
    let typed = std::env::args_os().next().unwrap_or_default();
    let typed = Path::new(&typed);
    if typed.components().count() < 2 {
        return "stablekey".to_string();
    }
    let whole = std::env::current_dir().map(|folder| folder.join(typed));
    whole.as_deref().unwrap_or(typed).display().to_string()
}
