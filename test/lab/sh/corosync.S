# What makes corosync cheap in the guests: mmap(2), whose shared memory is all there at once, not page by page at its first use (see
# node.S). For each client that comes libqb makes three files of 1 MiB, maps each twice in a row, and fills it with zeros
# (lib/ringbuffer.c, qb_rb_open): 27,000 page faults until Pacemaker runs. For x86_64, loaded by LD_PRELOAD; see start-cluster.
        .set    short, 131072
        .text
        .globl  mmap
        .globl  mmap64
        .type   mmap, @function
mmap:
mmap64:
        mov     %rcx, %r10
        mov     $9, %eax                # mmap
        syscall
        cmp     $-4095, %rax
        jae     2f
        cmp     $3, %edx                # PROT_READ, PROT_WRITE
        jne     1f
        test    $1, %r10b               # MAP_SHARED
        jz      1f
        cmp     $short, %rsi
        jb      1f
        # The second time it does not fill it.
        lea     end(%rip), %rdi
        cmp     (%rdi), %rax
        je      1f
        lea     (%rax, %rsi), %rdx
        mov     %rdx, (%rdi)
        push    %rax
        mov     %rax, %rdi
        mov     $23, %edx               # MADV_POPULATE_WRITE
        mov     $28, %eax               # madvise
        syscall
        pop     %rax
1:      ret
2:      neg     %eax
        push    %rax
        call    __errno_location@PLT
        pop     %rdx
        mov     %edx, (%rax)
        mov     $-1, %rax
        ret
        .size   mmap, . - mmap
        .local  end
        .comm   end, 8, 8
        .section .note.GNU-stack, "", @progbits
