use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    CommandError, Ends, exit,
    output::{BAD, FAIR, GOOD, count, paint, print, print_json, rejected_line, until},
};
use crate::{
    domain::DomainName,
    plan::{Decision, Guard, Reason},
    settings::Settings,
    state::{Rejected, State},
    sync::{Preview, Sync},
};

pub(super) async fn execute(settings: &Settings, as_json: bool) -> Result<u8, CommandError> {
    let ends = Ends::of(settings, false)?;
    let state = State::open_existing(&settings.state_path).await?;
    let preview =
        Sync::preview(&ends.source, &ends.closte, &ends.account, state.as_ref(), &ends.rules)
            .await?;
    if as_json {
        print_json(&to_json(&preview))?;
    } else {
        print(&to_text(&preview, Timestamp::now()))?;
    }
    let settled = preview.plan.is_settled() && preview.records.is_empty();
    Ok(if settled { exit::OK } else { exit::SOMETHING_TO_DO })
}

fn to_text(preview: &Preview, now: Timestamp) -> String {
    let plan = &preview.plan;
    let (not_wanted, rejected) = by_reason(&preview.rejected);
    let number = |matches: fn(&Decision) -> bool| {
        plan.decisions.iter().filter(|(_, decision)| matches(decision)).count()
    };
    let mut text = String::new();
    let _ = write!(
        text,
        "{} to add, {} to remove, {} held, {} waiting; {} in place",
        number(|d| matches!(d, Decision::Add(_))),
        number(|d| matches!(d, Decision::Remove { .. })),
        number(|d| matches!(d, Decision::Held(_))),
        number(|d| matches!(d, Decision::Waiting { .. } | Decision::Unconfirmed { .. })),
        plan.in_place,
    );
    for (number, word) in [
        (number(|d| matches!(d, Decision::Covered { .. })), "covered"),
        (number(|d| matches!(d, Decision::Foreign)), "foreign"),
        (number(|d| matches!(d, Decision::Refused { .. })), "refused"),
        (number(|d| matches!(d, Decision::Missing)), "missing"),
        (rejected.len(), "rejected"),
        (not_wanted.len(), "not wanted"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {number} {word}");
        }
    }
    text.push('\n');

    let longest =
        plan.decisions.iter().filter(|(_, d)| sign(d) != ' ').map(|(n, _)| n.as_str().len());
    let width = longest.max().unwrap_or(0).min(40);
    for (name, decision) in &plan.decisions {
        let sign = sign(decision);
        if sign != ' ' {
            let style = match sign {
                '+' => GOOD,
                '-' => BAD,
                _ => FAIR,
            };
            let line = format!("{sign} {name:width$}  {}", reason(decision, now));
            let _ = writeln!(text, "{}", paint(style, line.trim_end()));
        }
    }
    for site in &preview.records {
        let line =
            format!("+ {}  a domain record for site {}, which has none", site.domain, site.blog_id);
        let _ = writeln!(text, "{}", paint(GOOD, line));
    }
    for one in &preview.rejected {
        let _ = writeln!(text, "{}", paint(FAIR, rejected_line(one)));
    }
    if let Some((odd, example)) = &preview.odd_elements {
        let line = format!(
            "! {} of Closte's list not understood, so nothing is removed: {example}",
            count(*odd, "element")
        );
        let _ = writeln!(text, "{}", paint(FAIR, line));
    }
    text
}

/// Those that hold one of Closte's own names, and those that hold no name.
fn by_reason(rejected: &[Rejected]) -> (Vec<&Rejected>, Vec<&Rejected>) {
    rejected.iter().partition(|one| one.clostes_own().is_some())
}

/// What a line of the diff begins with; a blank for what is only counted.
fn sign(decision: &Decision) -> char {
    match decision {
        Decision::Add(_) => '+',
        Decision::Remove { .. } => '-',
        Decision::Held(_)
        | Decision::Waiting { .. }
        | Decision::Unconfirmed { .. }
        | Decision::Missing
        | Decision::Refused { .. } => '!',
        Decision::Covered { .. } | Decision::Foreign => ' ',
    }
}

/// Why this becomes of a name, in words.
fn reason(decision: &Decision, now: Timestamp) -> String {
    match decision {
        Decision::Add(Reason::New) => String::new(),
        Decision::Add(Reason::Lost) => "it was at Closte and no longer is".to_owned(),
        Decision::Add(Reason::Retry { attempts }) => {
            format!("again, after {}", count(*attempts as usize, "attempt"))
        }
        Decision::Remove { unwanted_since } => format!("not mapped since {unwanted_since:.0}"),
        Decision::Held(guard) => format!("held: {}", guard_reason(guard, now)),
        Decision::Waiting { until: at, error } => {
            format!("tried again in {}: {error}", until(*at, now))
        }
        Decision::Unconfirmed { .. } => {
            "Closte said yes a moment ago, and its next list confirms it".to_owned()
        }
        Decision::Missing => {
            "missing from this list of Closte; added again if the next one lacks it, too".to_owned()
        }
        Decision::Covered { by } => format!("served by {by}"),
        Decision::Refused { error, .. } => format!("refused: {error}"),
        Decision::Foreign => "not ours".to_owned(),
    }
}

fn guard_reason(guard: &Guard, now: Timestamp) -> String {
    match guard {
        Guard::Excluded => "it matches sync.exclude".to_owned(),
        Guard::ClostesOwn => "it is one of Closte's own names".to_owned(),
        Guard::OwnName => "it is the network's own name".to_owned(),
        Guard::Kept => "it matches sync.keep".to_owned(),
        Guard::UpsertOnly => "sync.policy is upsert-only".to_owned(),
        Guard::EmptyTable => {
            "the domain table is empty; if that is meant: apply --allow-removals".to_owned()
        }
        Guard::UnreadableRow(row) => format!("its row {row} is no domain name now"),
        Guard::PerhapsWanted => "the plugin's setting for www. is not known".to_owned(),
        Guard::ListIncomplete => "Closte's list was not understood in full".to_owned(),
        Guard::StillServing(name) => format!("it still serves {name}"),
        Guard::Grace { until: at } => format!("sync.removal_grace is over in {}", until(*at, now)),
        Guard::TooMany { removals, managed } => format!(
            "{removals} of {managed} would go at once; if that is meant: apply --allow-removals"
        ),
    }
}

fn to_json(preview: &Preview) -> Value {
    let now = Timestamp::now();
    let decision = |(name, decision): &(DomainName, Decision)| {
        let mut fields = Map::new();
        fields.insert("domain".into(), json!(name));
        fields.insert("decision".into(), json!(word(decision)));
        fields.insert("reason".into(), json!(reason(decision, now)));
        match decision {
            Decision::Held(guard) => {
                fields.insert("guard".into(), json!(guard_word(guard)));
            }
            Decision::Covered { by } => {
                fields.insert("by".into(), json!(by));
            }
            Decision::Waiting { until, .. }
            | Decision::Unconfirmed { until }
            | Decision::Refused { until, .. } => {
                fields.insert("until".into(), json!(until));
            }
            _ => {}
        }
        Value::Object(fields)
    };
    let row = |one: &&Rejected| json!({"origin": one.origin, "blog_id": one.blog_id, "value": one.value, "reason": one.reason});
    let (not_wanted, rejected) = by_reason(&preview.rejected);
    let records =
        preview.records.iter().map(|site| json!({"blog_id": site.blog_id, "domain": site.domain}));
    json!({
        "in_place": preview.plan.in_place,
        "managed": preview.plan.managed,
        "list_complete": preview.odd_elements.is_none(),
        "decisions": preview.plan.decisions.iter().map(decision).collect::<Vec<_>>(),
        "rejected": rejected.iter().map(row).collect::<Vec<_>>(),
        "not_wanted": not_wanted.iter().map(row).collect::<Vec<_>>(),
        "records": records.collect::<Vec<_>>(),
    })
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Add(_) => "add",
        Decision::Remove { .. } => "remove",
        Decision::Held(_) => "held",
        Decision::Waiting { .. } => "waiting",
        Decision::Unconfirmed { .. } => "unconfirmed",
        Decision::Missing => "missing",
        Decision::Covered { .. } => "covered",
        Decision::Refused { .. } => "refused",
        Decision::Foreign => "foreign",
    }
}

fn guard_word(guard: &Guard) -> &'static str {
    match guard {
        Guard::Excluded => "excluded",
        Guard::ClostesOwn => "clostes-own",
        Guard::OwnName => "own-name",
        Guard::Kept => "kept",
        Guard::UpsertOnly => "upsert-only",
        Guard::EmptyTable => "empty-table",
        Guard::UnreadableRow(_) => "unreadable-row",
        Guard::PerhapsWanted => "perhaps-wanted",
        Guard::ListIncomplete => "list-incomplete",
        Guard::StillServing(_) => "still-serving",
        Guard::Grace { .. } => "grace",
        Guard::TooMany { .. } => "too-many",
    }
}
