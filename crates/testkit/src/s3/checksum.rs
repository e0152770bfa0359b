//! The checksum headers of S3.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use sha2::{Digest, Sha256};

use crate::s3::{Checksum, Content};

/// Bytes summed at a time, so that content which is made is never held whole.
const STEP: u64 = 1 << 20;

impl Checksum {
    /// The header that carries it.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Its value for these bytes: Base64 of the big-endian sum.
    pub fn of(self, content: &Content) -> String {
        match self {
            Self::Crc32 => crc32(CrcAlgorithm::Crc32IsoHdlc, content),
            Self::Crc32c => crc32(CrcAlgorithm::Crc32Iscsi, content),
            Self::Crc64Nvme => STANDARD.encode(crc(CrcAlgorithm::Crc64Nvme, content).to_be_bytes()),
            Self::Sha1 => {
                let mut sha = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
                parts(content).for_each(|part| sha.update(&part));
                STANDARD.encode(sha.finish())
            }
            Self::Sha256 => {
                let mut sha = Sha256::new();
                parts(content).for_each(|part| sha.update(&part));
                STANDARD.encode(sha.finalize())
            }
        }
    }
}

fn parts(content: &Content) -> impl Iterator<Item = Bytes> {
    let len = content.len();
    (0..len).step_by(STEP as usize).map(move |start| content.slice(start..len.min(start + STEP)))
}

fn crc(algorithm: CrcAlgorithm, content: &Content) -> u64 {
    let mut crc = Crc::new(algorithm);
    parts(content).for_each(|part| crc.update(&part));
    crc.finalize()
}

fn crc32(algorithm: CrcAlgorithm, content: &Content) -> String {
    let sum = u32::try_from(crc(algorithm, content)).expect("the sum has 32 bits");
    STANDARD.encode(sum.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_catalogues_check_word() {
        let check = Content::Held(Bytes::from_static(b"123456789"));
        assert_eq!(Checksum::Crc32.of(&check), STANDARD.encode(0xcbf4_3926_u32.to_be_bytes()));
        assert_eq!(Checksum::Crc32c.of(&check), STANDARD.encode(0xe306_9283_u32.to_be_bytes()));
        let crc64 = 0xae8b_1486_0a79_9888_u64.to_be_bytes();
        assert_eq!(Checksum::Crc64Nvme.of(&check), STANDARD.encode(crc64));
        assert_eq!(Checksum::Sha1.of(&check), "98O8HYCOBHMq32eZZczDTKeuNEE=");
        let empty = Content::Held(Bytes::new());
        assert_eq!(Checksum::Sha256.of(&empty), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
