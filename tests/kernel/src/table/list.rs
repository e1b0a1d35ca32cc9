//! Every test, once.

use super::{Coverage, Outcome, tests};
use chestnut_abi::Label;

tests! {
    untyped {
        retype_places_objects_side_by_side: UntypedRetype[Success], X86PageGetAddress[Success];
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
}
