use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    error::CommandError,
    exit,
    output::{BAD, FAIR, GOOD, count, invalid_line, paint, print, print_json, row_json, until},
};
use crate::{
    app::{App, Clients},
    checks::{MAPPING_OFF, not_served},
    domain::DomainName,
    plan::{Decision, Guard, Reason},
    reconciler::{Preview, Reconciler, RecordDecision, StagePreview},
    secrets,
    state::{InvalidRow, State},
    status::{Serving, Stage},
    wordpress::{NoRecord, Site, SourceError},
};

/// The most sites without a domain record that are listed one by one.
const LISTED: usize = 20;

pub(super) async fn execute(app: &App, as_json: bool) -> Result<u8, CommandError> {
    let Clients { source, closte, account } = app.clients()?;
    let state = State::open_existing(&app.settings().state.path).await?;
    let preview =
        Reconciler::preview(&source, &closte, &account, state.as_ref(), &app.rules(), app.clock())
            .await?;
    if as_json {
        print_json(&to_json(&preview))?;
    } else {
        print(&to_text(&preview))?;
    }
    let is_to_do = |record: &RecordDecision| {
        matches!(record, RecordDecision::Write | RecordDecision::NotYet { .. })
    };
    let is_settled = preview.plan.is_settled()
        && !preview.records.iter().any(is_to_do)
        && !preview.stages.iter().any(|one| one.decision.is_to_write());
    Ok(if is_settled { exit::OK } else { exit::SOMETHING_TO_DO })
}

fn to_text(preview: &Preview) -> String {
    let (now, plan) = (preview.now, &preview.plan);
    let mut text = headline(preview);
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
    if let Some(leader) = &preview.leader {
        let line = format!("! a standby: {leader} leads, and does this by what it reads");
        let _ = writeln!(text, "{}", paint(FAIR, line));
    }
    records_to_text(preview, &mut text, now);
    not_served_to_text(preview, &mut text);
    stages_to_text(preview, &mut text);
    for one in &preview.invalid {
        let _ = writeln!(text, "{}", paint(FAIR, invalid_line(one)));
    }
    if let Some((unparsed, example)) = &preview.unparsed_elements {
        let line = format!(
            "! {} of Closte's list could not be parsed, so nothing is removed: {example}",
            count(*unparsed, "element")
        );
        let _ = writeln!(text, "{}", paint(FAIR, line));
    }
    text
}

fn headline(preview: &Preview) -> String {
    let plan = &preview.plan;
    let (not_desired, invalid) = by_reason(&preview.invalid);
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
        (number(|d| matches!(d, Decision::Unmanaged)), "unmanaged"),
        (number(|d| matches!(d, Decision::Refused { .. })), "refused"),
        (number(|d| matches!(d, Decision::Missing)), "missing"),
        (invalid.len(), "invalid"),
        (not_desired.len(), "not desired"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {number} {word}");
        }
    }
    text.push('\n');
    text
}

/// Rows with one of Closte's own names, and rows without a valid name.
fn by_reason(invalid: &[InvalidRow]) -> (Vec<&InvalidRow>, Vec<&InvalidRow>) {
    invalid.iter().partition(|one| one.clostes_own().is_some())
}

/// Which domain records are written, and why others are not: the first sites one by one, the rest counted by reason.
fn records_to_text(preview: &Preview, text: &mut String, now: Timestamp) {
    let network = &preview.network;
    let sites = network.sites_without_record.iter().zip(&preview.records);
    let (written, mut others): (Vec<_>, Vec<_>) = sites.partition(|(_, record)| {
        **record == RecordDecision::Write && preview.records_refused.is_none()
    });
    for (Site { blog_id, domain, .. }, _) in written {
        let line = format!("+ {domain}  a domain record for site {blog_id}, which has none");
        let _ = writeln!(text, "{}", paint(GOOD, line));
    }
    // Reasons that an operator can change come first.
    others.sort_by_key(|(_, record)| match record {
        RecordDecision::Never(NoRecord::Gone) => 3,
        RecordDecision::Never(reason) if !NoRecord::DOUBTS.contains(reason) => 2,
        RecordDecision::Never(_) => 1,
        _ => 0,
    });
    for (Site { blog_id, domain, path, .. }, record) in others.iter().take(LISTED) {
        let reason = match &preview.records_refused {
            Some(error) if **record == RecordDecision::Write => error.to_string(),
            _ => record.reason(network, now),
        };
        let path = secrets::mask(path.trim_end_matches('/'));
        let line = format!("! {domain}{path}  no domain record for site {blog_id}: {reason}");
        let _ = writeln!(text, "{}", paint(FAIR, line));
    }
    let mut counts = BTreeMap::new();
    for (_, record) in others.iter().skip(LISTED) {
        *counts.entry(record.as_str()).or_insert(0_usize) += 1;
    }
    if !counts.is_empty() {
        let more: usize = counts.values().sum();
        let counts: Vec<_> =
            counts.into_iter().map(|(word, number)| format!("{number} {word}")).collect();
        let more = count(more, "more site");
        let line = format!("! no domain record for {more}: {}", counts.join(", "));
        let _ = writeln!(text, "{}", paint(FAIR, line));
    }
}

/// Which rows WordPress does not serve: the first one by one, the rest counted. Those in another stage than
/// `done` are counted only: that is what the checks are about.
fn not_served_to_text(preview: &Preview, text: &mut String) {
    let mut counts = BTreeMap::new();
    let mut listed = 0;
    for row in preview.network.mappings() {
        let serving = row.state.serving;
        let Some(why) = not_served(row.state) else { continue };
        let is_one_by_one = !matches!(serving, Serving::StageNotDone | Serving::MappingOff);
        if is_one_by_one && listed < LISTED {
            listed += 1;
            let _ = writeln!(text, "{}", paint(FAIR, format!("! {}  {why}", row.domain.as_str())));
        } else {
            *counts.entry(serving).or_insert(0_usize) += 1;
        }
    }
    for (serving, number) in counts {
        let line = match serving {
            Serving::MappingOff => format!("! {MAPPING_OFF}"),
            Serving::StageNotDone => format!(
                "! {} in a stage before done: not served by WordPress",
                count(number, "mapping")
            ),
            _ => format!("! {} not served by WordPress: {serving}", count(number, "mapping")),
        };
        let _ = writeln!(text, "{}", paint(FAIR, line));
    }
}

/// The stages that are written, and why others are not.
fn stages_to_text(preview: &Preview, text: &mut String) {
    for StagePreview { domain, stage, decision } in &preview.stages {
        let stage = stage.map_or("unknown", Stage::as_str);
        let line = match &preview.stages_refused {
            None if decision.is_to_write() => {
                paint(GOOD, format!("~ {domain}  stage {stage} → done"))
            }
            Some(error) if decision.is_to_write() => {
                paint(FAIR, format!("! {domain}  stage {stage}: {error}"))
            }
            _ => {
                let reason = decision.reason(preview.now);
                paint(FAIR, format!("! {domain}  stage {stage}: {reason}"))
            }
        };
        let _ = writeln!(text, "{line}");
    }
}

/// The first character of a line; a blank for decisions that are only counted.
fn sign(decision: &Decision) -> char {
    match decision {
        Decision::Add(_) => '+',
        Decision::Remove { .. } => '-',
        Decision::Held(_)
        | Decision::Waiting { .. }
        | Decision::Unconfirmed { .. }
        | Decision::Missing
        | Decision::Refused { .. } => '!',
        Decision::Covered { .. } | Decision::Unmanaged => ' ',
    }
}

fn reason(decision: &Decision, now: Timestamp) -> String {
    match decision {
        Decision::Add(Reason::New) => String::new(),
        Decision::Add(Reason::Lost) => "it was at Closte before".to_owned(),
        Decision::Add(Reason::Retry { attempts }) => {
            format!("again, after {}", count(*attempts as usize, "attempt"))
        }
        Decision::Remove { undesired_since } => format!("not mapped since {undesired_since:.0}"),
        Decision::Held(guard) => format!("held: {}", guard_reason(guard, now)),
        Decision::Waiting { until: at, error } => {
            format!("tried again in {}: {error}", until(*at, now))
        }
        Decision::Unconfirmed { .. } => {
            "Closte accepted the call; its next list has to confirm that".to_owned()
        }
        Decision::Missing => {
            "missing from Closte's list; added again if it is missing from the next one, too"
                .to_owned()
        }
        Decision::Covered { by } => format!("served by {by}"),
        Decision::Refused { error, .. } => format!("refused: {error}"),
        Decision::Unmanaged => "not ours".to_owned(),
    }
}

fn guard_reason(guard: &Guard, now: Timestamp) -> String {
    match guard {
        Guard::Excluded => "it matches sync.exclude".to_owned(),
        Guard::ClostesOwn => "it is one of Closte's own names".to_owned(),
        Guard::OwnName => "it is the network's own name".to_owned(),
        Guard::Carried => "it is still a site's own domain, without a domain record".to_owned(),
        Guard::Kept => "it matches sync.keep".to_owned(),
        Guard::UpsertOnly => "sync.policy is upsert-only".to_owned(),
        Guard::EmptyTable => {
            "the domain table is empty; if that is intended: apply --allow-removals".to_owned()
        }
        Guard::UnreadableRow(row) => format!("its row {row} no longer holds a valid domain name"),
        Guard::Undetermined => "the plugin's www. setting is not known".to_owned(),
        Guard::ListIncomplete => "part of Closte's list could not be parsed".to_owned(),
        Guard::StillServing(name) => format!("it still serves {name}"),
        Guard::Grace { until: at } => format!("sync.removal_grace is over in {}", until(*at, now)),
        Guard::TooMany { removals, managed } => format!(
            "{removals} of {managed} would be removed together; if that is intended: apply --allow-removals"
        ),
    }
}

fn to_json(preview: &Preview) -> Value {
    let now = preview.now;
    let decision = |(name, decision): &(DomainName, Decision)| {
        let mut fields = Map::new();
        fields.insert("domain".into(), json!(name));
        fields.insert("decision".into(), json!(<&str>::from(decision)));
        fields.insert("reason".into(), json!(reason(decision, now)));
        match decision {
            Decision::Held(guard) => {
                fields.insert("guard".into(), json!(<&str>::from(guard)));
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
    let row = |one: &&InvalidRow| {
        let (kind, id) = (one.origin.kind(), one.origin.id());
        json!({
            "kind": kind, "id": id, "blog_id": one.blog_id, "value": one.value, "reason": one.reason,
        })
    };
    let (not_desired, invalid) = by_reason(&preview.invalid);
    let network = &preview.network;
    let sites = network.sites_without_record.iter().zip(&preview.records);
    let record = |(site, record): (&Site, &RecordDecision)| {
        let written = json!({"blog_id": site.blog_id, "domain": site.domain});
        (*record == RecordDecision::Write).then_some(written)
    };
    let records: Vec<Value> = sites.clone().filter_map(record).collect();
    let no_record = |(site, record): (&Site, &RecordDecision)| {
        let reason = || record.reason(network, now);
        (*record != RecordDecision::Write).then(|| {
            json!({
                "blog_id": site.blog_id, "domain": site.domain, "path": secrets::mask(&site.path),
                "decision": record.as_str(), "reason": reason(),
            })
        })
    };
    let no_records: Vec<Value> = sites.filter_map(no_record).collect();
    let not_served = preview.network.mappings().filter_map(|row| {
        let reason = not_served(row.state)?;
        Some(json!({
            "domain": row.domain.as_str(), "row_id": row.row_id, "blog_id": row.blog_id,
            "plugin": row_json(Some(row.state)), "reason": reason,
        }))
    });
    let stage = |StagePreview { domain, stage, decision }: &StagePreview| {
        json!({
            "domain": domain, "stage": stage, "decision": decision.as_str(),
            "reason": decision.reason(now),
        })
    };
    json!({
        "in_place": preview.plan.in_place,
        "managed": preview.plan.managed,
        "list_complete": preview.unparsed_elements.is_none(),
        "leader": preview.leader,
        "decisions": preview.plan.decisions.iter().map(decision).collect::<Vec<_>>(),
        "invalid": invalid.iter().map(row).collect::<Vec<_>>(),
        "not_desired": not_desired.iter().map(row).collect::<Vec<_>>(),
        "records": records,
        "records_refused": preview.records_refused.as_ref().map(SourceError::to_string),
        "no_records": no_records,
        "not_served": not_served.collect::<Vec<_>>(),
        "stages": preview.stages.iter().map(stage).collect::<Vec<_>>(),
        "stages_refused": preview.stages_refused,
        "sites_on_own_domain": network.on_own_domain,
    })
}
