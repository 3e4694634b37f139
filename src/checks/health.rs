//! Whether a resolver has a say: what counts as evidence against it. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// After so many queries in a row without an answer, and so long without any, a resolver is left alone
/// for a while.
const SILENT_AFTER: (u32, Duration) = (8, Duration::from_secs(10));
/// After so many questions in a row that it alone fails at, and so long, a resolver is sick; as it is
/// with so many names in a row of which it has another view.
const ALONE_AFTER: (usize, Duration) = (3, Duration::from_secs(10));
/// How long it is left alone then. After that, the next query decides.
const REST: Duration = Duration::from_secs(30);

/// What is remembered of a resolver's answers.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Queries without an answer, since the last one that had one,
    unanswered: u32,
    /// and when the first of them came back without.
    unanswered_since: Option<Instant>,
    /// What it failed at, since it last answered, where others answer.
    failed: InARow,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Trouble {
    /// How it fails; none when it does not answer at all.
    failing: Option<String>,
    until: Instant,
}

/// Different questions with the same outcome, without another outcome between them.
#[derive(Debug, Default)]
pub(super) struct InARow {
    questions: Vec<String>,
    since: Option<Instant>,
}

impl InARow {
    /// Notes one more; whether they are evidence now is the result.
    pub(super) fn note(&mut self, question: &str, now: Instant) -> bool {
        let (many, long) = ALONE_AFTER;
        let since = *self.since.get_or_insert(now);
        if self.questions.len() < many && !self.questions.iter().any(|known| known == question) {
            self.questions.push(question.to_owned());
        }
        self.questions.len() >= many && now.duration_since(since) >= long
    }
}

impl Health {
    /// It answered, so all is well.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// It failed, which may be its own fault or not: it is not silent.
    pub(super) fn failed(&mut self) {
        (self.unanswered, self.unanswered_since) = (0, None);
    }

    /// It did not answer.
    pub(super) fn unanswered(&mut self, now: Instant) {
        let since = *self.unanswered_since.get_or_insert(now);
        self.unanswered = self.unanswered.saturating_add(1);
        let (many, long) = SILENT_AFTER;
        if self.unanswered >= many && now.duration_since(since) >= long {
            self.trouble = Some(Trouble { failing: None, until: now + REST });
        }
    }

    /// It failed in this way at a question that most others answer.
    pub(super) fn failed_alone(&mut self, question: &str, how: &str, now: Instant) {
        if self.failed.note(question, now) {
            self.is_sick(how, now);
        }
    }

    /// It failed in this way at a name that must exist.
    pub(super) fn is_sick(&mut self, how: &str, now: Instant) {
        self.trouble = Some(Trouble { failing: Some(how.to_owned()), until: now + REST });
    }

    /// Whether it is not asked now, except beside others.
    pub(super) fn rests(&self, now: Instant) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| now < trouble.until)
    }

    /// Whether it gave no answer for so long, and none since.
    pub(super) fn is_silent(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.failing.is_none())
    }

    /// How it fails, if it is sick.
    pub(super) fn sick(&self) -> Option<&str> {
        self.trouble.as_ref()?.failing.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn who_fails_alone_at_three_names_in_a_row_is_sick_until_it_answers() {
        let (mut health, start) = (Health::default(), Instant::now());
        for (second, name) in [(0, "a"), (5, "b"), (30, "a"), (40, "b")] {
            health.failed_alone(name, "SERVFAIL", after(start, second));
        }
        assert_eq!(health.sick(), None, "two names may be broken");
        health.failed_alone("c", "SERVFAIL", after(start, 50));
        assert_eq!(health.sick(), Some("SERVFAIL"));
        assert!(health.rests(after(start, 79)) && !health.rests(after(start, 80)));
        assert!(!health.is_silent());
        health.answered();
        assert_eq!(health.sick(), None);
        for name in ["a", "b", "c", "d"] {
            health.failed_alone(name, "SERVFAIL", after(start, 100));
        }
        assert_eq!(health.sick(), None, "a moment is no evidence");
        health.is_sick("SERVFAIL", after(start, 101));
        assert!(health.sick().is_some(), "what must exist is");
    }

    #[tokio::test]
    async fn who_does_not_answer_for_long_is_silent() {
        let (mut health, start) = (Health::default(), Instant::now());
        (0..8).for_each(|second| health.unanswered(after(start, second)));
        assert!(!health.is_silent());
        health.unanswered(after(start, 10));
        assert!(health.is_silent() && health.rests(after(start, 39)));
        assert!(!health.rests(after(start, 40)) && health.sick().is_none());
        health.answered();
        (0..7).for_each(|second| health.unanswered(after(start, 100 + 10 * second)));
        health.failed();
        health.unanswered(after(start, 200));
        assert!(!health.is_silent(), "a failure is an answer");
    }
}
