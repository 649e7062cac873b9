//! The controllers of the first PCs, as the classic tutorials use them: 8259s, interval timer, real-time clock. `legacy=show`
//! shows at boot that they work, and that nothing of them arrives any more once the APIC has taken over.
//!
//! A line asks, its 8259 asks the local APIC's first pin (the slave through the master's line 2), and that interrupts the
//! first CPU with vector 0x20 plus the line. The handler is the one that every machine has for what comes unasked
//! (`arch::pic`): it ends the interrupt at the slave where there's one, and at the master, and neither if the in-service
//! register says that it's spurious, but for the master of a spurious 15.
//!
//! **Spurious interrupts** come of requests that are withdrawn before they're acknowledged: see [`Withdrawal`].

use core::fmt::{self, Display};
use core::ops::ControlFlow;

use arch::interrupts::{self, vector};
use arch::pic::{self, Tally};
use arch::{apic, clock, cpu, pit, rtc};
use bench::units::Plural;

use crate::{machine, println};

/// What the tutorials take.
const TIMER_HERTZ: u32 = 100;

const TIMER_LINE: u8 = 0;
const CLOCK_LINE: u8 = 8;

/// For so long nothing may come.
const QUIET_NS: u64 = 100_000_000;
/// How long to wait for what comes within a hundredth of that, if at all.
const PATIENCE_NS: u64 = 5_000_000_000;
/// Enough for what is due at once.
const MOMENT_NS: u64 = 1_000_000;

/// Shows it, on the first CPU: interrupts are off, and are so afterwards. Ends the run if the machine has none of this.
///
/// # Panics
/// If anything isn't as it should be.
pub fn show() {
    machine::or_bad_input(look_for_parts());
    let mut shown = Shown { failed: 0 };
    show_remap(&mut shown);
    apic::set_virtual_wire(true);
    show_ticks(&mut shown, &TIMER);
    show_ticks(&mut shown, &CLOCK);
    show_spurious(&mut shown, &MASTERS);
    show_spurious(&mut shown, &SLAVES);
    show_hand_over(&mut shown);
    shown.end();
}

/// What is missing for it.
fn look_for_parts() -> Result<(), &'static str> {
    if !pic::is_there() {
        return Err("legacy=show: this machine has no 8259 interrupt controllers");
    }
    if !pit::is_there() {
        return Err("legacy=show: this machine has no 8254 interval timer");
    }
    if rtc::is_there() { Ok(()) } else { Err("legacy=show: this machine has no real-time clock") }
}

/// What was shown so far.
struct Shown {
    failed: u32,
}

impl Shown {
    fn line(&mut self, is_right: bool, text: impl Display) {
        println!("  legacy    {text}  {}", if is_right { "ok" } else { "FAILED" });
        self.failed += u32::from(!is_right);
    }

    fn end(self) {
        assert!(self.failed == 0, "legacy=show: {} of the above failed", self.failed);
    }
}

/// The masks are cleared by the controllers' initialisation, and restored.
fn show_remap(shown: &mut Shown) {
    const MASKS: u16 = !(1 << TIMER_LINE);
    pic::set_masks(MASKS);
    pic::remap();
    let (restored, firmwares) = (pic::masks(), pic::firmware_masks());
    pic::set_masks(pic::ALL);
    let text =
        format_args!("8259s remapped to 0x20, masks {restored:#06x} restored (firmware's {firmwares:#06x})");
    shown.line(restored == MASKS, text);
}

/// A device that asks again and again.
struct Ticker {
    name: &'static str,
    line: u8,
    hertz: u32,
    start: fn(),
    stop: fn(),
    /// What it wants before it asks again.
    answer: fn(),
}

static TIMER: Ticker = Ticker {
    name: "interval timer",
    line: TIMER_LINE,
    hertz: TIMER_HERTZ,
    start: || pit::start(TIMER_HERTZ),
    stop: pit::stop,
    answer: || (),
};

static CLOCK: Ticker = Ticker {
    name: "real-time clock",
    line: CLOCK_LINE,
    hertz: rtc::HERTZ,
    start: rtc::start,
    stop: rtc::stop,
    answer: rtc::answer,
};

/// Half a second of interrupts, each ended where it has to be. A host that is busy may lose some, so the time is what shows:
/// never less.
fn show_ticks(shown: &mut Shown, ticker: &Ticker) {
    let wanted = u64::from(ticker.hertz / 2);
    let (tally, start) = (pic::tally(), clock::now_ns());
    (ticker.start)();
    let ticks = let_through(ticker, wanted);
    (ticker.stop)();
    let (ns, ended) = (clock::now_ns() - start, spent(tally).ended);
    // The first may come at once, and a request may have been kept since.
    let fits = ns * u64::from(ticker.hertz) >= (wanted - 2) * 990_000_000;
    let is_ended = ended == [ticks, if ticker.line < 8 { 0 } else { ticks }] && pic::in_service() == 0;
    let Ticker { name, line, hertz, .. } = ticker;
    let text = format_args!(
        "{name}, line {line}: {} in {} ms at {hertz} Hz; {}",
        Plural(ticks as usize, "interrupt"),
        ns / 1_000_000,
        Ends(ended)
    );
    shown.line(ticks == wanted && fits && is_ended, text);
}

/// Lets so many interrupts of that line come, and tells how many did.
fn let_through(ticker: &Ticker, wanted: u64) -> u64 {
    let before = taken(ticker.line);
    let came = || taken(ticker.line) - before;
    let mut answered = 0;
    pic::set_masks(!(1 << ticker.line) & !pic::CASCADE);
    interrupts::enable();
    _ = poll(PATIENCE_NS, || {
        // For every interrupt, and not by its handler, which is every line's.
        if came() > answered {
            answered = came();
            (ticker.answer)();
        }
        if answered < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    interrupts::disable();
    pic::set_masks(pic::ALL);
    came()
}

/// How to make a controller answer with its line 7 when nothing asks any more.
///
/// The request is let in until the CPU has heard of it, interrupts off. Then the CPU's pin is shut, the request withdrawn,
/// and the pin opened again. What the CPU heard it has not forgotten, under QEMU, and it acknowledges what is gone. The master
/// keeps the slave's request there, so that it's the slave that has nothing to say. Under Bochs a master forgets it with the
/// slave (the data sheet has it so), and answers with 7 itself. Where nothing comes, the handler is entered by an instruction:
/// to it that's the same, since its line is not in service.
struct Withdrawal {
    /// What comes of it.
    line: u8,
    asker: &'static Ticker,
    /// What the master lets through when the request is gone.
    masks: u16,
    /// The vector of `line`.
    raise: fn(),
    /// How often it's to be ended at the master, and at the slave.
    ends: [u64; 2],
}

static MASTERS: Withdrawal = Withdrawal {
    line: 7,
    asker: &TIMER,
    masks: pic::ALL,
    raise: interrupts::raise::<{ vector::LEGACY + 7 }>,
    ends: [0, 0],
};

/// The slave asks by the master's line 2.
static SLAVES: Withdrawal = Withdrawal {
    line: 15,
    asker: &CLOCK,
    masks: pic::ALL & !pic::CASCADE,
    raise: interrupts::raise::<{ vector::LEGACY + 15 }>,
    ends: [1, 0],
};

fn show_spurious(shown: &mut Shown, withdrawal: &Withdrawal) {
    let (line, half) = (withdrawal.line, usize::from(withdrawal.line >= 8));
    let (all_before, tally) = (taken_in_all(), pic::tally());
    withdraw(withdrawal);
    let came = spent(tally).spurious;
    if came[half] == 0 {
        (withdrawal.raise)();
    }
    let how = match came {
        [0, 0] => "by an instruction, as a withdrawn request is forgotten",
        _ if came[half] == 0 => "by an instruction, as a withdrawn request came as 7",
        _ => "a request withdrawn",
    };
    let Tally { ended, spurious } = spent(tally);
    let is_right = spurious[half] == 1
        && taken_in_all() - all_before == spurious[0] + spurious[1]
        && ended == withdrawal.ends
        && pic::in_service() == 0;
    shown.line(is_right, format_args!("spurious {line}, {how}: {} counted; {}", spurious[half], Ends(ended)));
}

/// Has a request withdrawn that the CPU has heard of, and looks what comes.
fn withdraw(withdrawal: &Withdrawal) {
    let asker = withdrawal.asker;
    pic::set_masks(!(1 << asker.line) & !pic::CASCADE);
    (asker.start)();
    _ = poll(PATIENCE_NS, || match pic::requests() & 1 << asker.line {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    });
    apic::set_virtual_wire(false);
    (asker.stop)();
    pic::set_masks(withdrawal.masks);
    apic::set_virtual_wire(true);
    listen(MOMENT_NS);
    pic::set_masks(pic::ALL);
}

/// The timer goes on asking. First only the masks are there to hold it off; then the local APIC's pin is shut as well, which
/// is how the kernel runs.
fn show_hand_over(shown: &mut Shown) {
    pit::start(TIMER_HERTZ);
    let masked = quiet_interrupts();
    shown.line(
        masked == 0 && asks(),
        format_args!("masked: {} in 100 ms, while the timer asks", Plural(masked as usize, "interrupt")),
    );
    apic::set_virtual_wire(false);
    let (late, masks) = (quiet_interrupts(), pic::masks());
    pit::stop();
    let is_shut = masks == pic::ALL && !apic::has_virtual_wire();
    let pin = if apic::has_virtual_wire() { "open" } else { "shut" };
    shown.line(
        late == 0 && is_shut,
        format_args!(
            "handed over to the APIC: {} in 100 ms, masks {masks:#06x}, pin {pin}",
            Plural(late as usize, "interrupt")
        ),
    );
}

/// Whether the timer's request stands.
fn asks() -> bool {
    pic::requests() & 1 << TIMER_LINE != 0
}

/// Interrupts of all lines in [`QUIET_NS`].
fn quiet_interrupts() -> u64 {
    let before = taken_in_all();
    listen(QUIET_NS);
    taken_in_all() - before
}

/// Interrupts of a line so far.
fn taken(line: u8) -> u64 {
    interrupts::count(0, vector::LEGACY + line)
}

fn taken_in_all() -> u64 {
    (0..16).map(taken).sum()
}

/// What was done at the controllers since.
fn spent(before: Tally) -> Tally {
    let now = pic::tally();
    let since = |now: [u64; 2], before: [u64; 2]| [now[0] - before[0], now[1] - before[1]];
    Tally { ended: since(now.ended, before.ended), spurious: since(now.spurious, before.spurious) }
}

/// Lets interrupts come for so long.
fn listen(ns: u64) {
    interrupts::enable();
    _ = poll(ns, || ControlFlow::Continue(()));
    interrupts::disable();
}

/// Looks again and again, for so long at most.
fn poll(ns: u64, mut look: impl FnMut() -> ControlFlow<()>) -> ControlFlow<()> {
    let end = clock::now_ns() + ns;
    while clock::now_ns() < end {
        look()?;
        cpu::relax();
    }
    ControlFlow::Continue(())
}

/// How many interrupts were ended at the master, and how many at the slave.
struct Ends([u64; 2]);

impl Display for Ends {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ended {} at the master, {} at the slave", self.0[0], self.0[1])
    }
}
