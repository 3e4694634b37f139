//! Text encodings and the escapes of PHP's strings.

use std::borrow::Cow;

/// The text of a file, and whether replacement characters stand for bytes that are not UTF-8, which PHP
/// accepts. None if it is no text.
pub(super) fn decode(bytes: &[u8]) -> Option<(String, bool)> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    let is_lossy = matches!(text, Cow::Owned(_));
    (!bytes.contains(&0)).then(|| (text.into_owned(), is_lossy))
}

/// Unescapes the content of single quotes: only `\\` and `\'` are escapes.
pub(super) fn single_quoted(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars().peekable();
    while let Some(next) = rest.next() {
        match (next, rest.peek()) {
            ('\\', Some(&escaped @ ('\\' | '\''))) => {
                text.push(escaped);
                rest.next();
            }
            _ => text.push(next),
        }
    }
    text
}

/// Unescapes a sequence in double quotes or a heredoc
/// (<https://www.php.net/manual/en/language.types.string.php>). None if the result is no text.
pub(super) fn double_quoted(sequence: &str) -> Option<String> {
    let rest = sequence.strip_prefix('\\')?;
    let simple = match rest {
        "n" => "\n",
        "r" => "\r",
        "t" => "\t",
        "v" => "\u{b}",
        "e" => "\u{1b}",
        "f" => "\u{c}",
        "\\" => "\\",
        "$" => "$",
        "\"" => "\"",
        _ => "",
    };
    if !simple.is_empty() {
        return Some(simple.to_owned());
    }
    let byte = |number: u32| {
        // A byte above ASCII is only a part of a character.
        u8::try_from(number).ok().filter(u8::is_ascii).map(|byte| char::from(byte).to_string())
    };
    if let Some(hex) = rest.strip_prefix("u{").and_then(|rest| rest.strip_suffix('}')) {
        return char::from_u32(u32::from_str_radix(hex, 16).ok()?).map(String::from);
    }
    if let Some(hex) = rest.strip_prefix('x') {
        return byte(u32::from_str_radix(hex, 16).ok()?);
    }
    if rest.bytes().all(|digit| (b'0'..=b'7').contains(&digit)) {
        return byte(u32::from_str_radix(rest, 8).ok()? & 0xFF);
    }
    // Anything else is no escape.
    Some(sequence.to_owned())
}
