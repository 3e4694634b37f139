//! How a domain stood in the last days, from its events. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::DomainRow;
use crate::state::Recorded;

/// How far the picture goes back: events are kept for about this long.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The shortest time that it shows.
const SHORTEST: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Good,
    Fair,
    Bad,
    Unknown,
}

impl Mood {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// A time in which nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub from: Timestamp,
    pub to: Timestamp,
    pub mood: Mood,
}

/// DNS, certificate or site over time: the stretches follow each other without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub title: &'static str,
    pub stretches: Vec<Stretch>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    pub from: Timestamp,
    pub to: Timestamp,
    pub lanes: [Lane; 3],
}

impl History {
    /// `events` are those of the domain, oldest first.
    pub fn of(row: &DomainRow, events: &[Recorded], now: Timestamp) -> Self {
        let age = now.duration_since(row.entry.managed_since);
        let from = now.checked_sub(age.clamp(SHORTEST, LONGEST)).unwrap_or(now);
        let seen = row.seen();
        let mood = |is_good, is_bad| match (is_good, is_bad) {
            (true, _) => Mood::Good,
            (_, true) => Mood::Bad,
            _ => Mood::Unknown,
        };
        let dns = seen.map(|seen| {
            let verdict = seen.latest.dns.verdict;
            let is_unknown = verdict == crate::status::DnsVerdict::Unknown;
            (seen.dns_since, mood(verdict.is_good(), !is_unknown))
        });
        let ssl = seen.map(|seen| {
            let verdict = seen.latest.ssl.verdict;
            (seen.ssl_since, mood(verdict.is_good(), verdict.is_bad()))
        });
        let site = seen.and_then(|seen| {
            let site = seen.latest.site.as_ref()?;
            let mood = mood(site.verdict.is_good(), site.verdict.is_bad());
            let since = if seen.latest.is_well_connected() { seen.since } else { site.checked_at };
            Some((since, mood))
        });
        let lane = |title, of: fn(&str) -> Option<Mood>, current| {
            let changes = events.iter().filter_map(|event| Some((event.at, of(&event.event)?)));
            Lane { title, stretches: stretches(from, now, changes, current) }
        };
        let lanes = [
            lane("DNS", of_dns, dns),
            lane("Certificate", of_ssl, ssl),
            lane("Site", of_site, site),
        ];
        Self { from, to: now, lanes }
    }

    /// Where a time is, in parts of the whole.
    pub fn place(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64();
        let part = at.duration_since(self.from).as_secs_f64();
        if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
    }

    pub fn length(&self) -> Duration {
        self.to.duration_since(self.from).try_into().unwrap_or_default()
    }
}

fn of_dns(event: &str) -> Option<Mood> {
    match event {
        "dns.right" => Some(Mood::Good),
        "dns.pending" | "dns.broke" => Some(Mood::Bad),
        "dns.unsteady" => Some(Mood::Fair),
        _ => None,
    }
}

fn of_ssl(event: &str) -> Option<Mood> {
    match event {
        "certificate.valid" => Some(Mood::Good),
        "certificate.pending" | "certificate.broke" => Some(Mood::Bad),
        "certificate.expiring" | "certificate.last_day" => Some(Mood::Fair),
        _ => None,
    }
}

fn of_site(event: &str) -> Option<Mood> {
    match event {
        "domain.live" | "site.recovered" => Some(Mood::Good),
        "site.broke" => Some(Mood::Bad),
        _ => None,
    }
}

/// `current` is how it stands, and since when.
fn stretches(
    from: Timestamp,
    to: Timestamp,
    changes: impl Iterator<Item = (Timestamp, Mood)>,
    current: Option<(Timestamp, Mood)>,
) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut change = |at: Timestamp, mood| {
        let at = at.clamp(from, to);
        match stretches.last_mut() {
            // It stays as it was.
            Some(last) if last.mood == mood => return,
            Some(last) => last.to = at.max(last.from),
            None if at > from => {
                stretches.push(Stretch { from, to: at, mood: Mood::Unknown });
            }
            None => {}
        }
        let at = stretches.last().map_or(at, |last| last.to);
        stretches.push(Stretch { from: at, to, mood });
    };
    for (at, mood) in changes {
        change(at, mood);
    }
    match current {
        Some((since, mood)) => change(since, mood),
        None => change(from, Mood::Unknown),
    }
    stretches.retain(|stretch| stretch.from < stretch.to);
    stretches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn all(changes: &[(i64, Mood)], current: Option<(i64, Mood)>) -> Vec<(i64, i64, Mood)> {
        let changes = changes.iter().map(|(second, mood)| (at(*second), *mood));
        let current = current.map(|(second, mood)| (at(second), mood));
        let second = |at: Timestamp| at.as_second() - 1_800_000_000;
        let stretches = stretches(at(0), at(100), changes, current);
        stretches.iter().map(|one| (second(one.from), second(one.to), one.mood)).collect()
    }

    #[test]
    fn the_events_and_the_last_check_make_the_picture() {
        use Mood::{Bad, Good, Unknown};
        assert_eq!(all(&[], None), [(0, 100, Unknown)]);
        assert_eq!(all(&[], Some((-50, Good))), [(0, 100, Good)]);
        assert_eq!(all(&[], Some((40, Good))), [(0, 40, Unknown), (40, 100, Good)]);
        let broke = [(10, Bad), (30, Good), (60, Bad)];
        let picture = [(0, 10, Unknown), (10, 30, Bad), (30, 60, Good), (60, 100, Bad)];
        assert_eq!(all(&broke, Some((60, Bad))), picture);
        assert_eq!(all(&broke[..1], Some((5, Bad))), [(0, 10, Unknown), (10, 100, Bad)]);
    }

    proptest! {
        #[test]
        fn there_is_no_gap(
            mut times in prop::collection::vec(-50i64..150, 0..6),
            moods in prop::collection::vec(0..4usize, 7),
            current in prop::option::of(-50i64..150),
        ) {
            times.sort_unstable();
            let mood = |number: usize| [Mood::Good, Mood::Fair, Mood::Bad, Mood::Unknown][number];
            let changes: Vec<_> =
                times.iter().zip(&moods).map(|(at, number)| (*at, mood(*number))).collect();
            let picture = all(&changes, current.map(|second: i64| (second, mood(moods[6]))));
            let ends: Vec<i64> = picture.iter().map(|one| one.1).collect();
            let begins: Vec<i64> = picture.iter().map(|one| one.0).collect();
            prop_assert_eq!(begins.first(), Some(&0));
            prop_assert_eq!(ends.last(), Some(&100));
            prop_assert_eq!(&begins[1..], &ends[..ends.len() - 1]);
            // What begins only now is not seen yet.
            let is_past = times.iter().chain(&current).all(|at| *at < 100);
            if current.is_some() && is_past {
                prop_assert_eq!(picture.last().map(|one| one.2), Some(mood(moods[6])));
            }
        }
    }
}
