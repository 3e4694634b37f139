//! Sends each event field to systemd's journal as a field of its own
//! (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>): `journalctl -u closte-sync DOMAIN=shop.example`.

use libsystemd::logging::{Priority, connected_to_journal, journal_send};
use tracing::Level;

use super::{Format, Line, plain};
use crate::escape::escape_line;

pub fn is_connected() -> bool {
    connected_to_journal()
}

/// Returns false where the journal does not accept it.
pub(super) fn send(line: &Line<'_>, format: Format) -> bool {
    let message = match format {
        Format::Text => line.message(),
        Format::Json => line.json(),
    };
    let priority = match *line.metadata.level() {
        Level::ERROR => Priority::Error,
        Level::WARN => Priority::Warning,
        Level::INFO => Priority::Info,
        _ => Priority::Debug,
    };
    journal_send(priority, &message, fields(line).into_iter()).is_ok()
}

/// All fields except the message and the priority.
fn fields(line: &Line<'_>) -> Vec<(String, String)> {
    let mut fields = vec![
        ("SYSLOG_IDENTIFIER".to_owned(), "closte-sync".to_owned()),
        ("EVENT".to_owned(), line.name().to_owned()),
    ];
    for (key, value) in line.fields.iter().filter(|(key, _)| *key != "message") {
        fields.push((key.to_ascii_uppercase(), escape_line(&plain(value)).into_owned()));
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use jiff::Timestamp;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

    use super::*;
    use crate::{events::Event, telemetry::Fields};

    /// Keeps the last message and its fields.
    #[derive(Clone, Default)]
    struct Journal(Arc<Mutex<(String, Vec<String>)>>);

    impl<S: tracing::Subscriber> Layer<S> for Journal {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut seen = Fields::default();
            event.record(&mut seen);
            let line = Line { at: Timestamp::now(), metadata: event.metadata(), fields: seen.0 };
            let fields = fields(&line).into_iter().map(|(key, value)| format!("{key}={value}"));
            *self.0.lock().unwrap() = (line.message(), fields.collect());
        }
    }

    #[test]
    fn each_field_of_an_event_is_a_field_of_the_journal() {
        let journal = Journal::default();
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(journal.clone()),
            || {
                let domain = "shop.example".parse().unwrap();
                Event::Added { domain, blog_id: Some(2), attempt: 1, took_ms: 132 }.log();
            },
        );
        let (message, fields) = journal.0.lock().unwrap().clone();
        assert_eq!(message, "domain.added domain=shop.example blog_id=2 attempt=1 took_ms=132");
        assert_eq!(
            fields,
            [
                "SYSLOG_IDENTIFIER=closte-sync",
                "EVENT=domain.added",
                "DOMAIN=shop.example",
                "BLOG_ID=2",
                "ATTEMPT=1",
                "TOOK_MS=132"
            ]
        );
    }
}
