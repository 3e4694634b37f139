//! The status page: who may see it, what it shows, what its buttons do; in a real browser, too.

use closte_sync::simulator::{Call, Face, Fault, Simulator, Target, WordPress};
use reqwest::{Response, StatusCode, redirect::Policy};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    sqlite::SqliteConnectOptions,
};

use crate::{
    http::{address, with_endpoint},
    support::{
        Daemon, KEY, Network, Outside, Program, browser::Browser, client, eventually, settings_row,
    },
};

const TOKEN: &str = "t0ken-of-the-page";
const RULES: &str = include_str!("../data/accessibility.js");

/// An agency's network: two domains work, a CAA record of one will stop its certificate, and three do not
/// work.
struct Agency {
    _network: Network,
    closte: Simulator,
    outside: Outside,
    program: Program,
}

const DOMAINS: [&str; 6] = [
    "bakery.example",
    "new-shop.example",
    "nowhere.example",
    "old-books.example",
    "vet.example",
    "yoga.example",
];

impl Agency {
    async fn start() -> Self {
        let network = Network::sqlite_without_rows().await;
        network
            .sql(
                "INSERT INTO wp_site (id, domain, path) VALUES (1, 'agency.example', '/');
                 INSERT INTO wp_blogs (blog_id, site_id, domain) VALUES (1, 1, 'agency.example')",
            )
            .await;
        network.sql(&settings_row(&[("enable_domain_mapping", "1")])).await;
        let outside = Outside::start().await;
        outside.tls.install(WordPress::open(&network.administrator_url()).unwrap());
        outside.point(&["agency.example"]);
        outside.tls.show("agency.example", Face::Valid(60)).unwrap();
        for (number, domain) in (2..).zip(DOMAINS) {
            network
                .sql(&format!(
                    "INSERT INTO wp_blogs (blog_id, site_id, domain)
                     VALUES ({number}, 1, 'site{number}.agency.example');
                     INSERT INTO wp_wu_domain_mappings (blog_id, domain, active, stage)
                     VALUES ({number}, '{domain}', 1, 'done')"
                ))
                .await;
            if domain != "nowhere.example" {
                outside.point(&[domain]);
            }
        }
        outside.dns.point("old-books.example", &["127.0.0.2".parse().unwrap()]);
        for domain in ["bakery.example", "vet.example"] {
            outside.tls.show(domain, Face::Valid(60)).unwrap();
        }
        outside.tls.show("yoga.example", Face::Valid(60)).unwrap();
        outside.dns.allow("yoga.example", "issue", "other-ca.example");
        outside.tls.show("new-shop.example", Face::SelfSigned).unwrap();
        let closte = Simulator::start(KEY).await.unwrap();
        let program = with_endpoint(outside.around(Program::new(&network, &closte)))
            .with("CLOSTE_SYNC__WORDPRESS__CREATE_DOMAIN_RECORDS", "false")
            // None is checked again by itself, so that what the buttons do is seen.
            .with("CLOSTE_SYNC__CHECKS__INTERVAL", "1h");
        Self { _network: network, closte, outside, program }
    }

    /// Starts the daemon, and waits until it has checked all domains.
    async fn run(&self) -> (Daemon, String) {
        let daemon = self.program.start_daemon();
        let at = address(&daemon).await;
        eventually("all are checked", async || {
            let status = self.program.run(&["status", "--json"]).await.json();
            let all = status.as_array().unwrap();
            all.len() == DOMAINS.len() && all.iter().all(|one| one["checked_at"].is_string())
        })
        .await;
        (daemon, at)
    }

    /// As if the daemon had run for weeks, at public addresses.
    async fn age(&self) {
        const DAY: i64 = 86_400_000;
        let now = jiff::Timestamp::now().as_millisecond();
        let options = SqliteConnectOptions::new().filename(self.program.state_path());
        let mut state = options.connect().await.unwrap();
        let mut sql = format!(
            "UPDATE managed SET managed_since = managed_since - 21 * {DAY},
                 present_since = present_since - 21 * {DAY} + 45000;
             UPDATE domain_status SET dns_since = dns_since - 20 * {DAY}, ssl_since = ssl_since - 20 * {DAY},
                 since = since - 20 * {DAY}, live_since = live_since - 20 * {DAY}, live_after_s = 412,
                 latest = replace(replace(replace(latest, '127.0.0.1', '203.0.113.10'), '127.0.0.2',
                     '198.51.100.7'), 'a machine''s address for itself, which visitors cannot reach',
                     'Squarespace');
             UPDATE domain_status SET dns_since = {now} - 2 * {DAY}, ssl_since = {now} - 2 * {DAY},
                 since = {now} - 2 * {DAY} WHERE domain IN ('old-books.example', 'nowhere.example');
             UPDATE domain_status SET ssl_since = {now} - 240000, since = {now} - 240000,
                 dns_since = {now} - 240000 WHERE domain = 'new-shop.example';
             UPDATE managed SET present_since = {now} - 300000 WHERE domain = 'new-shop.example';
             DELETE FROM event;"
        );
        for (hours_ago, level, event) in [
            (504, "INFO", "domain.added"),
            (503, "INFO", "dns.pending"),
            (430, "INFO", "dns.right"),
            (430, "INFO", "certificate.pending"),
            (428, "INFO", "certificate.valid"),
            (427, "INFO", "domain.live"),
            (200, "WARN", "site.broke"),
            (190, "INFO", "site.recovered"),
            (48, "WARN", "dns.broke"),
            (24, "ERROR", "domain.needs_attention"),
        ] {
            sql += &format!(
                "INSERT INTO event (at, level, name, domain, detail) VALUES ({now} - {hours_ago} * 3600000,
                     '{level}', '{event}', 'old-books.example', '{{\"blog_id\":5}}');"
            );
        }
        state.execute(AssertSqlSafe(sql)).await.unwrap();
        state.close().await.unwrap();
    }

    async fn link(&self, domain: &str, at: &str) -> String {
        let program = self.program.clone().with("CLOSTE_SYNC__HTTP__PUBLIC_URL", at);
        let link = program.run(&["link", domain]).await;
        assert_eq!(link.status, 0, "{link:?}");
        link.out.trim().to_owned()
    }
}

/// A client that follows no redirect.
fn direct() -> reqwest::Client {
    client();
    reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap()
}

async fn get(url: &str, headers: &[(&'static str, &str)]) -> Response {
    let request =
        headers.iter().fold(direct().get(url), |one, (name, value)| one.header(*name, *value));
    request.send().await.unwrap()
}

async fn post(url: &str, headers: &[(&'static str, &str)], form: &[(&str, &str)]) -> Response {
    let request =
        headers.iter().fold(direct().post(url), |one, (name, value)| one.header(*name, *value));
    request.form(form).send().await.unwrap()
}

fn header_of<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The token of the forms on a page.
fn form_token(html: &str) -> &str {
    let (_, rest) = html.split_once("name=\"token\" value=\"").unwrap();
    rest.split('"').next().unwrap()
}

#[tokio::test]
async fn without_a_token_only_this_machine_sees_the_page() {
    let agency = Agency::start().await;
    let daemon = agency.program.start_daemon();
    let at = address(&daemon).await;
    let seen = get(&at, &[]).await;
    assert_eq!(seen.status(), StatusCode::OK);
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(header_of(&seen, name), value, "{name}");
    }
    let policy = header_of(&seen, "content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    let port = at.rsplit_once(':').unwrap().1;
    let rebound = format!("status.evil.example:{port}");
    for headers in [
        [("host", rebound.as_str())],
        [("x-forwarded-for", "198.51.100.7")],
        [("forwarded", "for=198.51.100.7")],
        [("x-real-ip", "198.51.100.7")],
    ] {
        for path in ["/", "/daemon", "/domains/bakery.example"] {
            let denied = get(&format!("{at}{path}"), &headers).await;
            assert_eq!(denied.status(), StatusCode::FORBIDDEN, "{path} {headers:?}");
            assert_eq!(header_of(&denied, "x-content-type-options"), "nosniff");
            let text = denied.text().await.unwrap();
            assert!(text.contains("http.token") && !text.contains("bakery"), "{text}");
        }
    }
    // nginx passes requests on like this unless it is told otherwise.
    let by_nginx = direct().get(&at).version(reqwest::Version::HTTP_10).send().await.unwrap();
    assert_eq!(by_nginx.status(), StatusCode::FORBIDDEN);
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn with_a_token_the_page_is_for_whoever_logs_in() {
    let agency = Agency::start().await;
    let program = agency.program.clone().with("CLOSTE_SYNC__HTTP__TOKEN", TOKEN);
    let daemon = program.start_daemon();
    let at = address(&daemon).await;
    let login = format!("{at}/login");
    for path in ["/", "/daemon"] {
        let denied = get(&format!("{at}{path}"), &[]).await;
        assert_eq!(
            (denied.status(), header_of(&denied, "location")),
            (StatusCode::SEE_OTHER, "login")
        );
    }
    assert_eq!(get(&login, &[]).await.status(), StatusCode::OK);
    let crossed = [("sec-fetch-site", "cross-site")];
    let denied = post(&login, &crossed, &[("token", TOKEN)]).await;
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);

    let done = post(&login, &[], &[("token", TOKEN)]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let set = header_of(&done, "set-cookie");
    assert!(set.contains("; HttpOnly; SameSite=Strict") && !set.contains(TOKEN), "{set}");
    let cookie = [("cookie", set.split(';').next().unwrap())];
    let page = get(&at, &cookie).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(!page.contains(TOKEN), "{page}");

    // A form needs its own token, and no other site sends it.
    let (logout, token) = (format!("{at}/logout"), form_token(&page));
    for (headers, form) in [
        (vec![cookie[0]], vec![]),
        (vec![cookie[0]], vec![("token", "0")]),
        (vec![cookie[0], crossed[0]], vec![("token", token)]),
    ] {
        assert_eq!(post(&logout, &headers, &form).await.status(), StatusCode::FORBIDDEN);
    }
    let out = post(&logout, &cookie, &[("token", token)]).await;
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert!(header_of(&out, "set-cookie").contains("Max-Age=0"));

    let mut wrong = Vec::new();
    for _ in 0..4 {
        wrong.push(post(&login, &[], &[("token", "wrong")]).await.status());
    }
    assert_eq!(wrong[..3], [StatusCode::UNAUTHORIZED; 3]);
    assert_eq!(wrong[3], StatusCode::TOO_MANY_REQUESTS);
    let right = post(&login, &[], &[("token", TOKEN)]).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS, "even the right one has to wait");
    assert!(!header_of(&right, "retry-after").is_empty());
    assert!(!daemon.log().contains(TOKEN));

    // Another key ends the login.
    assert_eq!(program.run(&["link", "--rotate"]).await.status, 0);
    assert_eq!(get(&at, &cookie).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_link_shows_a_customer_one_domain() {
    let agency = Agency::start().await;
    let (daemon, at) = agency.run().await;
    let none = agency.program.run(&["link", "bakery.example"]).await;
    assert!(none.status == 1 && none.err.contains("http.public_url is not set"), "{none:?}");
    let program = agency.program.clone().with("CLOSTE_SYNC__HTTP__PUBLIC_URL", &at);
    let unknown = program.run(&["link", "other.example"]).await;
    assert!(unknown.status == 1 && unknown.err.contains("other.example"), "{unknown:?}");
    let json = program.run(&["link", "bakery.example", "--json"]).await.json();
    assert!(
        json["url"].as_str().unwrap().starts_with(&format!("{at}/d/bakery.example/")),
        "{json}"
    );

    let link = agency.link("old-books.example", &at).await;
    // As a proxy passes it on, and without a login.
    let proxied = [("x-forwarded-for", "198.51.100.7"), ("host", "status.agency.example")];
    let page = get(&link, &proxied).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header_of(&page, "x-robots-tag"), "noindex, nofollow");
    let page = page.text().await.unwrap();
    assert!(page.contains("old-books.example") && page.contains("log in"), "{page}");
    let german = get(&link, &[("accept-language", "de-AT,en;q=0.5")]).await.text().await.unwrap();
    assert!(german.contains("lang=\"de\"") && german.contains("Erneut prüfen"), "{german}");
    let configured = get(&link, &[("accept-language", "tlh")]).await.text().await.unwrap();
    assert!(configured.contains("lang=\"en\""), "notify.language: {configured}");
    for other in ["bakery", "vet.example", "agency.example", "closte-sync", "Closte", "Apply"] {
        assert!(!page.contains(other), "{other}: {page}");
    }
    for (wrong, status) in [
        (link.replace("old-books", "bakery"), StatusCode::NOT_FOUND),
        (link[..link.len() - 1].to_owned(), StatusCode::NOT_FOUND),
        (link.replace("/d/", "/domains/"), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(get(&wrong, &proxied).await.status(), status, "{wrong}");
    }
    let checked = post(&link, &proxied, &[]).await;
    assert!(header_of(&checked, "location").ends_with("?notice=checked"), "{checked:?}");
    let again = post(&link, &proxied, &[]).await;
    assert!(header_of(&again, "location").ends_with("?notice=toosoon"), "{again:?}");

    assert_eq!(program.run(&["link", "--rotate"]).await.status, 0);
    assert_eq!(get(&link, &[]).await.status(), StatusCode::NOT_FOUND, "it was rotated");
    let new = agency.link("old-books.example", &at).await;
    assert_eq!(get(&new, &[]).await.status(), StatusCode::OK);
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn the_buttons_check_and_apply_at_once() {
    let agency = Agency::start().await;
    agency.closte.fail(Target::Only(Call::Add), Fault::Status(500));
    let (daemon, at) = agency.run().await;
    let page_of = async |domain: &str| {
        get(&format!("{at}/domains/{domain}"), &[]).await.text().await.unwrap()
    };
    let page = page_of("old-books.example").await;
    assert!(page.contains("elsewhere") && page.contains("127.0.0.2"), "{page}");
    let token = form_token(&page);
    agency.outside.point(&["old-books.example"]);
    agency.outside.tls.show("old-books.example", Face::Valid(60)).unwrap();
    let check = format!("{at}/domains/old-books.example/check");
    assert_eq!(post(&check, &[], &[]).await.status(), StatusCode::FORBIDDEN);
    let done = post(&check, &[], &[("token", token)]).await;
    assert_eq!(header_of(&done, "location"), "../old-books.example?notice=checked");
    let status = agency.program.run(&["status", "old-books.example", "--json"]).await.json();
    assert_eq!(status[0]["works"], true, "{status}");
    assert_eq!(status[0]["site"]["verdict"], "served", "the check is a full one: {status}");
    let again = post(&check, &[], &[("token", token)]).await;
    assert_eq!(header_of(&again, "location"), "../old-books.example?notice=toosoon");

    let mute = format!("{at}/domains/old-books.example/mute");
    let unclear = post(&mute, &[], &[("token", token), ("lasts", "forever")]).await;
    assert_eq!(unclear.status(), StatusCode::BAD_REQUEST);
    assert_eq!(post(&mute, &[], &[("lasts", "day")]).await.status(), StatusCode::FORBIDDEN);
    let done = post(&mute, &[], &[("token", token), ("lasts", "day")]).await;
    assert_eq!(header_of(&done, "location"), "../old-books.example?notice=muted");
    assert!(page_of("old-books.example").await.contains("Nobody is told of this domain for "));
    let muted = agency.program.run(&["status", "old-books.example", "--json"]).await.json();
    assert_eq!(muted[0]["muted"]["subject"], "old-books.example", "{muted}");
    let done = post(&mute.replace("/mute", "/unmute"), &[], &[("token", token)]).await;
    assert_eq!(header_of(&done, "location"), "../old-books.example?notice=unmuted");
    let muted = agency.program.run(&["mute", "all", "--for", "2h", "--because", "a <move>"]).await;
    assert_eq!(muted.status, 0, "{muted:?}");
    for page in [page_of("vet.example").await, get(&at, &[]).await.text().await.unwrap()] {
        assert!(page.contains("Nobody is told of any domain for "), "{page}");
        assert!(page.contains("a &lt;move&gt;"), "{page}");
    }

    // The next attempt is due after a minute.
    daemon.logs("domain.add_failed domain=vet.example").await;
    agency.closte.heal();
    let refusal = "Invalid or empty domain: vet.example".to_owned();
    agency.closte.fail(Target::Only(Call::Add), Fault::Failure(refusal));
    let apply = format!("{at}/domains/vet.example/apply");
    let done = post(&apply, &[], &[("token", token)]).await;
    assert_eq!(header_of(&done, "location"), "../vet.example?notice=applied");
    daemon.logs("domain.refused domain=vet.example").await;
    agency.closte.heal();
    // It would be tried again in a week. What is asked for outlasts a cycle that fails.
    agency.closte.fail(Target::Only(Call::List), Fault::Status(500));
    post(&apply, &[], &[("token", token)]).await;
    let asked = agency.closte.count(Call::List);
    // A cycle asks three times, and one may have begun before.
    let have_failed = async || agency.closte.count(Call::List) >= asked + 7;
    eventually("two cycles have failed", have_failed).await;
    agency.closte.heal();
    daemon.logs("domain.added domain=vet.example").await;
    assert!(!daemon.log().contains("domain.added domain=bakery.example"), "{}", daemon.log());
    let missing = post(&format!("{at}/domains/no.example/apply"), &[], &[("token", token)]).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(daemon.stop().await, 0);
}

/// Checks the rules of accessibility on the open page.
async fn assert_accessible(browser: &Browser, what: &str) {
    let wrong = browser.run(RULES).await;
    assert_eq!(wrong.as_array().unwrap(), &[""; 0], "{what}");
}

/// Where pictures go, if somebody wants to see them.
fn keep(picture: &[u8], name: &str) {
    if let Ok(folder) = std::env::var("CLOSTE_SYNC_PICTURES") {
        std::fs::write(format!("{folder}/{name}.png"), picture).unwrap();
    }
}

#[tokio::test]
async fn every_page_is_accessible_on_every_screen() {
    let agency = Agency::start().await;
    let (daemon, at) = agency.run().await;
    agency.age().await;
    let link = agency.link("old-books.example", &at).await;
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        let browser = Browser::start(width, scheme).await;
        for (name, url) in [
            ("list", format!("{at}/")),
            ("none", format!("{at}/?q=nothing-like-it")),
            ("broken", format!("{at}/domains/old-books.example")),
            ("works", format!("{at}/domains/bakery.example")),
            ("missing", format!("{at}/domains/no.example")),
            ("daemon", format!("{at}/daemon")),
            ("customer", link.clone()),
        ] {
            browser.open(&url).await;
            keep(&browser.picture().await, &format!("{name}-{width}-{scheme}"));
            assert_accessible(&browser, &format!("{name}, {width}, {scheme}")).await;
        }
        browser.close().await;
    }
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_keyboard_is_enough() {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    let agency = Agency::start().await;
    let program = agency.program.clone().with("CLOSTE_SYNC__HTTP__TOKEN", TOKEN);
    let (daemon, at) = Agency { program, ..agency }.run().await;
    let browser = Browser::start(1280, "light").await;
    let focus = async || {
        let script =
            "const one = document.activeElement; return (one.innerText || one.name || '').trim()";
        browser.run(script).await.as_str().unwrap().to_owned()
    };
    let tab_to = async |what: &str| {
        for _ in 0..40 {
            browser.press(TAB).await;
            if focus().await == what {
                let seen =
                    browser.run("return getComputedStyle(document.activeElement).outlineStyle");
                assert_eq!(seen.await, "solid", "the focus is seen on {what}");
                return;
            }
        }
        panic!("the keyboard does not get to {what}");
    };
    browser.open(&at).await;
    assert_accessible(&browser, "login").await;
    // The field has the focus already.
    browser.press(&format!("wrong{ENTER}")).await;
    browser.shows("That is not the token").await;
    browser.press(&format!("{TOKEN}{ENTER}")).await;
    browser.shows("old-books.example").await;

    browser.press(TAB).await;
    assert_eq!(focus().await, "Skip to the content");
    tab_to("q").await;
    browser.press(&format!("books{ENTER}")).await;
    eventually("the search", async || browser.address().await.ends_with("?q=books")).await;
    let text = browser.text().await;
    assert!(text.contains("old-books.example") && !text.contains("bakery.example"), "{text}");
    tab_to("old-books.example").await;
    browser.press(ENTER).await;
    browser.shows("For your customer").await;
    tab_to("Check now").await;
    browser.press(ENTER).await;
    browser.shows("It was checked just now").await;
    tab_to("Log out").await;
    browser.press(ENTER).await;
    eventually("the login", async || browser.address().await.ends_with("/login")).await;
    browser.open(&format!("{at}/domains/old-books.example")).await;
    assert!(browser.address().await.ends_with("/login"));
    browser.close().await;
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_customer_checks_again_and_the_link_expires() {
    let agency = Agency::start().await;
    let (daemon, at) = agency.run().await;
    let link = agency.link("old-books.example", &at).await;
    let browser = Browser::start(360, "light").await;
    browser.open(&link).await;
    browser.shows("needs attention").await;
    agency.outside.point(&["old-books.example"]);
    agency.outside.tls.show("old-books.example", Face::Valid(60)).unwrap();
    browser.click("button").await;
    browser.shows("It was checked just now").await;
    browser.shows("old-books.example works").await;
    assert!(!browser.text().await.contains("needs attention"));
    assert_eq!(daemon.stop().await, 0);

    let clock = crate::support::FakeClock::start();
    clock.set(31 * 86_400);
    let daemon = clock.of(agency.program.clone()).start_daemon();
    let logs = daemon.log().matches("http.listening").count();
    eventually("it listens", async || {
        daemon.log().matches("http.listening").count() >= logs.max(2)
    })
    .await;
    let later = address(&daemon).await;
    browser.open(&link.replace(&at, &later)).await;
    browser.shows("This link has expired").await;
    assert_accessible(&browser, "expired").await;
    browser.close().await;
    assert_eq!(daemon.stop().await, 0);
}
