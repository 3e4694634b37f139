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
use serde_json::Value;

use super::{
    list::{Domains, DomainsSeed, is_truthy},
    shape::{JsonKind, Keys},
};

/// A smaller answer is in memory as a whole, in bytes.
const SMALL: u64 = 4 << 20;
/// The most of a larger one that is read for one element of the list, and for everything outside it, in bytes.
const ELEMENT_LIMIT: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) success: bool,
    error: Value,
    message: Value,
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
                "success" | "error" | "message" => {
                    let value: Value = fields.next_value()?;
                    let kind = JsonKind::of(&value);
                    match key.as_str() {
                        "success" => answer.success = is_truthy(&value),
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
    /// Parses an answer: a small one as a whole, which is faster, and a larger one while it arrives. A list
    /// of a million names is never in memory as text.
    pub(super) fn read(mut body: impl Read) -> Result<Self, serde_json::Error> {
        let mut start = Vec::new();
        let length = body.by_ref().take(SMALL).read_to_end(&mut start);
        let is_small = length.map_err(serde_json::Error::io)? < SMALL as usize;
        // PHP files saved by Windows editors send a byte order mark first.
        let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&start);
        let read = Cell::new(0);
        if is_small
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
        match [self.error, self.message].into_iter().find(|value| !value.is_null()) {
            None => format!("no reason given; the answer has {}", self.keys),
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
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
        for (mark, count) in [("", 3), ("\u{feff}", 3), ("", 300_000), ("\u{feff}", 300_000)] {
            let names: Vec<String> = (0..count).map(|number| format!("{number}.example")).collect();
            let body = serde_json::json!({"domains": names, "success": true}).to_string();
            assert_eq!(body.len() as u64 > SMALL, count > 3);
            let answer = Answer::read(format!("{mark}{body}").as_bytes()).unwrap();
            let Domains::List(list) = answer.domains else { panic!() };
            assert!(answer.success && list.is_complete());
            assert!(list.names.iter().map(|(name, ())| name.as_str()).eq(&names));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::read(&*bytes);
        }
    }
}
