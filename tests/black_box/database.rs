//! Databases that are broken, old or hostile.

use closte_sync::{simulator::Simulator, wordpress::Source};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rsa::{Oaep, PrivateKey, pkcs8::EncodePublicKey as _, pkcs8::LineEnding};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsAcceptor;

use crate::support::{
    KEY, Network, PASSWORD, Program, SERVER, ends, eventually,
    fake_database::{COLUMN, FakeDatabase, NONCE, Peer},
    fitting, mariadb,
};

async fn with_database(url: &str) -> (Simulator, Program) {
    let (_, closte, program) = ends(&[]).await;
    (closte, program.with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", url))
}

fn url(database: &FakeDatabase, options: &str) -> String {
    format!("mysql://wp:{PASSWORD}@127.0.0.1:{}/wordpress{options}", database.port)
}

/// The error of `plan` with this database.
async fn plan_error(url: &str) -> String {
    let (_closte, program) = with_database(url).await;
    let plan = program.run(&["plan"]).await;
    assert_eq!(plan.status, 1, "{plan:?}");
    assert!(!plan.err.contains("panicked"), "{plan:?}");
    for internals in ["sqlx", "driver", "err_protocol", ".rs:", "unexpected or invalid data"] {
        assert!(!plan.err.contains(internals), "{internals}: {plan:?}");
    }
    plan.err
}

/// A script for a server, which then waits until the client has closed the connection.
macro_rules! play {
    (|$peer:ident| $body:block) => {{
        fn play(
            mut $peer: Peer,
        ) -> std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>> {
            Box::pin(async move {
                $body;
                while $peer.receive().await.is_ok() {}
                Ok(())
            })
        }
        play as fn(Peer) -> _
    }};
}

#[tokio::test]
async fn malformed_packets_fail_the_read_but_do_not_end_the_daemon() {
    let cut_error = FakeDatabase::start(play!(|peer| { peer.send(&[0xff, 0x10, 0x04]).await? }));
    let protocol_9 = FakeDatabase::start(play!(|peer| {
        peer.send(b"\x093.22.1\0\x01\0\0\0abcdefgh\0").await?
    }));
    let cut_greeting = FakeDatabase::start(play!(|peer| { peer.send(b"\x0a8.0\0\x01\0").await? }));
    let cut_answer = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.send(&[0xff, 0x10]).await?
    }));
    let columns = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.send(&[0xfe, 0, 0, 0, 0, 0, 0, 0, 0x80]).await?
    }));
    let cut_column = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.send(&[4]).await?;
        peer.send(&COLUMN[..12]).await?;
        peer.send(&COLUMN[..12]).await?
    }));
    let cut_row = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.columns().await?;
        peer.send(&[1, b'1', 0xfd, 0xff]).await?
    }));
    let silent = FakeDatabase::start(play!(|peer| { peer.send(&[]).await? }));
    let servers = futures_util::future::join_all([
        Box::pin(cut_error) as std::pin::Pin<Box<dyn Future<Output = FakeDatabase>>>,
        Box::pin(protocol_9),
        Box::pin(cut_greeting),
        Box::pin(cut_answer),
        Box::pin(columns),
        Box::pin(cut_column),
        Box::pin(cut_row),
        Box::pin(silent),
    ])
    .await;
    let daemons = servers.iter().enumerate().map(async |(number, server)| {
        let (_closte, program) = with_database(&url(server, "")).await;
        let daemon = program.start_daemon();
        daemon.logs("wordpress.failed").await;
        eventually("the daemon continues", async || server.clients() > 2).await;
        let log = daemon.log();
        assert_eq!(daemon.stop().await, 0, "{number}: {log}");
        assert!(!log.contains("panicked"), "{number}: {log}");
    });
    futures_util::future::join_all(daemons).await;
}

#[tokio::test]
async fn a_password_is_never_sent_in_clear_text_over_tcp() {
    let greeting = FakeDatabase::start(play!(|peer| {
        peer.greet("mysql_clear_password").await?;
        peer.ok().await?
    }))
    .await;
    let switch = FakeDatabase::start(play!(|peer| {
        peer.greet("mysql_native_password").await?;
        peer.switch_to("mysql_clear_password").await?;
        peer.ok().await?
    }))
    .await;
    for options in ["", "?ssl-mode=disabled", "?get-server-public-key=true"] {
        for server in [&greeting, &switch] {
            let error = plan_error(&url(server, options)).await;
            assert!(error.contains("the password in clear text"), "{error}");
            assert!(error.contains("?ssl-mode=verify-identity"), "{error}");
            assert!(!server.received(PASSWORD.as_bytes()));
        }
    }
}

#[tokio::test]
async fn passwords_are_sent_over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let clear = folder.path().join("clear.sock").display().to_string();
    let server = FakeDatabase::start_at(
        &clear,
        play!(|peer| {
            peer.greet("mysql_native_password").await?;
            peer.switch_to("mysql_clear_password").await?;
            peer.ok().await?;
            peer.up_to_a_query_after_login().await?
        }),
    );
    let sha2 = folder.path().join("sha2.sock").display().to_string();
    let caching = FakeDatabase::start_at(
        &sha2,
        play!(|peer| {
            peer.greet("caching_sha2_password").await?;
            peer.send(&[1, 4]).await?;
            assert_eq!(peer.receive().await?, [PASSWORD.as_bytes(), b"\0"].concat());
            peer.ok().await?;
            peer.up_to_a_query_after_login().await?;
            peer.no_such_table().await?
        }),
    );
    let (_closte, program) =
        with_database(&format!("mysql://wp:{PASSWORD}@localhost/w?socket={clear}")).await;
    let daemon = program.start_daemon();
    eventually("the password is sent", async || server.received(PASSWORD.as_bytes())).await;
    daemon.kill();
    let error = plan_error(&format!("mysql://wp:{PASSWORD}@localhost/w?socket={sha2}")).await;
    assert!(error.contains("there is no table wp_site"), "{error}");
    assert!(caching.received(PASSWORD.as_bytes()));
}

/// The key of all servers without TLS: generating one takes a while.
fn server_key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::new(&mut rand::rng(), 2048).unwrap())
}

/// Sends the key if the client asks for it, and decrypts the password with it.
async fn decrypt_password(peer: &mut Peer) -> std::io::Result<()> {
    let mut answer = peer.receive().await?;
    if answer == [2] {
        let pem = server_key().to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
        peer.send(&[b"\x01", pem.as_bytes()].concat()).await?;
        answer = peer.receive().await?;
    }
    let masked = server_key().decrypt(Oaep::<sha1::Sha1>::new(), &answer).unwrap();
    let password: Vec<u8> =
        masked.iter().zip(NONCE.iter().cycle()).map(|(byte, pad)| byte ^ pad).collect();
    assert_eq!(password, [PASSWORD.as_bytes(), b"\0"].concat());
    peer.ok().await?;
    peer.up_to_a_query_after_login().await?;
    peer.no_such_table().await
}

#[tokio::test]
async fn caching_sha2_works_locally_without_tls() {
    let known = FakeDatabase::start(play!(|peer| {
        peer.greet("caching_sha2_password").await?;
        peer.send(&[1, 3]).await?;
        peer.ok().await?;
        peer.up_to_a_query_after_login().await?;
        peer.no_such_table().await?
    }))
    .await;
    let first_time = FakeDatabase::start(play!(|peer| {
        peer.greet("caching_sha2_password").await?;
        peer.send(&[1, 4]).await?;
        decrypt_password(&mut peer).await?
    }))
    .await;
    let by_switch = FakeDatabase::start(play!(|peer| {
        peer.greet("mysql_native_password").await?;
        peer.switch_to("caching_sha2_password").await?;
        peer.send(&[1, 4]).await?;
        decrypt_password(&mut peer).await?
    }))
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let pem = server_key().to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
    std::fs::write(&path, pem).unwrap();
    let key = format!("?server-public-key-path={}", path.display());
    for (server, options) in
        [(&known, ""), (&first_time, ""), (&by_switch, ""), (&first_time, key.as_str())]
    {
        let error = plan_error(&url(server, options)).await;
        assert!(error.contains("there is no table wp_site"), "{options}: {error}");
        assert!(!server.received(PASSWORD.as_bytes()));
    }
}

/// The server's side of TLS, and the authority that signed its certificate.
fn tls() -> &'static (TlsAcceptor, String) {
    static TLS: OnceLock<(TlsAcceptor, String)> = OnceLock::new();
    TLS.get_or_init(|| {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([SERVER.to_string()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        (TlsAcceptor::from(Arc::new(config)), authority.pem())
    })
}

#[tokio::test]
async fn within_tls_a_clear_password_needs_a_verified_certificate() {
    let clear = FakeDatabase::start(play!(|peer| {
        peer = peer.greet_with_tls("mysql_native_password", tls().0.clone()).await?;
        peer.switch_to("mysql_clear_password").await?;
        peer.ok().await?;
        peer.up_to_a_query_after_login().await?;
        peer.no_such_table().await?
    }))
    .await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &tls().1).unwrap();
    let with_ca = |mode: &str| format!("?ssl-mode={mode}&ssl-ca={}", ca.display());
    for options in ["", "?ssl-mode=required"] {
        let error = plan_error(&url(&clear, options)).await;
        assert!(error.contains("the password in clear text"), "{options}: {error}");
        assert!(!clear.received(PASSWORD.as_bytes()), "{options}");
    }
    // The system does not know the authority.
    let error = plan_error(&url(&clear, "?ssl-mode=verify-identity")).await;
    assert!(error.contains("no known authority"), "{error}");
    // It is for 127.0.0.1, not for localhost.
    let named = url(&clear, &with_ca("verify-identity")).replace("127.0.0.1", "localhost");
    let error = plan_error(&named).await;
    assert!(error.contains("its certificate is for another name"), "{error}");
    assert!(!clear.received(PASSWORD.as_bytes()));
    for options in [with_ca("verify-identity"), with_ca("verify-ca"), with_ca("preferred")] {
        let error = plan_error(&url(&clear, &options)).await;
        assert!(error.contains("there is no table wp_site"), "{options}: {error}");
        assert!(clear.received(PASSWORD.as_bytes()), "{options}");
    }
}

#[tokio::test]
async fn caching_sha2_works_locally_with_a_self_made_certificate() {
    let server = FakeDatabase::start(play!(|peer| {
        peer = peer.greet_with_tls("caching_sha2_password", tls().0.clone()).await?;
        peer.send(&[1, 4]).await?;
        assert_eq!(peer.receive().await?, [PASSWORD.as_bytes(), b"\0"].concat());
        peer.ok().await?;
        peer.up_to_a_query_after_login().await?;
        peer.no_such_table().await?
    }))
    .await;
    let error = plan_error(&url(&server, "")).await;
    assert!(error.contains("there is no table wp_site"), "{error}");
}

#[tokio::test]
async fn the_error_of_an_unknown_plugin_names_it_and_the_remedy() {
    let server = FakeDatabase::start(play!(|peer| {
        peer.greet("mysql_native_password").await?;
        peer.switch_to("auth_gssapi_client").await?
    }))
    .await;
    let error = plan_error(&url(&server, "")).await;
    assert!(error.contains("auth_gssapi_client"), "{error}");
    assert!(error.contains("IDENTIFIED WITH caching_sha2_password"), "{error}");
}

#[tokio::test]
async fn a_read_is_limited_in_rows_and_bytes() {
    let huge = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.columns().await?;
        for _ in 0..u32::MAX {
            peer.send(&vec![b'x'; 0xff_ff_ff]).await?;
        }
    }))
    .await;
    let error = plan_error(&url(&huge, "")).await;
    assert!(error.contains("a row of 16 MiB or more"), "{error}");
    assert!(huge.sent() < 64 << 20, "{}", huge.sent());

    // Five values, of which the third has a megabyte or is NULL.
    let long = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.columns().await?;
        let row =
            [b"\x011\x011\xfd\x00\x00\x10".as_slice(), &vec![b'x'; 1 << 20], b"\xfb\xfb"].concat();
        for _ in 0..u32::MAX {
            peer.send(&row).await?;
        }
    }))
    .await;
    let many = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.columns().await?;
        for _ in 0..u32::MAX {
            peer.send(b"\x011\x011\xfb\xfb\xfb").await?;
        }
    }))
    .await;
    // Many columns, with names of 16 MiB each.
    let wide = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.send(&[0xfc, 0, 16]).await?;
        let name = [b"\xfd\x00\x00\xf0".as_slice(), &vec![b'x'; 0xf0 << 16]].concat();
        let column = [&COLUMN[..10], &name, &COLUMN[13..]].concat();
        for _ in 0..4096 {
            peer.send(&column).await?;
        }
    }))
    .await;
    let error = plan_error(&url(&wide, "")).await;
    assert!(error.contains("more columns than it was asked for"), "{error}");
    assert!(wide.sent() < 64 << 20, "{}", wide.sent());
    let few_but_wide = FakeDatabase::start(play!(|peer| {
        peer.up_to_a_query().await?;
        peer.send(&[5]).await?;
        let name = [b"\xfd\x00\x00\xf0".as_slice(), &vec![b'x'; 0xf0 << 16]].concat();
        let column = [&COLUMN[..10], &name, &COLUMN[13..]].concat();
        for _ in 0..5 {
            peer.send(&column).await?;
        }
    }))
    .await;
    let error = plan_error(&url(&few_but_wide, "")).await;
    assert!(error.contains("its description of a column is too long"), "{error}");

    for server in [&long, &many] {
        let (_closte, program) = with_database(&url(server, "")).await;
        let plan = program.with("CLOSTE_SYNC__WORDPRESS__MAX_ROWS", "2000").run(&["plan"]).await;
        assert_eq!(plan.status, 1, "{plan:?}");
        assert!(plan.err.contains("2000 rows or 16 MiB, by wordpress.max_rows"), "{plan:?}");
        assert!(server.sent() < 64 << 20, "{}", server.sent());
    }
    let network = Network::sqlite().await;
    network
        .sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO wp_wu_domain_mappings (blog_id, domain) SELECT 1, i || '.example' FROM n",
        )
        .await;
    let error = network.source(None).with_most_rows(1_000).read().await.unwrap_err().to_string();
    assert!(error.contains("1000 rows or 16 MiB, by wordpress.max_rows"), "{error}");
}

#[tokio::test]
async fn the_error_of_localhost_without_a_socket_shows_how_to_set_it() {
    let error = plan_error(&format!("mysql://wp:{PASSWORD}@localhost:1/wordpress")).await;
    assert!(error.contains("DB_HOST='localhost:/"), "{error}");
    assert!(error.contains("?socket=/"), "{error}");
}

/// Generates an old kind of key and certificate, and returns the server's options for them.
fn old_certificate(folder: &str, bits: u32) -> Vec<String> {
    // Without extensions, it is of X.509 version 1.
    let script = format!(
        "cd {folder} && openssl req -new -newkey rsa:{bits} -nodes -keyout key.pem -subj /CN=db -out r.csr &&
         openssl x509 -req -in r.csr -signkey key.pem -days 30 -out cert.pem"
    );
    let made = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    vec![format!("--ssl-cert={folder}/cert.pem"), format!("--ssl-key={folder}/key.pem")]
}

async fn started_with(options: Vec<String>) -> mariadb::Server {
    let start = move || {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        mariadb::Server::start(&options)
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// X.509 version 1 and 1,024 bits: it does not verify a server, but it encrypts.
#[tokio::test]
async fn an_old_certificate_is_sufficient_for_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = old_certificate(folder.path().to_str().unwrap(), 1024);
    options.push("--ssl-cipher=DEFAULT@SECLEVEL=0".to_owned());
    let server = started_with(options).await;
    let network = Network::on(&server).await;
    let user = network.url.split([':', '/']).nth(3).unwrap();
    network.sql(&format!("ALTER USER {user}@'%' REQUIRE SSL")).await;
    network.sql(&format!("ALTER USER {user}@'localhost' REQUIRE SSL")).await;
    for options in ["", "?ssl-mode=required"] {
        let url = format!("{}{options}", network.url).parse().unwrap();
        let read = Source::new(url, "wp_".parse().unwrap(), None).read().await.unwrap();
        assert_eq!((read.rows, read.tls_failed), (13, None), "{options}");
    }
    let error = plan_error(&format!("{}?ssl-mode=verify-ca", network.url)).await;
    assert!(error.contains("X.509 version 1") && error.contains("ssl-mode"), "{error}");
    let error = plan_error(&format!("{}?ssl-mode=disabled", network.url)).await;
    assert!(error.contains("does not accept this user"), "{error}");
}

#[tokio::test]
async fn if_tls_fails_the_connection_is_unencrypted_with_a_warning_unless_tls_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = old_certificate(folder.path().to_str().unwrap(), 2048);
    options.extend(
        ["--ssl-cipher=AES128-SHA", "--tls-version=TLSv1.2", "--init-connect=SET autocommit=0"]
            .map(str::to_owned),
    );
    let server = started_with(options).await;
    let network = Network::on(&server).await;
    let closte = Simulator::start(KEY).await.unwrap();
    let program = Program::new(&network, &closte);
    let daemon = program.start_daemon();
    daemon.logs("ledger.started").await;
    let reads = "SELECT variable_value FROM information_schema.global_status
                 WHERE variable_name = 'CONNECTIONS'";
    let connections = async || network.text(reads).await.parse::<u64>().unwrap();
    let before = connections().await;
    eventually("it reads repeatedly", async || connections().await > before + 20).await;
    let log = daemon.log();
    assert_eq!(log.matches("wordpress.tls_failed").count(), 1, "{log}");
    assert!(log.contains("WARN  wordpress.tls_failed"), "{log}");
    assert!(log.contains("ssl-mode=required"), "{log}");
    assert_eq!(daemon.stop().await, 0);
    let doctor = program.run(&["doctor"]).await;
    let line = doctor.out.lines().find(|line| line.contains(" database ")).unwrap();
    assert!(line.starts_with("warning") && line.contains("no secure cipher"), "{line}");

    let error = plan_error(&format!("{}?ssl-mode=required", network.url)).await;
    assert!(error.contains("TLS fails") && error.contains("ssl-mode"), "{error}");
    let plain = network.socket_url();
    for url in [plain, format!("{}?ssl-mode=disabled", network.url)] {
        let source = Source::new(url.parse().unwrap(), "wp_".parse().unwrap(), None);
        assert_eq!(source.read().await.unwrap().tls_failed, None);
    }

    // The server disables autocommit for every user that is no administrator.
    let database = network.url.rsplit_once('/').unwrap().1;
    let user = network.url.split([':', '/']).nth(3).unwrap();
    network.sql(&format!("GRANT INSERT ON {database}.* TO {user}@'%', {user}@'localhost'")).await;
    let source = network.source(None);
    let read = source.read().await.unwrap();
    assert_eq!(source.create_records(&read, &fitting(&read)).await.unwrap(), [4]);
    assert_eq!(network.number("SELECT COUNT(*) FROM wp_wu_domain_mappings").await, 14);
}

#[tokio::test]
async fn a_prefix_may_look_like_a_number() {
    for network in [Network::mariadb().await, Network::sqlite().await] {
        for table in ["site", "blogs", "sitemeta", "wu_domain_mappings", "wu_forms"] {
            network.sql(&format!("ALTER TABLE wp_{table} RENAME TO `1e5_{table}`")).await;
        }
        let source = Source::new(network.url.parse().unwrap(), "1e5_".parse().unwrap(), None);
        let read = source.read().await.unwrap();
        assert_eq!((read.rows, fitting(&read).len()), (13, 1));
        if network.url.starts_with("mysql") {
            let error = source.check_insert().await.unwrap_err().to_string();
            let (_, grant) = error.split_once("run: ").unwrap();
            let (grant, _) = grant.split_once(" (or").unwrap();
            assert!(grant.contains("`.`1e5_wu_domain_mappings` TO"), "{grant}");
            network.sql(grant).await;
        }
        assert_eq!(source.create_records(&read, &fitting(&read)).await.unwrap(), [4]);
    }
}
