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
    span(between(from, to))
}

/// The time between two moments; none where the second is not after the first.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// How long something lasts, in whole days, and in smaller units only where it is less than one:
/// `12 days`, `1 day`, `23h 5m`.
pub fn whole_days(duration: Duration) -> String {
    match duration.as_secs() / 86_400 {
        0 => span(duration),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_day_and_never_none() {
        let of = |seconds| whole_days(Duration::from_secs(seconds));
        assert_eq!(of(2 * 86_400), "2 days");
        assert_eq!(of(2 * 86_400 - 1), "1 day");
        assert_eq!(of(86_400 - 60), "23h 59m");
        assert_eq!(of(59), "59s");
    }
}
