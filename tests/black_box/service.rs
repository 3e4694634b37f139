//! What systemd hears, on a real socket.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, net::UnixDatagram},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use closte_sync::simulator::{Call, Fault, Target};
use serde_json::Value;

use crate::support::{Program, ends, eventually};

#[tokio::test]
async fn systemd_gets_readiness_status_watchdog_and_stopping() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut heard = Vec::new();
    let mut hears = async |what: &str| {
        let mut buffer = [0; 4096];
        eventually(what, async || {
            while let Ok(length) = socket.recv(&mut buffer) {
                heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
            }
            heard.iter().any(|line| line.contains(what))
        })
        .await;
        std::mem::take(&mut heard)
    };
    let settings = program.file("closte-sync.toml", "");
    let daemon = program
        .clone()
        .with("NOTIFY_SOCKET", path.to_str().unwrap())
        .with("WATCHDOG_USEC", "8000000")
        .start(&["run", "--config", &settings]);
    hears("READY=1").await;
    hears("STATUS=2 of 2 desired domains are served by Closte").await;
    hears("WATCHDOG=1").await;
    closte.fail(Target::Only(Call::List), Fault::Status(503));
    hears("STATUS=The last cycle stopped early: Closte is failing (HTTP 503)").await;
    closte.heal();
    hears("STATUS=2 of 2 desired domains are served by Closte").await;
    daemon.signal("-HUP");
    hears("READY=1").await;
    program.file("closte-sync.toml", "[sync]\npolicy = \"x\"\n[checks]\ninterval = \"1s\"");
    daemon.signal("-HUP");
    let refused =
        hears("STATUS=The new settings are invalid, so the old ones stay in force: ").await;
    let status = refused.iter().find_map(|said| said.strip_prefix("STATUS=The new settings"));
    let status = status.unwrap().trim_end();
    assert!(status.contains("sync.policy") && status.contains("checks.interval"), "{status}");
    assert!(!status.contains('\n'), "{status}");
    hears("are served by Closte; the new settings were refused: ").await;
    program.file("closte-sync.toml", "");
    daemon.signal("-HUP");
    hears("STATUS=2 of 2 desired domains are served by Closte\n").await;
    network.sql("ALTER TABLE wp_site RENAME TO wp_gone").await;
    hears("STATUS=The last cycle stopped early: there is no table wp_site").await;
    network.sql("ALTER TABLE wp_gone RENAME TO wp_site").await;
    hears("STATUS=2 of 2 desired domains are served by Closte").await;
    assert_eq!(daemon.stop().await, 0);
    hears("STOPPING=1").await;
}

#[tokio::test]
async fn a_hanging_loop_is_not_alive() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    closte.fail(Target::Only(Call::List), Fault::Hang);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let _daemon = program
        .with("NOTIFY_SOCKET", path.to_str().unwrap())
        .with("WATCHDOG_USEC", "400000")
        .with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "1m")
        .start_daemon();
    eventually("the cycle hangs", async || closte.count(Call::List) > 0).await;
    // It is said to be alive for a while; then no longer.
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let heard = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + Duration::from_secs(30);
        let (mut buffer, mut heard) = ([0; 4096], String::new());
        while let Ok(length) = socket.recv(&mut buffer) {
            heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
            assert!(Instant::now() < deadline, "it is still said to be alive: {heard}");
        }
        heard
    });
    assert!(heard.await.unwrap().contains("WATCHDOG=1"), "it was never said to be alive");
}

#[tokio::test]
async fn a_fatal_error_is_an_error_in_the_journal() {
    let program = Program::bare();
    let log = fs::metadata(program.file("run.log", "")).unwrap();
    let stream = format!("{}:{}", log.dev(), log.ino());
    let mut daemon = program.with("JOURNAL_STREAM", &stream).start_daemon();
    assert_eq!(daemon.ends().await, 1);
    let said = daemon.log();
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert!(lines.len() > 1 && lines.iter().all(|line| line.starts_with("<3>")), "{said}");
}

/// With a JSON log every line of it is an object, the last one too.
#[tokio::test]
async fn a_fatal_error_is_json_in_a_json_log() {
    let ended = Program::bare().with("CLOSTE_SYNC__LOG__FORMAT", "json").run(&["run"]).await;
    assert_eq!(ended.status, 1);
    let said: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!((&said["level"], &said["event"]), (&"ERROR".into(), &"daemon.failed".into()));
    assert!(said["error"].as_str().unwrap().contains("closte.api_key is not set"), "{said}");
    // Not even a log that is off leaves it without a word.
    let program = Program::bare().with("CLOSTE_SYNC__LOG__FORMAT", "json");
    let ended = program.with("CLOSTE_SYNC__LOG__FILTER", "off").run(&["run"]).await;
    assert!(ended.err.starts_with("error: the settings are invalid:"), "{ended:?}");
}

#[test]
fn the_unit_files_pass_systemds_own_check() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("systemd is not installed: nothing to check with");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for unit in ["closte-sync.service", "closte-sync@.service"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(unit);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("ExecStart=closte-sync "), "{unit}");
        let program = concat!("ExecStart=", env!("CARGO_BIN_EXE_closte-sync"), " ");
        let text = text.replace("ExecStart=closte-sync ", program);
        let path = folder.path().join(unit);
        fs::write(&path, text).unwrap();
        let check = |arguments: &[&str]| {
            let output =
                Command::new("systemd-analyze").args(arguments).arg(&path).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&said).into_owned())
        };
        let (is_well, said) = check(&["verify", "--man=no"]);
        assert!(is_well && said.is_empty(), "{unit}: {said}");
        // In tenths, as `--threshold` takes them: 1.5.
        let (is_safe, said) = check(&["security", "--offline=true", "--threshold=15"]);
        assert!(is_safe, "{unit}: {said}");
    }
}
