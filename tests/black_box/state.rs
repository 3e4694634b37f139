//! The state database: what is wrong with it is said at the start, and it is never replaced.

use std::{fs, os::unix::fs::PermissionsExt as _};

use closte_sync::state::State;
use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::ends;

#[tokio::test]
async fn a_second_daemon_on_the_same_file_is_turned_away() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let first = program.start_daemon();
    first.logs("domain.added").await;
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains("a daemon runs with it"), "{doctor:?}");
    let second = program.run(&["run"]).await;
    let said = format!("another closte-sync daemon (process {}) runs", first.id());
    assert!(second.status == 1 && second.err.contains(&said), "{second:?}");
    assert_eq!(first.stop().await, 0);
    let third = program.start_daemon();
    third.logs("daemon.started").await;
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_stays_as_it_is() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let garbage = "this is no database, though it is long enough to be one\n".repeat(100);
    fs::write(program.state_path(), &garbage).unwrap();
    for command in ["run", "apply", "plan", "status", "events"] {
        let finished = program.run(&[command]).await;
        assert!(finished.status == 1 && finished.err.contains("is damaged"), "{finished:?}");
    }
    assert_eq!(fs::read_to_string(program.state_path()).unwrap(), garbage);
    assert_eq!(closte.requests(), []);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_an_error() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    let options = SqliteConnectOptions::new().filename(program.state_path());
    let mut connection = options.connect().await.unwrap();
    connection
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', 1, X'00', 0)",
        )
        .await
        .unwrap();
    for command in ["run", "apply", "plan", "status"] {
        let finished = program.run(&[command]).await;
        assert!(finished.status == 1 && finished.err.contains("newer version"), "{finished:?}");
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_an_error() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let file = program.file("a-file", "");
    let program = program.with("CLOSTE_SYNC__STATE__URL", &format!("sqlite:{file}/state.db"));
    let finished = program.run(&["run"]).await;
    assert!(
        finished.status == 1 && finished.err.contains("cannot make the folder"),
        "{finished:?}"
    );
    let program = program.with("CLOSTE_SYNC__STATE__URL", "sqlite:/proc/state.db");
    let finished = program.run(&["run"]).await;
    assert!(finished.status == 1 && finished.err.contains("cannot open the state"), "{finished:?}");
}

#[tokio::test]
async fn a_read_only_file_is_an_error_for_those_who_write_and_none_for_those_who_look() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    let path = program.state_path();
    let folder = path.parent().unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    // The superuser may write whatever the file says.
    if fs::File::options().append(true).open(&path).is_err() {
        let finished = program.run(&["run"]).await;
        assert!(finished.status == 1 && finished.err.contains("cannot open"), "{finished:?}");
    }
    let status = program.run(&["status"]).await;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(status.status == 0 && status.out.contains("a.example"), "{status:?}");
}

#[tokio::test]
async fn looking_makes_no_file() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    for (command, status) in
        [("status", 0), ("plan", 2), ("events", 1), ("config", 0), ("doctor", 0)]
    {
        assert_eq!(program.run(&[command]).await.status, status, "{command}");
    }
    let folder = program.state_path().parent().unwrap().to_owned();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    assert_eq!(closte.domains(), Vec::<String>::new());
}

#[tokio::test]
async fn events_are_kept_for_a_month() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    let options = SqliteConnectOptions::new().filename(program.state_path());
    let mut connection = options.connect().await.unwrap();
    connection.execute("UPDATE event SET at = at - 30 * 86400000").await.unwrap();
    program.run(&["apply"]).await;
    let state = State::open_existing(&program.state_path()).await.unwrap().unwrap();
    assert!(state.events(None, None, 100).await.unwrap().is_empty());
}
