//! Wishes, what is lent, and who takes them over.

use super::*;

const TWO: Affinity = Affinity::one(CpuId(2));

#[test]
fn a_wish_counts_once_it_is_taken_over() {
    let terms = Terms::new();
    terms.reset(7, Spec::default());
    assert!(terms.want_affinity(7, TWO) && terms.want_weight(7, 3));
    assert!(terms.are_changed() && (0..4096).all(|cpu| !terms.admit(CpuId(cpu))));
    assert_eq!((terms.affinity(), terms.weight()), (Affinity::ANY, NORMAL_WEIGHT));
    terms.renew();
    assert_eq!((terms.affinity(), terms.weight(), terms.burden()), (TWO, 3, 6));
    assert!(!terms.are_changed() && terms.admit(CpuId(2)) && !terms.admit(CpuId(1)));
}

#[test]
fn an_affinity_that_is_adopted_counts_and_the_rest_waits() {
    let terms = Terms::new();
    terms.reset(7, Spec::default());
    assert!(terms.want_affinity(7, TWO) && terms.want_weight(7, 3));
    terms.adopt_affinity();
    assert_eq!((terms.affinity(), terms.burden()), (TWO, NORMAL_WEIGHT << 1));
    assert!(terms.are_changed());
}

#[test]
fn a_wish_for_a_former_tenant_changes_nothing() {
    let terms = Terms::new();
    terms.reset(8, Spec::default());
    assert!(!terms.want_affinity(7, TWO) && !terms.want_weight(7, 3));
    terms.renew();
    assert_eq!((terms.affinity(), terms.weight()), (Affinity::ANY, NORMAL_WEIGHT));
}

#[test]
fn a_class_is_a_wish_like_others_and_the_weight_outlives_it() {
    let terms = Terms::new();
    terms.reset(7, Spec { weight: 5, ..Spec::default() });
    let fifo = Class::Fifo(crate::Priority::HIGHEST);
    assert!(terms.want_class(7, fifo) && !terms.want_class(6, Class::Background));
    terms.renew();
    assert_eq!((terms.class(), terms.affinity(), terms.weighted(1_000)), (fifo, Affinity::ANY, 0));
    assert_eq!(terms.weight(), 20 * NORMAL_WEIGHT, "as many as it leaves a twentieth");
    assert!(terms.are_ranked() && !terms.are_changed() && !terms.admit(CpuId(0)));
    assert!(terms.want_class(7, Class::Background) && terms.are_backgrounds());
    assert!(terms.want_class(7, Class::Fair) && !terms.are_backgrounds());
    terms.renew();
    assert_eq!((terms.class(), terms.weight()), (Class::Fair, 5));
    assert!(!terms.are_ranked() && terms.admit(CpuId(0)));
}

#[test]
fn a_lent_rank_counts_until_it_is_returned() {
    let fifo = |number: u8| Class::Fifo(crate::Priority::new(number).unwrap());
    let terms = Terms::new();
    terms.reset(7, Spec { class: fifo(5), ..Spec::default() });
    assert_eq!(terms.lend(Rank::IDLE, fifo(9).rank()), Ok(true));
    assert_eq!(terms.lend(Rank::IDLE, fifo(7).rank()), Ok(false), "less than what it has");
    assert_eq!((terms.class(), terms.coming_rank(), terms.are_changed()), (fifo(5), fifo(9).rank(), true));
    terms.renew();
    assert_eq!(terms.class(), fifo(9));
    assert!(terms.want_class(7, fifo(8)), "a wish of its own isn't lost");
    assert_eq!(terms.lend(fifo(9).rank(), Rank::IDLE), Ok(true));
    terms.renew();
    assert_eq!(terms.class(), fifo(8));
    assert_eq!(terms.lend(fifo(7).rank(), fifo(9).rank()), Ok(true));
    terms.reset(8, Spec::default());
    assert_eq!(terms.coming_rank(), Rank::FAIR, "the next tenant is lent nothing");
}

#[test]
fn the_ninth_lender_is_refused() {
    let terms = Terms::new();
    let rank = Class::Fifo(crate::Priority::LOWEST).rank();
    assert!((0..8).all(|_| terms.lend(Rank::IDLE, rank).is_ok()));
    assert_eq!(terms.lend(Rank::IDLE, Rank::HIGHEST), Err(Full));
    assert_eq!(terms.lend(rank, Rank::IDLE), Ok(false));
    assert_eq!(terms.lend(Rank::IDLE, Rank::HIGHEST), Ok(true));
}

#[test]
fn weights_out_of_range_are_brought_into_it() {
    let terms = Terms::new();
    for (wanted, got) in [(0, 1), (u32::MAX, MAX_WEIGHT)] {
        assert!(terms.want_weight(0, wanted));
        terms.renew();
        assert_eq!(terms.weight(), got);
    }
}

/// Catches: the inner of two guards lets go; a guard that its task never dropped binds the slot's next tenant.
#[test]
fn a_hold_lasts_until_as_many_are_undone_and_no_longer_than_its_task() {
    const ONE: Affinity = Affinity::one(CpuId(1));
    let terms = Terms::new();
    terms.reset(7, Spec::default());
    terms.hold(CpuId(1));
    assert_eq!(terms.affinity(), ONE);
    terms.hold(CpuId(1));
    terms.let_go();
    assert!(terms.want_affinity(7, TWO));
    terms.renew();
    assert_eq!(terms.affinity(), ONE, "one hold is left");
    terms.let_go();
    assert_eq!(terms.affinity(), TWO);
    terms.hold(CpuId(2));
    terms.reset(8, Spec::default());
    assert!(terms.want_affinity(8, ONE));
    terms.renew();
    assert_eq!(terms.affinity(), ONE, "the task that held is gone");
}

/// Catches: a timer armed a nanosecond before the running task is overtaken.
#[test]
fn what_was_to_run_for_a_span_of_virtual_time_has_then_used_it_up() {
    let terms = Terms::new();
    for weight in [1, 3, 1_000, 1_024, 5_000, MAX_WEIGHT] {
        terms.reset(7, Spec { weight, ..Spec::default() });
        for span in [0, 1, 999, 10_000_000, 3_600_000_000_000] {
            let ran = terms.unweighted(span);
            assert!(terms.weighted(ran) >= span, "{span} at {weight}");
        }
    }
}
