//! The table of hostile sources: what a source may do to an import, and the tests that do it.
//!
//! Rows have the letters of the catalogue of faults that this project is held to. A test without a
//! place is in this folder; *faults*, *life*, *options*, *unordered* and *versions* are its
//! neighbours; *against* and *gcs* are the tests of the sources' clients, against S3 and against
//! Google Cloud Storage; *unit* ones sit beside the code of `sources`. That each of them exists is
//! checked below.
//!
//! - B1, changed between listing and reading:
//!   `what_changed_is_stored_and_recorded_as_it_was_read`,
//!   `what_keeps_changing_is_read_again_three_times_and_then_named`;
//!   faults `an_object_that_changes_is_read_as_it_is_then`;
//!   versions `what_is_overwritten_after_the_listing_is_read_as_listed`,
//!   `a_version_that_is_gone_is_read_anew_as_the_new_latest`;
//!   against `a_version_is_pinned_even_where_if_match_is_ignored`,
//!   `a_version_is_read_whatever_became_of_its_key`;
//!   gcs `another_generation_is_found_out_even_if_the_precondition_is_ignored`.
//! - B2, changed while it is read, two versions spliced:
//!   `no_two_versions_are_ever_spliced`, `no_two_generations_are_ever_spliced`;
//!   faults `pieces_of_two_versions_are_never_joined`,
//!   `what_a_source_promises_of_large_objects_is_compared_too`. (Where a source tells neither ETag
//!   nor sum, and the time of the last change stays, nothing is left to tell two versions by.)
//! - B3, ETags of every kind:
//!   `every_kind_of_etag_is_borne_and_never_misread`,
//!   `wrong_bytes_are_found_by_whatever_sum_there_is`;
//!   faults `without_etags_and_checksums_length_still_counts`;
//!   against `offered_checksums_are_asked_for_and_compared`, `an_md5_etag_finds_a_flipped_byte`;
//!   unit `the_etag_must_be_the_pinned_one`, `an_etag_of_foreign_encryption_is_no_md5`,
//!   `only_32_hex_digits_in_quotes_are_an_md5`, `only_checksums_of_the_whole_object_count`;
//!   gcs `the_sums_of_listing_and_answer_are_compared`.
//! - B4, deleted between listing and reading:
//!   `ten_objects_or_one_in_a_hundred_may_vanish`, `what_vanished_is_left_out_and_counted`;
//!   faults `an_object_that_vanished_is_left_out_and_named`,
//!   `lasting_faults_fail_the_job_and_name_the_cause` (404 on a key that is still listed).
//! - B5, delete markers, `null` versions, no versions at all:
//!   versions `the_latest_version_of_each_key_is_imported_and_recorded`,
//!   `a_bucket_without_versions_is_imported_as_it_is`;
//!   against `the_latest_version_of_each_key_is_listed_and_read`,
//!   `a_bucket_without_versions_is_read_by_its_keys`,
//!   `a_key_with_more_old_versions_than_pages_hold_is_got_over`;
//!   unit `the_latest_versions_are_kept`.
//! - B6, throttling (503, 429, `Retry-After`):
//!   `a_source_that_refuses_every_second_request_for_a_while_is_read_to_the_end` (S3 and GCS);
//!   against `a_source_that_asks_to_wait_is_waited_for`,
//!   `a_source_that_throttles_is_read_to_the_end`;
//!   unit `a_source_that_throttles_is_asked_less_and_then_more_again`,
//!   `the_limit_falls_by_half_and_rises_by_one`, `what_the_source_asks_for_is_done_within_reason`.
//! - B7, a storm that lasts:
//!   `a_storm_that_lasts_fails_the_job_and_a_retry_reads_only_the_rest`;
//!   unit `a_failure_has_its_budget_and_a_storm_a_longer_one`.
//! - B8, status 200 with an error, or with XML that is none:
//!   `an_error_that_comes_with_status_200_is_no_object`;
//!   faults `passing_faults_are_survived`; against `every_lasting_fault_says_what_to_do`,
//!   `every_passing_fault_passes_unnoticed`;
//!   gcs `every_passing_fault_passes_unnoticed_and_is_counted`.
//! - B9, a body that is cut:
//!   `a_body_cut_at_any_place_is_read_again`; faults `a_large_object_survives_broken_pieces`;
//!   against and gcs `a_small_body_cut_at_any_place_is_not_whole`;
//!   against `a_large_body_cut_somewhere_is_not_whole`.
//! - B10, lengths that are wrong, odd or absent:
//!   `sizes_that_no_object_has_are_refused_before_anything_is_planned_by_them`;
//!   against `odd_lengths_give_the_right_bytes_or_none`;
//!   against and gcs `every_fault_is_of_the_right_kind`, `a_lying_listing_is_found_out`;
//!   unit `any_other_length_is_an_error`.
//! - B11, more bytes than announced, ranges that were not asked for:
//!   faults `a_range_that_is_not_answered_as_one_fails_the_job`;
//!   against `bytes_behind_a_body_never_reach_the_next_one`;
//!   against and gcs `ranges_are_exactly_what_was_asked_for`.
//! - B12, a trickle, and a source that stalls:
//!   `a_source_that_keeps_one_job_waiting_keeps_no_other`; faults `passing_faults_are_survived`;
//!   against `a_byte_now_and_then_is_too_slow`, `a_page_that_drips_is_given_up_as_a_whole`;
//!   unit `a_trickle_is_slow_and_a_slow_reader_is_not`.
//! - B13, resets, and TLS that ends within a record:
//!   `broken_connections_are_not_kept`;
//!   against `a_connection_cut_within_a_record_gives_no_whole_body`,
//!   `a_long_stream_comes_whole_and_a_dropped_one_closes_its_connection`.
//! - B14, credentials that expire or are revoked:
//!   `credentials_that_expire_midway_fail_the_job_and_new_ones_read_the_rest`,
//!   `refused_credentials_are_no_object_to_leave_out`,
//!   options `a_source_that_is_down_or_refuses_the_credentials_is_no_object_to_leave_out`;
//!   `a_key_that_is_revoked_midway_fails_the_job_and_another_one_reads_the_rest`;
//!   against `why_a_head_is_refused_is_found_out`,
//!   `credentials_are_checked_by_the_source_not_taken_from_elsewhere`;
//!   gcs `a_token_that_ends_midway_is_replaced_and_the_request_repeated_once`,
//!   `every_refusal_of_a_token_says_what_to_do`.
//! - B15, one object that may not be read:
//!   `one_object_that_may_not_be_read_is_named_with_the_reason`;
//!   options `what_cannot_be_read_is_left_out_and_named_if_that_is_wanted`.
//! - B16, clocks that differ: against and gcs `a_wrong_clock_is_measured`.
//! - B17, another region:
//!   against `a_wrong_region_names_the_right_one_and_no_redirect_is_followed`.
//! - B18, archived: as B15. B19, SSE-C, requester pays, Object Lambda: as B15;
//!   against `what_cannot_be_handed_out_is_called_what_it_is`;
//!   gcs `the_project_is_named_unless_the_account_may_not`.
//! - B20, packed bytes and bombs:
//!   `what_is_packed_is_stored_packed` (S3 and GCS);
//!   against `packed_bodies_come_as_they_are_stored`;
//!   gcs `packed_objects_come_as_they_are_stored`, `every_encoding_stays_on_the_bytes`.
//! - B21, listings that are bombs or no listings:
//!   `a_key_that_is_no_text_fails_the_job_and_is_named`;
//!   against `documents_that_are_no_listing_are_refused`, `every_lasting_fault_says_what_to_do`;
//!   unit `what_is_not_plain_xml_is_refused`, `arbitrary_bytes_never_panic`,
//!   `a_damaged_page_never_panics`.
//! - B22, pages without end:
//!   `a_listing_without_end_is_left_after_few_requests`;
//!   against and gcs `circles_and_twins_are_found_out`;
//!   unit `a_trail_tells_circles_and_nothing_else`, `the_markers_of_versions_have_to_advance`.
//! - B23, more keys than fit anywhere: the long tiers of `cargo xtask soak`;
//!   unit `no_more_pages_are_ahead_than_allowed`.
//! - B24, one key twice:
//!   `of_two_objects_under_one_key_the_real_one_is_stored_or_none`;
//!   against and gcs `some_empty_pages_and_repeated_objects_are_borne`;
//!   unit `the_same_object_twice_is_dropped_also_across_pages`.
//! - B25, no order:
//!   unordered `the_order_of_a_listing_does_not_show`, `keys_listed_more_than_once_are_one_object`;
//!   against `a_shuffled_listing_is_read_where_no_order_is_asked_for`;
//!   gcs `a_listing_out_of_order_is_read_where_order_does_not_matter`;
//!   unit `another_order_is_always_found_out`.
//! - B26, keys off the prefix: faults `a_key_off_the_prefix_fails_the_job`.
//! - B27, keys that come and go between pages:
//!   `keys_that_come_and_go_between_pages_are_accounted_for`;
//!   unit `keys_that_come_and_go_are_not_lost_behind_a_seam`.
//! - B28, the source is this server:
//!   against `our_own_address_is_no_source`; unit `our_own_address_is_refused_on_its_port_only`.
//! - B29, nothing matches: `an_empty_bucket_is_no_commit`; life `nothing_matched_is_no_commit`.
//! - B30, TLS: against `a_certificate_of_the_operators_authority_is_trusted`,
//!   `every_other_certificate_is_refused_at_once`, `a_wrong_scheme_is_called_that`,
//!   `a_file_without_certificates_is_named`.
//!
//! Where connections may go is the sources' own affair (rows E1 to E4, E7 to E9, E11 and E13):
//! unit `every_address_meets_its_verdict`, `every_spelling_of_an_ipv4_address_is_that_address`,
//! `ranges_open_exactly_what_they_name`, `private_addresses_are_refused_at_create_and_at_connect`,
//! `a_name_that_changes_its_address_is_checked_each_time`, `anything_else_is_refused`;
//! gcs `addresses_in_the_key_are_never_used`, `every_fault_names_its_field`. That no redirect is
//! followed (E5) is in row B17.

mod bodies;
mod changes;
mod gcs;
mod listings;
mod refusals;

use std::collections::BTreeSet;
use std::path::Path;

use model::{Entry, Import, JobStatus};
use testkit::s3::Fault;

use crate::world::{ORG, REPO, World};

/// Bytes of an object that is read in two pieces.
const LARGE_BYTES: usize = (16 << 20) + 70_000;

fn status(code: u16, s3_code: &'static str) -> Fault {
    Fault::Status { code, s3_code, headers: Vec::new() }
}

/// Bytes that differ from place to place, and everywhere from those of another seed.
fn pattern(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|at| ((at ^ (at >> 11)) as u8).wrapping_add(seed)).collect()
}

/// What a job failed of, which left nothing behind.
async fn failure(world: &World, job: &Import) -> String {
    assert_eq!((job.status, job.commit), (JobStatus::Failed, None), "{job:?}");
    assert!(world.commits().await.is_empty(), "nothing of a failed import is visible");
    job.error.clone().expect("a reason")
}

async fn entry(world: &World, path: &str) -> Entry {
    world
        .engine
        .head_object(&world.principal, ORG, REPO, path, &engine::At::Head)
        .await
        .expect("an object")
}

/// The texts of all files of Rust below `folder`.
fn sources_below(folder: &Path) -> String {
    let mut texts = String::new();
    for found in std::fs::read_dir(folder).expect("a folder") {
        let path = found.expect("an entry").path();
        if path.is_dir() {
            texts += &sources_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts += &std::fs::read_to_string(&path).expect("a text");
        }
    }
    texts
}

#[test]
fn every_row_of_the_table_names_tests_that_exist() {
    let table: String =
        include_str!("hostile.rs").lines().map_while(|line| line.strip_prefix("//!")).collect();
    let rows: BTreeSet<&str> =
        table.split(" B").skip(1).filter_map(|row| row.split(',').next()).collect();
    for row in 1..=30 {
        assert!(rows.contains(&*row.to_string()), "row B{row} is not in the table: {rows:?}");
    }
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = engine.with_file_name("sources");
    let folders = [engine.join("tests/import"), sources.join("tests"), sources.join("src")];
    let texts: String = folders.iter().map(|folder| sources_below(folder)).collect();
    let named: Vec<&str> =
        table.split('`').skip(1).step_by(2).filter(|name| name.contains('_')).collect();
    assert!(named.len() > 60, "{named:?}");
    for name in named {
        assert!(texts.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}
