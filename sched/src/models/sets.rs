//! Sets of CPUs, above all those of more than 64: words, and a summary or a count that must never understate them.

use std::sync::Arc;
use std::vec::Vec;

use super::explore;
use super::threads;
use crate::attention::{Attention, Notice};
use crate::bitmap::Bitmap;
use crate::cpuset::CpuSet;
use crate::id::CpuId;
use crate::sync::{Ordering, Owned, fence};

/// A set of 130 CPUs, and for three of them, of which two share a word, what they wrote before they were added.
struct Marked {
    set: Bitmap,
    marks: [(CpuId, Owned); 3],
}

impl Marked {
    fn new(cpus: usize, members: [u32; 3]) -> Self {
        Self { set: Bitmap::new(cpus), marks: members.map(|cpu| (CpuId(cpu), Owned::new(0))) }
    }

    fn insert(&self, index: usize) {
        let (cpu, mark) = &self.marks[index];
        mark.set(1);
        self.set.insert(*cpu);
    }

    fn take(&self, taken: &mut Vec<usize>) {
        if self.set.any() {
            self.set.take(|cpu| {
                let index = self.marks.iter().position(|(member, _)| *member == cpu).unwrap();
                assert_eq!(self.marks[index].1.get(), 1, "a member comes with what was written before");
                taken.push(index);
            });
        }
    }
}

fn members_come_out_once(cpus: usize, members: [u32; 3]) {
    explore(3, move || {
        let marked = Arc::new(Marked::new(cpus, members));
        let adders = [[0].as_slice(), &[1, 2]].map(|indices| {
            let marked = Arc::clone(&marked);
            threads::spawn(move || indices.iter().for_each(|&index| marked.insert(index)))
        });
        let mut taken = Vec::new();
        marked.take(&mut taken);
        for adder in adders {
            adder.join().unwrap();
        }
        marked.take(&mut taken);
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2]);
    });
}

/// Catches: `insert` with Relaxed, `take` with Relaxed (stale marks); `take` clearing by a load and a store
/// (race: a member lost).
#[test]
fn members_of_one_word_come_out_once_and_whole() {
    members_come_out_once(64, [0, 5, 63]);
}

/// Catches: the same in `words`; `insert` setting the summary before the word, or `take` clearing the
/// words before the summary (race: a member without a summary bit).
#[test]
fn members_of_many_words_come_out_once_and_whole() {
    members_come_out_once(130, [64, 65, 129]);
}

/// Catches: `insert` leaving out the summary where its word wasn't empty before (race: the other adder hasn't
/// set it yet, and the owner halts).
#[test]
fn a_summary_is_set_before_its_adder_looks_at_the_owner() {
    explore(4, || {
        let shared = Arc::new((Bitmap::new(130), Attention::new()));
        shared.1.raise(Notice::Polling);
        let adders = [70, 71].map(|cpu| {
            let shared = Arc::clone(&shared);
            threads::spawn(move || {
                shared.0.insert(CpuId(cpu));
                shared.1.read()
            })
        });
        shared.1.lower(Notice::Halted);
        let sees = shared.0.any();
        let kicked = adders.map(|adder| adder.join().unwrap() == Notice::Halted);
        assert!(sees || kicked == [true, true], "the owner halts over a member");
    });
}

fn is_removed_once(cpus: usize, member: CpuId) {
    explore(4, move || {
        let set = Arc::new(CpuSet::new(cpus));
        set.insert(member);
        let remove = |set: Arc<CpuSet>| threads::spawn(move || set.remove(member));
        let others = [remove(Arc::clone(&set)), remove(Arc::clone(&set))];
        let mut winners = usize::from(set.remove(member));
        winners += others.map(|other| usize::from(other.join().unwrap())).iter().sum::<usize>();
        assert_eq!(winners, 1);
        assert!(!set.contains(member));
    });
}

/// Of several that want to give an idle CPU work one does.
///
/// Catches: `remove` by a load and a store (race).
#[test]
fn a_member_is_removed_once() {
    is_removed_once(64, CpuId(5));
}

/// Catches: the same in `remove_counted`.
#[test]
fn a_counted_member_is_removed_once() {
    is_removed_once(130, CpuId(100));
}

/// Who finds a CPU sees what it wrote before it joined: how far it reaches, for one.
///
/// Catches: `insert` with Relaxed, or `find` of many words (stale mark). Meant to catch: the same in `insert_counted`, and
/// where `find` looks at one word.
fn a_member_is_found_whole(cpus: usize, member: CpuId) {
    explore(4, move || {
        let shared = Arc::new((CpuSet::new(cpus), Owned::new(0)));
        let adder = {
            let shared = Arc::clone(&shared);
            threads::spawn(move || {
                shared.1.set(1);
                shared.0.insert(member);
            })
        };
        if shared.0.find(|_| true).is_some() {
            assert_eq!(shared.1.get(), 1, "a member comes with what was written before");
        }
        adder.join().unwrap();
    });
}

#[test]
fn a_member_of_one_word_is_found_whole() {
    a_member_is_found_whole(64, CpuId(5));
}

#[test]
fn a_member_of_many_words_is_found_whole() {
    a_member_is_found_whole(130, CpuId(100));
}

/// Who adds a CPU and who looks for one, each after a fence: one sees the other, although a third is just adding a
/// member of the same word that the first one takes out.
///
/// Catches: `insert_counted` adding the member before it counts it (race: the count is none while one is there).
#[test]
fn a_count_never_understates() {
    explore(4, || {
        let shared = Arc::new((CpuSet::new(130), Owned::new(0)));
        let adder = {
            let shared = Arc::clone(&shared);
            threads::spawn(move || shared.0.insert(CpuId(70)))
        };
        let remover = {
            let shared = Arc::clone(&shared);
            threads::spawn(move || {
                shared.0.insert(CpuId(71));
                // Pairs with the looker's fence below.
                fence(Ordering::SeqCst);
                let sees_owner = shared.1.get() == 1;
                shared.0.remove(CpuId(70));
                sees_owner
            })
        };
        shared.1.set(1);
        // Pairs with the remover's fence above.
        fence(Ordering::SeqCst);
        let sees_member = shared.0.any();
        assert!(remover.join().unwrap() || sees_member, "neither sees the other");
        adder.join().unwrap();
    });
}
