//! The values in packets: <https://mariadb.com/kb/en/protocol-data-types/>.

use super::MySqlError;

/// Reads a packet from its beginning.
pub(super) struct ProtocolReader<'p>(&'p [u8]);

impl<'p> ProtocolReader<'p> {
    pub(super) fn new(packet: &'p [u8]) -> Self {
        Self(packet)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(&self) -> &'p [u8] {
        self.0
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'p [u8], MySqlError> {
        // Nothing is made for an error that does not happen: this runs for each value of each row.
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return Err(MySqlError::Protocol("it sends an incomplete packet"));
        };
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, MySqlError> {
        self.integer(1).map(|value| value as u8)
    }

    /// An integer of at most eight bytes.
    pub(super) fn integer(&mut self, bytes: usize) -> Result<u64, MySqlError> {
        let taken = self.bytes(bytes)?;
        Ok(taken.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Everything up to the next zero byte, which is skipped.
    pub(super) fn until_zero(&mut self) -> Result<&'p [u8], MySqlError> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.bytes(end.unwrap_or(usize::MAX))?;
        self.bytes(1)?;
        Ok(text)
    }

    /// A length-encoded integer.
    pub(super) fn number(&mut self) -> Result<u64, MySqlError> {
        match self.byte()? {
            small @ 0..=0xfa => Ok(small.into()),
            0xfc => self.integer(2),
            0xfd => self.integer(3),
            0xfe => self.integer(8),
            0xfb | 0xff => Err(MySqlError::Protocol("it sends an invalid number")),
        }
    }

    /// A length-encoded string; none for NULL.
    pub(super) fn text(&mut self) -> Result<Option<&'p [u8]>, MySqlError> {
        let length = match self.0.split_first() {
            Some((0xfb, rest)) => {
                self.0 = rest;
                return Ok(None);
            }
            // Nearly all values are short.
            Some((&short @ 0..=0xfa, rest)) => {
                self.0 = rest;
                short.into()
            }
            _ => usize::try_from(self.number()?).unwrap_or(usize::MAX),
        };
        self.bytes(length).map(Some)
    }
}

/// More than six names of the greatest length, an alias of 256 characters.
const LONGEST_COLUMN: usize = 8 * 1024;

/// Checks that a packet describes a column. The description itself is not used.
pub(super) fn check_column(packet: &[u8]) -> Result<(), MySqlError> {
    if packet.len() > LONGEST_COLUMN {
        return Err(MySqlError::Protocol("its description of a column is too long"));
    }
    let mut values = ProtocolReader::new(packet);
    // Catalogue and schema, then table and column, each with and without its alias.
    for _ in 0..6 {
        values.text()?;
    }
    // Character set, length, type, flags and decimals.
    if values.number()? < 10 {
        return Err(MySqlError::Protocol("its description of a column is incomplete"));
    }
    values.bytes(10).map(|_| ())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn length_encoded_numbers_and_texts_are_read() {
        let number = |packet: &[u8]| ProtocolReader::new(packet).number().ok();
        assert_eq!(number(&[0xfa]), Some(250));
        assert_eq!(number(&[0xfc, 1, 2]), Some(513));
        assert_eq!(number(&[0xfd, 1, 0, 1]), Some(65_537));
        assert_eq!(number(&[0xfe, 0, 0, 0, 0, 0, 0, 0, 0x80]), Some(1 << 63));
        assert_eq!((number(&[0xfc, 1]), number(&[0xfb]), number(&[])), (None, None, None));
        let mut values = ProtocolReader::new(&[2, b'o', b'k', 0xfb, 0, 9, b'x']);
        assert_eq!(values.text().ok(), Some(Some(b"ok".as_slice())));
        assert_eq!(values.text().ok(), Some(None));
        assert_eq!(values.text().ok(), Some(Some(b"".as_slice())));
        assert!(values.text().is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(packet in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = check_column(&packet);
            let _ = ProtocolReader::new(&packet).until_zero();
            let _ = ProtocolReader::new(&packet).number();
            let mut values = ProtocolReader::new(&packet);
            while values.text().is_ok() {}
        }
    }
}
