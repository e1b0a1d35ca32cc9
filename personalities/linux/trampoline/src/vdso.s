# The vDSO: one page that is a whole ELF shared object, laid out by hand because the assembler already knows all there is to
# know. The time page is mapped on the page before it.

.pushsection .rodata.chestnut_linux_vdso, "a", @progbits
.balign 16
.globl chestnut_linux_vdso
chestnut_linux_vdso:

# ELF header: 64 bits, little endian, shared object, x86-64.
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
    .quad 0
    .short 3, 62
    .long 1
    .quad 0
    .quad .Lheaders - chestnut_linux_vdso
    .quad .Lsections - chestnut_linux_vdso
    .long 0
    .short 64, 56, 3, 64, 5, 4

# Program headers: PT_LOAD, PT_DYNAMIC, PT_GNU_STACK.
.Lheaders:
    .long 1, 5
    .quad 0, 0, 0, 4096, 4096, 4096
    .long 2, 4
    .quad .Ldynamic - chestnut_linux_vdso, .Ldynamic - chestnut_linux_vdso, .Ldynamic - chestnut_linux_vdso
    .quad .Ldynamic_end - .Ldynamic, .Ldynamic_end - .Ldynamic, 8
    .long 0x6474e551, 6
    .quad 0, 0, 0, 0, 0, 16

.Ldynamic:
    .quad 14, .Lname_self - .Lnames
    .quad 4, .Lhash - chestnut_linux_vdso
    .quad 0x6ffffef5, .Lgnu_hash - chestnut_linux_vdso
    .quad 5, .Lnames - chestnut_linux_vdso
    .quad 6, .Lsymbols - chestnut_linux_vdso
    .quad 10, .Lnames_end - .Lnames
    .quad 11, 24
    .quad 0x6ffffff0, .Lversions_of_symbols - chestnut_linux_vdso
    .quad 0x6ffffffc, .Lversions - chestnut_linux_vdso
    .quad 0x6ffffffd, 2
    .quad 0, 0
.Ldynamic_end:

# A global function in section 1, .text.
.macro function name, code, end
    .long \name - .Lnames
    .byte 0x12, 0
    .short 1
    .quad \code - chestnut_linux_vdso, \end - \code
.endm
.Lsymbols:
    .quad 0, 0, 0
    function .Lname_clock_gettime, .Lvdso_clock_gettime, .Lvdso_gettimeofday
    function .Lname_gettimeofday, .Lvdso_gettimeofday, .Lvdso_time
    function .Lname_time, .Lvdso_time, .Lvdso_getcpu
    function .Lname_getcpu, .Lvdso_getcpu, .Lvdso_clock_getres
    function .Lname_clock_getres, .Lvdso_clock_getres, .Lvdso_end
.Lsymbols_end:

# DT_HASH: one bucket with all symbols in a row.
.Lhash:
    .long 1, 6, 1
    .long 0, 2, 3, 4, 5, 0

# DT_GNU_HASH: one bucket, from symbol 1; one Bloom word, shift 6. The last of a chain is odd.
.balign 8
.Lgnu_hash:
    .long 1, 1, 1, 6
    .quad {BLOOM}
    .long 1
    .long {HASH_CLOCK_GETTIME} & ~1, {HASH_GETTIMEOFDAY} & ~1, {HASH_TIME} & ~1
    .long {HASH_GETCPU} & ~1, {HASH_CLOCK_GETRES} | 1

.Lversions_of_symbols:
    .short 0, 2, 2, 2, 2, 2

# Version definitions: the object itself (base), then LINUX_2.6.
.balign 4
.Lversions:
    .short 1, 1, 1, 1
    .long {ELF_HASH_SELF}, 20, 28
    .long .Lname_self - .Lnames, 0
    .short 1, 0, 2, 1
    .long {ELF_HASH_VERSION}, 20, 0
    .long .Lname_version - .Lnames, 0

.Lnames:
    .byte 0
.Lname_self: .asciz "linux-vdso.so.1"
.Lname_version: .asciz "LINUX_2.6"
.Lname_clock_gettime: .asciz "__vdso_clock_gettime"
.Lname_gettimeofday: .asciz "__vdso_gettimeofday"
.Lname_time: .asciz "__vdso_time"
.Lname_getcpu: .asciz "__vdso_getcpu"
.Lname_clock_getres: .asciz "__vdso_clock_getres"
.Lnames_end:

# Section headers: a program needs none of them, but dietlibc finds symbols through .dynstr and .dynsym and their addresses through the
# section that they are in.
.macro section name, type, flags, start, end, link, info, align, size
    .long \name - .Lsection_names, \type
    .quad \flags, \start - chestnut_linux_vdso, \start - chestnut_linux_vdso, \end - \start
    .long \link, \info
    .quad \align, \size
.endm
.balign 8
.Lsections:
    .fill 64, 1, 0
    section .Lsection_text, 1, 6, .Lcode, .Lvdso_end, 0, 0, 16, 0
    section .Lsection_dynsym, 11, 2, .Lsymbols, .Lsymbols_end, 3, 1, 8, 24
    section .Lsection_dynstr, 3, 2, .Lnames, .Lnames_end, 0, 0, 1, 0
    section .Lsection_shstrtab, 3, 0, .Lsection_names, .Lsection_names_end, 0, 0, 1, 0
.Lsection_names:
    .byte 0
.Lsection_text: .asciz ".text"
.Lsection_dynsym: .asciz ".dynsym"
.Lsection_dynstr: .asciz ".dynstr"
.Lsection_shstrtab: .asciz ".shstrtab"
.Lsection_names_end:

# The functions: C calling convention; faults are the program's own. What they cannot do is an ordinary system call.
.macro time_page register
    lea \register, [rip + chestnut_linux_vdso - 4096]
.endm

.balign 16
.Lcode:
.Lvdso_clock_gettime:
    cmp edi, CLOCKS
    jae 2f
    clock_in CLOCKS_READ_HERE
    jnc 2f
    time_page rcx
    read_clock
    clock_in CLOCKS_OF_WALL
    jnc 1f
    add rax, [rcx + {TIME_WALL_OFFSET}]
1:  split_seconds
    mov [rsi], rax
    mov [rsi + 8], rdx
    xor eax, eax
    ret
2:  mov eax, 228
    syscall
    ret

.balign 16
.Lvdso_gettimeofday:
    test rdi, rdi
    jz 1f
    time_page rcx
    read_clock
    add rax, [rcx + {TIME_WALL_OFFSET}]
    split_seconds
    mov [rdi], rax
    mov rax, rdx
    xor edx, edx
    mov ecx, 1000
    div rcx
    mov [rdi + 8], rax
1:  test rsi, rsi
    jz 2f
    mov qword ptr [rsi], 0
2:  xor eax, eax
    ret

.balign 16
.Lvdso_time:
    time_page rcx
    read_clock
    add rax, [rcx + {TIME_WALL_OFFSET}]
    split_seconds
    test rdi, rdi
    jz 1f
    mov [rdi], rax
1:  ret

# The processor's number is on the thread page, which only the trampoline can find.
.balign 16
.Lvdso_getcpu:
    mov eax, 309
    syscall
    ret

.balign 16
.Lvdso_clock_getres:
    cmp edi, CLOCKS
    jae 2f
    test rsi, rsi
    jz 1f
    mov qword ptr [rsi], 0
    mov qword ptr [rsi + 8], 1
1:  xor eax, eax
    ret
2:  mov eax, 229
    syscall
    ret
.Lvdso_end:

.fill 4096 - (. - chestnut_linux_vdso), 1, 0xcc
.popsection
