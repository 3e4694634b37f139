//! Settings: their layers, their bounds, their errors.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use closte_sync::{
    app::Settings,
    reconciler::{SyncInterval, SyncPolicy},
    settings::{Layers, user_folder},
    simulator::Simulator,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{KEY, Network, Program, ends};

fn layers(environment: &[(&str, &str)]) -> Layers {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Layers { environment: environment.iter().map(pair).collect(), ..Layers::default() }
}

fn set(key: &str, value: &str) -> Layers {
    let overrides = vec![(key.to_owned(), value.to_owned())];
    Layers { overrides, ..layers(&[]) }
}

fn problem(layers: &Layers) -> String {
    Settings::load(layers).map(|_| ()).unwrap_err().to_string()
}

fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let settings = Settings::load(&layers(&[("STATE_DIRECTORY", "/run/a:/run/b")])).unwrap();
    assert_eq!(settings.closte.base_url.to_string(), "https://app.closte.com/api/client");
    assert_eq!(settings.closte.timeout, Duration::from_secs(45));
    assert_eq!(settings.closte.concurrency, 4);
    assert_eq!(settings.closte.list_interval, Duration::from_secs(300));
    assert_eq!(settings.sync.interval, SyncInterval::Auto);
    assert_eq!(settings.sync.policy, SyncPolicy::Sync);
    assert_eq!(settings.sync.removal_grace, Duration::from_secs(120));
    assert_eq!(settings.sync.max_removal_percent, 30);
    assert_eq!(settings.checks.check_interval.interval, Duration::from_secs(300));
    assert!(settings.wordpress.create_domain_records);
    assert_eq!(settings.state.path, PathBuf::from("/run/a/closte-sync.db"));
    assert!(settings.database().is_err() && settings.api_key().is_err());
}

#[test]
fn later_layers_win_and_each_value_has_its_source() {
    let (_folder, path) =
        file("[sync]\ninterval = 60\nkeep = [\"a.example\"]\n[closte]\ntimeout = \"9s\"\n");
    let layers = Layers {
        config_file: Some(path.clone()),
        overrides: vec![("closte.concurrency".into(), "8".into())],
        ..layers(&[
            ("CLOSTE_SYNC__CLOSTE__TIMEOUT", "7"),
            ("CLOSTE_SYNC__CLOSTE__CONCURRENCY", "2"),
            ("CLOSTE_SYNC__SYNC__EXCLUDE", "b.example, *.c.example"),
            ("CLOSTE_SYNC__SYNC__POLICY", "upsert-only"),
        ])
    };
    let settings = Settings::load(&layers).unwrap();
    assert_eq!(settings.sync.interval, SyncInterval::Fixed(Duration::from_secs(60)));
    assert_eq!(settings.sync.keep.len(), 1);
    assert_eq!(settings.sync.exclude.len(), 2);
    assert_eq!(settings.sync.policy, SyncPolicy::UpsertOnly);
    assert_eq!(settings.closte.timeout, Duration::from_secs(7));
    assert_eq!(settings.closte.concurrency, 8);
    let source = |key: &str| {
        settings.provenance.entries.iter().find(|entry| entry.key == key).unwrap().source.clone()
    };
    assert_eq!(source("sync.interval"), path.display().to_string());
    assert_eq!(source("closte.timeout"), "environment CLOSTE_SYNC__CLOSTE__TIMEOUT");
    assert_eq!(source("closte.concurrency"), "--set");
    assert_eq!(source("closte.base_url"), "default");
}

#[test]
fn values_out_of_bounds_are_errors() {
    for (key, good, bad) in [
        ("checks.interval", "10s", "9"),
        ("sync.interval", "1s", "999ms"),
        ("sync.removal_grace", "0", "-1s"),
        ("sync.interval", "8760h", "8761h"),
        ("closte.concurrency", "64", "65"),
        ("closte.concurrency", "1", "0"),
        ("sync.max_removal_percent", "100", "101"),
        ("sync.policy", "upsert-only", "add-only"),
        ("sync.keep", "*.a.example,b.example", "b.example,localhost"),
        ("log.filter", "debug,closte_sync::plan=trace", "hyper=trace"),
        ("log.format", "json", "xml"),
        ("state.url", "sqlite:/tmp/x.db", "mysql://db/state"),
        ("wordpress.network_id", "2", "0"),
        ("wordpress.primary_network_id", "2", "two"),
        ("closte.app_id", "5f3e0f2a9b1c4d6e8f7a0b12", "5f3e0f2a9b1c4d6e8f7a0b1x"),
        ("closte.public_address", "2001:db8::1", "app.example"),
        ("wordpress.table_prefix", "wp_x1_", "wp-"),
        ("wordpress.create_domain_records", "no", "perhaps"),
        ("wordpress.write_stage", "database", "sql"),
        ("wordpress.url", "http://wordpress", "http://network.example"),
        ("wordpress.max_rows", "1000", "999"),
        ("wordpress.max_rows", "8000000", "8000001"),
        ("closte.timeout", "1m", "soon"),
        ("closte.timeout", "100ms", "61s"),
        ("checks.attention_after", "1h30m", "-1s"),
        ("closte.base_url", "http://127.0.0.1:1/x", "http://app.closte.com"),
        ("state.url", "sqlite:/tmp/state.db", "sqlite:mysql://wp:s3cret@db/wp"),
    ] {
        Settings::load(&set(key, good)).unwrap();
        let problem = problem(&set(key, bad));
        assert!(problem.starts_with(&format!("{key} (--set): ")), "{key}={bad}: {problem}");
    }
}

#[test]
fn an_unknown_setting_is_named_with_the_nearest_known_one() {
    let problem_in_environment = problem(&layers(&[("CLOSTE_SYNC__SYNC__INTERVALL", "30s")]));
    assert_eq!(
        problem_in_environment,
        "there is no setting sync.intervall (environment CLOSTE_SYNC__SYNC__INTERVALL); \
         did you mean sync.interval?"
    );
    for (wrong, right) in [
        ("CLOSTE_SYNC_SYNC_INTERVAL", "CLOSTE_SYNC__SYNC__INTERVAL"),
        ("CLOSTE_SYNC_CLOSTE__API_KEY", "CLOSTE_SYNC__CLOSTE__API_KEY"),
        ("CLOSTE_SYNC_HTTP_TOKEN_FILE", "CLOSTE_SYNC__HTTP__TOKEN_FILE"),
        ("CLOSTE_SYNC_CHECKS_CA_FILE", "CLOSTE_SYNC__CHECKS__CA_FILE"),
    ] {
        let problem = problem(&layers(&[(wrong, "s3cret")]));
        assert_eq!(problem, format!("environment {wrong}: its name must be {right}"));
    }
    // What a cluster sets for a service of this name is none of ours.
    Settings::load(&layers(&[("CLOSTE_SYNC_PORT_9184_TCP", "tcp://10.0.0.1:9184")])).unwrap();
    let not_utf8 = problem(&layers(&[("CLOSTE_SYNC__SYNC__POLICY", "upsert-only\u{fffd}")]));
    assert_eq!(not_utf8, "environment CLOSTE_SYNC__SYNC__POLICY: it is not UTF-8");
    let (_folder, path) = file("[closte]\napi_keys = \"x\"\n");
    let problem = problem(&Layers { config_file: Some(path), ..layers(&[]) });
    assert!(
        problem.contains("closte.api_keys") && problem.contains("did you mean closte.api_key?")
    );
}

#[test]
fn all_problems_are_reported_together() {
    let text = problem(&layers(&[
        ("CLOSTE_SYNC__SYNC__INTERVAL", "never"),
        ("CLOSTE_SYNC__CHECKS__INTERVAL", "1"),
        ("CLOSTE_SYNC__NO__SUCH", "1"),
        ("CLOSTE_CLIENT_API_KEY_FILE", "/no/such/file"),
    ]));
    for part in
        ["sync.interval", "checks.interval", "no.such", "CLOSTE_CLIENT_API_KEY_FILE: cannot read"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Beside a file that cannot be read as a whole, too.
    let (_folder, path) = file("[sync\n");
    let variable = [("CLOSTE_CLIENT_API_KEY_FILE", "/no/such/file")];
    let text = problem(&Layers { config_file: Some(path), ..layers(&variable) });
    assert!(text.contains("_FILE: cannot read") && text.contains("is not valid TOML"), "{text}");
    let wp_config = Some(PathBuf::from("/no/such/wp-config.php"));
    let text = problem(&Layers { wp_config, ..set("sync.interval", "never") });
    assert!(text.contains("/no/such/wp-config.php") && text.contains("sync.interval"), "{text}");
}

#[test]
fn secrets_come_from_files_and_never_from_the_command_line() {
    let (_folder, path) = file("the-key\r\n");
    let path = path.to_str().unwrap();
    let from_file = layers(&[("CLOSTE_CLIENT_API_KEY_FILE", path)]);
    assert!(Settings::load(&from_file).unwrap().api_key().is_ok());
    let both = layers(&[("CLOSTE_CLIENT_API_KEY_FILE", path), ("CLOSTE_CLIENT_API_KEY", "k")]);
    assert!(problem(&both).contains("both set"));
    for key in ["closte.api_key", "wordpress.database_url"] {
        assert!(problem(&set(key, "m4rker")).contains("does not belong on a command line"));
    }
}

#[test]
fn the_variables_of_the_official_image_set_the_address() {
    let parts = [
        ("WORDPRESS_DB_HOST", "db:3307"),
        ("WORDPRESS_DB_USER", "wp"),
        ("WORDPRESS_DB_PASSWORD", "p@ss/word"),
        ("WORDPRESS_DB_NAME", "wordpress"),
        ("WORDPRESS_TABLE_PREFIX", "net_"),
    ];
    let settings = Settings::load(&layers(&parts)).unwrap();
    assert_eq!(settings.database().unwrap().to_string(), "mysql://wp@db:3307/wordpress");
    assert_eq!(settings.wordpress.table_prefix.to_string(), "net_");
    let own = ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "mysql://own@elsewhere/other");
    let settings = Settings::load(&layers(&[&parts[..], &[own]].concat())).unwrap();
    assert_eq!(settings.database().unwrap().to_string(), "mysql://own@elsewhere:3306/other");

    // Some of them are worth what wp-config.php adds to them.
    let some = layers(&[("WORDPRESS_DB_HOST", "db:3307"), ("WORDPRESS_DB_PASSWORD", "p")]);
    assert_eq!(
        problem(&some),
        "only WORDPRESS_DB_HOST, WORDPRESS_DB_PASSWORD of the database's address is set: set \
         WORDPRESS_DB_USER, WORDPRESS_DB_NAME as well"
    );
    let (_folder, path) = file(
        "<?php define('DB_NAME', 'n'); define('DB_USER', 'u'); define('DB_HOST', 'old'); \
         $table_prefix = 'wp_';",
    );
    let both = Settings::load(&Layers { wp_config: Some(path), ..some }).unwrap();
    assert_eq!(both.database().unwrap().to_string(), "mysql://u@db:3307/n");
}

#[test]
fn no_network_is_guessed() {
    let of_file = |text: &str, environment: &[(&str, &str)]| {
        let php = format!(
            "<?php define('DB_NAME', 'n'); define('DB_USER', 'u'); define('DB_HOST', 'h'); {text}"
        );
        let (_folder, path) = file(&php);
        let settings = Settings::load(&Layers { wp_config: Some(path), ..layers(environment) });
        settings.unwrap().database().map(ToString::to_string).map_err(|error| error.to_string())
    };
    let prefix = [("WORDPRESS_TABLE_PREFIX", "wp_")];
    for (text, remedy, why) in [
        ("$table_prefix = strtolower('SHOP_');", prefix, "it calls a function, which is not run"),
        ("", prefix, "sets no $table_prefix; it may be incomplete. Set"),
    ] {
        let error = of_file(text, &[]).unwrap_err();
        assert!(error.contains(" is not known: ") && error.contains(why), "{text}: {error}");
        assert_eq!(of_file(text, &remedy).as_deref(), Ok("mysql://u@h:3306/n"), "{text}");
    }
    // A password that a required file may set is not none.
    for text in ["$table_prefix = 'wp_';", "define('DB_PASSWORD', ''); $table_prefix = 'wp_';"] {
        let text = format!("require 'secrets.php'; {text}");
        let error = of_file(&text, &prefix).unwrap_err();
        assert!(error.contains("wordpress.database_url is not set"), "{text}: {error}");
        assert!(error.contains("the file required in line 1 "), "{text}: {error}");
    }
    // Nor where another source names the database.
    let (folder, half) = file("<?php\ndefine('DB_NA");
    let database = ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "sqlite:/net.db");
    for (path, why) in [
        (half, "sets no $table_prefix; it may be incomplete. Set"),
        (folder.path().to_owned(), "Let this user read that file, or set wordpress.table_prefix"),
    ] {
        let found = |environment: &[(&str, &str)]| {
            let settings = Settings::load(&Layers {
                wp_config_places: vec![path.clone()],
                ..layers(environment)
            });
            settings.unwrap().database().map(ToString::to_string).map_err(|error| error.to_string())
        };
        let error = found(&[database]).unwrap_err();
        assert!(error.starts_with("wordpress.table_prefix is not known: "), "{error}");
        assert!(error.contains(why), "{error}");
        assert_eq!(found(&[database, prefix[0]]).as_deref(), Ok("sqlite:/net.db"));
    }
}

#[test]
fn a_wp_config_names_the_network_and_the_closte_app() {
    let of_file = |text: &str| {
        let (_folder, path) = file(&format!("<?php $table_prefix = 'wp_'; {text}"));
        Settings::load(&Layers { wp_config: Some(path), ..layers(&[]) }).unwrap()
    };
    let settings = of_file(
        "define('SITE_ID_CURRENT_SITE', 3); define('PRIMARY_NETWORK_ID', 2);
         define('DOMAIN_CURRENT_SITE', 'Network.example');
         define('CLOSTE_APP_ID', '5f3e0f2a9b1c4d6e8f7a0b12');
         define('CLOSTE_PUBLIC_IP_ADDRESS', '203.0.113.9');",
    );
    let wordpress = &settings.wordpress;
    assert_eq!((wordpress.network_id, wordpress.primary_network_id), (Some(3), Some(2)));
    assert_eq!(wordpress.current_site.as_deref(), Some("Network.example"));
    let app = settings.closte.app_id.as_ref().map(ToString::to_string);
    assert_eq!(app.as_deref(), Some("5f3e0f2a9b1c4d6e8f7a0b12"));
    assert_eq!(settings.closte.public_address, "203.0.113.9".parse().ok());

    // What no reload may lose.
    for (key, text) in [
        ("wordpress.primary_network_id", "define('SITE_ID_CURRENT_SITE', 3);"),
        (
            "wordpress.current_site",
            "define('SITE_ID_CURRENT_SITE', 3); define('PRIMARY_NETWORK_ID', 2);",
        ),
    ] {
        let lost = of_file(text).lost_since(&settings).unwrap();
        assert!(lost.starts_with(&format!("{key} was set by ")), "{lost}");
    }
    let connection = "define('DB_CHARSET', 'latin1'); define('MYSQL_CLIENT_FLAGS', 2048);";
    let before = of_file(connection);
    for (text, expected) in [
        ("define('DB_CHARSET', 'latin1');", Some("MYSQL_CLIENT_FLAGS was set by ")),
        ("define('MYSQL_CLIENT_FLAGS', 0);", Some("DB_CHARSET was set by ")),
        ("define('DB_CHARSET', f()); define('MYSQL_CLIENT_FLAGS', 0);", Some("DB_CHARSET was")),
        ("define('DB_CHARSET', 'utf8'); define('MYSQL_CLIENT_FLAGS', f());", None),
    ] {
        let lost = of_file(text).lost_since(&before).unwrap_or_default();
        assert!(lost.starts_with(expected.unwrap_or_default()), "{text}: {lost}");
        assert_eq!(lost.is_empty(), expected.is_none(), "{text}: {lost}");
    }

    // What is for advice only stops nothing.
    let settings = of_file(
        "define('CLOSTE_APP_ID', 1234);\ndefine('CLOSTE_PUBLIC_IP_ADDRESS', 'app.example');",
    );
    assert!(settings.closte.app_id.is_none() && settings.closte.public_address.is_none());
    let unknown = settings.not_known().join("\n");
    for said in [
        "CLOSTE_APP_ID in line 1 has an invalid value",
        "CLOSTE_PUBLIC_IP_ADDRESS in line 2 has an invalid value",
    ] {
        assert!(unknown.contains(said), "{unknown}");
    }
}

#[test]
fn another_wp_config_is_not_taken_for_the_one_that_is_gone() {
    let (folder, first) = file("<?php $table_prefix = 'shop_';");
    let second = folder.path().join("second.php");
    std::fs::write(&second, "<?php $table_prefix = 'wp_';").unwrap();
    let load = |places: &[&PathBuf], named: Option<&PathBuf>| {
        let wp_config_places = places.iter().map(|path| (*path).clone()).collect();
        let wp_config = named.cloned();
        Settings::load(&Layers { wp_config_places, wp_config, ..layers(&[]) }).unwrap()
    };
    let before = load(&[&first, &second], None);
    assert_eq!(load(&[&first], None).lost_since(&before), None);
    assert_eq!(load(&[&first], Some(&second)).lost_since(&before), None, "it was named");
    let lost = load(&[&second], None).lost_since(&before).unwrap();
    assert!(lost.contains("second.php was found instead"), "{lost}");
    let lost = load(&[], None).lost_since(&before).unwrap();
    assert!(lost.starts_with("wordpress.table_prefix was set by "), "{lost}");
}

/// A command that is typed by hand sees what the service of the same configuration sees.
#[test]
fn the_services_secrets_are_beside_their_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("config.toml", "[sync]\ninterval = \"7s\"");
    write("shops.toml", "[sync]\ninterval = \"8s\"");
    write("closte_client_api_key", "first\n");
    write("shops.closte_client_api_key", "second\n");
    write("shops.database_url", "sqlite:/shops");
    write("shops.http_token", "t");
    write("shops.http_sync_token", "u");
    write("shops.wp-config.php", "<?php $table_prefix = 'shop_';");
    let usual = Layers { system_folder: Some(folder.path().to_owned()), ..layers(&[]) };
    let named = |path: PathBuf| Layers { config_file: Some(path), ..usual.clone() };
    let key = |settings: &Settings| settings.api_key().ok().cloned();
    let every = |settings: &Settings| settings.sync.interval.longest().as_secs();
    let expected = |text: &str| Some(text.parse().unwrap());

    let settings = Settings::load(&usual).unwrap();
    assert_eq!((every(&settings), key(&settings)), (7, expected("first")));
    assert!(settings.http.token.is_none() && settings.wordpress.wp_config.is_none());
    let shops = named(folder.path().join("shops.toml"));
    let settings = Settings::load(&shops).unwrap();
    assert_eq!((every(&settings), key(&settings)), (8, expected("second")));
    assert_eq!(settings.wordpress.table_prefix.to_string(), "shop_");
    assert_eq!(settings.database().unwrap().to_string(), "sqlite:/shops");
    assert!(settings.http.token.is_some() && settings.http.sync_token.is_some());
    assert_eq!(settings.state.path, Path::new("/var/lib/closte-sync-shops/closte-sync.db"));
    // Another file is nobody's service, and the service itself has been given its own.
    let (_elsewhere, path) = file("");
    assert_eq!(key(&Settings::load(&named(path)).unwrap()), None);
    let given = layers(&[("CREDENTIALS_DIRECTORY", "/no/such"), ("STATE_DIRECTORY", "/own")]);
    let service = Layers { environment: given.environment, ..shops };
    let settings = Settings::load(&service).unwrap();
    assert_eq!((key(&settings), settings.http.token.is_some()), (None, false));
    assert_eq!(settings.state.path, Path::new("/own/closte-sync.db"));

    // What is there and cannot be read is not taken for absent.
    std::fs::create_dir(folder.path().join("http_token")).unwrap();
    std::fs::remove_file(folder.path().join("config.toml")).unwrap();
    let error = Settings::load(&usual).unwrap().database().unwrap_err().to_string();
    assert!(error.contains("http_token, which is a folder"), "{error}");
    std::fs::create_dir(folder.path().join("config.toml")).unwrap();
    assert!(problem(&usual).contains("config.toml, which is a folder"), "{}", problem(&usual));
}

#[tokio::test]
async fn a_user_without_root_has_settings_secrets_and_state_at_home() {
    let home = tempfile::tempdir().unwrap();
    let own = home.path().join(".config/closte-sync");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("config.toml"), "[sync]\ninterval = \"7s\"").unwrap();
    std::fs::write(own.join("closte_client_api_key"), "m4rker-own-key\n").unwrap();
    let program = Program::bare().without("CLOSTE_SYNC__STATE__URL");
    let config = program.with("HOME", home.path().to_str().unwrap()).run(&["config"]).await;
    let from = |file: &str| format!("# {}", own.join(file).display());
    for part in [from("config.toml"), from("closte_client_api_key")] {
        assert!(config.out.contains(&part), "{part}: {config:?}");
    }
    assert!(!config.out.contains("m4rker"), "{config:?}");

    let [user, system] = ["user", "system"].map(|name| home.path().join(name));
    std::fs::create_dir(&system).unwrap();
    std::fs::write(system.join("config.toml"), "[sync]\ninterval = \"8s\"").unwrap();
    let both = Layers {
        user_folder: Some(user.clone()),
        system_folder: Some(system),
        ..layers(&[("XDG_STATE_HOME", "/of/user")])
    };
    let every = || Settings::load(&both).unwrap().sync.interval.longest().as_secs();
    assert_eq!(every(), 8, "there is no such folder");
    std::fs::create_dir(&user).unwrap();
    std::fs::write(user.join("config.toml"), "[sync]\ninterval = \"9s\"").unwrap();
    assert_eq!(every(), 9);
    for (base, folder) in [
        ("/own/config", Some("/own/config/closte-sync")),
        ("relative", Some("/home/me/.config/closte-sync")),
        ("", Some("/home/me/.config/closte-sync")),
    ] {
        let environment = layers(&[("XDG_CONFIG_HOME", base), ("HOME", "/home/me")]).environment;
        let found = user_folder(&environment, "XDG_CONFIG_HOME", ".config");
        assert_eq!(found, folder.map(PathBuf::from), "{base}");
    }
    assert_eq!(user_folder(&layers(&[]).environment, "XDG_CONFIG_HOME", ".config"), None);
}

#[test]
fn no_error_and_no_listing_repeats_a_secret() {
    let (_folder, path) = file("[closte]\napi_key = \"m4rker\nbroken");
    let broken_file = Layers { config_file: Some(path), ..layers(&[]) };
    for layers in [
        broken_file,
        layers(&[("CLOSTE_CLIENT_API_KEY", "m4rker with spaces")]),
        layers(&[("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "postgres://u:m4rker@h/d")]),
        layers(&[("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "m4rker")]),
        layers(&[("CLOSTE_SYNC__CLOSTE__BASE_URL", "https://u:m4rker@h/")]),
    ] {
        let error = Settings::load(&layers).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("m4rker"), "{error}");
    }
    let settings = Settings::load(&layers(&[
        ("CLOSTE_CLIENT_API_KEY", "m4rker"),
        ("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "mysql://u:m4rker@h/d"),
    ]))
    .unwrap();
    assert!(!format!("{settings:?}").contains("m4rker"));
    assert!(settings.provenance.entries.iter().any(|entry| entry.value == "***"));
}

proptest! {
    #[test]
    fn any_text_is_answered(key in "[a-z_.]{0,20}", value in "\\PC{0,40}") {
        let _ = Settings::load(&set(&key, &value));
        let variable = format!("CLOSTE_SYNC__{}", key.to_uppercase().replace('.', "__"));
        let environment = BTreeMap::from([(variable, value)]);
        let _ = Settings::load(&Layers { environment, ..Layers::default() });
    }
}

/// A wp-config.php for a network of the test server.
fn wp_config(network: &Network, more: &str) -> String {
    let (head, database) = network.url.rsplit_once('/').unwrap();
    let (user, host) = head.trim_start_matches("mysql://").rsplit_once('@').unwrap();
    let (user, password) = user.split_once(':').unwrap();
    format!(
        "<?php\n/** The database */\ndefine( 'DB_NAME', '{database}' );\ndefine( 'DB_USER', \
         '{user}' );\ndefine( 'DB_PASSWORD', '{password}' );\ndefine( 'DB_HOST', '{host}' );\n\
         $table_prefix = 'wp_';\n{more}\nrequire_once ABSPATH . 'wp-settings.php';\n"
    )
}

#[tokio::test]
async fn a_wp_config_is_enough() {
    let network = Network::mariadb().await;
    let closte = Simulator::start(KEY).await.unwrap();
    let program = Program::bare().with("CLOSTE_SYNC__CLOSTE__BASE_URL", &closte.base_url());
    let key = format!("define('CLOSTE_CLIENT_API_KEY', \"{KEY}\");");
    let file = program.file("wp-config.php", &wp_config(&network, &key));
    let applied = program.run(&["apply", "--wp-config", &file]).await;
    assert_eq!(applied.status, 3, "a domain record waits for sync.record_grace: {applied:?}");
    assert_eq!(closte.domains().len(), 10);

    let config = program.run(&["config", "--wp-config", &file]).await;
    let line = |key: &str| {
        let line = config.out.lines().find(|line| line.starts_with(key));
        line.unwrap_or_else(|| panic!("{key}: {config:?}")).to_owned()
    };
    assert!(line("config_file").contains(&format!("= {file} # --wp-config")), "{config:?}");
    assert!(line("database_url").ends_with("# wp-config.php:3"), "{config:?}");
    assert!(line("table_prefix").ends_with("# wp-config.php:7"), "{config:?}");
    assert!(line("api_key").contains("***") && line("api_key").ends_with("wp-config.php:8"));
    assert!(!config.out.contains("m4rker"), "{config:?}");

    // It is found where the program is started, and anything else counts more.
    let program = program.with("CLOSTE_CLIENT_API_KEY", "another-key");
    let config = program.run_in_its_folder(&["config"]).await;
    assert!(config.out.contains("= ./wp-config.php          # found there"), "{config:?}");
    assert!(config.out.contains("# wp-config.php:3"), "{config:?}");
    assert!(config.out.contains("# environment CLOSTE_CLIENT_API_KEY"), "{config:?}");
    let program = program.with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "sqlite:/tmp/other");
    let config = program.with("CLOSTE_SYNC__WORDPRESS__CONFIG_FILE", &file).run(&["config"]).await;
    assert!(config.out.contains("sqlite:/tmp/other"), "{config:?}");
}

#[tokio::test]
async fn a_wp_config_is_found_where_closte_keeps_it() {
    let places =
        |variables: &[(&str, &str)]| Settings::wp_config_places(&layers(variables).environment);
    let app = ("CLOSTE_APP_ID", "5f3e0f2a9b1c4d6e8f7a0b12");
    assert_eq!(
        places(&[app, ("HOME", "/home/me")])[2..],
        [
            "/home/5f3e0f2a9b1c4d6e8f7a0b12/public_html/wp-config.php",
            "/home/me/public_html/wp-config.php",
            "/var/www/html/wp-config.php",
        ]
        .map(PathBuf::from)
    );
    assert_eq!(places(&[("CLOSTE_APP_ID", "../etc"), ("HOME", "")]).len(), 3);

    let program = Program::bare();
    let folder = program.file("wp-config.php", "<?php $table_prefix = 'home_';");
    let home = Path::new(&folder).parent().unwrap().to_owned();
    std::fs::create_dir(home.join("public_html")).unwrap();
    std::fs::rename(&folder, home.join("public_html/wp-config.php")).unwrap();
    let config = program.with("HOME", home.to_str().unwrap()).run(&["config"]).await;
    assert!(config.out.contains("home_"), "{config:?}");
    assert!(config.out.contains("public_html/wp-config.php"), "{config:?}");
}

#[tokio::test]
async fn missing_values_of_a_wp_config_are_named() {
    let network = Network::mariadb().await;
    let program = Program::bare();
    let text = wp_config(&network, "define('CLOSTE_CLIENT_API_KEY', vault('closte'));")
        .replace("'m4rker-password'", "getenv('NOWHERE')");
    let file = program.file("wp-config.php", &text);
    let plan = program.run(&["plan", "--wp-config", &file]).await;
    assert_eq!(plan.status, 1);
    assert!(
        plan.err.contains(
            "CLOSTE_CLIENT_API_KEY in line 8 is not known: it calls a function, which is not run; \
             closte.api_key replaces it"
        ),
        "{plan:?}"
    );
    let doctor = program.run(&["doctor", "--wp-config", &file]).await;
    let line = doctor.out.lines().find(|line| line.contains(" wp-config ")).unwrap();
    assert!(line.starts_with("warning") && line.contains("DB_PASSWORD in line 5"), "{line}");
    let config = program.run(&["config", "--wp-config", &file]).await;
    assert!(config.out.contains("DB_PASSWORD in line 5 is not known"), "{config:?}");
    let config = program.run(&["config", "--json", "--wp-config", &file]).await.json();
    let not_known = config["not_known"].to_string();
    assert!(not_known.contains("DB_PASSWORD in line 5 is not known"), "{config}");
    let is_prefix = |entry: &&Value| entry["key"] == "wordpress.table_prefix";
    let prefix = config["settings"].as_array().unwrap().iter().find(is_prefix).unwrap();
    assert_eq!(prefix["source"], "wp-config.php:7");
    let missing = program.run(&["plan", "--wp-config", "/no/such/wp-config.php"]).await;
    assert!(missing.err.contains("cannot read /no/such/wp-config.php"), "{missing:?}");
}

#[tokio::test]
async fn a_copy_of_another_network_is_a_warning() {
    let network = Network::mariadb().await;
    let program = Program::bare();
    for (domain, is_other) in [("Agency.example", false), ("staging.example", true)] {
        let text = wp_config(&network, &format!("define('DOMAIN_CURRENT_SITE', '{domain}');"));
        let file = program.file("wp-config.php", &text);
        let doctor = program.run(&["doctor", "--wp-config", &file]).await;
        let line = doctor.out.lines().find(|line| line.contains(" tables ")).unwrap();
        assert_eq!(line.starts_with("warning"), is_other, "{line}");
        let said = "wp-config.php:8 names the network staging.example";
        assert_eq!(line.contains(said), is_other, "{line}");
    }
}

#[tokio::test]
async fn systemd_credentials_are_settings() {
    let (network, closte, program) = ends(&["a.example"]).await;
    program.file("closte_client_api_key", &format!("{KEY}\n"));
    let file = program.file("database_url", &format!("{}\n", network.url));
    let folder = std::path::Path::new(&file).parent().unwrap().to_str().unwrap().to_owned();
    let program = program
        .without("CLOSTE_CLIENT_API_KEY")
        .without("CLOSTE_SYNC__WORDPRESS__DATABASE_URL")
        .with("CREDENTIALS_DIRECTORY", &folder);
    assert_eq!(program.run(&["apply"]).await.status, 0);
    assert_eq!(closte.domains(), ["a.example"]);
    let config = program.run(&["config"]).await;
    assert!(config.out.contains("# credential closte_client_api_key"), "{config:?}");
    assert!(config.out.contains("# credential database_url"), "{config:?}");

    // An empty name of a folder is none, and not the folder of the process.
    let elsewhere = program.clone().with("CREDENTIALS_DIRECTORY", "");
    let config = elsewhere.run_in_its_folder(&["config"]).await;
    assert!(!config.out.contains("credential"), "{config:?}");

    // What the machine does not have is a line break, and as good as nothing.
    program.file("closte_client_api_key", "\n");
    program.file("database_url", "\n");
    program.file("wp-config.php", "\n");
    let config = program.run(&["config"]).await;
    assert!(!config.out.contains("credential") && !config.out.contains("wp-config"), "{config:?}");
    let text = format!("<?php define('CLOSTE_CLIENT_API_KEY', '{KEY}'); $table_prefix = 'net_';");
    program.file("wp-config.php", &text);
    let config = program.run(&["config"]).await;
    assert_eq!(config.out.matches("# wp-config.php:1").count(), 2, "{config:?}");
}

#[tokio::test]
async fn invalid_settings_of_the_checks_are_errors() {
    let program = Program::bare();
    for (setting, problem) in [
        ("checks.interval=9", "it must be at least 10s"),
        ("checks.resolvers=dns.example", "it must be \"system\" or an address"),
        ("checks.resolvers=", "checks.resolvers must name one resolver at least"),
        (
            "checks.certificate_authorities=",
            "checks.certificate_authorities must name one authority at least",
        ),
        ("checks.expected_targets=a b", "it must be an address, a network or a host name"),
        ("checks.proxies=203.0.113.0/33", "it must be an address or a network"),
        ("checks.port=0", "it must be a number from 1 to 65535"),
        ("checks.ca_file=/no/such/file", "checks.ca_file: /no/such/file"),
    ] {
        let checked = program.run(&["check", "a.example", "--set", setting]).await;
        assert_eq!(checked.status, 1, "{setting}: {checked:?}");
        assert!(checked.err.contains(problem), "{setting}: {checked:?}");
    }
    let empty = program.file("empty.pem", "nothing\n");
    let set = format!("checks.ca_file={empty}");
    let checked = program.run(&["check", "a.example", "--set", &set]).await;
    assert!(checked.err.contains("there is no PEM certificate in it"), "{checked:?}");
}
