# Where Limine enters: 64-bit mode, its own page tables, descriptor table and stack, interrupts off.
# Nothing is promised about SSE. Its stack lies in memory that will be reused, so ours is taken at once.

.section .text.limine_entry, "ax"
.code64
.global limine_entry
limine_entry:
    cli
    cld
    leaq boot_stack_top(%rip), %rsp
    movq %cr0, %rax
    andq $~0x0c, %rax                   # EM and TS off: SSE and x87 instructions work
    movl ${cr0}, %ecx
    orq %rcx, %rax
    movq %rax, %cr0
    movq %cr4, %rax
    orq ${cr4}, %rax
    movq %rax, %cr4
    fninit

    lgdtq boot_gdt_pointer_high(%rip)
    leaq 1f(%rip), %rax
    pushq $0x08
    pushq %rax
    lretq
1:  movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    xorl %ebp, %ebp                     # backtraces end here
    callq {main}
    ud2
