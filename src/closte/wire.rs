//! The answers of Closte's API as it sends them.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    list::{Domains, is_truthy},
    shape::{JsonKind, Keys},
};

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) success: bool,
    error: Value,
    message: Value,
    pub(super) domains: Domains,
    /// For the report of an answer that is not understood.
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
                    answer.domains = fields.next_value()?;
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
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let body = begin(body);
        if body.first().is_some_and(|byte| *byte != b'{') {
            // serde would take an array for an object without its keys, and `[1]` for success.
            return Err(serde_json::Error::custom("not a JSON object"));
        }
        serde_json::from_slice(body)
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

/// Whether the answer is HTML or XML.
pub(super) fn is_web_page(body: &[u8]) -> bool {
    begin(body).first() == Some(&b'<')
}

/// The answer without what may be in front of it: PHP files saved by Windows editors send a byte order mark first.
fn begin(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_twice_in_an_answer_is_an_error() {
        for twice in [r#""domains": ["a.example"]"#, r#""success": true"#] {
            let body = format!(r#"{{"success": true, "domains": [], {twice}}}"#);
            let error = Answer::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("duplicate field"), "{error}");
        }
    }

    #[test]
    fn success_is_loose_as_in_php() {
        let success = |value: &str| {
            Answer::parse(format!(r#"{{"success": {value}}}"#).as_bytes()).unwrap().success
        };
        assert!(["true", "1", r#""1""#, r#""true""#].into_iter().all(success));
        assert!(!["false", "0", "null", r#""0""#, r#""""#, "[]", "2"].into_iter().any(success));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::parse(&bytes);
        }
    }
}
