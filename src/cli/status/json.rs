use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    app::Settings,
    checks::stage,
    cli::output::{request_json, row_json, ssl_json},
    ledger::Progress,
    overview::{DomainRow, closte_status, state_since},
    state::{InvalidRow, Mute},
    status::{DnsVerdict, SslVerdict, Stage},
};

pub(super) fn to_json(
    settings: &Settings,
    rows: &[DomainRow],
    invalid: &[InvalidRow],
    mutes: &[Mute],
    panel: Option<&str>,
    now: Timestamp,
) -> Vec<Value> {
    let domain = |row: &DomainRow| {
        let mut fields = of_ledger(row);
        if let (Value::Object(fields), Value::Object(more)) =
            (&mut fields, of_checks(row, settings, panel, now))
        {
            fields.extend(more);
            let is_meant =
                |mute: &&Mute| ["all", row.name.as_str()].contains(&mute.subject.as_str());
            fields.insert("muted".to_owned(), json!(mutes.iter().find(is_meant)));
        }
        fields
    };
    rows.iter().map(domain).chain(invalid.iter().map(of_invalid)).collect()
}

fn of_ledger(row: &DomainRow) -> Value {
    let entry = &row.entry;
    let (next_attempt, error) = match &entry.progress {
        Progress::Failed(attempt, error) => (Some(attempt.next), Some(error)),
        Progress::Accepted(attempt) => (Some(attempt.next), None),
        Progress::Refused { error, .. } => (None, Some(error)),
        Progress::Idle => (None, None),
    };
    json!({
        "domain": row.name,
        "blog_id": entry.origin.blog_id,
        "row_id": entry.origin.row_id,
        "plugin": row_json(entry.origin.state),
        "at_closte": closte_status(entry).as_str(),
        "since": state_since(entry),
        "managed_since": entry.managed_since,
        "undesired_since": entry.undesired_since,
        "covered_by": entry.covered_by,
        "attempts": entry.attempts(),
        "next_attempt": next_attempt,
        "error": error,
    })
}

fn of_checks(row: &DomainRow, settings: &Settings, panel: Option<&str>, now: Timestamp) -> Value {
    let advice = row.advice(panel, now);
    let (attention_after, language) = (settings.checks.attention_after, settings.notify.language);
    match row.seen() {
        Some(seen) => json!({
            "stage": stage(seen, attention_after, now),
            "works": seen.latest.works(),
            "works_since": seen.since,
            "checked_at": seen.checked_at,
            "dns": seen.latest.dns,
            "dns_since": seen.dns_since,
            "ssl": ssl_json(&seen.latest.ssl, now),
            "ssl_since": seen.ssl_since,
            "site": seen.latest.site,
            "http": seen.latest.http,
            "live_since": seen.live_since,
            "live_after_s": seen.live_after_s,
            "blockers": seen.latest.blockers,
            "caa": seen.latest.caa,
            "expected": seen.latest.expected,
            "certificate_request": row.checked.as_ref().map(request_json),
            "advice": advice.as_ref().map(|advice| &advice.owner),
            "customer": advice.as_ref().map(|advice| advice.customer.in_language(language)),
        }),
        None => json!({
            "stage": Stage::CheckingDns,
            "works": false,
            "dns": {"verdict": DnsVerdict::Unknown},
            "ssl": {"verdict": SslVerdict::Unknown},
            "blockers": [],
            "advice": "It has not been checked yet: wait for the daemon, or run `closte-sync check`",
        }),
    }
}

fn of_invalid(one: &InvalidRow) -> Value {
    let (word, advice) = match one.clostes_own() {
        Some(_) => ("not-desired", format!("There is nothing to do: {}", one.reason)),
        None => {
            let advice = format!("Correct {} in {}: {}", one.origin, one.screen(), one.reason);
            ("invalid", advice)
        }
    };
    json!({
        "domain": one.value,
        "blog_id": one.blog_id,
        "kind": one.origin.kind(),
        "id": one.origin.id(),
        "at_closte": word,
        "error": one.reason,
        "stage": Stage::CheckingDns,
        "works": false,
        "dns": {"verdict": DnsVerdict::Unknown},
        "ssl": {"verdict": SslVerdict::Unknown},
        "blockers": [],
        "advice": advice,
    })
}
