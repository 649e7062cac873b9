//! The Limine door: what is believed of Limine's answers. Its protocol is `PROTOCOL.md` of the Limine project.

#[cfg(all(feature = "freestanding", not(test)))]
pub(super) mod requests;

use super::KERNEL_BASE;
use super::memory_map::{PAGE, PHYSICAL_LIMIT};

/// Where Limine says that things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Virtual address of the direct map of physical memory.
    pub direct_map: u64,
    /// Address of the ACPI root pointer: physical, or in the direct map. 0 where unknown.
    pub root_pointer: u64,
    /// Physical address of the image.
    pub image: u64,
    /// Virtual address of the same.
    pub image_virtual: u64,
}

impl Places {
    /// The same with a physical root pointer, if an image of `len` bytes that runs at `linked_at` can go on with it.
    ///
    /// # Errors
    /// Says what can't be.
    pub fn checked(self, linked_at: u64, len: u64) -> Result<Self, &'static str> {
        // The image has a window of its own at the end of the address space.
        let apart = self.direct_map.checked_add(PHYSICAL_LIMIT).is_some_and(|end| end <= KERNEL_BASE);
        if !self.direct_map.is_multiple_of(PAGE) || self.direct_map >> 63 == 0 || !apart {
            return Err("Limine's direct map is where none can be");
        }
        if !self.image.is_multiple_of(PAGE)
            || self.image.checked_add(len).is_none_or(|end| end > PHYSICAL_LIMIT)
        {
            return Err("Limine put the image where no memory can be");
        }
        if self.image_virtual != linked_at {
            return Err("Limine put the image at another address than it was linked for");
        }
        Ok(Self { root_pointer: self.physical_root_pointer(), ..self })
    }

    /// Before base revision 3 it's an address in the direct map. Physical ones are far below that. 0 if it's neither.
    fn physical_root_pointer(&self) -> u64 {
        let physical = self.root_pointer.checked_sub(self.direct_map).unwrap_or(self.root_pointer);
        if physical < PHYSICAL_LIMIT { physical } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u64 = 0x20_0000;
    const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
    const GOOD: Places = Places {
        direct_map: DIRECT_MAP,
        root_pointer: 0xf_52c0,
        image: 0x1fc0_0000,
        image_virtual: KERNEL_BASE,
    };

    fn checked(places: Places) -> Result<Places, &'static str> {
        places.checked(KERNEL_BASE, LEN)
    }

    #[test]
    fn what_can_be_is_taken() {
        assert_eq!(checked(GOOD), Ok(GOOD));
        assert_eq!(
            checked(Places { image: PHYSICAL_LIMIT - LEN, ..GOOD }).map(|p| p.direct_map),
            Ok(DIRECT_MAP)
        );
    }

    #[test]
    fn a_root_pointer_is_physical_or_unknown() {
        let root_pointer = |at| checked(Places { root_pointer: at, ..GOOD }).unwrap().root_pointer;
        assert_eq!(root_pointer(DIRECT_MAP + 0xf_52c0), 0xf_52c0);
        assert_eq!(root_pointer(PHYSICAL_LIMIT - 1), PHYSICAL_LIMIT - 1);
        assert_eq!([PHYSICAL_LIMIT, DIRECT_MAP - 1, u64::MAX].map(root_pointer), [0; 3]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let why = |places| checked(places).unwrap_err();
        let map = |direct_map| checked(Places { direct_map, ..GOOD });
        let no_map = [0, 0x1000, !0 >> 1, DIRECT_MAP + 1, KERNEL_BASE, KERNEL_BASE - PHYSICAL_LIMIT + PAGE];
        for place in no_map.into_iter().chain([!0 - PAGE + 1]) {
            assert!(map(place).unwrap_err().contains("direct map"), "{place:#x}");
        }
        assert!(map(KERNEL_BASE - PHYSICAL_LIMIT).is_ok());
        for image in [1, PHYSICAL_LIMIT, PHYSICAL_LIMIT - LEN + PAGE, !0 - PAGE + 1] {
            assert!(why(Places { image, ..GOOD }).contains("no memory"), "{image:#x}");
        }
        assert!(why(Places { image_virtual: KERNEL_BASE + PAGE, ..GOOD }).contains("linked"));
    }
}
