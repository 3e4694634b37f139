use std::time::Duration;

use super::{
    error::CommandError,
    exit,
    output::{BAD, FAINT, FAIR, GOOD, json_line, paint, print},
    status,
};
use crate::{
    app::Settings,
    domain::DomainName,
    state::{Recorded, State},
    telemetry::write_field,
};

/// How often `--follow` reads new events.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn execute(
    settings: &Settings,
    domain: Option<&DomainName>,
    follow: bool,
    lines: u32,
    as_json: bool,
) -> Result<u8, CommandError> {
    let Some(state) = State::open_existing(&settings.state.path).await? else {
        // In JSON, no state means no events.
        if as_json {
            return Ok(exit::OK);
        }
        print(&status::no_state(settings))?;
        return Ok(exit::ERROR);
    };
    let mut seen = None;
    loop {
        let most = if seen.is_none() { lines } else { u32::MAX };
        let events = state.events(domain, seen, most).await?;
        let mut text = String::new();
        for event in &events {
            text.push_str(&if as_json { json_line(event)? } else { to_text(event) });
        }
        print(&text)?;
        if !follow {
            return Ok(exit::OK);
        }
        seen = events.last().map(|event| event.id).or(seen).or(Some(0));
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

pub(super) fn to_text(event: &Recorded) -> String {
    let style = match event.level.as_str() {
        "ERROR" => BAD,
        "WARN" => FAIR,
        _ => GOOD,
    };
    let mut fields = String::new();
    if let Some(domain) = &event.domain {
        fields.push(' ');
        fields.push_str(domain);
    }
    for (key, value) in &event.detail {
        let _ = write_field(&mut fields, key, value);
    }
    let at = paint(FAINT, format_args!("{:.0}", event.at));
    format!("{at} {}{fields}\n", paint(style, &event.event))
}
