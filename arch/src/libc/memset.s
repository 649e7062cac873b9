# void *memset(rdi to, esi byte, rdx bytes)

    movq %rdi, %rax
    movzbl %sil, %ecx
    movabsq $0x0101010101010101, %r8
    imulq %r8, %rcx
    cmpq $16, %rdx
    ja 32f
    cmpl $8, %edx
    jae 31f
    cmpl $4, %edx
    jae 30f
    testl %edx, %edx
    jz 1f
    movq %rdx, %r9
    shrq $1, %r9
    movb %cl, (%rdi)
    movb %cl, (%rdi,%r9)
    movb %cl, -1(%rdi,%rdx)
1:  ret
30:  # 4 to 7 bytes
    movl %ecx, (%rdi)
    movl %ecx, -4(%rdi,%rdx)
    ret
31:  # 8 to 16 bytes
    movq %rcx, (%rdi)
    movq %rcx, -8(%rdi,%rdx)
    ret
32:  # 17 bytes and more
    cmpq $2048, %rdx
    jae 33f
    movq %rcx, %xmm0
    punpcklqdq %xmm0, %xmm0
    leaq -16(%rdi,%rdx), %r8
2:  movups %xmm0, (%rdi)
    addq $16, %rdi
    cmpq %r8, %rdi
    jb 2b
    movups %xmm0, (%r8)
    ret
33:  # 2 KiB and more
    movq %rax, %r8
    movq %rcx, %rax
    movq %rdx, %rcx
    rep stosb
    movq %r8, %rax
    ret
