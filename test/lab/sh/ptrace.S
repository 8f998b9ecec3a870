# What has User-Mode Linux run on a processor with AMX: ptrace(2), which sets a process's floating point registers. The kernel takes an
# area of the whole size alone (arch/x86/kernel/fpu/regset.c, xstateregs_set), which is 11 kB there. User-Mode Linux 6.1 and 6.12 have
# 2696 bytes, as much as comes before AMX (arch/x86/um/os-Linux/registers.c), and end in "ptrace set fp regs failed, errno = 14". So the
# rest of the area is put behind what they have: as the process has it, which is without AMX, as none may use that unasked.
# For x86_64, loaded by LD_PRELOAD into linux.uml; see machine.ts.
        .set    size, 16384
        .set    get, 0x4204             # PTRACE_GETREGSET
        .set    set, 0x4205             # PTRACE_SETREGSET
        .set    registers, 0x202        # NT_X86_XSTATE
        .text
        .globl  ptrace
        .type   ptrace, @function
ptrace:
        cmp     $set, %edi
        jne     1f
        cmp     $registers, %rdx
        je      2f
1:      jmp     *real(%rip)
2:      push    %rbx
        push    %rcx
        mov     %rcx, %rbx
        # All that the process has, into an area of our own: {address, size}.
        lea     area(%rip), %r8
        lea     whole(%rip), %r10
        mov     %r8, (%r10)
        movq    $size, 8(%r10)
        mov     $get, %edi
        mov     $101, %eax              # ptrace
        syscall
        test    %rax, %rax
        jnz     3f
        # Over it what is to be set, and no word of AMX: XTILECFG and XTILEDATA in the header, at 512.
        push    %rsi
        mov     (%rbx), %rsi
        mov     8(%rbx), %rcx
        cmp     8(%r10), %rcx
        cmova   8(%r10), %rcx
        mov     %r8, %rdi
        cld
        rep movsb
        pop     %rsi
        andq    $-0x60001, 512(%r8)
        mov     $set, %edi
        mov     $101, %eax
        syscall
        test    %rax, %rax
        jnz     3f
        pop     %rcx
        pop     %rbx
        ret
        # As if nothing had been here.
3:      pop     %rcx
        pop     %rbx
        mov     $set, %edi
        jmp     *real(%rip)
        .size   ptrace, . - ptrace

find:   sub     $8, %rsp
        mov     $-1, %rdi               # RTLD_NEXT
        lea     name(%rip), %rsi
        call    dlsym@PLT
        mov     %rax, real(%rip)
        add     $8, %rsp
        ret
        .section .init_array, "aw"
        .quad   find
        .section .rodata
name:   .string "ptrace"
        .local  real, whole, area
        .comm   real, 8, 8
        .comm   whole, 16, 8
        .comm   area, size, 64
        .section .note.GNU-stack, "", @progbits
