# void *memmove(rdi to, rsi from, rdx bytes). Every path either loads all that it moves before it stores, or
# goes in the direction that overlap allows. Numbered labels, since memcpy and memmove are two copies of this.

    movq %rdi, %rax
    cmpq $16, %rdx
    ja 32f
    cmpl $8, %edx
    jae 31f
    cmpl $4, %edx
    jae 30f
    testl %edx, %edx
    jz 1f
    movzbl (%rsi), %ecx
    movzbl -1(%rsi,%rdx), %r8d
    movq %rdx, %r9
    shrq $1, %r9
    movzbl (%rsi,%r9), %r10d
    movb %cl, (%rdi)
    movb %r10b, (%rdi,%r9)
    movb %r8b, -1(%rdi,%rdx)
1:  ret
30:  # 4 to 7 bytes
    movl (%rsi), %ecx
    movl -4(%rsi,%rdx), %r8d
    movl %ecx, (%rdi)
    movl %r8d, -4(%rdi,%rdx)
    ret
31:  # 8 to 16 bytes
    movq (%rsi), %rcx
    movq -8(%rsi,%rdx), %r8
    movq %rcx, (%rdi)
    movq %r8, -8(%rdi,%rdx)
    ret
32:  # 17 bytes and more
    cmpq $32, %rdx
    ja 2f
    movups (%rsi), %xmm0
    movups -16(%rsi,%rdx), %xmm1
    movups %xmm0, (%rdi)
    movups %xmm1, -16(%rdi,%rdx)
    ret
2:  movq %rdi, %rcx
    subq %rsi, %rcx
    cmpq %rdx, %rcx                 # to - from < bytes (unsigned): a forward copy would overwrite its source
    jb 34f
    cmpq $2048, %rdx
    jae 33f
    movups -16(%rsi,%rdx), %xmm1    # the tail, before the loop may overwrite it
    leaq -16(%rdi,%rdx), %r8
3:  movups (%rsi), %xmm0
    movups %xmm0, (%rdi)
    addq $16, %rsi
    addq $16, %rdi
    cmpq %r8, %rdi
    jb 3b
    movups %xmm1, (%r8)
    ret
33:  # 2 KiB and more
    movq %rdx, %rcx
    rep movsb
    ret
34:  # to above from, overlapping
    movups (%rsi), %xmm1            # the head, likewise
4:  movups -16(%rsi,%rdx), %xmm0
    movups %xmm0, -16(%rdi,%rdx)
    subq $16, %rdx
    cmpq $16, %rdx
    ja 4b
    movups %xmm1, (%rdi)
    ret
