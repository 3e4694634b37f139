//! Characters that a terminal would act upon, or that nobody sees, come through nowhere, wherever they
//! come from.

use closte_sync::{
    escape::is_hidden,
    simulator::{Call, Fault, Target},
};
use serde_json::json;

use crate::support::{Finished, Program, client, ends, eventually};

/// One of each kind: C0, DEL, C1, marks of direction, of no width, separators, tags.
const HIDDEN: &str =
    "\u{1b}[31m\u{7}\u{7f}\u{9b}1m\u{202e}\u{2066}\u{200b}\u{ad}\u{feff}\u{2028}\u{2029}\u{e0041}";
/// What of it is in every text, written out.
const SHOWN: &str = r"\u{202e}\u{2066}\u{200b}\u{ad}\u{feff}";

fn assert_visible(where_: &str, said: &str) {
    let hidden = said.chars().find(|c| *c != '\n' && is_hidden(*c));
    assert_eq!(hidden, None, "{where_}: {said:?}");
}

/// Runs the command, and returns what it said in full.
async fn said(program: &Program, command: &[&str]) -> String {
    let Finished { status, out, err } = program.run(command).await;
    assert!([0, 1, 2, 3, 64].contains(&status), "{command:?}: {status} {err}");
    let said = format!("{out}{err}");
    assert_visible(&format!("{command:?}"), &said);
    said
}

#[tokio::test]
async fn every_command_escapes_text_of_rows_and_of_closte() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    network.map(&format!("no {HIDDEN} name")).await;
    closte.fail(Target::Domain("a.example".to_owned()), Fault::Failure(format!("no {HIDDEN}!")));
    closte.fail(
        Target::Domain("b.example".to_owned()),
        Fault::Failure(format!("Invalid or empty domain: {HIDDEN}")),
    );
    program.run(&["apply"]).await;
    for command in ["plan", "status", "events", "apply", "check", "doctor", "config"] {
        let text = said(&program, &[command]).await;
        assert!(!["plan", "status", "events"].contains(&command) || text.contains(SHOWN), "{text}");
        said(&program, &[command, "--json"]).await;
    }
    let status = program.run(&["status", "--json"]).await.json();
    let rows = status.as_array().unwrap();
    assert!(rows.iter().any(|row| row["domain"] == format!("no {HIDDEN} name")), "{status:#}");
    assert!(rows.iter().any(|row| row["error"].as_str().unwrap_or("").contains("\u{202e}")));

    let odd = json!({"success": true, "domains": [format!("odd {HIDDEN}")]}).to_string();
    closte.fail(Target::Only(Call::List), Fault::Body(odd));
    let plan = said(&program, &["plan"]).await;
    assert!(plan.contains("could not be parsed") && plan.contains(SHOWN), "{plan}");
    for fault in [Fault::Body(format!("<p>{HIDDEN}</p>")), Fault::Failure(HIDDEN.to_owned())] {
        closte.fail(Target::Only(Call::List), fault);
        for command in ["plan", "doctor"] {
            let text = said(&program, &[command]).await;
            assert!(text.contains(r"\u{202e}\u{2066}"), "{text}");
            said(&program, &[command, "--json"]).await;
        }
    }
}

#[tokio::test]
async fn the_log_and_the_admin_server_escape_text_of_rows_and_of_closte() {
    for format in ["text", "json"] {
        let (network, closte, program) = ends(&["a.example"]).await;
        network.map(&format!("no{HIDDEN}name")).await;
        closte.fail(Target::Only(Call::Add), Fault::Failure(format!("no{HIDDEN}!")));
        let program = program
            .with("CLOSTE_SYNC__LOG__FORMAT", format)
            .with("CLOSTE_SYNC__LOG__FILTER", "trace")
            .with("CLOSTE_SYNC__HTTP__LISTEN", "127.0.0.1:0");
        let daemon = program.start_daemon();
        daemon.logs("row.invalid").await;
        daemon.logs("domain.add_failed").await;
        closte.fail(Target::Only(Call::List), Fault::Body(format!("<p>{HIDDEN}</p>")));
        daemon.logs("closte.failed").await;
        let log = daemon.log();
        assert_visible(format, &log);
        let word = if format == "text" { SHOWN } else { r"no\u001b[31m\u0007\u007f\u009b1m\u202e" };
        assert!(log.contains(word), "{log}");
        let line = log.lines().find(|line| line.contains("http.listening")).unwrap();
        let (_, rest) = line.rsplit_once("127.0.0.1:").unwrap();
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let ready = async || {
            let answer = client().get(format!("http://127.0.0.1:{port}/readyz")).send().await;
            answer.unwrap().text().await.unwrap()
        };
        eventually("it is not ready", async || ready().await.contains("web page")).await;
        let ready = ready().await;
        assert_visible("/readyz", &ready);
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        assert!(ready["last_cycle"]["error"].as_str().unwrap().contains("\u{202e}\u{2066}"));
    }
}

#[tokio::test]
async fn text_of_the_settings_and_the_command_line_is_escaped() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let toml = program.file(
        "odd.toml",
        &format!("{}\n[sync]\n{} = 1\n", "[checks]\nport = 443", json!(format!("int{HIDDEN}"))),
    );
    let broken = program.file("broken.toml", &format!("[sync]\ninterval = {HIDDEN}\n"));
    let php = program.file(
        "wp-config.php",
        &format!("<?php $table_prefix = f{HIDDEN}; define('DB_NAME', '{HIDDEN}' . g());"),
    );
    let hidden = HIDDEN.to_owned();
    let hidden_name = format!("a{HIDDEN}.example");
    let two_lines = "a\nerror: forged".to_owned();
    let set = format!("sync.{HIDDEN}=1");
    let value = format!("sync.interval={HIDDEN}");
    let folder = format!("state.url=sqlite:/nowhere/{HIDDEN}/state.db");
    let file = format!("checks.ca_file=/nowhere/{HIDDEN}");
    let list = format!("sync.exclude=a b,{HIDDEN}");
    for (command, status) in [
        (&["status", &hidden][..], 64),
        (&["status", &hidden_name], 64),
        (&["status", &two_lines], 64),
        (&[&hidden], 64),
        (&["plan", &hidden], 64),
        (&["events", "-n", &hidden], 64),
        (&["config", "--set", &hidden], 64),
        (&["config", "--set", &set], 1),
        (&["config", "--set", &value], 1),
        (&["config", "--set", &list], 1),
        (&["config", "--set", &file], 0),
        (&["config", "--json", "--set", &file], 0),
        (&["check", "--set", &file], 1),
        (&["status", "--set", &folder], 0),
        (&["health", "--set", &folder], 1),
        (&["config", "--config", &hidden], 1),
        (&["config", "--config", &toml], 1),
        (&["config", "--config", &broken], 1),
        (&["config", "--wp-config", &php], 0),
        (&["config", "--wp-config", &hidden], 1),
        (&["doctor", "--wp-config", &php], 1),
    ] {
        let finished = program.run(command).await;
        let said = format!("{}{}", finished.out, finished.err);
        assert_visible(&format!("{command:?}"), &said);
        assert!(!said.contains("\nerror: forged"), "{said}");
        assert_eq!(finished.status, status, "{command:?} {said}");
    }
    let unknown = program.run(&["config", "--set", &set]).await;
    assert!(unknown.err.contains(r"no setting sync.\u{1b}[31m"), "{unknown:?}");
    let usage = program.run(&["status", &two_lines]).await;
    assert!(usage.err.contains(r"a\nerror: forged"), "{usage:?}");
}
