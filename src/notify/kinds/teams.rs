//! An Adaptive Card, for the workflow "Post to a channel when a webhook request is received":
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>

use serde_json::{Value, json};

use super::Post;
use crate::{
    escape::escape_line,
    notify::{
        config::SecretUrl,
        message::{Group, Item, Message, Urgency},
    },
};

/// The longest body, in bytes: Teams takes 28 KB.
const LONGEST_BODY: usize = 26_000;

pub(super) fn render(url: &SecretUrl, message: &Message) -> Post {
    let message = message.shortened_until(|message| body(message).len() <= LONGEST_BODY);
    Post::json(url.expose().clone(), body(&message))
}

fn body(message: &Message) -> String {
    let title = text(&[run(&message.title, json!({ "size": "Large", "weight": "Bolder" }))]);
    let notes = message.notes();
    let notes = notes.iter().map(|note| text(&[run(note, json!({ "isSubtle": true }))]));
    let elements: Vec<Value> = [title]
        .into_iter()
        .chain(message.groups.iter().map(|group| container(group, message)))
        .chain(notes)
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "fallbackText": message.title,
                "body": elements,
            },
        }],
    })
    .to_string()
}

fn container(group: &Group, message: &Message) -> Value {
    let style = match group.urgency() {
        Urgency::Error => "attention",
        Urgency::Warning => "warning",
        Urgency::Info => "emphasis",
        Urgency::Good => "good",
    };
    let heading = text(&[run(&group.heading(), json!({ "weight": "Bolder" }))]);
    let items = group.items.iter().map(|item| line(item, message));
    let more = group.more().map(|more| text(&[run(&more, json!({ "isSubtle": true }))]));
    let items: Vec<Value> = [heading].into_iter().chain(items).chain(more).collect();
    json!({ "type": "Container", "style": style, "bleed": true, "items": items })
}

fn line(item: &Item, message: &Message) -> Value {
    let subject = escape_line(&item.subject);
    let advice = item.advice.as_ref().map(|advice| format!(": {}", escape_line(advice)));
    let rest = format!("{}{}", item.time(message.at), advice.unwrap_or_default());
    if subject.is_empty() {
        return text(&[run(&rest, json!({}))]);
    }
    text(&[run(&format!("{subject} "), json!({ "fontType": "Monospace" })), run(&rest, json!({}))])
}

/// Text without markup, unlike that of a `TextBlock`.
fn text(runs: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

fn run(text: &str, look: Value) -> Value {
    let mut run = json!({ "type": "TextRun", "text": text });
    if let (Some(run), Value::Object(look)) = (run.as_object_mut(), look) {
        run.extend(look);
    }
    run
}
