//! Writes what a package has beside the program and the unit files: the man pages, the shells'
//! completions, and the configuration file in which every setting is commented out. The settings are
//! those of the program's catalog.
//!
//! `cargo run --no-default-features --example package-files FOLDER`

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap_complete::{Shell, generate_to};
use clap_mangen::roff::{Inline, Roff, bold, roman};
use closte_sync::settings::{SettingSpec, catalog};

fn main() -> io::Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("name the folder to write to"))?;
    write_man_pages(&folder.join("man"))?;
    write_completions(&folder.join("completions"))?;
    fs::write(folder.join("config.toml"), configuration_file())
}

fn write_man_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(closte_sync::cli::command(), folder)?;
    fs::write(folder.join("closte-sync.5"), settings_page().render())
}

fn write_completions(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut closte_sync::cli::command(), "closte-sync", folder)?;
    }
    Ok(())
}

/// closte-sync(5): every setting, its default and what it does.
fn settings_page() -> Roff {
    let mut page = Roff::new();
    let source = concat!("closte-sync ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["closte-sync", "5", "", source]);
    // No names of settings broken over lines, as they are copied.
    page.control("nh", []);
    page.control("ad", ["l"]);
    page.control("SH", ["NAME"]);
    page.text([roman("closte-sync - the settings of closte-sync")]);
    page.control("SH", ["DESCRIPTION"]);
    let paragraphs = catalog().head.split(|line| line.is_empty());
    for (number, paragraph) in paragraphs.enumerate() {
        if number > 0 {
            page.control("PP", []);
        }
        page.text([roman(paragraph.join(" "))]);
    }
    let mut section = "";
    for setting in &catalog().settings {
        let (its_section, name) = setting.section_and_name();
        if its_section != section {
            section = its_section;
            page.control("SH", [format!("[{section}]").as_str()]);
        }
        let default = roman(format!(" = {}", setting.default));
        entry(&mut page, vec![bold(name), default], &setting.summary());
        write_details(&mut page, setting);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("closte-sync"), roman("(1)")]);
    page
}

fn entry(page: &mut Roff, term: Vec<Inline>, text: &str) {
    page.control("TP", []);
    page.text(term);
    page.text([roman(text)]);
}

/// The details of a setting: sentences, and below them, indented, words with their meaning.
fn write_details(page: &mut Roff, setting: &SettingSpec) {
    let mut words: Vec<(&str, String)> = Vec::new();
    let mut sentences = Vec::new();
    for line in setting.details() {
        let text = line.trim_start();
        match (line.len() - text.len(), words.last_mut()) {
            (0, _) => sentences.push(text),
            (2, _) => {
                let (word, meaning) = text.split_once("  ").unwrap_or((text, ""));
                words.push((word, meaning.trim_start().to_owned()));
            }
            (_, Some((_, meaning))) => *meaning += &format!(" {text}"),
            (_, None) => sentences.push(text),
        }
    }
    if !sentences.is_empty() {
        page.control("IP", []);
        page.text([roman(sentences.join(" "))]);
    }
    if !words.is_empty() {
        page.control("RS", []);
        for (word, meaning) in words {
            entry(page, vec![bold(word)], &meaning);
        }
        page.control("RE", []);
    }
}

/// The defaults with a `#` before each setting: what nobody changes here stays with the program.
fn configuration_file() -> String {
    let comment = |line: &&str| format!("# {line}").trim_end().to_owned() + "\n";
    let mut text =
        "# /etc/closte-sync/config.toml: what is not set here has the value that is shown.\n\
         # Secrets do not belong here; see closte-sync(1).\n\n"
            .to_owned();
    text.extend(catalog().head.iter().map(comment));
    let mut section = "";
    for setting in &catalog().settings {
        let (its_section, name) = setting.section_and_name();
        if its_section != section {
            section = its_section;
            text += &format!("\n[{section}]\n");
        }
        text.extend(setting.comment.iter().map(comment));
        text += &format!("#{name} = {}\n", setting.default);
    }
    text
}
