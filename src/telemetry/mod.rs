//! The log: one line for each event, for people (`text`) or programs (`json`).
//!
//! A line is the time, the level, the event's stable name and its fields. `log.filter` applies to this
//! program's modules only; libraries log warnings and errors, because the debug output of an HTTP
//! library can hold the API key.

mod config;
mod journal;

pub use config::LogConfig;
pub use journal::is_connected as is_journal;

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, IsTerminal as _, Write as _},
    str::FromStr,
};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    filter::Targets,
    layer::{Context, Layer, Layered, SubscriberExt as _},
    registry::Registry,
    reload,
    util::SubscriberInitExt as _,
};

use crate::escape::{escape_json, escape_line, is_hidden};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-23T13:02:11.123Z INFO  domain.added domain=shop.example blog_id=2`
    Text,
    /// One JSON object a line.
    Json,
}

/// A level (`off`, `error`, `warn`, `info`, `debug`, `trace`), then optional levels for single modules
/// of this program: `info,closte_sync::closte=debug`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Targets);

impl Filter {
    /// Warnings and errors of all modules.
    pub fn warnings() -> Self {
        Self(Targets::new().with_default(LevelFilter::WARN))
    }

    /// Errors of this program.
    pub fn errors() -> Self {
        Self(Targets::new().with_target("closte_sync", LevelFilter::ERROR))
    }
}

/// Not a valid [`Filter`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "a log filter is a level (off, error, warn, info, debug, trace), or levels for single modules, as in info,closte_sync::closte=debug"
)]
pub struct InvalidFilter;

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let mut targets = Targets::new().with_default(LevelFilter::WARN);
        for part in text.split(',').map(str::trim) {
            let (target, level) = part.split_once('=').unwrap_or(("closte_sync", part));
            let of_ours = target == "closte_sync" || target.starts_with("closte_sync::");
            let level = level_named(level.trim()).filter(|_| of_ours).ok_or(InvalidFilter)?;
            targets = targets.with_target(target, level);
        }
        Ok(Self(targets))
    }
}

/// Stricter than `tracing`'s own parser, which accepts numbers and an empty text.
fn level_named(name: &str) -> Option<LevelFilter> {
    Some(match name.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, for `demo`.
    Out,
    /// Standard error.
    Err,
}

/// The registry with the filter.
type Filtered = Layered<reload::Layer<Targets, Registry>, Registry>;

/// A handle of the running log.
pub struct Log {
    filter: reload::Handle<Targets, Registry>,
    output: reload::Handle<Output, Filtered>,
    stream: Stream,
}

impl Log {
    /// Replaces the format and the filter.
    pub fn change(&self, format: Format, filter: &Filter) {
        // Fails only where another log was started first; that one stays as it is.
        let _ = self.filter.reload(filter.0.clone());
        let _ = self.output.reload(Output::new(format, self.stream));
    }
}

/// Starts the log of this process. It goes to systemd's journal where standard error is connected to
/// it. Colours go only to a terminal, and never under `NO_COLOR`.
pub fn start(format: Format, filter: &Filter, stream: Stream) -> Log {
    let (filter, filter_handle) = reload::Layer::new(filter.0.clone());
    let (output, output_handle) = reload::Layer::new(Output::new(format, stream));
    // Fails only where another log was started first; that one stays.
    let _ = tracing_subscriber::registry().with(filter).with(output).try_init();
    Log { filter: filter_handle, output: output_handle, stream }
}

struct Output {
    format: Format,
    stream: Stream,
    has_colours: bool,
    is_journal: bool,
}

impl Output {
    fn new(format: Format, stream: Stream) -> Self {
        let is_terminal = match stream {
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        };
        let may_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            format,
            stream,
            has_colours: format == Format::Text && is_terminal && may_colour,
            is_journal: stream == Stream::Err && journal::is_connected(),
        }
    }
}

impl<S: Subscriber> Layer<S> for Output {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line { at: Timestamp::now(), metadata: event.metadata(), fields: fields.0 };
        if self.is_journal && journal::send(&line, self.format) {
            return;
        }
        let mut text = match self.format {
            Format::Text => line.text(self.has_colours),
            Format::Json => line.json(),
        };
        text.push('\n');
        // There is no other place to report a failed write.
        let _ = match self.stream {
            Stream::Out => io::stdout().write_all(text.as_bytes()),
            Stream::Err => io::stderr().write_all(text.as_bytes()),
        };
    }
}

struct Line<'a> {
    at: Timestamp,
    metadata: &'a Metadata<'a>,
    fields: Vec<(&'static str, Value)>,
}

impl Line<'_> {
    /// The event's stable name; for events of libraries, the module.
    fn name(&self) -> &str {
        let name = self.metadata.name();
        if name.starts_with("event ") { self.metadata.target() } else { name }
    }

    fn text(&self, has_colours: bool) -> String {
        let style = match *self.metadata.level() {
            _ if !has_colours => Style::new(),
            Level::ERROR => AnsiColor::Red.on_default().bold(),
            Level::WARN => AnsiColor::Yellow.on_default(),
            Level::INFO => AnsiColor::Green.on_default(),
            _ => Style::new().dimmed(),
        };
        let level = self.metadata.level().as_str();
        format!("{:.3} {style}{level:5}{style:#} {}", self.at, self.message())
    }

    fn message(&self) -> String {
        let mut text = self.name().to_owned();
        for (key, value) in &self.fields {
            // Writing to a string does not fail.
            let _ = write_field(&mut text, key, value);
        }
        text
    }

    /// Hidden characters are escaped as in JSON, so that the values stay the same.
    fn json(&self) -> String {
        let mut text = format!(
            r#"{{"time":"{:.3}","level":"{}","event":{}"#,
            self.at,
            self.metadata.level(),
            Value::from(self.name()),
        );
        for (key, value) in &self.fields {
            text.push_str(&format!(",{}:{value}", Value::from(*key)));
        }
        text.push('}');
        escape_json(&text).into_owned()
    }
}

/// Writes ` key=value`: quoted unless it is one word, with hidden characters escaped.
pub(crate) fn write_field(writer: &mut impl fmt::Write, key: &str, value: &Value) -> fmt::Result {
    let text = plain(value);
    if key == "message" {
        write!(writer, " {}", escape_line(&text))
    } else if is_one_word(&text) {
        write!(writer, " {key}={text}")
    } else {
        write!(writer, " {key}={}", escape_line(&format!("{text:?}")))
    }
}

fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", ").into(),
        other => other.to_string().into(),
    }
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| !c.is_whitespace() && !is_hidden(c) && !"\"=\\".contains(c))
}

#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Fails only if the value's own formatting does.
        let _ = write!(text, "{value:?}");
        self.0.push((field.name(), text.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), value.into()));
    }

    /// [`crate::events::Event`] passes its fields as JSON.
    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        let text = || String::from_utf8_lossy(value).into();
        self.0.push((field.name(), serde_json::from_slice(value).unwrap_or_else(|_| text())));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_never_apply_to_libraries() {
        for good in
            ["info", "DEBUG", "off", "warn,closte_sync::closte=trace", " info , closte_sync=debug"]
        {
            assert!(good.parse::<Filter>().is_ok(), "{good}");
        }
        for bad in
            ["", "loud", "3", "hyper=trace", "info,reqwest=debug", "closte_syncx=info", "info,"]
        {
            assert_eq!(bad.parse::<Filter>(), Err(InvalidFilter), "{bad}");
        }
        let Filter(targets) = "trace".parse().unwrap();
        assert!(targets.would_enable("closte_sync::reconciler", &Level::TRACE));
        assert!(!targets.would_enable("hyper::proto", &Level::INFO));
    }

    #[test]
    fn a_value_cannot_break_the_line() {
        let mut line = String::new();
        let values = [
            "plain",
            "two words",
            "",
            "a\nERROR forged=1",
            "quo\"te",
            "\u{1b}[31mred",
            "a\u{202e}b",
        ];
        for value in values {
            write_field(&mut line, "k", &value.into()).unwrap();
        }
        write_field(&mut line, "k", &serde_json::json!(["\u{9b}\u{2028}", "b", 3])).unwrap();
        assert_eq!(
            line,
            concat!(
                r#" k=plain k="two words" k="" k="a\nERROR forged=1" k="quo\"te" k="\u{1b}[31mred""#,
                r#" k="a\u{202e}b" k="\u{9b}\u{2028}, b, 3""#
            )
        );
    }
}
