//! Writes what a package has beside the program and the unit files: the man pages, the shells'
//! completions, and the configuration file in which every setting is commented out.
//!
//! `cargo run --no-default-features --example package-files FOLDER`

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap_complete::{Shell, generate_to};

const DEFAULTS: &str = include_str!("../config/default.toml");

fn main() -> io::Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("name the folder to write to"))?;
    write_man_pages(&folder.join("man"))?;
    write_completions(&folder.join("completions"))?;
    fs::write(folder.join("config.toml"), commented_out(DEFAULTS))
}

fn write_man_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(closte_sync::cli::command(), folder)
}

fn write_completions(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut closte_sync::cli::command(), "closte-sync", folder)?;
    }
    Ok(())
}

/// The defaults with a `#` before each setting: what nobody changes here stays with the program.
fn commented_out(defaults: &str) -> String {
    let mut text =
        "# /etc/closte-sync/config.toml: what is not set here has the value that is shown.\n\
                    # Secrets do not belong here; see closte-sync(1).\n\n"
            .to_owned();
    for line in defaults.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            text.push('#');
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}
