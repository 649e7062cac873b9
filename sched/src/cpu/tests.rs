//! The scheduler of a few CPUs, driven by hand.
