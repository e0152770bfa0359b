//! What every engine of the catalog must do. An engine joins with one line at the end of this file:
//! a name and a function that makes a fresh, empty catalog.

mod conformance {
    pub(crate) mod accounts;
    pub(crate) mod claims;
    pub(crate) mod connectors;
    pub(crate) mod finish;
    pub(crate) mod history;
    pub(crate) mod imports;
    pub(crate) mod organizations;
    pub(crate) mod races;
    pub(crate) mod repositories;
    pub(crate) mod standing;
    pub(crate) mod world;
}

use std::any::Any;
use std::sync::Arc;

use catalog::Catalog;
use conformance::{
    accounts, claims, connectors, finish, history, imports, organizations, races, repositories,
    standing,
};

/// A fresh catalog, and what must live as long as it does.
type Fresh = (Arc<dyn Catalog>, Box<dyn Any>);

macro_rules! behaviours {
    ($engine:ident, $fresh:path: $($family:ident { $($behaviour:ident)* })*) => {
        mod $engine {$(
            mod $family {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $behaviour() {
                    let (catalog, _keep) = $fresh();
                    crate::$family::$behaviour(catalog).await;
                }
            )*}
        )*}
    };
}

macro_rules! conforms {
    ($engine:ident, $fresh:path) => {
        behaviours! { $engine, $fresh:
            accounts {
                the_first_user_is_made_once
                names_and_emails_of_users_are_unique
                a_login_is_a_name_or_an_email
                keys_are_listed_until_they_are_revoked
                a_token_finds_its_user_and_its_use_is_recorded_to_the_minute
                the_store_has_an_id_and_answers
            }
            organizations {
                the_creator_is_the_owner_and_strangers_see_nothing
                names_are_unique_until_deleted
                members_come_and_go
                the_last_owner_stays
                deleting_takes_everything_along
                nothing_is_made_in_a_deleted_organization
            }
            repositories {
                what_is_stored_is_what_is_read
                names_are_unique_in_the_organization_until_deleted
                an_update_changes_what_it_may
                pages_of_an_organization_are_cut_at_names
                pages_of_a_user_are_cut_at_organization_and_name
                the_checker_sees_deleted_ones
            }
            connectors {
                what_is_stored_is_what_is_read
                names_are_unique_in_the_organization_until_deleted
                deleting_wipes_config_and_attachments
                attachments_come_and_go
                only_a_live_pair_of_one_organization_is_attached
                a_connector_is_disabled_and_enabled
            }
            history {
                commits_are_found_by_id_and_prefix_in_their_repository
                the_log_goes_back_from_a_commit
                the_log_of_a_long_history_is_bounded
                segments_are_found_and_listed
            }
            imports {
                a_job_starts_pending_at_the_head
                an_idempotency_key_returns_the_first_job
                a_job_belongs_to_its_repository
                cancelling_ends_a_pending_job_and_asks_a_running_one
                a_cancelled_job_of_a_dead_worker_ends_at_the_next_claim
                a_retry_keeps_the_checkpoint_and_the_base
                a_retry_without_a_run_starts_from_the_present_head
                only_an_ended_job_is_retried
                checkpoints_expire
            }
            claims {
                jobs_are_claimed_oldest_first
                an_organization_with_many_jobs_does_not_keep_others_waiting
                open_jobs_of_an_organization_are_limited
                a_lease_that_ended_is_claimed_anew
                voided_leases_are_claimed_at_once
                an_old_claim_writes_nothing
                a_claim_resumes_from_the_checkpoint
                live_counts_never_fall
                runs_are_numbered_without_gaps
                a_refused_checkpoint_leaves_nothing
                attempts_without_progress_are_counted
                a_checkpoint_resets_the_attempts
                a_released_claim_is_no_attempt
                a_released_job_that_was_to_be_cancelled_ends
                every_claim_has_a_writer_of_its_own
                a_worker_ends_its_job
            }
            finish {
                everything_happens_at_once
                a_moved_head_stops_it
                nothing_matched_needs_no_commit
                an_unchanged_root_confirms_the_head
                a_job_has_one_commit
                history_is_a_line
                a_finished_job_stays_finished
            }
            standing {
                each_bar_is_named_at_heartbeat_finish_and_claim
                a_cancel_request_is_seen_at_heartbeat_and_finish
                another_members_departure_bars_nothing
            }
            races {
                each_job_is_claimed_once
                cancel_and_finish_leave_one_terminal_state
                one_failing_operation_does_not_undo_the_others
                of_many_finishes_one_wins_each_head
                many_writers_at_once_are_all_served
                idempotent_starts_at_once_make_one_job
            }
        }
    };
}

fn fresh_sqlite() -> Fresh {
    struct Counting(std::sync::Mutex<u8>);
    impl model::Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let mut count = self.0.lock().expect("nobody panics here");
            *count = count.wrapping_add(1);
            bytes.fill(*count);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.sqlite");
    let sqlite = catalog::sqlite::Sqlite::open(&path, &Counting(0.into())).expect("a catalog");
    (Arc::new(sqlite), Box::new(folder))
}

conforms!(sqlite, crate::fresh_sqlite);
