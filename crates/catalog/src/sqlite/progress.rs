//! How the counts of a running import are brought together: what its worker tells at each
//! heartbeat, what its checkpoints say, and what was known before. They never fall.

use model::{ImportProgress, Phase, ShardState, limits};

/// What `shard` says of the job it belongs to.
pub(super) fn of_shard(shard: &ShardState) -> ImportProgress {
    ImportProgress {
        objects_listed: shard.listed,
        bytes_listed: shard.listed_bytes,
        listed_all: shard.listed_all,
        objects_imported: shard.objects,
        bytes_imported: shard.bytes,
        objects_unchanged: shard.unchanged,
        bytes_unchanged: shard.unchanged_bytes,
        objects_missing: shard.missing,
        objects_skipped: shard.skipped,
        skipped: shard.skipped_named.clone(),
        ..ImportProgress::default()
    }
}

/// After a heartbeat.
pub(super) fn told(stored: ImportProgress, told: &ImportProgress) -> ImportProgress {
    ImportProgress {
        phase: told.phase,
        listed_all: told.listed_all,
        bytes_per_second: told.bytes_per_second,
        ..risen(stored, told)
    }
}

/// After a checkpoint. The worker may have told more than that makes durable.
pub(super) fn checkpointed(stored: ImportProgress, shard: &ShardState) -> ImportProgress {
    let listed_all = stored.listed_all || shard.listed_all;
    ImportProgress { listed_all, ..risen(stored, &of_shard(shard)) }
}

/// After a claim, which goes on from `shard`: behind what the claim before it had told.
pub(super) fn claimed(stored: ImportProgress, shard: &ShardState) -> ImportProgress {
    ImportProgress {
        phase: if shard.listed_all { Phase::Copying } else { Phase::Listing },
        listed_all: shard.listed_all,
        bytes_per_second: 0,
        ..stored
    }
}

fn risen(stored: ImportProgress, new: &ImportProgress) -> ImportProgress {
    let mut skipped = stored.skipped;
    if new.skipped.len() > skipped.len() {
        skipped.clone_from(&new.skipped);
        skipped.truncate(limits::SKIPPED_NAMED_MAX);
    }
    ImportProgress {
        objects_listed: stored.objects_listed.max(new.objects_listed),
        bytes_listed: stored.bytes_listed.max(new.bytes_listed),
        objects_imported: stored.objects_imported.max(new.objects_imported),
        bytes_imported: stored.bytes_imported.max(new.bytes_imported),
        objects_unchanged: stored.objects_unchanged.max(new.objects_unchanged),
        bytes_unchanged: stored.bytes_unchanged.max(new.bytes_unchanged),
        objects_missing: stored.objects_missing.max(new.objects_missing),
        objects_skipped: stored.objects_skipped.max(new.objects_skipped),
        objects_deleted: stored.objects_deleted.max(new.objects_deleted),
        retries: stored.retries.max(new.retries),
        skipped,
        phase: stored.phase,
        listed_all: stored.listed_all,
        bytes_per_second: stored.bytes_per_second,
    }
}
