//! What a target is told, before it takes the form that the target's kind has. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::topics;
use crate::{
    escape::escape_line,
    span::{between, span},
};

/// The most names of a group.
pub(super) const MOST_NAMES: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same each time that the message is sent.
    pub id: String,
    pub at: Timestamp,
    pub kind: MessageKind,
    pub title: String,
    pub groups: Vec<Group>,
    /// How many troubles came and went while no message could be sent, because there were so many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    Notice,
    /// The first one: all that stands.
    Digest,
    /// Of `closte-sync notify --test`.
    Test,
}

/// The troubles of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub change: Change,
    /// The event's name.
    pub event: String,
    pub level: String,
    pub summary: String,
    pub count: usize,
    /// The first of them.
    pub items: Vec<Item>,
}

/// In the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    New,
    Still,
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// A domain, a row such as `row 17`, or empty.
    pub subject: String,
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What its owner is told, in `notify.language`; none where a visitor notices nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// The longest advice in characters.
const LONGEST_ADVICE: usize = 500;

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    Good,
    Info,
    Warning,
    Error,
}

/// The text, at most this many characters long.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most.saturating_sub(1)) {
        Some((end, last)) if end + last.len_utf8() < text.len() => {
            format!("{}…", text.get(..end).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Message {
    pub(super) fn new(kind: MessageKind, groups: Vec<Group>, left_out: u64, at: Timestamp) -> Self {
        let id = format!("{:032x}", rand::random::<u128>());
        let title = match kind {
            MessageKind::Test => "closte-sync: this is a test".to_owned(),
            MessageKind::Digest => format!("closte-sync, from now on: {}", title(&groups)),
            MessageKind::Notice => title(&groups),
        };
        Self { id, at, kind, title, groups, left_out }
    }

    pub(super) fn urgency(&self) -> Urgency {
        self.groups.iter().map(Group::urgency).max().unwrap_or(Urgency::Info)
    }

    /// The only domain that it is about, if there is only one.
    pub(super) fn domain(&self) -> Option<&str> {
        let mut subjects = self.groups.iter().flat_map(|group| &group.items);
        let first = subjects.next()?.subject.as_str();
        let is_only = subjects.all(|item| item.subject == first);
        let is_whole = self.groups.iter().all(|group| group.count == group.items.len());
        (is_only && is_whole && first.contains('.')).then_some(first)
    }

    /// What is said besides the groups.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.kind == MessageKind::Test {
            notes.push("Notifications arrive here. Nothing is wrong.".to_owned());
        }
        // With several domains that would be long; the status page has it for each.
        let items = self.groups.iter().flat_map(|group| &group.items);
        let customer = items.filter_map(|item| item.customer.as_ref()).next();
        if let Some(customer) = customer.filter(|_| self.domain().is_some()) {
            notes.push(format!("For the customer: {}", escape_line(customer)));
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} came and went meanwhile: at most 30 messages are sent in an hour.",
                number(self.left_out, "other trouble", "other troubles")
            ));
        }
        notes
    }

    /// With fewer names, until it fits or has none.
    pub(super) fn shortened_until(&self, fits: impl Fn(&Self) -> bool) -> Self {
        let mut message = self.clone();
        for names in [MOST_NAMES, 5, 2, 1, 0] {
            message.groups.iter_mut().for_each(|group| group.items.truncate(names));
            if fits(&message) {
                break;
            }
        }
        message
    }

    /// The whole text, without markup.
    pub(super) fn text(&self) -> String {
        let groups = self.groups.iter().map(|group| {
            let lines = group.items.iter().map(|item| item.line(self.at));
            let lines = lines.chain(group.more()).map(|line| format!("- {line}"));
            let lines: Vec<String> = lines.collect();
            format!("{}\n{}", group.heading(), lines.join("\n"))
        });
        groups.chain(self.notes()).collect::<Vec<_>>().join("\n\n")
    }
}

impl Group {
    pub(super) fn urgency(&self) -> Urgency {
        match (self.change, self.level.as_str()) {
            (Change::Over, _) => Urgency::Good,
            (_, "ERROR") => Urgency::Error,
            (_, "WARN") => Urgency::Warning,
            _ => Urgency::Info,
        }
    }

    pub(super) fn heading(&self) -> String {
        let change = match self.change {
            Change::New => "",
            Change::Still => "Still: ",
            Change::Over => "Over: ",
        };
        let count = if self.count > 1 { format!(" ({})", self.count) } else { String::new() };
        format!("{change}{}{count}", self.summary)
    }

    /// How many are not named.
    pub(super) fn more(&self) -> Option<String> {
        let more = self.count.saturating_sub(self.items.len());
        (more > 0).then(|| format!("and {more} more"))
    }
}

impl Item {
    /// How long it lasted, once it is over.
    pub(super) fn lasted(&self) -> Option<String> {
        self.until.map(|until| format!("after {}", span(coarse(self.since, until))))
    }

    /// How long it has lasted, or lasted.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let since = format!("since {:.0}", self.since);
        match self.lasted() {
            Some(lasted) => lasted,
            None if between(self.since, at).as_secs() < 60 => since,
            None => format!("{since}, for {}", span(coarse(self.since, at))),
        }
    }

    /// One line of plain text.
    pub(super) fn line(&self, at: Timestamp) -> String {
        let time = self.time(at);
        let subject = escape_line(&self.subject);
        let time = if subject.is_empty() { time } else { format!("{subject}, {time}") };
        match &self.advice {
            Some(advice) => format!("{time}: {}", escape_line(advice)),
            None => time,
        }
    }
}

/// In whole minutes from a minute on.
fn coarse(from: Timestamp, to: Timestamp) -> std::time::Duration {
    let seconds = between(from, to).as_secs();
    std::time::Duration::from_secs(if seconds < 60 { seconds } else { seconds / 60 * 60 })
}

/// `1 domain`, `3 domains`.
fn number(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

fn title(groups: &[Group]) -> String {
    match groups {
        [] => "closte-sync".to_owned(),
        [group] => {
            let what = group.heading_without_count();
            match group.items.as_slice() {
                [item] if group.count == 1 && !item.subject.is_empty() => {
                    format!("{}: {what}", escape_line(&item.subject))
                }
                _ if group.count == 1 => format!("closte-sync: {what}"),
                _ => format!("{}: {what}", number(group.count as u64, "trouble", "domains")),
            }
        }
        groups => {
            let count = |change| {
                let of_change = groups.iter().filter(|group| group.change == change);
                of_change.map(|group| group.count as u64).sum::<u64>()
            };
            let part = |change, word: &str| match count(change) {
                0 => None,
                count => Some(format!("{count} {word}")),
            };
            let parts = [
                part(Change::New, "new"),
                part(Change::Still, "still there"),
                part(Change::Over, "over"),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("closte-sync: troubles: {}", parts.join(", "))
        }
    }
}

impl Group {
    fn heading_without_count(&self) -> String {
        Self { count: 1, ..self.clone() }.heading()
    }

    /// The group of some troubles of one event; `items` are the first of `count`.
    pub(super) fn new(change: Change, event: &str, count: usize, items: Vec<Item>) -> Self {
        Self {
            change,
            event: event.to_owned(),
            level: topics::level(event).unwrap_or("INFO").to_owned(),
            summary: topics::summary(event).to_owned(),
            count,
            items,
        }
    }
}

impl Item {
    pub(super) fn new(
        subject: &str,
        since: Timestamp,
        until: Option<Timestamp>,
        detail: &Value,
    ) -> Self {
        let advice = topics::advice(detail).filter(|_| until.is_none());
        let advice = advice.map(|advice| cut(&advice, LONGEST_ADVICE));
        Self { subject: subject.to_owned(), since, until, advice, customer: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn broke(names: &[&str], count: usize) -> Group {
        let detail = json!({ "verdict": "no-such-name", "advice": "Add the A record." });
        let items = names.iter().map(|name| Item::new(name, at(0), None, &detail));
        Group::new(Change::New, "dns.broke", count, items.collect())
    }

    #[test]
    fn one_domain_is_the_title() {
        let message = Message::new(MessageKind::Notice, vec![broke(&["a.example"], 1)], 0, at(120));
        assert_eq!(message.title, "a.example: the DNS is no longer right");
        assert_eq!(message.domain(), Some("a.example"));
        assert_eq!(
            message.text(),
            "the DNS is no longer right\n- a.example, since 2027-01-15T08:00:00Z, for 2m: Add the A record."
        );
    }

    #[test]
    fn many_are_counted_and_ten_named() {
        let names = ["a.example", "b.example"];
        let message = Message::new(MessageKind::Notice, vec![broke(&names, 39)], 2, at(0));
        assert_eq!(message.title, "39 domains: the DNS is no longer right");
        assert_eq!(message.domain(), None);
        assert!(message.text().contains("- and 37 more"), "{}", message.text());
        assert!(message.text().ends_with(
            "2 other troubles came and went meanwhile: at most 30 messages are sent in an hour."
        ));
        let over = Item::new("c.example", at(0), Some(at(3_700)), &json!({}));
        let over = Group::new(Change::Over, "site.broke", 1, vec![over]);
        let message = Message::new(MessageKind::Notice, vec![broke(&names, 2), over], 0, at(0));
        assert_eq!(message.title, "closte-sync: troubles: 2 new, 1 over");
        assert!(
            message.text().contains("Over: visitors do not get the site\n- c.example, after 1h 1m")
        );
    }

    #[test]
    fn the_customers_sentence_is_told_of_one_domain() {
        let mut one = broke(&["a.example"], 1);
        one.items[0].customer = Some("Please log in.\u{202e}".to_owned());
        let of_one = Message::new(MessageKind::Notice, vec![one.clone()], 0, at(0));
        assert!(of_one.text().ends_with("\n\nFor the customer: Please log in.\\u{202e}"));
        let two = Message::new(MessageKind::Notice, vec![one, broke(&["b.example"], 1)], 0, at(0));
        assert!(!two.text().contains("customer"), "{}", two.text());
    }

    #[test]
    fn foreign_text_stays_on_its_line() {
        let detail = json!({ "value": "x", "reason": "a\n- b.example\u{202e}" });
        let item = Item::new("row 7", at(0), None, &detail);
        let message = Message::new(
            MessageKind::Notice,
            vec![Group::new(Change::New, "row.invalid", 1, vec![item])],
            0,
            at(0),
        );
        assert_eq!(message.text().lines().count(), 2, "{}", message.text());
        assert!(!message.text().contains('\u{202e}'));
    }
}
