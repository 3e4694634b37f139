use std::fmt::Write as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CommandError, exit,
    output::{
        BAD, FAINT, FAIR, GOOD, STRONG, paint, print, print_json, rejected_line, since, until,
        width,
    },
};
use crate::{
    domain::DomainName,
    ledger::{Entry, Ledger, Progress},
    settings::Settings,
    state::{LastCycle, Rejected, State},
};

/// A name up to so long is not wrapped, in characters.
const LONGEST_NAME: usize = 44;

pub(super) async fn execute(
    settings: &Settings,
    only: &[DomainName],
    as_json: bool,
) -> Result<u8, CommandError> {
    let Some(state) = State::open_existing(&settings.state_path).await? else {
        if as_json {
            print_json(&Vec::<Value>::new())?;
        } else {
            print(&no_state(settings))?;
        }
        return Ok(exit::OK);
    };
    let last_cycle = state.last_cycle().await?;
    let (mut ledger, mut rejected) = match last_cycle.ledger {
        Some(id) => (state.load(id).await?, state.rejected(id).await?),
        None => (Ledger::new(), Vec::new()),
    };
    if !only.is_empty() {
        ledger.retain(|name, _| only.contains(name));
        rejected.clear();
    }
    let mut domains: Vec<_> = ledger.into_iter().collect();
    domains.sort_by(|a, b| (standing(&a.1), &a.0).cmp(&(standing(&b.1), &b.0)));

    let now = Timestamp::now();
    if as_json {
        print_json(&to_json(&domains, &rejected))?;
    } else {
        print(&to_text(&last_cycle, &domains, &rejected, now))?;
        for name in only.iter().filter(|name| !domains.iter().any(|(known, _)| known == *name)) {
            print(&format!("{name} is not managed: no row of the domain table wants it\n"))?;
        }
    }
    Ok(exit::OK)
}

pub(super) fn no_state(settings: &Settings) -> String {
    format!(
        "Nothing is known yet: there is no {}. Start with `closte-sync run` or `apply`.\n",
        settings.state_path.display()
    )
}

/// How a name stands at Closte, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Refused,
    Failing,
    Adding,
    Removing,
    Gone,
    Added,
    Covered,
    Present,
}

fn standing(entry: &Entry) -> Standing {
    match (&entry.progress, entry.unwanted_since.is_some()) {
        (Progress::Refused { .. }, false) => Standing::Refused,
        (Progress::Failed(..), _) => Standing::Failing,
        (Progress::Accepted(_), true) => Standing::Gone,
        (_, true) if entry.present_since.is_some() => Standing::Removing,
        (_, true) => Standing::Gone,
        (_, false) if entry.present_since.is_some() => Standing::Present,
        (Progress::Accepted(_), false) => Standing::Added,
        (_, false) if entry.covered_by.is_some() => Standing::Covered,
        (_, false) => Standing::Adding,
    }
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Failing => "failing",
            Self::Adding => "adding",
            Self::Removing => "removing",
            Self::Gone => "gone",
            Self::Added => "added",
            Self::Covered => "covered",
            Self::Present => "yes",
        }
    }

    fn style(self) -> anstyle::Style {
        match self {
            Self::Refused | Self::Failing => BAD,
            Self::Adding | Self::Removing => FAIR,
            Self::Gone => FAINT,
            Self::Added | Self::Covered | Self::Present => GOOD,
        }
    }
}

/// Since when the name stands as it does.
fn stands_since(entry: &Entry) -> Timestamp {
    match &entry.progress {
        Progress::Refused { at, .. } => *at,
        _ => entry.unwanted_since.or(entry.present_since).unwrap_or(entry.managed_since),
    }
}

fn note(entry: &Entry, now: Timestamp) -> String {
    match (&entry.progress, standing(entry)) {
        (Progress::Refused { error, .. }, Standing::Refused) => error.clone(),
        (Progress::Failed(attempt, error), _) => {
            format!("{error}; again in {}", until(attempt.next, now))
        }
        (_, Standing::Removing) => "no longer mapped".to_owned(),
        (_, Standing::Gone) => "no longer mapped, and gone from Closte".to_owned(),
        (_, Standing::Covered) => match &entry.covered_by {
            Some(wildcard) => format!("served by {wildcard}"),
            None => String::new(),
        },
        _ => String::new(),
    }
}

fn to_text(
    last_cycle: &LastCycle,
    domains: &[(DomainName, Entry)],
    rejected: &[Rejected],
    now: Timestamp,
) -> String {
    let mut text = headline(last_cycle, domains, now);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["DOMAIN", "SITE", "AT CLOSTE", "SINCE", "NOTE"]);
    match width() {
        Some(columns) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    for (name, entry) in domains {
        table.add_row([
            name.to_string(),
            entry.origin.blog_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
            standing(entry).word().to_owned(),
            since(stands_since(entry), now),
            note(entry, now),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let longest = domains.iter().map(|(name, _)| name.as_str().len()).max().unwrap_or_default();
    if let Some(column) = table.column_mut(0) {
        // A name is easier to read in one piece; the note can be wrapped.
        let wide = longest.min(LONGEST_NAME) as u16 + 2;
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(wide)));
    }
    if table.row_count() > 0 {
        let _ = writeln!(text, "{}", coloured(&table.trim_fmt(), domains));
    }
    for one in rejected {
        let _ = writeln!(text, "{}", paint(FAIR, rejected_line(one)));
    }
    text
}

/// Colours the header and each domain's first line by how it stands. The table is laid out
/// without colours, which would count as width.
fn coloured(table: &str, domains: &[(DomainName, Entry)]) -> String {
    let mut lines = Vec::new();
    let mut rows = domains.iter().peekable();
    for (number, line) in table.lines().enumerate() {
        let style = match rows.peek() {
            _ if number == 0 => Some(STRONG),
            // A long name is wrapped, so its beginning will do.
            Some((name, entry))
                if line
                    .split(' ')
                    .next()
                    .is_some_and(|word| !word.is_empty() && name.as_str().starts_with(word)) =>
            {
                rows.next();
                Some(standing(entry).style())
            }
            _ => None,
        };
        lines.push(style.map_or_else(|| line.to_owned(), |style| paint(style, line)));
    }
    lines.join("\n")
}

fn headline(last_cycle: &LastCycle, domains: &[(DomainName, Entry)], now: Timestamp) -> String {
    let mut text = String::new();
    let (mut at_closte, mut rest) = (0, 0);
    for (_, entry) in domains.iter().filter(|(_, entry)| entry.unwanted_since.is_none()) {
        match standing(entry) {
            Standing::Present | Standing::Covered | Standing::Added => at_closte += 1,
            _ => rest += 1,
        }
    }
    match last_cycle.completed_at {
        Some(at) => {
            let wanted = at_closte + rest;
            let ago = since(at, now);
            let _ = writeln!(
                text,
                "{at_closte} of {wanted} wanted domains are served by Closte, as of {ago} ago"
            );
        }
        None => text.push_str("No cycle has been completed yet.\n"),
    }
    if let Some((at, error)) = &last_cycle.failure {
        let line = format!("The last cycle, {} ago, was broken off: {error}", since(*at, now));
        let _ = writeln!(text, "{}", paint(BAD, line));
    }
    text
}

fn to_json(domains: &[(DomainName, Entry)], rejected: &[Rejected]) -> Vec<Value> {
    let domain = |(name, entry): &(DomainName, Entry)| {
        let (next_attempt, error) = match &entry.progress {
            Progress::Failed(attempt, error) => (Some(attempt.next), Some(error)),
            Progress::Accepted(attempt) => (Some(attempt.next), None),
            Progress::Refused { error, .. } => (None, Some(error)),
            Progress::Idle => (None, None),
        };
        json!({
            "domain": name,
            "blog_id": entry.origin.blog_id,
            "row_id": entry.origin.row_id,
            "at_closte": standing(entry).word(),
            "since": stands_since(entry),
            "managed_since": entry.managed_since,
            "unwanted_since": entry.unwanted_since,
            "covered_by": entry.covered_by,
            "attempts": entry.attempts(),
            "next_attempt": next_attempt,
            "error": error,
        })
    };
    let rejected = rejected.iter().map(|one| {
        json!({
            "domain": one.value,
            "blog_id": one.blog_id,
            "origin": one.origin,
            "at_closte": "rejected",
            "error": one.reason,
        })
    });
    domains.iter().map(domain).chain(rejected).collect()
}
