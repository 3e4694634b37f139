//! What people see: every command as it prints into a pipe, 80 columns wide, kept in `snapshots/`.
//!
//! `INSTA_UPDATE=always tests/run snapshots` writes them anew.

use std::env::temp_dir;

use closte_sync::simulator::{Face, Fault, Simulator, Target};

use crate::support::{FakeClock, KEY, Network, Outside, Program, ends};

/// Runs a command, and compares all that it prints, and its exit status, with the snapshot of this name.
async fn snapshot(name: &str, program: &Program, arguments: &[&str]) {
    let finished = program.run(arguments).await;
    let words = arguments.iter().map(|word| match word.contains(' ') || word.is_empty() {
        true => format!("'{word}'"),
        false => (*word).to_owned(),
    });
    let command = words.fold("closte-sync".to_owned(), |line, word| format!("{line} {word}"));
    let mut shown = format!("$ {command}\n{}", finished.out);
    if !finished.err.is_empty() {
        shown += &format!("[on standard error]\n{}", finished.err);
    }
    shown += &format!("[exit status {}]\n", finished.status);
    compare(name, &shown);
}

/// Compares a text, without what changes from run to run, with the snapshot of this name.
fn compare(name: &str, shown: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let folder = temp_dir().join(".tmp").display().to_string().replace('.', r"\.") + r"\w+";
    for (changing, instead) in [
        (folder.as_str(), "/folder"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:1234"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-11-23T13:02:11Z"),
        (r"\b(net|user)\d+\b", "${1}1"),
        (r"\b(took|after_added)(_\w+)?=\w+", "${1}${2}=1"),
        (r"\b(in|for) \d+[smh]\b( \d+[smh]\b)?", "$1 1s"),
        (r"as of \d+s ago", "as of 1s ago"),
        // Certificates end at midnight.
        (r"\bvalid \d\dd", "valid 89d"),
        (r"\b\d\d days left", "89 days left"),
        (r"\b\d+ set, \d+ at their default", "2 set, 40 at their default"),
    ] {
        settings.add_filter(changing, instead);
    }
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

#[tokio::test]
async fn help() {
    let program = Program::bare();
    snapshot("help", &program, &["--help"]).await;
    snapshot("help-short", &program, &["-h"]).await;
    let command = closte_sync::cli::command();
    for command in command.get_subcommands().map(|command| command.get_name()) {
        snapshot(&format!("help-{command}"), &program, &[command, "--help"]).await;
    }
}

#[tokio::test]
async fn wrong_usage() {
    let program = Program::bare();
    for (name, arguments) in [
        ("no-command", &[][..]),
        ("unknown-command", &["staus"]),
        ("unknown-option", &["plan", "--jason"]),
        ("no-domain-name", &["status", "https://shop.example/"]),
        ("no-value", &["config", "--set", "sync.interval"]),
    ] {
        snapshot(&format!("usage-{name}"), &program, arguments).await;
    }
}

#[tokio::test]
async fn invalid_settings() {
    let (_network, _closte, program) = ends(&[]).await;
    snapshot("settings-unknown", &program, &["plan", "--set", "sync.intervall=1m"]).await;
    snapshot("settings-value", &program, &["plan", "--set", "sync.interval=soon"]).await;
    let keyless = program.clone().without("CLOSTE_CLIENT_API_KEY");
    snapshot("settings-no-key", &keyless, &["run"]).await;
    let homeless = program.without("CLOSTE_SYNC__WORDPRESS__DATABASE_URL");
    snapshot("settings-no-database", &homeless, &["plan"]).await;
}

#[tokio::test]
async fn config() {
    let network = Network::with_domains(&[]).await;
    let program = Program::bare().with("CLOSTE_CLIENT_API_KEY", KEY);
    let file = program.file(
        "config.toml",
        &format!(
            "[wordpress]\ndatabase_url = \"{}\"\n\
             [sync]\nextra_domains = [\"*.agency.example\", \"agency.example\"]\n",
            network.url
        ),
    );
    let arguments = ["config", "--config", &file, "--set", "checks.interval=1m"];
    snapshot("config", &program, &arguments).await;
}

#[tokio::test]
async fn plan() {
    let network = Network::sqlite().await;
    let closte = Simulator::start(KEY).await.unwrap();
    closte.put(["*.agency.example", "the-bakery.example", "mail.elsewhere.example"]);
    let program = Program::new(&network, &closte);
    snapshot("plan", &program, &["plan"]).await;

    assert_eq!(closte.domains().len(), 3, "it changes nothing at Closte");
    let read = network.source(None).read().await.unwrap();
    assert_eq!(read.sites_without_record.len(), 7, "it writes no record");

    let (_network, closte, program) = ends(&["a.example"]).await;
    closte.put(["a.example"]);
    snapshot("plan-nothing", &program, &["plan"]).await;
    closte.fail(Target::Everything, Fault::Status(503));
    snapshot("plan-closte-fails", &program, &["plan"]).await;
}

#[tokio::test]
async fn apply_and_plan() {
    let names = ["a.example", "b.example", "refused.example", "slow.example"];
    let (network, closte, program) = ends(&names).await;
    let program = one_by_one(program);
    closte.put(["a.example"]);
    closte.refuse("refused.example");
    closte.fail(Target::Domain("slow.example".to_owned()), Fault::Failure("not now".to_owned()));
    snapshot("apply", &program, &["apply"]).await;
    snapshot("plan-failing", &program, &["plan"]).await;
    snapshot("apply-unknown", &program, &["apply", "stranger.example"]).await;
    network.map("c.example").await;
    closte.heal();
    snapshot("apply-again", &program, &["apply", "slow.example"]).await;
    for name in names.iter().chain(&["c.example"]) {
        network.unmap(name).await;
    }
    snapshot("apply-held", &program, &["apply"]).await;
    snapshot("plan-held", &program, &["plan"]).await;
    snapshot("apply-allowed", &program, &["apply", "--allow-removals"]).await;
}

/// What happens at the same time elsewhere happens in the same order each time here.
fn one_by_one(program: Program) -> Program {
    program
        .with("CLOSTE_SYNC__CLOSTE__CONCURRENCY", "1")
        .with("CLOSTE_SYNC__CHECKS__CONCURRENCY", "1")
}

/// Two days and twelve hours: whether a test is slow is not seen in that.
const LATER: i64 = (2 * 24 + 12) * 3_600;

#[tokio::test]
async fn status_before_any_check() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let clock = FakeClock::start();
    let program = clock.of(program);
    snapshot("status-nothing", &program, &["status"]).await;
    program.run(&["apply"]).await;
    clock.set(LATER);
    snapshot("status-unchecked", &program, &["status"]).await;
}

#[tokio::test]
async fn status_check_and_events() {
    let names = ["works.example", "elsewhere.example", "expired.example", "refused.example"];
    let (network, closte, program) = ends(&names).await;
    closte.refuse("refused.example");
    network
        .sql("INSERT INTO wp_wu_domain_mappings (blog_id, domain) VALUES (7, 'not a name')")
        .await;
    let outside = Outside::start().await;
    outside.point(&["agency.example", "works.example", "expired.example", "refused.example"]);
    outside.dns.point("elsewhere.example", &["198.51.100.7".parse().unwrap()]);
    outside.tls.show("works.example", Face::Valid(90)).unwrap();
    outside.tls.show("expired.example", Face::Expired).unwrap();
    let clock = FakeClock::start();
    let program = one_by_one(clock.of(outside.around(program)));
    program.run(&["apply"]).await;
    program.run(&["apply"]).await;
    snapshot("check", &program, &["check"]).await;
    snapshot("check-works", &program, &["check", "works.example"]).await;
    snapshot("check-elsewhere", &program, &["check", "elsewhere.example"]).await;
    snapshot("check-unmapped", &program, &["check", "new.example"]).await;
    snapshot("events", &program, &["events"]).await;
    snapshot("events-of-one", &program, &["events", "works.example"]).await;
    clock.set(LATER);
    snapshot("status", &program, &["status"]).await;
    snapshot("status-of-one", &program, &["status", "expired.example"]).await;
    let excluding = program.with("CLOSTE_SYNC__SYNC__EXCLUDE", "off.example");
    let others = ["status", "stranger.example", "site5.closte.com", "off.example"];
    snapshot("status-not-managed", &excluding, &others).await;
}

#[tokio::test]
async fn doctor() {
    let outside = Outside::start().await;
    snapshot("doctor-bare", &outside.around(Program::bare()), &["doctor"]).await;
    let (_network, closte, program) = ends(&["a.example"]).await;
    closte.put(["a.example"]);
    outside.point(&["agency.example", "a.example"]);
    let program = outside.around(program);
    snapshot("doctor", &program, &["doctor"]).await;
    let broken = program
        .with("CLOSTE_CLIENT_API_KEY", "wrong")
        .with("CLOSTE_SYNC__WORDPRESS__TABLE_PREFIX", "x_");
    snapshot("doctor-broken", &broken, &["doctor"]).await;
    let network = Network::mariadb().await;
    let program = Program::new(&network, &closte);
    snapshot("doctor-rights", &program, &["doctor"]).await;
}

/// What comes before its end are events, each when it happens.
#[tokio::test]
async fn the_end_of_the_demo() {
    let demo = Program::bare().run(&["demo"]).await;
    assert_eq!(demo.status, 0, "{demo:?}");
    let (_, end) = demo.out.split_once("\n`closte-sync status` shows:\n").unwrap();
    let mut settings = insta::Settings::clone_current();
    for (age, instead) in [
        (r"(?m)\b(\d+m )?\d+[sm]$", "1s"),
        (r"\b(\d+m )?\d+[sm] +(point A|add CAA)", "1s     $2"),
        (r"SINCE +ADVICE", "SINCE  ADVICE"),
        (r"live: (\d+m )?\d+[sm] \(", "live: 7s ("),
    ] {
        settings.add_filter(age, instead);
    }
    settings.bind(|| compare("demo", end));
}
