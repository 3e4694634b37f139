//! The values that packets are made of: <https://mariadb.com/kb/en/protocol-data-types/>.

use super::MySqlError;

/// A packet, read from its beginning. What it lacks is an error.
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
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or(MySqlError::Garbled("it sends a cut packet"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, MySqlError> {
        self.integer(1).map(|value| value as u8)
    }

    /// An integer of so many bytes, at most eight.
    pub(super) fn integer(&mut self, bytes: usize) -> Result<u64, MySqlError> {
        let taken = self.bytes(bytes)?;
        Ok(taken.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Everything up to the next zero byte, which is passed over.
    pub(super) fn until_zero(&mut self) -> Result<&'p [u8], MySqlError> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.bytes(end.unwrap_or(usize::MAX))?;
        self.bytes(1)?;
        Ok(text)
    }

    /// A number that says how long it is.
    pub(super) fn number(&mut self) -> Result<u64, MySqlError> {
        match self.byte()? {
            small @ 0..=0xfa => Ok(small.into()),
            0xfc => self.integer(2),
            0xfd => self.integer(3),
            0xfe => self.integer(8),
            0xfb | 0xff => Err(MySqlError::Garbled("it sends a number that is none")),
        }
    }

    /// A text that says how long it is; none for NULL.
    pub(super) fn text(&mut self) -> Result<Option<&'p [u8]>, MySqlError> {
        if self.0.first() == Some(&0xfb) {
            self.bytes(1)?;
            return Ok(None);
        }
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.bytes(length).map(Some)
    }
}

/// Six names of the longest kind, an alias of 256 characters, are less.
const LONGEST_COLUMN: usize = 8 * 1024;

/// Whether a packet describes a column. What it says is of no interest: who asked knows.
pub(super) fn check_column(packet: &[u8]) -> Result<(), MySqlError> {
    if packet.len() > LONGEST_COLUMN {
        return Err(MySqlError::Garbled("it describes a column without end"));
    }
    let mut values = ProtocolReader::new(packet);
    // Catalogue, schema, table and column, the latter two with and without their aliases.
    for _ in 0..6 {
        values.text()?;
    }
    // Character set, length, kind, flags and decimals.
    if values.number()? < 10 {
        return Err(MySqlError::Garbled("it sends a cut description of a column"));
    }
    values.bytes(10).map(|_| ())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_texts_say_how_long_they_are() {
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
        fn any_bytes_are_read_or_refused(packet in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = check_column(&packet);
            let _ = ProtocolReader::new(&packet).until_zero();
            let _ = ProtocolReader::new(&packet).number();
            let mut values = ProtocolReader::new(&packet);
            while values.text().is_ok() {}
        }
    }
}
