//! Revert: a new commit that undoes another one.

use model::limits::MESSAGE_BYTES_MAX;
use model::{CommitId, RepositoryId, Root};

use crate::access::Verb;
use crate::landing::{Request, Source};
use crate::{CommitSpec, Engine, Error, Principal, Result};

impl Engine {
    /// Undoes one commit on top of the head; an empty message becomes `Revert "..."`. Kinds:
    /// `Invalid` for the first commit, `Conflict` if what it changed has been changed since, `Gone`
    /// for a stale one or one whose parent is stale.
    pub async fn revert_commit(
        &self,
        principal: &Principal,
        organization: &str,
        repository: &str,
        commit: &str,
        spec: CommitSpec,
    ) -> Result<CommitId> {
        let verb = Verb::RevertCommit;
        let (organization, found) =
            self.repository_for(principal, organization, repository, verb).await?;
        let not_found = || Error::not_found("commit");
        let commit = self.resolve(&found, Some(commit)).await?.ok_or_else(not_found)?;
        let message = match spec.message.is_empty() {
            true => default_message(&commit.message),
            false => spec.message,
        };
        let spec = CommitSpec { message, ..spec }.checked()?;
        let resource = format!("repositories/{}/commits/{}", found.name, commit.id);
        let deed = self.deed(principal, Some(organization.id), "RevertCommit", resource);
        let (repository, source) = (found.id, Source::Revert(commit.id));
        self.land(Request { principal, repository, source, spec, deed }).await
    }

    /// The trees of a commit and of its parent: what leads from the one to the other undoes it.
    pub(crate) async fn trees_of(
        &self,
        repository: RepositoryId,
        commit: CommitId,
    ) -> Result<(Root, Root)> {
        let (catalog, not_found) = (self.catalog(), || Error::not_found("commit"));
        let found = catalog.repository_by_id(repository).await?;
        let found = found.ok_or_else(|| Error::not_found("repository"))?;
        let commit = catalog.commit(repository, commit).await?.ok_or_else(not_found)?;
        let parent = commit.parent.ok_or_else(|| {
            Error::invalid("commit_id: the first commit of a repository cannot be reverted")
        })?;
        let parent = catalog.commit(repository, parent).await?.ok_or_else(not_found)?;
        Ok((self.readable(&found, &commit)?, self.readable(&found, &parent)?))
    }
}

fn default_message(original: &str) -> String {
    let (start, end) = ("Revert \"", "\"");
    let bytes = original.floor_char_boundary(MESSAGE_BYTES_MAX - start.len() - end.len());
    format!("{start}{}{end}", &original[..bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_message_keeps_the_bound() {
        assert_eq!(default_message("Add \"x\""), "Revert \"Add \"x\"\"");
        for character in ["x", "\u{e9}", "\u{1f980}"] {
            let message = default_message(&character.repeat(MESSAGE_BYTES_MAX));
            assert!((MESSAGE_BYTES_MAX - 4..=MESSAGE_BYTES_MAX).contains(&message.len()));
        }
    }
}
