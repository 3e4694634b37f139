//! The face: one file a command. Printing happens only here.

mod apply;
mod check;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod events;
mod health;
mod output;
mod plan;
mod run;
mod status;

use std::{
    collections::HashSet,
    ffi::OsString,
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, CommandFactory as _, Parser, Subcommand, error::ErrorKind};
#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, setrlimit, umask},
};
use thiserror::Error;

use crate::{
    app::Settings,
    checks::{CheckInterval, Checker, RootsError, Scheduler},
    clock::Clock,
    closte::{AppId, Client, ClosteError},
    domain::DomainName,
    escape::escape_line,
    events::Event,
    http::AdminServerError,
    ledger::BackOff,
    plan::Policy,
    reconciler::{CycleError, Rules, SyncPolicy},
    settings::{Layers, SettingsError},
    state::{State, StateConfig, StateError},
    telemetry::{self, Filter, Format, Log, Stream},
    wordpress::{Source, SourceError},
};

#[cfg(feature = "demo")]
const START: &str = "Start with `closte-sync demo`, then `closte-sync doctor`.";
#[cfg(not(feature = "demo"))]
const START: &str = "Start with `closte-sync doctor`.";

const AFTER: &str = "\
Files:
  /etc/closte-sync/config.toml
          Settings, unless --config names another file
  wp-config.php
          The database, the table prefix and the key, where nothing else sets them
  /var/lib/closte-sync/closte-sync.db
          The state, unless $STATE_DIRECTORY or state.url names another place

Environment:
  CLOSTE_CLIENT_API_KEY
          The key, by the name that wp-config.php has for it
  WORDPRESS_DB_HOST, …_USER, …_PASSWORD, …_NAME, WORDPRESS_TABLE_PREFIX
          The database, by the names of the official WordPress image
  CLOSTE_SYNC__SECTION__KEY
          Any setting, such as CLOSTE_SYNC__SYNC__INTERVAL=1m
  …_FILE
          Each of them, with the name of a file that holds the value
  NO_COLOR
          No colours, also on a terminal

`closte-sync config` shows every setting and where its value came from.";

/// Keeps the domains of an Ultimate Multisite network and its Closte app the same.
#[derive(Debug, Parser)]
#[command(name = "closte-sync", version, max_term_width = 80)]
#[command(after_help = START, after_long_help = AFTER)]
struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct SettingsArguments {
    /// The configuration file [default: /etc/closte-sync/config.toml where it exists]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The network's wp-config.php [default: the first of ./, ../, /var/www/html/,
    /// /home/$CLOSTE_APP_ID/public_html/ and ~/public_html/ that has one]
    #[arg(long, value_name = "FILE", global = true)]
    wp_config: Option<PathBuf>,
    /// Set one setting, as in --set sync.interval=1m; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon, which adds and removes domains until it is stopped
    Run,
    /// Show what a cycle would do, changing nothing anywhere
    ///
    /// Exit status: 0 nothing to do, 2 something to do, 1 error.
    Plan {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run one cycle now
    ///
    /// It may be run beside the daemon. Exit status: 0 all done, 3 done in part or held, 1 error.
    Apply {
        /// Try these at once, even those that were refused or are not due yet
        domain: Vec<DomainName>,
        /// Let removals through, once, that are held because they are so many
        #[arg(long)]
        allow_removals: bool,
        /// Write the domain record of this domain's site now, also a second time
        #[arg(long, value_name = "DOMAIN")]
        create_record: Option<DomainName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show every domain and whether it works, from the state database
    Status {
        /// Only these
        domain: Vec<DomainName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check every domain from outside now and explain what is wrong
    ///
    /// It may be run beside the daemon. Exit status: 0 all work, 3 some do not, 1 error.
    Check {
        /// Only these; they need not be mapped yet
        domain: Vec<DomainName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what happened, newest last
    Events {
        /// Only what is about this domain
        domain: Option<DomainName>,
        /// Go on with what happens, until stopped
        #[arg(long, short)]
        follow: bool,
        /// How many to begin with
        #[arg(long, short = 'n', default_value_t = 50)]
        lines: u32,
        /// Print JSON, an object a line
        #[arg(long)]
        json: bool,
    },
    /// Say whether the daemon is alive, for a container's health check
    ///
    /// Exit status: 0 alive, 1 not.
    Health,
    /// Try everything that must work, and name the remedy for what does not
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the settings in force and where each came from, secrets masked
    Config {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the whole job on a practice network: no account, no set-up
    #[cfg(feature = "demo")]
    Demo,
}

fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Why a command failed.
#[derive(Debug, Error)]
enum CommandError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{}: {error}", file.display())]
    StateFile { file: PathBuf, error: StateError },
    #[error(transparent)]
    Cycle(#[from] CycleError),
    #[error(transparent)]
    Closte(#[from] ClosteError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    AdminServer(#[from] AdminServerError),
    #[error(
        "{} neither desired by the network nor managed, so nothing was done: see Network Admin > \
         Ultimate Multisite > Domains, sync.extra_domains and sync.exclude (names below closte.com are \
         Closte's own)",
        are(.0)
    )]
    Strangers(Vec<DomainName>),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    #[cfg(feature = "demo")]
    #[error("the practice network: {0}")]
    Practice(#[from] sqlx::Error),
}

impl CommandError {
    /// Says which file it is about, where that is the state database.
    fn with_state_file(self, file: PathBuf) -> Self {
        match self {
            Self::State(error) | Self::Cycle(CycleError::State(error)) => {
                Self::StateFile { file, error }
            }
            other => other,
        }
    }
}

/// `a.example is`, `a.example, b.example are`.
fn are(names: &[DomainName]) -> String {
    let listed = names.iter().map(DomainName::as_str).collect::<Vec<_>>().join(", ");
    format!("{listed} {}", if names.len() == 1 { "is" } else { "are" })
}

/// A variable as text. One that is none must be refused where it is used, and not passed over.
fn in_text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
}

/// The exit statuses of DESIGN: a script can tell them apart.
mod exit {
    pub(super) const OK: u8 = 0;
    pub(super) const ERROR: u8 = 1;
    pub(super) const SOMETHING_TO_DO: u8 = 2;
    pub(super) const DONE_IN_PART: u8 = 3;
    pub(super) const USAGE: u8 = 64;
}

/// The commands and their flags, for the man page and the shells' completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command that the process was started with.
pub async fn main() -> ExitCode {
    keep_secrets();
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed standard output is no reason to say more.
            let _ = error.print();
            let is_help =
                matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if is_help { exit::OK } else { exit::USAGE });
        }
    };
    let environment = std::env::vars_os().filter_map(in_text).collect();
    let layers = Layers {
        config_file: arguments.settings.config,
        system_folder: Some(PathBuf::from("/etc/closte-sync")),
        wp_config: arguments.settings.wp_config,
        wp_config_places: Settings::wp_config_places(&environment),
        environment,
        overrides: arguments.settings.set,
    };
    match execute(arguments.command, &layers).await {
        Ok(status) => ExitCode::from(status),
        // The reader has seen enough, as in `closte-sync events | head`.
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
    // It takes every line for itself; the prefix says how much it matters (sd-daemon(3)).
    for line in error.to_string().lines() {
        output::complain(&format!("<3>{line}\n"));
    }
}

/// The command line. An error repeats parts of it: those of one in which nothing is hidden.
fn arguments() -> Result<Arguments, clap::Error> {
    Arguments::try_parse().map_err(|error| {
        let visible = std::env::args_os()
            .map(|argument| escape_line(&argument.to_string_lossy()).into_owned());
        Arguments::try_parse_from(visible).err().unwrap_or(error)
    })
}

/// Neither a core dump nor another user's eye gets what this process holds in memory or writes.
fn keep_secrets() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    // Where the system does not allow it, there is nothing better to do.
    let _ = setrlimit(Resource::Core, nothing);
    #[cfg(target_os = "linux")]
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    umask(Mode::RWXG | Mode::RWXO);
}

async fn execute(command: Command, layers: &Layers) -> Result<u8, CommandError> {
    #[cfg(feature = "demo")]
    if matches!(command, Command::Demo) {
        return demo::execute().await;
    }
    if matches!(command, Command::Health) {
        return health::execute(&StateConfig::read_alone(layers).path);
    }
    let settings = match Settings::load(layers) {
        Ok(settings) => settings,
        Err(error) => match command {
            Command::Doctor { json } => return doctor::without_settings(&error, json),
            _ => return Err(error.into()),
        },
    };
    // On a terminal a progress bar tells what the many lines would.
    let has_bar = matches!(command, Command::Apply { .. } | Command::Check { .. })
        && io::stderr().is_terminal();
    let filter = if has_bar { Filter::warnings() } else { settings.log.filter.clone() };
    let log = telemetry::start(settings.log.format, &filter, Stream::Err);
    let (format, state_file) = (settings.log.format, settings.state.path.clone());
    let is_daemon = matches!(command, Command::Run);
    let done = carry_out(command, settings, layers, &log).await;
    match done.map_err(|error| error.with_state_file(state_file)) {
        // Programs that read the log have no use for plain lines in it; a log that is off has no readers.
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
) -> Result<u8, CommandError> {
    match command {
        Command::Run => run::execute(settings, layers, log).await,
        Command::Plan { json } => plan::execute(&settings, json).await,
        Command::Apply { domain, allow_removals, create_record, json } => {
            apply::execute(&settings, domain, allow_removals, create_record, json).await
        }
        Command::Status { domain, json } => status::execute(&settings, &domain, json).await,
        Command::Check { domain, json } => check::execute(&settings, &domain, json).await,
        Command::Events { domain, follow, lines, json } => {
            events::execute(&settings, domain.as_ref(), follow, lines, json).await
        }
        Command::Health => health::execute(&settings.state.path),
        Command::Doctor { json } => doctor::execute(&settings, json).await,
        Command::Config { json } => config::execute(&settings, json).await,
        #[cfg(feature = "demo")]
        Command::Demo => demo::execute().await,
    }
}

/// The second loop, as the settings would have it.
fn clock(
    settings: &Settings,
    state: &State,
    pace: CheckInterval,
    clock: Clock,
) -> Result<Scheduler, RootsError> {
    let checks = Checker::new(settings.checks.options.clone())?;
    let concurrency = settings.checks.concurrency;
    let (state, panel) = (state.clone(), panel(settings));
    let attention_after = settings.checks.attention_after;
    Ok(Scheduler::new(checks, state, attention_after, panel, pace, concurrency, clock))
}

/// Closte's page for the app's domains, if the app is known.
fn panel(settings: &Settings) -> Option<String> {
    settings.closte.app_id.as_ref().map(AppId::domains_page)
}

/// Both ends, as the settings name them.
struct Clients {
    source: Source,
    closte: Client,
    account: String,
    rules: Rules,
}

impl Clients {
    fn of(settings: &Settings, allow_removals: bool) -> Result<Self, CommandError> {
        let (key, source) = match (settings.api_key(), source(settings)) {
            (Ok(key), Ok(source)) => (key.clone(), source),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error.into()),
            (Err(one), Err(other)) => return Err(one.and(other).into()),
        };
        let closte = &settings.closte;
        Ok(Self {
            source,
            account: key.fingerprint(&closte.base_url),
            closte: Client::new(closte.base_url.clone(), key, closte.timeout, closte.concurrency)?,
            rules: rules(settings, allow_removals),
        })
    }
}

fn source(settings: &Settings) -> Result<Source, SettingsError> {
    let wordpress = &settings.wordpress;
    let database = settings.database()?.clone();
    let source = Source::new(database, wordpress.table_prefix.clone(), wordpress.network_id);
    Ok(source
        .with_most_rows(wordpress.max_rows)
        .with_current_site(wordpress.current_site())
        .with_primary_network(wordpress.primary_network_id, wordpress.network_doubts()))
}

fn rules(settings: &Settings, allow_removals: bool) -> Rules {
    let sync = &settings.sync;
    Rules {
        policy: Policy {
            upsert_only: sync.policy == SyncPolicy::UpsertOnly,
            removal_grace: sync.removal_grace,
            max_removal_percent: sync.max_removal_percent,
            keep: sync.keep.clone(),
            exclude: sync.exclude.clone(),
            back_off: BackOff::default(),
            allow_removals,
            named: HashSet::new(),
        },
        extra_domains: sync.extra_domains.clone(),
        create_records: settings.wordpress.create_domain_records,
        record_grace: sync.record_grace,
        record_asked_for: None,
        list_interval: settings.closte.list_interval,
        concurrency: settings.closte.concurrency,
        www: sync.www,
        request_certificate_after: settings.checks.request_certificate_after,
    }
}
