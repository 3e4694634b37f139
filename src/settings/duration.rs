use std::{str::FromStr, time::Duration};

use jiff::{SignedDuration, SpanRelativeTo};

/// Longer ones are mistakes, and could overflow a timestamp.
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

/// Parses a duration as in the settings, for the command line.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    text.trim().parse().map(|Span(duration)| duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::span;

    #[test]
    fn what_is_printed_can_be_set() {
        for text in ["0s", "500ms", "59s", "1m", "2m 5s", "1h", "23h 59m", "3d", "3d 4h", "365d"] {
            let Span(parsed) = text.parse().unwrap();
            assert_eq!(span(parsed), text);
        }
    }
}
