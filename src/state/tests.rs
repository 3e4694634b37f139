//! Migrations keep the state of every earlier schema, and invalid values are errors.

use std::{collections::HashSet, path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqliteConnection,
};

use super::*;
use crate::{
    clock::{Boot, Clock},
    domain::DomainName,
    ledger::{Attempt, Entry, Ledger, Progress, RowLocation, RowRef},
    status::{DnsVerdict, SslVerdict, Stage},
};

const CHECK: &str = r#"{"dns": {"verdict": "ok", "seen": 1, "of": 1, "addresses": ["192.0.2.1"],
    "answers": [{"resolver": "system", "verdict": "ok", "addresses": ["192.0.2.1"]}]},
    "ssl": {"verdict": "valid", "address": "192.0.2.1", "certificate": {"issuer": "Let's Encrypt R3",
    "names": ["idle.example"], "not_before": "2026-01-01T00:00:00Z", "not_after": "2026-04-01T00:00:00Z",
    "key": "ECDSA P-256"}}, "blockers": [], "expected": ["192.0.2.1"]}"#;

/// One row of each table of the schema `version`. A new schema adds only rows of its own tables, and new
/// names.
fn rows(version: i64) -> String {
    let renamed = |old: &'static str, new: &'static str| if version < 8 { old } else { new };
    let undesired = renamed("unwanted_since", "undesired_since");
    let desired = renamed("wanted", "desired");
    let invalid_event = renamed("row.rejected", "row.invalid");
    let typed = |old: &'static str, new: &'static str| if version < 10 { old } else { new };
    let origin = typed(r#""origin":"row 17""#, r#""kind":"row","id":17"#);
    let times =
        typed(r#""took":"2m 5s","after_added":"3d 4h""#, r#""took_s":125,"after_added_s":273600"#);
    let blockers = typed(r#""aaaa-elsewhere, caa-forbids""#, r#"["aaaa-elsewhere","caa-forbids"]"#);
    let mut sql = match version {
        ..3 => "INSERT INTO ledger (id, network, account, started_at)
                VALUES (1, 'Agency.Example (1)', 'key', 1000);"
            .to_owned(),
        _ => "INSERT INTO ledger (id, network, network_id, domain, account, started_at)
              VALUES (1, 'agency.example (1)', 1, 'agency.example', 'key', 1000);"
            .to_owned(),
    };
    sql += &format!(
        "INSERT INTO managed (ledger_id, domain, row_id, blog_id, row_modified, managed_since,
             present_since, {undesired}, progress, attempts, next_attempt, refused_at, error, covered_by)
         VALUES (1, 'idle.example', 7, 2, 1700000000, 1000, 2000, NULL, 'idle', 0, NULL, NULL, NULL, NULL),
             (1, 'accepted.example', NULL, 3, NULL, 1000, NULL, NULL, 'accepted', 1, 9000, NULL, NULL,
                 '*.sites.example'),
             (1, 'failed.example', NULL, NULL, NULL, 1000, NULL, 3000, 'failed', 2, 9000, NULL, 'no', NULL),
             (1, 'refused.example', 8, 2, NULL, 1000, NULL, NULL, 'refused', 0, NULL, 5000, 'never', NULL);
         INSERT INTO event (id, at, level, name, domain, detail)
         VALUES (5, 4000, 'ERROR', '{invalid_event}', NULL, '{{{origin}}}'),
             (6, 4000, 'INFO', 'certificate.valid', 'a.example', '{{\"blog_id\":2,{times}}}'),
             (7, 4000, 'WARN', 'certificate.blocked', 'a.example', '{{\"blockers\":{blockers}}}');
         INSERT INTO last_cycle (id, ledger_id, completed_at, summary, failed_at, error)
         VALUES (1, 1, 6000, '{{\"{desired}\":4}}', 7000, 'no route');"
    );
    sql += match version {
        ..8 => {
            "INSERT INTO rejected (ledger_id, origin, blog_id, value, reason, since)
             VALUES (1, 'row 17', 2, 'no name', 'it is none', 1000), (1, 'row 9', 2, 'a b', 'why', 1000),
                 (1, 'site 4', 4, 'c d', 'why', 1000);"
        }
        8 => {
            "INSERT INTO invalid_row (ledger_id, origin, blog_id, value, reason, since)
             VALUES (1, 'row 17', 2, 'no name', 'it is none', 1000), (1, 'row 9', 2, 'a b', 'why', 1000),
                 (1, 'site 4', 4, 'c d', 'why', 1000);"
        }
        _ => {
            "INSERT INTO invalid_row (ledger_id, kind, id, blog_id, value, reason, since)
             VALUES (1, 'row', 17, 2, 'no name', 'it is none', 1000),
                 (1, 'row', 9, 2, 'a b', 'why', 1000), (1, 'site', 4, 4, 'c d', 'why', 1000);"
        }
    };
    if version >= 2 {
        let (table, checked_at) =
            (renamed("standing", "domain_status"), renamed("looked_at", "checked_at"));
        let suspect_since = renamed("doubted_at", "suspect_since");
        let alerted_at = renamed("told_at", "alerted_at");
        sql += &format!(
            "UPDATE ledger SET domain = 'agency.example', check_interval = 60000;
             INSERT INTO {table} (ledger_id, domain, due_at, {checked_at}, latest, dns_since, ssl_since,
                 since, {suspect_since}, {alerted_at}, lacks_certificate_since)
             VALUES (1, 'idle.example', 8000, 4000, '{}', 4100, 4200, 4300, 4400, 4500, 4600),
                 (1, 'accepted.example', 8000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
             INSERT INTO certificate_request (ledger_id, domain, asked_at, answer)
             VALUES (1, 'idle.example', 5000, 'soon');
             INSERT INTO absent_call (path, until) VALUES ('/ssl', 50000);",
            CHECK.replace('\'', "''")
        );
    }
    if version >= 3 {
        let table = if version >= 11 { "missing_record" } else { "lacking_record" };
        sql += &format!(
            "INSERT INTO {table} (network_id, blog_id, state, since, reads)
             VALUES (1, 5, 'as it is', 2000, 3);
             INSERT INTO written_record (network_id, blog_id, domain, at, is_sure)
             VALUES (1, 2, 'idle.example', 2000, 1), (1, 6, 'begun.example', 2000, 0);"
        );
    }
    if version >= 4 {
        sql += "UPDATE managed SET missing_since = 2500 WHERE domain = 'idle.example';";
    }
    if version >= 6 {
        let table = if version >= 11 { "loop_clock" } else { "reckoning" };
        sql += &format!(
            "INSERT INTO {table} (loop, boot, booted_at) VALUES ('checks', 'this one', 500);
             INSERT INTO event_day (day, last_event) VALUES (0, 5);"
        );
    }
    if version >= 14 {
        sql += "INSERT INTO checks_doubt (reason, until) VALUES ('sick-resolver', 50000);
             INSERT INTO written_stage (ledger_id, row_id, domain, stage, at, is_sure, is_retry,
                 modified, last_ended, times_broken, failures, next_attempt, taken_back)
             VALUES (1, 7, 'idle.example', 'ssl-failed', 2000, 0, 1, 1700000000, 30, 2, 3, 9000, 0);";
    }
    if version >= 18 {
        sql += "INSERT INTO leadership (lock_name, proof, since, other_leads, leader, noted_at)
             VALUES ('closte-sync.one', NULL, 2000, 1, 'connection 7', 3000);";
    }
    if version >= 19 {
        sql += "INSERT INTO kept_conditions (id, conditions) VALUES (1,
             '[{\"condition\": \"Closte\", \"since\": \"1970-01-01T00:00:02Z\", \"reported\": []}]');";
    }
    sql
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn name(text: &str) -> DomainName {
    text.parse().unwrap()
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.unwrap()
}

/// Creates a state database of an earlier schema with these statements.
async fn written_by(version: i64, path: &Path, statements: &str) {
    let mut connection = connect(path).await;
    MIGRATIONS.run_to(version, &mut connection).await.unwrap();
    let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
    connection.execute(statements).await.unwrap();
    connection.close().await.unwrap();
}

fn expected_entries(version: i64) -> Ledger {
    let entry = |row_id, blog_id, modified, progress| Entry {
        progress,
        ..Entry::new(RowRef { row_id, blog_id, modified, state: None }, at(1000))
    };
    let attempt = |count| Attempt { count, next: at(9000) };
    let refused = Progress::Refused { at: at(5000), error: "never".to_owned() };
    let failed = Progress::Failed(attempt(2), "no".to_owned());
    Ledger::from_iter([
        (
            name("idle.example"),
            Entry {
                present_since: Some(at(2000)),
                missing_since: (version >= 4).then(|| at(2500)),
                ..entry(Some(7), Some(2), Some(1_700_000_000), Progress::Idle)
            },
        ),
        (
            name("accepted.example"),
            Entry {
                covered_by: Some(name("*.sites.example")),
                ..entry(None, Some(3), None, Progress::Accepted(attempt(1)))
            },
        ),
        (
            name("failed.example"),
            Entry { undesired_since: Some(at(3000)), ..entry(None, None, None, failed) },
        ),
        (name("refused.example"), entry(Some(8), Some(2), None, refused)),
    ])
}

async fn assert_kept(state: &State, version: i64) {
    let known = state.ledgers(1, "key").await.unwrap();
    let [Known { id, domain }] = &known[..] else { panic!("{version}: {known:?}") };
    assert_eq!(domain, "agency.example", "{version}");
    assert_eq!(state.load(*id).await.unwrap(), expected_entries(version), "{version}");

    let invalid = state.invalid(*id).await.unwrap();
    let invalid: Vec<_> = invalid.iter().map(|one| (one.origin, &*one.value)).collect();
    let (row, site) = (RowLocation::Row, RowLocation::Site);
    let expected = [(row(9), "a b"), (row(17), "no name"), (site(4), "c d")];
    assert_eq!(invalid, expected, "{version}");

    let events = state.events(None, None, 10).await.unwrap();
    let [event, valid, blocked] = &events[..] else { panic!("{version}: {events:?}") };
    assert_eq!((event.id, event.at, &*event.level), (5, at(4000), "ERROR"), "{version}");
    assert_eq!(event.event, "row.invalid");
    let details = [event, valid, blocked].map(|event| Value::from(event.detail.clone()));
    let expected = [
        json!({"kind": "row", "id": 17}),
        json!({"blog_id": 2, "took_s": 125, "after_added_s": 273_600}),
        json!({"blockers": ["aaaa-elsewhere", "caa-forbids"]}),
    ];
    assert_eq!(details, expected, "{version}");

    let cycle = state.last_cycle().await.unwrap();
    assert_eq!((cycle.ledger, cycle.completed_at), (Some(*id), Some(at(6000))), "{version}");
    assert_eq!(cycle.summary.as_deref(), Some(r#"{"desired":4}"#), "{version}");
    assert_eq!(cycle.failure, Some((at(7000), "no route".to_owned())), "{version}");

    assert_checks_kept(state, *id, version).await;
    assert_notes_kept(state, version).await;
    assert_stages_kept(state, *id, version).await;
    let leadership = state.last_leadership().await.unwrap();
    let leader = leadership.and_then(|note| note.leader);
    assert_eq!(leader.as_deref(), (version >= 18).then_some("connection 7"), "{version}");
}

async fn assert_stages_kept(state: &State, ledger: LedgerId, version: i64) {
    let known = version >= 14;
    let doubt = state.checks_doubt(at(49_000)).await.unwrap();
    assert_eq!(doubt, known.then_some(ChecksDoubt::SickResolver), "{version}");
    assert_eq!(state.checks_doubt(at(50_000)).await.unwrap(), None, "{version}");
    let unsure = state.unsure_stages(ledger, 10).await.unwrap();
    let note = StageNote {
        stage: Stage::SslFailed,
        at: at(2000),
        is_sure: false,
        is_retry: true,
        modified: Some(1_700_000_000),
        last_ended: Some(30),
        times_broken: 2,
        failures: 3,
        next_attempt: Some(at(9000)),
        is_taken_back: false,
    };
    let unsure: Vec<_> = unsure.iter().map(|one| (one.name.as_str(), one.note.as_ref())).collect();
    assert_eq!(unsure, [("idle.example", Some(&note))][..usize::from(known)], "{version}");
}

async fn assert_checks_kept(state: &State, ledger: LedgerId, version: i64) {
    let network = state.network(ledger).await.unwrap();
    let check_interval = (version >= 2).then_some(Duration::from_secs(60));
    assert_eq!(network, NetworkInfo { domain: "agency.example".to_owned(), check_interval });
    let checked = state.desired(ledger, &[]).await.unwrap();
    let names: Vec<&str> = checked.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["accepted.example", "idle.example", "refused.example"], "{version}");
    let [accepted, idle, refused] = &checked[..] else { panic!() };
    assert_eq!(refused.due_at, None, "{version}");
    let known = version >= 2;
    assert_eq!((accepted.due_at, &accepted.status), (known.then(|| at(8000)), &None), "{version}");
    assert_eq!(idle.request, known.then(|| (at(5000), "soon".to_owned())), "{version}");
    let absent = state.absent_calls(Duration::from_secs(60), at(40_000)).await.unwrap();
    assert_eq!(absent, ["/ssl"][..usize::from(known)], "{version}");
    assert_eq!(idle.status.is_some(), known, "{version}");
    if let Some(status) = &idle.status {
        assert_eq!(
            [status.checked_at, status.dns_since, status.ssl_since],
            [4000, 4100, 4200].map(at)
        );
        assert_eq!(status.since, at(4300), "{version}");
        assert_eq!(
            [status.suspect_since, status.alerted_at, status.lacks_certificate_since],
            [4400, 4500, 4600].map(|millis| Some(at(millis))),
            "{version}"
        );
        assert_eq!(status.latest, serde_json::from_str(CHECK).unwrap(), "{version}");
        let counts = state.status_counts(ledger, Duration::ZERO, at(9000)).await.unwrap();
        let both = |one: &StatusCount| (one.dns, one.ssl, one.names, one.is_late);
        let expected = [
            (DnsVerdict::Unknown, SslVerdict::Unknown, 1, false),
            (DnsVerdict::Ok, SslVerdict::Valid, 1, true),
        ];
        assert_eq!(counts.iter().map(both).collect::<Vec<_>>(), expected, "{version}");
    }
}

async fn assert_notes_kept(state: &State, version: i64) {
    let notes = state.record_notes(1).await.unwrap();
    let record = MissingRecord { state: "as it is".to_owned(), since: at(2000), reads: 3 };
    let missing: Vec<_> = notes.missing.into_iter().collect();
    assert_eq!(missing, [(5, record)][..usize::from(version >= 3)], "{version}");
    let written = |site: i64, text: &str| notes.written.get(&(site, name(text))).copied();
    let note = |is_sure| (version >= 3).then(|| Written { at: at(2000), is_sure });
    assert_eq!(written(2, "idle.example"), note(true), "{version}");
    assert_eq!(written(6, "begun.example"), note(false), "{version}");

    let mut clock = Clock::default();
    clock.follow(Boot { id: "this one".to_owned(), at: at(0) });
    assert_eq!(
        state.restore_clock(Loop::Checks, &mut clock).await.unwrap(),
        version >= 6,
        "{version}"
    );
    assert_eq!(clock.boot().at, at(if version >= 6 { 500 } else { 0 }), "{version}");
    let kept = state.kept_conditions().await.unwrap();
    assert_eq!(kept.len(), usize::from(version >= 19), "{version}");
}

#[tokio::test]
async fn migrations_keep_the_state_of_each_earlier_schema() {
    for version in MIGRATIONS.iter().map(|migration| migration.version) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        written_by(version, &path, &rows(version)).await;
        let state = State::open(&path).await.unwrap();
        assert_kept(&state, version).await;
        state.close().await;
        // And read-only.
        let state = State::open_existing(&path).await.unwrap().unwrap();
        assert_kept(&state, version).await;
    }
}

#[tokio::test]
async fn ledgers_that_differ_only_in_letter_case_are_merged() {
    for version in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let other = "INSERT INTO ledger (id, network, account, started_at)
             VALUES (2, 'agency.EXAMPLE (1)', 'key', 1100), (3, 'agency.example (2)', 'key', 1100);
             INSERT INTO managed (ledger_id, domain, managed_since, progress)
             VALUES (2, 'idle.example', 1100, 'idle'), (2, 'new.example', 1100, 'idle'),
                 (3, 'idle.example', 1100, 'idle')";
        written_by(version, &path, &(rows(version) + other)).await;
        let state = State::open(&path).await.unwrap();
        let known = state.ledgers(1, "key").await.unwrap();
        let [one] = &known[..] else { panic!("{version}: {known:?}") };
        let ledger = state.load(one.id).await.unwrap();
        assert_eq!(ledger.len(), 5, "{version}");
        assert_eq!(
            ledger.get("idle.example").unwrap().entry().managed_since,
            at(1100),
            "the newest ledger counts"
        );
        assert_eq!(state.ledgers(2, "key").await.unwrap().len(), 1, "{version}");
    }
}

#[tokio::test]
async fn an_invalid_value_is_an_error_and_no_default() {
    let newest = MIGRATIONS.iter().last().unwrap().version;
    for (damage, said) in [
        ("UPDATE managed SET domain = 'no name' WHERE domain = 'idle.example'", "\"no name\": "),
        ("UPDATE managed SET progress = 'resting'", "unknown progress \"resting\""),
        (
            "UPDATE managed SET next_attempt = NULL",
            "accepted.example: \"accepted\" without the next attempt",
        ),
        ("UPDATE managed SET error = NULL", "failed.example: \"failed\" without the error"),
        ("UPDATE managed SET managed_since = 9223372036854775807", "the ledger: "),
        ("UPDATE invalid_row SET kind = 'wall'", "(\"wall\": no table is called that)"),
        ("UPDATE event SET detail = '{'", "event 7: "),
        ("UPDATE event SET at = -9223372036854775808", "(-9223372036854775808: "),
        ("UPDATE ledger SET check_interval = -1", "(-1: "),
        ("UPDATE ledger SET domain = NULL", "(a value is missing)"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        written_by(newest, &path, &rows(newest)).await;
        let state = State::open(&path).await.unwrap();
        let statements = format!("PRAGMA ignore_check_constraints = ON; {damage}");
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&state.pool).await.unwrap();
        let read = async {
            let ledger = state.current_ledger().await?.unwrap();
            state.network(ledger).await?;
            state.events(None, None, 10).await?;
            state.invalid(ledger).await?;
            state.load(ledger).await?;
            state.desired(ledger, &[]).await?;
            state.status_counts(ledger, Duration::ZERO, at(9000)).await?;
            Ok::<_, StateError>(())
        };
        let error = read.await.unwrap_err();
        assert!(matches!(error, StateError::Damaged(_)), "{damage}: {error}");
        assert!(error.to_string().contains(said), "{damage}: {error}");
    }
}

#[tokio::test]
async fn a_check_that_cannot_be_read_is_repeated_and_holds_up_no_other() {
    let newest = MIGRATIONS.iter().last().unwrap().version;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    written_by(newest, &path, &rows(newest)).await;
    let state = State::open(&path).await.unwrap();
    let ledger = state.current_ledger().await.unwrap().unwrap();
    let all = state.desired(ledger, &[]).await.unwrap();
    assert!(all.iter().any(|one| one.status.is_some()));
    for damage in [r#"replace(latest, '"ok"', '"fine"')"#, "'{}'"] {
        let damage = format!("UPDATE domain_status SET latest = {damage}");
        sqlx::raw_sql(AssertSqlSafe(damage)).execute(&state.pool).await.unwrap();
        let read = state.desired(ledger, &[]).await.unwrap();
        assert!(read.iter().all(|one| one.status.is_none()));
        assert_eq!(read.len(), all.len());
        assert!(!state.due(ledger, at(i64::from(i32::MAX)), 10).await.unwrap().is_empty());
        let counts = state.status_counts(ledger, Duration::ZERO, at(9000)).await.unwrap();
        assert!(counts.iter().all(|count| count.dns == DnsVerdict::Unknown), "{counts:?}");
    }
}

/// The steps of a query, each with the step that it is part of.
async fn steps(state: &State, query: &str) -> Vec<(i64, String)> {
    let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}")));
    let rows = explained.fetch_all(&state.pool).await.unwrap();
    rows.iter().map(|row| (row.get("parent"), row.get("detail"))).collect()
}

#[tokio::test]
async fn no_query_reads_a_list_again_for_each_row_of_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("state.db")).await.unwrap();
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let mut lists = 0;
    for file in std::fs::read_dir(known).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let known: serde_json::Value = serde_json::from_str(&text).unwrap();
        let query = known["query"].as_str().unwrap();
        let mut begun = HashSet::new();
        for (parent, step) in steps(&state, query).await {
            let is_list = step.contains("VIRTUAL TABLE");
            lists += usize::from(is_list);
            let is_outermost = begun.insert(parent);
            assert!(!is_list || is_outermost, "{query}: {step}");
        }
    }
    assert!(lists > 5, "{lists}");
}
