use thiserror::Error;

/// The default of the most rows that one read takes: five times the largest known network.
pub const MOST_ROWS: u64 = 500_000;
/// The size of a row whose domain fills its column.
const BYTES_OF_A_ROW: u64 = 256;
/// For the plugin's settings, which are one large row.
const BYTES_OF_SETTINGS: u64 = 16 * 1024 * 1024;

/// How much more one read may take: a server may send without end.
#[derive(Debug)]
pub(super) struct Budget {
    most_rows: u64,
    rows_left: u64,
    bytes_left: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "it holds more than a network has: the read was stopped at {} rows or {} MiB, by wordpress.max_rows; check that it is the right database, and if it is, increase wordpress.max_rows",
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

    /// For a connection that reads single rows for as long as the daemon runs.
    pub(super) fn unlimited() -> Self {
        Self { most_rows: u64::MAX, rows_left: u64::MAX, bytes_left: u64::MAX }
    }

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
    fn rows_and_bytes_are_limited() {
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
