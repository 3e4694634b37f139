use std::{fmt::Write as _, iter};

use anstyle::Style;
use jiff::Timestamp;

use crate::{
    checks::{MAPPING_OFF, not_served},
    cli::output::{
        BAD, FAINT, FAIR, GOOD, STRONG, count, invalid_line, paint, since, under, until, width,
    },
    ledger::Progress,
    overview::{ClosteStatus, DomainRow, closte_status, note},
    span::span,
    state::{InvalidRow, LastCycle, LiveAfter, Mute},
    status::{Serving, Severity},
};

/// The widest table, in characters: people paste it into mails and tickets.
const WIDEST: usize = 80;
/// The narrowest column of names, in characters.
const LEAST_NAME: usize = 12;

pub(super) fn to_text(
    last_cycle: &LastCycle,
    live_after: Option<LiveAfter>,
    leader: Option<String>,
    rows: &[DomainRow],
    invalid: &[InvalidRow],
    mutes: &[Mute],
    now: Timestamp,
) -> String {
    let mut text = headline(last_cycle, live_after, rows, now);
    if let Some(leader) = leader {
        text.push_str(&under("", &leader));
    }
    if !rows.is_empty() {
        let columns = width().map_or(WIDEST, |columns| WIDEST.min(columns.into()));
        text.push_str(&table(rows, columns, now));
    }
    for row in rows {
        let note = note(&row.entry, now);
        if !note.is_empty() {
            let line = under(
                "",
                &format!("! {}  {}: {note}", row.name, closte_status(&row.entry).as_str()),
            );
            text.push_str(&paint(style(row), line));
        }
    }
    text.push_str(&not_served_by_wordpress(rows));
    for one in invalid {
        text.push_str(&paint(FAIR, under("", &invalid_line(one))));
    }
    let is_shown = |mute: &&Mute| {
        mute.subject == "all" || rows.iter().any(|row| row.name.as_str() == mute.subject)
    };
    for mute in mutes.iter().filter(is_shown) {
        text.push_str(&paint(FAIR, under("", &muted(mute, now))));
    }
    text
}

fn style(row: &DomainRow) -> Style {
    match row.severity() {
        Severity::Bad => BAD,
        Severity::Fair => FAIR,
        Severity::Good => GOOD,
        Severity::Gone => FAINT,
    }
}

fn muted(mute: &Mute, now: Timestamp) -> String {
    let because = mute.because.as_ref().map(|because| format!(": {because}"));
    format!(
        "! {}  muted for {}{}",
        mute.subject,
        until(mute.until, now),
        because.unwrap_or_default()
    )
}

/// The names whose DNS and certificate are right, and that WordPress does not serve.
fn not_served_by_wordpress(rows: &[DomainRow]) -> String {
    let serving = |row: &DomainRow| row.entry.origin.state.map(|state| state.serving);
    let mut text = String::new();
    let mut line = |style, line: &str| text.push_str(&paint(style, under("", line)));
    if rows.iter().any(|row| serving(row) == Some(Serving::MappingOff)) {
        line(BAD, &format!("! {MAPPING_OFF}"));
        return text;
    }
    let works = |row: &&DomainRow| row.seen().is_some_and(|seen| seen.latest.works());
    let is_early = |row: &&DomainRow| serving(row) == Some(Serving::StageNotDone);
    let (early, others): (Vec<_>, Vec<_>) = rows.iter().filter(works).partition(is_early);
    let listed = if early.len() > 1 { &others } else { &rows.iter().filter(works).collect() };
    for row in listed {
        if let Some(why) = row.entry.origin.state.and_then(not_served) {
            line(FAIR, &format!("! {}  {why}", row.name));
        }
    }
    if early.len() > 1 {
        line(
            FAIR,
            &format!(
                "! {} of these that work are not served by WordPress yet: their stage in the plugin is \
                 not done",
                early.len()
            ),
        );
    }
    text
}

/// One line for each name. Only names are wrapped.
fn table(rows: &[DomainRow], columns: usize, now: Timestamp) -> String {
    const HEADER: [&str; 6] = ["DOMAIN", "AT CLOSTE", "DNS", "SSL", "SINCE", "ADVICE"];
    let cells = |row: &DomainRow| {
        [
            row.name.to_string(),
            closte_status(&row.entry).as_str().to_owned(),
            row.dns(),
            row.ssl(now),
            since(row.since(), now),
            row.word_of_advice(now).to_owned(),
        ]
    };
    let lines: Vec<(Style, [String; 6])> = iter::once((STRONG, HEADER.map(str::to_owned)))
        .chain(rows.iter().map(|row| (style(row), cells(row))))
        .collect();
    let mut widths = [0; HEADER.len()];
    for (_, cells) in &lines {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.len().max(*width);
        }
    }
    let [name_width, word_widths @ ..] = &mut widths;
    let room = columns.saturating_sub(word_widths.iter().map(|width| 2 + *width).sum());
    *name_width = room.max(LEAST_NAME).min(*name_width);
    let (name_width, word_widths) = (*name_width, *word_widths);
    let mut text = String::new();
    for (style, [name, words @ ..]) in &lines {
        let mut parts = textwrap::wrap(name, name_width).into_iter();
        let mut line = format!("{:name_width$}", parts.next().unwrap_or_default());
        for (word, width) in words.iter().zip(word_widths) {
            let _ = write!(line, "  {word:width$}");
        }
        let _ = writeln!(text, "{}", paint(*style, line.trim_end()));
        for part in parts {
            let _ = writeln!(text, "{part}");
        }
    }
    text
}

fn headline(
    last_cycle: &LastCycle,
    live_after: Option<LiveAfter>,
    rows: &[DomainRow],
    now: Timestamp,
) -> String {
    let mut text = String::new();
    let desired = || rows.iter().filter(|row| row.entry.undesired_since.is_none());
    let is_served = |row: &&DomainRow| {
        let status = closte_status(&row.entry);
        matches!(status, ClosteStatus::Current | ClosteStatus::Covered | ClosteStatus::Added)
    };
    let works = |row: &&DomainRow| row.seen().is_some_and(|seen| seen.latest.works());
    match last_cycle.completed_at {
        Some(at) => {
            let (served, all, ago) =
                (desired().filter(is_served).count(), desired().count(), since(at, now));
            let _ = writeln!(
                text,
                "{served} of {all} desired domains are served by Closte, as of {ago} ago"
            );
            if desired().any(|row| row.seen().is_some()) {
                let working = desired().filter(works).count();
                let _ = writeln!(text, "{working} of {all} work, checked from outside");
            }
            if let Some(LiveAfter { median, names }) = live_after {
                let (median, names) = (span(median), count(names, "domain"));
                let _ =
                    writeln!(text, "From mapping to live: {median} (median of {names} in 30 days)");
            }
            // Without a daemon, the next list can be days away.
            let is_of_now = |row: &DomainRow| matches!(&row.entry.progress, Progress::Accepted(attempt) if now < attempt.next);
            let is_added = |row: &&DomainRow| closte_status(&row.entry) == ClosteStatus::Added;
            let added = if desired().filter(is_added).all(is_of_now) {
                "added a moment ago: Closte's next list has to confirm that"
            } else {
                "added: Closte's next list has to confirm that"
            };
            for (which, what) in [
                (ClosteStatus::Added, added),
                (
                    ClosteStatus::Missing,
                    "missing from Closte's last list: added again if missing from the next one, too",
                ),
            ] {
                let number = desired().filter(|row| closte_status(&row.entry) == which).count();
                if number > 0 {
                    let _ = writeln!(text, "{number} {what}");
                }
            }
        }
        None => text.push_str("No cycle has been completed yet.\n"),
    }
    if let Some((at, error)) = &last_cycle.failure {
        let line = format!("The last cycle, {} ago, stopped early: {error}", since(*at, now));
        text.push_str(&paint(BAD, under("", &line)));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::VariantArray as _;

    use super::*;
    use crate::{
        domain::DomainName,
        ledger::{Attempt, Entry, LedgerInfo, RowRef},
        state::CheckedDomain,
        status::{
            Certificate, CheckResult, DnsHistory, DnsResult, DnsVerdict, DomainStatus, GoodRun,
            SslResult, SslVerdict,
        },
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn row(name: &str, progress: Progress, dns: DnsVerdict, ssl: SslVerdict) -> DomainRow {
        let certificate = Certificate {
            issuer: "Practice R1".to_owned(),
            names: Vec::new(),
            more_names: 0,
            not_before: at(-90 * 86_400),
            not_after: at(9_999 * 86_400),
            key: "ECDSA P-256".to_owned(),
        };
        let latest = CheckResult {
            dns: DnsResult {
                verdict: dns,
                seen: 1,
                of: 1,
                addresses: Vec::new(),
                host: None,
                aaaa_elsewhere: Vec::new(),
                strays: Vec::new(),
                broken_by: None,
                chain: None,
                synthesized_from: None,
                zone: None,
                name_servers: Vec::new(),
                history: DnsHistory::default(),
                error: None,
                answers: Vec::new(),
            },
            ssl: SslResult {
                verdict: ssl,
                certificate: Some(certificate),
                ..SslResult::unknown("")
            },
            site: None,
            http: None,
            blockers: Vec::new(),
            caa: None,
            caa_unknown: false,
            expected: vec!["203.0.113.10".parse().unwrap()],
        };
        let (name, begun): (DomainName, _) = (name.parse().unwrap(), at(-999 * 86_400));
        let entry = Entry { progress: progress.clone(), ..Entry::new(RowRef::default(), begun) };
        let facts = LedgerInfo { added_at: Some(begun), progress, ..LedgerInfo::default() };
        let seen = DomainStatus {
            checked_at: begun,
            latest,
            dns_since: begun,
            ssl_since: begun,
            since: begun,
            suspect_since: None,
            alerted_at: None,
            lacks_certificate_since: None,
            good: GoodRun::default(),
            live_since: None,
            live_after_s: None,
        };
        let checked = CheckedDomain {
            name: name.clone(),
            facts,
            status: Some(seen),
            due_at: None,
            request: None,
        };
        DomainRow { name, entry, checked: Some(checked) }
    }

    #[test]
    fn an_expired_certificate_matters_more_than_progress_at_closte() {
        let attempt = Attempt { count: 1, next: at(60) };
        for progress in [Progress::Idle, Progress::Accepted(attempt)] {
            let row = row("a.example", progress, DnsVerdict::Ok, SslVerdict::Expired);
            assert_eq!((row.word_of_advice(at(0)), row.severity()), ("renew", Severity::Bad));
        }
    }

    #[test]
    fn an_added_name_is_not_called_new_once_the_next_list_is_late() {
        let progress = Progress::Accepted(Attempt { count: 1, next: at(60) });
        let mut row = row("a.example", progress, DnsVerdict::Ok, SslVerdict::WrongName);
        if let Some(checked) = &mut row.checked {
            checked.facts.at_closte_since = None;
        }
        let cycle = LastCycle { completed_at: Some(at(0)), ..LastCycle::default() };
        let said = |now| {
            let advice = row.advice(None, now).unwrap().owner;
            (headline(&cycle, None, std::slice::from_ref(&row), now), advice)
        };
        let (headline, advice) = said(at(30));
        assert!(headline.contains("1 added a moment ago: "), "{headline}");
        assert!(advice.contains("a.example was added a moment ago, and"), "{advice}");
        let (headline, advice) = said(at(7 * 60));
        assert!(headline.contains("1 added: Closte's next list has to confirm that"), "{headline}");
        assert!(advice.contains("a.example was added, and"), "{advice}");
    }

    proptest! {
        #[test]
        fn the_table_has_80_columns_at_most_and_every_name_in_full(
            names in prop::collection::vec("([a-z]{1,60}\\.){1,3}example|[a-z-]{1,30}x\\.example", 1..4),
            dns in prop::sample::select(DnsVerdict::VARIANTS),
            ssl in prop::sample::select(SslVerdict::VARIANTS),
            progress in prop::sample::select(vec![
                Progress::Idle,
                Progress::Accepted(Attempt { count: 1, next: at(60) }),
                Progress::Failed(Attempt { count: 1, next: at(60) }, "no".to_owned()),
                Progress::Refused { at: at(-60), error: "no".to_owned() },
            ]),
        ) {
            let names: Vec<String> = names.iter().map(|name| format!("a{name}")).collect();
            let rows: Vec<DomainRow> =
                names.iter().map(|name| row(name, progress.clone(), dns, ssl)).collect();
            let coloured = table(&rows, WIDEST, at(0)).replace('\u{fdd0}', "");
            let table = console::strip_ansi_codes(&coloured);
            prop_assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
            let shown: String = table
                .lines()
                .skip(1)
                .filter_map(|line| line.split(' ').next())
                .collect();
            prop_assert_eq!(shown, names.concat());
        }
    }
}
