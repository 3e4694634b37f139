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
const REST: Duration = Duration::from_secs(20);
/// Whoever falls ill again soon is left alone for twice as long, and at most for this.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// What is remembered of a resolver's answers.
#[derive(Debug, Default)]
pub(super) struct ResolverHealth {
    /// Queries without an answer, since the last one that had one,
    unanswered: u32,
    /// and when the first of them came back without.
    unanswered_since: Option<Instant>,
    /// What it failed at, since it last answered, where others answer.
    failed: InARow,
    /// The latest, be it over or not.
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Trouble {
    /// How it fails; none when it does not answer at all.
    failing: Option<String>,
    rest: Duration,
    until: Instant,
    /// Whether it has answered since.
    has_answered: bool,
}

impl Trouble {
    fn is_over(&self, now: Instant) -> bool {
        self.has_answered && now >= self.until
    }
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

impl ResolverHealth {
    /// It answered. Trouble ends when it has done nothing but that until its rest is over.
    pub(super) fn answered(&mut self) {
        (self.unanswered, self.unanswered_since, self.failed) = (0, None, InARow::default());
        if let Some(trouble) = &mut self.trouble {
            trouble.has_answered = true;
        }
    }

    /// It said something, be it that it fails: it is not silent.
    pub(super) fn responded(&mut self) {
        (self.unanswered, self.unanswered_since) = (0, None);
    }

    /// It did not answer.
    pub(super) fn unanswered(&mut self, now: Instant) {
        let since = *self.unanswered_since.get_or_insert(now);
        self.unanswered = self.unanswered.saturating_add(1);
        let (many, long) = SILENT_AFTER;
        if self.unanswered >= many && now.duration_since(since) >= long {
            self.is_in_trouble(None, now);
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
        self.is_in_trouble(Some(how.to_owned()), now);
    }

    fn is_in_trouble(&mut self, failing: Option<String>, now: Instant) {
        let rest = match &self.trouble {
            Some(trouble) if !trouble.is_over(now) => trouble.rest,
            Some(Trouble { rest, until, .. }) if now < *until + 4 * *rest => {
                (2 * *rest).min(LONGEST_REST)
            }
            _ => REST,
        };
        self.trouble = Some(Trouble { failing, rest, until: now + rest, has_answered: false });
    }

    fn trouble(&self, now: Instant) -> Option<&Trouble> {
        self.trouble.as_ref().filter(|trouble| !trouble.is_over(now))
    }

    /// Whether it is not asked now, except beside others.
    pub(super) fn rests(&self, now: Instant) -> bool {
        self.trouble(now).is_some_and(|trouble| now < trouble.until)
    }

    /// Whether it gave no answer for so long, and none since.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.trouble(now).is_some_and(|trouble| trouble.failing.is_none())
    }

    /// How it fails, if it is sick.
    pub(super) fn sick(&self, now: Instant) -> Option<&str> {
        self.trouble(now)?.failing.as_deref()
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
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        let sick = |health: &ResolverHealth, second| health.sick(after(start, second)).is_some();
        for (second, name) in [(0, "a"), (5, "b"), (30, "a"), (40, "b")] {
            health.failed_alone(name, "SERVFAIL", after(start, second));
        }
        assert!(!sick(&health, 40), "two names may be broken");
        health.failed_alone("c", "SERVFAIL", after(start, 50));
        assert_eq!(health.sick(after(start, 50)), Some("SERVFAIL"));
        assert!(health.rests(after(start, 69)) && !health.rests(after(start, 70)));
        assert!(!health.is_silent(after(start, 70)) && sick(&health, 10_000), "no word of it");
        health.answered();
        assert!(sick(&health, 69), "one answer between failures is no cure");
        assert!(!sick(&health, 70));
        for name in ["a", "b", "c", "d"] {
            health.failed_alone(name, "SERVFAIL", after(start, 100));
        }
        assert!(!sick(&health, 100), "a moment is no evidence");
        health.is_sick("SERVFAIL", after(start, 101));
        assert!(sick(&health, 101), "what must exist is");
    }

    #[tokio::test]
    async fn who_falls_ill_again_and_again_is_told_of_ever_more_rarely() {
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        let mut told = 0;
        // For a day, it answers whenever it is thought sick, and fails whenever it is thought well.
        for second in 0..86_400 {
            if health.sick(after(start, second)).is_some() {
                health.answered();
            } else {
                health.is_sick("SERVFAIL", after(start, second));
                told += 1;
            }
        }
        assert!((2..=40).contains(&told), "{told}");
        let well = after(start, 2 * 86_400);
        health.is_sick("SERVFAIL", well);
        assert!(!health.rests(well + REST), "it was well for long");
    }

    #[tokio::test]
    async fn who_goes_on_failing_rests_no_longer_for_that() {
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        (0..10).for_each(|second| health.is_sick("SERVFAIL", after(start, second)));
        assert!(health.rests(after(start, 28)) && !health.rests(after(start, 29)));
    }

    #[tokio::test]
    async fn who_does_not_answer_for_long_is_silent() {
        let (mut health, start) = (ResolverHealth::default(), Instant::now());
        (0..8).for_each(|second| health.unanswered(after(start, second)));
        assert!(!health.is_silent(after(start, 7)));
        health.unanswered(after(start, 10));
        assert!(health.is_silent(after(start, 10)) && health.rests(after(start, 29)));
        assert!(!health.rests(after(start, 30)) && health.sick(after(start, 10)).is_none());
        health.answered();
        assert!(!health.is_silent(after(start, 30)));
        (0..7).for_each(|second| health.unanswered(after(start, 100 + 10 * second)));
        health.responded();
        health.unanswered(after(start, 200));
        assert!(!health.is_silent(after(start, 200)), "a failure is an answer");
    }
}
