//! Multipart uploads: parts are durable rows as soon as they are acknowledged, so they outlive a
//! restart.
//!
//! The pieces of a part are cut from its start and hashed for the place in the object that the part
//! seems to have. Where that proves right, and it does for parts whose size is a multiple of a
//! piece, completing reads no byte.

use std::collections::HashMap;

use model::limits::{PARTS_MAX, PIECE_BYTES, UPLOAD_MS};
use model::{Hash, Part, SessionId, Upload, UploadId};

use super::arrival::{Incoming, Place};
use super::spec::parse_tag;
use super::{Destination, MultipartTicket, PartOf, PartRef, UploadSpec};
use crate::links::{self, Link};
use crate::{Engine, Error, Principal, Result};

impl Engine {
    /// Begins a multipart upload to `path`.
    pub async fn begin_multipart(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
    ) -> Result<MultipartTicket> {
        let to = self.destination(principal, organization, repository, session, path).await?;
        let id = UploadId(self.entropy().uuid());
        let (created_at, expires_at) = (self.now(), self.in_ms(UPLOAD_MS));
        let upload = Upload {
            id,
            repository: to.repository.id,
            session: to.session.id,
            path: to.path.clone(),
            created_at,
            expires_at,
        };
        self.catalog().create_upload(&upload).await.map_err(|error| match error {
            catalog::Error::TooMany { .. } => Error::conflict(
                "the session has as many multipart uploads as one can: complete or abort some",
            ),
            error => error.into(),
        })?;
        let token = self.links.sign(Link::Multipart(to.target(id)), expires_at)?;
        Ok(MultipartTicket { id, token })
    }

    /// A token for the link that takes part `number`.
    #[expect(clippy::too_many_arguments, reason = "a verb names its resource in full")]
    pub async fn sign_part(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
        upload: &PartOf,
        number: u32,
    ) -> Result<String> {
        let to = self.destination(principal, organization, repository, session, path).await?;
        if !(1..=PARTS_MAX).contains(&number) {
            return Err(Error::invalid(format!("part_number: must be 1 to {PARTS_MAX}")));
        }
        let found = self.multipart(&to, upload).await?;
        let link = Link::Part { upload: found.id, repository: found.repository, number };
        self.links.sign(link, found.expires_at)
    }

    /// Takes the bytes of a part; gives its ETag. A part that came before under the same number is
    /// replaced.
    pub(super) async fn receive_part(
        &self,
        id: UploadId,
        number: u32,
        incoming: Incoming,
    ) -> Result<Hash> {
        let upload = self.catalog().upload(id, self.now()).await?.ok_or_else(gone)?;
        let earlier = self.catalog().parts(id).await?;
        let offset = assumed_offset(number, incoming.length(), &earlier);
        let place = Place::From(offset / PIECE_BYTES);
        let arrived = self.uploads.take_in(upload.repository, incoming, place).await?;
        self.reach("upload.received")?;
        let pieces = match arrived.pieces[..] {
            [] => Vec::new(),
            ref pieces => tree::extent_list::encode(pieces)?,
        };
        let tag = tag_of(arrived.size, arrived.pieces.iter().map(|piece| piece.hash));
        let part = Part { number, size: arrived.size, tag, offset, pieces };
        let segments = self.durable(&arrived.held).await?;
        let _turn = self.uploads.turns.shared(id).await;
        match self.catalog().record_part(id, &part, &segments).await? {
            true => Ok(tag),
            false => Err(gone()),
        }
    }

    /// Makes one object of the parts, in the order of their numbers, and stages it; durable when
    /// this returns. None make an empty object. `Invalid` naming a part that is not there or has
    /// another ETag; the upload stays then.
    #[expect(clippy::too_many_arguments, reason = "a verb names its resource in full")]
    pub async fn complete_multipart(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
        upload: &PartOf,
        parts: Vec<PartRef>,
        spec: UploadSpec,
    ) -> Result<Hash> {
        let to = self.destination(principal, organization, repository, session, path).await?;
        let stated = spec.check()?;
        if upload.token.is_none() {
            return Err(Error::invalid("upload_token: missing"));
        }
        let _turn = self.uploads.turns.alone(upload.id).await;
        self.multipart(&to, upload).await?;
        let parts = named(&parts, self.catalog().parts(upload.id).await?)?;
        stated.compare_size(parts.iter().map(|part| part.size).sum())?;
        let arrived = self.assemble(to.repository.id, parts).await?;
        let object = self.uploads.object(to.repository.id, arrived).await?;
        stated.compare(object.size, object.hash)?;
        let entry = stated.entry(&object, self.now());
        let segments = self.durable(&object.held).await?;
        self.stage_upload(&to, entry, &segments, Some(upload.id)).await?;
        Ok(object.hash)
    }

    /// Gives a multipart upload up, if it has not ended already.
    pub async fn abort_multipart(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        session: SessionId,
        path: &str,
        upload: &PartOf,
    ) -> Result<()> {
        let to = self.destination(principal, organization, repository, session, path).await?;
        self.check_token(&to, upload)?;
        if self.find(&to, upload.id).await?.is_some() {
            self.catalog().abort_upload(upload.id).await?;
        }
        Ok(())
    }

    /// The upload that a request is about, if it is one to this destination.
    async fn multipart(&self, to: &Destination, upload: &PartOf) -> Result<Upload> {
        self.check_token(to, upload)?;
        self.find(to, upload.id).await?.ok_or_else(gone)
    }

    /// A token is not needed, because the id cannot be guessed, but must not be a wrong one.
    fn check_token(&self, to: &Destination, upload: &PartOf) -> Result<()> {
        let Some(token) = &upload.token else { return Ok(()) };
        match self.links.open(token, self.now())? {
            Link::Multipart(target) if target == to.target(upload.id) => Ok(()),
            _ => Err(links::invalid()),
        }
    }

    async fn find(&self, to: &Destination, id: UploadId) -> Result<Option<Upload>> {
        let found = self.catalog().upload(id, self.now()).await?;
        Ok(found.filter(|found| found.session == to.session.id && found.path == to.path))
    }
}

fn gone() -> Error {
    Error::not_found("upload")
}

/// Where the part probably begins. Behind those before it, if all have come, as they have where
/// parts are sent one after the other. Else all parts but the last are taken to have one size: that
/// of those before it that have come, or its own. Where that says nothing, or is not between two
/// pieces, the start of the object will do: then the part is cut anew in the end.
fn assumed_offset(number: u32, length: Option<u64>, recorded: &[Part]) -> u64 {
    let before = u64::from(number - 1);
    let earlier = recorded.iter().filter(|part| part.number < number);
    let sizes: Vec<u64> = earlier.map(|part| part.size).collect();
    let offset = match sizes[..] {
        _ if sizes.len() as u64 == before => Some(sizes.iter().sum()),
        [] => length.map(|length| before.saturating_mul(length)),
        [first, ..] => sizes.iter().all(|size| *size == first).then_some(before * first),
    };
    offset.filter(|offset: &u64| offset.is_multiple_of(PIECE_BYTES)).unwrap_or(0)
}

/// The ETag of a part: BLAKE3 of its size and the hashes of its pieces.
fn tag_of(size: u64, hashes: impl Iterator<Item = Hash>) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&size.to_le_bytes());
    for hash in hashes {
        hasher.update(&hash.0);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// The recorded parts that a client names.
fn named(refs: &[PartRef], recorded: Vec<Part>) -> Result<Vec<Part>> {
    if let Some(pair) = refs.windows(2).find(|pair| pair[0].number >= pair[1].number) {
        let [first, second] = [pair[0].number, pair[1].number];
        let message = format!("parts: numbers must ascend, but {second} follows {first}");
        return Err(Error::invalid(message));
    }
    let mut recorded: HashMap<u32, Part> =
        recorded.into_iter().map(|part| (part.number, part)).collect();
    let find = |named: &PartRef| {
        let number = named.number;
        let part = recorded
            .remove(&number)
            .ok_or_else(|| Error::invalid(format!("parts: part {number} has not arrived")))?;
        match parse_tag(&named.etag) == Some(part.tag) {
            true => Ok(part),
            false => Err(Error::invalid(format!(
                "parts: part {number} has another etag than the one given"
            ))),
        }
    };
    refs.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: u64 = PIECE_BYTES;

    fn part(number: u32, size: u64) -> Part {
        let tag = tag_of(size, std::iter::empty());
        Part { number, size, tag, offset: 0, pieces: Vec::new() }
    }

    #[test]
    fn a_part_is_taken_to_follow_the_others() {
        let full = [part(1, 4 * PIECE), part(2, 4 * PIECE)];
        assert_eq!(assumed_offset(1, Some(5), &[]), 0);
        assert_eq!(assumed_offset(3, Some(5), &full), 8 * PIECE, "all before it are known");
        assert_eq!(assumed_offset(3, None, &[part(1, 4 * PIECE), part(2, PIECE)]), 5 * PIECE);
        assert_eq!(assumed_offset(3, Some(PIECE), &[part(1, 5), part(2, 5)]), 0, "not a piece");
        assert_eq!(assumed_offset(5, Some(3), &full), 16 * PIECE, "as long as those before it");
        assert_eq!(assumed_offset(3, Some(2 * PIECE), &[]), 4 * PIECE, "as long as itself");
        assert_eq!(assumed_offset(3, Some(PIECE), &[part(4, 5)]), 2 * PIECE, "not those after it");
        assert_eq!(assumed_offset(2, Some(4 * PIECE), &full), 4 * PIECE, "replaced");
        assert_eq!(assumed_offset(4, None, &[part(1, PIECE), part(2, 2 * PIECE)]), 0, "nothing");
        assert_eq!(assumed_offset(2, None, &[]), 0, "nothing");
        assert_eq!(assumed_offset(10_000, Some(u64::MAX), &[]), 0, "no object is so long");
    }

    #[test]
    fn parts_are_named_in_order_with_their_tags() {
        let recorded = || vec![part(1, 1), part(2, 2), part(3, 3)];
        let named_by = |number, tag: &Part| PartRef { number, etag: format!("\"{}\"", tag.tag) };
        let [one, two, three] = [part(1, 1), part(2, 2), part(3, 3)];
        let found = named(&[named_by(1, &one), named_by(3, &three)], recorded()).expect("named");
        assert_eq!(found, [one.clone(), three.clone()]);
        assert!(named(&[], recorded()).expect("no parts").is_empty());
        let refused = |refs: &[PartRef]| named(refs, recorded()).expect_err("refused").message;
        assert!(refused(&[named_by(2, &three)]).contains("part 2 has another etag"));
        assert!(refused(&[named_by(4, &three)]).contains("part 4 has not arrived"));
        assert!(refused(&[named_by(2, &two), named_by(1, &one)]).contains("1 follows 2"));
        assert!(refused(&[named_by(2, &two), named_by(2, &two)]).contains("2 follows 2"));
    }
}
