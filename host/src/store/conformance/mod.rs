//! Rules that every store must keep, as functions of a store that is empty. A store's own tests run all of them with
//! `for_every_rule!`, so that a rule added here holds everywhere.

pub(crate) mod accepting;
pub(crate) mod auditing;
pub(crate) mod bounding;
pub(crate) mod cataloguing;
pub(crate) mod counting;
pub(crate) mod delivering;
pub(crate) mod dispatching;
pub(crate) mod fixtures;
pub(crate) mod following;
pub(crate) mod keeping;
pub(crate) mod logging;
pub(crate) mod managing;
pub(crate) mod ordering;
pub(crate) mod persistence;
pub(crate) mod plugins;
pub(crate) mod recovering;
pub(crate) mod resending;
pub(crate) mod retiring;
pub(crate) mod telling;
pub(crate) mod tenants;

/// Calls the macro `$run` with every rule, as `module::function`.
macro_rules! for_every_rule {
    ($run:ident) => {
        $run! {
            accepting::an_accepted_event_is_read_back_as_it_came,
            accepting::keys_rise_even_when_the_clock_goes_back,
            accepting::the_same_id_and_content_is_the_first_event_again,
            accepting::an_id_with_other_content_is_refused_and_nothing_of_the_call_is_stored,
            accepting::of_events_that_stand_alone_only_the_refused_one_is_missing,
            accepting::an_idempotency_key_is_the_first_event_again_or_refused,
            accepting::a_repeat_within_one_call_is_found,
            accepting::ids_of_one_tenant_are_free_for_another,
            accepting::parallel_accepts_with_one_key_store_one_event,
            accepting::an_id_that_looks_like_ours_takes_no_other_event,
            accepting::sending_an_event_under_the_id_we_gave_it_is_a_repeat,
            accepting::a_test_keeps_its_endpoint_and_is_stored_with_its_audit_row,
            accepting::a_test_of_an_endpoint_that_is_gone_is_refused_and_leaves_nothing,
            accepting::a_test_and_an_event_of_a_producer_are_never_the_same,
            retiring::what_is_over_goes_with_all_that_belongs_to_it,
            retiring::what_is_not_over_stays_wherever_it_waits,
            retiring::of_a_sealed_part_only_what_is_over_goes_and_lists_stay_right,
            retiring::what_changed_in_the_same_moment_stays,
            retiring::what_a_recovery_has_ahead_stays,
            retiring::ids_of_what_is_gone_are_free_and_swept,
            retiring::what_undelivered_work_is_counted_of_may_go_before_it_is_stored,
            retiring::bytes_are_counted_as_rows_come_and_go,
            retiring::when_a_backup_was_handed_over_is_known,
            retiring::a_store_that_is_full_takes_nothing_until_it_has_room,
            bounding::what_is_not_over_counts_whatever_it_waits_for,
            bounding::of_a_tenant_no_more_is_taken_than_its_limit_and_repeats_are_answered,
            bounding::of_all_tenants_no_more_is_taken_than_the_limit_of_all,
            bounding::of_events_that_stand_alone_those_below_the_limit_are_taken,
            bounding::what_the_gateway_and_people_ask_for_is_not_refused,
            dispatching::an_event_waits_for_dispatch_until_it_is_fanned_out,
            dispatching::undispatched_events_come_in_pages_by_rising_key,
            dispatching::a_second_fan_out_changes_nothing,
            dispatching::a_fan_out_of_an_unknown_event_changes_nothing,
            dispatching::a_pending_delivery_is_due_with_all_that_its_attempt_needs,
            dispatching::a_plugin_hold_waits_for_its_time_or_its_plugin,
            dispatching::plugin_holds_come_with_the_earliest_first,
            dispatching::redispatch_replaces_the_verdict_of_a_plugin_hold_only,
            delivering::due_gives_the_earliest_first_and_says_when_the_next_is_due,
            ordering::what_is_due_in_order_ends_at_the_first_that_is_not_due,
            ordering::lines_wait_for_themselves_only,
            ordering::of_one_line_no_more_is_taken_than_its_share,
            ordering::what_was_passed_by_and_what_is_known_is_not_taken_later,
            ordering::lines_that_nobody_said_are_asked_for,
            ordering::an_order_that_is_new_is_indexed_batch_by_batch,
            ordering::an_order_that_was_given_up_is_true_when_it_is_taken_up_again,
            ordering::releasing_and_cancelling_keep_the_lines,
            ordering::a_hold_ends_what_is_due_in_order_until_it_is_over,
            ordering::nothing_is_due_in_order_before_an_earlier_event_is_fanned_out,
            delivering::waiting_endpoints_are_named_once_with_their_earliest_time,
            delivering::a_failed_attempt_is_recorded_and_due_again_later,
            delivering::a_delivery_without_a_secret_waits_in_the_lane,
            delivering::a_final_delivery_never_changes,
            delivering::an_attempt_of_an_unknown_delivery_changes_nothing,
            delivering::cancelling_ends_all_that_waits_for_an_endpoint,
            delivering::releasing_makes_due_what_was_held_for_want_of_a_secret_and_nothing_else,
            delivering::an_endpoint_has_failed_since_the_first_failure_after_a_success,
            delivering::activating_or_moving_an_endpoint_forgets_its_failures,
            delivering::what_is_released_is_due_in_the_order_of_acceptance,
            resending::a_retry_makes_a_delivery_due_again_with_what_it_has,
            resending::a_retry_keeps_the_schedule_of_one_that_waits_and_begins_that_of_one_that_was_over,
            resending::a_retry_of_one_that_changed_meanwhile_is_refused_and_leaves_nothing,
            resending::a_verdict_that_comes_with_a_retry_replaces_the_last,
            resending::cancelling_ends_what_waits_and_nothing_else,
            resending::an_attempt_under_way_is_recorded_though_its_delivery_was_cancelled,
            resending::a_replay_adds_deliveries_behind_those_of_the_event,
            resending::an_event_is_replayed_once_it_was_dispatched,
            resending::what_is_sent_again_takes_its_place_in_its_line,
            recovering::a_recovery_is_read_back_and_listed_newest_first,
            recovering::an_endpoint_has_one_recovery_that_runs,
            recovering::candidates_are_what_is_wanted_in_the_range_in_the_order_of_acceptance,
            recovering::missed_events_are_those_of_the_tenant_without_a_delivery,
            recovering::a_step_does_its_part_once_and_moves_the_place,
            recovering::a_recovery_that_ended_does_nothing_more,
            telling::an_operational_event_is_accepted_with_its_cause,
            telling::what_changes_nothing_tells_nothing,
            telling::an_operational_event_claims_no_id,
            managing::an_endpoint_is_read_back_as_it_was_written,
            managing::a_tenant_has_one_endpoint_per_url,
            managing::changing_or_deleting_an_endpoint_frees_its_url,
            managing::what_is_not_there_is_not_found,
            managing::keys_are_read_back_as_they_were_written,
            managing::a_key_that_is_deleted_is_gone_and_a_second_time_not_found,
            managing::the_last_admin_key_that_opens_anything_stays,
            managing::a_use_of_a_key_is_noted_unless_the_key_is_gone_or_the_use_older,
            tenants::settings_of_tenants_are_read_back_as_they_were_written,
            tenants::settings_that_say_nothing_leave_no_row_but_one_in_the_audit_log,
            plugins::what_is_kept_of_plugins_is_read_back_as_it_was_written,
            plugins::a_decision_about_a_plugin_has_its_audit_row_and_other_changes_have_none,
            plugins::a_plugin_of_which_nothing_is_kept_leaves_no_row,
            auditing::a_change_and_its_audit_row_are_both_there_or_neither,
            auditing::every_change_of_one_batch_gets_its_own_row,
            auditing::the_audit_log_pages_from_the_newest_to_the_oldest,
            auditing::every_filter_of_the_audit_log_narrows,
            cataloguing::topics_are_read_back_as_they_were_written_by_name,
            cataloguing::a_topic_is_created_once_and_changed_or_deleted_while_it_is_there,
            cataloguing::an_import_adds_and_replaces_with_an_audit_row_for_each,
            keeping::what_a_plugin_keeps_is_read_back_and_deleted,
            keeping::spaces_are_apart_and_each_counts_its_own,
            keeping::of_two_changes_of_one_key_the_later_stays,
            keeping::what_has_expired_is_swept_the_earliest_first_and_no_more_than_asked,
            keeping::a_key_that_is_set_anew_expires_when_it_says_now,
            keeping::a_tenant_is_cleared_part_by_part_and_no_other,
            logging::the_log_pages_from_the_newest_to_the_oldest,
            logging::every_filter_narrows,
            logging::an_event_id_finds_deliveries_with_and_without_its_tenant,
            logging::a_list_shows_the_last_attempt,
            logging::every_filter_finds_all_that_passes_among_thousands,
            logging::a_delivery_that_an_old_event_gets_is_found,
            logging::events_are_listed_with_what_became_of_them,
            following::what_changed_is_told_as_it_is_now_with_its_last_number,
            following::every_filter_narrows_what_is_told,
            following::changes_come_in_parts_and_a_number_that_is_none_is_a_gap,
            counting::a_delivery_counts_where_it_ended,
            counting::every_scope_counts_its_own,
            counting::windows_begin_when_they_say,
            counting::what_waits_is_counted_as_it_stands,
            counting::a_hold_is_no_end,
        }
    };
}
pub(crate) use for_every_rule;
