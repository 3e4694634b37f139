//! One file for each command. Only this module prints.

mod apply;
mod args;
mod check;
mod config;
mod crontab;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod error;
mod events;
mod exit;
mod first_process;
mod health;
mod link;
mod mute;
mod notify;
mod output;
mod plan;
mod run;
mod status;

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::error::ErrorKind;
#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, setrlimit, umask},
};

pub use args::command;
use args::{Command, arguments};
use error::CommandError;
use first_process::EndedBySignals;

use crate::{
    app::{App, Overrides, Settings},
    events::Event,
    settings::{Layers, user_folder},
    state::StateConfig,
    telemetry::{self, Filter, Format, Log, Stream},
};

/// A variable as text. Invalid UTF-8 becomes U+FFFD, which the settings reject where it is used.
fn in_text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
}

pub async fn main() -> ExitCode {
    keep_secrets();
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody reads a closed standard output.
            let _ = error.print();
            let is_help =
                matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if is_help { exit::OK } else { exit::USAGE });
        }
    };
    let environment = std::env::vars_os().filter_map(in_text).collect();
    let layers = Layers {
        config_file: arguments.settings.config,
        user_folder: user_folder(&environment, "XDG_CONFIG_HOME", ".config"),
        system_folder: Some(PathBuf::from("/etc/closte-sync")),
        wp_config: arguments.settings.wp_config,
        wp_config_places: Settings::wp_config_places(&environment),
        environment,
        overrides: arguments.settings.set,
    };
    match execute(arguments.command, &layers).await {
        Ok(status) => ExitCode::from(status),
        // The reader closed the pipe, as in `closte-sync events | head`.
        Err(CommandError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(exit::OK)
        }
        Err(error) => {
            print_error(&error);
            ExitCode::from(exit::ERROR)
        }
    }
}

fn print_error(error: &CommandError) {
    if !telemetry::is_journal() {
        return output::complain(&format!("{}: {error}\n", output::paint(output::BAD, "error")));
    }
    // Each line is an entry of its own; the prefix is its priority (sd-daemon(3)).
    for line in error.to_string().lines() {
        output::complain(&format!("<3>{line}\n"));
    }
}

/// Disables core dumps, and makes new files readable by this user only.
fn keep_secrets() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    // There is no fallback where the system refuses this.
    let _ = setrlimit(Resource::Core, nothing);
    #[cfg(target_os = "linux")]
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    umask(Mode::RWXG | Mode::RWXO);
}

async fn execute(command: Command, layers: &Layers) -> Result<u8, CommandError> {
    let is_daemon = matches!(command, Command::Run);
    let ended_by_signals = first_process::end_on_signals(is_daemon);
    if matches!(command, Command::Demo) {
        return demo().await;
    }
    if matches!(command, Command::Health) {
        return health::execute(&StateConfig::read_alone(layers).path);
    }
    let log = match is_daemon && first_process::is_first_process() {
        true => first_process::wait_for_files(layers).await,
        false => None,
    };
    let settings = match Settings::load(layers) {
        Ok(settings) => settings,
        Err(error) => match command {
            Command::Doctor { json } => return doctor::without_settings(&error, json),
            _ => return Err(error.into()),
        },
    };
    // On a terminal a progress bar replaces the log lines.
    let has_bar = matches!(command, Command::Apply { .. } | Command::Check { .. })
        && io::stderr().is_terminal();
    let filter = match command {
        Command::Apply { quiet: true, .. } => Filter::errors(),
        _ if has_bar => Filter::warnings(),
        _ => settings.log.filter.clone(),
    };
    let log = match log {
        Some(log) => {
            log.change(settings.log.format, &filter);
            log
        }
        None => telemetry::start(settings.log.format, &filter, Stream::Err),
    };
    let (format, state_file) = (settings.log.format, settings.state.path.clone());
    let done = carry_out(command, settings, layers, &log, ended_by_signals).await;
    match done.map_err(|error| error.with_state_file(state_file)) {
        // A JSON log must contain only JSON.
        Err(error)
            if is_daemon
                && format == Format::Json
                && tracing::enabled!(target: "closte_sync", tracing::Level::ERROR) =>
        {
            Event::Failed { error: error.to_string() }.log();
            Ok(exit::ERROR)
        }
        done => done,
    }
}

async fn carry_out(
    command: Command,
    settings: Settings,
    layers: &Layers,
    log: &Log,
    ended_by_signals: EndedBySignals,
) -> Result<u8, CommandError> {
    let app = |overrides| App::build(&settings, overrides);
    match command {
        Command::Run => {
            run::execute(app(Overrides::default()), layers, log, ended_by_signals).await
        }
        Command::Plan { json } => plan::execute(&app(Overrides::default()), json).await,
        Command::Apply { domain, check, quiet, allow_removals, create_record, json } => {
            let overrides =
                Overrides { allow_removals, named: domain, create_record, ..Overrides::default() };
            if check {
                crontab::execute(&app(overrides), quiet, json, ended_by_signals).await
            } else {
                apply::execute(&app(overrides), json, ended_by_signals).await
            }
        }
        Command::Status { domain, json } => status::execute(&settings, &domain, json).await,
        Command::Check { domain, json } => {
            check::execute(&app(Overrides::default()), &domain, json).await
        }
        Command::Events { domain, follow, lines, json } => {
            events::execute(&settings, domain.as_ref(), follow, lines, json).await
        }
        Command::Link { domain, rotate, json } => {
            link::execute(&settings, domain.as_ref(), rotate, json).await
        }
        Command::Mute { subject, lasts, because } => {
            mute::mute(&settings, &subject, lasts, because).await
        }
        Command::Unmute { subject } => mute::unmute(&settings, &subject).await,
        Command::Notify { test: _, target, json } => {
            notify::execute(&settings, target.as_deref(), json).await
        }
        Command::Health => health::execute(&settings.state.path),
        Command::Doctor { json } => doctor::execute(&app(Overrides::default()), json).await,
        Command::Config { json } => config::execute(&app(Overrides::default()), json).await,
        Command::Demo => demo().await,
    }
}

#[cfg(feature = "demo")]
async fn demo() -> Result<u8, CommandError> {
    demo::execute().await
}

/// Packages and images have no practice network.
#[cfg(not(feature = "demo"))]
async fn demo() -> Result<u8, CommandError> {
    output::complain(
        "the demo is not in this build: `cargo run --release -- demo` runs it from the source, without any \
         set-up\n",
    );
    Ok(exit::USAGE)
}
