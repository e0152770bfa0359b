//! Comparing the bytes of an object with the checksums its source offers.

use crc_fast::{CrcAlgorithm, Digest as Crc, checksum_combine};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{Checksum, ObjectMeta};

/// Objects up to this size have their MD5 computed in either mode: the time is not noticed.
const MD5_AUTO_BYTES_MAX: u64 = 1 << 20;

/// How much to verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VerifyMode {
    /// Every checksum the source offers; an MD5 only of objects of up to 1 MiB, or where there is
    /// nothing else.
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
pub struct Verifier(Vec<(Checksum, Running)>);

enum Running {
    Crc(Crc),
    Sha1(Sha1),
    Sha256(Sha256),
    Md5(Md5),
}

impl Verifier {
    /// For an object of `size` bytes that was opened whole. What is offered twice is checked once;
    /// if it is offered as two different sums, one of them will not match.
    pub fn new(mode: VerifyMode, meta: &ObjectMeta, size: u64) -> Self {
        let full = mode == VerifyMode::Full || size <= MD5_AUTO_BYTES_MAX;
        let etag = meta.etag.as_deref().filter(|_| full && meta.etag_is_md5);
        let md5 = etag.and_then(md5_of).map(Checksum::Md5);
        let mut checks: Vec<(Checksum, Running)> = Vec::new();
        // An MD5 costs more than all the rest: where something else vouches for the bytes, it is
        // left to the full mode, as that of an ETag is.
        let has_other = meta.checksums.iter().any(|one| !matches!(one, Checksum::Md5(_)));
        let is_wanted = |one: &Checksum| full || !has_other || !matches!(one, Checksum::Md5(_));
        let offered = meta.checksums.iter().copied().filter(is_wanted);
        for checksum in offered.chain(md5) {
            if checks.iter().all(|(known, _)| *known != checksum) {
                checks.push((checksum, Running::of(&checksum)));
            }
        }
        Self(checks)
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for (_, running) in &mut self.0 {
            match running {
                Running::Crc(running) => running.update(bytes),
                Running::Sha1(running) => running.update(bytes),
                Running::Sha256(running) => running.update(bytes),
                Running::Md5(running) => running.update(bytes),
            }
        }
    }

    /// Compares, once all bytes have been taken.
    pub fn finish(self) -> Result<(), Mismatch> {
        self.0.into_iter().try_for_each(|(expected, running)| {
            let equal = match running {
                Running::Crc(running) => expected.matches_crc(running.finalize()),
                Running::Sha1(running) => Checksum::Sha1(running.finalize().into()) == expected,
                Running::Sha256(running) => Checksum::Sha256(running.finalize().into()) == expected,
                Running::Md5(running) => Checksum::Md5(running.finalize().into()) == expected,
            };
            if equal { Ok(()) } else { Err(expected.mismatch()) }
        })
    }
}

impl Running {
    fn of(checksum: &Checksum) -> Self {
        match (checksum, checksum.crc()) {
            (_, Some((algorithm, _))) => Self::Crc(Crc::new(algorithm)),
            (Checksum::Sha1(_), _) => Self::Sha1(Sha1::new()),
            (Checksum::Sha256(_), _) => Self::Sha256(Sha256::new()),
            _ => Self::Md5(Md5::new()),
        }
    }
}

/// The CRC of one piece of an object, of the kind of a [`Checksum`] that covers the whole. What
/// the pieces have is put together by [`Checksum::combine`], whatever order they came in.
pub struct PieceDigest(Crc);

impl PieceDigest {
    /// `None` unless the checksum is a CRC: no other can be put together from pieces.
    pub fn new(checksum: &Checksum) -> Option<Self> {
        checksum.crc().map(|(algorithm, _)| Self(Crc::new(algorithm)))
    }

    /// Takes the next bytes of the piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The CRC of the piece.
    pub fn finish(self) -> u64 {
        self.0.finalize()
    }
}

impl Checksum {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Crc32(_) => "CRC-32",
            Self::Crc32c(_) => "CRC-32C",
            Self::Crc64Nvme(_) => "CRC-64/NVME",
            Self::Sha1(_) => "SHA-1",
            Self::Sha256(_) => "SHA-256",
            Self::Md5(_) => "MD5",
        }
    }

    /// Whether it can be computed from the pieces of an object: whether it is a CRC.
    pub fn combinable(&self) -> bool {
        self.crc().is_some()
    }

    /// The CRC of the whole, from CRC and length of each piece in the order of the object. 0 if
    /// this is no CRC; that matches nothing.
    pub fn combine(&self, pieces: impl IntoIterator<Item = (u64, u64)>) -> u64 {
        let Some((algorithm, _)) = self.crc() else { return 0 };
        let mut pieces = pieces.into_iter();
        let empty = || Crc::new(algorithm).finalize();
        let first = pieces.next().map_or_else(empty, |(crc, _)| crc);
        pieces.fold(first, |whole, (crc, len)| checksum_combine(algorithm, whole, crc, len))
    }

    /// Whether this CRC is the expected one.
    pub fn matches_crc(&self, crc: u64) -> bool {
        self.crc().is_some_and(|(_, expected)| expected == crc)
    }

    /// That it is not the one of the bytes.
    pub fn mismatch(&self) -> Mismatch {
        Mismatch { algorithm: self.name() }
    }

    fn crc(&self) -> Option<(CrcAlgorithm, u64)> {
        match *self {
            Self::Crc32(value) => Some((CrcAlgorithm::Crc32IsoHdlc, value.into())),
            Self::Crc32c(value) => Some((CrcAlgorithm::Crc32Iscsi, value.into())),
            Self::Crc64Nvme(value) => Some((CrcAlgorithm::Crc64Nvme, value)),
            Self::Sha1(_) | Self::Sha256(_) | Self::Md5(_) => None,
        }
    }
}

/// The MD5 that an ETag of 32 hex digits in quotes spells.
pub fn md5_of(etag: &str) -> Option<[u8; 16]> {
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
        let (sha1, md5) = (Sha1::digest(NINE).into(), Md5::digest(NINE).into());
        for (algorithm, right, wrong) in [
            ("CRC-32", Checksum::Crc32(0xcbf4_3926), Checksum::Crc32(1)),
            ("CRC-32C", Checksum::Crc32c(0xe306_9283), Checksum::Crc32c(1)),
            ("CRC-64/NVME", Checksum::Crc64Nvme(0xae8b_1486_0a79_9888), Checksum::Crc64Nvme(1)),
            ("SHA-1", Checksum::Sha1(sha1), Checksum::Sha1([0; 20])),
            ("SHA-256", Checksum::Sha256(sha256), Checksum::Sha256([0; 32])),
            ("MD5", Checksum::Md5(md5), Checksum::Md5([0; 16])),
        ] {
            assert_eq!(verify(VerifyMode::Auto, &meta("\"x\"", &[right]), 9, NINE), Ok(()));
            let result = verify(VerifyMode::Auto, &meta("\"x\"", &[right, wrong]), 9, NINE);
            assert_eq!(result, Err(Mismatch { algorithm }));
        }
    }

    #[test]
    fn a_sum_that_is_offered_twice_is_computed_once() {
        let md5 = Checksum::Md5(Md5::digest(NINE).into());
        let meta = meta("\"25f9e794323b453885f5181f1b624d0b\"", &[md5, md5]);
        let verifier = Verifier::new(VerifyMode::Full, &meta, 9);
        assert_eq!(verifier.0.len(), 1);
        let other = ObjectMeta { checksums: vec![Checksum::Md5([0; 16])], ..meta };
        assert!(verify(VerifyMode::Auto, &other, 9, NINE).is_err());
    }

    #[test]
    fn pieces_combine_to_the_whole() {
        let whole: Vec<u8> = (0..100_000_u32).map(|at| (at ^ (at >> 7)) as u8).collect();
        for kind in [Checksum::Crc32(0), Checksum::Crc32c(0), Checksum::Crc64Nvme(0)] {
            let crc = |bytes: &[u8]| {
                let mut digest = PieceDigest::new(&kind).expect("a CRC");
                bytes.chunks(1000).for_each(|chunk| digest.update(chunk));
                digest.finish()
            };
            for piece in [1 << 10, 4096, 33_333, 99_999, 100_000, 200_000] {
                let pieces = whole.chunks(piece).map(|piece| (crc(piece), piece.len() as u64));
                assert_eq!(kind.combine(pieces), crc(&whole), "{} {piece}", kind.name());
            }
            assert_eq!(kind.combine([(crc(NINE), 9), (crc(b""), 0)]), crc(NINE));
            assert_eq!(kind.combine([]), crc(b""));
            let expected = match kind {
                Checksum::Crc32(_) => Checksum::Crc32(crc(NINE) as u32),
                Checksum::Crc32c(_) => Checksum::Crc32c(crc(NINE) as u32),
                _ => Checksum::Crc64Nvme(crc(NINE)),
            };
            assert!(expected.combinable() && expected.matches_crc(crc(NINE)));
            assert!(!expected.matches_crc(crc(NINE) ^ 1));
        }
        let sha = Checksum::Sha1([0; 20]);
        assert!(!sha.combinable() && !sha.matches_crc(sha.combine([(0, 0)])));
        assert!(PieceDigest::new(&sha).is_none());
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
