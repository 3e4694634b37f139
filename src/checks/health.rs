use std::time::Duration;

use tokio::time::Instant;

/// An outage begins after this many queries in a row without an answer, over at least this time.
const SILENT_AFTER: (u32, Duration) = (8, Duration::from_secs(10));
/// A streak is evidence after this many different names, over at least this time.
const STREAK: (usize, Duration) = (3, Duration::from_secs(10));
/// How long a resolver in an outage is not asked alone. After that, the next query decides.
const MIN_BACKOFF: Duration = Duration::from_secs(20);
/// The time doubles with each outage that begins soon after the one before, up to this.
const MAX_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// Decides from a resolver's replies whether it is in an outage. Pure.
#[derive(Debug, Default)]
pub(super) struct ResolverHealth {
    /// Queries without an answer since the last one that was answered.
    unanswered: u32,
    unanswered_since: Option<Instant>,
    /// Names that it failed for since its last answer, and that others answered.
    failed: Streak,
    /// The latest one, which may be over.
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    /// How it fails; none where it does not answer at all.
    failing: Option<String>,
    backoff: Duration,
    backoff_until: Instant,
    /// Whether it has answered since the outage began.
    has_answered: bool,
}

impl Outage {
    fn is_over(&self, now: Instant) -> bool {
        self.has_answered && now >= self.backoff_until
    }
}

/// Different names with the same outcome, without another outcome between them.
#[derive(Debug, Default)]
pub(super) struct Streak {
    names: Vec<String>,
    since: Option<Instant>,
}

impl Streak {
    /// Adds a name, and returns whether the streak is now evidence.
    pub(super) fn note(&mut self, name: &str, now: Instant) -> bool {
        let (count, duration) = STREAK;
        let since = *self.since.get_or_insert(now);
        if self.names.len() < count && !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        self.names.len() >= count && now.duration_since(since) >= duration
    }
}

impl ResolverHealth {
    /// An answer about a name. The outage ends if no failure follows until the back-off is over.
    pub(super) fn answered(&mut self) {
        (self.unanswered, self.unanswered_since, self.failed) = (0, None, Streak::default());
        if let Some(outage) = &mut self.outage {
            outage.has_answered = true;
        }
    }

    /// Any response, also SERVFAIL: it is not silent.
    pub(super) fn responded(&mut self) {
        (self.unanswered, self.unanswered_since) = (0, None);
    }

    pub(super) fn unanswered(&mut self, now: Instant) {
        let since = *self.unanswered_since.get_or_insert(now);
        self.unanswered = self.unanswered.saturating_add(1);
        let (count, duration) = SILENT_AFTER;
        if self.unanswered >= count && now.duration_since(since) >= duration {
            self.begin_outage(None, now);
        }
    }

    /// It failed for a name that most others answer.
    pub(super) fn failed_alone(&mut self, name: &str, how: &str, now: Instant) {
        if self.failed.note(name, now) {
            self.mark_failing(how, now);
        }
    }

    /// Begins an outage with answers.
    pub(super) fn mark_failing(&mut self, how: &str, now: Instant) {
        self.begin_outage(Some(how.to_owned()), now);
    }

    fn begin_outage(&mut self, failing: Option<String>, now: Instant) {
        let backoff = match &self.outage {
            Some(outage) if !outage.is_over(now) => outage.backoff,
            Some(Outage { backoff, backoff_until, .. }) if now < *backoff_until + 4 * *backoff => {
                (2 * *backoff).min(MAX_BACKOFF)
            }
            _ => MIN_BACKOFF,
        };
        let backoff_until = now + backoff;
        self.outage = Some(Outage { failing, backoff, backoff_until, has_answered: false });
    }

    fn outage(&self, now: Instant) -> Option<&Outage> {
        self.outage.as_ref().filter(|outage| !outage.is_over(now))
    }

    /// Whether it is only asked together with others for now.
    pub(super) fn is_backing_off(&self, now: Instant) -> bool {
        self.outage(now).is_some_and(|outage| now < outage.backoff_until)
    }

    /// Whether it is in an outage without any answer.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.outage(now).is_some_and(|outage| outage.failing.is_none())
    }

    /// How it fails, while it is in an outage with answers.
    pub(super) fn failing(&self, now: Instant) -> Option<&str> {
        self.outage(now)?.failing.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn a_resolver_that_fails_alone_for_three_names_is_failing_until_it_answers() {
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        let failing =
            |health: &ResolverHealth, second| health.failing(after(start, second)).is_some();
        for (second, name) in [(0, "a"), (5, "b"), (30, "a"), (40, "b")] {
            health.failed_alone(name, "SERVFAIL", after(start, second));
        }
        assert!(!failing(&health, 40), "two names may be broken");
        health.failed_alone("c", "SERVFAIL", after(start, 50));
        assert_eq!(health.failing(after(start, 50)), Some("SERVFAIL"));
        assert!(
            health.is_backing_off(after(start, 69)) && !health.is_backing_off(after(start, 70))
        );
        assert!(
            !health.is_silent(after(start, 70)) && failing(&health, 10_000),
            "without an answer"
        );
        health.answered();
        assert!(failing(&health, 69), "one answer between failures does not end it");
        assert!(!failing(&health, 70));
        for name in ["a", "b", "c", "d"] {
            health.failed_alone(name, "SERVFAIL", after(start, 100));
        }
        assert!(!failing(&health, 100), "failures of one moment are no evidence");
        health.mark_failing("SERVFAIL", after(start, 101));
        assert!(failing(&health, 101), "a failed control query is");
    }

    #[tokio::test]
    async fn repeated_outages_back_off_for_longer_each_time() {
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        let mut outages = 0;
        // For a day, it answers during each outage and fails after it.
        for second in 0..86_400 {
            if health.failing(after(start, second)).is_some() {
                health.answered();
            } else {
                health.mark_failing("SERVFAIL", after(start, second));
                outages += 1;
            }
        }
        assert!((2..=40).contains(&outages), "{outages}");
        let later = after(start, 2 * 86_400);
        health.mark_failing("SERVFAIL", later);
        assert!(!health.is_backing_off(later + MIN_BACKOFF), "it has answered for a day");
    }

    #[tokio::test]
    async fn failures_within_an_outage_do_not_lengthen_the_back_off() {
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        (0..10).for_each(|second| health.mark_failing("SERVFAIL", after(start, second)));
        assert!(
            health.is_backing_off(after(start, 28)) && !health.is_backing_off(after(start, 29))
        );
    }

    #[tokio::test]
    async fn a_resolver_without_answers_for_ten_seconds_is_silent() {
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        (0..8).for_each(|second| health.unanswered(after(start, second)));
        assert!(!health.is_silent(after(start, 7)));
        health.unanswered(after(start, 10));
        assert!(health.is_silent(after(start, 10)) && health.is_backing_off(after(start, 29)));
        assert!(
            !health.is_backing_off(after(start, 30)) && health.failing(after(start, 10)).is_none()
        );
        health.answered();
        assert!(!health.is_silent(after(start, 30)));
        (0..7).for_each(|second| health.unanswered(after(start, 100 + 10 * second)));
        health.responded();
        health.unanswered(after(start, 200));
        assert!(!health.is_silent(after(start, 200)), "a failure is an answer");
    }
}
