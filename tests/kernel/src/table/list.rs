//! Every test, once.

use super::{Coverage, Outcome};
use chestnut_abi::Label;

tests! {
    boot {
        one_node_one_domain_no_iommu;
        the_fixed_slots_hold_what_they_should;
        regions_of_slots_lie_in_the_root_cnode_apart_from_each_other;
        untypeds_are_aligned_and_apart;
        untypeds_cover_most_of_ram_and_the_space_above_it;
        an_untyped_gives_frames_where_it_says;
        the_image_is_mapped_by_frames_of_the_root_task;
        the_first_mib_can_be_read_for_tables;
    }
    untyped {
        retype_places_objects_side_by_side: UntypedRetype[Success];
        retype_aligns_objects_to_their_size;
        retype_makes_every_kind_of_object;
        retype_fills_256_slots_at_once;
        retype_reaches_a_cnode_below_the_root;
        retype_returns_delete_first: UntypedRetype[DeleteFirst];
        retype_returns_failed_lookup: UntypedRetype[FailedLookup];
        retype_returns_invalid_argument_for_an_unknown_type: UntypedRetype[InvalidArgument];
        retype_returns_invalid_argument_for_a_size_that_is_too_small;
        retype_returns_range_error_outside_the_cnode: UntypedRetype[RangeError];
        retype_returns_range_error_for_too_many_objects;
        retype_returns_range_error_for_an_untyped_of_impossible_size;
        retype_returns_not_enough_memory: UntypedRetype[NotEnoughMemory];
        retype_returns_truncated_message;
        retype_of_device_memory_makes_frames_and_untypeds_only;
        an_untyped_without_children_is_wholly_free_again;
        memory_is_cleared_before_it_is_used_again;
        a_copy_is_refused_while_there_are_children: CNodeCopy[RevokeFirst], CNodeMint[RevokeFirst];
    }
    cnode {
        copy_gives_the_same_object: CNodeCopy[Success];
        copy_takes_rights_away;
        mint_gives_a_badge_and_rights: CNodeMint[Success];
        mint_gives_a_cnode_a_guard;
        mint_of_a_second_badge_is_refused;
        mint_of_an_impossible_guard_is_refused;
        move_leaves_the_source_empty: CNodeMove[Success];
        move_keeps_the_place_in_the_derivation_tree;
        mutate_moves_and_sets_a_guard: CNodeMutate[Success];
        mutate_of_an_impossible_guard_is_refused;
        rotate_moves_pivot_to_destination_and_source_to_pivot: CNodeRotate[Success];
        rotate_swaps_when_source_is_destination;
        rotate_sets_guards;
        rotate_of_impossible_guards_is_refused;
        rotate_refuses_a_pivot_that_is_source_or_destination;
        rotate_returns_delete_first: CNodeRotate[DeleteFirst];
        rotate_returns_failed_lookup: CNodeRotate[FailedLookup];
        rotate_returns_range_error: CNodeRotate[RangeError];
        an_occupied_destination_returns_delete_first:
            CNodeCopy[DeleteFirst], CNodeMint[DeleteFirst], CNodeMove[DeleteFirst], CNodeMutate[DeleteFirst];
        an_impossible_depth_returns_range_error:
            CNodeCopy[RangeError], CNodeMint[RangeError], CNodeMove[RangeError], CNodeMutate[RangeError];
        an_empty_source_returns_failed_lookup:
            CNodeCopy[FailedLookup], CNodeMint[FailedLookup], CNodeMove[FailedLookup], CNodeMutate[FailedLookup];
        a_source_root_that_is_no_cnode_returns_failed_lookup;
        too_small_a_depth_returns_failed_lookup;
        bits_that_are_left_over_return_failed_lookup;
        what_cannot_be_derived_is_not_copied;
        missing_arguments_return_truncated_message;
    }
    derivation {
        delete_empties_a_slot_and_leaves_copies: CNodeDelete[Success];
        delete_of_an_empty_slot_succeeds;
        slots_that_lead_nowhere_return_failed_lookup:
            CNodeDelete[FailedLookup], CNodeRevoke[FailedLookup], CNodeCancelBadgedSends[FailedLookup];
        impossible_depths_return_range_error:
            CNodeDelete[RangeError], CNodeRevoke[RangeError], CNodeCancelBadgedSends[RangeError];
        revoke_takes_copies_and_leaves_the_capability: CNodeRevoke[Success];
        revoke_of_a_badged_capability_takes_its_own_copies_only;
        revoke_of_a_copy_takes_nothing_of_its_siblings;
        revoke_of_an_untyped_takes_objects_with_all_their_copies;
        deleting_the_last_capability_of_a_cnode_deletes_what_is_in_it;
        a_cnode_with_another_capability_keeps_its_contents;
        a_deep_chain_of_cnodes_is_deleted;
        a_cnode_that_holds_itself_is_deleted;
        cnodes_that_hold_each_other_are_deleted;
        deleting_a_tcb_ends_its_thread;
        a_tcb_in_its_own_cspace_is_deleted_with_it;
        cancel_badged_sends_cancels_that_badge_only: CNodeCancelBadgedSends[Success];
        cancel_badged_sends_needs_all_rights;
        a_sender_begins_again_when_its_endpoint_is_deleted;
        a_receiver_begins_again_when_its_endpoint_is_deleted;
    }
    kinds {
        untyped_invocations = every "Untyped";
        tcb_invocations = every "TCB";
        cnode_invocations = every "CNode";
        irq_control_invocations = every "IRQControl";
        irq_handler_invocations = every "IRQHandler";
        domain_set_invocations = every "DomainSet";
        sched_control_invocations = every "SchedControl";
        sched_context_invocations = every "SchedContext";
        pdpt_invocations = every "PDPT";
        page_directory_invocations = every "PageDirectory";
        page_table_invocations = every "PageTable";
        page_invocations = every "Page";
        asid_control_invocations = every "ASIDControl";
        asid_pool_invocations = every "ASIDPool";
        io_port_control_invocations = every "IOPortControl";
        io_port_invocations = every "IOPort";
        an_unknown_label_is_an_illegal_operation;
    }
    tcb_registers {
        what_is_written_is_read_again: TcbReadRegisters[Success], TcbWriteRegisters[Success];
        reading_fewer_registers_gives_so_many_words;
        reading_no_or_too_many_registers_returns_range_error: TcbReadRegisters[RangeError];
        the_own_registers_cannot_be_read_or_written;
        reading_can_suspend_the_source;
        writing_fewer_registers_leaves_the_others;
        a_thread_in_a_system_call_has_its_address_and_flags_in_rcx_and_r11;
        rcx_and_r11_can_be_set_while_a_thread_waits;
        writing_can_resume_the_target;
        writing_from_a_short_message_returns_truncated_message;
        dangerous_flags_are_not_taken_over;
        a_thread_runs_with_the_flags_it_was_given;
        a_non_canonical_rip_faults_in_user_mode;
        a_rip_in_the_kernel_faults_in_user_mode;
        a_non_canonical_rsp_faults_in_user_mode;
        non_canonical_bases_are_not_taken_over;
        copying_frame_and_integer_registers: TcbCopyRegisters[Success];
        copying_can_suspend_the_source_and_resume_the_target;
        copying_from_what_is_no_tcb_returns_invalid_capability;
    }
    tcb_spaces {
        configure_gives_a_thread_its_own_cspace: TcbConfigure[Success];
        configure_checks_the_cspace: TcbConfigure[RevokeFirst];
        configure_checks_the_vspace;
        configure_checks_the_buffer: TcbConfigure[AlignmentError];
        configure_returns_truncated_message;
        set_space_sends_faults_to_the_handler: TcbSetSpace[Success];
        set_space_takes_no_handler_for_none;
        set_space_checks_the_handlers_rights;
        set_space_checks_cspace_and_vspace: TcbSetSpace[RevokeFirst];
        set_space_takes_effect_on_the_next_system_call;
        set_ipc_buffer_moves_long_messages: TcbSetIpcBuffer[Success];
        set_ipc_buffer_without_an_address_takes_the_buffer_away;
        set_ipc_buffer_checks_frame_and_address: TcbSetIpcBuffer[AlignmentError, RevokeFirst];
        a_thread_whose_vspace_is_deleted_faults_at_its_next_instruction;
    }
    tcb_priority {
        set_priority_above_ones_own_lets_the_thread_run: TcbSetPriority[Success];
        lowering_ones_own_priority_lets_others_run;
        priorities_above_the_authoritys_maximum_return_range_error:
            TcbSetPriority[RangeError], TcbSetMcpriority[RangeError], TcbSetSchedParams[RangeError];
        a_fresh_tcb_may_set_nothing_but_zero;
        an_authority_that_is_no_tcb_returns_invalid_capability;
        set_mc_priority_limits_what_a_thread_may_set: TcbSetMcpriority[Success];
        missing_arguments_return_truncated_message;
        set_sched_params_sets_everything_at_once: TcbSetSchedParams[Success];
        set_sched_params_without_a_context_takes_it_away;
        set_sched_params_refuses_what_is_bound_already;
        set_sched_params_refuses_to_take_ones_own_context;
        set_sched_params_checks_its_capabilities;
        a_waiting_thread_keeps_its_order_by_its_new_priority;
    }
    tcb_state {
        suspend_stops_a_thread_and_resume_lets_it_go_on: TcbSuspend[Success], TcbResume[Success];
        a_thread_can_suspend_itself;
        a_resumed_receiver_waits_again;
        a_resumed_sender_sends_again;
        resuming_a_thread_that_runs_changes_nothing;
        a_suspended_caller_is_not_answered;
        set_flags_returns_the_flags_and_ignores_unknown_ones: TcbSetFlags[Success];
        set_tls_base_sets_fs_base: TcbSetTlsBase[Success];
        set_timeout_endpoint_takes_an_endpoint_or_none: TcbSetTimeoutEndpoint[Success];
        a_bound_notification_reaches_a_receiver_on_an_endpoint: TcbBindNotification[Success];
        a_signal_that_came_first_is_received_first;
        unbind_notification_ends_that: TcbUnbindNotification[Success];
        binding_is_one_to_one;
        binding_needs_a_notification_that_may_be_read;
        binding_a_notification_that_is_waited_on_is_refused;
        a_bound_notification_can_be_waited_on_by_its_thread_only;
    }
    endpoint {
        a_message_of_any_length_arrives_at_a_waiting_receiver;
        a_message_of_any_length_waits_for_a_receiver;
        a_length_beyond_120_is_120;
        words_beyond_the_message_are_left_alone;
        badges_of_all_64_bits_arrive;
        send_waits_until_it_is_received;
        nb_send_without_a_receiver_is_dropped;
        nb_send_reaches_a_waiting_receiver;
        nb_recv_finds_nothing_and_does_not_wait;
        nb_recv_takes_a_waiting_message;
        call_waits_for_the_reply;
        call_to_a_waiting_receiver;
        reply_recv_answers_and_takes_the_next_waiting_call;
        call_through_a_capability_without_grant_or_grant_reply_stops_the_caller;
        call_through_grant_reply_alone_is_answered;
        sending_without_the_write_right_does_nothing;
        receiving_without_the_read_right_is_a_capability_fault;
        senders_of_equal_priority_are_received_in_order;
        senders_are_received_by_priority;
        receivers_are_served_by_priority_and_in_order;
        a_woken_receiver_of_lower_priority_does_not_run_at_once;
    }
    transfer {
        a_capability_is_copied_into_the_receive_slot;
        a_receiver_that_waits_gets_the_capability_too;
        without_grant_no_capability_goes_along;
        a_capability_of_the_endpoint_itself_arrives_as_its_badge;
        three_capabilities_arrive_as_badges;
        a_copy_and_badges_arrive_together;
        a_second_capability_ends_the_transfer;
        an_occupied_receive_slot_takes_nothing;
        a_receive_slot_that_leads_nowhere_takes_nothing;
        a_capability_that_cannot_be_derived_ends_the_transfer;
        a_capability_with_fewer_rights_arrives_with_those;
        naming_a_capability_that_is_not_there_is_a_fault_in_the_send_phase;
        a_reply_carries_capabilities_if_the_call_came_with_grant;
        a_reply_through_a_capability_without_grant_carries_none;
        a_thread_without_a_buffer_sends_no_capabilities;
    }
    reply {
        several_callers_are_answered_in_any_order;
        an_unused_reply_object_answers_nobody;
        a_second_answer_goes_nowhere;
        a_reply_object_that_is_used_anew_leaves_its_caller_unanswered;
        a_caller_whose_reply_object_is_deleted_stays_stopped;
        a_moved_or_copied_reply_capability_answers;
        the_caller_can_be_answered_by_another_thread;
        receiving_with_what_is_no_reply_object_is_a_fault;
        a_call_received_without_a_reply_object_stops_the_caller;
        long_answers_arrive;
    }
    notification {
        a_signal_is_kept_until_it_is_taken;
        signals_are_joined;
        a_waiter_is_woken_with_the_badge;
        one_signal_wakes_one_waiter;
        waiters_are_woken_by_priority;
        an_unbadged_signal_wakes_a_waiter;
        nb_send_signals_too;
        a_call_signals_and_comes_back_at_once;
        recv_and_nb_recv_take_signals_too;
        signalling_needs_the_write_right;
        waiting_needs_the_read_right;
        deleting_a_notification_makes_waiters_wait_again_and_fault;
    }
    system_calls {
        registers_are_kept_across_calls_that_do_not_wait;
        registers_are_kept_across_calls_that_wait;
        registers_are_kept_across_a_preemption;
        nb_send_recv_sends_and_then_waits;
        nb_send_recv_without_a_receiver_only_receives;
        nb_send_recv_can_be_answered;
        nb_send_wait_signals_and_then_waits;
        nb_send_wait_receives_from_an_endpoint;
        yield_lets_another_of_the_same_priority_run;
        yield_lets_nobody_of_a_lower_priority_run;
        set_tls_base_sets_the_callers_fs_base;
        the_message_info_of_an_answer_has_its_words_and_no_more;
    }
    sched_control {
        configure_gives_time: SchedControlConfigureFlags[Success];
        configure_returns_range_error_for_impossible_times: SchedControlConfigureFlags[RangeError];
        configure_returns_range_error_for_too_many_refills;
        configure_of_what_is_no_scheduling_context_returns_invalid_capability;
        configure_returns_truncated_message;
        configure_takes_effect_on_a_running_thread;
        the_copied_control_is_as_good_as_the_original;
    }
    sched_context {
        bind_lets_a_thread_run: SchedContextBind[Success];
        bind_is_one_to_one_for_threads;
        bind_is_one_to_one_for_notifications;
        bind_to_a_thread_and_a_notification;
        bind_to_anything_else_returns_invalid_capability;
        bind_of_a_blocked_thread_to_an_empty_budget_is_refused;
        unbind_takes_time_away_from_thread_and_notification: SchedContextUnbind[Success];
        unbind_of_ones_own_context_is_refused;
        unbind_object_takes_time_away_from_one: SchedContextUnbindObject[Success];
        consumed_counts_microseconds_since_it_was_asked: SchedContextConsumed[Success];
        deleting_a_context_stops_its_thread;
        yield_to_lets_a_thread_of_the_same_priority_run: SchedContextYieldTo[Success];
        yield_to_returns_what_the_target_consumed;
        yield_to_ones_own_or_nobodys_context_is_refused;
        yield_to_above_ones_maximum_priority_is_refused;
    }
    budgets {
        threads_of_one_priority_share_the_time;
        a_slice_ends_and_the_next_thread_runs;
        a_higher_priority_runs_first_and_alone;
        a_budget_limits_a_thread_of_higher_priority;
        a_thread_without_budget_waits_for_its_period;
        yield_gives_the_rest_of_the_budget_up;
        a_thread_that_waits_keeps_its_budget;
        a_sporadic_context_with_few_refills_is_limited_all_the_same;
        more_refills_allow_the_whole_budget;
        a_released_thread_preempts_a_lower_one;
        all_threads_may_be_idle;
        time_before_a_yield_counts_as_consumed_and_the_rest_does_not;
    }
    passive {
        a_passive_server_runs_on_its_callers_time;
        a_send_to_a_passive_receiver_waits_for_time;
        the_callers_context_is_with_the_server_meanwhile;
        a_chain_of_passive_servers;
        the_context_returns_when_the_reply_object_is_deleted;
        a_server_that_is_deleted_loses_the_callers_context;
        a_suspended_caller_leaves_its_context_with_the_server;
        a_passive_server_without_a_reply_object_gets_no_time;
        nb_send_recv_gives_the_context_away;
        a_notification_lends_its_context_to_a_passive_waiter;
        a_bound_notification_lends_its_context_to_a_passive_receiver;
        a_passive_fault_handler_runs_on_the_faulting_threads_time;
        a_passive_server_runs_at_its_own_priority;
    }
    timeout {
        the_end_of_a_budget_is_told_to_the_timeout_handler;
        without_a_timeout_handler_a_thread_just_waits;
        a_round_robin_thread_raises_no_timeout_fault;
        an_answered_thread_goes_on_when_it_has_time_again;
        a_reply_sets_registers;
        a_reply_with_a_label_leaves_the_thread_stopped;
        a_passive_server_that_overruns_its_clients_budget;
        consumed_counts_from_the_last_timeout;
    }
    fault_vm {
        reading_what_is_not_mapped;
        writing_what_is_not_mapped;
        writing_a_read_only_page;
        a_page_mapped_without_rights_cannot_be_read;
        executing_what_is_not_mapped;
        a_page_can_be_executed;
        an_execute_never_page_cannot_be_executed;
        kernel_memory_cannot_be_read;
        kernel_memory_cannot_be_written;
        the_fault_ip_is_that_of_the_instruction;
        a_fault_without_a_handler_stops_the_thread_alone;
        a_handler_that_is_deleted_is_no_handler;
        a_fault_that_nobody_hears_of_leaves_the_thread_stopped_until_it_is_resumed;
        a_thread_can_be_sent_elsewhere_before_the_reply;
    }
    fault_exception {
        division_by_zero_is_exception_0;
        a_single_step_is_exception_1;
        a_breakpoint_is_exception_3;
        an_invalid_instruction_is_exception_6;
        privileged_instructions_are_exception_13;
        software_interrupts_are_exception_13;
        a_non_canonical_address_is_exception_13;
        a_reply_sets_ip_sp_and_flags;
        an_empty_reply_runs_the_instruction_again;
        a_reply_with_a_label_leaves_the_thread_stopped;
        a_reply_cannot_send_a_thread_into_the_kernel;
    }
    fault_system_call {
        an_unknown_system_call_reports_all_registers;
        numbers_that_name_nothing_are_faults;
        a_reply_sets_all_registers;
        an_empty_reply_makes_the_call_again;
        a_reply_behind_the_call_lets_the_thread_go_on;
        a_reply_with_a_label_leaves_the_thread_stopped;
        send_and_call_through_an_address_that_leads_nowhere;
        nb_send_through_an_address_that_leads_nowhere_is_silent;
        receiving_through_an_address_that_leads_nowhere;
        receiving_from_an_empty_slot_or_another_object;
        a_two_phase_call_faults_in_its_receive_phase_after_sending;
        a_guard_that_differs;
        a_cnode_with_too_many_bits;
        a_thread_without_a_cspace;
        a_cspace_of_two_levels_resolves;
        a_reply_makes_the_call_again;
    }
    paging {
        all_levels_are_mapped_in_order:
            X86PdptMap[Success], X86PageDirectoryMap[Success], X86PageTableMap[Success];
        a_missing_level_returns_failed_lookup:
            X86PageDirectoryMap[FailedLookup], X86PageTableMap[FailedLookup], X86PageMap[FailedLookup];
        a_structure_in_the_way_returns_delete_first:
            X86PdptMap[DeleteFirst], X86PageDirectoryMap[DeleteFirst], X86PageTableMap[DeleteFirst];
        a_large_page_in_the_way_returns_delete_first;
        kernel_addresses_return_invalid_argument:
            X86PdptMap[InvalidArgument], X86PageDirectoryMap[InvalidArgument], X86PageTableMap[InvalidArgument];
        what_is_no_vspace_returns_invalid_capability;
        a_structure_that_is_mapped_already_returns_invalid_capability;
        a_vspace_whose_asid_pool_is_gone_returns_failed_lookup: X86PdptMap[FailedLookup];
        unmapping_makes_room_for_another:
            X86PdptUnmap[Success], X86PageDirectoryUnmap[Success], X86PageTableUnmap[Success];
        unmapping_what_is_not_mapped_succeeds;
        unmapping_with_a_copy_returns_revoke_first:
            X86PdptUnmap[RevokeFirst], X86PageDirectoryUnmap[RevokeFirst], X86PageTableUnmap[RevokeFirst];
        deleting_a_page_table_unmaps_what_is_below;
        the_last_user_page_is_never_mapped;
        missing_arguments_return_truncated_message;
    }
    page {
        one_frame_seen_at_two_addresses: X86PageMap[Success];
        a_copy_taken_with_fewer_rights_cannot_be_written;
        unmap_takes_the_page_away: X86PageUnmap[Success];
        delete_takes_the_page_away;
        a_copys_mapping_stays_when_the_other_is_unmapped;
        mapping_anew_changes_rights_at_once;
        mapping_anew_elsewhere_returns_invalid_argument;
        mapping_anew_in_another_vspace_returns_invalid_capability;
        another_page_in_the_way_returns_delete_first: X86PageMap[DeleteFirst];
        unaligned_addresses_return_alignment_error: X86PageMap[AlignmentError];
        kernel_addresses_return_invalid_argument: X86PageMap[InvalidArgument];
        what_is_no_vspace_returns_invalid_capability;
        all_attributes_are_taken;
        get_address_says_where_a_frame_is: X86PageGetAddress[Success];
        a_page_of_2_mib;
        a_page_of_2_mib_under_a_page_table_returns_delete_first;
        a_page_of_1_gib_where_the_processor_has_them;
        a_thread_in_another_vspace_sees_only_its_own_pages;
    }
    asid {
        make_pool_makes_a_pool_that_assigns: X86AsidControlMakePool[Success], X86AsidPoolAssign[Success];
        make_pool_takes_an_untyped_of_4_kib_only;
        make_pool_of_a_used_untyped_returns_revoke_first: X86AsidControlMakePool[RevokeFirst];
        make_pool_checks_its_destination: X86AsidControlMakePool[DeleteFirst, FailedLookup, RangeError];
        make_pool_returns_delete_first_when_there_are_no_more;
        a_deleted_pool_makes_room_for_another;
        assign_takes_a_vspace_without_an_asid_only;
        assign_returns_delete_first_when_the_pool_is_full: X86AsidPoolAssign[DeleteFirst];
        a_thread_whose_asid_pool_is_deleted_faults;
    }
    io_port {
        reads_and_writes_of_every_width:
            X86IoPortIn8[Success], X86IoPortIn16[Success], X86IoPortIn32[Success], X86IoPortOut32[Success];
        writes_of_8_and_16_bits: X86IoPortOut8[Success], X86IoPortOut16[Success];
        only_the_data_of_the_width_is_written;
        ports_outside_the_range_are_illegal:
            X86IoPortIn8[IllegalOperation], X86IoPortIn16[IllegalOperation], X86IoPortIn32[IllegalOperation], X86IoPortOut8[IllegalOperation], X86IoPortOut16[IllegalOperation], X86IoPortOut32[IllegalOperation];
        the_last_ports_of_all_can_be_issued;
        a_range_that_is_issued_returns_revoke_first: X86IoPortControlIssue[Success, RevokeFirst];
        a_copy_keeps_the_range_issued;
        a_range_that_ends_before_it_begins_returns_invalid_argument: X86IoPortControlIssue[InvalidArgument];
        issue_checks_its_destination: X86IoPortControlIssue[DeleteFirst, FailedLookup, RangeError];
        the_control_itself_cannot_be_copied;
        missing_arguments_return_truncated_message;
    }
    interrupt {
        the_timers_interrupt_signals_its_notification:
            X86IrqIssueIrqHandlerIoApic[Success], IrqSetIrqHandler[Success];
        an_interrupt_comes_again_only_when_acknowledged: IrqAckIrq[Success];
        interrupts_come_while_all_threads_wait;
        interrupts_preempt_a_thread_of_lower_priority;
        clear_ends_the_signals: IrqClearIrqHandler[Success];
        another_notification_replaces_the_first;
        a_deleted_handler_ends_interrupts_and_can_be_issued_again;
        set_notification_checks_its_capability;
        acknowledging_without_an_interrupt_is_harmless;
        an_issued_interrupt_returns_revoke_first:
            X86IrqIssueIrqHandlerIoApic[RevokeFirst], X86IrqIssueIrqHandlerMsi[RevokeFirst];
        msi_handlers_are_issued_and_issued_again: X86IrqIssueIrqHandlerMsi[Success];
        impossible_numbers_return_range_error:
            X86IrqIssueIrqHandlerIoApic[RangeError], X86IrqIssueIrqHandlerMsi[RangeError];
        the_destination_is_checked:
            X86IrqIssueIrqHandlerIoApic[DeleteFirst, FailedLookup], X86IrqIssueIrqHandlerMsi[DeleteFirst, FailedLookup];
        get_by_number_is_illegal_where_there_is_an_ioapic: IrqIssueIrqHandler[IllegalOperation];
        a_handler_can_be_copied;
    }
    message_interrupt {
        a_devices_message_signals_its_notification;
        a_message_preempts_a_thread_of_lower_priority;
        a_deleted_handler_ends_the_signals;
    }
    domain {
        set_puts_a_thread_into_the_domain: DomainSetSet[Success];
        set_of_another_domain_returns_invalid_argument: DomainSetSet[InvalidArgument];
        set_of_what_is_no_tcb_returns_invalid_argument;
        set_returns_truncated_message;
        schedule_entries_are_configured: DomainScheduleConfigure[Success];
        schedule_entries_that_are_not_there_return_range_error:
            DomainScheduleConfigure[RangeError], DomainScheduleSetStart[RangeError];
        impossible_durations_return_invalid_argument: DomainScheduleConfigure[InvalidArgument];
        the_schedule_starts_at_an_entry: DomainScheduleSetStart[Success];
        the_schedule_does_not_start_at_an_end_marker: DomainScheduleSetStart[InvalidArgument];
        schedule_invocations_return_truncated_message;
    }
    fpu {
        sse_registers_are_kept_across_threads;
        sse_registers_are_kept_across_calls;
        a_thread_that_uses_no_fpu_leaves_it_alone;
        a_fresh_thread_has_a_fresh_fpu;
        x87_registers_are_kept_across_threads;
        a_thread_with_the_fpu_disabled_gets_exception_7;
        disabling_takes_the_fpu_from_a_thread_that_uses_it;
        a_deleted_owner_leaves_the_fpu_usable;
    }
    segment_bases {
        fs_and_gs_are_kept_across_threads;
        set_tls_base_changes_a_waiting_threads_fs;
        the_system_call_and_the_invocation_set_the_same_base;
        bases_written_by_the_thread_itself_are_kept_where_it_can_write_them;
    }
    redirect {
        a_call_from_outside_goes_to_the_entry: TcbSetRedirect[Success];
        flags_that_the_kernel_runs_without_are_kept;
        a_thread_is_interrupted_at_its_entry_as_anywhere;
        every_number_is_redirected;
        a_native_call_is_a_system_call;
        an_unknown_native_call_is_a_fault;
        debug_calls_are_refused_to_a_redirected_thread;
        the_range_is_that_of_the_instruction_and_ends_before_its_end;
        length_0_ends_the_redirection;
        ranges_and_entries_outside_user_memory_return_range_error: TcbSetRedirect[RangeError, TruncatedMessage];
        a_redirected_thread_can_be_preempted_and_faults_as_others_do;
    }
    debug_calls {
        identify_tells_kinds_apart_or_is_unknown;
        all_debug_calls_are_there_or_none_is;
        the_fault_of_a_missing_call_waits_like_any_other;
        both_register_calls_are_there_or_none_is;
    }
    preemption {
        revoking_thousands_of_capabilities;
        resetting_megabytes_of_untyped_memory;
        deleting_a_large_cnode;
        deleting_a_chain_of_cnodes_with_a_waiting_thread_at_its_end;
        clearing_badged_sends_of_many_threads;
    }
    hostile {
        random_system_calls_harm_nobody;
    }
}
