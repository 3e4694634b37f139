//! How things look on the screen.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    span::span_between,
    standing::SslObservation,
    state::{Looked, Rejected},
};

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const FAIR: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const STRONG: Style = Style::new().bold();

/// Prints text. Its colours go only to a terminal, and never under `NO_COLOR`.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

pub(super) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    text.push('\n');
    print(&text)
}

/// The text in a style.
pub(super) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The width of the terminal; none where there is no terminal, and so no edge.
pub(super) fn width() -> Option<u16> {
    console::Term::stdout().size_checked().map(|(_, columns)| columns)
}

/// A bar on a terminal, nothing elsewhere. It appears with the first of the things.
pub(super) fn progress_bar(things: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = format!("{{bar:40}} {{pos}} of {{len}} {things}, {{eta}} to go");
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The text under a heading of its own column, wrapped to the terminal.
pub(super) fn under(heading: &str, text: &str) -> String {
    let indent = " ".repeat(heading.chars().count());
    let Some(columns) = width() else {
        return format!("{heading}{text}\n");
    };
    let options = textwrap::Options::new(columns.max(40).into())
        .initial_indent(heading)
        .subsequent_indent(&indent)
        .break_words(false);
    format!("{}\n", textwrap::fill(text, options))
}

/// How long ago something was.
pub(super) fn since(at: Timestamp, now: Timestamp) -> String {
    span_between(at, now)
}

/// How long it is to something.
pub(super) fn until(at: Timestamp, now: Timestamp) -> String {
    span_between(now, at)
}

/// What a handshake showed, with the days that are left.
pub(super) fn ssl_json(ssl: &SslObservation, now: Timestamp) -> Value {
    let mut value = json!(ssl);
    if let (Some(fields), Some(certificate)) = (value.as_object_mut(), &ssl.certificate) {
        fields.insert("days_left".to_owned(), json!(certificate.days_left(now)));
    }
    value
}

/// When Closte was asked for a certificate last, and what it said.
pub(super) fn request_json(looked: &Looked) -> Value {
    let request = looked.request.as_ref();
    json!(request.map(|(at, answer)| json!({"at": at, "answer": answer})))
}

/// `1 name`, `2 names`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// How a row that is no domain name is shown.
pub(super) fn rejected_line(one: &Rejected) -> String {
    format!("! {} {:?}  rejected: {}", one.origin, one.value, one.reason)
}
