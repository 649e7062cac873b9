//! All of a selection: first the tree as it is, then fault after fault.

use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::baseline::Baseline;
use super::mutant::Mutant;
use super::report::{Tally, Trial};
use super::tree::Tree;
use super::trial::{self, End, Site};
use crate::test::boot::Host;
use crate::{interrupt, place};

/// How to go about it.
pub struct Setting {
    /// How many at the same time.
    pub jobs: usize,
    /// What boot tests run on.
    pub host: Host,
    /// When to stop.
    pub over: Option<Instant>,
}

/// Tries all, and hands each result to `show` as it comes.
///
/// # Errors
/// The tree fails without a fault, or a trial could not be made.
pub fn all(mutants: Vec<Mutant>, setting: &Setting, show: &mut dyn FnMut(&Trial)) -> Result<Tally> {
    let bar = bar(mutants.len());
    let started = Instant::now();
    // Who goes on working in the checkout meanwhile disturbs nothing.
    let original = Tree::copy(place::root(), &trial::home().join("original"))?;
    let new_site = |number| Site::new(number, &original, setting.host.clone());
    let site = new_site(0)?;
    let baseline = Baseline::default();
    let planned = mutants.len();
    // A boot judges time, and is begun when all that keeps the machine busy is over.
    let (quiet, other): (Vec<_>, Vec<_>) = mutants.into_iter().partition(Mutant::wants_quiet);
    baseline.prepare(&site, &other, &bar)?;
    let mut tally = Tally { planned, baseline: started.elapsed(), ..Tally::default() };
    let mut sites = vec![site];
    for number in 1..setting.jobs.min(other.len()) {
        sites.push(new_site(number)?);
    }
    let mut note = |trial: Trial| {
        bar.inc(1);
        bar.suspend(|| show(&trial));
        tally.note(&trial);
    };
    let work = Work { baseline, over: setting.over, bar: bar.clone() };
    work.spread(&sites, other, &mut note)?;
    // By one kernel for all of them.
    let begun = Instant::now();
    work.baseline.prepare(&sites[0], &quiet, &bar)?;
    let booting = begun.elapsed();
    work.spread(&sites[..1], quiet, &mut note)?;
    bar.finish_and_clear();
    tally.baseline += booting;
    tally.took = started.elapsed();
    Ok(tally)
}

/// A bar on the error output, hidden where that is no terminal.
fn bar(length: usize) -> ProgressBar {
    let template = "{spinner:.green} {pos}/{len} {bar:20} {elapsed:>4}, {eta} to go  {wide_msg:.dim}";
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    let bar = ProgressBar::new(length as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

struct Work {
    baseline: Baseline,
    over: Option<Instant>,
    bar: ProgressBar,
}

impl Work {
    /// Lets every site take one fault after another.
    fn spread(&self, sites: &[Site], mutants: Vec<Mutant>, note: &mut dyn FnMut(Trial)) -> Result<()> {
        let queue = Mutex::new(mutants.into_iter());
        let (send, receive) = mpsc::channel();
        thread::scope(|scope| {
            for site in sites {
                let (queue, send) = (&queue, send.clone());
                scope.spawn(move || self.take_all(site, queue, &send));
            }
            drop(send);
            // One that could not be tried ends the whole: the sender sees that nobody listens any more.
            receive.into_iter().try_for_each(|trial| trial.map(&mut *note))
        })
    }

    fn take_all(
        &self,
        site: &Site,
        queue: &Mutex<impl Iterator<Item = Mutant>>,
        send: &Sender<Result<Trial>>,
    ) {
        let next = || queue.lock().ok()?.next();
        while !self.is_over()
            && let Some(mutant) = next()
        {
            self.bar.set_message(mutant.name.clone());
            let started = Instant::now();
            let end = site.try_one(&mutant, &self.baseline);
            if matches!(end, Ok(End::Interrupted)) {
                return;
            }
            let trial = end.map(|end| Trial { mutant, end, took: started.elapsed() });
            if send.send(trial).is_err() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        interrupt::asked() || self.over.is_some_and(|over| Instant::now() >= over)
    }
}
