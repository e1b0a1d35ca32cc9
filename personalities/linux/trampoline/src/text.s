# The trampoline's text: where the kernel sends the program's system calls, and the only place whose own are native.
#
# While it runs, RSP = thread page + STACK, the address of the frame's rflags, and everything on the page is addressed by it: the
# kernel keeps RSP across native calls, and flags are pushed and popped right there. No other stack exists.
# Until the frame has the arguments, only RAX, RCX and R11 are free to use; then all registers are that `tail` loads again, RDX, RSI, RDI,
# R8-R10 and R15, too.

.pushsection .rodata.chestnut_linux_accesses, "a", @progbits
.balign 4
.globl chestnut_linux_accesses
chestnut_linux_accesses:
.popsection

.pushsection .rodata.chestnut_linux_text, "a", @progbits
.balign 16
.globl chestnut_linux_text
chestnut_linux_text:

# An instruction that touches the program's memory. If it faults and the server cannot help, the thread goes on at `efault`.
.macro user instruction:vararg
    .Laccess\@:
    \instruction
    .pushsection .rodata.chestnut_linux_accesses, "a", @progbits
    .long .Laccess\@ - chestnut_linux_text
    .popsection
.endm

# What a native call may change, and R8 and R9 among the arguments.
.macro save_arguments
    mov [rsp + {RDI}], rdi
    mov [rsp + {RSI}], rsi
    mov [rsp + {RDX}], rdx
    mov [rsp + {R10}], r10
    mov [rsp + {R8}], r8
    mov [rsp + {R9}], r9
    mov [rsp + {R15}], r15
    mov [rsp + {NUMBER}], rax
.endm

.macro save_callee_saved
    mov [rsp + {RBX}], rbx
    mov [rsp + {RBP}], rbp
    mov [rsp + {R12}], r12
    mov [rsp + {R13}], r13
    mov [rsp + {R14}], r14
.endm

# What the program sees in them after a system call.
.macro save_clobbered
    mov rcx, [rsp + {RIP}]
    mov [rsp + {RCX}], rcx
    mov rcx, [rsp]
    mov [rsp + {R11}], rcx
.endm

# From the kernel. RCX = address after the program's `syscall`, R11 = thread page, all else (flags too) is the program's.
.Lentry:
    mov [r11 + {PAGE_RSP}], rsp
    lea rsp, [r11 + {STACK} + 8]
    pushfq
    mov [rsp + {RIP}], rcx
    mov eax, eax
    cmp eax, {SYSCALLS}
    jae .Lbeyond
    mov rcx, [rsp + {DISPATCH}]
    movzx ecx, byte ptr [rcx + rax]
# RCX = code.
.Lby_code:
    jrcxz .Lserver
    cmp ecx, {FIRST_ID}
    jae .Lid
    save_arguments
    lea r11, [rip + .Lhandlers]
    movsxd rcx, dword ptr [r11 + 4*rcx]
    add rcx, r11
    jmp rcx

.Lserver:
    save_arguments
# EAX = number; arguments 4-6 are in R10, R8, R9 already.
.Lask:
    mov r15d, eax
    mov esi, {INFO_SYSCALL}
# ESI = message info.
.Lcall:
    mov edi, {SERVER_CPTR}
    mov rdx, {CALL}
.Lserver_call:
    syscall
    shr rsi, 12
    jnz .Lother_reply
    mov rax, r10

# Out, with RAX = result and what a system call keeps. It changes nothing that it reads: a thread found inside is sent back to its beginning.
.Ltail:
    cmp dword ptr [rsp + {ATTENTION}], 0
    jne .Ltail_signals
    mov rdx, [rsp + {RDX}]
    mov rsi, [rsp + {RSI}]
    mov rdi, [rsp + {RDI}]
    mov r8, [rsp + {R8}]
    mov r9, [rsp + {R9}]
    mov r10, [rsp + {R10}]
    mov r15, [rsp + {R15}]
    mov rcx, [rsp + {RIP}]
    mov r11, [rsp]
    popfq
    pop rsp
    jmp rcx
.Ltail_end:

# A handler found that it cannot answer. Arguments 4-6 are still in their registers.
.Lnot_here:
    mov eax, [rsp + {NUMBER}]
    jmp .Lask

# From an exception whose handler begins at once: the server has put all into the signal frame at the handler's RSP but what only the
# thread has, and what the handler begins with into the frame here.
.macro to_context register, offset
    user mov [rax + 8 + {CONTEXT_REGISTERS} + 8 * \offset], \register
.endm
.Lhandlerenter:
    mov [rsp + {RAX}], rax
    mov rax, [rsp + {RSP}]
    to_context rcx, 14
    mov rcx, [rsp + {RAX}]
    to_context rcx, 13
    to_context r8, 0
    to_context r9, 1
    to_context r10, 2
    to_context r11, 3
    to_context r12, 4
    to_context r13, 5
    to_context r14, 6
    to_context r15, 7
    to_context rdi, 8
    to_context rsi, 9
    to_context rbp, 10
    to_context rbx, 11
    to_context rdx, 12
    user mov rcx, [rax + 8 + {CONTEXT_FPU}]
    user fxsave64 [rcx]
    mov rdi, [rsp + {RDI}]
    mov rsi, [rsp + {RSI}]
    mov rdx, [rsp + {RDX}]
    xor eax, eax
    jmp .Lshort_tail

# A number that the table doesn't have: its last entry is for all of them.
.Lbeyond:
    mov rcx, [rsp + {DISPATCH}]
    movzx ecx, byte ptr [rcx + {SYSCALLS}]
    jmp .Lby_code

# RCX = code: one of the process page's first words.
.Lid:
    mov r11, [rsp + {PROCESS}]
    mov eax, [r11 + 4*rcx + {PROCESS_IDS} - 4*{FIRST_ID}]
# Out, with RAX = result, all else still as the program had it but RCX and R11. As `tail` it can be begun again.
.Lshort_tail:
    cmp dword ptr [rsp + {ATTENTION}], 0
    jne .Lshort_tail_signals
    mov rcx, [rsp + {RIP}]
    mov r11, [rsp]
    popfq
    pop rsp
    jmp rcx
.Lshort_tail_end:

.Lother_reply:
    cmp esi, {RESTORE}
    je .Lrestore
    cmp esi, {RESTART}
    jne .Lbroken
    mov eax, [rsp + {NUMBER}]
    sub qword ptr [rsp + {RIP}], 2
    jmp .Ltail
.Lbroken:
    ud2
.Lno_stack:
    hlt

# For calls that copy the thread and for tracing: everything into the page first.
.Lserver_all:
    save_callee_saved
    save_clobbered
    fxsave64 [rsp + {FX}]
    jmp .Lask

.Lshort_tail_signals:
    save_arguments
    # Nothing that could be made again.
    mov qword ptr [rsp + {NUMBER}], -1
.Ltail_signals:
    mov [rsp + {RAX}], rax
    save_callee_saved
    save_clobbered
    jmp .Lsigenter

# From an exception, with the program's registers but for RIP, RSP and RFLAGS, which the server has put into the frame.
.Ltrapenter:
    save_arguments
    mov qword ptr [rsp + {NUMBER}], -1
    mov [rsp + {RAX}], rax
    mov [rsp + {RCX}], rcx
    mov [rsp + {R11}], r11
    save_callee_saved
# From the server, which has put all registers into the frame.
.Lsigenter:
    fxsave64 [rsp + {FX}]
# Frame and FX area are complete.
.Ltake_signals:
    mov esi, {INFO_TAKE_SIGNALS}
    jmp .Lcall

# Out, with everything from frame and FX area. Can be begun again, like `tail`. A new thread starts here.
.Lrestore:
    # Nested task makes iretq fault, and the other flags are no use here. The slot below RSP is the frame's cs.
    push 2
    popfq
    cmp dword ptr [rsp + {ATTENTION}], 0
    jne .Ltake_signals
    fxrstor64 [rsp + {FX}]
    mov eax, cs
    mov [rsp + {CS}], rax
    mov eax, ss
    mov [rsp + {SS}], rax
    mov rax, [rsp + {RAX}]
    mov rbx, [rsp + {RBX}]
    mov rcx, [rsp + {RCX}]
    mov rdx, [rsp + {RDX}]
    mov rsi, [rsp + {RSI}]
    mov rdi, [rsp + {RDI}]
    mov rbp, [rsp + {RBP}]
    mov r8, [rsp + {R8}]
    mov r9, [rsp + {R9}]
    mov r10, [rsp + {R10}]
    mov r11, [rsp + {R11}]
    mov r12, [rsp + {R12}]
    mov r13, [rsp + {R13}]
    mov r14, [rsp + {R14}]
    mov r15, [rsp + {R15}]
    lea rsp, [rsp + {RIP}]
    iretq
.Lrestore_end:

# Errors. A signal frame that can't be read is no error of a call: the server has the signal for it. A read that has stored
# something returns how much.
.Lefault:
    cmp dword ptr [rsp + {NUMBER}], {RT_SIGRETURN}
    je .Lnot_here
    cmp dword ptr [rsp + {NUMBER}], {READ}
    jne 1f
    mov rax, rdi
    sub rax, rsi
    jnz .Ltail
1:  # Nor is a stack that somebody has taken away since the server wrote to it: general protection, which has no fix-up here.
    cmp dword ptr [rsp + {NUMBER}], -1
    je .Lno_stack
    mov rax, -{EFAULT}
    jmp .Ltail
.Leinval:
    mov rax, -{EINVAL}
    jmp .Ltail
.Leperm:
    mov rax, -{EPERM}
    jmp .Ltail
.Lenomem:
    mov rax, -{ENOMEM}
    jmp .Ltail
.Lenosys:
    mov rax, -{ENOSYS}
    jmp .Ltail

.Lgettid:
    mov eax, [rsp + {TID}]
    jmp .Ltail

# clock_gettime(EDI clock, RSI time)
.Lclock_gettime:
    cmp edi, CLOCKS
    jae .Lnot_here
    clock_in CLOCKS_READ_HERE
    jnc .Lnot_here
    mov rcx, [rsp + {TIME}]
    read_clock
    clock_in CLOCKS_OF_WALL
    jnc 1f
    add rax, [rcx + {TIME_WALL_OFFSET}]
1:  split_seconds
    user mov [rsi], rax
    user mov [rsi + 8], rdx
    jmp .Lsuccess

# clock_getres(EDI clock, RSI resolution): 1 ns for every clock that there is.
.Lclock_getres:
    cmp edi, CLOCKS
    jae .Lnot_here
    test rsi, rsi
    jz .Lsuccess
    user mov qword ptr [rsi], 0
    user mov qword ptr [rsi + 8], 1
.Lsuccess:
    xor eax, eax
    jmp .Ltail

# gettimeofday(RDI time, RSI zone)
.Lgettimeofday:
    test rdi, rdi
    jz 1f
    mov rcx, [rsp + {TIME}]
    read_clock
    add rax, [rcx + {TIME_WALL_OFFSET}]
    split_seconds
    user mov [rdi], rax
    mov rax, rdx
    xor edx, edx
    mov ecx, 1000
    div rcx
    user mov [rdi + 8], rax
1:  test rsi, rsi
    jz .Lsuccess
    user mov qword ptr [rsi], 0
    jmp .Lsuccess

# time(RDI seconds)
.Ltime:
    mov rcx, [rsp + {TIME}]
    read_clock
    add rax, [rcx + {TIME_WALL_OFFSET}]
    split_seconds
    test rdi, rdi
    jz .Ltail
    user mov [rdi], rax
    jmp .Ltail

# getcpu(RDI cpu, RSI node)
.Lgetcpu:
    mov eax, [rsp + {CPU}]
    test rdi, rdi
    jz 1f
    user mov [rdi], eax
1:  test rsi, rsi
    jz .Lsuccess
    user mov dword ptr [rsi], 0
    jmp .Lsuccess

# rt_sigprocmask(EDI how, RSI set, RDX old set, R10 bytes in a set)
.Lrt_sigprocmask:
    cmp r10, 8
    jne .Leinval
    mov r8, [rsp + {BLOCKED}]
    test rsi, rsi
    jz 3f
    user mov rax, [rsi]
    # SIGKILL and SIGSTOP cannot be blocked.
    and rax, ~0x40100
    cmp edi, 1
    jb 1f
    je 2f
    cmp edi, 2
    jne .Leinval
    jmp 4f
1:  or rax, r8
    jmp 4f
2:  not rax
    and rax, r8
    # The new set must be visible before `pending` is read; xchg is a fence.
4:  mov rcx, rax
    xchg [rsp + {BLOCKED}], rax
    not rcx
    test [rsp + {PENDING}], rcx
    jz 3f
    mov dword ptr [rsp + {ATTENTION}], 1
3:  test rdx, rdx
    jz .Lsuccess
    user mov [rdx], r8
    jmp .Lsuccess

# rt_sigaction(EDI signal, RSI new, RDX old, R10 bytes in a set): tells and changes what is set, if the server has left it to the thread.
# A signal that is pending may have to be forgotten, which is the server's, and so are the two that have no other action.
.Lrt_sigaction:
    cmp r10, 8
    jne .Lnot_here
    lea ecx, [rdi - 1]
    cmp ecx, {SIGNALS}
    jae .Lnot_here
    cmp dword ptr [rsp + {HAS_ACTIONS}], 0
    je .Lshown_actions
    test rsi, rsi
    jz 1f
    mov rax, [rsp + {PENDING}]
    or rax, 0x40100
    bt rax, rcx
    jc .Lnot_here
    user mov rax, [rsi]
    user mov r8, [rsi + 8]
    user mov r9, [rsi + 16]
    user mov r15, [rsi + 24]
    # SIGKILL and SIGSTOP cannot be blocked.
    and r15, ~0x40100
    # Nor are there other flags.
    and r8d, {ACTION_FLAGS}
    shl ecx, 5
    mov [rsp + {CHANGE}], rax
    mov [rsp + {CHANGE} + 8], r8
    mov [rsp + {CHANGE} + 16], r9
    mov [rsp + {CHANGE} + 24], r15
    # From here on it is changed, wherever the thread may be stopped.
    mov [rsp + {CHANGING}], edi
    mov rsi, [rsp + rcx + {ACTIONS}]
    mov rdi, [rsp + rcx + {ACTIONS} + 8]
    mov r10, [rsp + rcx + {ACTIONS} + 16]
    mov r11, [rsp + rcx + {ACTIONS} + 24]
    mov [rsp + rcx + {ACTIONS}], rax
    mov [rsp + rcx + {ACTIONS} + 8], r8
    mov [rsp + rcx + {ACTIONS} + 16], r9
    mov [rsp + rcx + {ACTIONS} + 24], r15
    mov dword ptr [rsp + {CHANGING}], 0
    jmp 2f
1:  shl ecx, 5
    mov rsi, [rsp + rcx + {ACTIONS}]
    mov rdi, [rsp + rcx + {ACTIONS} + 8]
    mov r10, [rsp + rcx + {ACTIONS} + 16]
    mov r11, [rsp + rcx + {ACTIONS} + 24]
2:  test rdx, rdx
    jz .Lsuccess
    user mov [rdx], rsi
    user mov [rdx + 8], rdi
    user mov [rdx + 16], r10
    user mov [rdx + 24], r11
    jmp .Lsuccess

# The server keeps the actions: they are told if it has put them on the process page. What is read with the same version before and
# after is of one moment.
.Lshown_actions:
    test rsi, rsi
    jnz .Lnot_here
    mov eax, ecx
    mov rcx, [rsp + {PROCESS}]
    mov r11d, [rcx + {PROCESS_ACTIONS_VERSION}]
    test r11d, r11d
    jz .Lnot_here
    test rdx, rdx
    jz .Lsuccess
    shl eax, 5
    mov rsi, [rcx + rax + {PROCESS_ACTIONS}]
    mov rdi, [rcx + rax + {PROCESS_ACTIONS} + 8]
    mov r15, [rcx + rax + {PROCESS_ACTIONS} + 16]
    mov rax, [rcx + rax + {PROCESS_ACTIONS} + 24]
    cmp r11d, [rcx + {PROCESS_ACTIONS_VERSION}]
    jne .Lnot_here
    user mov [rdx], rsi
    user mov [rdx + 8], rdi
    user mov [rdx + 16], r15
    user mov [rdx + 24], rax
    jmp .Lsuccess

# rt_sigreturn(): RSP points at the ucontext. All of it becomes the thread's, by way of frame and FX area; `restore` then looks at
# `attention` as always. Its last word and its first are read first, so a frame that isn't there, or half, is found before
# anything has changed, and so is bad FPU state: the server then begins anew. RSP comes last, as that is where it looks.
.macro from_context register, offset
    user mov rax, [rcx + {CONTEXT_REGISTERS} + 8 * \offset]
    mov [rsp + \register], rax
.endm
.Lrt_sigreturn:
    mov rcx, [rsp + {RSP}]
    user mov r8, [rcx + {CONTEXT_MASK}]
    user mov r9, [rcx + {CONTEXT_STACK}]
    user mov r10d, [rcx + {CONTEXT_STACK} + 8]
    user mov r15, [rcx + {CONTEXT_STACK} + 16]
    user mov rax, [rcx + {CONTEXT_FPU}]
    test rax, rax
    jz .Lnot_here
    user fxrstor64 [rax]
    fxsave64 [rsp + {FX}]
    from_context {R8}, 0
    from_context {R9}, 1
    from_context {R10}, 2
    from_context {R11}, 3
    from_context {R12}, 4
    from_context {R13}, 5
    from_context {R14}, 6
    from_context {R15}, 7
    from_context {RDI}, 8
    from_context {RSI}, 9
    from_context {RBP}, 10
    from_context {RBX}, 11
    from_context {RDX}, 12
    from_context {RAX}, 13
    from_context {RCX}, 14
    user mov eax, [rcx + {CONTEXT_REGISTERS} + 8 * 17]
    and eax, {PROGRAM_FLAGS}
    or eax, {FIXED_FLAGS}
    user mov rdx, [rcx + {CONTEXT_REGISTERS} + 8 * 15]
    user mov rcx, [rcx + {CONTEXT_REGISTERS} + 8 * 16]
    mov [rsp], rax
    mov [rsp + {RSP}], rdx
    mov [rsp + {RIP}], rcx
    mov qword ptr [rsp + {NUMBER}], -1
    # The alternate stack, if it is one: SS_DISABLE makes its size 0, and a small one changes nothing.
    xor eax, eax
    test r10b, 2
    cmovnz r15, rax
    lea rax, [r15 - 1]
    cmp rax, {MINIMUM_STACK} - 1
    jb 1f
    and r10d, 0x80000000
    mov [rsp + {ALT_BASE}], r9
    mov [rsp + {ALT_SIZE}], r15
    mov [rsp + {ALT_FLAGS}], r10
    # The mask as in rt_sigprocmask.
1:  and r8, ~0x40100
    mov rax, r8
    xchg [rsp + {BLOCKED}], rax
    not r8
    test [rsp + {PENDING}], r8
    jz .Lrestore
    mov dword ptr [rsp + {ATTENTION}], 1
    jmp .Lrestore

# sigaltstack(RDI new, RSI old), both {{ base, flags (32 bits), size }}
.Lsigaltstack:
    mov r8, [rsp + {ALT_BASE}]
    mov r9, [rsp + {ALT_SIZE}]
    mov r10d, [rsp + {ALT_FLAGS}]
    # EDX = SS_DISABLE (2), SS_ONSTACK (1) or 0. A stack that disarms itself is never being used.
    mov edx, 2
    test r9, r9
    jz 1f
    xor edx, edx
    test r10d, r10d
    js 1f
    mov rcx, [rsp + {RSP}]
    sub rcx, r8
    dec rcx
    cmp rcx, r9
    adc edx, 0
1:  test rdi, rdi
    jz 3f
    user mov rax, [rdi]
    user mov ecx, [rdi + 8]
    user mov r15, [rdi + 16]
    cmp edx, 1
    je .Leperm
    mov r11d, ecx
    and r11d, 0x7fffffff
    cmp r11d, 2
    ja .Leinval
    je 4f
    cmp r15, {MINIMUM_STACK}
    jb .Lenomem
2:  and ecx, 0x80000000
    mov [rsp + {ALT_BASE}], rax
    mov [rsp + {ALT_SIZE}], r15
    mov [rsp + {ALT_FLAGS}], rcx
3:  test rsi, rsi
    jz .Lsuccess
    or edx, r10d
    user mov [rsi], r8
    user mov [rsi + 8], rdx
    user mov [rsi + 16], r9
    jmp .Lsuccess
4:  xor eax, eax
    xor r15d, r15d
    jmp 2b

# arch_prctl(EDI what, RSI address): ARCH_SET_FS
.Larch_prctl:
    cmp edi, 0x1002
    jne .Lnot_here
    mov rax, {USER_END}
    cmp rsi, rax
    jae .Leperm
    mov rdi, rsi
    mov rdx, {SET_TLS_BASE}
    syscall
    jmp .Lsuccess

.Lsched_yield:
    mov rdx, {YIELD}
    syscall
    jmp .Lsuccess

# futex(RDI word, ESI operation, EDX value, R10 timeout, R8, R9 bit set)
.Lfutex:
    cmp esi, 129
    je .Lfutex_wake
    # Without the private flag: 0 FUTEX_WAIT; 9 FUTEX_WAIT_BITSET, perhaps by the wall clock (256).
    mov ecx, esi
    and ecx, ~128
    jz 1f
    and ecx, ~256
    cmp ecx, 9
    jne .Lnot_here
    test r9d, r9d
    jz .Lnot_here
    # Waiting on a word that has another value ends at once; a timeout must be checked first, by the server.
1:  test r10, r10
    jnz .Lnot_here
    test edi, 3
    jnz .Lnot_here
    user mov eax, [rdi]
    cmp eax, edx
    je .Lnot_here
    mov rax, -{EAGAIN}
    jmp .Ltail
# Nobody waits on any private futex of this bucket: nobody to wake.
.Lfutex_wake:
    test edi, 3
    jnz .Lnot_here
    mov rax, {USER_END}
    cmp rdi, rax
    jae .Lnot_here
    mfence
    mov eax, edi
    shr eax, 2
    mov rcx, rdi
    shr rcx, 12
    xor eax, ecx
    and eax, {FUTEX_BUCKETS} - 1
    mov rcx, [rsp + {MM}]
    cmp dword ptr [rcx + 4*rax], 0
    jne .Lnot_here
    jmp .Lsuccess

# read(EDI descriptor, RSI buffer, RDX bytes) and write, if nothing but the arguments is needed for the answer. A buffer that is
# no place for one, and more bytes than a call moves, are the server's.
.macro plain bits
    cmp edi, {PLAIN_DESCRIPTORS}
    jae .Lask
    mov edi, edi
    mov rcx, [rsp + {PROCESS}]
    movzx edi, byte ptr [rcx + rdi + {PROCESS_PLAIN}]
    test edi, \bits
    jz .Lask
    cmp rdx, {MOST_BYTES}
    ja .Lask
    mov r11, {USER_END}
    mov rcx, rsi
    add rcx, rdx
    jc .Lask
    cmp rcx, r11
    ja .Lask
.endm
# Somebody may want to hear of it.
.macro unwatched
    mov rcx, [rsp + {TIME}]
    cmp dword ptr [rcx + {TIME_DEVICES_WATCHED}], 0
    jne .Lask
.endm
.Lwrite:
    plain {DISCARDS}
    unwatched
    mov rax, rdx
    jmp .Ltail
.Lread:
    plain {READS_END} | {READS_ZEROS}
    test edi, {READS_END}
    jnz .Lsuccess
    unwatched
    # Word by word from the first whole one on, so that a fault comes at the first byte that can't be stored. A signal ends it
    # after any page.
    cld
    xor eax, eax
    mov rdi, rsi
    mov ecx, edi
    neg ecx
    and ecx, 7
    cmp rcx, rdx
    cmova rcx, rdx
    sub rdx, rcx
    user rep stosb
1:  mov ecx, {PAGE}
    cmp rcx, rdx
    cmova rcx, rdx
    sub rdx, rcx
    mov r10d, ecx
    and r10d, 7
    shr ecx, 3
    user rep stosq
    mov ecx, r10d
    user rep stosb
    cmp dword ptr [rsp + {ATTENTION}], 0
    jne 2f
    test rdx, rdx
    jnz 1b
2:  mov rax, rdi
    sub rax, rsi
    jmp .Ltail

# By the codes of dispatch.rs.
.balign 4, 0xcc
.Lhandlers:
    .long .Lask - .Lhandlers
    .long .Lserver_all - .Lhandlers
    .long .Lenosys - .Lhandlers
    .long .Lgettid - .Lhandlers
    .long .Lclock_gettime - .Lhandlers
    .long .Lclock_getres - .Lhandlers
    .long .Lgettimeofday - .Lhandlers
    .long .Ltime - .Lhandlers
    .long .Lgetcpu - .Lhandlers
    .long .Lrt_sigprocmask - .Lhandlers
    .long .Lsigaltstack - .Lhandlers
    .long .Larch_prctl - .Lhandlers
    .long .Lsched_yield - .Lhandlers
    .long .Lfutex - .Lhandlers
    .long .Lrt_sigaction - .Lhandlers
    .long .Lrt_sigreturn - .Lhandlers
    .long .Lread - .Lhandlers
    .long .Lwrite - .Lhandlers
.Lhandlers_end:

# The rest of the frame traps.
.fill 4096 - (. - chestnut_linux_text), 1, 0xcc
.popsection

.pushsection .rodata.chestnut_linux_accesses, "a", @progbits
.Laccesses_end:
.popsection

# Where what is, as byte offsets into the text: `Offsets` in text.rs.
.pushsection .rodata.chestnut_linux_offsets, "a", @progbits
.balign 4
.globl chestnut_linux_offsets
chestnut_linux_offsets:
    .long .Lentry - chestnut_linux_text
    .long .Lrestore - chestnut_linux_text
    .long .Lsigenter - chestnut_linux_text
    .long .Ltrapenter - chestnut_linux_text
    .long .Lhandlerenter - chestnut_linux_text
    .long .Ltail - chestnut_linux_text
    .long .Ltail_end - chestnut_linux_text
    .long .Lshort_tail - chestnut_linux_text
    .long .Lshort_tail_end - chestnut_linux_text
    .long .Lrestore - chestnut_linux_text
    .long .Lrestore_end - chestnut_linux_text
    .long .Lefault - chestnut_linux_text
    .long .Lserver_call - chestnut_linux_text
    .long (.Laccesses_end - chestnut_linux_accesses) / 4
    .long .Lhandlers - chestnut_linux_text
    .long (.Lhandlers_end - .Lhandlers) / 4
.popsection
