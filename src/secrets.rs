//! Masks the secrets of this process in foreign text.
//!
//! A secret is [learnt](learn) where it is parsed, so every secret is masked. Foreign text (written by a
//! server, into a file, or by an older version of this program) is masked where it is read, before it
//! becomes part of an error or an event: with [`excerpt`], which also cuts it, or [`mask`] for what must
//! stay whole. Characters that a terminal acts on stay in it until it is printed: see [`crate::escape`].
//! Texts of this program are not masked: with the password `wordpress`, the database's name would be.
//!
//! A mask must not reveal what it hides, as it does in a well-known sentence: in "(using ***: YES)" the
//! password is `password`. So a text is not shown at all if it may contain a secret by chance, because
//! the secret is short, a plain word, or part of the address that is shown. A secret of less than four
//! characters is not masked: it is part of most texts, and withholding all of them would reveal it.

use std::{
    ops::Range,
    sync::{PoisonError, RwLock},
};

use percent_encoding::percent_decode_str;

use crate::escape::is_hidden;

/// A part of a secret with this many characters reveals it.
const REVEALING: usize = 8;
/// A secret with fewer characters is not masked.
const SHORTEST: usize = 4;
/// A part of a secret that is all letters, and shorter than this, is a common word.
const LONGEST_WORD: usize = 16;
/// How many bytes of a foreign text are read.
pub const LONGEST_TEXT: usize = 64 * 1024;
/// How many characters of a foreign text an error or an event repeats.
const EXCERPT: usize = 300;
const WITHHELD: &str = "*** (it holds a secret and is not shown)";

static KNOWN: RwLock<Vec<Secret>> = RwLock::new(Vec::new());

/// Masks a secret in foreign text from now on. `shown` is shown beside such text, and may contain it.
pub fn learn(secret: &str, shown: &str) {
    let Some(secret) = Secret::new(secret, shown) else { return };
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.contains(&secret) {
        known.push(secret);
    }
}

/// The first [`LONGEST_TEXT`] bytes of a text with `***` for each secret and each revealing part of one,
/// in any case and with any hidden characters between its letters. If it contains a secret
/// percent-encoded or with backslashes, or may contain one by chance, the text is withheld.
pub fn mask(text: &str) -> String {
    let text = text.get(..text.floor_char_boundary(LONGEST_TEXT)).unwrap_or(text);
    mask_all(&KNOWN.read().unwrap_or_else(PoisonError::into_inner), text)
}

/// The beginning of a foreign text, masked and on one line.
pub fn excerpt(text: &str) -> String {
    let words = mask(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

fn mask_all(known: &[Secret], text: &str) -> String {
    // Masking the plain parts of an encoded secret would leave the others.
    for undone in disguises_undone(text) {
        let letters = letters(&undone);
        if known.iter().any(|secret| !secret.places_in(&letters).is_empty()) {
            return WITHHELD.to_owned();
        }
    }
    let letters = letters(text);
    let mut places = Vec::new();
    for secret in known {
        let found = secret.places_in(&letters);
        if !found.is_empty() && !secret.is_unmistakable {
            return WITHHELD.to_owned();
        }
        places.extend(found);
    }
    let mut masked = text.to_owned();
    for place in merged(places).into_iter().rev() {
        masked.replace_range(place, "***");
    }
    masked
}

fn merged(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_unstable_by_key(|place| place.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for place in places {
        match merged.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => merged.push(place),
        }
    }
    merged
}

fn disguises_undone(text: &str) -> Vec<String> {
    let decoded = || percent_decode_str(text).decode_utf8_lossy().into_owned();
    match (text.contains('%'), text.contains('\\')) {
        (false, false) => Vec::new(),
        (true, false) => vec![decoded()],
        (false, true) => vec![without_backslashes(text)],
        (true, true) => vec![decoded(), without_backslashes(text), without_backslashes(&decoded())],
    }
}

/// Without `Debug`, so that it cannot be printed.
#[derive(PartialEq)]
struct Secret {
    /// In lower case.
    letters: Vec<char>,
    /// Whether no text contains it by chance.
    is_unmistakable: bool,
}

/// A visible character of a text.
struct Letter {
    lower: char,
    place: Range<usize>,
}

impl Secret {
    fn new(secret: &str, shown: &str) -> Option<Self> {
        let letters: Vec<char> = letters(secret).into_iter().map(|letter| letter.lower).collect();
        let is_unmistakable = letters.len() >= REVEALING
            && !letters.iter().all(|c| c.is_alphabetic())
            && !shown.to_lowercase().contains(&secret.to_lowercase());
        (letters.len() >= SHORTEST).then_some(Self { letters, is_unmistakable })
    }

    /// Where a text contains it, or a revealing part of it.
    fn places_in(&self, text: &[Letter]) -> Vec<Range<usize>> {
        let length = self.letters.len().min(REVEALING);
        let is_part = |part: &[Letter]| {
            let mut parts = self.letters.windows(length);
            parts.any(|own| own.iter().eq(part.iter().map(|letter| &letter.lower)))
        };
        let mut runs: Vec<Range<usize>> = Vec::new();
        let parts = text.windows(length).enumerate().filter(|(_, part)| is_part(part));
        for (start, _) in parts {
            match runs.last_mut() {
                Some(run) if start < run.end => run.end = start + length,
                _ => runs.push(start..start + length),
            }
        }
        let place = |run: Range<usize>| {
            let run = text.get(run)?;
            let is_whole = run.len() >= self.letters.len();
            let is_word = run.iter().all(|letter| letter.lower.is_alphabetic());
            if is_word && !is_whole && run.len() < LONGEST_WORD {
                return None;
            }
            Some(run.first()?.place.start..run.last()?.place.end)
        };
        runs.into_iter().filter_map(place).collect()
    }
}

fn letters(text: &str) -> Vec<Letter> {
    let letter = |(start, c): (usize, char)| Letter {
        lower: c.to_lowercase().next().unwrap_or(c),
        place: start..start + c.len_utf8(),
    };
    text.char_indices().filter(|(_, c)| !is_hidden(*c)).map(letter).collect()
}

/// `\/` as `/`, and `\u200b` as the character.
fn without_backslashes(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut undone = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.strip_prefix('u').and_then(|rest| rest.get(..4));
        match code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?)) {
            Some(c) => {
                undone.push(c);
                undone.push_str(part.get(5..).unwrap_or_default());
            }
            None => undone.push_str(part),
        }
    }
    undone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secret: &str, shown: &str, text: &str) -> String {
        let known: Vec<Secret> = Secret::new(secret, shown).into_iter().collect();
        mask_all(&known, text)
    }

    #[test]
    fn a_secret_is_masked_however_it_is_repeated() {
        for (text, shown) in [
            ("bad key s3cret+Key/1==.", "bad key ***."),
            ("S3CRET+KEY/1== s3cret+Key/1==s3cret+Key/1==", "*** ******"),
            ("its beginning s3cret+Ke...", "its beginning ***..."),
            ("no part: s3cret+ ret+Ke", "no part: s3cret+ ret+Ke"),
            ("größe s3cret+Key/1== größe", "größe *** größe"),
            ("s3c\u{200b}ret+\u{202e}Key\u{ad}/1==!", "***!"),
            ("s\u{0}3cret\n+Key\u{9b}/1\u{e0041}==\u{200b}", "***\u{200b}"),
            ("?apikey=s3cret%2BKey%2f1%3D%3D&x=1", WITHHELD),
            ("?apikey=s3%E2%80%8Bcret%2BKey%2f1%3D%3D&x=1", WITHHELD),
            (r"its beginning s3cret+Key\/1==", WITHHELD),
            (r"key: s3cret\+Key\/1==", WITHHELD),
            (r"key: s3c\u200bret\u002bKey\/1==", WITHHELD),
            (r"key: s3c%5cret\+Key\/1==", WITHHELD),
            (r"100 % of C:\users", r"100 % of C:\users"),
            ("", ""),
        ] {
            assert_eq!(masked("s3cret+Key/1==", "", text), shown);
        }
        assert_eq!(masked("Gröẞe+12345", "", "it is grÖßE+12345"), "it is ***");
    }

    #[test]
    fn what_secrets_have_in_common_is_masked_once() {
        let known = ["a-s3cret-key", "s3cret-key-of-another"];
        let known: Vec<Secret> = known.iter().filter_map(|one| Secret::new(one, "")).collect();
        assert_eq!(mask_all(&known, "bad a-s3cret-key-of-another!"), "bad ***!");
    }

    #[test]
    fn no_mask_reveals_what_it_hides() {
        let denied = "Access denied for user 'wp'@'db' (using password: YES)";
        for secret in ["a", "us", "wp", "YES", ""] {
            assert_eq!(masked(secret, "", denied), denied, "{secret}");
        }
        for secret in ["user", "password", "Denied", "x7Kq2"] {
            let said = format!("{denied} {secret}");
            assert_eq!(masked(secret, "", &said), WITHHELD, "{secret}");
        }
        assert_eq!(masked("x7Kq2", "", denied), denied);
        assert_eq!(masked("my-password", "", denied), denied, "a part of it is a common word");
        assert_eq!(masked("my-password", "", "my-password my-pass"), "*** my-pass");
        let shown = "mysql://site_42@db/site_42_wp";
        assert_eq!(masked("Site_42_wp", shown, "no database site_42_wp"), WITHHELD);
        assert_eq!(masked("site_43_wp", shown, "no database site_43_wp"), "no database ***");
    }

    #[test]
    fn only_the_beginning_of_a_long_text_is_read() {
        let long = "größe ".repeat(1 << 20);
        let masked = mask(&long);
        assert!(
            masked.len() <= LONGEST_TEXT && masked.len() > LONGEST_TEXT - 4,
            "{}",
            masked.len()
        );
        assert!(long.starts_with(&masked));
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(" a\n b\t\u{2028}c "), "a b c");
        assert_eq!(excerpt(&"ö".repeat(301)), "ö".repeat(300) + "…");
    }
}
