//! The names of threads for who isn't one of them: what the monitor lists.
//!
//! A thread's handle holds its name, but lives in a slot that is the thread's own, and goes with it. So while somebody
//! means to list threads, names are also kept beside the slots, as words that may be read at any time.

use core::array;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use alloc::boxed::Box;

use arrayvec::ArrayString;
use sched::{Shared, TaskId};
use spin::Once;

use super::NAME_LENGTH;

/// A name's words. Zeros follow the text.
type Words = [AtomicU64; NAME_LENGTH / 8];

static NAMES: Once<Box<[Words]>> = Once::new();

/// From now on names are kept. At boot, before there are threads.
pub fn keep(shared: &Shared) {
    let words = || array::from_fn(|_| AtomicU64::new(0));
    NAMES.call_once(|| (0..shared.slots()).map(|_| words()).collect());
}

/// Notes the name of the thread that `slot` is being filled with, before it's created.
pub(super) fn note(slot: usize, name: &str) {
    if let Some(names) = NAMES.get() {
        write(&names[slot], &name[..name.floor_char_boundary(NAME_LENGTH)]);
    }
}

#[cold]
fn write(words: &Words, name: &str) {
    // Release pairs with the Acquire in `of`: who reads a word of this name finds that the last tenant is gone.
    fence(Ordering::Release);
    let mut bytes = [0; NAME_LENGTH];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    for (word, bytes) in words.iter().zip(bytes.as_chunks().0) {
        word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
    }
}

/// The name of a task; `None` if it's gone, or names aren't kept. From threads.
pub fn of(shared: &Shared, task: TaskId) -> Option<ArrayString<NAME_LENGTH>> {
    let words = NAMES.get()?.get(task.index())?;
    let words: [u64; NAME_LENGTH / 8] = array::from_fn(|i| words[i].load(Ordering::Relaxed));
    // Acquire pairs with the Release in `write`.
    fence(Ordering::Acquire);
    if !shared.is_alive(task) {
        return None;
    }
    let bytes = words.map(u64::to_le_bytes);
    let text = core::str::from_utf8(bytes.as_flattened()).ok()?;
    ArrayString::from(text.trim_end_matches('\0')).ok()
}
