//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>, as blocks.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Post;
use crate::{
    escape::escape_line,
    notify::{
        config::SecretUrl,
        message::{Group, Item, Message, Urgency, cut},
    },
};

/// The longest text of a section, in characters.
const LONGEST_SECTION: usize = 3_000;
/// The longest header, in characters.
const LONGEST_HEADER: usize = 150;

pub(super) fn render(url: &SecretUrl, message: &Message) -> Post {
    let fits = |message: &Message| {
        message.groups.iter().all(|group| section(group).chars().count() <= LONGEST_SECTION)
    };
    let message = message.shortened_until(fits);
    let header = json!({
        "type": "header",
        "text": { "type": "plain_text", "text": cut(&message.title, LONGEST_HEADER) },
    });
    let sections = message.groups.iter().map(|group| text_block(&section(group)));
    let notes = message.notes();
    let notes = notes.iter().map(|note| text_block(&escape(note)));
    let blocks: Vec<Value> = [header].into_iter().chain(sections).chain(notes).collect();
    // The text is for the notification on a phone.
    Post::json(
        url.expose().clone(),
        json!({ "text": escape(&message.title), "blocks": blocks }).to_string(),
    )
}

fn text_block(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(text, LONGEST_SECTION) } })
}

fn section(group: &Group) -> String {
    let sign = match group.urgency() {
        Urgency::Error => ":rotating_light:",
        Urgency::Warning => ":warning:",
        Urgency::Info => ":information_source:",
        Urgency::Good => ":white_check_mark:",
    };
    let lines = group.items.iter().map(line).chain(group.more());
    let heading = format!("{sign} *{}*", escape(&group.heading()));
    [heading]
        .into_iter()
        .chain(lines.map(|line| format!("• {line}")))
        .collect::<Vec<_>>()
        .join("\n")
}

fn line(item: &Item) -> String {
    let time = item.lasted().unwrap_or_else(|| format!("since {}", date(item.since)));
    let advice = item.advice.as_ref().map(|advice| format!(": {}", escape(&escape_line(advice))));
    let subject = escape(&escape_line(&item.subject)).replace('`', "'");
    let subject = if subject.is_empty() { subject } else { format!("`{subject}` ") };
    format!("{subject}{time}{}", advice.unwrap_or_default())
}

/// In the reader's time zone.
fn date(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{at:.0}>", at.as_second())
}

/// What Slack would take for markup of links and mentions.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
