//! The interrupt descriptor table: which stub each vector enters, and on which stack.

use super::{exceptions, ist, stubs, vector};
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::idt::{Entry, HandlerFunc};

/// A plain array: the crate's own table type has no place for stubs on vectors that Intel reserves.
type Table = [Entry<HandlerFunc>; 256];

/// One table for all CPUs: stacks differ by TSS, stubs don't.
static IDT: spin::Once<Table> = spin::Once::new();

/// A stub: never called, only entered by the CPU.
pub(super) type Stub = unsafe extern "C" fn() -> !;

/// Builds the table; once, on the first CPU, with the final code segment loaded.
pub(crate) fn build() {
    IDT.call_once(|| core::array::from_fn(|vector| entry(vector as u8)));
}

/// Points this CPU at the table.
pub(crate) fn load() {
    let table = IDT.get().expect("idt::build comes first");
    let pointer =
        DescriptorTablePointer { limit: (size_of::<Table>() - 1) as u16, base: VirtAddr::from_ptr(table) };
    // SAFETY: the table is static and complete, its stubs fit their vectors, and this CPU's TSS has the stacks.
    unsafe { lidt(&pointer) };
}

fn entry(vector: u8) -> Entry<HandlerFunc> {
    let (stub, stack) = stub_and_stack(vector);
    let mut entry = Entry::missing();
    // SAFETY: the stub fits the vector, by the table below; interrupts are off on entry, which is the default.
    unsafe { entry.set_handler_addr(VirtAddr::from_ptr(stub as *const ())).set_stack_index(stack) };
    entry
}

fn stub_and_stack(vector: u8) -> (Stub, u16) {
    match vector {
        2 => (exceptions::nmi, ist::NMI),
        8 => (exceptions::STUBS[8], ist::DOUBLE_FAULT),
        18 => (exceptions::STUBS[18], ist::MACHINE_CHECK),
        0..32 => (exceptions::STUBS[usize::from(vector)], ist::EXCEPTION),
        vector::LEGACY..0x30 => (stubs::LEGACY[usize::from(vector - vector::LEGACY)], ist::INTERRUPT),
        vector::TIMER => (stubs::timer, ist::INTERRUPT),
        vector::KICK => (stubs::kick, ist::INTERRUPT),
        vector::APIC_ERROR => (stubs::apic_error, ist::INTERRUPT),
        vector::SPURIOUS => (stubs::spurious, ist::INTERRUPT),
        vector::SERIAL => (stubs::serial, ist::INTERRUPT),
        vector::UNASSIGNED..vector::SPURIOUS => {
            (stubs::UNASSIGNED[usize::from(vector - vector::UNASSIGNED)], ist::INTERRUPT)
        }
        vector::OTHERS.. => (stubs::other, ist::INTERRUPT),
    }
}
