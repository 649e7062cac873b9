//! Channels from many threads to one, shaped like `std::sync::mpsc`; who waits when is decided by `sched`'s
//! [`primitives::Channel`], and messages are meanwhile in a queue of `crossbeam`'s.
//!
//! The queues let a thread spin on one that is in the middle of a push or a pop, so nobody is switched away there.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;

use alloc::sync::Arc;
use crossbeam_queue::{ArrayQueue, SegQueue};
use sched::primitives::{self, Failure};
use sched::{Nanos, primitives::MAX_PERMITS};

use super::Here;
use crate::local::now;
use crate::preempt::PreemptGuard;

/// Where messages are.
enum Store<T> {
    Array(ArrayQueue<T>),
    List(SegQueue<T>),
}

impl<T> Store<T> {
    /// There is room: the channel says when to call this.
    fn put(&self, message: T) {
        let _here = PreemptGuard::new();
        match self {
            Self::Array(queue) => {
                let full = queue.push(message).is_err();
                debug_assert!(!full, "who has a place finds room");
            }
            Self::List(queue) => queue.push(message),
        }
    }

    fn take(&self) -> Option<T> {
        let _here = PreemptGuard::new();
        match self {
            Self::Array(queue) => queue.pop(),
            Self::List(queue) => queue.pop(),
        }
    }
}

struct Inner<T> {
    channel: primitives::Channel,
    store: Store<T>,
}

/// A channel that holds as many messages as there is memory for: sending never blocks.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    pair(primitives::Channel::unbounded(), Store::List(SegQueue::new()))
}

/// A channel that holds `messages` messages: sending blocks while it's full. With 0 it's a rendezvous: sending blocks until
/// the message is being taken.
///
/// # Panics
/// If that's more than [`MAX_PERMITS`].
pub fn sync_channel<T>(messages: usize) -> (Sender<T>, Receiver<T>) {
    let places = u32::try_from(messages).ok().filter(|&places| places <= MAX_PERMITS);
    let channel = primitives::Channel::bounded(places.expect("too many messages"));
    pair(channel, Store::Array(ArrayQueue::new(messages.max(1))))
}

fn pair<T>(channel: primitives::Channel, store: Store<T>) -> (Sender<T>, Receiver<T>) {
    let inner = Arc::new(Inner { channel, store });
    (Sender { inner: inner.clone() }, Receiver { inner, alone: PhantomData })
}

/// The receiver is gone; the message comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// Why a message was not sent at once or in time; it comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There was no place for it.
    Full(T),
    /// The receiver is gone.
    Disconnected(T),
}

/// All senders and all messages are gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecvError;

/// Why no message was received at once or in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// There was none.
    Empty,
    /// All senders and all messages are gone.
    Disconnected,
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the receiver is gone")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Full(_) => "there's no place",
            Self::Disconnected(_) => "the receiver is gone",
        })
    }
}

/// Sends messages, which arrive in the order of sending; cloned, by several threads.
pub struct Sender<T> {
    inner: Arc<Inner<T>>,
}

// SAFETY: messages go from one thread to another, and nothing but whole messages.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: as before.
unsafe impl<T: Send> Sync for Sender<T> {}

impl<T> Sender<T> {
    /// Sends, and blocks while there's no place.
    ///
    /// # Errors
    /// If the receiver is gone. If it goes later the message is lost.
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.send_until(message, Nanos::NEVER).map_err(|error| match error {
            TrySendError::Full(message) | TrySendError::Disconnected(message) => SendError(message),
        })
    }

    /// Sends if there's a place right now.
    ///
    /// # Errors
    /// If there is none, or the receiver is gone.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.put_by(message, |channel, put| channel.try_send(Here, put))
    }

    /// Sends, and blocks for `span` at most.
    ///
    /// # Errors
    /// If there was no place by then, or the receiver is gone.
    pub fn send_timeout(&self, message: T, span: Nanos) -> Result<(), TrySendError<T>> {
        self.send_until(message, now() + span)
    }

    /// Sends, and blocks until the clock shows `deadline` at most.
    ///
    /// # Errors
    /// If there was no place by then, or the receiver is gone.
    pub fn send_until(&self, message: T, deadline: Nanos) -> Result<(), TrySendError<T>> {
        self.put_by(message, |channel, put| channel.send_until(Here, deadline, put))
    }

    fn put_by(
        &self,
        message: T,
        send: impl FnOnce(&primitives::Channel, &mut dyn FnMut()) -> Result<(), Failure>,
    ) -> Result<(), TrySendError<T>> {
        let message = Cell::new(Some(message));
        let mut put = || self.inner.store.put(message.take().expect("a message is sent once"));
        let Err(failure) = send(&self.inner.channel, &mut put) else { return Ok(()) };
        let message = message.take().expect("what wasn't sent is there");
        Err(match failure {
            Failure::WouldBlock => TrySendError::Full(message),
            Failure::Disconnected => TrySendError::Disconnected(message),
        })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.inner.channel.add_sender();
        Self { inner: self.inner.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.inner.channel.drop_sender(Here);
    }
}

/// Receives messages. One thread at a time does.
pub struct Receiver<T> {
    inner: Arc<Inner<T>>,
    /// Not `Sync`.
    alone: PhantomData<Cell<()>>,
}

// SAFETY: as for `Sender`.
unsafe impl<T: Send> Send for Receiver<T> {}

impl<T> Receiver<T> {
    /// Receives, and blocks until there's a message.
    ///
    /// # Errors
    /// If all senders and all messages are gone.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_until(Nanos::NEVER).map_err(|_| RecvError)
    }

    /// Receives if there's a message right now.
    ///
    /// # Errors
    /// If there is none, and perhaps nobody to send one.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.inner.channel.try_receive(Here, || self.take()).map_err(TryRecvError::from)
    }

    /// Receives, and blocks for `span` at most.
    ///
    /// # Errors
    /// If there was no message by then, or there's nobody to send one.
    pub fn recv_timeout(&self, span: Nanos) -> Result<T, TryRecvError> {
        self.recv_until(now() + span)
    }

    /// Receives, and blocks until the clock shows `deadline` at most.
    ///
    /// # Errors
    /// If there was no message by then, or there's nobody to send one.
    pub fn recv_until(&self, deadline: Nanos) -> Result<T, TryRecvError> {
        self.inner.channel.receive_until(Here, deadline, || self.take()).map_err(TryRecvError::from)
    }

    /// All messages until the last sender is gone.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        core::iter::from_fn(|| self.recv().ok())
    }

    fn take(&self) -> T {
        self.inner.store.take().expect("the channel knows of a message")
    }
}

impl From<Failure> for TryRecvError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::WouldBlock => Self::Empty,
            Failure::Disconnected => Self::Disconnected,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.inner.channel.drop_receiver(Here);
        while let Some(message) = self.inner.store.take() {
            drop(message);
        }
    }
}
