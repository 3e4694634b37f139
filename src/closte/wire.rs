//! The answers of Closte's API as it sends them.

use std::{
    cell::Cell,
    collections::HashSet,
    fmt,
    io::{self, BufReader, Read},
};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    list::{Domains, DomainsSeed, is_truthy},
    shape::{FlatValue, JsonKind, Keys},
};

/// A smaller answer is in memory as a whole, in bytes: as one with a million names is.
const WHOLE: u64 = 32 << 20;
/// The most of a larger one that is read for one element of the list, and for everything outside it, in bytes.
const ELEMENT_LIMIT: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) success: bool,
    error: Option<Box<RawValue>>,
    message: Option<Box<RawValue>>,
    pub(super) domains: Domains,
    /// For the report of an answer that is not understood.
    pub(super) keys: Keys,
}

/// Reads an answer. The bytes since the last element are counted.
struct AnswerSeed<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_> {
    type Value = Answer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Answer, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_> {
    type Value = Answer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    /// In these keys letter case counts, as in every known client.
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
                    answer.domains = fields.next_value_seed(DomainsSeed(self.0))?;
                    answer.domains.kind()
                }
                "success" => {
                    let FlatValue(value) = fields.next_value()?;
                    answer.success = is_truthy(&value);
                    JsonKind::of(&value)
                }
                "error" | "message" => {
                    let value: Box<RawValue> = fields.next_value()?;
                    let kind = serde_json::from_str(value.get()).map_err(A::Error::custom)?;
                    let is_error = key == "error";
                    let field = if is_error { &mut answer.error } else { &mut answer.message };
                    *field = (kind != JsonKind::Null).then_some(value);
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
    /// Parses an answer: as a whole, which takes half of the time, and a very large one while it arrives.
    pub(super) fn read(mut body: impl Read) -> Result<Self, serde_json::Error> {
        let mut start = Vec::new();
        let length = body.by_ref().take(WHOLE).read_to_end(&mut start);
        let is_whole = length.map_err(serde_json::Error::io)? < WHOLE as usize;
        // PHP files saved by Windows editors send a byte order mark first.
        let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&start);
        let read = Cell::new(0);
        if is_whole
            && let Ok(answer) = Self::parse(serde_json::Deserializer::from_slice(start), &read)
        {
            return Ok(answer);
        }
        let body = BufReader::new(Limited { body: start.chain(body), read: &read });
        Self::parse(serde_json::Deserializer::from_reader(body), &read)
    }

    /// `read` is how many bytes were read since the last element.
    fn parse<'de>(
        mut deserializer: serde_json::Deserializer<impl serde_json::de::Read<'de>>,
        read: &Cell<usize>,
    ) -> Result<Self, serde_json::Error> {
        let answer = AnswerSeed(read).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(answer)
    }

    /// The reason that Closte gave, unmasked.
    pub(super) fn error_text(self) -> String {
        match self.error.or(self.message) {
            None => format!("no reason given; the answer has {}", self.keys),
            Some(value) => serde_json::from_str(value.get()).unwrap_or_else(|_| value.to_string()),
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body of which no element may be larger than [`ELEMENT_LIMIT`].
struct Limited<'a, R> {
    body: R,
    /// How many bytes were read since the last element.
    read: &'a Cell<usize>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.body.read(buffer)?;
        self.read.set(self.read.get() + length);
        if self.read.get() > ELEMENT_LIMIT {
            let limit = format!("a part of it is larger than {} KiB", ELEMENT_LIMIT >> 10);
            return Err(io::Error::other(limit));
        }
        Ok(length)
    }
}

/// Whether the answer is HTML or XML.
pub(super) fn is_web_page(body: &[u8]) -> bool {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    body.trim_ascii_start().first() == Some(&b'<')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_twice_in_an_answer_is_an_error() {
        for twice in [r#""domains": ["a.example"]"#, r#""success": true"#] {
            let body = format!(r#"{{"success": true, "domains": [], {twice}}}"#);
            let error = Answer::read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("duplicate field"), "{error}");
        }
    }

    #[test]
    fn success_is_loose_as_in_php() {
        let success = |value: &str| {
            Answer::read(format!(r#"{{"success": {value}}}"#).as_bytes()).unwrap().success
        };
        assert!(["true", "1", r#""1""#, r#""true""#].into_iter().all(success));
        assert!(!["false", "0", "null", r#""0""#, r#""""#, "[]", "2"].into_iter().any(success));
    }

    #[test]
    fn a_list_is_the_same_as_a_whole_and_while_it_arrives() {
        for (mark, count) in [("", 3), ("\u{feff}", 3), ("", 500_000), ("\u{feff}", 500_000)] {
            let name = |number| format!("{number}.{}.example", "a".repeat(60));
            let names: Vec<String> = (0..count).map(name).collect();
            let body = serde_json::json!({"domains": names, "success": true}).to_string();
            assert_eq!(body.len() as u64 > WHOLE, count > 3);
            let answer = Answer::read(format!("{mark}{body}").as_bytes()).unwrap();
            let Domains::List(list) = answer.domains else { panic!() };
            assert!(answer.success && list.is_complete());
            assert!(list.names.iter().map(|(name, ())| name.as_str()).eq(&names));
        }
    }

    #[test]
    fn the_reason_is_the_error_or_else_the_message_of_any_kind() {
        for (fields, reason) in [
            (r#""error": "no \u00fc", "message": "else""#, "no ü"),
            (r#""message": "else", "error": null"#, "else"),
            (r#""error": {"text": ["API key"]}"#, r#"{"text": ["API key"]}"#),
            (r#""error": 12"#, "12"),
            (r#""other": 1"#, "no reason given; the answer has other (1 number)"),
        ] {
            let answer = Answer::read(format!("{{{fields}}}").as_bytes()).unwrap();
            assert_eq!(answer.error_text(), reason);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::read(&*bytes);
        }
    }
}
