//! What is told again, and how much at most.

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::{Network, Program, Receiver, ends};

/// A network with a domain that Closte refuses, and a program that tells a receiver of it.
async fn telling() -> (Network, closte_sync::simulator::Simulator, Receiver, Program) {
    let (network, closte, program) = ends(&["a.example"]).await;
    ["a.example", "b.example", "c.example"].iter().for_each(|name| closte.refuse(name));
    let receiver = Receiver::start().await;
    let target = format!(r#"[{{name = "hook", kind = "webhook", url = "{}"}}]"#, receiver.url("/"));
    let program = program.with("CLOSTE_SYNC__NOTIFY__TARGETS", &target);
    (network, closte, receiver, program)
}

/// Runs everything once. Returns what the receiver was told meanwhile.
async fn told(program: &Program, receiver: &Receiver) -> Vec<Value> {
    let before = receiver.accepted().len();
    let run = program.run(&["apply", "--check", "--quiet"]).await;
    assert!(run.status != 1, "{run:?}");
    receiver.accepted()[before..].iter().map(|one| one.json()).collect()
}

/// Each message as its changes, events and subjects.
fn lines(messages: &[Value]) -> Vec<String> {
    let groups = messages.iter().flat_map(|one| one["groups"].as_array().unwrap());
    let line = |group: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = group["items"].as_array().unwrap().iter();
        let subjects: Vec<String> = items.map(|item| text(&item["subject"])).collect();
        format!("{} {} {}", text(&group["change"]), text(&group["event"]), subjects.join(", "))
    };
    groups.map(line).collect()
}

async fn state(program: &Program) -> SqliteConnection {
    SqliteConnectOptions::new().filename(program.state_path()).connect().await.unwrap()
}

#[tokio::test]
async fn what_stands_is_told_again_after_a_day() {
    let (network, _closte, receiver, program) = telling().await;
    let first = told(&program, &receiver).await;
    assert_eq!(lines(&first), ["new domain.refused a.example"]);
    let age = async |hours: i64| {
        let ago = hours * 60 * 60 * 1_000;
        let query = sqlx::query("UPDATE told SET at = at - ?").bind(ago);
        query.execute(&mut state(&program).await).await.unwrap();
    };
    age(23).await;
    network.map("b.example").await;
    let second = told(&program, &receiver).await;
    assert_eq!(lines(&second), ["new domain.refused b.example"], "the day is not over");
    age(2).await;
    let third = told(&program, &receiver).await;
    assert_eq!(lines(&third), ["still domain.refused a.example"]);
    assert_eq!(told(&program, &receiver).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_target_gets_thirty_messages_an_hour_and_learns_what_was_left_out() {
    let (network, _closte, receiver, program) = telling().await;
    assert_eq!(told(&program, &receiver).await.len(), 1);
    // As if so many had left so long ago.
    let sent = async |number: usize, minutes: i64| {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
        let query =
            sqlx::query("UPDATE notify_target SET record = json_set(record, '$.sent', json(?))");
        let query = query.bind(json!(vec![at; number]).to_string());
        query.execute(&mut state(&program).await).await.unwrap();
    };
    sent(30, 50).await;
    network.map("b.example").await;
    network.map("not a name").await;
    assert_eq!(told(&program, &receiver).await, Vec::<Value>::new(), "the hour is full");
    network.unmap("not a name").await;
    assert_eq!(told(&program, &receiver).await, Vec::<Value>::new());
    sent(30, 61).await;
    let then = told(&program, &receiver).await;
    assert_eq!(lines(&then), ["new domain.refused b.example"]);
    let text = then[0].to_string();
    assert!(text.contains(r#""left_out":1"#), "{text}");
    sent(29, 50).await;
    network.map("c.example").await;
    assert_eq!(lines(&told(&program, &receiver).await), ["new domain.refused c.example"]);
}
