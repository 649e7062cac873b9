//! A heap that is used up.

use alloc::alloc::alloc;
use alloc::boxed::Box;
use core::alloc::Layout;
use core::mem::MaybeUninit;

use crate::thread::{Builder, JoinHandle, SpawnError};
use crate::{heap, println};

/// A block that knows the one before: there is nothing else to keep them in.
struct Block<const BYTES: usize> {
    before: Option<Box<Self>>,
    _rest: [MaybeUninit<u8>; BYTES],
}

/// Takes blocks of so many bytes, and a little more, until there are no more. Gives the last, and their number.
fn take_all<const BYTES: usize>() -> (Option<Box<Block<BYTES>>>, usize) {
    let layout = Layout::new::<Block<BYTES>>();
    let (mut last, mut count) = (None, 0);
    loop {
        // SAFETY: the size isn't zero.
        let place = unsafe { alloc(layout) }.cast::<MaybeUninit<Block<BYTES>>>();
        if place.is_null() {
            return (last, count);
        }
        // SAFETY: it was allocated with the layout of what the box holds.
        let place = unsafe { Box::from_raw(place) };
        last = Some(Box::write(place, Block { before: last, _rest: [MaybeUninit::uninit(); BYTES] }));
        count += 1;
    }
}

/// One after the other: dropped as they are, each would drop the one before from inside.
fn give_back<const BYTES: usize>(mut last: Option<Box<Block<BYTES>>>) {
    while let Some(mut block) = last {
        last = block.before.take();
    }
}

fn try_thread(stack: usize) -> Result<u32, SpawnError> {
    Builder::new("new").stack_size(stack).spawn(|| 1).map(JoinHandle::join)
}

/// Uses all of the heap up: threads are refused, and nothing else happens. Gives it back: threads are made again, but none
/// whose stack is larger than the machine.
pub fn starve() {
    const HUGE: usize = 1 << 40;
    let before = heap::used();
    let (large, small, least) = (take_all::<{ 64 << 10 }>(), take_all::<1000>(), take_all::<8>());
    let refused = (try_thread(0), try_thread(HUGE));
    give_back(large.0);
    give_back(small.0);
    give_back(least.0);
    assert_eq!(heap::used(), before, "what was refused isn't in use");
    assert_eq!(refused, (Err(SpawnError::OutOfMemory), Err(SpawnError::OutOfMemory)));
    assert_eq!((try_thread(HUGE), try_thread(0)), (Err(SpawnError::OutOfMemory), Ok(1)));
    println!(
        "planted    {} blocks used the heap up: a thread was refused, and made when they were given back",
        large.1 + small.1 + least.1
    );
}
