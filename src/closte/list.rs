//! Closte's list of domains as it sends it.

use std::{
    cell::Cell,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::shape::{JsonKind, ListShape, visit_scalars};
use crate::{domain, names::NameList, secrets};

/// The most elements of a list that are read.
const MOST_ELEMENTS: usize = 2_000_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// In the order of the list, each as often as it is listed.
    pub names: NameList<()>,
    /// How many elements are neither a domain name nor another DNS name.
    pub unparsed: usize,
    /// The first of them, as it was sent.
    pub example: Option<String>,
    pub shape: ListShape,
}

impl List {
    /// Whether a name that is not in it is not at Closte.
    pub fn is_complete(&self) -> bool {
        self.unparsed == 0
    }

    /// A hash of everything that a cycle acts on. The same names in another order have another one.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.names, self.unparsed, &self.example).hash(&mut hasher);
        hasher.finish()
    }
}

/// A flag as PHP clients compare it.
pub(super) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => text == "1" || text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// The field `domains`. PHP sends an array whose keys have gaps as an object.
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
    pub(super) fn kind(&self) -> JsonKind {
        match self {
            Self::Missing | Self::Null => JsonKind::Null,
            Self::List(list) if list.shape.is_object() => JsonKind::Object,
            Self::List(_) => JsonKind::Array,
            Self::NoList(kind) => *kind,
        }
    }
}

/// Reads the field. It counts from 0 after each element how many bytes were read.
pub(super) struct DomainsSeed<'a>(pub(super) &'a Cell<usize>);

impl DomainsSeed<'_> {
    fn end_element<E: Error>(&self, count: usize) -> Result<(), E> {
        self.0.set(0);
        match count > MOST_ELEMENTS {
            true => Err(E::custom(format!("a list of more than {MOST_ELEMENTS} elements"))),
            false => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for DomainsSeed<'_> {
    type Value = Domains;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Domains, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DomainsSeed<'_> {
    type Value = Domains;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of domains")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Domains, A::Error> {
        let (mut list, mut count) = (List::default(), 0);
        while elements.next_element_seed(ElementSeed(&mut list))?.is_some() {
            count += 1;
            self.end_element(count)?;
        }
        Ok(Domains::List(Box::new(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut elements: A) -> Result<Domains, A::Error> {
        let (mut list, mut count) = (List::default(), 0);
        while let Some(key) = elements.next_key::<String>()? {
            list.shape.add_key(&key);
            elements.next_value_seed(ElementSeed(&mut list))?;
            count += 1;
            self.end_element(count)?;
        }
        Ok(Domains::List(Box::new(list)))
    }

    fn visit_unit<E>(self) -> Result<Domains, E> {
        Ok(Domains::Null)
    }

    fn visit_str<E>(self, _: &str) -> Result<Domains, E> {
        Ok(Domains::NoList(JsonKind::String))
    }

    visit_scalars!(Domains, |_: Self, kind, _| Domains::NoList(kind));
}

impl List {
    fn add_text(&mut self, text: &str, wildcard: bool) {
        // The API's own rule: a name with the flag begins with `*.`, though it may be listed without.
        if wildcard && !text.trim_start().starts_with("*.") {
            return self.add_text(&format!("*.{}", text.trim()), false);
        }
        match domain::parse(text.as_bytes()) {
            Ok(name) => self.names.push(name.name(), ()),
            // A DNS name that cannot be a mapped domain, such as one with an underscore.
            Err(_) if is_dns_text(text) => {}
            Err(_) => self.add_unparsed(|_| format!("{:?}", secrets::mask(text))),
        }
    }

    fn add_unparsed(&mut self, example: impl FnOnce(&Self) -> String) {
        self.unparsed += 1;
        if self.example.is_none() {
            self.example = Some(example(self));
        }
    }
}

fn is_dns_text(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'*'))
}

/// Reads one element into the list.
struct ElementSeed<'a>(&'a mut List);

impl ElementSeed<'_> {
    fn add_unparsed(self, kind: JsonKind, example: impl fmt::Display) {
        self.0.shape.add(kind);
        self.0.add_unparsed(|_| example.to_string());
    }
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a domain")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.shape.add(JsonKind::String);
        self.0.add_text(text, false);
        Ok(())
    }

    /// The name is under the first of five keys that the object has. Letter case does not count in keys;
    /// if two that differ only in case disagree, the element is unparsed.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        const NAME_KEYS: [&str; 5] = ["domain", "name", "hostname", "host", "alias"];
        let Self(list) = self;
        let mut best: Option<(usize, String)> = None;
        let mut wildcard: Option<bool> = None;
        let mut agree = true;
        let mut keys = Vec::new();
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
                let flag = is_truthy(&value);
                agree &= wildcard.replace(flag).is_none_or(|other| other == flag);
                JsonKind::of(&value)
            } else {
                fields.next_value()?
            };
            keys.push(list.shape.add_field(&key, kind));
        }
        list.shape.add(JsonKind::Object);
        match best {
            Some((_, text)) if agree => list.add_text(&text, wildcard.unwrap_or_default()),
            _ => {
                let why = if agree { "" } else { ", two of which disagree" };
                list.add_unparsed(|list| {
                    let keys: Vec<&str> = keys.iter().map(|key| list.shape.field(*key)).collect();
                    format!("an object with the keys {keys:?}{why}")
                });
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        self.add_unparsed(JsonKind::Array, "an array");
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.add_unparsed(JsonKind::Null, "null");
        Ok(())
    }

    visit_scalars!((), Self::add_unparsed);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(domains: &str) -> List {
        let mut deserializer = serde_json::Deserializer::from_str(domains);
        match DomainsSeed(&Cell::new(0)).deserialize(&mut deserializer).unwrap() {
            Domains::List(list) => *list,
            other => panic!("{domains}: {other:?}"),
        }
    }

    fn names(list: &List) -> Vec<&str> {
        let mut names: Vec<_> = list.names.iter().map(|(name, ())| name.as_str()).collect();
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
    fn an_unparsed_element_makes_the_list_incomplete_and_hides_no_other() {
        for element in [
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
            let list = list(&format!(r#"["a.example", {element}, "b.example"]"#));
            assert_eq!(names(&list), ["a.example", "b.example"], "{element}");
            assert_eq!(list.unparsed, 1, "{element}");
            assert!(list.example.is_some());
        }
    }

    #[test]
    fn letter_case_does_not_count_in_keys_and_two_that_disagree_are_unparsed() {
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
        for element in [
            r#"{"domain": "a.example", "Domain": "b.example"}"#,
            r#"{"domain": "a.example", "domain": "b.example"}"#,
            r#"{"name": "x.example", "domain": "a.example", "DOMAIN": "b.example"}"#,
            r#"{"domain": "a.example", "wildcard": 0, "Wildcard": 1}"#,
        ] {
            let list = self::list(&format!("[{element}]"));
            assert_eq!((list.names.len(), list.unparsed), (0, 1), "{element}");
            assert!(list.example.unwrap().ends_with(", two of which disagree"), "{element}");
        }
    }

    proptest! {
        #[test]
        fn any_json_list_is_read(texts in prop::collection::vec("\\PC{0,30}", 0..20)) {
            let list = list(&serde_json::json!(texts).to_string());
            prop_assert!(list.names.len() + list.unparsed <= texts.len());
        }
    }
}
