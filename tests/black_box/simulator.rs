//! The practice Closte answers the plugin and Closte's own mu-plugin as the real one does.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use closte_sync::simulator::{Call, Simulator};
use serde_json::{Value, json};

/// Sends a request as PHP's cURL does, and returns the status and the JSON of the answer.
async fn send(closte: &Simulator, method: &str, path: &str, body: &str) -> (u16, Value) {
    let base = closte.base_url();
    let address = base.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let request = format!(
        "{method} /api/client/{path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\
         User-Agent: WP-Ultimo-Closte-Integration/2.5\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("date: "), "{head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn it_takes_what_the_plugin_sends() {
    let closte = Simulator::start("KEY").await.unwrap();
    let ok = (200, json!({"success": true}));
    for (path, body) in [
        ("adddomainalias", "apikey=KEY&domain=joes-shop.example&wildcard=0"),
        ("ssl/install", "apikey=KEY&domain=joes-shop.example&type=letsencrypt"),
        ("installssl", "apikey=KEY&domain=joes-shop.example&type=letsencrypt"),
        ("ssl", "apikey=KEY&domain=joes-shop.example&type=letsencrypt"),
        ("certificate/install", "apikey=KEY&domain=joes-shop.example&type=letsencrypt"),
        ("ssl/status", "apikey=KEY&domain=joes-shop.example"),
        ("adddomainalias", "apikey=KEY&domain=%2A.stores.example&wildcard=1"),
        ("adddomainalias", "apikey=KEY&domain=mu-plugin.example&wildcard="),
        ("deletedomainalias", "apikey=KEY&domain=joes-shop.example&wildcard=0"),
    ] {
        assert_eq!(send(&closte, "POST", path, body).await, ok, "{path} {body}");
    }
    assert_eq!(closte.domains(), ["*.stores.example", "mu-plugin.example"]);

    let key_accepted = json!({"success": false, "error": "Invalid or empty domain: "});
    assert_eq!(send(&closte, "POST", "adddomainalias", "apikey=KEY").await, (200, key_accepted));
    let list = json!({"success": true, "domains": ["*.stores.example", "mu-plugin.example"]});
    assert_eq!(send(&closte, "GET", "getdomains?apikey=KEY", "").await, (200, list));
    assert_eq!(closte.count(Call::Certificate), 5);
}

#[tokio::test]
async fn it_accepts_no_other_key_and_refuses_what_it_was_told_to() {
    let closte = Simulator::start("KEY").await.unwrap();
    closte.refuse("app.closte.example");
    let (_, answer) = send(&closte, "GET", "getdomains?apikey=WRONG", "").await;
    assert_eq!(answer["success"], json!(false));
    let (_, answer) =
        send(&closte, "POST", "adddomainalias", "apikey=WRONG&domain=a.example").await;
    assert_eq!(answer["success"], json!(false));
    let refused = "apikey=KEY&domain=app.closte.example&wildcard=0";
    let (_, answer) = send(&closte, "POST", "adddomainalias", refused).await;
    let error = json!({"success": false, "error": "Invalid or empty domain: app.closte.example"});
    assert_eq!(answer, error);
    assert_eq!(closte.domains(), Vec::<String>::new());
    assert_eq!(send(&closte, "GET", "no-such-call", "").await.0, 404);
}
