//! Styles, wrapping and JSON of what the commands print.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    escape::{escape, escape_json},
    span::span_between,
    state::{CheckedDomain, InvalidRow},
    status::{RowState, SslResult},
};

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const FAIR: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const STRONG: Style = Style::new().bold();

/// Marks each escape sequence of our own: all others are escaped. Unicode reserves this
/// character for internal use by programs.
const OURS: char = '\u{fdd0}';
/// All escape sequences that our styles are made of.
const SEQUENCES: [&str; 6] =
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// Prints to standard output. Colours go only to a terminal, and never under `NO_COLOR`.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(visible(text).as_bytes())?;
    out.flush()
}

/// Prints to standard error. Failures are ignored: there is no other place to report them.
pub(super) fn complain(text: &str) {
    let _ = anstream::stderr().lock().write_all(visible(text).as_bytes());
}

pub(super) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    print(&format!("{}\n", escape_json(&text)))
}

pub(super) fn json_line(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    Ok(format!("{}\n", escape_json(&text)))
}

pub(super) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    let ours = |sequence: String| sequence.replace('\u{1b}', &format!("{OURS}\u{1b}"));
    format!("{}{text}{}", ours(style.to_string()), ours(format!("{style:#}")))
}

/// Escapes every hidden character, except for line breaks and our own styles.
fn visible(text: &str) -> String {
    let mut pieces = text.split(OURS);
    let mut visible = escape(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let sequence =
            SEQUENCES.iter().find_map(|ours| piece.strip_prefix(ours).map(|rest| (ours, rest)));
        let (sequence, rest) = sequence.map_or(("", piece), |(ours, rest)| (*ours, rest));
        visible.push_str(sequence);
        visible.push_str(&escape(rest));
    }
    visible
}

/// The width of the terminal in columns; none where standard output is not a terminal.
pub(super) fn width() -> Option<u16> {
    console::Term::stdout().size_checked().map(|(_, columns)| columns)
}

/// Shown only on a terminal, from the first step on.
pub(super) fn progress_bar(things: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = format!("{{bar:40}} {{pos}} of {{len}} {things}, {{eta}} to go");
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The text beside a heading, wrapped to the terminal and indented.
pub(super) fn under(heading: &str, text: &str) -> String {
    // Escaped before wrapping, because that changes its width.
    let text = &escape(text);
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

pub(super) fn since(at: Timestamp, now: Timestamp) -> String {
    span_between(at, now)
}

pub(super) fn until(at: Timestamp, now: Timestamp) -> String {
    span_between(now, at)
}

/// The result with `days_left` added.
pub(super) fn ssl_json(ssl: &SslResult, now: Timestamp) -> Value {
    let mut value = json!(ssl);
    if let (Some(fields), Some(certificate)) = (value.as_object_mut(), &ssl.certificate) {
        fields.insert("days_left".to_owned(), json!(certificate.days_left(now)));
    }
    value
}

/// When Closte was last asked for a certificate, and its answer; null where it never was.
pub(super) fn request_json(checked: &CheckedDomain) -> Value {
    let request = checked.request.as_ref();
    json!(request.map(|(at, answer)| json!({"at": at, "answer": answer})))
}

/// What the plugin's table says of a name.
pub(super) fn row_json(row: Option<RowState>) -> Value {
    json!(row.map(|row| {
        json!({
            "stage": row.stage,
            "active": row.active,
            "primary": row.primary,
            "secure": row.secure,
            "serving": row.serving,
        })
    }))
}

/// `1 name`, `2 names`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

pub(super) fn invalid_line(one: &InvalidRow) -> String {
    let InvalidRow { origin, value, reason, .. } = one;
    match one.clostes_own() {
        Some(_) => format!("! {origin} {value:?}  not desired: {reason}"),
        None => format!("! {origin} {value:?}  invalid: {reason}; correct it in {}", one.screen()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_styles_are_shown_and_no_other_escape_sequence_is() {
        for style in [GOOD, FAIR, BAD, FAINT, STRONG] {
            assert_eq!(visible(&paint(style, "a\nb")), format!("{style}a\nb{style:#}"));
        }
        for unmanaged in ["\u{1b}[31m", "\u{1b}[0m", "\u{9b}1m", "\u{1b}]0;title\u{7}", "\u{202e}"]
        {
            let shown = visible(&format!("{}{unmanaged}", paint(BAD, unmanaged)));
            let escaped = escape(unmanaged);
            assert_eq!(shown, format!("{BAD}{escaped}{BAD:#}{escaped}"));
        }
        assert_eq!(visible("\u{fdd0}\u{1b}[8m"), r"\u{1b}[8m");
    }
}
