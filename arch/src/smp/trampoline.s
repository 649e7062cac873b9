# What another CPU executes first: copied to a page below 1 MiB, where a start-up interrupt sends it in
# real mode with CS = page / 16, IP = 0 (SDM 3A 9.4). Every CPU runs this at the same time, so it writes
# to no memory, and has no stack until it owns one.

.section .rodata.trampoline, "a"
.balign 16
.global trampoline_start
trampoline_start:
.code16
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    movzwl %ax, %ebx
    shll $4, %ebx                       # EBX: where this page is
    lgdtl trampoline_gdt_pointer - trampoline_start
    movl $0x11, %eax                    # protected mode, and the caches on: INIT leaves CD and NW set
    movl %eax, %cr0
    ljmpl *(trampoline_to_32 - trampoline_start)

.code32
.Ltrampoline_32:
    movw $0x10, %ax
    movw %ax, %ds
    movl ${cr4}, %eax
    movl %eax, %cr4
    movl trampoline_root - trampoline_start(%ebx), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx              # IA32_EFER
    movl ${efer}, %eax
    xorl %edx, %edx
    wrmsr
    movl ${cr0}, %eax
    movl %eax, %cr0
    ljmpl *(trampoline_to_64 - trampoline_start)(%ebx)

.code64
.Ltrampoline_64:
    movabsq $ap_enter, %rax
    jmpq *%rax

# The first CPU adds the page's address to the first field of each of these three, and sets the root.
.balign 8
.global trampoline_to_32
trampoline_to_32:
    .long .Ltrampoline_32 - trampoline_start
    .word 0x18
.balign 8
.global trampoline_to_64
trampoline_to_64:
    .long .Ltrampoline_64 - trampoline_start
    .word 0x08
.balign 8
    .skip 2
.global trampoline_gdt_pointer
trampoline_gdt_pointer:
    .word trampoline_gdt_end - trampoline_gdt - 1
    .long trampoline_gdt - trampoline_start
.global trampoline_root
trampoline_root:
    .long 0
.balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            # 0x08: 64-bit code
    .quad 0x00cf93000000ffff            # 0x10: data
    .quad 0x00cf9b000000ffff            # 0x18: 32-bit code
trampoline_gdt_end:
.global trampoline_end
trampoline_end:

# From here on in the kernel image. The page tables in use also show the trampoline page; the kernel's don't.
.section .text.ap_enter, "ax"
.code64
ap_enter:
    movq {root}(%rip), %rax
    movq %rax, %cr3
    lgdtq boot_gdt_pointer_high(%rip)
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs

    # R8D: this CPU's APIC id, from leaf 11 where it is in use (32 bits), else from leaf 1 (8 bits).
    xorl %eax, %eax
    cpuid
    cmpl $11, %eax
    jb 1f
    movl $11, %eax
    xorl %ecx, %ecx
    cpuid
    movl %edx, %r8d
    testl %ebx, %ebx
    jnz 2f
1:  movl $1, %eax
    cpuid
    shrl $24, %ebx
    movl %ebx, %r8d

    # The offer made to this CPU; without one, or when it is withdrawn already, stop.
2:  leaq {offers}(%rip), %rdi
    movl {count}(%rip), %ecx
3:  subl $1, %ecx
    jb 4f
    cmpl %r8d, {apic_id}(%rdi)
    je 5f
    addq ${size}, %rdi
    jmp 3b
4:  cli
    hlt
    jmp 4b
5:  movl ${offered}, %eax
    movl ${accepted}, %edx
    lock cmpxchgl %edx, {state}(%rdi)
    jne 4b

    movq {stack}(%rdi), %rsp
    fninit
    xorl %ebp, %ebp                     # backtraces end here
    callq {main}
    ud2
