//! The alerts, the dashboard and the metrics, as Prometheus's own tool and the code see them.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
};

use closte_sync::{
    simulator::Face,
    status::{SiteVerdict, Stage},
};
use serde_json::Value;

use crate::{
    http::{address, get, with_endpoint},
    support::{Outside, ends, eventually},
};

const METRICS: &str = include_str!("../../docs/metrics.md");
const RULES: &str = include_str!("../../docs/alerts/closte-sync.rules.yml");

fn alerts(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts").join(file)
}

/// Asserts that `promtool` is content. `input` is what it reads.
fn promtool(arguments: &[&str], input: &str) {
    let mut tool = Command::new("promtool");
    tool.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = tool.spawn().expect("promtool is of Debian's package prometheus");
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = tool.wait_with_output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
    assert!(said.status.success(), "promtool {arguments:?}: {text}\n{input}");
}

#[test]
fn the_rules_are_valid_and_pass_their_tests() {
    promtool(&["check", "rules", alerts("closte-sync.rules.yml").to_str().unwrap()], "");
    promtool(&["test", "rules", alerts("closte-sync.test.yml").to_str().unwrap()], "");
    let tests = fs::read_to_string(alerts("closte-sync.test.yml")).unwrap();
    for alert in RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let fires = format!("        alertname: {alert}\n        exp_alerts:\n          -");
        assert!(tests.contains(&fires), "nothing shows that {alert} fires");
    }
}

/// All texts of a JSON value under this key.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|value| texts(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        _ => {}
    }
}

/// The words that a label is compared with.
fn words_of<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let uses = text.split(label).skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(['=', '!', '~']);
        rest.strip_prefix('"')?.split('"').next()
    });
    uses.flat_map(|words| words.split('|')).collect()
}

#[test]
fn rules_and_dashboard_name_what_there_is() {
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(alerts("dashboard.json")).unwrap()).unwrap();
    let mut queries = Vec::new();
    texts(&dashboard, "expr", &mut queries);
    assert!(queries.len() > 10, "{queries:?}");
    let all = format!("{RULES}\n{}", queries.join("\n"));
    let is_of_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let names = all.match_indices("closte_sync_").map(|(at, _)| {
        let rest = &all[at..];
        let name = &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())];
        name.strip_suffix("_bucket").unwrap_or(name)
    });
    for name in names.collect::<BTreeSet<_>>() {
        assert!(METRICS.contains(&format!("`{name}`")), "docs/metrics.md has no {name}");
    }
    for verdict in words_of(&all, "verdict") {
        assert!(SiteVerdict::from_str(verdict).is_ok(), "{verdict}");
    }
    for stage in words_of(&all, "stage") {
        assert!(Stage::from_str(stage).is_ok(), "{stage}");
    }
    for state in words_of(&all, "state") {
        assert!(METRICS.contains(&format!("`{state}`")), "{state}");
    }
}

#[tokio::test]
async fn the_metrics_of_a_daemon_are_as_prometheus_wants_them() {
    let outside = Outside::start().await;
    outside.point(&["agency.example", "a.example"]);
    outside.tls.show("a.example", Face::Valid(60)).unwrap();
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let program = with_endpoint(outside.around(program));
    let daemon = program.with("CLOSTE_SYNC__HTTP__METRICS_PER_DOMAIN", "true").start_daemon();
    let page = format!("{}/metrics", address(&daemon).await);
    let mut metrics = String::new();
    eventually("the domain works", async || {
        metrics = get(&page).await.1;
        metrics.contains("closte_sync_domain_works{domain=\"a.example\"} 1\n")
    })
    .await;
    promtool(&["check", "metrics"], &metrics);
    assert_eq!(daemon.stop().await, 0);
}
