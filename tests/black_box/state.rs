//! The state database: what is wrong with it is said at the start, and it is never replaced.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use closte_sync::{
    closte::{ApiKey, BaseUrl},
    simulator::Call,
    state::State,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{KEY, client, ends, eventually};

#[tokio::test]
async fn a_second_daemon_on_the_same_file_is_refused() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let first = program.start_daemon();
    first.logs("domain.added").await;
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains("is in use by a running daemon"), "{doctor:?}");
    let second = program.run(&["run"]).await;
    let said = format!("another closte-sync daemon (process {}) runs", first.id());
    assert!(second.status == 1 && second.err.contains(&said), "{second:?}");
    assert_eq!(first.stop().await, 0);
    let third = program.start_daemon();
    third.logs("daemon.started").await;
}

#[tokio::test]
async fn a_second_daemon_on_a_link_to_the_file_is_refused() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let path = program.state_path();
    let folder = path.parent().unwrap();
    let url = |path: &Path| format!("sqlite:{}", path.display());
    symlink(&path, folder.join("link.db")).unwrap();
    // The file is made by the link: it is not there yet.
    let by_link = program.clone().with("CLOSTE_SYNC__STATE__URL", &url(&folder.join("link.db")));
    let first = by_link.start_daemon();
    first.logs("domain.added").await;
    symlink(folder, folder.join("elsewhere")).unwrap();
    for other in [path.clone(), folder.join("elsewhere/state.db"), folder.join("elsewhere/link.db")]
    {
        let program = program.clone().with("CLOSTE_SYNC__STATE__URL", &url(&other));
        let second = program.run(&["run"]).await;
        let said = format!("another closte-sync daemon (process {}) runs", first.id());
        assert!(second.status == 1 && second.err.contains(&said), "{other:?}: {second:?}");
        assert_eq!(program.run(&["health"]).await.status, 0, "{other:?}");
    }
    fs::hard_link(&path, folder.join("hard.db")).unwrap();
    let by_hard_link =
        program.clone().with("CLOSTE_SYNC__STATE__URL", &url(&folder.join("hard.db")));
    for command in ["run", "apply", "status"] {
        let refused = by_hard_link.run(&[command]).await;
        assert!(refused.status == 1 && refused.err.contains("a second name"), "{refused:?}");
    }
    assert!(!folder.join("hard.db-wal").exists(), "it was opened");
}

#[tokio::test]
async fn a_deleted_file_is_restored_with_all_names() {
    // What is deleted, of the files in the folder of the state.
    let cases: [fn(&Path); 3] = [
        |folder| fs::remove_file(folder.join("state.db")).unwrap(),
        |folder| {
            for file in fs::read_dir(folder).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        },
        |folder| fs::remove_dir_all(folder).unwrap(),
    ];
    for (number, delete) in cases.into_iter().enumerate() {
        let (network, closte, program) = ends(&["a.example", "b.example"]).await;
        let folder = program.state_path().parent().unwrap().join("state");
        let path = folder.join("state.db");
        let url = format!("sqlite:{}", path.display());
        let program = program.with("CLOSTE_SYNC__STATE__URL", &url);
        let daemon = program.start_daemon();
        eventually("both are there", async || closte.domains().len() == 2).await;
        delete(&folder);
        daemon.logs("state.deleted").await;
        eventually("it is there again", async || program.run(&["health"]).await.status == 0).await;
        let line = "it was restored from the open file";
        assert!(daemon.log().contains(line), "{number}: {}", daemon.log());
        let events = program.run(&["events"]).await;
        assert!(events.out.contains("state.deleted"), "{number}: {events:?}");
        assert!(events.out.contains("domain.added"), "{number}: {events:?}");
        let second = program.run(&["run"]).await;
        assert!(second.err.contains("another closte-sync daemon"), "{number}: {second:?}");
        network.unmap("a.example").await;
        network.map("c.example").await;
        eventually("it goes on", async || closte.domains() == ["b.example", "c.example"]).await;
        // What it has written since is in the file, and nowhere else.
        assert_eq!(daemon.stop().await, 0);
        network.unmap("b.example").await;
        assert_eq!(program.run(&["apply", "--allow-removals"]).await.status, 0);
        assert_eq!(closte.domains(), ["c.example"], "{number}");
    }
}

#[tokio::test]
async fn a_deleted_file_stays_in_memory_until_it_can_be_restored() {
    let (network, closte, program) = ends(&["a.example"]).await;
    let daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    let path = program.state_path();
    let log = path.with_extension("db-wal");
    // Somebody else's, by that name.
    fs::write(path.with_extension("unmanaged"), "not ours").unwrap();
    fs::rename(path.with_extension("unmanaged"), &log).unwrap();
    fs::remove_file(&path).unwrap();
    daemon.logs("state.deleted").await;
    assert!(daemon.log().contains("state.db-wal belongs to another database"), "{}", daemon.log());
    let health = program.run(&["health"]).await;
    assert!(health.status == 1 && health.out.contains("was deleted"), "{health:?}");
    let apply = program.run(&["apply"]).await;
    assert!(apply.status == 1 && apply.err.contains("restores it"), "{apply:?}");
    network.map("b.example").await;
    assert_eq!(fs::read_to_string(&log).unwrap(), "not ours");
    fs::remove_file(&log).unwrap();
    daemon.logs("state.recovered").await;
    eventually("it goes on", async || closte.domains().len() == 2).await;
    assert_eq!(program.run(&["health"]).await.status, 0);
}

#[tokio::test]
async fn a_replaced_file_is_not_written_and_nothing_is_removed() {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    let program = program.with("CLOSTE_SYNC__HTTP__LISTEN", "127.0.0.1:0");
    // A backup, of another day.
    assert_eq!(program.run(&["apply"]).await.status, 0);
    let path = program.state_path();
    let backup = path.with_extension("backup");
    fs::copy(&path, &backup).unwrap();
    let content = fs::read(&backup).unwrap();
    network.map("c.example").await;
    let daemon = program.start_daemon();
    eventually("all are there", async || closte.domains().len() == 3).await;
    fs::rename(&backup, &path).unwrap();
    daemon.logs("state.replaced").await;
    let requests = closte.requests().len();
    network.unmap("a.example").await;
    network.map("d.example").await;
    let log = daemon.log();
    let (_, rest) = log.split_once("http.listening address=").unwrap();
    let address = rest.split_whitespace().next().unwrap();
    for page in ["healthz", "readyz"] {
        let answer = client().get(format!("http://{address}/{page}")).send().await.unwrap();
        assert_eq!(answer.status(), 503, "{page}");
    }
    let health = program.run(&["health"]).await;
    assert!(health.status == 1 && health.out.contains("restart the daemon"), "{health:?}");
    for arguments in [&["status"][..], &["status", "--json"]] {
        let status = program.run(arguments).await;
        assert!(status.status == 0 && status.err.contains("was replaced"), "{status:?}");
    }
    assert_eq!(daemon.stop().await, 0);
    assert!(closte.requests().iter().skip(requests).all(|one| one.call == Call::List));
    assert_eq!(fs::read(&path).unwrap(), content, "it was written over");
    // `status` may have made one, with nothing in it.
    let log = fs::metadata(path.with_extension("db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "our log is beside it");
    let daemon = program.start_daemon();
    eventually("it goes on from there", async || {
        closte.domains() == ["b.example", "c.example", "d.example"]
    })
    .await;
    drop(daemon);
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_is_not_changed() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let garbage = "this is no database, though it is long enough to be one\n".repeat(100);
    fs::write(program.state_path(), &garbage).unwrap();
    for command in ["run", "apply", "plan", "status", "events"] {
        let finished = program.run(&[command]).await;
        let file = format!("{}: ", program.state_path().display());
        let is_said = finished.err.contains("is damaged") && finished.err.contains(&file);
        assert!(finished.status == 1 && is_said, "{finished:?}");
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
async fn a_file_of_an_older_version_keeps_its_ledgers_and_those_that_differ_in_letter_case_are_one()
{
    let (network, closte, program) = ends(&["a.example", "b.example", "c.example"]).await;
    // What the version before wrote.
    let migrations = tempfile::tempdir().unwrap();
    for file in ["0001_ledger.sql", "0002_checks.sql"] {
        fs::copy(format!("migrations/{file}"), migrations.path().join(file)).unwrap();
    }
    let options = SqliteConnectOptions::new().filename(program.state_path());
    let mut connection = options.create_if_missing(true).connect().await.unwrap();
    let old = sqlx::migrate::Migrator::new(migrations.path()).await.unwrap();
    old.run(&mut connection).await.unwrap();
    let (base, key): (BaseUrl, ApiKey) = (closte.base_url().parse().unwrap(), KEY.parse().unwrap());
    let account = key.fingerprint(&base);
    let ledgers = format!(
        "INSERT INTO ledger (id, network, account, started_at, domain) VALUES
           (1, 'Agency.Example (1)', '{account}', 1, 'Agency.Example'),
           (2, 'agency.example (1)', '{account}', 2, NULL),
           (3, 'agency.example (1)', 'another account', 3, NULL),
           (4, 'odd (name) (12)', '{account}', 4, NULL);
         INSERT INTO managed (ledger_id, domain, row_id, blog_id, managed_since, present_since, progress)
           VALUES (1, 'a.example', 1, 1, 1, 1, 'idle'), (1, 'gone.example', 9, 1, 1, 1, 'idle'),
             (2, 'a.example', 1, 1, 2, 2, 'idle'), (2, 'b.example', 2, 1, 2, 2, 'idle'),
             (4, 'z.example', 1, 1, 2, 2, 'idle');
         INSERT INTO standing (ledger_id, domain, due_at) VALUES (1, 'a.example', 1), (2, 'a.example', 1);
         INSERT INTO rejected VALUES (1, 'row 5', 1, 'x', 'y', 1);
         INSERT INTO last_cycle VALUES (1, 1, 1, NULL, NULL, NULL)"
    );
    connection.execute(sqlx::AssertSqlSafe(ledgers)).await.unwrap();
    connection.close().await.unwrap();

    let state = State::open(&program.state_path()).await.unwrap();
    let known = state.ledgers(1, &account).await.unwrap();
    assert_eq!((known.len(), known[0].domain.as_str()), (1, "agency.example"));
    let ledger = state.load(known[0].id).await.unwrap();
    let names: Vec<&str> = ledger.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a.example", "b.example", "gone.example"]);
    assert_eq!(state.ledgers(12, &account).await.unwrap()[0].domain, "odd (name)");
    assert_eq!(state.current_ledger().await.unwrap(), Some(known[0].id));
    state.close().await;

    // A managed name goes, though it stood in the other ledger only.
    network.sql("UPDATE wp_site SET domain = 'AGENCY.example'").await;
    closte.put(["a.example", "b.example", "gone.example"]);
    let applied = program.run(&["apply"]).await;
    assert!(!applied.err.contains("ledger."), "{applied:?}");
    assert_eq!(closte.domains(), ["a.example", "b.example", "c.example"]);
}

#[tokio::test]
async fn a_folder_that_is_not_writable_is_an_error() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let file = program.file("a-file", "");
    let program = program.with("CLOSTE_SYNC__STATE__URL", &format!("sqlite:{file}/state.db"));
    let finished = program.run(&["run"]).await;
    assert!(
        finished.status == 1 && finished.err.contains("cannot create the folder"),
        "{finished:?}"
    );
    let program = program.with("CLOSTE_SYNC__STATE__URL", "sqlite:/proc/state.db");
    let finished = program.run(&["run"]).await;
    assert!(finished.status == 1 && finished.err.contains("cannot open the state"), "{finished:?}");
}

#[tokio::test]
async fn a_read_only_file_is_an_error_only_for_commands_that_write() {
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
async fn commands_that_only_read_create_no_file() {
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
