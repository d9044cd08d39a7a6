// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Reading to the end, in the two ways everything here reads.

use std::io::{self, ErrorKind, Read};

/// The next bytes of a reader: as many as the buffer holds, fewer only at the end, none behind it.
pub fn read_piece<'b>(reader: &mut impl Read, buffer: &'b mut [u8]) -> io::Result<&'b mut [u8]> {
    let mut count = 0;
    while count < buffer.len() {
        match reader.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&mut buffer[..count])
}

/// Everything a reader has; None if that is more than `limit_bytes`.
pub fn read_at_most(reader: impl Read, limit_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit_bytes).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and is interrupted before each.
    struct Halting(Vec<u8>, bool);

    impl Read for Halting {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            match (self.1, self.0.pop()) {
                (true, byte) => {
                    self.0.extend(byte);
                    Err(ErrorKind::Interrupted.into())
                }
                (false, Some(byte)) => {
                    buffer[0] = byte;
                    Ok(1)
                }
                (false, None) => Ok(0),
            }
        }
    }

    #[test]
    fn pieces_are_whole_whatever_the_reader_gives_at_a_time() {
        let (mut reader, mut buffer) = (Halting(vec![5, 4, 3, 2, 1], false), [0; 3]);
        assert_eq!(read_piece(&mut reader, &mut buffer).expect("reads"), [1, 2, 3]);
        assert_eq!(read_piece(&mut reader, &mut buffer).expect("reads"), [4, 5]);
        assert!(read_piece(&mut reader, &mut buffer).expect("reads").is_empty());
    }

    #[test]
    fn what_is_longer_than_the_limit_is_not_given() {
        assert_eq!(read_at_most(&b"12345"[..], 5).expect("reads").as_deref(), Some(&b"12345"[..]));
        assert_eq!(read_at_most(&b"123456"[..], 5).expect("reads"), None);
    }
}
