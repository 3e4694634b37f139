use serde_json::{Value, json};

use super::*;
use crate::notify::message::{Change, Group, Item, MessageKind};

const HOSTILE: &str = "<!channel> @everyone *b* [x](https://x.example) \u{202e}`\n<b>&amp;";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn group(change: Change, event: &str, count: usize, advice: &str) -> Group {
    let until = (change == Change::Over).then(|| at(300));
    let item = |number: usize| {
        let detail = json!({ "advice": advice });
        Item::new(&format!("d{number}.example"), at(0), until, &detail)
    };
    Group::new(change, event, count, (0..count.min(10)).map(item).collect())
}

fn message(groups: Vec<Group>) -> Message {
    Message::new(MessageKind::Notice, groups, 0, at(300))
}

fn kinds() -> [TargetKind; 5] {
    let url = || "https://hooks.example/services/T0/B0/abc".parse::<SecretUrl>().unwrap();
    [
        TargetKind::Slack { url: url() },
        TargetKind::Discord { url: url() },
        TargetKind::Teams { url: url() },
        TargetKind::Ntfy { url: url(), token: None },
        TargetKind::Webhook { url: url(), key: None },
    ]
}

fn body(kind: &TargetKind, message: &Message) -> Value {
    let Rendered::Call(post) = kind.render("ops", message, at(300)) else { panic!("{kind:?}") };
    serde_json::from_str(&post.body).unwrap()
}

/// All texts in a JSON value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_kind_names_ten_and_counts_the_others() {
    let message = message(vec![
        group(Change::New, "domain.needs_attention", 47, "Add the A record."),
        group(Change::Over, "site.broke", 1, ""),
    ]);
    for kind in &kinds()[..4] {
        let body = body(kind, &message);
        let all = texts(&body).join("\n");
        for part in ["d0.example", "d9.example", "and 37 more", "Add the A record.", "after 5m"] {
            assert!(all.contains(part), "{}: {part}: {body:#}", kind.as_str());
        }
        assert!(!all.contains("d10.example"), "{body}");
    }
}

#[test]
fn every_kind_has_its_own_form() {
    let message = message(vec![group(Change::New, "dns.broke", 1, "Add the A record.")]);
    let [slack, discord, teams, ntfy, _] = kinds().map(|kind| body(&kind, &message));
    assert_eq!(slack["text"], "d0.example: the DNS is no longer right");
    assert_eq!(slack["blocks"][0]["type"], "header");
    let section = slack["blocks"][1]["text"]["text"].as_str().unwrap();
    let date = "<!date^1800000000^{date_short_pretty} {time}|2027-01-15T08:00:00Z>";
    assert!(section.contains(&format!("• `d0.example` since {date}: Add")), "{section}");
    assert_eq!(discord["allowed_mentions"]["parse"], json!([]));
    assert_eq!(discord["embeds"][0]["color"], 0x00f5_7c00);
    assert!(
        texts(&discord["embeds"]).join("").contains("since <t:1800000000:f> (<t:1800000000:R>)")
    );
    let card = &teams["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(
        (&card["content"]["type"], &card["content"]["version"]),
        (&json!("AdaptiveCard"), &json!("1.4"))
    );
    assert_eq!(card["content"]["body"][1]["style"], "warning");
    assert_eq!((&ntfy["topic"], &ntfy["click"]), (&json!("abc"), &json!("https://d0.example/")));
}

#[test]
fn foreign_text_is_no_markup() {
    let message = message(vec![group(Change::New, "dns.broke", 1, HOSTILE)]);
    for kind in kinds() {
        let body = body(&kind, &message);
        let all = texts(&body).join("\n");
        match kind {
            TargetKind::Slack { .. } => assert!(all.contains("&lt;!channel&gt;"), "{all}"),
            TargetKind::Discord { .. } => {
                assert!(all.contains("\\@everyone \\*b\\* \\[x\\]\\(https"), "{all}");
            }
            TargetKind::Teams { .. } => {
                let blocks = body["attachments"][0]["content"]["body"].to_string();
                assert!(!blocks.contains("\"TextBlock\""), "its text has markup: {blocks}");
            }
            TargetKind::Ntfy { .. } | TargetKind::Webhook { .. } | TargetKind::Email(_) => {}
        }
        if !matches!(kind, TargetKind::Webhook { .. }) {
            assert!(!all.contains('\u{202e}'), "{}: {all}", kind.as_str());
        }
    }
}

#[test]
fn nothing_is_longer_than_its_kind_allows() {
    let events = ["dns.broke", "certificate.broke", "site.broke", "domain.refused", "row.invalid"];
    let long = "ö & <b> ".repeat(200);
    let groups = |change| events.map(|event| group(change, event, 1_000, &long));
    let all = [Change::New, Change::Still, Change::Over].into_iter().flat_map(groups).collect();
    let message = message(all);
    let [slack, discord, teams, ntfy, _] = kinds().map(|kind| body(&kind, &message));
    for block in slack["blocks"].as_array().unwrap() {
        assert!(block["text"]["text"].as_str().unwrap().chars().count() <= 3_000);
    }
    let embeds = discord["embeds"].as_array().unwrap();
    let total: usize = embeds.iter().flat_map(texts).map(|text| text.chars().count()).sum();
    assert!(embeds.len() <= 10 && total <= 6_000, "{} {total}", embeds.len());
    assert!(discord["content"].as_str().unwrap().ends_with("and 5 more kinds of trouble"));
    assert!(teams.to_string().len() <= 28_000);
    assert!(ntfy["message"].as_str().unwrap().len() <= 4_096);
    for kind in [&slack, &discord, &teams, &ntfy] {
        assert!(texts(kind).join("").contains("more"), "{kind}");
    }
}
