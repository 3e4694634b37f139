//! What Closte's answers look like, as far as anybody knows, and nothing beyond this module does.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

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
}

impl List {
    /// Whether every element was understood, so that a name that is not in it is not at Closte.
    pub fn is_complete(&self) -> bool {
        self.odd == 0
    }
}

/// Any answer of the API.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) success: Truthy,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    pub(super) domains: Domains,
}

impl Answer {
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let body = begin(body);
        if body.first().is_some_and(|byte| *byte != b'{') {
            // serde would take an array for an object without its keys, and `[1]` for success.
            return Err(serde::de::Error::custom("not a JSON object"));
        }
        serde_json::from_slice(body)
    }

    /// What Closte gave as the reason.
    pub(super) fn error_text(self) -> String {
        match [self.error, self.message].into_iter().find(|value| !value.is_null()) {
            None => "no reason given".to_owned(),
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

impl<'de> Deserialize<'de> for Truthy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::Bool(flag) => flag,
            Value::Number(number) => number.as_i64() == Some(1),
            Value::String(text) => text == "1" || text.eq_ignore_ascii_case("true"),
            _ => false,
        }))
    }
}

/// The field `domains`, whatever it holds. PHP sends an array whose keys have gaps as an object.
#[derive(Debug, Default)]
pub(super) enum Domains {
    #[default]
    Missing,
    Null,
    List(List),
    /// Neither an array nor an object.
    NoList,
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
        Ok(Domains::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut elements: A) -> Result<Domains, A::Error> {
        let mut list = List::default();
        while let Some((_, element)) = elements.next_entry::<IgnoredAny, Element>()? {
            list.take(element);
        }
        Ok(Domains::List(list))
    }

    fn visit_unit<E>(self) -> Result<Domains, E> {
        Ok(Domains::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Domains, E> {
        Ok(Domains::NoList)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Domains, E> {
        Ok(Domains::NoList)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Domains, E> {
        Ok(Domains::NoList)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Domains, E> {
        Ok(Domains::NoList)
    }

    fn visit_str<E>(self, _: &str) -> Result<Domains, E> {
        Ok(Domains::NoList)
    }
}

impl List {
    fn take(&mut self, element: Element) {
        match element {
            Element::Name(name) => {
                self.names.insert(name);
            }
            Element::NotOurs => {}
            Element::Odd(example) => {
                self.odd += 1;
                self.example.get_or_insert(example);
            }
        }
    }
}

/// One element of the list.
enum Element {
    Name(DomainName),
    /// A DNS name that can never be a mapped domain, such as one with an underscore.
    NotOurs,
    /// Anything else, as it was sent.
    Odd(String),
}

impl Element {
    fn from_text(text: &str, wildcard: bool) -> Self {
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
        Ok(Element::from_text(text, false))
    }

    /// The name stands under one of five keys, whichever is there first in their order.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Element, A::Error> {
        const NAME_KEYS: [&str; 5] = ["domain", "name", "hostname", "host", "alias"];
        let mut best: Option<(usize, String)> = None;
        let mut wildcard = Truthy(false);
        let mut keys = Vec::new();
        while let Some(key) = fields.next_key::<String>()? {
            if key == "wildcard" {
                wildcard = fields.next_value()?;
            } else if let Some(rank) = NAME_KEYS.iter().position(|name| *name == key) {
                if let Value::String(text) = fields.next_value()?
                    && best.as_ref().is_none_or(|(other, _)| rank < *other)
                {
                    best = Some((rank, text));
                }
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
            keys.push(secrets::mask(&key));
        }
        Ok(match best {
            Some((_, text)) => Element::from_text(&text, wildcard.0),
            None => Element::Odd(format!("an object with the keys {keys:?}")),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Element, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Element::Odd("an array".to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Element, E> {
        Ok(Element::Odd(flag.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Element, E> {
        Ok(Element::Odd(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Element, E> {
        Ok(Element::Odd(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Element, E> {
        Ok(Element::Odd(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Element, E> {
        Ok(Element::Odd("null".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(domains: &str) -> List {
        let body = format!(r#"{{"success": true, "domains": {domains}}}"#);
        match Answer::parse(body.as_bytes()).unwrap().domains {
            Domains::List(list) => list,
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
