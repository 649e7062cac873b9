//! How the simulated machine behaves: delays, lateness, skew, and what a hypervisor does to it.

use fastrand::Rng;

use super::program::Span;

/// The machine's properties. All spans in nanoseconds of true time.
#[derive(Clone, Debug)]
pub struct Machine {
    /// From sending an interrupt to its handler.
    pub kick: Span,
    /// One kick in so many arrives twice; never if 0.
    pub kick_twice: u32,
    /// How late the timer fires.
    pub late: Span,
    /// Mean time between spurious timer interrupts of a CPU; never if 0.
    pub spurious: u64,
    /// From a post to a polling CPU's noticing it.
    pub notice: Span,
    /// From the decision to switch to `switched`, interrupts off.
    pub switch: Span,
    /// How far a CPU's clock is ahead of true time.
    pub skew: Span,
    /// Mean time between stalls of a CPU; never if 0.
    pub stall_every: u64,
    /// How long a CPU stalls.
    pub stall: Span,
}

impl Machine {
    /// Ordinary hardware: small fixed delays, clocks in step.
    pub const fn plain() -> Self {
        Self {
            kick: Span::exactly(1_000),
            kick_twice: 0,
            late: Span::exactly(200),
            spurious: 0,
            notice: Span::exactly(50),
            switch: Span::exactly(100),
            skew: Span::exactly(0),
            stall_every: 0,
            stall: Span::exactly(0),
        }
    }

    /// A machine that does everything that the contracts allow.
    pub const fn rough() -> Self {
        Self {
            kick: Span::micros(0, 30),
            kick_twice: 10,
            late: Span::micros(0, 50),
            spurious: 3_000_000,
            notice: Span { least: 0, most: 300 },
            switch: Span { least: 0, most: 2_000 },
            skew: Span { least: 0, most: 2_000 },
            stall_every: 200_000_000,
            stall: Span::micros(10, 8_000),
        }
    }

    /// The longest that work may wait for a CPU that's idle, beyond which it counts as lost.
    pub const fn patience(&self) -> u64 {
        // Idle asks by a kick, the victim's answer is another, each with a switch at most before it's seen;
        // a busy CPU's promise to look "soon" is kept by its timer.
        2 * (self.kick.most + self.switch.most + self.late.most) + self.notice.most + 25_000 + self.skew.most
    }
}

/// A span until a random event that comes on average every `mean`.
pub fn until_random(rng: &mut Rng, mean: u64) -> u64 {
    ((-rng.f64().max(1e-12).ln()) * mean as f64) as u64 + 1
}
