//! What Closte's answers look like, as far as anybody knows, and nothing beyond this module does.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::shape::{JsonKind, Keys, ListShape, MOST_KEYS};
use crate::{domain::DomainName, secrets};

/// The names that Closte lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Every element that is a domain name.
    pub names: HashSet<DomainName>,
    /// How many elements could not be understood: then the list is not complete.
    pub odd: usize,
    /// One of those, as it was sent, for the log.
    pub example: Option<String>,
    /// What it looks like, without what is in it.
    pub shape: ListShape,
}

impl List {
    /// Whether every element was understood, so that a name that is not in it is not at Closte.
    pub fn is_complete(&self) -> bool {
        self.odd == 0
    }
}

/// Any answer of the API.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) success: Truthy,
    error: Value,
    message: Value,
    pub(super) domains: Domains,
    /// The keys that it has, for whoever has to find out what it means.
    pub(super) keys: Keys,
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnswerVisitor)
    }
}

struct AnswerVisitor;

impl<'de> Visitor<'de> for AnswerVisitor {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    /// These keys are spelt as every known client spells them.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Answer, A::Error> {
        const KEYS: [&str; 4] = ["success", "error", "message", "domains"];
        let mut answer = Answer::default();
        let mut seen = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if let Some(known) = KEYS.into_iter().find(|known| *known == key)
                && !seen.insert(known)
            {
                return Err(A::Error::duplicate_field(known));
            }
            let kind = match key.as_str() {
                "domains" => {
                    answer.domains = fields.next_value()?;
                    answer.domains.kind()
                }
                "success" | "error" | "message" => {
                    let value: Value = fields.next_value()?;
                    let kind = JsonKind::of(&value);
                    match key.as_str() {
                        "success" => answer.success = Truthy::of(&value),
                        "error" => answer.error = value,
                        _ => answer.message = value,
                    }
                    kind
                }
                _ => fields.next_value()?,
            };
            answer.keys.add(&key, kind);
        }
        Ok(answer)
    }
}

impl Answer {
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let body = begin(body);
        if body.first().is_some_and(|byte| *byte != b'{') {
            // serde would take an array for an object without its keys, and `[1]` for success.
            return Err(serde_json::Error::custom("not a JSON object"));
        }
        serde_json::from_slice(body)
    }

    /// What Closte gave as the reason.
    pub(super) fn error_text(self) -> String {
        match [self.error, self.message].into_iter().find(|value| !value.is_null()) {
            None => format!("no reason given; the answer has {}", self.keys),
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
        }
    }
}

/// Whether the answer is HTML or XML.
pub(super) fn is_web_page(body: &[u8]) -> bool {
    begin(body).first() == Some(&b'<')
}

/// Where the answer itself begins: PHP files saved by Windows editors send a byte order mark first.
fn begin(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start()
}

/// A flag that PHP clients compare loosely.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Truthy(pub(super) bool);

impl Truthy {
    fn of(value: &Value) -> Self {
        Self(match value {
            Value::Bool(flag) => *flag,
            Value::Number(number) => number.as_i64() == Some(1),
            Value::String(text) => text == "1" || text.eq_ignore_ascii_case("true"),
            _ => false,
        })
    }
}

/// The field `domains`, whatever it holds. PHP sends an array whose keys have gaps as an object.
#[derive(Debug, Default)]
pub(super) enum Domains {
    #[default]
    Missing,
    Null,
    List(Box<List>),
    /// Neither an array nor an object.
    NoList(JsonKind),
}

impl Domains {
    fn kind(&self) -> JsonKind {
        match self {
            Self::Missing | Self::Null => JsonKind::Null,
            Self::List(list) if list.shape.is_object() => JsonKind::Object,
            Self::List(_) => JsonKind::Array,
            Self::NoList(kind) => *kind,
        }
    }
}

impl<'de> Deserialize<'de> for Domains {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DomainsVisitor)
    }
}

struct DomainsVisitor;

impl<'de> Visitor<'de> for DomainsVisitor {
    type Value = Domains;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of domains")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Domains, A::Error> {
        let mut list = List::default();
        while let Some(element) = elements.next_element::<Element>()? {
            list.take(element);
        }
        Ok(Domains::List(Box::new(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut elements: A) -> Result<Domains, A::Error> {
        let mut list = List::default();
        while let Some((key, element)) = elements.next_entry::<String, Element>()? {
            list.shape.add_key(&key);
            list.take(element);
        }
        Ok(Domains::List(Box::new(list)))
    }

    fn visit_unit<E>(self) -> Result<Domains, E> {
        Ok(Domains::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Domains, E> {
        Ok(Domains::NoList(JsonKind::Boolean))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Domains, E> {
        Ok(Domains::NoList(JsonKind::Number))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Domains, E> {
        Ok(Domains::NoList(JsonKind::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Domains, E> {
        Ok(Domains::NoList(JsonKind::Number))
    }

    fn visit_str<E>(self, _: &str) -> Result<Domains, E> {
        Ok(Domains::NoList(JsonKind::String))
    }
}

impl List {
    fn take(&mut self, element: Element) {
        self.shape.add(element.kind, &element.fields, element.other_fields);
        match element.meaning {
            Meaning::Name(name) => {
                self.names.insert(name);
            }
            Meaning::NotOurs => {}
            Meaning::Odd(example) => {
                self.odd += 1;
                self.example.get_or_insert(example);
            }
        }
    }
}

/// One element of the list.
struct Element {
    meaning: Meaning,
    kind: JsonKind,
    /// Of an object: its first keys, and how many others it has.
    fields: Vec<(String, JsonKind)>,
    other_fields: usize,
}

enum Meaning {
    Name(DomainName),
    /// A DNS name that can never be a mapped domain, such as one with an underscore.
    NotOurs,
    /// Anything else, as it was sent.
    Odd(String),
}

impl Element {
    fn new(kind: JsonKind, meaning: Meaning) -> Self {
        Self { meaning, kind, fields: Vec::new(), other_fields: 0 }
    }

    fn odd<E>(kind: JsonKind, example: impl fmt::Display) -> Result<Self, E> {
        Ok(Self::new(kind, Meaning::Odd(example.to_string())))
    }
}

impl Meaning {
    fn of_text(text: &str, wildcard: bool) -> Self {
        // The API's own rule: a flagged name is one that begins with `*.`, however it is shown.
        let parsed = if wildcard && !text.trim_start().starts_with("*.") {
            format!("*.{}", text.trim()).parse()
        } else {
            text.parse()
        };
        match parsed {
            Ok(name) => Self::Name(name),
            Err(_) if is_dns_text(text) => Self::NotOurs,
            Err(_) => Self::Odd(format!("{:?}", secrets::mask(text))),
        }
    }
}

fn is_dns_text(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'*'))
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a domain")
    }

    fn visit_str<E>(self, text: &str) -> Result<Element, E> {
        Ok(Element::new(JsonKind::String, Meaning::of_text(text, false)))
    }

    /// The name stands under one of five keys, whichever is there first in their order. Keys are told
    /// apart without regard to case; where that leaves two that disagree, neither is believed.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Element, A::Error> {
        const NAME_KEYS: [&str; 5] = ["domain", "name", "hostname", "host", "alias"];
        let mut element = Element::new(JsonKind::Object, Meaning::NotOurs);
        let mut best: Option<(usize, String)> = None;
        let mut wildcard: Option<bool> = None;
        let mut agree = true;
        while let Some(key) = fields.next_key::<String>()? {
            let rank = NAME_KEYS.iter().position(|name| key.eq_ignore_ascii_case(name));
            let kind = if let Some(rank) = rank {
                let value: Value = fields.next_value()?;
                let kind = JsonKind::of(&value);
                if let Value::String(text) = value {
                    match &best {
                        Some((known, _)) if *known < rank => {}
                        Some((known, other)) if *known == rank => {
                            agree &= other.eq_ignore_ascii_case(&text);
                        }
                        _ => best = Some((rank, text)),
                    }
                }
                kind
            } else if key.eq_ignore_ascii_case("wildcard") {
                let value: Value = fields.next_value()?;
                let Truthy(flag) = Truthy::of(&value);
                agree &= wildcard.replace(flag).is_none_or(|other| other == flag);
                JsonKind::of(&value)
            } else {
                fields.next_value()?
            };
            if element.fields.len() < MOST_KEYS {
                element.fields.push((key, kind));
            } else {
                element.other_fields += 1;
            }
        }
        element.meaning = match best {
            Some((_, text)) if agree => Meaning::of_text(&text, wildcard.unwrap_or_default()),
            _ => {
                let keys = element.fields.iter().map(|(key, _)| secrets::mask(key));
                let keys: Vec<String> = keys.collect();
                let why = if agree { "" } else { ", two of which disagree" };
                Meaning::Odd(format!("an object with the keys {keys:?}{why}"))
            }
        };
        Ok(element)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Element, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Element::odd(JsonKind::Array, "an array")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Element, E> {
        Element::odd(JsonKind::Boolean, flag)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Element, E> {
        Element::odd(JsonKind::Number, number)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Element, E> {
        Element::odd(JsonKind::Number, number)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Element, E> {
        Element::odd(JsonKind::Number, number)
    }

    fn visit_unit<E>(self) -> Result<Element, E> {
        Element::odd(JsonKind::Null, "null")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(domains: &str) -> List {
        let body = format!(r#"{{"success": true, "domains": {domains}}}"#);
        match Answer::parse(body.as_bytes()).unwrap().domains {
            Domains::List(list) => *list,
            other => panic!("{domains}: {other:?}"),
        }
    }

    fn names(list: &List) -> Vec<&str> {
        let mut names: Vec<_> = list.names.iter().map(DomainName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_plausible_element_is_understood() {
        let list = list(
            r#"["One.example", {"domain": "two.example", "id": 7, "ssl": {"state": [1]}},
                {"name": "three.example"}, {"hostname": "four.example"}, {"host": "five.example"},
                {"alias": "six.example", "wildcard": "0"},
                {"alias": "no.example", "domain": "seven.example"},
                {"domain": null, "name": "eight.example"},
                {"domain": "nine.example", "wildcard": "1"},
                {"domain": "*.ten.example", "wildcard": true}, "under_score.example", "localhost"]"#,
        );
        assert_eq!(
            names(&list),
            [
                "*.nine.example",
                "*.ten.example",
                "eight.example",
                "five.example",
                "four.example",
                "one.example",
                "seven.example",
                "six.example",
                "three.example",
                "two.example"
            ]
        );
        assert!(list.is_complete(), "{list:?}");
    }

    #[test]
    fn an_array_with_gaps_is_an_object_in_php() {
        assert_eq!(
            names(&list(r#"{"0": "a.example", "2": "b.example"}"#)),
            ["a.example", "b.example"]
        );
    }

    #[test]
    fn an_odd_element_makes_the_list_incomplete_and_hides_no_other() {
        for odd in [
            "12",
            "-1",
            "1.5",
            "null",
            "true",
            "[]",
            r#"["x.example"]"#,
            "{}",
            r#"{"id": 1}"#,
            r#"{"domain": 3}"#,
            r#""""#,
            r#""a b.example""#,
            r#""https://a.example/""#,
        ] {
            let list = list(&format!(r#"["a.example", {odd}, "b.example"]"#));
            assert_eq!(names(&list), ["a.example", "b.example"], "{odd}");
            assert_eq!(list.odd, 1, "{odd}");
            assert!(list.example.is_some());
        }
    }

    #[test]
    fn keys_are_told_apart_without_regard_to_case_and_two_that_disagree_are_not_believed() {
        let list = list(
            r#"[{"Domain": "one.example"}, {"HOST": "two.example", "WILDCARD": 1},
                {"Alias": "no.example", "domAIN": "three.example"},
                {"domain": "four.example", "Domain": "FOUR.example"},
                {"domain": "five.example", "alias": "x.example", "Alias": "y.example"},
                {"domain": null, "Domain": "six.example", "wildcard": 0, "Wildcard": "0"}]"#,
        );
        let expected = [
            "*.two.example",
            "five.example",
            "four.example",
            "one.example",
            "six.example",
            "three.example",
        ];
        assert_eq!(names(&list), expected);
        assert!(list.is_complete(), "{list:?}");
        for odd in [
            r#"{"domain": "a.example", "Domain": "b.example"}"#,
            r#"{"domain": "a.example", "domain": "b.example"}"#,
            r#"{"name": "x.example", "domain": "a.example", "DOMAIN": "b.example"}"#,
            r#"{"domain": "a.example", "wildcard": 0, "Wildcard": 1}"#,
        ] {
            let list = self::list(&format!("[{odd}]"));
            assert_eq!((list.names.len(), list.odd), (0, 1), "{odd}");
            assert!(list.example.unwrap().ends_with(", two of which disagree"), "{odd}");
        }
    }

    #[test]
    fn what_stands_twice_in_an_answer_is_not_understood() {
        for twice in [r#""domains": ["a.example"]"#, r#""success": true"#] {
            let body = format!(r#"{{"success": true, "domains": [], {twice}}}"#);
            let error = Answer::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("duplicate field"), "{error}");
        }
    }

    #[test]
    fn success_is_loose_as_in_php() {
        let success = |value: &str| {
            Answer::parse(format!(r#"{{"success": {value}}}"#).as_bytes()).unwrap().success.0
        };
        assert!(["true", "1", r#""1""#, r#""true""#].into_iter().all(success));
        assert!(!["false", "0", "null", r#""0""#, r#""""#, "[]", "2"].into_iter().any(success));
    }

    proptest! {
        #[test]
        fn any_json_list_is_read(texts in prop::collection::vec("\\PC{0,30}", 0..20)) {
            let body = serde_json::json!({"success": true, "domains": texts}).to_string();
            let Domains::List(list) = Answer::parse(body.as_bytes()).unwrap().domains else {
                panic!("{body}");
            };
            prop_assert!(list.names.len() + list.odd <= texts.len());
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::parse(&bytes);
        }
    }
}
