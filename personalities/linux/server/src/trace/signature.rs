//! What the arguments of each system call are: the order is that of its manual page.

use super::names::{self, Names};

/// How one argument is shown.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A signed number of 32 bits.
    Int,
    /// An unsigned one of 64.
    Size,
    /// A signed one of 64.
    Long,
    /// A file's mode.
    Mode,
    /// An address.
    Hex,
    /// Bits that have no names, an offset, a structure's size.
    Bits,
    /// A descriptor, −100 being AT_FDCWD.
    At,
    /// A string that ends with a zero.
    Path,
    /// Bytes that the program gives; the next argument says how many.
    In,
    /// Bytes that it gets: as many as the result says.
    Out,
    /// A string that it gets, likewise.
    OutString,
    /// argv.
    Strings,
    /// envp: how many there are.
    Environment,
    Flags(Names),
    /// One of these.
    One(Names),
    /// One of the first, with flags of the second.
    OneWith(Names, Names),
    /// A mode that is there only if the flags before it make a file.
    CreateMode,
    Signal,
    /// Flags of clone with an exit signal in the low byte.
    Clone,
    SignalSet,
    SignalSetOut,
    Action,
    ActionOut,
    Stack,
    StackOut,
    /// `struct timespec`, given and got.
    Time,
    TimeOut,
    /// Two of them (itimerspec, utimensat), given and got.
    Times,
    TimesOut,
    /// `struct timeval`.
    Micros,
    MicrosOut,
    MicrosPair,
    MicrosPairOut,
    /// `struct stat`.
    Stat,
    /// Words of 32 bits that the program gets, so many.
    IntsOut(usize),
    /// A word of 64 bits that it gets.
    WordOut,
    /// The status of a child.
    Status,
    Limit,
    LimitOut,
    /// An I/O vector whose bytes are given, or got.
    VectorIn,
    VectorOut,
    /// poll's descriptors and what is looked for; their number is the next argument.
    Poll,
    /// `struct clone_args`.
    CloneArguments,
    /// `siginfo_t` that the program gets.
    InfoOut,
    /// Six strings of uname.
    Names,
}

use Kind::*;

const OPEN: Kind = Flags(names::OPEN);
const FUTEX: Kind = OneWith(names::FUTEX, names::FUTEX_FLAGS);
const CLOCK: Kind = One(names::CLOCK);
const SOCKET: [Kind; 3] = [One(names::DOMAIN), OneWith(names::SOCKET, names::SOCKET_FLAGS), Int];
const PRIORITY: Kind = One(names::PRIORITY);
const MESSAGE: Kind = Flags(names::MESSAGE);
const PATHS: [Kind; 2] = [Path, Path];

/// The arguments of a call; of one that isn't known, six words.
pub const fn of(number: u64) -> &'static [Kind] {
    match number {
        0 => &[Int, Out, Size],
        1 => &[Int, In, Size],
        2 => &[Path, OPEN, CreateMode],
        3 | 32 | 74 | 75 | 81 | 306 => &[Int],
        4 | 6 => &[Path, Stat],
        5 => &[Int, Stat],
        7 => &[Poll, Size, Int],
        8 => &[Int, Long, One(names::SEEK)],
        9 => &[Hex, Size, Flags(names::PROTECTION), Flags(names::MAP), Int, Bits],
        10 => &[Hex, Size, Flags(names::PROTECTION)],
        11 | 149 | 150 => &[Hex, Size],
        12 => &[Hex],
        13 => &[Signal, Action, ActionOut, Size],
        14 => &[One(names::MASK), SignalSet, SignalSetOut, Size],
        15 | 24 | 34 | 39 | 57 | 58 | 102 | 104 | 107 | 108 | 110 | 111 | 112 | 152 | 153 | 162 | 186 | 253 => &[],
        16 => &[Int, One(names::TERMINAL), Hex],
        17 => &[Int, Out, Size, Long],
        18 => &[Int, In, Size, Long],
        19 => &[Int, VectorOut, Int],
        20 => &[Int, VectorIn, Int],
        21 => &[Path, Flags(names::ACCESS)],
        22 => &[IntsOut(2)],
        23 => &[Int, Hex, Hex, Hex, MicrosOut],
        25 => &[Hex, Size, Size, Flags(names::REMAP), Hex],
        26 => &[Hex, Size, Flags(names::SYNC)],
        27 => &[Hex, Size, Hex],
        28 => &[Hex, Size, One(names::ADVICE)],
        33 => &[Int, Int],
        35 => &[Time, TimeOut],
        36 => &[One(names::ITIMER), MicrosPairOut],
        37 => &[Size],
        38 => &[One(names::ITIMER), MicrosPair, MicrosPairOut],
        40 => &[Int, Int, Hex, Size],
        41 => &SOCKET,
        42 | 49 => &[Int, Hex, Size],
        43 | 51 | 52 => &[Int, Hex, Hex],
        44 => &[Int, In, Size, MESSAGE, Hex, Size],
        45 => &[Int, Out, Size, MESSAGE, Hex, Hex],
        46 | 47 => &[Int, Hex, MESSAGE],
        48 => &[Int, One(names::SHUTDOWN)],
        50 => &[Int, Int],
        53 => &[One(names::DOMAIN), OneWith(names::SOCKET, names::SOCKET_FLAGS), Int, IntsOut(2)],
        54 | 55 => &[Int, Int, Int, Hex, Hex],
        56 => &[Clone, Hex, Hex, Hex, Hex],
        59 => &[Path, Strings, Environment],
        60 | 231 => &[Int],
        61 => &[Int, Status, Flags(names::WAIT), Hex],
        62 => &[Int, Signal],
        63 => &[Names],
        72 => &[Int, One(names::CONTROL), Bits],
        73 => &[Int, Flags(names::LOCK)],
        76 => &[Path, Long],
        77 => &[Int, Long],
        78 | 217 => &[Int, Hex, Size],
        79 => &[OutString, Size],
        80 | 84 | 87 | 161 => &[Path],
        82 | 86 | 88 => &PATHS,
        83 | 85 | 90 => &[Path, Mode],
        89 => &[Path, Out, Size],
        91 => &[Int, Mode],
        92 | 94 => &[Path, Int, Int],
        93 => &[Int, Int, Int],
        95 => &[Mode],
        96 => &[MicrosOut, Hex],
        97 => &[One(names::LIMIT), LimitOut],
        98 => &[One(names::USAGE), Hex],
        99 | 100 => &[Hex],
        101 => &[Int, Int, Hex, Hex],
        105 | 106 | 122 | 123 | 121 | 124 | 145 | 146 | 147 => &[Int],
        109 => &[Int, Int],
        113 | 114 => &[Int, Int],
        115 | 116 => &[Int, Hex],
        117 | 119 => &[Int, Int, Int],
        118 | 120 => &[IntsOut(1), IntsOut(1), IntsOut(1)],
        125 | 126 => &[Hex, Hex],
        127 => &[SignalSetOut, Size],
        128 => &[SignalSet, InfoOut, Time, Size],
        129 => &[Int, Signal, Hex],
        130 => &[SignalSet, Size],
        131 => &[Stack, StackOut],
        132 => &[Path, Hex],
        133 => &[Path, Mode, Hex],
        135 => &[Bits],
        137 => &[Path, Hex],
        138 => &[Int, Hex],
        140 => &[PRIORITY, Int],
        141 => &[PRIORITY, Int, Int],
        142 | 143 => &[Int, Hex],
        144 => &[Int, One(names::SCHEDULER), Hex],
        148 => &[Int, TimeOut],
        155 => &PATHS,
        157 => &[One(names::PRCTL), Bits, Bits, Bits, Bits],
        158 => &[One(names::SEGMENT), Hex],
        159 => &[Hex],
        160 => &[One(names::LIMIT), Limit],
        164 => &[Micros, Hex],
        165 => &[Path, Path, Path, Flags(names::MOUNT), Hex],
        166 => &[Path, Flags(names::UNMOUNT)],
        169 => &[Bits, Bits, Bits, Hex],
        170 | 171 => &[In, Size],
        187 => &[Int, Long, Size],
        188 | 189 => &[Path, Path, In, Size, Bits],
        190 => &[Int, Path, In, Size, Bits],
        191 | 192 => &[Path, Path, Out, Size],
        193 => &[Int, Path, Out, Size],
        194 | 195 => &[Path, Out, Size],
        196 => &[Int, Out, Size],
        197 | 198 => &PATHS,
        199 => &[Int, Path],
        200 => &[Int, Signal],
        201 => &[WordOut],
        202 => &[Hex, FUTEX, Int, Hex, Hex, Bits],
        203 | 204 => &[Int, Size, Hex],
        213 | 284 => &[Int],
        218 => &[Hex],
        221 => &[Int, Long, Size, One(names::FILE_ADVICE)],
        222 => &[CLOCK, Hex, IntsOut(1)],
        223 => &[Int, Flags(names::TIMER), Times, TimesOut],
        224 => &[Int, TimesOut],
        225 | 226 => &[Int],
        227 => &[CLOCK, Time],
        228 | 229 => &[CLOCK, TimeOut],
        230 => &[CLOCK, Flags(names::TIMER), Time, TimeOut],
        232 => &[Int, Hex, Int, Int],
        233 => &[Int, One(names::EPOLL), Int, Hex],
        234 => &[Int, Int, Signal],
        235 => &[Path, MicrosPair],
        247 => &[One(names::WAIT_FOR), Int, InfoOut, Flags(names::WAIT), Hex],
        251 => &[Int, Int, Bits],
        252 => &[Int, Int],
        254 => &[Int, Path, Flags(names::WATCH)],
        255 => &[Int, Int],
        257 => &[At, Path, OPEN, CreateMode],
        258 => &[At, Path, Mode],
        259 => &[At, Path, Mode, Hex],
        260 => &[At, Path, Int, Int, Flags(names::AT)],
        261 => &[At, Path, MicrosPair],
        262 => &[At, Path, Stat, Flags(names::AT)],
        263 => &[At, Path, Flags(names::UNLINK)],
        264 => &[At, Path, At, Path],
        265 => &[At, Path, At, Path, Flags(names::AT)],
        266 => &[Path, At, Path],
        267 => &[At, Path, Out, Size],
        268 => &[At, Path, Mode],
        269 => &[At, Path, Flags(names::ACCESS)],
        270 => &[Int, Hex, Hex, Hex, Time, Hex],
        271 => &[Poll, Size, Time, SignalSet, Size],
        272 => &[Flags(names::CLONE)],
        273 => &[Hex, Size],
        274 => &[Int, WordOut, WordOut],
        275 => &[Int, Hex, Int, Hex, Size, Flags(names::SPLICE)],
        276 => &[Int, Int, Size, Flags(names::SPLICE)],
        277 => &[Int, Long, Long, Bits],
        278 => &[Int, VectorIn, Size, Flags(names::SPLICE)],
        280 => &[At, Path, Times, Flags(names::AT)],
        281 => &[Int, Hex, Int, Int, SignalSet, Size],
        282 => &[Int, SignalSet, Size],
        283 => &[CLOCK, Flags(names::TIMER_FD)],
        285 => &[Int, Flags(names::ALLOCATE), Long, Long],
        286 => &[Int, Flags(names::TIMER_SET), Times, TimesOut],
        287 => &[Int, TimesOut],
        288 => &[Int, Hex, Hex, Flags(names::SOCKET_FLAGS)],
        289 => &[Int, SignalSet, Size, Flags(names::SOCKET_FLAGS)],
        290 => &[Size, Flags(names::EVENT)],
        291 => &[Flags(names::EPOLL_FLAGS)],
        292 => &[Int, Int, Flags(names::PIPE)],
        293 => &[IntsOut(2), Flags(names::PIPE)],
        294 => &[Flags(names::INOTIFY)],
        295 => &[Int, VectorOut, Int, Long],
        296 => &[Int, VectorIn, Int, Long],
        297 => &[Int, Int, Signal, Hex],
        299 => &[Int, Hex, Int, MESSAGE, Time],
        302 => &[Int, One(names::LIMIT), Limit, LimitOut],
        303 => &[At, Path, Hex, IntsOut(1), Flags(names::AT)],
        304 => &[Int, Hex, OPEN],
        305 => &[CLOCK, Hex],
        307 => &[Int, Hex, Int, MESSAGE],
        308 => &[Int, Bits],
        309 => &[IntsOut(1), IntsOut(1)],
        310 | 311 => &[Int, Hex, Size, Hex, Size, Bits],
        312 => &[Int, Int, Int, Bits, Bits],
        314 => &[Int, Hex, Bits],
        315 => &[Int, Hex, Size, Bits],
        316 => &[At, Path, At, Path, Flags(names::RENAME)],
        317 => &[Int, Bits, Hex],
        318 => &[Out, Size, Flags(names::RANDOM)],
        319 => &[Path, Flags(names::MEMFD)],
        322 => &[At, Path, Strings, Environment, Flags(names::AT)],
        324 => &[Int, Hex, Int],
        325 => &[Hex, Size, Bits],
        326 => &[Int, Hex, Int, Hex, Size, Bits],
        327 => &[Int, VectorOut, Int, Long, Long, Flags(names::READ_WRITE)],
        328 => &[Int, VectorIn, Int, Long, Long, Flags(names::READ_WRITE)],
        332 => &[At, Path, Flags(names::AT), Flags(names::STATX), Hex],
        334 => &[Hex, Size, Bits, Bits],
        424 => &[Int, Signal, Hex, Bits],
        434 => &[Int, Flags(names::PIPE)],
        435 => &[CloneArguments, Size],
        436 => &[Int, Int, Bits],
        437 => &[At, Path, Hex, Size],
        438 => &[Int, Int, Bits],
        439 => &[At, Path, Flags(names::ACCESS), Flags(names::ACCESS_AT)],
        440 => &[Int, Hex, Size, Int, Bits],
        441 => &[Int, Hex, Int, Time, SignalSet, Size],
        449 => &[Hex, Int, Bits, Time, CLOCK],
        452 => &[At, Path, Mode, Flags(names::AT)],
        29 => &[Hex, Size, Bits],
        30 => &[Int, Hex, Bits],
        31 | 71 => &[Int, Int, Hex],
        64 => &[Hex, Int, Bits],
        65 => &[Int, Hex, Size],
        66 => &[Int, Int, Int, Hex],
        67 => &[Hex],
        68 => &[Hex, Bits],
        69 => &[Int, Hex, Size, Bits],
        70 => &[Int, Hex, Size, Long, Bits],
        103 => &[Int, Hex, Int],
        151 => &[Bits],
        220 => &[Int, Hex, Size, Time],
        240 => &[Path, OPEN, CreateMode, Hex],
        241 => &[Path],
        242 => &[Int, Hex, Size, Int, Time],
        243 => &[Int, Hex, Size, IntsOut(1), Time],
        244 => &[Int, Hex],
        245 => &[Int, Hex, Hex],
        _ => &[Bits, Bits, Bits, Bits, Bits, Bits],
    }
}

impl Kind {
    /// It can be shown only when the call has been carried out.
    pub const fn is_result(self) -> bool {
        matches!(
            self,
            Out | OutString
                | SignalSetOut
                | ActionOut
                | StackOut
                | TimeOut
                | TimesOut
                | MicrosOut
                | MicrosPairOut
                | Stat
                | IntsOut(_)
                | WordOut
                | Status
                | LimitOut
                | VectorOut
                | InfoOut
                | Names
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::table;

    #[test]
    fn every_call_that_works_has_its_arguments_here() {
        let unknown = of(u64::MAX).as_ptr();
        let missing: alloc::vec::Vec<_> =
            table::NUMBERS.iter().filter(|&&number| core::ptr::eq(of(number).as_ptr(), unknown)).collect();
        assert!(missing.is_empty(), "no arguments for {missing:?}");
    }
}
