# Where PVH and Multiboot2 enter: 32-bit protected mode, paging off, flat
# segments, interrupts off, EBX = physical address of the loader's information.
#
# The image is linked in the higher half and loaded low, so until paging is on
# every symbol is spelled `symbol - {base}`. This code maps the first 4 GiB
# three times (identity, direct map, higher half), enables what compiled Rust
# needs (SSE), and calls the door's Rust function with EBX in RDI.
# `memory::init` replaces these tables by the real ones.

.section .boot32, "ax"
.code32

.global pvh_entry
pvh_entry:
    movl $({pvh_main} - {base}), %ebp
    jmp enter_long_mode

.global multiboot2_entry
multiboot2_entry:
    # EAX tells that a Multiboot2 loader is calling; anything else cannot be trusted.
    cmpl $0x36d76289, %eax
    jne .Lrefuse
    movl $({multiboot2_main} - {base}), %ebp

enter_long_mode:
    cli
    cld
    movl $(boot_stack_top - {base}), %esp

    # Long mode and NX are bits 29 and 20 of CPUID 0x80000001 EDX (SDM 2A, CPUID).
    movl %ebx, %esi
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb .Lrefuse
    movl $0x80000001, %eax
    cpuid
    andl $0x20100000, %edx
    cmpl $0x20100000, %edx
    jne .Lrefuse
    movl %esi, %ebx

    # Four page directories of 2 MiB pages: the first 4 GiB, present + writable + large.
    movl $(boot_directories - {base}), %edi
    movl $0x83, %eax
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 1b

    # Present + writable links. Entry 256 is where the direct map begins, 511 and 510 lead to
    # the last 2 GiB of the address space.
    movl $(boot_directories - {base} + 0x003), %eax
    movl $(boot_pdpt_low - {base}), %edi
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x1000, %eax
    loop 2b
    movl $(boot_directories - {base} + 0x003), boot_pdpt_high - {base} + 510 * 8
    movl $(boot_pdpt_low - {base} + 0x003), boot_pml4 - {base}
    movl $(boot_pdpt_low - {base} + 0x003), boot_pml4 - {base} + 256 * 8
    movl $(boot_pdpt_high - {base} + 0x003), boot_pml4 - {base} + 511 * 8

    movl $(boot_pml4 - {base}), %eax
    movl %eax, %cr3
    movl ${cr4}, %eax
    movl %eax, %cr4
    movl $0xc0000080, %ecx          # IA32_EFER
    movl ${efer}, %eax
    xorl %edx, %edx
    wrmsr
    movl ${cr0}, %eax               # PG and PE among them: compatibility mode from here on
    movl %eax, %cr0
    lgdtl boot_gdt_pointer - {base}
    ljmpl $0x08, $(.Llong_mode - {base})

# Not a CPU we can run on: say so on COM1, end QEMU with "bad input", stop.
.Lrefuse:
    movl $(.Lrefusal - {base}), %esi
    movw $0x3f8, %dx
    movl $(.Lrefusal_end - .Lrefusal), %ecx
    rep outsb
    movw $0xf4, %dx
    movl $0x13, %eax
    outl %eax, %dx
3:  cli
    hlt
    jmp 3b

.Lrefusal:
    .ascii "BAD INPUT: Tacet needs a 64-bit CPU with NX, and a PVH or Multiboot2 loader\r\n"
.Lrefusal_end:

.code64
.Llong_mode:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    movabsq ${base}, %rax
    movl %ebp, %ebp                 # upper halves are undefined after the mode switch
    addq %rax, %rbp
    movl %ebx, %edi
    movabsq $.Lhigh, %rax
    jmpq *%rax
.Lhigh:
    leaq boot_stack_top(%rip), %rsp
    lgdtq boot_gdt_pointer_high(%rip)
    fninit
    movq %rbp, %rax
    xorl %ebp, %ebp                 # backtraces end here
    callq *%rax
    ud2

.section .rodata.boot, "a"
.balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        # 0x08: 64-bit code
    .quad 0x00cf93000000ffff        # 0x10: data
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long boot_gdt - {base}
boot_gdt_pointer_high:
    .word boot_gdt_pointer - boot_gdt - 1
    .quad boot_gdt

# PVH finds its 32-bit entry in this ELF note (xen/include/public/elfnote.h).
.section .note.Xen, "a", @note
.balign 4
    .long 4, 8, 18                  # sizes of name and value, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_entry - {base}

# Multiboot2 finds its own by this header (specification 2.0, section 3.1).
.section .multiboot2, "a"
.balign 8
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_header_end - multiboot2_header
    .long -(0xe85250d6 + 0 + (multiboot2_header_end - multiboot2_header))
.balign 8
    .word 1, 1                          # information request, optional: memory map, both ACPI tags
    .long 20, 6, 14, 15
.balign 8
    .word 3, 0                          # entry address, instead of the ELF's, which is Limine's
    .long 12, multiboot2_entry - {base}
.balign 8
    .word 0, 0                          # end
    .long 8
multiboot2_header_end:

.section .bss.boot_tables, "aw", @nobits
.balign 4096
boot_pml4:        .skip 4096
boot_pdpt_low:    .skip 4096
boot_pdpt_high:   .skip 4096
boot_directories: .skip 4 * 4096
