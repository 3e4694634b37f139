//! How long something lasts, in words.

use std::time::Duration;

use jiff::Timestamp;

/// In one or two units: `2m 5s`, `3d 4h`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, 0) => format!("{minutes}m"),
        (0, 0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (0, hours, 0, _) => format!("{hours}h"),
        (0, hours, minutes, _) => format!("{hours}h {minutes}m"),
        (days, 0, _, _) => format!("{days}d"),
        (days, hours, _, _) => format!("{days}d {hours}h"),
    }
}

/// The time between two moments; `0s` where the second is not after the first.
pub fn span_between(from: Timestamp, to: Timestamp) -> String {
    span(to.duration_since(from).try_into().unwrap_or_default())
}
