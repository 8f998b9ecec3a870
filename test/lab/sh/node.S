# What makes node cheap in the guests, where a page fault takes 40 to 100 us. For x86_64, loaded by LD_PRELOAD into node alone; sh/init
# makes the program that does.
#
# fork(2), as vfork(2): to copy node's memory, and to fault it in again page by page, is half of what it costs to start a program.
# libuv calls fork in uv_spawn, and its child calls nothing but system calls until execve(2) (src/unix/process.c,
# uv__process_child_init). It shares the parent's memory, while the parent's thread waits (clone(2): CLONE_VM, CLONE_VFORK):
# - The compiler does not know that both use one stack. So the child gets a copy of the top of it, 64 KiB further below.
# - It sets environ, which the parent sets back.
        .set    copied, 4096
        .set    below, 65536
        .text
        .globl  fork
        .type   fork, @function
fork:
        push    %rbx
        push    %r12
        mov     environ@GOTPCREL(%rip), %r12
        mov     (%r12), %rbx
        push    %rbx
        # From the return address up.
        lea     24(%rsp), %rsi
        mov     %rsi, %r10
        lea     -below(%rsi), %rdi
        mov     %rdi, %r8
        mov     $copied / 8, %ecx
        cld
        rep movsq
        # rbp, where it points into what was copied.
        mov     %rbp, %r9
        mov     %rbp, %rax
        sub     %r10, %rax
        cmp     $copied, %rax
        jae     1f
        lea     (%r8, %rax), %r9
1:      mov     %r8, %rsi
        # What the caller had in rbx and r12, for the child.
        mov     16(%rsp), %rbx
        mov     8(%rsp), %r8
        mov     $0x4111, %edi           # CLONE_VFORK, CLONE_VM, SIGCHLD
        xor     %edx, %edx
        xor     %r10d, %r10d
        mov     $56, %eax               # clone
        syscall
        test    %rax, %rax
        jz      3f
        pop     %rbx
        mov     %rbx, (%r12)
        pop     %r12
        pop     %rbx
        cmp     $-4095, %rax
        jae     2f
        ret
2:      neg     %eax
        push    %rax
        call    __errno_location@PLT
        pop     %rdx
        mov     %edx, (%rax)
        mov     $-1, %rax
        ret
3:      mov     %r8, %r12
        mov     %r9, %rbp
        ret
        .size   fork, . - fork

# mprotect(2) and malloc(3), whose memory is all there at once, not page by page at its first use. What V8 makes readable and writable is a
# part of its heap, of 256 KiB, 31 of them in a `status`; what is as long as that from malloc is a file that node reads. Before 6.11
# User-Mode Linux tells the machine of such pages when they are used, one fault each, or when what one may do with them changes
# (arch/um/kernel/tlb.c): with `twice` defined they become readable, and writable again.
        .set    short, 131072
        .set    long, 4194304
        .globl  mprotect
        .type   mprotect, @function
mprotect:
        push    %rdi
        push    %rsi
        push    %rdx
        mov     $10, %eax               # mprotect
        syscall
        pop     %rdx
        pop     %rsi
        pop     %rdi
        cmp     $-4095, %rax
        jae     2b
        cmp     $3, %edx                # PROT_READ, PROT_WRITE
        je      populate
        ret
        .size   mprotect, . - mprotect

        .globl  malloc
        .type   malloc, @function
malloc:
        cmp     $short, %rdi
        jae     4f
        jmp     __libc_malloc@PLT
4:      push    %rdi
        call    __libc_malloc@PLT
        pop     %rsi
        test    %rax, %rax
        jz      5f
        mov     %rax, %rdi
        # Goes on here: populate(rdi, rsi), with rax as it is.
populate:
        cmp     $short, %rsi
        jb      5f
        cmp     $long, %rsi
        ja      5f
        push    %rax
        # The whole pages of it. Nobody else uses them yet.
        add     %rdi, %rsi
        add     $4095, %rdi
        and     $-4096, %rdi
        and     $-4096, %rsi
        sub     %rdi, %rsi
        mov     $23, %edx               # MADV_POPULATE_WRITE
        mov     $28, %eax               # madvise
        syscall
        .ifdef  twice
        mov     $1, %edx                # PROT_READ
        mov     $10, %eax               # mprotect
        syscall
        mov     $3, %edx                # PROT_READ, PROT_WRITE
        mov     $10, %eax
        syscall
        .endif
        pop     %rax
5:      ret
        .size   malloc, . - malloc

# Programs that node starts go on after their fork.
once:   sub     $8, %rsp
        lea     variable(%rip), %rdi
        call    unsetenv@PLT
        add     $8, %rsp
        ret
        .section .init_array, "aw"
        .quad   once
        .section .rodata
variable:
        .string "LD_PRELOAD"
        .section .note.GNU-stack, "", @progbits
