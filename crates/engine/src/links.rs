//! Signed links: tokens in a URL that stand for a credential, for one purpose and a short time.
//!
//! A token is what it stands for (JSON) and a keyed BLAKE3 of that, each in base64url, with a dot
//! between them. The key is derived from the key ring that seals connector configs, so a link
//! outlives a restart and a rotation of keys. What a token is for is part of it: one for an upload
//! is worth nothing as one for a download.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalog::seal::KeyRing;
use model::limits::PRESIGNED_MS;
use model::{Hash, ObjectPath, RepositoryId, SessionId, Timestamp, UploadId, UserId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access::Verb;
use crate::{At, Engine, Error, Kind, Principal, Result};

/// What the keys are derived for.
const PURPOSE: &str = "tilde 2026-11 signed links v1";
/// No token is longer, so nothing longer is looked at: the longest holds a path of control
/// characters, six times as long in JSON.
const TOKEN_BYTES_MAX: usize = 24 << 10;

/// What a token stands for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Link {
    /// Sending the bytes of a single upload, and staging them.
    #[serde(rename = "u")]
    Upload(Target),
    /// All of a multipart upload but sending bytes.
    #[serde(rename = "m")]
    Multipart(Target),
    /// Sending the bytes of one part.
    #[serde(rename = "p")]
    Part {
        /// The upload.
        upload: UploadId,
        /// Where the bytes go.
        repository: RepositoryId,
        /// Which part.
        number: u32,
    },
    /// Reading one object.
    #[serde(rename = "d")]
    Download(Download),
}

/// Where an upload goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The upload.
    pub(crate) upload: UploadId,
    /// Where the bytes go.
    pub(crate) repository: RepositoryId,
    /// What it is staged in.
    pub(crate) session: SessionId,
    /// BLAKE3 of the path, in hex.
    path: String,
}

impl Target {
    pub(crate) fn new(
        upload: UploadId,
        repository: RepositoryId,
        session: SessionId,
        path: &ObjectPath,
    ) -> Self {
        let path = Hash::of(path.as_bytes()).to_string();
        Self { upload, repository, session, path }
    }
}

/// What a download link is for. Names, because those are what the ordinary verbs take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Download {
    user: UserId,
    organization: String,
    repository: String,
    /// The repository behind the names, which can be given away.
    id: RepositoryId,
    path: String,
    commit: Option<String>,
    session: Option<SessionId>,
}

/// What is signed.
#[derive(Serialize, Deserialize)]
struct Signed {
    #[serde(rename = "l")]
    link: Link,
    #[serde(rename = "e")]
    expires_at_us: i64,
}

/// Makes and opens tokens.
pub(crate) struct Signer {
    /// The first signs, all are recognized.
    keys: Vec<Zeroizing<[u8; 32]>>,
}

impl Signer {
    pub(crate) fn new(ring: &KeyRing) -> Self {
        Self { keys: ring.derive(PURPOSE) }
    }

    /// A token for `link` until then.
    pub(crate) fn sign(&self, link: Link, expires_at: Timestamp) -> Result<String> {
        let signed = Signed { link, expires_at_us: expires_at.0 };
        let payload = serde_json::to_vec(&signed).map_err(Error::internal)?;
        let key = self.keys.first().expect("a ring has a key");
        let code = blake3::keyed_hash(key, &payload);
        let parts = [URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(code.as_bytes())];
        Ok(parts.join("."))
    }

    /// What a token stands for. `Forbidden` (`LINK_INVALID`, `LINK_EXPIRED`) if nothing.
    pub(crate) fn open(&self, token: &str, now: Timestamp) -> Result<Link> {
        let Signed { link, expires_at_us } = self.verified(token).ok_or_else(invalid)?;
        match expires_at_us > now.0 {
            true => Ok(link),
            false => Err(forbidden("LINK_EXPIRED", "the link has expired: ask for a new one")),
        }
    }

    fn verified(&self, token: &str) -> Option<Signed> {
        let (payload, code) = token.split_once('.').filter(|_| token.len() <= TOKEN_BYTES_MAX)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let code: [u8; 32] = URL_SAFE_NO_PAD.decode(code).ok()?.try_into().ok()?;
        // Comparing two of these hashes takes the same time wherever they differ.
        let is_made_with = |key: &Zeroizing<[u8; 32]>| blake3::keyed_hash(key, &payload) == code;
        let is_ours = self.keys.iter().any(is_made_with);
        is_ours.then(|| serde_json::from_slice(&payload).ok()).flatten()
    }
}

/// No token of ours, or one for something else.
pub(crate) fn invalid() -> Error {
    forbidden("LINK_INVALID", "the link or token is not valid for this")
}

fn forbidden(code: &'static str, message: &str) -> Error {
    Error::new(Kind::Forbidden, code, message)
}

/// What a presigned download link stands for.
pub struct Presigned {
    /// Who made the link; whether they still may read is decided as for any other request.
    pub principal: Principal,
    /// Name of the organization.
    pub organization: String,
    /// Name of the repository.
    pub repository: String,
    /// Path of the object.
    pub path: String,
    /// In which state: never the head, which moves.
    pub at: At,
}

impl Engine {
    /// A token for reading one object without a credential, for 15 minutes. The object must be
    /// there.
    pub async fn presign_object(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        path: &str,
        at: &At,
    ) -> Result<String> {
        let verb = Verb::GetObject;
        let (_, found) = self.repository_for(principal, organization, repository, verb).await?;
        let (commit, session) = match at {
            At::Session(id) => (None, Some(*id)),
            At::Head => (found.head.map(|id| id.to_string()), None),
            At::Commit(reference) => {
                let commit = self.resolve(&found, Some(reference)).await?;
                (commit.map(|commit| commit.id.to_string()), None)
            }
        };
        let download = Download {
            user: principal.user.id,
            organization: organization.to_owned(),
            repository: repository.to_owned(),
            id: found.id,
            path: path.to_owned(),
            commit,
            session,
        };
        let at = download.at().ok_or_else(|| Error::not_found("object"))?;
        self.head_object(principal, organization, repository, path, &at).await?;
        self.links.sign(Link::Download(download), self.in_ms(PRESIGNED_MS))
    }

    /// What a token of [`Engine::presign_object`] stands for. `Forbidden` (`LINK_EXPIRED`,
    /// `LINK_INVALID`) for any other text.
    pub async fn presigned(&self, token: &str) -> Result<Presigned> {
        let Link::Download(download) = self.links.open(token, self.now())? else {
            return Err(invalid());
        };
        let at = download.at().ok_or_else(invalid)?;
        let user = self.catalog().user(download.user).await?.ok_or_else(invalid)?;
        let principal = Principal::new(user);
        let Download { organization, repository, id, path, .. } = download;
        let verb = Verb::GetObject;
        let (_, found) = self.repository_for(&principal, &organization, &repository, verb).await?;
        match found.id == id {
            true => Ok(Presigned { principal, organization, repository, path, at }),
            false => Err(invalid()),
        }
    }

    /// The time so many milliseconds from now.
    pub(crate) fn in_ms(&self, ms: i64) -> Timestamp {
        Timestamp(self.now().0.saturating_add(ms * 1_000))
    }
}

impl Download {
    /// The state it reads; none for the head of a repository without commits.
    fn at(&self) -> Option<At> {
        match (&self.commit, self.session) {
            (_, Some(session)) => Some(At::Session(session)),
            (Some(commit), None) => Some(At::Commit(commit.clone())),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests;
