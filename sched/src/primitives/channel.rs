//! A channel for messages from many threads to one: when to put a message in and when to take one out, and who is
//! still there. Where messages are meanwhile is the kernel's matter, which passes in how to put and to take.
//!
//! Two semaphores: one counts messages, one the places that are left. A sender takes a place, puts its message
//! in, and lets the receiver have one. A *rendezvous* channel has no places but those that the receiver offers while it
//! waits: whoever has sent knows that its message is being taken.

use super::semaphore::{Refusal, Semaphore};
use super::{Kernel, MAX_PERMITS};
use crate::sync::Ordering;
use crate::sync::untaped::AtomicU32;
use crate::time::Nanos;

/// What a sender and a receiver agree on.
#[derive(Debug)]
pub struct Channel {
    messages: Semaphore,
    places: Semaphore,
    /// How many senders there are.
    senders: AtomicU32,
    rendezvous: bool,
}

/// Why a message was neither sent nor received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// It would have had to wait: at all, or for longer than until the deadline.
    WouldBlock,
    /// There is nobody at the other end any more, and nothing left.
    Disconnected,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooFew => Self::WouldBlock,
            Refusal::Closed => Self::Disconnected,
        }
    }
}

impl Channel {
    /// A channel with a sender and a receiver that holds so many messages; with 0 it's a rendezvous.
    pub fn bounded(messages: u32) -> Self {
        Self {
            messages: Semaphore::new(0),
            places: Semaphore::new(messages),
            senders: AtomicU32::new(1),
            rendezvous: messages == 0,
        }
    }

    /// A channel with a sender and a receiver that holds as many messages as there is memory for.
    pub fn unbounded() -> Self {
        Self::bounded(MAX_PERMITS)
    }

    /// Sends by `put`, which must not block, once there's a place. [`Nanos::NEVER`] is no limit.
    ///
    /// # Errors
    /// If none comes free by `deadline`, or the receiver is gone: then `put` wasn't called.
    #[inline]
    pub fn send_until(
        &self,
        kernel: impl Kernel,
        deadline: Nanos,
        put: impl FnOnce(),
    ) -> Result<(), Failure> {
        self.places.acquire_until(kernel, 1, deadline)?;
        put();
        self.messages.release(kernel, 1);
        Ok(())
    }

    /// Sends by `put` if there's a place right now.
    ///
    /// # Errors
    /// If there is none, or the receiver is gone: then `put` wasn't called.
    #[inline]
    pub fn try_send(&self, kernel: impl Kernel, put: impl FnOnce()) -> Result<(), Failure> {
        self.places.try_acquire(1)?;
        put();
        self.messages.release(kernel, 1);
        Ok(())
    }

    /// Receives by `take`, which must not block, once there's a message. For one receiver. [`Nanos::NEVER`] is no limit.
    ///
    /// # Errors
    /// If none comes by `deadline`, or no senders and no messages are left: then `take` wasn't called.
    #[inline]
    pub fn receive_until<T>(
        &self,
        kernel: impl Kernel,
        deadline: Nanos,
        take: impl FnOnce() -> T,
    ) -> Result<T, Failure> {
        if self.rendezvous {
            self.meet(kernel, |messages| messages.acquire_until(kernel, 1, deadline))?;
            return Ok(take());
        }
        self.messages.acquire_until(kernel, 1, deadline)?;
        let message = take();
        self.places.release(kernel, 1);
        Ok(message)
    }

    /// Receives by `take` if there's a message right now, or a sender waits for a rendezvous.
    ///
    /// # Errors
    /// If there is none, or no senders and no messages are left: then `take` wasn't called.
    pub fn try_receive<T>(&self, kernel: impl Kernel, take: impl FnOnce() -> T) -> Result<T, Failure> {
        if self.rendezvous {
            self.meet(kernel, |messages| messages.try_acquire(1))?;
            return Ok(take());
        }
        self.messages.try_acquire(1)?;
        let message = take();
        self.places.release(kernel, 1);
        Ok(message)
    }

    /// Offers a place, and waits by `wait` for its message. A place that was taken by then has its message soon.
    fn meet(
        &self,
        kernel: impl Kernel,
        wait: impl FnOnce(&Semaphore) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.places.release(kernel, 1);
        match wait(&self.messages) {
            Err(refusal) if self.places.try_acquire(1).is_ok() => Err(refusal),
            Err(_) => self.messages.acquire_until(kernel, 1, Nanos::NEVER),
            Ok(()) => Ok(()),
        }
    }

    /// One more sender.
    pub fn add_sender(&self) {
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    /// One sender is gone. The last one leaves word for the receiver.
    pub fn drop_sender(&self, kernel: impl Kernel) {
        // AcqRel: the last one closes after all that the others sent.
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.messages.close(kernel);
        }
    }

    /// The receiver is gone: nobody sends any more. What is still in the channel is the caller's to throw away.
    pub fn drop_receiver(&self, kernel: impl Kernel) {
        self.places.shut(kernel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitives::still::Still;

    /// Catches: an offer that stands when who made it has gone, to which a message would be sent that nobody takes.
    #[test]
    fn a_rendezvous_that_nobody_came_to_is_none() {
        let (still, channel) = (Still::new(2), Channel::bounded(0));
        let me = still.thread(1);
        assert_eq!(channel.try_receive(me, || ()), Err(Failure::WouldBlock));
        assert_eq!(channel.try_send(me, || panic!("to nobody")), Err(Failure::WouldBlock));
    }

    #[test]
    fn as_many_messages_fit_as_there_are_places() {
        let (still, channel) = (Still::new(2), Channel::bounded(2));
        let me = still.thread(1);
        let send = || channel.try_send(me, || ());
        assert_eq!([send(), send(), send()], [Ok(()), Ok(()), Err(Failure::WouldBlock)]);
        assert_eq!(channel.try_receive(me, || 7), Ok(7));
        assert_eq!([send(), send()], [Ok(()), Err(Failure::WouldBlock)]);
    }

    #[test]
    fn a_channel_is_over_when_all_senders_are_gone() {
        let (still, channel) = (Still::new(2), Channel::unbounded());
        let me = still.thread(1);
        let receive = || channel.try_receive(me, || ());
        channel.add_sender();
        channel.drop_sender(me);
        assert_eq!(receive(), Err(Failure::WouldBlock), "one is left");
        assert_eq!(channel.try_send(me, || ()), Ok(()));
        channel.drop_sender(me);
        assert_eq!([receive(), receive()], [Ok(()), Err(Failure::Disconnected)]);
    }
}
