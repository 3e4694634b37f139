//! The form of a list without its values, to be reported if a list is not understood: Closte documents
//! no element.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use strum::{Display, EnumCount, EnumIter, IntoEnumIterator as _};

use crate::{domain::DomainName, secrets};

/// How many different keys are kept.
const MOST_KEYS: usize = 24;
/// How many characters of a key are kept.
const KEY_KEPT: usize = 40;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListShape {
    /// Those of the answer that the list is in.
    answer: Keys,
    elements: Kinds,
    /// Those of all elements that are objects.
    fields: Keys,
    /// How many keys of the list are numbers, if it is an object.
    numbered: usize,
    /// How many are not.
    keyed: usize,
}

/// How many values of each kind, in the order of [`JsonKind`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kinds([usize; JsonKind::COUNT]);

/// The keys of objects, and the kinds of their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys {
    known: Vec<(String, Kinds)>,
    /// How many values have other keys.
    others: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumCount, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub(super) enum JsonKind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl JsonKind {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

impl Kinds {
    fn add(&mut self, kind: JsonKind) {
        for (count, one) in self.0.iter_mut().zip(JsonKind::iter()) {
            *count += usize::from(one == kind);
        }
    }

    fn counts(&self) -> impl Iterator<Item = (usize, JsonKind)> {
        self.0.into_iter().zip(JsonKind::iter()).filter(|(count, _)| *count > 0)
    }
}

impl Keys {
    pub(super) fn add(&mut self, key: &str, kind: JsonKind) -> usize {
        let find = |known: &[(String, Kinds)], name: &str| {
            known.iter().position(|(known, _)| known == name)
        };
        let at = find(&self.known, key).unwrap_or_else(|| {
            // A key that is a domain name is a value.
            let name = match key.parse::<DomainName>() {
                Ok(_) => "(a domain name)".to_owned(),
                Err(_) => secrets::mask(key).chars().take(KEY_KEPT).collect(),
            };
            find(&self.known, &name).unwrap_or_else(|| {
                if self.known.len() < MOST_KEYS {
                    self.known.push((name, Kinds::default()));
                    self.known.len() - 1
                } else {
                    MOST_KEYS
                }
            })
        });
        match self.known.get_mut(at) {
            Some((_, kinds)) => kinds.add(kind),
            None => self.others += 1,
        }
        at
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

impl ListShape {
    pub(super) fn add(&mut self, element: JsonKind) {
        self.elements.add(element);
    }

    /// Adds a field of an element, and returns the number of its key for [`Self::field`].
    pub(super) fn add_field(&mut self, key: &str, kind: JsonKind) -> usize {
        self.fields.add(key, kind)
    }

    /// The key of a field.
    pub(super) fn field(&self, number: usize) -> &str {
        self.fields.known.get(number).map_or("…", |(name, _)| name)
    }

    /// Whether it came as an object, and was not empty.
    pub(super) fn is_object(&self) -> bool {
        self.numbered + self.keyed > 0
    }

    pub(super) fn within(self, answer: Keys) -> Self {
        Self { answer, ..self }
    }

    /// Adds a key of a list that is an object.
    pub(super) fn add_key(&mut self, key: &str) {
        if key.bytes().all(|byte| byte.is_ascii_digit()) {
            self.numbered += 1;
        } else {
            self.keyed += 1;
        }
    }
}

impl fmt::Display for Kinds {
    /// `2 string, 1 null`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> =
            self.counts().map(|(count, kind)| format!("{count} {kind}")).collect();
        f.write_str(&counts.join(", "))
    }
}

impl fmt::Display for Keys {
    /// `domain (2 string), wildcard (1 number, 1 null)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-. ()*".contains(c);
        let key = |(name, kinds): &(String, Kinds)| {
            if !name.is_empty() && name.chars().all(is_plain) {
                format!("{name} ({kinds})")
            } else {
                format!("{name:?} ({kinds})")
            }
        };
        let mut keys: Vec<String> = self.known.iter().map(key).collect();
        if self.others > 0 {
            keys.push(format!("{} values under other keys", self.others));
        }
        f.write_str(if self.is_empty() { "no key" } else { "" })?;
        f.write_str(&keys.join(", "))
    }
}

impl fmt::Display for ListShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answer, elements, fields, numbered, keyed } = self;
        match (elements.counts().next(), self.is_object()) {
            (None, _) => f.write_str("no element")?,
            (_, false) => write!(f, "an array of {elements}")?,
            (_, true) => {
                write!(f, "an object of {elements}, under {numbered} numbers and {keyed} words")?;
            }
        }
        if !fields.is_empty() {
            write!(f, "; in the objects {fields}")?;
        }
        write!(f, "; the answer has {answer}")
    }
}

/// The methods of a visitor for booleans and numbers, which make `$made` of a kind and a value.
macro_rules! visit_scalars {
    ($made:ty, $make:expr) => {
        visit_scalars! { $made, $make, Boolean visit_bool bool, Number visit_i64 i64,
            Number visit_u64 u64, Number visit_f64 f64 }
    };
    ($made:ty, $make:expr, $($kind:ident $visit:ident $value:ty),*) => {$(
        fn $visit<E>(self, value: $value) -> Result<$made, E> {
            Ok($make(self, JsonKind::$kind, value))
        }
    )*};
}
pub(super) use visit_scalars;

impl<'de> Deserialize<'de> for JsonKind {
    /// Skips the value itself.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = JsonKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<JsonKind, E> {
        Ok(JsonKind::Null)
    }

    fn visit_str<E>(self, _: &str) -> Result<JsonKind, E> {
        Ok(JsonKind::String)
    }

    visit_scalars!(JsonKind, |_: Self, kind, _| kind);

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<JsonKind, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(JsonKind::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<JsonKind, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(JsonKind::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closte::{list::Domains, wire::Answer};

    fn shape(answer: &str) -> ListShape {
        let answer = Answer::read(answer.as_bytes()).unwrap();
        match answer.domains {
            Domains::List(list) => list.shape.within(answer.keys),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_names_keys_kinds_and_counts_and_no_value() {
        let shape = shape(
            r#"{"success": true, "total": 4, "domains": ["secret.example", null,
                {"Domain": "secret.example", "wildcard": 0, "ssl": {"state": "secret"}},
                {"Domain": "secret.example", "wildcard": null, "secret.example": [1],
                 "bad\u202e \"key\"": 1.5}]}"#,
        );
        assert_eq!(
            shape.to_string(),
            "an array of 1 null, 1 string, 2 object; in the objects Domain (2 string), wildcard (1 \
             null, 1 number), ssl (1 object), (a domain name) (1 array), \"bad\\u{202e} \\\"key\\\"\" \
             (1 number); the answer has success (1 boolean), total (1 number), domains (1 array)"
        );
    }

    #[test]
    fn a_list_may_be_an_object_or_empty() {
        let of = |list: &str| {
            let text = shape(&format!(r#"{{"domains": {list}}}"#)).to_string();
            text.split_once("; the answer has").unwrap().0.to_owned()
        };
        assert_eq!(of("[]"), "no element");
        assert_eq!(of("{}"), "no element");
        let mixed = r#"{"0": "a.example", "3": true, "b.example": {}}"#;
        assert_eq!(
            of(mixed),
            "an object of 1 boolean, 1 string, 1 object, under 2 numbers and 1 words"
        );
    }

    #[test]
    fn it_is_bounded() {
        let fields: Vec<String> =
            (0..90).map(|n| format!(r#""{n}{}": 1"#, "k".repeat(99))).collect();
        let object = format!("{{{}}}", fields.join(","));
        let text = shape(&format!(r#"{{"domains": [{object}, {object}]}}"#)).to_string();
        assert!(text.contains("132 values under other keys; the answer has"), "{text}");
        assert!(text.len() < 2_000, "{text}");
    }
}
