//! The program as the first process of a container, and as a user without rights.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use closte_sync::simulator::{Call, Fault, Simulator, Target};
use tokio::net::UdpSocket;

use crate::support::{KEY, Program, ends, eventually};

/// The commands that may go on for long; the others end by themselves.
#[tokio::test]
async fn every_command_ends_on_signals_as_the_first_process() {
    for signal in ["-TERM", "-INT"] {
        let by_signal = if signal == "-TERM" { 143 } else { 130 };
        for (command, status) in [
            (&["run"][..], 0),
            (&["plan"], by_signal),
            (&["apply"], 1),
            (&["doctor"], by_signal),
            (&["check", "a.example"], by_signal),
            (&["events", "--follow"], by_signal),
            (&["demo"], by_signal),
        ] {
            let (_network, closte, program) = ends(&["a.example"]).await;
            // A new one each time: what an earlier process has asked late says nothing of this one.
            let deaf = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let program = program
                .with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "1m")
                .with("CLOSTE_SYNC__CHECKS__RESOLVERS", &deaf.local_addr().unwrap().to_string());
            let was_added = program.run(&["apply"]).await;
            assert_eq!(was_added.status, 0, "{was_added:?}");
            let connections = closte.connections();
            closte.fail(Target::Everything, Fault::Hang);
            let Some(mut process) = program.start_as_first_process(command).await else { return };
            let says = async || process.log().lines().count() > 1;
            let is_asked = async || deaf.try_recv_from(&mut [0; 512]).is_ok();
            eventually("it is under way", async || match command {
                ["check", _] => is_asked().await,
                ["events" | "demo", ..] => says().await,
                _ => closte.connections() > connections,
            })
            .await;
            process.signal(signal);
            assert_eq!(process.ends().await, status, "{command:?} {signal}: {}", process.log());
        }
    }
}

#[tokio::test]
async fn the_first_process_waits_for_a_file_and_ends_for_a_wrong_value() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let key = program.file("key", "");
    let new_key = program.file("new-key", KEY);
    fs::remove_file(&key).unwrap();
    let program = program.without("CLOSTE_CLIENT_API_KEY").with("CLOSTE_CLIENT_API_KEY_FILE", &key);
    let other = program.run(&["run"]).await;
    assert!(other.status == 1 && other.err.contains("cannot read"), "only a first process waits");

    let Some(daemon) = program.start_as_first_process(&["run"]).await else { return };
    daemon.logs(&format!("CLOSTE_CLIENT_API_KEY_FILE: cannot read {key}")).await;
    let health = program.run(&["health"]).await;
    assert!(health.status == 1 && health.out.contains("no daemon is running"), "{health:?}");
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.status == 1 && doctor.out.contains("cannot read"), "{doctor:?}");
    fs::rename(&new_key, &key).unwrap();
    daemon.logs("domain.added").await;
    let log = daemon.log();
    assert_eq!(log.matches("ERROR daemon.awaits_files").count(), 1, "{log}");
    assert_eq!((daemon.stop().await, closte.domains().len()), (0, 1));

    // Not set at all: a wp-config.php may have it.
    let without = program.clone().without("CLOSTE_CLIENT_API_KEY_FILE");
    let Some(mut daemon) = without.start_as_first_process(&["run"]).await else { return };
    daemon.logs("closte.api_key is not set").await;
    daemon.signal("-TERM");
    assert_eq!(daemon.ends().await, 0, "{}", daemon.log());

    program.file("key", "\n");
    let Some(mut daemon) = program.start_as_first_process(&["run"]).await else { return };
    daemon.logs(&format!("CLOSTE_CLIENT_API_KEY_FILE: {key} is empty")).await;
    assert_eq!(daemon.ends().await, 1, "{}", daemon.log());
}

#[tokio::test]
async fn a_second_container_on_the_same_state_waits_and_takes_over() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    let Some(first) = program.start_as_first_process(&["run"]).await else { return };
    first.logs("domain.added domain=a.example").await;
    let Some(second) = program.start_as_first_process(&["run"]).await else { return };
    second.logs("WARN  daemon.standby state=").await;
    assert_eq!(program.run(&["health"]).await.status, 0);
    let outside = program.run(&["run"]).await;
    let said = "another closte-sync daemon runs with the state database";
    assert!(outside.status == 1 && outside.err.contains(said), "{outside:?}");
    let Some(third) = program.start_as_first_process(&["run"]).await else { return };
    eventually("two wait", async || third.log().matches("daemon.standby").count() == 2).await;
    assert_eq!(third.stop().await, 0);
    // They have one log.
    assert_eq!(second.log().matches("daemon.started").count(), 1);
    first.kill();
    eventually("it takes over", async || second.log().matches("daemon.started").count() == 2).await;
    network.map("b.example").await;
    second.logs("domain.added domain=b.example").await;
    assert_eq!(second.log().matches("daemon.standby").count(), 2);
    assert_eq!(second.stop().await, 0);
}

#[tokio::test]
async fn doctor_says_that_the_daemon_works_with_a_wp_config_that_is_gone() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("public_html");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("wp-config.php");
    fs::write(&file, "<?php $table_prefix = 'wp_';").unwrap();
    let program = program.with("HOME", home.path().to_str().unwrap());
    let daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    let gone = "wp-config.php is gone since the running daemon has read it";
    let in_one_line = async || {
        program.run(&["doctor"]).await.out.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(!in_one_line().await.contains(gone));
    fs::remove_file(&file).unwrap();
    let doctor = in_one_line().await;
    assert!(doctor.contains(gone), "{doctor}");
    assert_eq!(daemon.stop().await, 0);
    assert!(!in_one_line().await.contains(gone));
}

#[tokio::test]
async fn a_file_that_the_user_may_not_read_is_named_with_the_user_and_the_remedy() {
    let as_user = |program: &str| {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--reuid=10001", "--regid=10001", "--clear-groups", program]);
        command
    };
    let program = env!("CARGO_BIN_EXE_closte-sync");
    if !as_user(program).arg("--version").output().is_ok_and(|ran| ran.status.success()) {
        println!("only root can try it as another user");
        return;
    }
    let closte = Simulator::start(KEY).await.unwrap();
    let here = Program::bare();
    let (key, state) = (here.file("key", KEY), here.state_path());
    let only_the_owner = fs::Permissions::from_mode(0o700);
    fs::set_permissions(state.parent().unwrap(), only_the_owner).unwrap();
    let run = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = as_user(program);
        command.args(arguments).env_clear().envs(environment.iter().copied());
        let output = command.output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let said = run(&["config"], &[("CLOSTE_CLIENT_API_KEY_FILE", &key)]);
    for part in ["CLOSTE_CLIENT_API_KEY_FILE", &key, "10001", "chown 10001"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let state = format!("sqlite:{}", state.display());
    let environment = [
        ("CLOSTE_SYNC__STATE__URL", &*state),
        ("CLOSTE_CLIENT_API_KEY", KEY),
        ("CLOSTE_SYNC__CLOSTE__BASE_URL", &closte.base_url()),
        ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "sqlite:/nowhere"),
    ];
    let said = run(&["run"], &environment);
    for part in [state.trim_start_matches("sqlite:"), "id 10001", "chown -R 10001"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(closte.count(Call::List), 0);
}
