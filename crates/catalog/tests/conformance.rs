//! What every engine of the catalog must do. An engine joins with one line at the end of this file:
//! a name and a function that makes a fresh, empty catalog.

mod conformance {
    pub(crate) mod accounts;
    pub(crate) mod audit;
    pub(crate) mod claims;
    pub(crate) mod collections;
    pub(crate) mod connectors;
    pub(crate) mod devices;
    pub(crate) mod dry_runs;
    pub(crate) mod ended;
    pub(crate) mod finish;
    pub(crate) mod history;
    pub(crate) mod holds;
    pub(crate) mod imports;
    pub(crate) mod landing;
    pub(crate) mod logins;
    pub(crate) mod organizations;
    pub(crate) mod pins;
    pub(crate) mod prior;
    pub(crate) mod progress;
    pub(crate) mod queue;
    pub(crate) mod races;
    pub(crate) mod repositories;
    pub(crate) mod sessions;
    pub(crate) mod staging;
    pub(crate) mod standing;
    pub(crate) mod trash;
    pub(crate) mod uploads;
    pub(crate) mod world;
}

use std::any::Any;
use std::sync::Arc;

use catalog::Catalog;
use conformance::{
    accounts, audit, claims, collections, connectors, devices, dry_runs, ended, finish, history,
    holds, imports, landing, logins, organizations, pins, prior, progress, queue, races,
    repositories, sessions, staging, standing, trash, uploads,
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
                a_place_is_what_the_names_mean_to_the_viewer
                a_place_has_the_present_head
            }
            connectors {
                what_is_stored_is_what_is_read
                names_are_unique_in_the_organization_until_deleted
                deleting_wipes_config_and_attachments
                attachments_come_and_go
                only_a_live_pair_of_one_organization_is_attached
                an_update_changes_what_it_names
                a_new_name_must_be_free
            }
            history {
                commits_are_found_by_id_and_prefix_in_their_repository
                the_log_goes_back_from_a_commit
                stale_commits_expire_for_good
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
                the_whole_request_is_stored
                an_import_from_a_repository_reads_its_head
                history_is_listed_newest_first
                the_prior_of_an_open_job_does_not_expire
            }
            queue {
                a_released_job_goes_behind_those_that_wait
                a_retried_job_goes_behind_those_that_wait
                an_organization_without_a_running_job_starves
                a_job_of_a_dead_worker_waits_like_any_other
            }
            prior {
                it_is_the_newest_that_ended_with_runs
                it_has_the_same_target_source_and_destination
                a_dry_run_is_nobodys_prior
                it_stays_the_same_after_a_retry
            }
            progress {
                a_heartbeat_stores_all_of_it
                a_checkpoint_raises_what_it_knows
                the_phase_follows_the_life_of_the_job
                the_last_word_is_that_of_the_finish
            }
            dry_runs {
                a_dry_run_leaves_a_preview_and_no_commit
                of_an_expired_preview_the_counts_stay
                a_preview_without_changes_is_kept_as_it_is
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
                bars_of_a_source_repository_are_named
                an_import_from_a_repository_is_barred_by_its_target_too
            }
            pins {
                an_open_job_pins_commits_runs_and_pieces
                an_import_from_a_repository_pins_its_source
                an_ended_job_pins_while_its_checkpoint_is_kept
                a_completed_job_pins_its_preview_at_most
            }
            trash {
                the_condemned_are_just_the_dead
                thousands_are_condemned_and_dropped_at_once
                only_the_condemned_are_dropped
                what_is_restored_is_as_it_was
                a_packed_segment_that_is_gone_is_passed_over
                a_switch_is_all_or_nothing
                a_file_is_given_up_with_the_last_row_that_names_it
            }
            holds {
                while_a_hold_is_alive_nothing_is_taken_away
                a_hold_ends_unless_it_is_extended
                a_writer_without_a_job_lives_until_it_is_closed
                segments_of_such_a_writer_are_like_any_other
            }
            collections {
                they_wait_in_the_order_in_which_they_were_asked_for
                the_end_of_a_collection_is_kept
            }
            logins {
                a_user_changes_name_and_bio_only
                a_login_finds_its_user_until_it_ends
                the_oldest_logins_make_room
                a_new_password_ends_the_other_logins
            }
            devices {
                a_code_waits_until_it_is_confirmed_or_ends
                a_confirmed_code_is_exchanged_once
                codes_in_use_are_refused_and_their_number_is_bounded
            }
            audit {
                what_was_done_is_read_as_it_was_told
                each_organization_has_its_own
                pages_go_back_in_time
                what_changed_nothing_is_not_in_it
                each_change_is_recorded_once
                the_first_user_is_recorded
            }
            sessions {
                it_begins_at_the_head
                it_belongs_to_its_repository
                one_that_has_ended_or_expired_is_not_there
                open_sessions_of_a_repository_are_limited
            }
            staging {
                the_last_change_at_a_path_stays
                ranges_are_cut_at_bytes
                segments_become_known_and_stay_as_they_are
                completing_an_upload_stages_its_object
            }
            landing {
                everything_happens_at_once
                each_bar_leaves_nothing
                a_commit_without_a_session_lands_on_the_head
                a_deleted_repository_takes_no_commit_of_a_session
                of_many_commits_at_once_one_wins_each_head
            }
            uploads {
                what_is_stored_is_what_is_read
                parts_come_in_any_order_and_again
                it_ends_with_its_session
                open_uploads_of_a_session_are_limited
            }
            ended {
                ended_sessions_go_with_all_they_have
                they_go_in_bites
                expired_uploads_go_and_their_session_stays
                sessions_of_what_was_deleted_end
                logins_and_device_codes_go
            }
            races {
                each_job_is_claimed_once
                cancel_and_finish_leave_one_terminal_state
                one_failing_operation_does_not_undo_the_others
                of_many_finishes_one_wins_each_head
                many_writers_at_once_are_all_served
                idempotent_starts_at_once_make_one_job
                what_is_held_stays_until_the_hold_is_released
                each_segment_is_dropped_once
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
