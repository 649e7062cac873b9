//! Tacet's machine layer.
#![no_std]
