//! Prints durations.

use std::time::Duration;

use jiff::Timestamp;

/// The one or two largest units: `2m 5s`, `3d 4h`, `500ms`. Settings accept the same format.
pub fn span(duration: Duration) -> String {
    if duration < Duration::from_secs(1) && !duration.is_zero() {
        return format!("{}ms", duration.as_millis());
    }
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

/// To the second; `0s` where `to` is not after `from`.
pub fn span_between(from: Timestamp, to: Timestamp) -> String {
    span(Duration::from_secs(between(from, to).as_secs()))
}

/// Zero where `to` is not after `from`.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// Whole days, or smaller units for less than one day: `12 days`, `1 day`, `23h 5m`.
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
    fn a_day_is_singular_and_less_is_in_hours() {
        let of = |seconds| whole_days(Duration::from_secs(seconds));
        assert_eq!(of(2 * 86_400), "2 days");
        assert_eq!(of(2 * 86_400 - 1), "1 day");
        assert_eq!(of(86_400 - 60), "23h 59m");
        assert_eq!(of(59), "59s");
    }
}
