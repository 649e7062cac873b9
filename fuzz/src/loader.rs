//! What loaders hand over: lists of memory, and the structures that lead to them.

use arch::boot::limine::Places;
use arch::boot::memory_map::{Kind, MemoryMap, PAGE, PHYSICAL_LIMIT, Region};
use arch::boot::{multiboot2, pvh};

const KINDS: [Kind; 5] = [Kind::Usable, Kind::LoaderReclaimable, Kind::Acpi, Kind::Kernel, Kind::Reserved];

/// Bytes of a region: base, length, kind.
const REGION: usize = 17;

/// A loader's list of memory, Limine's with all its kinds.
pub fn memory_map(data: &[u8]) {
    let mut map = MemoryMap::new();
    let mut claimed = vec![];
    for entry in data.chunks_exact(REGION) {
        let number = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().expect("eight bytes"));
        let (base, len, kind) = (number(0), number(8), KINDS[usize::from(entry[16]) % KINDS.len()]);
        map.push(base, len, kind);
        if len > 0 {
            claimed.push(Region { base, len, kind });
        }
    }
    check(&map, &claimed);
}

/// What is promised of a map: sorted and disjoint, RAM in whole pages, none of it what somebody else claimed, however
/// many regions there were.
fn check(map: &MemoryMap, claimed: &[Region]) {
    let clean = map.normalise();
    assert!(clean.regions().windows(2).all(|pair| pair[0].end() <= pair[1].base), "{:x?}", clean.regions());
    let is_ram = |kind| matches!(kind, Kind::Usable | Kind::LoaderReclaimable);
    for ram in clean.regions().iter().filter(|region| is_ram(region.kind)) {
        assert!(ram.base % PAGE == 0 && ram.len % PAGE == 0 && ram.end() <= PHYSICAL_LIMIT);
        let other =
            |region: &&Region| !is_ram(region.kind) && region.base < ram.end() && ram.base < region.end();
        assert_eq!(claimed.iter().find(other), None, "{ram:x?}");
    }
    if let Some(page) = clean.low_page() {
        let page = u64::from(page);
        let holds =
            |region: &Region| is_ram(region.kind) && region.base <= page && page + PAGE <= region.end();
        assert!(page >= PAGE && clean.regions().iter().any(holds));
    }
    assert!(clean.ram_bytes() <= PHYSICAL_LIMIT);
}

pub fn memory_map_seeds() -> Vec<Vec<u8>> {
    let region =
        |base: u64, len: u64, kind: u8| [&base.to_le_bytes()[..], &len.to_le_bytes(), &[kind]].concat();
    let pc = [
        region(0, 0x9_fc00, 0),
        region(0x9_fc00, 0x400, 4),
        region(0x10_0000, 0x1ff0_0000, 0),
        region(0x10_0000, 0x8_0000, 3),
        region(0x2000_0000, 0x1000, 2),
        region(0x3000_0000, 0x80_0000, 1),
    ];
    let many = (0..300_u64).flat_map(|i| region(i * 0x3000, 0x2000, (i % 5) as u8)).collect();
    let reclaimable = (0..280_u64).flat_map(|i| region(i * 0x2000, 0x1000, if i < 256 { 1 } else { 4 }));
    vec![pc.concat(), many, reclaimable.collect()]
}

/// Where the loader's bytes are in physical memory.
const AT: u64 = 0x1000;

fn reader<'a>(bytes: &'a [u8]) -> impl Fn(u64, u64) -> Option<&'a [u8]> {
    move |at, len| {
        let start = usize::try_from(at.checked_sub(AT)?).ok()?;
        bytes.get(start..start.checked_add(usize::try_from(len).ok()?)?)
    }
}

/// PVH's start info and the map that it leads to.
pub fn pvh(data: &[u8]) {
    let read = reader(data);
    if let Some(info) = pvh::parse(AT, &read) {
        let map = info.memory_map(&read);
        check(&map, map.regions());
    }
}

pub fn pvh_seeds() -> Vec<Vec<u8>> {
    let mut info = vec![0; 56];
    info[0..4].copy_from_slice(&0x336e_c578_u32.to_le_bytes());
    info[4] = 1;
    info[40..48].copy_from_slice(&(AT + 56).to_le_bytes());
    info[48] = 3;
    for (base, len, kind) in [(0, 0x9_f000_u64, 1_u32), (0x10_0000, 0x7f0_0000, 1), (0xfec0_0000, 0x1000, 2)]
    {
        info.extend([&u64::to_le_bytes(base)[..], &len.to_le_bytes(), &kind.to_le_bytes(), &[0; 4]].concat());
    }
    vec![info]
}

/// Multiboot2's boot information.
pub fn multiboot2(data: &[u8]) {
    if let Some(found) = multiboot2::parse(AT, &reader(data)) {
        assert!(found.len <= data.len() && found.rsdp_offset.is_none_or(|offset| offset <= found.len));
        check(&found.memory, found.memory.regions());
    }
}

pub fn multiboot2_seeds() -> Vec<Vec<u8>> {
    let tag = |kind: u32, body: &[u8]| {
        let mut tag = [&kind.to_le_bytes()[..], &(8 + body.len() as u32).to_le_bytes(), body].concat();
        tag.resize(tag.len().next_multiple_of(8), 0);
        tag
    };
    let mut map = [24_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    for (base, kind) in [(0_u64, 1_u32), (0x20_0000, 3)] {
        map.extend(
            [&base.to_le_bytes()[..], &0x9000_u64.to_le_bytes(), &kind.to_le_bytes(), &[0; 4]].concat(),
        );
    }
    let tags =
        [tag(1, b"suite=quick\0"), tag(6, &map), tag(14, &[1; 20]), tag(15, &[2; 36]), tag(0, &[])].concat();
    vec![[&(8 + tags.len() as u32).to_le_bytes()[..], &[0; 4], &tags].concat()]
}

/// What Limine tells beside its list of memory: four addresses. And how long the image is.
pub fn limine(data: &[u8]) {
    let Some(numbers) = data.get(..36) else { return };
    let number = |at: usize| u64::from_le_bytes(numbers[at..at + 8].try_into().expect("eight bytes"));
    let len = u64::from(u32::from_le_bytes(numbers[32..].try_into().expect("four bytes")));
    let told = Places {
        direct_map: number(0),
        root_pointer: number(8),
        image: number(16),
        image_virtual: number(24),
    };
    let Ok(places) = told.checked(LINKED_AT, len) else { return };
    assert!(places.image.is_multiple_of(PAGE) && places.image + len <= PHYSICAL_LIMIT);
    // Whatever physical address there is can be reached, and the image's own window is another one.
    assert!(places.direct_map.is_multiple_of(PAGE) && places.direct_map >= 1 << 63);
    assert!(places.direct_map + PHYSICAL_LIMIT <= LINKED_AT && places.image_virtual == LINKED_AT);
    assert!(places.root_pointer < PHYSICAL_LIMIT);
}

const LINKED_AT: u64 = arch::boot::KERNEL_BASE;

pub fn limine_seeds() -> Vec<Vec<u8>> {
    let seed = |root_pointer: u64| {
        let places = [0xffff_8000_0000_0000, root_pointer, 0x1fc0_0000, LINKED_AT];
        [&places.map(u64::to_le_bytes).concat()[..], &0x20_0000_u32.to_le_bytes()].concat()
    };
    vec![seed(0xf_52c0), seed(0xffff_8000_000f_52c0), seed(0)]
}
