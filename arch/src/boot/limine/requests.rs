//! Requests that Limine finds in the image and answers before it enters. Asked for is base revision 3; an older one is
//! taken too.

use super::Places;
use crate::boot::memory_map::{Kind, MemoryMap};
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
pub(in crate::boot) struct Answers {
    pub(in crate::boot) memory: MemoryMap,
    pub(in crate::boot) places: Places,
    pub(in crate::boot) command_line: &'static [u8],
}

/// Collects the answers; `None` if Limine left out one that there is no going on without.
pub(in crate::boot) fn answers() -> Option<Answers> {
    let image = ADDRESS.get_response()?;
    // The command line comes with the file: Limine 8 doesn't know the request for it alone.
    let file = FILE.get_response().map(limine::response::ExecutableFileResponse::file);
    let places = Places {
        direct_map: DIRECT_MAP.get_response()?.offset(),
        root_pointer: RSDP.get_response().map_or(0, |answer| answer.address() as u64),
        image: image.physical_base(),
        image_virtual: image.virtual_base(),
    };
    Some(Answers {
        memory: memory_map()?,
        places,
        command_line: file.map_or(&[], |file| file.string().to_bytes()),
    })
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
