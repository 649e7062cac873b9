//! The Limine door: requests that Limine finds in the image and answers before it enters.
//!
//! Protocol: `PROTOCOL.md` of the Limine project. Asked for is base revision 3; an older one is taken too.

use super::memory_map::{Kind, MemoryMap};
use limine::BaseRevision;
use limine::memory_map::EntryType;
use limine::request::{
    ExecutableAddressRequest, ExecutableFileRequest, HhdmRequest, MemoryMapRequest, RsdpRequest,
};

#[used]
#[unsafe(link_section = ".limine_requests")]
static BASE_REVISION: BaseRevision = BaseRevision::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static MEMORY_MAP: MemoryMapRequest = MemoryMapRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static DIRECT_MAP: HhdmRequest = HhdmRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static RSDP: RsdpRequest = RsdpRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static FILE: ExecutableFileRequest = ExecutableFileRequest::new();
#[used]
#[unsafe(link_section = ".limine_requests")]
static ADDRESS: ExecutableAddressRequest = ExecutableAddressRequest::new();

/// Limine's answers. They lie in memory that is reused once the kernel has its own page tables.
pub(super) struct Answers {
    pub(super) memory: MemoryMap,
    pub(super) direct_map: u64,
    /// Physical; 0 where unknown.
    pub(super) rsdp: u64,
    pub(super) command_line: &'static [u8],
    /// Physical address of the image.
    pub(super) image: u64,
}

/// Collects the answers; `None` if Limine left out one that there is no going on without.
pub(super) fn answers() -> Option<Answers> {
    let direct_map = DIRECT_MAP.get_response()?.offset();
    let address = RSDP.get_response().map_or(0, |answer| answer.address() as u64);
    // The command line comes with the file: Limine 8 doesn't know the request for it alone.
    let file = FILE.get_response().map(limine::response::ExecutableFileResponse::file);
    Some(Answers {
        memory: memory_map()?,
        direct_map,
        rsdp: physical(address, direct_map),
        command_line: file.map_or(&[], |file| file.string().to_bytes()),
        image: ADDRESS.get_response()?.physical_base(),
    })
}

/// Before base revision 3 the root pointer's address is one in the direct map. Physical ones are far below it.
fn physical(address: u64, direct_map: u64) -> u64 {
    address.checked_sub(direct_map).unwrap_or(address)
}

fn memory_map() -> Option<MemoryMap> {
    let mut map = MemoryMap::new();
    for entry in MEMORY_MAP.get_response()?.entries() {
        map.push(entry.base, entry.length, kind(entry.entry_type));
    }
    Some(map)
}

fn kind(kind: EntryType) -> Kind {
    match kind {
        EntryType::USABLE => Kind::Usable,
        EntryType::BOOTLOADER_RECLAIMABLE => Kind::LoaderReclaimable,
        EntryType::ACPI_RECLAIMABLE | EntryType::ACPI_NVS => Kind::Acpi,
        EntryType::EXECUTABLE_AND_MODULES => Kind::Kernel,
        _ => Kind::Reserved,
    }
}
