//! The practice WordPress answers as WordPress 7.0.1 with plugin 2.14.2 answered.

use closte_sync::simulator::{Closed, TlsServer, WebFace, WordPress};
use reqwest::{Method, Response, header::HOST};
use serde_json::Value;

use crate::support::{Network, SERVER, client, settings_row};

const KEY: &str = "Kq7ZrXw3Tn9LmB4vYc8DfHs2";
const SECRET: &str = "Pa5WxNe6JuRk1GtQz0MiSd7o";

/// What the real one was asked, in which state, and what it answered.
const EXCHANGES: &str = include_str!("../data/exchanges.json");

/// A network with one site beside the main one, its WordPress, and the web server of both.
struct Place {
    network: Network,
    wordpress: WordPress,
    web: TlsServer,
}

impl Place {
    async fn of(network: Network) -> Self {
        network
            .sql(
                "INSERT INTO wp_site (id, domain, path) VALUES (1, 'network.example', '/');
                 INSERT INTO wp_blogs (blog_id, site_id, domain, path) VALUES
                   (1, 1, 'network.example', '/'), (2, 1, 'alpha.network.example', '/')",
            )
            .await;
        let wordpress = WordPress::open(&network.administrator_url()).unwrap();
        let web = TlsServer::start(SERVER).await.unwrap();
        web.install(wordpress.clone());
        let place = Self { network, wordpress, web };
        place.set(true, true).await;
        place
    }

    async fn set(&self, mapping: bool, api: bool) {
        let flag = |flag: bool| if flag { "1" } else { "0" };
        let fields = [
            ("enable_domain_mapping", flag(mapping)),
            ("enable_api", flag(api)),
            ("api_key", KEY),
            ("api_secret", SECRET),
        ];
        self.network.sql(&settings_row(&fields)).await;
    }

    /// With the row that the site's own domain has in a network in subdomains.
    async fn write_rows(&self, rows: &Value) {
        let own = serde_json::json!([1, 2, "alpha.network.example", 1, 0, 0, "checking-dns"]);
        let mut statements = "DELETE FROM wp_wu_domain_mappings;".to_owned();
        for row in [&own].into_iter().chain(rows.as_array().unwrap()) {
            let values: Vec<String> = row.as_array().unwrap().iter().map(literal).collect();
            statements += &format!(
                "INSERT INTO wp_wu_domain_mappings (id, blog_id, domain, active, primary_domain, secure, \
                 stage, date_created, date_modified) \
                 VALUES ({}, '2026-01-02 03:04:05', '2026-01-02 03:04:05');",
                values.join(", ")
            );
        }
        self.network.sql(&statements).await;
    }

    /// Asks as a browser does, over the port without TLS.
    async fn ask(&self, host: &str, path: &str, method: Method, accept: &str) -> Response {
        let url = format!("http://{SERVER}:{}{path}", self.web.plain_port());
        let no_redirects = reqwest::redirect::Policy::none();
        // Sees to what TLS needs.
        client();
        let client = reqwest::Client::builder().no_proxy().redirect(no_redirects).build().unwrap();
        let request = client.request(method, url).header(HOST, host).header("accept", accept);
        request.send().await.unwrap()
    }

    async fn status(&self, host: &str) -> u16 {
        self.ask(host, "/", Method::GET, "text/html").await.status().as_u16()
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

/// A client that meets the web server under every name, with TLS and without.
fn client_of(web: &TlsServer, host: &str) -> reqwest::Client {
    client();
    let root = reqwest::Certificate::from_pem(web.root_pem().as_bytes()).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_merge([root])
        .resolve(host, (SERVER, 0).into())
        .build()
        .unwrap()
}

async fn compare(place: &Place) {
    let exchanges: Vec<Value> = serde_json::from_str(EXCHANGES).unwrap();
    assert!(exchanges.len() > 90);
    let mut wrong = Vec::new();
    for exchange in &exchanges {
        if let Err(difference) = compare_one(place, exchange).await {
            wrong.push(format!("{}: {difference}", exchange["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn compare_one(place: &Place, exchange: &Value) -> Result<(), String> {
    let is = |key: &str| exchange[key].as_bool();
    place.set(is("mapping").unwrap_or(true), is("api").unwrap_or(true)).await;
    place.write_rows(&exchange["rows"]).await;
    let in_folders = is("subdirectories").unwrap_or(false);
    let (domain, path) =
        if in_folders { ("network.example", "/alpha/") } else { ("alpha.network.example", "/") };
    place
        .network
        .sql(&format!(
            "UPDATE wp_blogs SET archived = 0, spam = 0, deleted = 0;
             UPDATE wp_blogs SET domain = '{domain}', path = '{path}' WHERE blog_id = 2"
        ))
        .await;
    if let Some(gone) = exchange["gone"].as_str() {
        place.network.sql(&format!("UPDATE wp_blogs SET {gone} = 1 WHERE blog_id = 2")).await;
    }
    place.wordpress.change(|habits| {
        habits.pretty_permalinks = !is("plain").unwrap_or(false);
        habits.subdomains = !in_folders;
        habits.is_updating = is("updating").unwrap_or(false);
        habits.no_blog_redirect = exchange["no_blog_redirect"].as_str().map(str::to_owned);
        let closed = exchange["closed"].as_str().map(|closed| match closed {
            "maintenance" => Closed::Maintenance,
            "suspended" => Closed::Suspended,
            other => panic!("{other}"),
        });
        habits.closed = closed.into_iter().map(|closed| (2, closed)).collect();
    });
    let answer = send(place, &exchange["request"]).await;
    let expected = &exchange["answer"];
    let status = answer.status().as_u16();
    if expected["status"] != status {
        return Err(format!("HTTP {status}"));
    }
    for name in ["location", "x-redirect-by", "link", "retry-after", "content-type"] {
        let found = answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if found.as_deref() != expected["headers"][name].as_str() {
            return Err(format!("{name}: {found:?}"));
        }
    }
    let body = answer.text().await.unwrap();
    if let Some(json) = expected["json"].as_object() {
        let found: Value = serde_json::from_str(&body).unwrap();
        if json.iter().any(|(key, value)| found[key] != *value) {
            return Err(body);
        }
    }
    let title = expected["title"].as_str().map(|title| format!("<title>{title}</title>"));
    let home = expected["home"].as_str();
    let home = home.map(|home| format!("<link rel=\"https://api.w.org/\" href=\"{home}\""));
    if let Some(missing) = title.into_iter().chain(home).find(|text| !body.contains(text)) {
        return Err(format!("no {missing} in {body}"));
    }
    for row in exchange["rows_after"].as_array().into_iter().flatten() {
        let found = place.network.row(row[0].as_i64().unwrap()).await;
        if found != *row {
            return Err(format!("the row became {found}"));
        }
    }
    Ok(())
}

async fn send(place: &Place, request: &Value) -> Response {
    let text = |key: &str| request[key].as_str();
    let (scheme, rest) = text("url").unwrap().split_once("://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let port = if scheme == "https" { place.web.port() } else { place.web.plain_port() };
    if !place.web.shows(host) {
        place.web.show(host, closte_sync::simulator::Face::Valid(90)).unwrap();
    }
    let method: Method = text("method").unwrap().parse().unwrap();
    let url = format!("{scheme}://{host}:{port}/{path}");
    let mut sent = client_of(&place.web, host).request(method, url);
    let asked_for = request["headers"]["Host"].as_str().unwrap_or(host);
    sent = sent.header(HOST, asked_for);
    sent = match text("pair") {
        None => sent,
        Some("right") => sent.basic_auth(KEY, Some(SECRET)),
        Some(_) => sent.basic_auth("a", Some("b")),
    };
    if let Some(body) = text("body") {
        sent = sent.header("content-type", "application/json").body(body.to_owned());
    }
    sent.send().await.unwrap()
}

#[tokio::test]
async fn it_answers_as_the_real_one_on_mariadb() {
    let network = Network::empty_mariadb().await;
    network.sql(include_str!("../data/network.sql")).await;
    compare(&Place::of(network).await).await;
}

#[tokio::test]
async fn it_answers_as_the_real_one_on_sqlite() {
    compare(&Place::of(Network::sqlite_without_rows().await).await).await;
}

/// What was seen with Redis.
#[tokio::test]
async fn an_object_cache_hides_what_is_written_by_sql() {
    let place = Place::of(Network::sqlite_without_rows().await).await;
    place.wordpress.change(|habits| habits.object_cache = true);
    place.write_rows(&serde_json::json!([[3, 2, "alpha.test", 1, 0, 0, "failed"]])).await;
    assert_eq!((place.status("alpha.test").await, place.status("late.test").await), (302, 302));
    place
        .network
        .sql(
            "UPDATE wp_wu_domain_mappings SET stage = 'done' WHERE id = 3;
             INSERT INTO wp_wu_domain_mappings (id, blog_id, domain, stage) VALUES
               (4, 2, 'late.test', 'done'), (5, 2, 'new.test', 'done')",
        )
        .await;
    let statuses = async || {
        let [alpha, late, new] = ["alpha.test", "late.test", "new.test"];
        [place.status(alpha).await, place.status(late).await, place.status(new).await]
    };
    assert_eq!(statuses().await, [302, 302, 200], "the old row and its absence are remembered");
    let call = serde_json::json!({
        "method": "PUT", "url": "https://network.example/wp-json/wu/v2/domain/5", "pair": "right",
        "body": "{\"secure\": true}",
    });
    assert_eq!(send(&place, &call).await.status(), 200);
    assert_eq!(statuses().await, [200; 3], "a save empties the cache");
}

/// What was seen with Cache Enabler.
#[tokio::test]
async fn a_page_cache_goes_on_answering_and_lets_other_requests_through() {
    let place = Place::of(Network::sqlite_without_rows().await).await;
    place.wordpress.change(|habits| habits.page_cache = true);
    place.write_rows(&serde_json::json!([[3, 2, "alpha.test", 1, 0, 0, "done"]])).await;
    let front = async || place.ask("alpha.test", "/", Method::GET, "text/html").await;
    assert!(front().await.headers().contains_key("link"));
    place.network.sql("UPDATE wp_wu_domain_mappings SET stage = 'failed'").await;
    let hit = front().await;
    assert_eq!((hit.status().as_u16(), hit.headers().contains_key("link")), (200, false));
    for (path, method, accept) in [
        ("/", Method::HEAD, "text/html"),
        ("/", Method::GET, "*/*"),
        ("/?x=1", Method::GET, "text/html"),
    ] {
        let past = place.ask("alpha.test", path, method.clone(), accept).await;
        assert_eq!(past.status(), 302, "{method} {path} {accept}");
    }
}

#[tokio::test]
async fn a_host_may_have_an_answer_of_its_own_and_requests_are_kept() {
    let web = TlsServer::start(SERVER).await.unwrap();
    let challenge = closte_sync::simulator::WebAnswer::new(403, "Just a moment")
        .with("cf-mitigated", "challenge");
    web.answer("proxied.test", Some(WebFace::Answer(challenge)));
    web.answer("closing.test", Some(WebFace::Close));
    let ask = async |host: &str| {
        client();
        let url = format!("http://{SERVER}:{}/x", web.plain_port());
        reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(url)
            .header(HOST, host)
            .send()
            .await
    };
    let answer = ask("proxied.test").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers().contains_key("cf-mitigated")),
        (403, true)
    );
    assert!(ask("closing.test").await.is_err());
    assert_eq!(
        ask("any.test").await.unwrap().status(),
        200,
        "without a WordPress every host is served"
    );
    let kept: Vec<String> =
        web.requests().into_iter().map(|request| request.host + &request.path).collect();
    assert_eq!(kept, ["proxied.test/x", "closing.test/x", "any.test/x"]);
}
