use std::{fmt, time::Duration};

use jiff::{Timestamp, civil::DateTime, fmt::strtime::BrokenDownTime, tz::Offset};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::span::span;

/// The longest wait that Closte can ask for: a wrong `Retry-After` must not stop the daemon for years.
const LONGEST: Duration = Duration::from_secs(60 * 60);
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// For how long Closte asks not to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter {
    asked: Duration,
}

impl RetryAfter {
    /// Reads `Retry-After` in either of its forms (RFC 9110, section 10.2.3). A date is by Closte's clock,
    /// which the answer's `Date` has (section 6.6.1); without it, `now` is used.
    pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let asked = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // Only a number that is too large does not parse.
            Duration::from_secs(value.parse().unwrap_or(u64::MAX))
        } else {
            let theirs = headers.get(DATE).and_then(|date| moment(date.to_str().ok()?));
            // The last day of the year 9999 can be a date, but not a timestamp.
            let now = theirs.unwrap_or(Offset::UTC.to_datetime(now));
            // A date in the past is no wait.
            moment(value)?.duration_since(now).try_into().unwrap_or_default()
        };
        Some(Self { asked })
    }

    /// At most an hour.
    pub fn wait(self) -> Duration {
        self.asked.min(LONGEST)
    }
}

fn moment(value: &str) -> Option<DateTime> {
    BrokenDownTime::parse("%a, %d %b %Y %H:%M:%S GMT", value.trim()).ok()?.to_datetime().ok()
}

impl From<Duration> for RetryAfter {
    fn from(asked: Duration) -> Self {
        Self { asked }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked } = *self;
        f.write_str(&span(self.wait()))?;
        if asked <= LONGEST {
            return Ok(());
        }
        let asked = if asked > CENTURY { "over a hundred years".to_owned() } else { span(asked) };
        write!(f, ", the most that is waited (it asks for {asked})")
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, fmt::rfc2822};

    use super::*;

    fn read(value: &str) -> Option<RetryAfter> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        RetryAfter::read(&headers, Timestamp::from_second(1_800_000_000).unwrap())
    }

    #[test]
    fn both_forms_are_understood_and_a_date_in_the_past_is_no_wait() {
        let wait = |value: &str| read(value).map(|it| (it.wait().as_secs(), it.to_string()));
        let date = |after: SignedDuration| {
            let at = Timestamp::from_second(1_800_000_000).unwrap() + after;
            rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap()
        };
        assert_eq!(wait("120"), Some((120, "2m".to_owned())));
        assert_eq!(wait(" 0 "), Some((0, "0s".to_owned())));
        assert_eq!(wait(&date(SignedDuration::from_secs(90))), Some((90, "1m 30s".to_owned())));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some((0, "0s".to_owned())));
        for neither in ["soon", "", "-5", "1.5", "12 s"] {
            assert_eq!(wait(neither), None, "{neither:?}");
        }
    }

    #[test]
    fn a_date_is_by_clostes_clock() {
        let date = |at| rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap();
        let theirs = Timestamp::from_second(1_700_000_000).unwrap();
        let headers = [(DATE, theirs), (RETRY_AFTER, theirs + SignedDuration::from_secs(90))];
        let headers = headers.map(|(name, at)| (name, date(at).parse().unwrap()));
        let years_ahead = Timestamp::from_second(1_800_000_000).unwrap();
        let read = RetryAfter::read(&HeaderMap::from_iter(headers), years_ahead).unwrap();
        assert_eq!(read.wait().as_secs(), 90);
    }

    #[test]
    fn a_long_wait_is_bounded_and_shown_with_what_was_asked() {
        let bound = "1h, the most that is waited (it asks for ";
        for (value, asked) in [
            ("3601", "1h)"),
            ("315360000", "3650d)"),
            ("18446744073709551615", "over a hundred years)"),
            ("99999999999999999999999999", "over a hundred years)"),
            ("Fri, 15 Jan 2027 10:00:00 GMT", "2h)"),
            ("Fri, 31 Dec 9999 23:59:59 GMT", "over a hundred years)"),
        ] {
            let read = read(value).unwrap();
            assert_eq!(read.wait(), LONGEST, "{value}");
            assert_eq!(read.to_string(), format!("{bound}{asked}"), "{value}");
        }
    }
}
