//! Rule 7: no key and no password is ever displayed. Each begins with the marker, which must not appear
//! anywhere, whatever fails.

use std::{
    collections::BTreeMap, io::Write as _, net::TcpListener, os::unix::fs::PermissionsExt as _,
};

use closte_sync::{
    app::{App, Overrides, Settings},
    closte::ApiKey,
    http::Token,
    settings::Layers,
    simulator::{Call, Fault, Simulator, Target},
    wordpress::{DatabaseUrl, WpConfig},
};

use sqlx::{ConnectOptions as _, Connection as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::support::{Finished, KEY, Network, PASSWORD, Program, client, ends, eventually};

const MARKER: &str = "m4rker";

fn assert_unseen(place: &str, text: &str) {
    assert!(!text.contains(MARKER), "{place}: {text}");
}

/// The whole output of a command, with the most detailed log.
async fn output(program: &Program, command: &[&str]) -> String {
    let Finished { status, out, err } =
        program.clone().with("CLOSTE_SYNC__LOG__FILTER", "trace").run(command).await;
    assert!([0, 1, 2, 3].contains(&status), "{command:?}: {status} {err}");
    format!("{out}\n{err}")
}

/// With characters that URLs, JSON and HTML escape.
const AWKWARD_KEY: &str = "m4rkerKey+/=%&\"<\\x-Abc123";

fn faults(key: &str) -> Vec<Fault> {
    let encoded: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let (head, tail) = key.split_at(9);
    let mut faults = vec![
        Fault::Redirect(format!("http://127.0.0.1:1/?apikey={encoded}")),
        Fault::Redirect(format!("/?apikey={encoded}")),
        Fault::Failure("the API key {apikey} is bad".to_owned()),
        Fault::Failure("no: {apikey}".to_owned()),
        Fault::Failure("Invalid or empty domain: {apikey}".to_owned()),
        Fault::EmptyPromise,
        Fault::Hang,
        Fault::Reset,
        Fault::LostAnswer,
    ];
    faults.extend([400, 401, 403, 404, 405, 418, 500, 502, 503].map(Fault::Status));
    faults.extend(
        [(429, 60), (503, 60), (429, 0)].map(|(status, wait)| Fault::RetryAfter(status, wait)),
    );
    let json = serde_json::json!(key);
    let bodies = [
        format!("<html>apikey={key}</html>"),
        format!("<html>apikey={}</html>", key.replace('&', "&amp;").replace('<', "&lt;")),
        format!("<p>{}{key}</p>", " ".repeat(4_088)),
        format!("?apikey={encoded}"),
        format!("?apikey={}", encoded.to_lowercase()),
        format!("\"bad {}\" x", key.replace('/', "\\/")),
        format!("{head}\u{7}{tail}"),
        format!("{{\"success\": false, \"error\": \"{key}"),
        format!("{{\"success\": false, \"error\": {}}}", serde_json::json!(key.to_lowercase())),
        format!("{{\"success\": false, \"error\": {{\"key\": {json}}}}}"),
        format!(
            "{{\"success\": false, \"error\": {}}}",
            serde_json::json!(format!("{head}\0{tail}"))
        ),
        format!(
            "{{\"success\": false, \"error\": {}}}",
            serde_json::json!(format!("{}{key}", "x ".repeat(75)))
        ),
    ];
    faults.extend(bodies.map(Fault::Body));
    for element in [
        format!("{json}"),
        serde_json::json!(format!("https://x/?apikey={key}")).to_string(),
        serde_json::json!(format!("https://x/?apikey={encoded}")).to_string(),
        format!("{{{json}: 1}}"),
        format!("{{\"domain\": {json}}}"),
    ] {
        faults.push(Fault::Body(format!("{{\"success\": true, \"domains\": [{element}]}}")));
    }
    faults
}

#[tokio::test]
async fn rule_7_with_every_failure_of_closte() {
    // Concurrently, as each mostly waits.
    tokio::join!(
        with_failures_of_closte(KEY, Target::Everything, &LOOKING),
        with_failures_of_closte(KEY, Target::Only(Call::List), &LOOKING),
        with_failures_of_closte(AWKWARD_KEY, Target::Everything, &LOOKING),
        with_failures_of_closte(AWKWARD_KEY, Target::Only(Call::List), &LOOKING),
        with_failures_of_closte(KEY, Target::Only(Call::Add), &CHANGING),
        with_failures_of_closte(KEY, Target::Only(Call::Remove), &CHANGING),
        with_failures_of_closte(AWKWARD_KEY, Target::Only(Call::Add), &CHANGING),
        with_failures_of_closte(AWKWARD_KEY, Target::Only(Call::Remove), &CHANGING),
    );
}

/// The commands that call Closte for single names, and for all.
const CHANGING: [&[&str]; 1] = [&["apply", "--allow-removals"]];
const LOOKING: [&[&str]; 3] = [&["plan"], &["apply"], &["doctor", "--json"]];

async fn with_failures_of_closte(key: &str, target: Target, commands: &[&[&str]]) {
    let (network, closte, program) = ends(&["a.example", "b.example"]).await;
    closte.set_key(key);
    let program = program
        .with("CLOSTE_CLIENT_API_KEY", key)
        .with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "200ms")
        .with("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "0")
        .with("RUST_BACKTRACE", "full");
    let mut masked = 0;
    for (number, fault) in faults(key).into_iter().enumerate() {
        // Something to add, and something to remove.
        closte.heal();
        network.map(&format!("old{number}.example")).await;
        program.run(&["apply", "--allow-removals"]).await;
        network.sql("DELETE FROM wp_wu_domain_mappings WHERE domain LIKE 'old%'").await;
        network.map(&format!("new{number}.example")).await;
        let asked = closte.requests().len();
        closte.fail(target.clone(), fault.clone());
        for command in commands {
            let text = output(&program, command).await;
            assert_unseen(&format!("{target:?} {fault:?} {command:?}"), &text);
            masked += text.matches("***").count();
        }
        let calls = closte.requests();
        let is_hit = |call: &Call| target == Target::Everything || target == Target::Only(*call);
        assert!(calls.iter().skip(asked).any(|one| is_hit(&one.call)), "{target:?} {fault:?}");
    }
    assert!(masked > 10, "{masked}: too little was masked to be a test");
    assert_unseen("events", &output(&program, &["events", "--lines", "100000"]).await);
    for command in ["status", "config", "plan", "apply", "check"] {
        assert_unseen(command, &output(&program, &[command]).await);
        assert_unseen(command, &output(&program, &[command, "--json"]).await);
    }
    let state = std::fs::read(program.state_path()).unwrap();
    assert!(!state.windows(MARKER.len()).any(|bytes| bytes == MARKER.as_bytes()), "in the state");
}

#[tokio::test]
async fn rule_7_with_every_failure_of_the_database() {
    let network = Network::mariadb().await;
    let closte = Simulator::start(KEY).await.unwrap();
    // Sends an invalid answer to every client.
    let nonsense = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nonsense.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in nonsense.incoming() {
            let _ = stream.unwrap().write_all(b"\x10\0\0\0HTTP/1.1 400 Bad");
        }
    });
    let program = Program::new(&network, &closte);
    let no_file = program.file("not-a-database", MARKER);
    for url in [
        format!("mysql://wp:{PASSWORD}@127.0.0.1:1/wordpress"),
        format!("mysql://wp:{PASSWORD}@127.0.0.1:{port}/wordpress"),
        format!("mysql://wp:{PASSWORD}@nowhere.invalid/wordpress"),
        format!("mysql://wp:{PASSWORD}@localhost/wordpress?socket=/nowhere.sock"),
        network.url.replace(PASSWORD, "m4rker-but-wrong"),
        network.url.replace(PASSWORD, "m4rker%20p%40ss%2Fw%25rd"),
        format!("{}_gone", network.url),
        format!("{}?ssl-mode=VERIFY_IDENTITY", network.url),
        format!("sqlite:{no_file}"),
        // These are no valid addresses.
        format!("mysql://wp:{PASSWORD}@host:port/db"),
        format!("mysql://a@wp:12/{PASSWORD}@127.0.0.1/db"),
        format!("sqlite://wp:{PASSWORD}@127.0.0.1/db"),
        format!("mysql://wp:{PASSWORD}@host"),
        format!("postgres://wp:{PASSWORD}@host/db"),
        PASSWORD.to_owned(),
    ] {
        let program = program.clone().with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &url);
        for command in [
            &["plan"][..],
            &["apply"],
            &["check", "a.example"],
            &["doctor"],
            &["config"],
            &["config", "--json"],
        ] {
            assert_unseen(&format!("{url} {command:?}"), &output(&program, command).await);
        }
    }
}

/// A server that sends this error to every client.
fn server_with_error(text: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = [b"\xff\x15\x04#28000", text.as_bytes()].concat();
    let packet = [&[u8::try_from(body.len()).unwrap(), 0, 0, 0], body.as_slice()].concat();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(&packet);
        }
    });
    port
}

#[tokio::test]
async fn rule_7_with_secrets_in_the_databases_errors() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let apart = |secret: &str, by: &str| {
        let letters = secret.chars().map(|c| format!("{c}{by}"));
        letters.collect::<String>()
    };
    for secret in [PASSWORD, KEY] {
        for repeated in [
            secret.to_owned(),
            secret.to_uppercase(),
            apart(secret, "\u{200b}"),
            apart(secret, "\u{ad}"),
            apart(secret, "\u{e0041}"),
            apart(secret, "\u{9b}\u{202e}"),
            secret.replace('-', "%2d"),
            secret.replace('-', "\\-"),
            secret.replace('-', "\\u002d"),
        ] {
            let port = server_with_error(format!("no entry with <{repeated}>"));
            let url = format!("mysql://wp:{PASSWORD}@127.0.0.1:{port}/wordpress");
            let program = program.clone().with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &url);
            for command in [&["plan"][..], &["apply"], &["doctor"], &["doctor", "--json"]] {
                let text = output(&program, command).await.to_lowercase();
                assert!(text.contains("***"), "{repeated:?}: {text}");
                for hidden in ["\\u{200b}", "\\u{ad}", "\\u{e0041}", "\\u{9b}\\u{202e}"] {
                    assert_unseen(&repeated, &text.replace(hidden, ""));
                }
                let is_seen = |c: &char| !closte_sync::escape::is_hidden(*c);
                assert_unseen(&repeated, &text.chars().filter(is_seen).collect::<String>());
            }
        }
    }
    let state = std::fs::read(program.state_path()).unwrap();
    assert!(!state.windows(MARKER.len()).any(|bytes| bytes == MARKER.as_bytes()), "in the state");
}

#[tokio::test]
async fn rule_7_with_secrets_in_the_tables() {
    let (network, _closte, program) = ends(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "");
    network
        .sql(&format!(
            "UPDATE wp_site SET domain = '{KEY}', path = '/{KEY}/';
             INSERT INTO wp_blogs (blog_id, site_id, domain, path)
                 VALUES (7, 1, 'seven.example', '/x-{KEY}/'), (8, 1, '{KEY} {KEY}', '/')"
        ))
        .await;
    for command in [
        &["plan"][..],
        &["plan", "--json"],
        &["apply"],
        &["doctor"],
        &["doctor", "--json"],
        &["check"],
        &["status"],
        &["events"],
    ] {
        assert_unseen(command[0], &output(&program, command).await);
    }
    network.sql("UPDATE wp_site SET domain = 'other.example'").await;
    assert_unseen("renamed", &output(&program, &["apply"]).await);
    network
        .sql(&format!("DELETE FROM wp_wu_domain_mappings; UPDATE wp_site SET domain = 'x-{KEY}'"))
        .await;
    let undecided = output(&program, &["plan"]).await;
    assert!(undecided.contains("is not certain"), "{undecided}");
    assert_unseen("undecided", &undecided);
    assert_unseen("events", &output(&program, &["events"]).await);
}

#[tokio::test]
async fn a_short_password_does_not_mask_the_databases_errors() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let port = server_with_error("no entry, says a server".to_owned());
    for (password, expected) in
        [("a", "no entry, says a server"), ("say", "no entry, says a server"), ("says", "***")]
    {
        let url = format!("mysql://wp:{password}@127.0.0.1:{port}/wordpress");
        let program = program.clone().with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &url);
        let plan = program.run(&["plan"]).await;
        assert!(plan.err.contains(expected), "{password}: {plan:?}");
        assert_eq!(plan.err.contains("entry"), !expected.contains('*'), "{password}: {plan:?}");
    }
}

#[tokio::test]
async fn texts_stored_by_an_older_version_are_masked() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    program.run(&["apply"]).await;
    let options = SqliteConnectOptions::new().filename(program.state_path());
    let mut state = options.connect().await.unwrap();
    state
        .execute(sqlx::AssertSqlSafe(format!(
            "UPDATE event SET detail = '{{\"error\": \"it is {KEY}\"}}';
             UPDATE managed SET progress = 'refused', refused_at = 0, error = 'it is {KEY}';
             INSERT INTO invalid_row (ledger_id, kind, id, blog_id, value, reason, since)
               VALUES (1, 'row', 7, 1, 'it is {KEY}', 'no name', 0);
             UPDATE last_cycle SET failed_at = 0, error = 'it is {KEY}'"
        )))
        .await
        .unwrap();
    state.close().await.unwrap();
    for command in ["events", "status"] {
        for arguments in [&[command][..], &[command, "--json"]] {
            let text = output(&program, arguments).await;
            assert!(text.contains("it is ***"), "{arguments:?} {text}");
            assert_unseen(command, &text);
        }
    }
}

#[tokio::test]
async fn rule_7_with_secrets_in_wrong_settings() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let wp_config = |text: &str| program.file("wp-config.php", text);
    let with = |name: &str, value: &str| program.clone().with(name, value);
    let broken = wp_config(
        "<?php define('DB_PASSWORD', m4rker); define('CLOSTE_CLIENT_API_KEY', \"m4rker{$x}\"); \
         $table_prefix = 'm4rker' . f(); require 'm4rker.php'; define('DB_NAME', 'm4rker",
    );
    let toml = program.file("closte-sync.toml", "[closte]\napi_key = \"m4rker\nbroken");
    let closure = wp_config(
        "<?php define('DB_PASSWORD', (fn() => 'm4rker')()); define('DB_NAME', m4rker(9));",
    );
    let table = program.file("table.toml", "[closte]\napi_key = { m4rker = \"m4rker\" }");
    let list = program.file("list.toml", "[closte]\napi_key = [\"m4rker\", \"m4rker\"]");
    let cases = [
        with("CLOSTE_CLIENT_API_KEY_FILE", "m4rker").without("CLOSTE_CLIENT_API_KEY"),
        with("WORDPRESS_DB_PASSWORD_FILE", "m4rker"),
        with("WORDPRESS_DB_HOST", "mysql://wp:m4rker@db")
            .with("WORDPRESS_DB_USER", "u")
            .with("WORDPRESS_DB_NAME", "n")
            .without("CLOSTE_SYNC__WORDPRESS__DATABASE_URL"),
        with("CLOSTE_SYNC__CLOSTE__BASE_URL", &format!("https://127.0.0.1:1/{KEY}/")),
        with("CLOSTE_SYNC__CLOSTE__API_KEY__M4RKER", "m4rker"),
        with("CLOSTE_SYNC__WORDPRESS__CONFIG_FILE", &closure)
            .without("CLOSTE_SYNC__WORDPRESS__DATABASE_URL"),
        with("CLOSTE_CLIENT_API_KEY", "m4rker with spaces"),
        with("CLOSTE_CLIENT_API_KEY_FILE", "/nowhere").without("CLOSTE_CLIENT_API_KEY"),
        with("CLOSTE_SYNC__HTTP__TOKEN", "m4rker with spaces"),
        with("CLOSTE_SYNC__CLOSTE__BASE_URL", "https://user:m4rker@app.closte.com/"),
        with("CLOSTE_SYNC__CLOSTE__BASE_URL", "https://app.closte.com/?apikey=m4rker"),
        with("CLOSTE_SYNC__CLOSTE__BASE_URL", "https://localhost:1/")
            .with("HTTPS_PROXY", "http://user:m4rker@127.0.0.1:1"),
        with("CLOSTE_SYNC__WORDPRESS__CONFIG_FILE", &broken)
            .without("CLOSTE_CLIENT_API_KEY")
            .without("CLOSTE_SYNC__WORDPRESS__DATABASE_URL"),
        with("CLOSTE_SYNC__HTTP__TOKEN", "m4rker-token"),
    ];
    for (number, program) in cases.iter().enumerate() {
        for command in [&["plan"][..], &["doctor"], &["config"], &["config", "--json"]] {
            assert_unseen(&format!("{number} {command:?}"), &output(program, command).await);
        }
    }
    for toml in [toml, table, list] {
        assert_unseen("TOML", &output(&program, &["config", "--config", &toml]).await);
    }
    for secret in ["closte.api_key", "wordpress.database_url", "http.token"] {
        let set = program.run(&["config", "--set", &format!("{secret}=m4rker")]).await;
        assert!(
            set.status == 1 && set.err.contains("does not belong on a command line"),
            "{set:?}"
        );
        assert_unseen(secret, &set.err);
    }
    // There is no flag for it either.
    assert_eq!(program.run(&["run", "--api-key", "x"]).await.status, 64);
}

#[tokio::test]
async fn rule_7_in_the_process_list_and_over_http() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    let program = program
        .with("CLOSTE_SYNC__HTTP__LISTEN", "127.0.0.1:0")
        .with("CLOSTE_SYNC__HTTP__METRICS_PER_DOMAIN", "true")
        .with("CLOSTE_SYNC__LOG__FILTER", "trace");
    let daemon = program.start_daemon();
    daemon.logs("domain.added").await;
    let line = std::fs::read(format!("/proc/{}/cmdline", daemon.id())).unwrap();
    assert!(String::from_utf8_lossy(&line).contains("closte-sync"));
    assert_unseen("the process list", &String::from_utf8_lossy(&line));
    let log = daemon.log();
    let (_, address) = log.split_once("http.listening address=").unwrap();
    let address = address.split_whitespace().next().unwrap().to_owned();
    closte.fail(Target::Everything, Fault::Failure("the API key {apikey} is bad".to_owned()));
    let get = async |path: &str| {
        let answer = client().get(format!("http://{address}/{path}")).send().await.unwrap();
        answer.text().await.unwrap()
    };
    eventually("it is not ready", async || get("readyz").await.contains("***")).await;
    for path in ["readyz", "metrics", "healthz"] {
        assert_unseen(path, &get(path).await);
    }
    daemon.signal("-HUP");
    daemon.logs("daemon.reloaded").await;
    assert_unseen("the log", &daemon.log());
}

#[test]
fn rule_7_in_debug_output() {
    let url = format!("mysql://wp:{PASSWORD}@127.0.0.1:1/wordpress");
    let environment = BTreeMap::from(
        [
            ("CLOSTE_CLIENT_API_KEY", KEY),
            ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", url.as_str()),
            ("CLOSTE_SYNC__HTTP__TOKEN", "m4rker-token"),
            ("CLOSTE_SYNC__STATE__URL", "sqlite:/nowhere/state.db"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let layers = Layers {
        environment,
        overrides: vec![("http.token".to_owned(), "m4rker".to_owned())],
        ..Layers::default()
    };
    let refused = Settings::load(&layers).unwrap_err();
    let fine = Layers { overrides: Vec::new(), ..layers.clone() };
    let settings = Settings::load(&fine).unwrap();
    let key: ApiKey = KEY.parse().unwrap();
    let token: Token = "m4rker-token".parse().unwrap();
    let database: DatabaseUrl = url.parse().unwrap();
    let app = App::build(&settings, Overrides::default());
    let clients = app.clients().unwrap();
    let text = format!("<?php define('DB_PASSWORD', '{PASSWORD}');");
    let wp_config = WpConfig::decode(text.as_bytes(), &BTreeMap::new());
    let message = format!(
        "{layers:?} {refused:?} {refused} {fine:#?} {settings:#?} {key:?} {token:?} {database:?} \
         {database} {app:#?} {clients:#?} {wp_config:#?}"
    );
    assert!(message.len() > 1_000 && message.contains("***"), "{message}");
    assert_unseen("debug output", &message);
}

#[tokio::test]
async fn files_with_secrets_that_others_may_read_are_reported() {
    let (_network, _closte, program) = ends(&["a.example"]).await;
    let chmod = |path: &str, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // Others may not enter the tests' own temporary folder.
    let open = tempfile::tempdir_in("/tmp").unwrap();
    let folder = open.path().to_str().unwrap();
    chmod(folder, 0o755);
    let file = |name: &str, content: &str| {
        let path = format!("{folder}/{name}");
        std::fs::write(&path, content).unwrap();
        path
    };
    let key = file("key", KEY);
    let toml = file("closte-sync.toml", "[http]\ntoken = \"m4rker-token\"");
    let harmless = file("harmless.toml", "[sync]\ninterval = \"1s\"");
    let php =
        file("wp-config.php", "<?php $table_prefix = 'wp_'; define('DB_PASSWORD', 'm4rker');");
    let program = program
        .without("CLOSTE_CLIENT_API_KEY")
        .with("CLOSTE_CLIENT_API_KEY_FILE", &key)
        .with("CLOSTE_SYNC__WORDPRESS__CONFIG_FILE", &php);
    let warnings = async |config: &str| {
        let mut daemon = program.start(&["run", "--config", config]);
        let log = || daemon.log().rsplit_once("-- start").unwrap().1.to_owned();
        eventually("it has started", async || log().contains("daemon.started")).await;
        daemon.signal("-TERM");
        eventually("it has stopped", async || log().contains("daemon.stopped")).await;
        let log = log();
        assert_eq!(daemon.ends().await, 0);
        let lines = log.lines().filter(|line| line.contains("WARN  settings.secret_exposed"));
        lines.map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    [&key, &toml, &harmless, &php].iter().for_each(|path| chmod(path, 0o644));
    let all = warnings(&toml).await;
    for (path, remedy) in [
        (&key, format!("chmod o-rwx {key}")),
        (&toml, "move the secrets into files of their own: ".to_owned()),
        (&php, format!("chgrp it to the web server's group, then chmod o-rwx {php}")),
    ] {
        let line = format!("file={path} remedy=\"{remedy}");
        assert!(all.contains(&line), "{line}: {all}");
    }
    assert_eq!(warnings(&harmless).await.lines().count(), 2);
    let php_without = "<?php $table_prefix = 'wp_'; define('DB_PASSWORD', getenv('PASSWORD'));";
    let php_without = file("wp-config.php", php_without);
    let with_password = program.clone().with("PASSWORD", "m4rker");
    let doctor = with_password.run(&["doctor"]).await;
    assert!(doctor.out.contains(&format!("chmod o-rwx {key}\n")), "{doctor:?}");
    let with_password = "<?php $table_prefix = 'wp_'; define('DB_PASSWORD', 'm4rker');";
    std::fs::write(&php_without, with_password).unwrap();
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains(&format!("can read {php}: chgrp it")), "{doctor:?}");
    [&key, &php].iter().for_each(|path| chmod(path, 0o640));
    assert_eq!(warnings(&harmless).await, "");
    // A folder that others may not enter protects its files.
    [&key, &php].iter().for_each(|path| chmod(path, 0o644));
    chmod(folder, 0o700);
    assert_eq!(warnings(&harmless).await, "");
}

#[test]
fn a_secret_in_a_wp_config_is_recognised_in_every_notation() {
    let open = tempfile::tempdir_in("/tmp").unwrap();
    let path = open.path().join("wp-config.php");
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let is_reported = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let environment = BTreeMap::from([("PASSWORD".to_owned(), "m4rker".to_owned())]);
        let wp_config = Some(path.clone());
        let layers = Layers { environment, wp_config, ..Layers::default() };
        !Settings::load(&layers).unwrap().provenance.exposed_secrets.is_empty()
    };
    let php = |value: &str| format!("<?php define('DB_PASSWORD', {value});");
    for value in
        ["'m4rker'", r"'m4\'rker'", r#""m4\$rker""#, "'m4'.'rker'", "getenv('NOT') ?: 'm4'"]
    {
        assert!(is_reported(php(value).as_bytes()), "{value}");
    }
    for value in ["getenv('PASSWORD')", "getenv('PASSWORD') ?: 'an example'", "''", "f()"] {
        assert!(!is_reported(php(value).as_bytes()), "{value}");
    }
    let text = php("'m4rker'");
    assert!(is_reported(&[text.as_bytes(), b" // \xe9"].concat()), "Latin-1");
    // It is no PHP.
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&path, [b"\xff\xfe".to_vec(), utf16].concat()).unwrap();
    let layers = Layers { wp_config: Some(path.clone()), ..Layers::default() };
    let error = Settings::load(&layers).unwrap_err().to_string();
    assert!(error.contains("is not text") && !error.contains("m4rker"), "{error}");
}
