//! Notifications, by the real daemon and to real servers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use closte_sync::simulator::{Face, Simulator};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{
    Arrived, KEY, MailServer, MailTls, Network, Outside, Program, Receiver, Reply, ends, eventually,
};

/// The program with these targets, which are told soon.
fn telling(program: Program, targets: &[String]) -> Program {
    program
        .with("CLOSTE_SYNC__NOTIFY__TARGETS", &format!("[{}]", targets.join(", ")))
        .with("CLOSTE_SYNC__NOTIFY__GROUP_WAIT", "1s")
        .with("CLOSTE_SYNC__CHECKS__INTERVAL", "10s")
}

fn webhook(name: &str, receiver: &Receiver) -> String {
    format!(r#"{{name = "{name}", kind = "webhook", url = "{}"}}"#, receiver.url("/hook"))
}

/// A target of a kind that has only an address.
fn simple(kind: &str, receiver: &Receiver) -> String {
    format!(r#"{{name = "{kind}", kind = "{kind}", url = "{}"}}"#, receiver.url("/hook"))
}

/// The groups of a message: what changed, the event, and the subjects.
fn groups(message: &Value) -> Vec<(String, String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let groups = message["groups"].as_array().unwrap().iter();
    groups
        .map(|group| {
            let items = group["items"].as_array().unwrap().iter();
            let subjects = items.map(|item| text(&item["subject"])).collect();
            (text(&group["change"]), text(&group["event"]), subjects)
        })
        .collect()
}

fn is(change: &str, event: &str, subject: &str) -> (String, String, Vec<String>) {
    (change.to_owned(), event.to_owned(), vec![subject.to_owned()])
}

/// What a receiver accepted so far, group by group.
fn told(receiver: &Receiver) -> Vec<(String, String, Vec<String>)> {
    receiver.accepted().iter().flat_map(|arrived| groups(&arrived.json())).collect()
}

async fn messages(receiver: &Receiver, number: usize) -> Vec<Arrived> {
    eventually("the messages arrive", async || receiver.accepted().len() >= number).await;
    receiver.accepted()
}

/// The standard webhook signature of a message.
fn signature(key: &[u8], message: &Arrived) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    let (id, at) = (message.header("webhook-id"), message.header("webhook-timestamp"));
    mac.update(format!("{id}.{at}.{}", message.body).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_storm_is_one_message_to_each_target() {
    let names: Vec<String> = (0..1_000).map(|number| format!("s{number:04}.example")).collect();
    let network =
        Network::with_domains(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let closte = Simulator::start(KEY).await.unwrap();
    names.iter().for_each(|name| closte.refuse(name));
    closte.refuse("z.example");
    let (hook, phone, mute) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    mute.reply(Reply::Hang);
    let (slack, discord, teams) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let limited = r#"{"message": "You are being rate limited.", "retry_after": 2.5}"#;
    discord.reply_in_turn([Reply::Refuse(429, Vec::new(), limited.to_owned()), Reply::Accept]);
    let program = Program::new(&network, &closte);
    let secret = program.file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let targets = [
        format!(
            r#"{{name = "hook", kind = "webhook", url = "{}", secret_file = "{secret}"}}"#,
            hook.url("/hook")
        ),
        format!(
            r#"{{name = "phone", kind = "ntfy", url = "{}", token = "tk_m4rker-of-ntfy"}}"#,
            phone.url("/alerts")
        ),
        webhook("hangs", &mute),
        simple("slack", &slack),
        simple("discord", &discord),
        simple("teams", &teams),
    ];
    let daemon = telling(program, &targets).start_daemon();
    let first = messages(&hook, 1).await.remove(0);
    let message = first.json();
    let group = &message["groups"][0];
    assert_eq!((&group["event"], &group["count"]), (&json!("domain.refused"), &json!(1_000)));
    assert_eq!(group["items"].as_array().unwrap().len(), 10);
    assert_eq!(message["kind"], "digest");
    assert_eq!(first.header("webhook-id"), message["id"]);
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    assert_eq!(first.header("webhook-signature"), signature(&key, &first));

    let on_phone = messages(&phone, 1).await.remove(0);
    assert_eq!(
        (on_phone.path.as_str(), on_phone.header("authorization")),
        ("/", "Bearer tk_m4rker-of-ntfy")
    );
    let body = on_phone.json();
    assert_eq!((&body["topic"], &body["priority"]), (&json!("alerts"), &json!(5)));
    assert!(body["message"].as_str().unwrap().contains("and 990 more"), "{body}");

    let in_slack = messages(&slack, 1).await.remove(0).json();
    let text = in_slack["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(text.contains("`s0000.example`") && text.ends_with("• and 990 more"), "{in_slack}");
    let in_teams = messages(&teams, 1).await.remove(0).json();
    let card = &in_teams["attachments"][0]["content"];
    assert_eq!(
        (&card["type"], &card["body"][1]["style"]),
        (&json!("AdaptiveCard"), &json!("attention"))
    );

    // The next one has only what is new: nothing was between, and nothing is said twice.
    network.map("z.example").await;
    let second = messages(&hook, 2).await.remove(1);
    assert_eq!(groups(&second.json()), [is("new", "domain.refused", "z.example")]);
    assert!(messages(&phone, 2).await[1].body.contains("z.example: Closte refuses the domain"));
    assert_eq!((hook.arrived().len(), phone.arrived().len()), (2, 2));
    assert!(!mute.arrived().is_empty(), "it held up nobody");
    // It may have waited until there was one more.
    let in_discord = messages(&discord, 1).await.remove(0).json();
    let description = in_discord["embeds"][0]["description"].as_str().unwrap();
    let is_whole = ["and 990 more", "and 991 more"].iter().any(|end| description.ends_with(end));
    assert!(is_whole, "{description}");
    let log = daemon.log();
    assert!(log.contains("notify.delayed target=discord"), "{log}");
    assert_eq!(daemon.stop().await, 0);
    assert!(!log.contains("m4rker-of-ntfy") && !log.contains("/hook"), "{log}");
}

#[tokio::test]
async fn a_recovery_is_told_to_whom_the_trouble_was_told() {
    let outside = Outside::start().await;
    let names = ["agency.example", "a.example", "b.example", "c.example", "d.example"];
    outside.point(&names);
    names.iter().for_each(|name| outside.tls.show(name, Face::Valid(60)).unwrap());
    let (_network, _closte, program) = ends(&names[1..]).await;
    let (open, late) = (Receiver::start().await, Receiver::start().await);
    late.reply(Reply::Refuse(503, Vec::new(), "come back later".to_owned()));
    let targets = [webhook("open", &open), webhook("late", &late)];
    let program = telling(outside.around(program), &targets);
    let daemon = program.with("CLOSTE_SYNC__NOTIFY__LANGUAGE", "de").start_daemon();
    for name in &names[1..] {
        daemon.logs(&format!("domain.live domain={name}")).await;
    }
    outside.dns.forget("a.example");
    messages(&open, 1).await;
    assert_eq!(told(&open), [is("new", "dns.broke", "a.example")]);
    let item = open.accepted()[0].json()["groups"][0]["items"][0].clone();
    assert!(item["advice"].as_str().unwrap().contains("A record"), "{item}");
    assert!(item["customer"].as_str().unwrap().contains("A-Eintrag von a.example"), "{item}");
    daemon.logs("notify.delayed target=late").await;
    assert!(daemon.log().contains("it answered 503: come back later"));
    outside.point(&["a.example"]);
    messages(&open, 2).await;
    assert_eq!(told(&open)[1], is("over", "dns.broke", "a.example"));
    assert_eq!(open.accepted()[1].json()["groups"][0]["items"][0]["customer"], Value::Null);

    outside.dns.forget("b.example");
    late.reply(Reply::Accept);
    messages(&late, 1).await;
    let broke = is("new", "dns.broke", "b.example");
    assert_eq!(
        told(&late).as_slice(),
        std::slice::from_ref(&broke),
        "a works again, and it knew nothing of it"
    );
    messages(&open, 3).await;
    assert_eq!(told(&open)[2], broke);
    daemon.logs("notify.recovered target=late").await;
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn nothing_is_lost_between_the_event_and_its_delivery() {
    let (network, closte, program) = ends(&["a.example"]).await;
    closte.refuse("a.example");
    closte.refuse("b.example");
    let receiver = Receiver::start().await;
    let program = telling(program, &[webhook("hook", &receiver)]);
    let waiting = program.clone().with("CLOSTE_SYNC__NOTIFY__GROUP_WAIT", "1h");
    let daemon = waiting.start_daemon();
    daemon.logs("domain.refused domain=a.example").await;
    daemon.kill();
    assert_eq!(receiver.arrived().len(), 0);

    receiver.reply(Reply::Hang);
    let daemon = program.start_daemon();
    eventually("it leaves", async || receiver.arrived().len() == 1).await;
    daemon.kill();
    receiver.reply(Reply::Accept);
    let daemon = program.start_daemon();
    let arrived = messages(&receiver, 1).await;
    assert_eq!(groups(&arrived[0].json()), [is("new", "domain.refused", "a.example")]);
    let ids: Vec<String> =
        receiver.arrived().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, [arrived[0].header("webhook-id"); 2], "a duplicate has the same id");

    // What was told is known after a restart.
    daemon.kill();
    let daemon = program.start_daemon();
    network.map("b.example").await;
    messages(&receiver, 2).await;
    assert_eq!(told(&receiver)[1..], [is("new", "domain.refused", "b.example")]);
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn mistakes_in_targets_are_named_and_no_secret_is_shown() {
    let program = |targets: &str| {
        Program::bare()
            .with("CLOSTE_SYNC__NOTIFY__TARGETS", targets)
            .with("CLOSTE_CLIENT_API_KEY", KEY)
            .with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", "sqlite:/nowhere")
    };
    for (targets, why) in [
        ("ops", "it must be a list of tables"),
        (r#"[{kind = "webhook"}]"#, "number 1: name is not set"),
        (r#"[{name = "a b", kind = "webhook"}]"#, "name: it must be letters"),
        (r#"[{name = "ops", kind = "pager"}]"#, "ops: kind: it must be one of slack, discord, "),
        (r#"[{name = "ops", kind = "webhook"}]"#, "ops: url is not set"),
        (r#"[{name = "ops", kind = "webhook", url = "http://x.example/m4rker"}]"#, "https://"),
        (
            r#"[{name = "ops", kind = "webhook", ulr = "m4rker", url = "https://x.example/"}]"#,
            "there is no ulr; did you mean url?",
        ),
        (
            r#"[{name = "ops", kind = "webhook", url = "https://x.example/", secret = "m4rker"}]"#,
            "secret: it must have at least 16 bytes",
        ),
        (
            r#"[{name = "ops", kind = "ntfy", url = "https://x.example/t", events = ["dns.brok"]}]"#,
            r#"events: there is no event "dns.brok""#,
        ),
        (
            r#"[{name = "ops", kind = "ntfy", url = "https://x.example/t"},
                {name = "ops", kind = "ntfy", url = "https://x.example/t"}]"#,
            "number 2: another target has its name",
        ),
        (
            r#"[{name = "ops", kind = "ntfy", url_file = "/no/such/file"}]"#,
            "url_file: cannot read the file",
        ),
    ] {
        let refused = program(targets).run(&["config"]).await;
        assert!(refused.status != 0 && refused.err.contains(why), "{why}: {refused:?}");
        assert!(!refused.err.contains("m4rker"), "{refused:?}");
    }
    let good = program(
        r#"[{name = "ops", kind = "webhook", url = "https://x.example/m4rker"},
            {name = "phone", kind = "ntfy", url = "https://x.example/t", events = "domain.live"}]"#,
    );
    let shown = good.run(&["config"]).await;
    assert!(shown.out.contains("ops (webhook), phone (ntfy)"), "{shown:?}");
    assert!(!shown.out.contains("m4rker"), "{shown:?}");
}

#[tokio::test]
async fn what_is_muted_is_told_afterwards() {
    let (network, closte, program) = ends(&["b.example"]).await;
    closte.refuse("b.example");
    closte.refuse("c.example");
    let receiver = Receiver::start().await;
    let program = telling(program, &[webhook("hook", &receiver)]);
    let unknown = program.run(&["mute", "b.example", "--for", "2h"]).await;
    assert!(unknown.status == 1 && unknown.out.contains("no state database"), "{unknown:?}");
    program.run(&["apply"]).await;
    let unknown = program.run(&["mute", "x.example", "--for", "2h"]).await;
    assert!(unknown.status == 1 && unknown.err.contains("x.example is neither"), "{unknown:?}");
    let muted = program.run(&["mute", "b.example", "--for", "2h", "--because", "it moves"]).await;
    assert!(muted.status == 0 && muted.out.contains("nobody is told of b.example"), "{muted:?}");
    let status = program.run(&["status"]).await;
    assert!(status.out.contains("! b.example  muted for 1h 59m"), "{status:?}");
    assert!(status.out.contains(": it moves"), "{status:?}");
    let status = program.run(&["status", "--json"]).await.json();
    assert_eq!(status[0]["muted"]["because"], "it moves");

    let daemon = program.start_daemon();
    network.map("c.example").await;
    messages(&receiver, 1).await;
    assert_eq!(told(&receiver), [is("new", "domain.refused", "c.example")]);
    let unmuted = program.run(&["unmute", "b.example"]).await;
    assert_eq!((unmuted.status, unmuted.out.as_str()), (0, "b.example is no longer muted\n"));
    messages(&receiver, 2).await;
    assert_eq!(told(&receiver)[1], is("new", "domain.refused", "b.example"));
    let again = program.run(&["unmute", "b.example"]).await;
    assert_eq!((again.status, again.out.as_str()), (0, "b.example was not muted\n"));
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_person_can_try_the_targets() {
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    bad.reply(Reply::Refuse(404, Vec::new(), "Unknown Webhook".to_owned()));
    let (_network, _closte, program) = ends(&[]).await;
    let none = program.run(&["notify", "--test"]).await;
    assert!(none.status == 1 && none.err.contains("no target is set"), "{none:?}");
    let program = telling(program, &[simple("slack", &good), simple("discord", &bad)]);
    let tried = program.run(&["notify", "--test"]).await;
    assert_eq!(tried.status, 1, "{tried:?}");
    assert!(tried.out.contains("ok      slack (slack) it accepted the message"), "{tried:?}");
    assert!(
        tried.out.contains("FAILED  discord (discord) it answered 404: Unknown Webhook"),
        "{tried:?}"
    );
    assert!(good.arrived()[0].body.contains("Nothing is wrong"));
    let one = program.run(&["notify", "--test", "slack", "--json"]).await;
    assert_eq!((one.status, one.json()[0]["ok"].as_bool()), (0, Some(true)), "{one:?}");
    let unknown = program.run(&["notify", "--test", "ops"]).await;
    assert!(unknown.status == 1 && unknown.err.contains("no target \"ops\""), "{unknown:?}");

    let before = (good.arrived().len(), bad.arrived().len());
    let doctor = program.run(&["doctor", "--json"]).await.json();
    let found: Vec<(&Value, &str)> = doctor
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["check"] == "notify")
        .map(|one| (&one["result"], one["found"].as_str().unwrap()))
        .collect();
    let [(first, slack), (second, discord)] = found[..] else { panic!("{found:?}") };
    assert!(first == "ok" && slack.contains("only `closte-sync notify --test slack`"), "{slack}");
    assert!(second == "failed" && discord.contains("it answered 404"), "{discord}");
    let probes = (&good.arrived()[before.0..], &bad.arrived()[before.1..]);
    assert!(probes.0.iter().chain(probes.1).all(|one| one.body.is_empty()), "nothing was sent");
}

#[tokio::test]
async fn the_heartbeat_says_whether_the_last_cycle_was_good() {
    let receiver = Receiver::start().await;
    let (_network, closte, program) = ends(&["a.example"]).await;
    let program = program.with("CLOSTE_SYNC__NOTIFY__HEARTBEAT_URL", &receiver.url("/m4rker-id"));
    let daemon = program.start_daemon();
    eventually("it beats", async || !receiver.arrived().is_empty()).await;
    assert_eq!(receiver.arrived()[0].path, "/m4rker-id");
    assert_eq!(daemon.stop().await, 0);
    closte.set_key("another");
    let daemon = program.start_daemon();
    eventually("it beats", async || receiver.arrived().len() > 1).await;
    assert_eq!(receiver.arrived()[1].path, "/m4rker-id/fail");
    assert!(!daemon.log().contains("m4rker-id"));
    assert!(!program.run(&["config"]).await.out.contains("m4rker-id"));
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_mail_server_takes_mails_in_one_thread_for_each_domain() {
    let server = MailServer::start(MailTls::Always);
    let (_network, closte, program) = ends(&["a.example"]).await;
    closte.refuse("a.example");
    let target = |password: &str| {
        format!(
            r#"{{name = "mail", kind = "email", server = "{}", user = "ops", password = "{password}",
               sender = "closte-sync <alerts@agency.example>", receivers = ["ops@agency.example", "b@c.example"]}}"#,
            server.url()
        )
    };
    let program = program.with("SSL_CERT_FILE", &server.root());
    // It accepts connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_target = format!(
        r#"{{name = "mail", kind = "email", server = "smtp://{}", sender = "a@b.example", receivers = "a@b.example"}}"#,
        silent.local_addr().unwrap()
    );
    let refused = telling(program.clone(), &[silent_target]).run(&["notify", "--test"]).await;
    assert!(refused.status == 1 && refused.out.contains("stopped answering"), "{refused:?}");
    let wrong = telling(program.clone(), &[target("m4rker-other")]);
    let refused = wrong.run(&["notify", "--test"]).await;
    assert!(refused.status == 1 && refused.out.contains("535"), "{refused:?}");
    let untrusted = telling(program.clone(), &[target("m4rker-password")]).without("SSL_CERT_FILE");
    let refused = untrusted.run(&["notify", "--test"]).await;
    assert!(refused.status == 1 && refused.out.contains("certificate"), "{refused:?}");
    let program = telling(program, &[target("m4rker-password")]);
    let doctor = program.run(&["doctor"]).await;
    assert!(doctor.out.contains("the server accepts the connection and the login"), "{doctor:?}");
    assert_eq!(server.mails().len(), 0);

    let daemon = program.start_daemon();
    eventually("the mail arrives", async || !server.mails().is_empty()).await;
    let mail = server.mails().remove(0);
    assert_eq!(mail["from"], "alerts@agency.example");
    assert_eq!(mail["to"], json!(["ops@agency.example", "b@c.example"]));
    let text = mail["data"].as_str().unwrap();
    for part in [
        "List-Id: <mail.closte-sync.agency.example>",
        "Auto-Submitted: auto-generated",
        "In-Reply-To: <a.example.closte-sync@agency.example>",
        "References: <a.example.closte-sync@agency.example>",
        "multipart/alternative",
        "Closte refuses the domain",
        "<strong>a.example</strong>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!daemon.log().contains("m4rker-password"));
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn a_password_goes_only_to_a_server_that_encrypts() {
    let (_network, closte, program) = ends(&["a.example"]).await;
    closte.refuse("a.example");
    let mailing = |server: &MailServer| {
        let target = format!(
            r#"{{name = "mail", kind = "email", server = "{}", user = "ops", password = "m4rker-password",
               sender = "alerts@agency.example", receivers = "ops@agency.example"}}"#,
            server.url()
        );
        telling(program.clone().with("SSL_CERT_FILE", &server.root()), &[target])
    };
    let plain = MailServer::start(MailTls::Never);
    let refused = mailing(&plain).run(&["notify", "--test"]).await;
    assert!(refused.status == 1 && refused.out.contains("STARTTLS"), "{refused:?}");
    let doctor = mailing(&plain).run(&["doctor"]).await;
    assert!(doctor.out.contains("FAILED  notify") && doctor.out.contains("STARTTLS"), "{doctor:?}");
    assert_eq!((plain.logins(), plain.mails()), (Vec::new(), Vec::new()));

    let server = MailServer::start(MailTls::StartTls);
    let untrusted = mailing(&server).without("SSL_CERT_FILE").run(&["notify", "--test"]).await;
    assert!(untrusted.status == 1 && untrusted.out.contains("certificate"), "{untrusted:?}");
    assert_eq!(server.logins(), Vec::<bool>::new());
    let daemon = mailing(&server).start_daemon();
    eventually("the mail arrives", async || !server.mails().is_empty()).await;
    assert!(server.mails()[0]["data"].as_str().unwrap().contains("Closte refuses the domain"));
    assert!(!server.logins().is_empty() && server.logins().iter().all(|encrypted| *encrypted));
    assert_eq!(daemon.stop().await, 0);
}
