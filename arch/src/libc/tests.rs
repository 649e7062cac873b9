//! Every length around the boundaries between the methods, at every offset and overlap.

use super::*;

const LENGTHS: [usize; 30] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 18, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 127, 128, 2047,
    2048, 2049, 5000,
];
/// Bytes on either side that nobody may touch.
const MARGIN: usize = 40;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn memcpy_copies_that_and_no_more() {
    for len in LENGTHS {
        for offset in 0..3 {
            let from = pattern(len + offset);
            let mut to = vec![0xee; len + 2 * MARGIN];
            let start = to[MARGIN..].as_mut_ptr();
            // SAFETY: both are `len` bytes long, and apart.
            let result = unsafe { memcpy(start, from[offset..].as_ptr(), len) };
            assert_eq!(result, start);
            assert_eq!(to[MARGIN..MARGIN + len], from[offset..], "{len}");
            let margins = to[..MARGIN].iter().chain(&to[MARGIN + len..]);
            assert!(margins.copied().all(|byte| byte == 0xee), "{len}");
        }
    }
}

#[test]
fn memmove_survives_every_overlap() {
    for len in LENGTHS {
        for (from, to) in (0..MARGIN).flat_map(|shift| [(0, shift), (shift, 0)]) {
            let mut bytes = pattern(len + MARGIN);
            let mut expected = bytes.clone();
            expected.copy_within(from..from + len, to);
            let base = bytes.as_mut_ptr();
            // SAFETY: both ranges are within `bytes`.
            unsafe { memmove(base.add(to), base.add(from), len) };
            assert_eq!(bytes, expected, "{len} bytes from {from} to {to}");
        }
    }
}

#[test]
fn memset_sets_that_and_no_more() {
    for len in LENGTHS {
        let mut bytes = vec![0xee; len + 2 * MARGIN];
        let start = bytes[MARGIN..].as_mut_ptr();
        // SAFETY: `len` bytes at `start` are within `bytes`.
        let result = unsafe { memset(start, 0x1_5a, len) };
        assert_eq!(result, start);
        let inside = |i: &usize| (MARGIN..MARGIN + len).contains(i);
        assert!((0..bytes.len()).all(|i| bytes[i] == if inside(&i) { 0x5a } else { 0xee }), "{len}");
    }
}

#[test]
fn memcmp_orders_by_the_first_difference() {
    for len in LENGTHS.into_iter().filter(|&len| len <= 200) {
        let a = pattern(len);
        // SAFETY: both are `len` bytes long.
        assert_eq!(unsafe { memcmp(a.as_ptr(), a.clone().as_ptr(), len) }, 0);
        for at in 0..len {
            let mut b = a.clone();
            b[at] ^= 0x80;
            // What comes after the first difference doesn't count.
            b[at + 1..].iter_mut().for_each(|byte| *byte = !*byte);
            // SAFETY: as above.
            let (order, equal) =
                unsafe { (memcmp(a.as_ptr(), b.as_ptr(), len), bcmp(a.as_ptr(), b.as_ptr(), len)) };
            assert_eq!(order.cmp(&0), a.cmp(&b), "{len} bytes, difference at {at}");
            assert_ne!(equal, 0);
        }
    }
}

#[test]
fn strlen_stops_at_the_nul() {
    // SAFETY: both end in a NUL.
    assert_eq!(unsafe { (strlen(c"".as_ptr().cast()), strlen(c"tacet".as_ptr().cast())) }, (0, 5));
}
