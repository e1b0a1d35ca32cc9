# Shared by text.s and vdso.s.

# RAX = CLOCK_MONOTONIC in nanoseconds, read by the time page at RCX. Clobbers RDX.
.macro read_clock
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    sub rax, [rcx + {TIME_TSC_BASE}]
    mul qword ptr [rcx + {TIME_MULTIPLIER}]
    shrd rax, rdx, 32
.endm

# Nanoseconds in RAX to seconds in RAX and the rest in RDX. Clobbers RCX.
.macro split_seconds
    xor edx, edx
    mov ecx, 1000000000
    div rcx
.endm

# Carry = whether the clock in EDI is in a set of clock numbers below 8. Clobbers EDX.
.macro clock_in set
    mov edx, \set
    bt edx, edi
.endm

# REALTIME, MONOTONIC, MONOTONIC_RAW, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME
.set CLOCKS_READ_HERE, 0b11110011
# REALTIME, REALTIME_COARSE
.set CLOCKS_OF_WALL, 0b00100001
.set CLOCKS, 8
