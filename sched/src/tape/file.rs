//! The tapes of a run in one file: what the kernel saves, and the replay reads.
//!
//! A line that names the format, then frames: one that tells of the run, with where the CPUs sit as its body, one for each
//! CPU, one that says that all is there. A frame is three little-endian words (the head's length, the body's length, and the checksum of both), the
//! head in postcard's encoding, and the body, which is a tape. So it can be written without a buffer,
//! and whatever is missing or garbled is noticed.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::recorder::Tape;
use crate::config::Config;
use crate::time::Nanos;
use crate::topology::Seat;

/// How a file begins.
pub const MAGIC: &[u8] = b"tacet tape 2\n";

/// The longest head: a run's, with the name of a commit.
const HEAD: usize = 256;

/// What must be the same in replay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The commit of the kernel.
    pub commit: String,
    /// How many CPUs it ran on.
    pub cpus: u32,
    /// Where they sit, by number.
    #[serde(skip)]
    pub seats: Vec<Seat>,
    /// How many task slots there were beside the idle tasks'.
    pub tasks: u32,
    /// How many places the scheduler's shared memory had.
    pub places: u32,
    /// The settings.
    pub config: Config,
}

/// What is known of one CPU's tape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Label {
    /// Whose it is.
    pub cpu: u32,
    /// When that CPU's scheduler was made.
    pub born: Nanos,
    /// How many calls are on it.
    pub calls: u64,
    /// Whether it ran full, so that later ones are missing.
    pub full: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Head {
    Run(Run),
    Tape(Label),
    End,
}

/// Writes a file to a sink that takes bytes in pieces.
#[derive(Debug)]
pub struct Writer<S>(S);

impl<S: FnMut(&[u8])> Writer<S> {
    /// Begins.
    ///
    /// # Panics
    /// Without memory for a few bytes a CPU.
    pub fn new(run: &Run, mut sink: S) -> Self {
        sink(MAGIC);
        let mut writer = Self(sink);
        writer.frame(&Head::Run(run.clone()), &postcard::to_allocvec(&run.seats).expect("there is memory"));
        writer
    }

    /// Adds the tape of `cpu`, whose scheduler was made at `born`.
    pub fn tape(&mut self, cpu: u32, tape: &Tape) {
        let label = Label { cpu, born: tape.born(), calls: tape.calls(), full: tape.is_full() };
        self.frame(&Head::Tape(label), tape.bytes());
    }

    /// Says that all is there.
    pub fn end(mut self) {
        self.frame(&Head::End, &[]);
    }

    fn frame(&mut self, head: &Head, body: &[u8]) {
        let mut room = [0; HEAD];
        let head = postcard::to_slice(head, &mut room).expect("a head is short");
        for word in [head.len() as u32, body.len() as u32, checksum(head, body)] {
            (self.0)(&word.to_le_bytes());
        }
        (self.0)(head);
        (self.0)(body);
    }
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}

/// A file, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// What must be the same in replay.
    pub run: Run,
    /// The tapes, as long as they are whole.
    pub tapes: Vec<(Label, Vec<u8>)>,
}

/// Why a file is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It begins otherwise.
    Foreign,
    /// It ends early, after so many whole frames.
    Cut(usize),
    /// The frame of that number, counted from 0, has another checksum than it should.
    Garbled(usize),
    /// The frame of that number has the right checksum and makes no sense.
    Strange(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => write!(out, "it doesn't begin like a tape"),
            Self::Cut(0) => write!(out, "it's cut short: not even the first frame is whole"),
            Self::Cut(whole) => write!(out, "it's cut short after {whole} frames"),
            Self::Garbled(frame) => write!(out, "frame {frame} is garbled: its checksum is wrong"),
            Self::Strange(frame) => {
                write!(out, "frame {frame} can't be read: another version of Tacet wrote it")
            }
        }
    }
}

impl core::error::Error for Fault {}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(file: &[u8]) -> Result<Self, Fault> {
        let mut rest = file.strip_prefix(MAGIC).ok_or(Fault::Foreign)?;
        let (Head::Run(mut run), body) = next(&mut rest, 0)? else { return Err(Fault::Strange(0)) };
        run.seats = postcard::from_bytes(body).map_err(|_| Fault::Strange(0))?;
        if run.seats.len() != run.cpus as usize {
            return Err(Fault::Strange(0));
        }
        let mut tapes = Vec::new();
        loop {
            let frame = tapes.len() + 1;
            match next(&mut rest, frame)? {
                (Head::Tape(label), body) if label.cpu < run.cpus => tapes.push((label, body.to_vec())),
                (Head::End, _) if rest.is_empty() => return Ok(Self { run, tapes }),
                _ => return Err(Fault::Strange(frame)),
            }
        }
    }
}

/// Takes a frame.
fn next<'a>(rest: &mut &'a [u8], number: usize) -> Result<(Head, &'a [u8]), Fault> {
    let mut piece = |length: usize| rest.split_off(..length).ok_or(Fault::Cut(number));
    let mut word = || Ok(u32::from_le_bytes(piece(4)?.try_into().expect("four bytes")));
    let (head, body, expected) = (word()? as usize, word()? as usize, word()?);
    let (head, body) = (piece(head)?, piece(body)?);
    if checksum(head, body) != expected {
        return Err(Fault::Garbled(number));
    }
    let head = postcard::from_bytes(head).map_err(|_| Fault::Strange(number))?;
    Ok((head, body))
}
