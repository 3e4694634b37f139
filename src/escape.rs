//! Makes characters visible that a terminal would act on or not show.
//!
//! Texts are stored and passed on unescaped, and escaped where they leave the program: on the screen, in
//! the log, and in the answers of the admin server.

use std::{borrow::Cow, fmt::Write as _};

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory},
};

/// Whether it is a control or format character, a separator of lines, or otherwise invisible. Blanks are
/// not hidden.
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    use GeneralCategory as Category;
    let category = CodePointMapData::<Category>::new().get(c);
    matches!(
        category,
        Category::Control
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// The text with every hidden character written out, such as `\u{202e}`. Line breaks stay.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_where(text, |c| c != '\n' && is_hidden(c), |c, out| out.extend(c.escape_default()))
}

/// [`escape`] for text that must stay on one line: line breaks are written out too.
pub fn escape_line(text: &str) -> Cow<'_, str> {
    escape_where(text, is_hidden, |c, out| out.extend(c.escape_default()))
}

/// Equivalent JSON with every hidden character written out, such as `\u202e`. Line breaks stay: JSON has
/// them only between values.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let write = |c: char, out: &mut String| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    };
    escape_where(json, |c| c != '\n' && is_hidden(c), write)
}

fn escape_where(
    text: &str,
    is_escaped: impl Fn(char) -> bool,
    write: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    let Some(first) = text.find(&is_escaped) else {
        return Cow::Borrowed(text);
    };
    let (plain, rest) = text.split_at(first);
    let mut escaped = plain.to_owned();
    for c in rest.chars() {
        if is_escaped(c) {
            write(c, &mut escaped);
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hidden_characters_are_written_out() {
        for (text, escaped) in [
            ("a name", "a name"),
            ("größe शॉप 👍", "größe शॉप 👍"),
            ("a\nb", "a\nb"),
            ("\u{1b}[31m", r"\u{1b}[31m"),
            ("\t\r\u{7f}", r"\t\r\u{7f}"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("\u{202e}moc\u{2066}\u{2069}", r"\u{202e}moc\u{2066}\u{2069}"),
            ("\u{200b}\u{ad}\u{feff}", r"\u{200b}\u{ad}\u{feff}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            ("\u{600}\u{e0041}\u{3164}", r"\u{600}\u{e0041}\u{3164}"),
        ] {
            assert_eq!(escape(text), escaped);
        }
        assert_eq!(escape_line("a\nb\u{85}"), r"a\nb\u{85}");
    }

    proptest! {
        #[test]
        fn escaped_json_has_the_same_values(text in any::<String>()) {
            let json = serde_json::to_string_pretty(&[&text]).unwrap();
            let escaped = escape_json(&json);
            prop_assert!(!escaped.chars().any(|c| c != '\n' && is_hidden(c)), "{escaped:?}");
            let [again]: [String; 1] = serde_json::from_str(&escaped).unwrap();
            prop_assert_eq!(again, text);
        }
    }
}
