# int memcmp(rdi a, rsi b, rdx bytes): eight at a time; in big-endian order the first difference decides.

    xorl %r8d, %r8d
1:  leaq 8(%r8), %r9
    cmpq %rdx, %r9
    ja 2f
    movq (%rdi,%r8), %rax
    movq (%rsi,%r8), %rcx
    cmpq %rcx, %rax
    jne 30f
    movq %r9, %r8
    jmp 1b
2:  cmpq %rdx, %r8
    jae 31f
    movzbl (%rdi,%r8), %eax
    movzbl (%rsi,%r8), %ecx
    subl %ecx, %eax
    jne 3f
    incq %r8
    jmp 2b
31:  # equal
    xorl %eax, %eax
3:  ret
30:  # the words differ
    bswapq %rax
    bswapq %rcx
    cmpq %rcx, %rax
    sbbl %eax, %eax                 # below: -1, else 0
    orl $1, %eax
    ret
