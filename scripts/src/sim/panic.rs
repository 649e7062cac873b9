//! The scheduler's own assertions end the program: the last words say which seed it was.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static SEED: AtomicU64 = AtomicU64::new(0);
static REPLAY: OnceLock<String> = OnceLock::new();

/// From now on a panic tells how to see it again: by `replay` and the seed.
pub fn tell(replay: String) {
    if REPLAY.set(replay).is_ok() {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            let replay = REPLAY.get().map_or("", String::as_str);
            anstream::eprintln!("again: {replay} --seed {}", SEED.load(Ordering::Relaxed));
        }));
    }
}

/// The case of this seed is about to run.
pub fn running(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
}
