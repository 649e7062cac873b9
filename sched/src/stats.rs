//! What a CPU counted: written by it alone, read by anyone.

use crate::meter::Meter;
use crate::sync::Tally;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// One CPU's counters since boot.
        #[derive(Debug)]
        pub struct Stats {
            $($(#[$doc])* pub $name: Tally,)*
            /// Time spent halted.
            pub halted: Meter,
        }

        impl Stats {
            /// All zero.
            pub fn new() -> Self {
                Self { $($name: Tally::new(0),)* halted: Meter::new() }
            }
        }
    };
}

counters! {
    /// Switches from one task to another, idle included.
    switches,
    /// Switches away from a task that could have gone on and didn't ask for it.
    preemptions,
    /// Switches away from a task that gave way.
    yields,
    /// Tasks that ended here.
    exits,
    /// Tasks that came from another CPU's queue or last ran elsewhere.
    migrations,
    /// Tasks of this CPU's queue that it gave to others.
    given,
    /// Interrupts that this CPU sent to announce work.
    kicks_sent,
    /// Posts that needed no interrupt, since the target would look by itself.
    kicks_saved,
    /// Those of them to a CPU that runs something of higher rank.
    kicks_outranked,
    /// Timer interrupts taken.
    timer_interrupts,
    /// Times the timer register was written.
    timer_writes,
}

impl Default for Stats {
    fn default() -> Self {
        Self::new()
    }
}
