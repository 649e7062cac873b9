//! What is text: the command line, records in a log, and names of functions.

use arch::boot::CommandLine;
use arch::symbols::{MAGIC, Symbols};
use bench::options::Options;
use bench::record;

/// A loader's command line, up to the options that it sets.
pub fn command_line(data: &[u8]) {
    let line = CommandLine::copied(data);
    assert!(line.as_str().len() <= CommandLine::CAPACITY);
    assert!(line.as_str().bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    for text in [line.as_str(), &String::from_utf8_lossy(data)] {
        match Options::parse(text) {
            Ok(options) => assert_eq!(Options::parse(&options.to_string()), Ok(options), "{text}"),
            Err(mistake) => assert!(!mistake.to_string().is_empty()),
        }
    }
}

pub fn command_line_seeds() -> Vec<Vec<u8>> {
    let lines: [&[u8]; 4] = [
        b"suite=share,yield cpus=2 policy=decay seed=0x7 sched.tau=200ms timer=oneshot\0",
        b"suite='quick' apic=xapic sched.rt-runtime=900ms sched.rt-period=1.5s plant=none",
        b"suite=full policy=eevdf sched.poll=20us sched.hysteresis=5ms sched.penalty=10us sched.rr-slice=10ms",
        b"  watchdog=1s \"suite=tickless\" cpus=512 seed=18446744073709551615 ",
    ];
    lines.map(<[u8]>::to_vec).to_vec()
}

/// A line of a guest's log.
pub fn record(data: &[u8]) {
    let line = format!("{}{}", record::PREFIX, String::from_utf8_lossy(data));
    if let Some(Ok(found)) = record::parse(&line) {
        let again = record::line(&found);
        let second =
            record::parse(&again).expect("a record's line has the prefix").expect("and is read back");
        // As text, since a number may be one that equals nothing.
        assert_eq!(record::line(&second), again);
    }
}

pub fn record_seeds() -> Vec<Vec<u8>> {
    let lines: [&[u8]; 5] = [
        br#"{"v":1,"name":"yield","kind":"verdict","pass":true,"why":"median 118"}"#,
        br#"{"v":1,"name":"quick","kind":"end","passed":3,"failed":0}"#,
        br#"{"v":1,"name":"x","kind":"count","unit":"interrupts","per_cpu":[0,1]}"#,
        br#"{"v":1,"name":"x","kind":"ratio","expected":[1.5],"measured":[1.49e0]}"#,
        br#"{"v":1,"name":"s","kind":"share","threads":2,"cpus":1,"window_ms":4.5,"jain":0.9,"min_over_max":0.9,"max_lag_ms":1.5,"shares":[0.5],"expected":[0.5],"migrations":3,"switches":4,"idle_while_overloaded_us":0.0}"#,
    ];
    lines.map(<[u8]>::to_vec).to_vec()
}

/// A symbol table, as fault reports read it.
pub fn symbols(data: &[u8]) {
    let Some(symbols) = Symbols::parse(data) else { return };
    for offset in [0, 1, 0x3f, 0x40, 0xffff, u32::MAX] {
        _ = symbols.lookup(offset);
    }
}

pub fn symbols_seeds() -> Vec<Vec<u8>> {
    let entries =
        [(0x10_u32, 24_u32), (0x40, 30)].map(|(at, name)| [at.to_le_bytes(), name.to_le_bytes()].concat());
    vec![[&MAGIC.to_le_bytes()[..], &2_u32.to_le_bytes(), &entries.concat(), b"first\0second\0"].concat()]
}
