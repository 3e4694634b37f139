//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>, as embeds.

use serde_json::{Value, json};

use super::Post;
use crate::{
    escape::escape_line,
    notify::{
        config::SecretUrl,
        message::{Group, Item, Message, Urgency, cut},
    },
};

/// The longest content, title and description, and all texts of all embeds, in characters.
const LONGEST_CONTENT: usize = 2_000;
const LONGEST_TITLE: usize = 256;
const LONGEST_DESCRIPTION: usize = 4_096;
const LONGEST_TOTAL: usize = 6_000;
/// The most embeds.
const MOST_EMBEDS: usize = 10;

pub(super) fn render(url: &SecretUrl, message: &Message) -> Post {
    let fits = |message: &Message| {
        let lengths = message.groups.iter().map(|group| description(group).chars().count());
        let total: usize = lengths.clone().map(|length| length + LONGEST_TITLE).sum();
        lengths.max().unwrap_or_default() <= LONGEST_DESCRIPTION && total <= LONGEST_TOTAL
    };
    let message = message.shortened_until(fits);
    let more = message.groups.len().saturating_sub(MOST_EMBEDS);
    let more = (more > 0).then(|| format!("and {more} more kinds of trouble"));
    let notes = message.notes().into_iter().map(|note| escape(&note));
    let content = [escape(&message.title)].into_iter().chain(notes).chain(more);
    let body = json!({
        "username": "closte-sync",
        "content": cut(&content.collect::<Vec<_>>().join("\n"), LONGEST_CONTENT),
        "allowed_mentions": { "parse": [] },
        "embeds": message.groups.iter().take(MOST_EMBEDS).map(embed).collect::<Vec<_>>(),
    });
    Post::json(url.expose().clone(), body.to_string())
}

fn embed(group: &Group) -> Value {
    let color = match group.urgency() {
        Urgency::Error => 0x00d3_2f2f,
        Urgency::Warning => 0x00f5_7c00,
        Urgency::Info => 0x0019_76d2,
        Urgency::Good => 0x0038_8e3c,
    };
    json!({
        "title": cut(&group.heading(), LONGEST_TITLE),
        "description": cut(&description(group), LONGEST_DESCRIPTION),
        "color": color,
    })
}

fn description(group: &Group) -> String {
    let lines = group.items.iter().map(line).chain(group.more());
    lines.map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
}

fn line(item: &Item) -> String {
    // In the reader's time zone, and how long ago.
    let at = item.since.as_second();
    let time = item.lasted().unwrap_or_else(|| format!("since <t:{at}:f> (<t:{at}:R>)"));
    let advice = item.advice.as_ref().map(|advice| format!(": {}", escape(&escape_line(advice))));
    let subject = escape_line(&item.subject).replace('`', "'");
    let subject = if subject.is_empty() { subject } else { format!("`{subject}` ") };
    format!("{subject}{time}{}", advice.unwrap_or_default())
}

/// What Discord would take for markup.
fn escape(text: &str) -> String {
    let is_markup = |c| "\\*_~`|<>#[]()@".contains(c);
    text.chars().flat_map(|c| is_markup(c).then_some('\\').into_iter().chain([c])).collect()
}
