use thiserror::Error;

/// How many rows one read takes at most, where nothing else is said: five times the largest network
/// that is known.
pub const MOST_ROWS: u64 = 500_000;
/// So large is a row with a domain that fills its column.
const BYTES_OF_A_ROW: u64 = 256;
/// The plugin's settings are one row of any size.
const BYTES_OF_SETTINGS: u64 = 16 * 1024 * 1024;

/// What one read may still take: a server may send without end.
#[derive(Debug)]
pub(super) struct Budget {
    most_rows: u64,
    rows_left: u64,
    bytes_left: u64,
}

/// A read was broken off, because there is more than there can be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "it holds more than a network has: the read was broken off at {} rows or {} MiB, by wordpress.max_rows; is it the right database? If it is, set wordpress.max_rows higher",
    .most_rows, most_bytes(*.most_rows) / 1024 / 1024
)]
pub(super) struct TooMuch {
    most_rows: u64,
}

fn most_bytes(rows: u64) -> u64 {
    rows.saturating_mul(BYTES_OF_A_ROW).saturating_add(BYTES_OF_SETTINGS)
}

impl Budget {
    pub(super) fn new(most_rows: u64) -> Self {
        Self { most_rows, rows_left: most_rows, bytes_left: most_bytes(most_rows) }
    }

    /// Takes a row of this size.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), TooMuch> {
        let rows = self.rows_left.checked_sub(1);
        let bytes = self.bytes_left.checked_sub(bytes as u64);
        let too_much = || TooMuch { most_rows: self.most_rows };
        let (rows, bytes) = rows.zip(bytes).ok_or_else(too_much)?;
        (self.rows_left, self.bytes_left) = (rows, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_ends_at_its_rows_and_at_its_bytes() {
        let mut budget = Budget::new(2);
        assert_eq!((budget.take(100), budget.take(100)), (Ok(()), Ok(())));
        let text = budget.take(100).unwrap_err().to_string();
        assert!(text.contains("2 rows or 16 MiB, by wordpress.max_rows"), "{text}");

        let mut budget = Budget::new(1_000);
        assert_eq!(budget.take(16 * 1024 * 1024), Ok(()));
        assert_eq!(budget.take(256_001), Err(TooMuch { most_rows: 1_000 }));
        assert_eq!(budget.take(256_000), Ok(()));
    }
}
