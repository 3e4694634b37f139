//! The commands and their flags.

use std::{path::PathBuf, time::Duration};

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use super::mute::MuteSubject;
use crate::{domain::DomainName, escape::escape_line, settings::parse_duration};

#[cfg(feature = "demo")]
const START: &str = "Start with `closte-sync demo`, then `closte-sync doctor`.";
#[cfg(not(feature = "demo"))]
const START: &str = "Start with `closte-sync doctor`.";

const AFTER: &str = "\
Files:
  /etc/closte-sync/config.toml
          Settings, unless --config names another file
  ~/.config/closte-sync/
          The same for a user without root, instead of /etc/closte-sync/, where
          it exists; in $XDG_CONFIG_HOME if that is set
  wp-config.php
          The database, the table prefix and the key, where nothing else sets them
  /var/lib/closte-sync/closte-sync.db
          The state, unless $STATE_DIRECTORY or state.url names another place
  ~/.local/state/closte-sync/closte-sync.db
          The state of a user who cannot write there; in $XDG_STATE_HOME if that
          is set

Environment:
  CLOSTE_CLIENT_API_KEY
          The key, under its name in wp-config.php
  WORDPRESS_DB_HOST, …_USER, …_PASSWORD, …_NAME, WORDPRESS_TABLE_PREFIX
          The database, under the names that the official WordPress image uses
  CLOSTE_SYNC__SECTION__KEY
          Any setting, such as CLOSTE_SYNC__SYNC__INTERVAL=1m
  …_FILE
          Each of these, as the path of a file that holds the value
  NO_COLOR
          No colours, even on a terminal

`closte-sync config` shows every setting and where its value came from.";

/// Keeps the domains of an Ultimate Multisite network and its Closte app the same.
#[derive(Debug, Parser)]
#[command(name = "closte-sync", version, max_term_width = 80)]
#[command(after_help = START, after_long_help = AFTER)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) settings: SettingsArguments,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct SettingsArguments {
    /// The configuration file [default: ~/.config/closte-sync/config.toml or
    /// /etc/closte-sync/config.toml where one exists]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// The network's wp-config.php [default: the first of ./, ../,
    /// /home/$CLOSTE_APP_ID/public_html/, ~/public_html/ and /var/www/html/ that has one]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) wp_config: Option<PathBuf>,
    /// Set one setting, as in --set sync.interval=1m; may be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = key_and_value)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
    /// The daemon may be running. Exit status: 0 all done, 3 done in part or held, 1 error, 75 with
    /// --check where another closte-sync is at it.
    Apply {
        /// Try these now, even those that Closte refused or that are not due yet
        domain: Vec<DomainName>,
        /// Do what the daemon does, once: a cycle, the checks and notifications that are due
        ///
        /// For a crontab. It does nothing while a daemon or another of its kind runs.
        #[arg(long)]
        check: bool,
        /// Print only what has changed, and what somebody must act on
        #[arg(long, short, requires = "check", conflicts_with = "json")]
        quiet: bool,
        /// Carry out removals that are held because there are so many, this once
        #[arg(long)]
        allow_removals: bool,
        /// Write the domain record of this domain's site now, even if one was deleted
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
    /// The daemon may be running. Exit status: 0 all work, 3 some do not, 1 error.
    Check {
        /// Only these; they need not be mapped yet
        domain: Vec<DomainName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what happened, newest last
    Events {
        /// Only the events of this domain
        domain: Option<DomainName>,
        /// Keep printing new events until interrupted
        #[arg(long, short)]
        follow: bool,
        /// How many past events to print first
        #[arg(long, short = 'n', default_value_t = 50)]
        lines: u32,
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
    /// Print a link to the page of one domain, for the customer
    ///
    /// It works for 30 days, shows nothing else of the network, and begins with http.public_url.
    Link {
        /// The domain
        #[arg(required_unless_present = "rotate")]
        domain: Option<DomainName>,
        /// End all earlier links and all logins first
        #[arg(long)]
        rotate: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell nobody of a domain, or of anything, for a while
    ///
    /// What is still wrong afterwards is told then. `closte-sync status` shows what is muted.
    Mute {
        /// A domain, or all
        #[arg(value_name = "DOMAIN|all", value_parser = MuteSubject::parse)]
        subject: MuteSubject,
        /// For how long, such as 2h
        #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
        lasts: Duration,
        /// Why, for those who ask
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
    },
    /// End a mute
    Unmute {
        /// A domain, or all
        #[arg(value_name = "DOMAIN|all", value_parser = MuteSubject::parse)]
        subject: MuteSubject,
    },
    /// Send a test message to the targets of notifications
    ///
    /// Exit status: 0 all accepted it, 1 not.
    Notify {
        /// Send it
        #[arg(long, required = true)]
        test: bool,
        /// Only to this one
        target: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether the daemon is alive, for a container's health check
    ///
    /// Exit status: 0 alive, 1 not.
    Health,
    /// Test everything that the daemon needs, and say how to fix what fails
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
    /// Show everything on a practice network: no account, no set-up
    #[cfg_attr(not(feature = "demo"), command(hide = true))]
    Demo,
}

fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// For the man page and the shells' completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Parses the command line. Hidden characters are escaped in an error, which repeats parts of it.
pub(super) fn arguments() -> Result<Arguments, clap::Error> {
    Arguments::try_parse().map_err(|error| {
        let visible = std::env::args_os()
            .map(|argument| escape_line(&argument.to_string_lossy()).into_owned());
        Arguments::try_parse_from(visible).err().unwrap_or(error)
    })
}
