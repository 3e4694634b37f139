//! Values as people write them.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use jiff::{SignedDuration, SpanRelativeTo};

use super::SyncPolicy;
use crate::{
    domain::{CLOSTES_OWN, DomainName, InvalidDomain},
    reconciler::Www,
    telemetry::Format,
};

/// The value of a setting, read from text, with what it should look like if it is wrong.
pub(super) struct NetworkId(pub(super) i64);

impl FromStr for NetworkId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().filter(|id| *id > 0).map(Self).ok_or("it must be a number from 1 on")
    }
}

impl FromStr for SyncPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sync" => Ok(Self::Sync),
            "upsert-only" => Ok(Self::UpsertOnly),
            _ => Err("it must be \"sync\" or \"upsert-only\""),
        }
    }
}

impl FromStr for Www {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "plugin" => Ok(Self::Plugin),
            "always" => Ok(Self::Always),
            "main_only" => Ok(Self::MainOnly),
            _ => Err("it must be \"off\", \"plugin\", \"always\" or \"main_only\""),
        }
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it must be \"text\" or \"json\""),
        }
    }
}

/// One of `sync.extra_domains`.
pub(super) struct ExtraDomain(pub(super) DomainName);

impl FromStr for ExtraDomain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: DomainName = text.parse().map_err(|error: InvalidDomain| error.to_string())?;
        if name.is_clostes_own() { Err(CLOSTES_OWN.to_owned()) } else { Ok(Self(name)) }
    }
}

pub(super) struct StateUrl(pub(super) PathBuf);

impl FromStr for StateUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        match path {
            // An address of another make may hold a password, and would be shown as a path.
            Some(path) if !path.is_empty() && !path.contains("://") => {
                Ok(Self(PathBuf::from(path)))
            }
            _ => Err(
                "it must be sqlite: and a path, as in sqlite:/var/lib/closte-sync/closte-sync.db",
            ),
        }
    }
}

/// Longer ones are slips of the pen, and could not be added to a time.
const LONGEST_SPAN: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A duration: `30s`, `5m`, `1h30m`, `500ms`, or a bare number of seconds.
pub(super) struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHY: &str = "it must be a duration: 30s, 5m, 1h30m, or a number of seconds";
        let span: SignedDuration = match text.parse::<f64>() {
            Ok(seconds) => SignedDuration::try_from_secs_f64(seconds).map_err(|_| WHY)?,
            Err(_) => {
                let span: jiff::Span = text.parse().map_err(|_| WHY)?;
                span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| WHY)?
            }
        };
        let span: Duration = span.try_into().map_err(|_| WHY)?;
        if span <= LONGEST_SPAN { Ok(Self(span)) } else { Err("it must not be longer than a year") }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(span) => write!(f, "{span:#}"),
            Err(_) => write!(f, "{} s", self.0.as_secs()),
        }
    }
}
