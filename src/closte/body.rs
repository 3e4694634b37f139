use std::io::{self, Read};

use tokio::sync::mpsc::{self, Receiver, Sender};

/// A body that is parsed in another thread while it arrives.
pub(super) struct Body<T> {
    pieces: Receiver<T>,
    /// The piece that is being read, and how much of it was.
    piece: Option<(T, usize)>,
}

/// The body ends when the sender is dropped.
pub(super) fn channel<T: AsRef<[u8]>>(pieces: usize) -> (Sender<T>, Body<T>) {
    let (sender, receiver) = mpsc::channel(pieces);
    (sender, Body { pieces: receiver, piece: None })
}

impl<T: AsRef<[u8]>> Read for Body<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((piece, read)) = &mut self.piece {
                let mut rest = piece.as_ref().get(*read..).unwrap_or_default();
                let length = rest.read(buffer)?;
                if length > 0 {
                    *read += length;
                    return Ok(length);
                }
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = Some((piece, 0)),
                None => return Ok(0),
            }
        }
    }
}
