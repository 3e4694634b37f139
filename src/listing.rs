//! Prints lists within sentences.

use std::fmt::Display;

/// The most items that are printed.
pub const MOST: usize = 5;

/// The first items and the number of the others: `a, b, c, d, e and 37 more`. `further` items are only
/// counted.
pub fn listing<T: Display>(things: impl IntoIterator<Item = T>, further: usize) -> String {
    let mut things = things.into_iter();
    let shown: Vec<String> = things.by_ref().take(MOST).map(|thing| thing.to_string()).collect();
    let shown = shown.join(", ");
    match things.count() + further {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_after_five() {
        assert_eq!(listing([0; 0], 0), "");
        assert_eq!(listing(1..=5, 0), "1, 2, 3, 4, 5");
        assert_eq!(listing(1..=6, 0), "1, 2, 3, 4, 5 and 1 more");
        assert_eq!(listing(1..=20, 22), "1, 2, 3, 4, 5 and 37 more");
    }
}
