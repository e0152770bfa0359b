//! Comparing the bytes of an object with the checksums its source offers.

use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::{Checksum, ObjectMeta};

/// Objects up to this size have their MD5 computed in either mode: the time is not noticed.
const MD5_AUTO_BYTES_MAX: u64 = 1 << 20;

/// How much to verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VerifyMode {
    /// Every checksum the source offers, and the MD5 of objects of up to 1 MiB.
    #[default]
    Auto,
    /// Every checksum the source offers, and the MD5 wherever the ETag is one.
    Full,
}

/// Bytes that are not those the source promised.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the bytes do not have the {algorithm} that the source gives for them")]
pub struct Mismatch {
    /// The name of the checksum.
    pub algorithm: &'static str,
}

/// Takes the bytes of one whole object in order.
pub struct Verifier(Vec<Check>);

enum Check {
    Crc { name: &'static str, running: Crc, expected: u64 },
    Sha256 { running: Sha256, expected: [u8; 32] },
    Md5 { running: Md5, expected: [u8; 16] },
}

impl Verifier {
    /// For an object of `size` bytes that was opened whole.
    pub fn new(mode: VerifyMode, meta: &ObjectMeta, size: u64) -> Self {
        let mut checks: Vec<Check> = meta.checksums.iter().map(Check::of).collect();
        if mode == VerifyMode::Full || size <= MD5_AUTO_BYTES_MAX {
            let md5 = if meta.etag_is_md5 { meta.etag.as_deref().and_then(md5_of) } else { None };
            checks.extend(md5.map(|expected| Check::Md5 { running: Md5::new(), expected }));
        }
        Self(checks)
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for check in &mut self.0 {
            match check {
                Check::Crc { running, .. } => running.update(bytes),
                Check::Sha256 { running, .. } => running.update(bytes),
                Check::Md5 { running, .. } => running.update(bytes),
            }
        }
    }

    /// Compares, once all bytes have been taken.
    pub fn finish(self) -> Result<(), Mismatch> {
        self.0.into_iter().try_for_each(|check| {
            let (algorithm, equal) = match check {
                Check::Crc { name, running, expected } => (name, running.finalize() == expected),
                Check::Sha256 { running, expected } => ("SHA-256", *running.finalize() == expected),
                Check::Md5 { running, expected } => ("MD5", *running.finalize() == expected),
            };
            if equal { Ok(()) } else { Err(Mismatch { algorithm }) }
        })
    }
}

impl Check {
    fn of(checksum: &Checksum) -> Self {
        let crc =
            |name, algorithm, expected| Self::Crc { name, running: Crc::new(algorithm), expected };
        match *checksum {
            Checksum::Crc32(value) => crc("CRC-32", CrcAlgorithm::Crc32IsoHdlc, value.into()),
            Checksum::Crc32c(value) => crc("CRC-32C", CrcAlgorithm::Crc32Iscsi, value.into()),
            Checksum::Crc64Nvme(value) => crc("CRC-64/NVME", CrcAlgorithm::Crc64Nvme, value),
            Checksum::Sha256(expected) => Self::Sha256 { running: Sha256::new(), expected },
        }
    }
}

/// The MD5 that an ETag of 32 hex digits in quotes spells.
pub(crate) fn md5_of(etag: &str) -> Option<[u8; 16]> {
    let digits = etag.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut md5 = [0; 16];
    for (byte, pair) in md5.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(md5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE: &[u8] = b"123456789";

    fn meta(etag: &str, checksums: &[Checksum]) -> ObjectMeta {
        ObjectMeta {
            content_type: "text/plain".into(),
            last_modified: model::Timestamp::default(),
            metadata: Default::default(),
            etag: Some(etag.into()),
            version_id: None,
            checksums: checksums.to_vec(),
            etag_is_md5: md5_of(etag).is_some(),
        }
    }

    fn verify(
        mode: VerifyMode,
        meta: &ObjectMeta,
        size: u64,
        bytes: &[u8],
    ) -> Result<(), Mismatch> {
        let mut verifier = Verifier::new(mode, meta, size);
        bytes.chunks(4).for_each(|chunk| verifier.update(chunk));
        verifier.finish()
    }

    #[test]
    fn every_offered_checksum_is_compared() {
        let sha256 = Sha256::digest(NINE).into();
        for (algorithm, right, wrong) in [
            ("CRC-32", Checksum::Crc32(0xcbf4_3926), Checksum::Crc32(1)),
            ("CRC-32C", Checksum::Crc32c(0xe306_9283), Checksum::Crc32c(1)),
            ("CRC-64/NVME", Checksum::Crc64Nvme(0xae8b_1486_0a79_9888), Checksum::Crc64Nvme(1)),
            ("SHA-256", Checksum::Sha256(sha256), Checksum::Sha256([0; 32])),
        ] {
            assert_eq!(verify(VerifyMode::Auto, &meta("\"x\"", &[right]), 9, NINE), Ok(()));
            let result = verify(VerifyMode::Auto, &meta("\"x\"", &[right, wrong]), 9, NINE);
            assert_eq!(result, Err(Mismatch { algorithm }));
        }
    }

    #[test]
    fn the_md5_is_compared_where_it_is_cheap_or_wanted() {
        let right = meta("\"25F9e794323b453885f5181f1b624d0b\"", &[]);
        let wrong = meta("\"00000000000000000000000000000000\"", &[]);
        let mismatch = Err(Mismatch { algorithm: "MD5" });
        assert_eq!(verify(VerifyMode::Auto, &right, 9, NINE), Ok(()));
        assert_eq!(verify(VerifyMode::Auto, &wrong, 9, NINE), mismatch);
        assert_eq!(verify(VerifyMode::Auto, &wrong, MD5_AUTO_BYTES_MAX + 1, NINE), Ok(()));
        assert_eq!(verify(VerifyMode::Full, &wrong, MD5_AUTO_BYTES_MAX + 1, NINE), mismatch);
        let encrypted = ObjectMeta { etag_is_md5: false, ..wrong };
        assert_eq!(verify(VerifyMode::Full, &encrypted, 9, NINE), Ok(()));
    }

    #[test]
    fn only_32_hex_digits_in_quotes_are_an_md5() {
        for etag in [
            "25f9e794323b453885f5181f1b624d0b",
            "\"25f9e794323b453885f5181f1b624d0b-2\"",
            "\"25f9e794323b453885f5181f1b624d0\"",
            "W/\"25f9e794323b453885f5181f1b624d0b\"",
            "\"25f9e794323b453885f5181f1b624d0g\"",
            "\"\u{e9}5f9e794323b453885f5181f1b624d0\"",
        ] {
            assert_eq!(md5_of(etag), None, "{etag}");
        }
    }
}
