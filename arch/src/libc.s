# memcpy, memmove, memset, memcmp, bcmp, strlen for the System V ABI. Leaf functions, no stack.

.section .text.libc, "ax"

# void *memcpy(rdi to, rsi from, rdx bytes); memmove is the same code, since every path either loads
# all it moves before it stores, or goes in the direction that overlap allows.
.global memcpy
.global memmove
.type memcpy, @function
.type memmove, @function
memcpy:
memmove:
    movq %rdi, %rax
    cmpq $16, %rdx
    ja .Lmove_blocks
    cmpl $8, %edx
    jae .Lmove_8_to_16
    cmpl $4, %edx
    jae .Lmove_4_to_7
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
.Lmove_4_to_7:
    movl (%rsi), %ecx
    movl -4(%rsi,%rdx), %r8d
    movl %ecx, (%rdi)
    movl %r8d, -4(%rdi,%rdx)
    ret
.Lmove_8_to_16:
    movq (%rsi), %rcx
    movq -8(%rsi,%rdx), %r8
    movq %rcx, (%rdi)
    movq %r8, -8(%rdi,%rdx)
    ret
.Lmove_blocks:
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
    jb .Lmove_backward
    cmpq $2048, %rdx
    jae .Lmove_string
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
.Lmove_string:
    movq %rdx, %rcx
    rep movsb
    ret
.Lmove_backward:
    movups (%rsi), %xmm1            # the head, likewise
4:  movups -16(%rsi,%rdx), %xmm0
    movups %xmm0, -16(%rdi,%rdx)
    subq $16, %rdx
    cmpq $16, %rdx
    ja 4b
    movups %xmm1, (%rdi)
    ret

# void *memset(rdi to, esi byte, rdx bytes)
.global memset
.type memset, @function
memset:
    movq %rdi, %rax
    movzbl %sil, %ecx
    movabsq $0x0101010101010101, %r8
    imulq %r8, %rcx
    cmpq $16, %rdx
    ja .Lset_blocks
    cmpl $8, %edx
    jae .Lset_8_to_16
    cmpl $4, %edx
    jae .Lset_4_to_7
    testl %edx, %edx
    jz 1f
    movq %rdx, %r9
    shrq $1, %r9
    movb %cl, (%rdi)
    movb %cl, (%rdi,%r9)
    movb %cl, -1(%rdi,%rdx)
1:  ret
.Lset_4_to_7:
    movl %ecx, (%rdi)
    movl %ecx, -4(%rdi,%rdx)
    ret
.Lset_8_to_16:
    movq %rcx, (%rdi)
    movq %rcx, -8(%rdi,%rdx)
    ret
.Lset_blocks:
    cmpq $2048, %rdx
    jae .Lset_string
    movq %rcx, %xmm0
    punpcklqdq %xmm0, %xmm0
    leaq -16(%rdi,%rdx), %r8
2:  movups %xmm0, (%rdi)
    addq $16, %rdi
    cmpq %r8, %rdi
    jb 2b
    movups %xmm0, (%r8)
    ret
.Lset_string:
    movq %rax, %r8
    movq %rcx, %rax
    movq %rdx, %rcx
    rep stosb
    movq %r8, %rax
    ret

# int memcmp(rdi a, rsi b, rdx bytes): eight at a time, big-endian order decides.
.global memcmp
.global bcmp
.type memcmp, @function
.type bcmp, @function
memcmp:
bcmp:
    xorl %r8d, %r8d
1:  leaq 8(%r8), %r9
    cmpq %rdx, %r9
    ja 2f
    movq (%rdi,%r8), %rax
    movq (%rsi,%r8), %rcx
    cmpq %rcx, %rax
    jne .Lcompare_words
    movq %r9, %r8
    jmp 1b
2:  cmpq %rdx, %r8
    jae .Lcompare_equal
    movzbl (%rdi,%r8), %eax
    movzbl (%rsi,%r8), %ecx
    subl %ecx, %eax
    jne 3f
    incq %r8
    jmp 2b
.Lcompare_equal:
    xorl %eax, %eax
3:  ret
.Lcompare_words:
    bswapq %rax
    bswapq %rcx
    cmpq %rcx, %rax
    sbbl %eax, %eax                 # below: -1, else 0
    orl $1, %eax
    ret

# size_t strlen(rdi text)
.global strlen
.type strlen, @function
strlen:
    xorl %eax, %eax
1:  cmpb $0, (%rdi,%rax)
    je 2f
    incq %rax
    jmp 1b
2:  ret
