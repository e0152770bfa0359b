//! The elements that pages, runs and extent lists are made of: varints, texts, times, hashes,
//! extents.
//!
//! Reading takes any bytes: what does not follow docs/formats.md to the letter is [`Corrupt`],
//! never a panic.

use model::{Extent, Hash, SegmentId, Timestamp, WriterId};

/// The version of everything this room writes.
pub(crate) const VERSION: u8 = 1;

/// Bytes that are not what a writer would have written; says which check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) &'static str);

pub(crate) type Read<T> = Result<T, Corrupt>;

/// Appends the four bytes every item of this room begins with.
pub(crate) fn put_magic(out: &mut Vec<u8>, kind: u8) {
    out.extend_from_slice(&[b'T', b'P', kind, VERSION]);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.0.to_le_bytes());
}

pub(crate) fn put_extent(out: &mut Vec<u8>, extent: Extent) {
    put_varint(out, extent.segment.writer.0);
    put_varint(out, extent.segment.number.into());
    put_varint(out, extent.offset.into());
    put_varint(out, extent.length.into());
}

/// Bytes yet to be read.
#[derive(Clone)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Number of bytes not yet read.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Everything must have been read.
    pub(crate) fn end(&self) -> Read<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Corrupt("trailing bytes")) }
    }

    pub(crate) fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Corrupt("too short"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Corrupt("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Read<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The four first bytes; returns the kind, and the version must be ours.
    pub(crate) fn magic(&mut self) -> Read<u8> {
        match self.array()? {
            [b'T', b'P', kind, VERSION] => Ok(kind),
            [b'T', b'P', _, _] => Err(Corrupt("unknown version")),
            _ => Err(Corrupt("wrong magic")),
        }
    }

    pub(crate) fn varint(&mut self) -> Read<u64> {
        let mut value = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Corrupt("wrong varint"))
    }

    /// A varint that is at most `max`: a count or an index.
    pub(crate) fn count(&mut self, max: usize) -> Read<usize> {
        match usize::try_from(self.varint()?) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(Corrupt("number out of range")),
        }
    }

    fn varint_u32(&mut self) -> Read<u32> {
        u32::try_from(self.varint()?).map_err(|_| Corrupt("number out of range"))
    }

    /// A varint length and that many bytes.
    pub(crate) fn bytes(&mut self) -> Read<&'a [u8]> {
        let length = self.count(self.rest.len())?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Corrupt("text is not UTF-8"))
    }

    pub(crate) fn time(&mut self) -> Read<Timestamp> {
        self.array().map(i64::from_le_bytes).map(Timestamp)
    }

    pub(crate) fn hash(&mut self) -> Read<Hash> {
        self.array().map(Hash)
    }

    pub(crate) fn uuid(&mut self) -> Read<uuid::Uuid> {
        self.array().map(uuid::Uuid::from_bytes)
    }

    pub(crate) fn extent(&mut self) -> Read<Extent> {
        let writer = WriterId(self.varint()?);
        let segment = SegmentId { writer, number: self.varint_u32()? };
        let extent = Extent { segment, offset: self.varint_u32()?, length: self.varint_u32()? };
        if extent.length == 0 { Err(Corrupt("empty extent")) } else { Ok(extent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Read<u64> {
        let mut input = Input::new(bytes);
        let value = input.varint()?;
        input.end().map(|()| value)
    }

    #[test]
    fn a_varint_has_one_spelling() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(varint(&bytes), Ok(value));
        }
        for wrong in [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff; 11], &[1, 1]] {
            assert!(varint(wrong).is_err(), "{wrong:?}");
        }
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(varint(&too_large).is_err());
    }
}
